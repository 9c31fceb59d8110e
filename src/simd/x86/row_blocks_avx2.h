/*
 * Matrix product with scales for blocks of k, one row: for AVX2 with and without VPDPBUSD.
 *
 * The file that includes this has defined
 *
 *     multiply_row(cell, cells, bits, x, sum): sum += 16 sums of the biased weights of the cells times the
 *     signed bytes x.
 */
#ifndef QNT__SIMD_X86_ROW_BLOCKS_AVX2_H
#define QNT__SIMD_X86_ROW_BLOCKS_AVX2_H

#include "../slots.h"
#include "narrow_avx2.h"

/* Sum of n signed bytes, n a multiple of 16. */
static inline int32_t sum_row(const int8_t *x, size_t n)
{
    __m128i sum = _mm_setzero_si128();
    for (size_t k = 0; k < n; k += 16) {
        __m128i bytes = _mm_loadu_si128((const void *)(x + k));
        __m128i pairs = _mm_maddubs_epi16(_mm_set1_epi8(1), bytes);
        sum = _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
    }
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, _MM_SHUFFLE(1, 0, 3, 2)));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm_cvtsi128_si32(sum);
}

/* One row: fields are multiplied as they are read, and results stay in registers for many blocks. */
INLINE void one_row(const struct qnt__gemm_blocks *g, int bits)
{
    enum { SEGMENT = 256 }; /* blocks whose sums of x are kept */
    const size_t blocks = g->depth / g->block, cells = g->block / qnt__cell_depth(bits);
    const size_t bytes = cells * qnt__cell_bytes(bits);
    int32_t row_sum[SEGMENT];

    for (size_t first = 0; first < blocks; first += SEGMENT) {
        const size_t end = blocks - first < SEGMENT ? blocks : first + SEGMENT;
        for (size_t b = first; b < end; b++) {
            row_sum[b - first] = sum_row(g->rows[0] + b * g->block, g->block);
        }
        for (size_t p = 0; p < g->panels; p++) {
            const uint8_t *w = g->weight + p * g->panel_bytes + first * bytes;
            float *to = g->y + p * QNT__PANEL;
            __m256 y[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
            if (first > 0) y[0] = _mm256_loadu_ps(to), y[1] = _mm256_loadu_ps(to + 8);
            for (size_t b = first; b < end; b++, w += bytes) {
                const size_t group = (p * blocks + b) * QNT__PANEL;
                const __m256i row = _mm256_set1_epi32(row_sum[b - first]);
                const __m256i less = _mm256_slli_epi32(row, bits - 1);
                __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
                multiply_row(w, cells, bits, (const uint8_t *)g->rows[0] + b * g->block, sum);
                UNROLL for (int h = 0; h < 2; h++) {
                    sum[h] = _mm256_sub_epi32(sum[h], less);
                    if (g->zero) {
                        __m128i zero = _mm_loadl_epi64((const void *)(g->zero + group + 8 * h));
                        __m256i share = _mm256_mullo_epi32(_mm256_cvtepi8_epi32(zero), row);
                        sum[h] = _mm256_sub_epi32(sum[h], share);
                    }
                    __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[h]),
                                                   _mm256_loadu_ps(g->scale + group + 8 * h));
                    y[h] = _mm256_add_ps(y[h], product);
                }
            }
            _mm256_storeu_ps(to, y[0]);
            _mm256_storeu_ps(to + 8, y[1]);
        }
    }
}

#endif
