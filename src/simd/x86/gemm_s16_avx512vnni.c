/* Product of 16-bit integers with VPDPWSSD: a pair of k of a row is broadcast, a cell is 16 columns. */
#include "../slots.h"
#include "cells_avx512vnni.h"

enum { MAX_ROWS = 6, MAX_PANELS = QNT__BLOCK_PANELS };

/* acc += sums of two products of signed words; gcc 12 copies accumulators around for the intrinsic. */
#define DPWSSD(acc, a, b) __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b))

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm_s16 *g, size_t row, size_t used, size_t panel, int rows,
                 int panels)
{
    const size_t stride = g->panel_words;
    const int16_t *x[MAX_ROWS], *w = g->weight + panel * stride;
    __m512i acc[MAX_ROWS][MAX_PANELS];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        UNROLL for (int p = 0; p < panels; p++) acc[i][p] = _mm512_setzero_si512();
    }
    for (size_t k = 0; k < g->depth; k += 2, w += 2 * QNT__PANEL) {
        __m512i cell[MAX_PANELS];
        UNROLL for (int p = 0; p < panels; p++) cell[p] = _mm512_loadu_si512(w + (size_t)p * stride);
        UNROLL for (int i = 0; i < rows; i++) {
            __m512i pair = broadcast_quad(x[i] + k);
            UNROLL for (int p = 0; p < panels; p++) DPWSSD(acc[i][p], pair, cell[p]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        int32_t *to = g->acc + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_si512(to + p * QNT__PANEL, acc[i][p]);
    }
}

INLINE void all_rows(const struct qnt__gemm_s16 *g, size_t panel, int panels)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, used = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : 6;
        if (used == 1) tile(g, row, used, panel, 1, panels);
        else if (used == 2) tile(g, row, used, panel, 2, panels);
        else if (used <= 4) tile(g, row, used, panel, 4, panels);
        else tile(g, row, used, panel, 6, panels);
        row += used;
    }
}

void qnt__gemm_s16_avx512vnni(const struct qnt__gemm_s16 *g)
{
    size_t panel = 0;
    for (; panel + 4 <= g->panels; panel += 4) all_rows(g, panel, 4);
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, panel, 2);
    for (; panel < g->panels; panel++) all_rows(g, panel, 1);
}
