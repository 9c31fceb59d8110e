/*
 * Product of 16-bit integers, a pair of k of a row is broadcast, a cell is two registers: for AVX2 with and
 * without VPDPWSSD.
 *
 * The file that includes this has defined ADD_PRODUCTS(sum0, sum1, x, w0, w1) as wide_avx2.h has
 * MULTIPLY_ADD, which is taken where there are so few sums that an instruction that adds to them by itself
 * would wait for the one before: up to FEW_ROWS.
 */
#ifndef QNT__SIMD_X86_GEMM_S16_AVX2_H
#define QNT__SIMD_X86_GEMM_S16_AVX2_H

#include "../slots.h"
#include "wide_avx2.h"

enum { FEW_ROWS = 3 };

INLINE void tile(const struct qnt__gemm_s16 *g, size_t row, size_t panel, int rows)
{
    const size_t depth = g->depth, ld = g->ld; /* stores might change what is in memory */
    const int16_t *w = g->weight + panel * g->panel_words;
    int32_t *acc = g->acc + row * ld + panel * QNT__PANEL;
    __m256i sum[MAX_ROWS][2];
    qnt__ask_now(&g->results, row, (size_t)rows, panel, g->panels);
    UNROLL for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = _mm256_setzero_si256();
    for (size_t k = 0; k < depth; k += 2, w += 2 * QNT__PANEL) {
        __m256i w0 = _mm256_loadu_si256((const void *)w);
        __m256i w1 = _mm256_loadu_si256((const void *)(w + QNT__PANEL));
        UNROLL for (int i = 0; i < rows; i++) {
            const int32_t *pair = (const void *)(g->rows[row + (size_t)i] + k);
            if (rows <= FEW_ROWS) MULTIPLY_ADD(sum[i][0], sum[i][1], *pair, w0, w1);
            else ADD_PRODUCTS(sum[i][0], sum[i][1], *pair, w0, w1);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        int32_t *to = acc + (size_t)i * ld;
        _mm256_storeu_si256((void *)to, sum[i][0]);
        _mm256_storeu_si256((void *)(to + 8), sum[i][1]);
    }
}

static void multiply_words(const struct qnt__gemm_s16 *g)
{
    for (size_t p = 0; p < g->panels; p++) {
        for (size_t row = 0; row < g->m;) {
            size_t left = g->m - row, n = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : MAX_ROWS;
            switch (n) {
            case 1: tile(g, row, p, 1); break;
            case 2: tile(g, row, p, 2); break;
            case 3: tile(g, row, p, 3); break;
            case 4: tile(g, row, p, 4); break;
            case 5: tile(g, row, p, 5); break;
            default: tile(g, row, p, 6); break;
            }
            row += n;
        }
    }
}

#endif
