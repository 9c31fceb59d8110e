/*
 * Products with packed numbers of levels: a field of a cell is looked up in its register, then it is a
 * vector of signed bytes for VPDPBUSD like any other. What takes a bias in gemm_s8 takes a shuffle here.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"

enum { MAX_ROWS = 6, MAX_PANELS = QNT__BLOCK_PANELS };

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm *g, __m512i table, size_t row, size_t used, size_t panel,
                 int rows, int panels, int bits)
{
    const int fields = cell_fields(bits);
    const size_t cell_bytes = qnt__cell_bytes(bits), stride = g->panel_bytes;
    const uint8_t *x[MAX_ROWS], *w = g->weight + panel * stride;
    __m512i acc[MAX_ROWS][MAX_PANELS];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        UNROLL for (int p = 0; p < panels; p++) acc[i][p] = _mm512_setzero_si512();
    }
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at < end; at += 4 * fields, w += cell_bytes) {
            UNROLL for (int f = 0; f < fields; f++) {
                __m512i level[MAX_PANELS];
                if (rows > 1) FORGET(w);
                UNROLL for (int p = 0; p < panels; p++) {
                    __m512i field = cell_field(w + (size_t)p * stride, bits, f);
                    level[p] = _mm512_shuffle_epi8(table, field);
                }
                UNROLL for (int i = 0; i < rows; i++) {
                    __m512i quad = broadcast_quad(x[i] + at + 4 * f);
                    UNROLL for (int p = 0; p < panels; p++) DPBUSD(acc[i][p], quad, level[p]);
                }
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        int32_t *to = g->acc + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_si512(to + p * QNT__PANEL, acc[i][p]);
    }
}

/* All rows of one group of panels, in pieces of 6, 4, 2 or 1. */
INLINE void all_rows(const struct qnt__gemm *g, __m512i table, size_t panel, int panels, int bits)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, used = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : 6;
        if (used == 1) tile(g, table, row, used, panel, 1, panels, bits);
        else if (used == 2) tile(g, table, row, used, panel, 2, panels, bits);
        else if (used <= 4) tile(g, table, row, used, panel, 4, panels, bits);
        else tile(g, table, row, used, panel, 6, panels, bits);
        row += used;
    }
}

INLINE void all_panels(const struct qnt__gemm *g, const int8_t *levels, int bits)
{
    int8_t all[16] = {0};
    memcpy(all, levels, (size_t)1 << bits);
    const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)all));
    size_t panel = 0;
    for (; panel + 4 <= g->panels; panel += 4) all_rows(g, table, panel, 4, bits);
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, table, panel, 2, bits);
    for (; panel < g->panels; panel++) all_rows(g, table, panel, 1, bits);
}

/* One copy of the code for each width. */
static void all_4(const struct qnt__gemm *g, const int8_t *levels) { all_panels(g, levels, 4); }
static void all_3(const struct qnt__gemm *g, const int8_t *levels) { all_panels(g, levels, 3); }
static void all_2(const struct qnt__gemm *g, const int8_t *levels) { all_panels(g, levels, 2); }

void qnt__gemm_levels_avx512vnni(const struct qnt__gemm *g, const int8_t *levels)
{
    if (g->bits == 4) all_4(g, levels);
    else if (g->bits == 3) all_3(g, levels);
    else all_2(g, levels);
}
