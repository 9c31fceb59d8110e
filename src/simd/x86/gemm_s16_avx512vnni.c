/*
 * Product of 16-bit integers with VPDPWSSD: a pair of k of a row is broadcast, a cell is 16 columns. 24
 * sums of 6 rows by 4 panels, or of 12 by 2, take about half as many loads as products. Twelve rows have
 * more addresses than there are registers: they come from memory, once for two pairs.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"

#define UNROLL_ROWS _Pragma("GCC unroll 12")

enum { MAX_ROWS = QNT__BLOCK_ROWS, MAX_PANELS = QNT__BLOCK_PANELS, PAIRS = 2 };

/* acc += sums of two products of signed words; gcc 12 copies accumulators around for the intrinsic. */
#define DPWSSD(acc, a, b) __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b))

/* `pairs` pairs of k of some panels times those of some rows. */
INLINE void multiply_pairs(__m512i acc[MAX_ROWS][MAX_PANELS], const int16_t *const *x, size_t k,
                           const int16_t *w, size_t stride, int rows, int panels, int pairs)
{
    __m512i cell[PAIRS][MAX_PANELS];
    UNROLL for (int j = 0; j < pairs; j++) {
        UNROLL for (int p = 0; p < panels; p++) {
            cell[j][p] = _mm512_loadu_si512(w + (size_t)p * stride + j * 2 * QNT__PANEL);
        }
    }
    UNROLL_ROWS for (int i = 0; i < rows; i++) {
        UNROLL for (int j = 0; j < pairs; j++) {
            const __m512i pair = broadcast_quad(x[i] + k + 2 * j);
            UNROLL for (int p = 0; p < panels; p++) DPWSSD(acc[i][p], pair, cell[j][p]);
        }
    }
}

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm_s16 *g, size_t row, size_t used, size_t panel, int rows,
                 int panels)
{
    const size_t stride = g->panel_words;
    const int pairs = panels == 4 ? 1 : PAIRS; /* cells of 4 panels leave no registers for more */
    const int16_t *x[MAX_ROWS], *w = g->weight + panel * stride;
    struct qnt__asking asking =
        qnt__asking(&g->results, row, panel == 0 ? used : 0, g->depth / (2 * (size_t)pairs));
    __m512i acc[MAX_ROWS][MAX_PANELS];
    size_t k = 0;

    UNROLL_ROWS for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        UNROLL for (int p = 0; p < panels; p++) acc[i][p] = _mm512_setzero_si512();
    }
    for (; k + 2 * (size_t)pairs <= g->depth; k += 2 * (size_t)pairs) {
        qnt__ask(&asking);
        multiply_pairs(acc, x, k, w, stride, rows, panels, pairs);
        w += 2 * QNT__PANEL * pairs;
    }
    if (k < g->depth) multiply_pairs(acc, x, k, w, stride, rows, panels, 1);
    UNROLL_ROWS for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        int32_t *to = g->acc + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_si512(to + p * QNT__PANEL, acc[i][p]);
    }
}

/* All rows of four panels, in few and equal pieces. */
INLINE void rows_of_four(const struct qnt__gemm_s16 *g, size_t panel)
{
    for (size_t row = 0; row < g->m;) {
        size_t left = g->m - row, used = left <= 6 ? left : left < 12 ? (left + 1) / 2 : 6;
        if (used == 1) tile(g, row, used, panel, 1, 4);
        else if (used == 2) tile(g, row, used, panel, 2, 4);
        else if (used <= 4) tile(g, row, used, panel, 4, 4);
        else tile(g, row, used, panel, 6, 4);
        row += used;
    }
}

/* All rows of one or two panels. */
INLINE void rows_of_two(const struct qnt__gemm_s16 *g, size_t panel, int panels)
{
    for (size_t row = 0, used; row < g->m; row += used) {
        const size_t left = g->m - row;
        used = left < MAX_ROWS ? left : MAX_ROWS;
        if (used == 1) tile(g, row, used, panel, 1, panels);
        else if (used == 2) tile(g, row, used, panel, 2, panels);
        else if (used <= 4) tile(g, row, used, panel, 4, panels);
        else if (used <= 6) tile(g, row, used, panel, 6, panels);
        else if (used <= 8) tile(g, row, used, panel, 8, panels);
        else if (used <= 10) tile(g, row, used, panel, 10, panels);
        else tile(g, row, used, panel, 12, panels);
    }
}

void qnt__gemm_s16_avx512vnni(const struct qnt__gemm_s16 *g)
{
    size_t panel = 0;
    for (; panel + 4 <= g->panels; panel += 4) rows_of_four(g, panel);
    for (; panel + 2 <= g->panels; panel += 2) rows_of_two(g, panel, 2);
    for (; panel < g->panels; panel++) rows_of_two(g, panel, 1);
}
