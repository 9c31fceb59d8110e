/*
 * Products with packed numbers of levels, written once for two ways to look up: a field of a cell becomes
 * a vector of signed bytes for VPDPBUSD. What takes a bias in gemm_s8 takes a shuffle here.
 *
 * The file that includes this has defined struct lookup, and
 *
 *     make_lookup(levels, bits): whatever the next one needs
 *     find_levels(lookup, cell, bits, f): the levels of field f of a cell.
 */
#ifndef QNT__SIMD_X86_LEVELS_AVX512VNNI_H
#define QNT__SIMD_X86_LEVELS_AVX512VNNI_H

#include "../slots.h"
#include "cells_avx512vnni.h"

enum { MAX_ROWS = 6, MAX_PANELS = QNT__BLOCK_PANELS };

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm *g, const struct lookup *lookup, size_t row, size_t used,
                 size_t panel, int rows, int panels, int bits)
{
    const int fields = cell_fields(bits);
    const size_t cell_bytes = qnt__cell_bytes(bits), stride = g->panel_bytes;
    const uint8_t *x[MAX_ROWS], *w = g->weight + panel * stride;
    struct qnt__asking asking = qnt__asking(&g->results, row, panel == 0 ? used : 0,
                                            g->tap_count * (g->depth / (size_t)(4 * fields)));
    __m512i acc[MAX_ROWS][MAX_PANELS];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        UNROLL for (int p = 0; p < panels; p++) acc[i][p] = _mm512_setzero_si512();
    }
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at < end; at += 4 * fields, w += cell_bytes) {
            qnt__ask(&asking);
            UNROLL for (int f = 0; f < fields; f++) {
                __m512i level[MAX_PANELS];
                if (rows > 1) FORGET(w);
                UNROLL for (int p = 0; p < panels; p++) {
                    if (rows == 1 && f == 0) prefetch_cell(w + (size_t)p * stride, bits);
                    level[p] = find_levels(lookup, w + (size_t)p * stride, bits, f);
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
INLINE void all_rows(const struct qnt__gemm *g, const struct lookup *lookup, size_t panel, int panels,
                     int bits)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, used = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : 6;
        if (used == 1) tile(g, lookup, row, used, panel, 1, panels, bits);
        else if (used == 2) tile(g, lookup, row, used, panel, 2, panels, bits);
        else if (used <= 4) tile(g, lookup, row, used, panel, 4, panels, bits);
        else tile(g, lookup, row, used, panel, 6, panels, bits);
        row += used;
    }
}

INLINE void all_panels(const struct qnt__gemm *g, const int8_t *levels, int bits)
{
    const struct lookup held = make_lookup(levels, bits), *lookup = &held;
    size_t panel = 0;
    for (; panel + 4 <= g->panels; panel += 4) all_rows(g, lookup, panel, 4, bits);
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, lookup, panel, 2, bits);
    for (; panel < g->panels; panel++) all_rows(g, lookup, panel, 1, bits);
}

/* One copy of the code for each width. */
static void all_4(const struct qnt__gemm *g, const int8_t *levels) { all_panels(g, levels, 4); }
static void all_3(const struct qnt__gemm *g, const int8_t *levels) { all_panels(g, levels, 3); }
static void all_2(const struct qnt__gemm *g, const int8_t *levels) { all_panels(g, levels, 2); }

static void multiply_levels(const struct qnt__gemm *g, const int8_t *levels)
{
    if (g->bits == 4) all_4(g, levels);
    else if (g->bits == 3) all_3(g, levels);
    else all_2(g, levels);
}

#endif
