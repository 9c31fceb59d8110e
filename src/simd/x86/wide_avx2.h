/*
 * Exact integer products of 8-bit weights with VPMADDWD: weights and activations are widened to 16
 * bits, a chunk of k at a time, into buffers in the first-level cache; then multiplying and adding is
 * all that is left to do. (VPMADDUBSW needs no widening, but saturates: narrow_avx2.h and pairs_avx2.h
 * say when it may be used.)
 *
 * In a quad of four k the even two and the odd two form one 32-bit lane each, so that a lane is a
 * column.
 */
#ifndef QNT__SIMD_X86_WIDE_AVX2_H
#define QNT__SIMD_X86_WIDE_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "../layout.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* sum0 += x * w0, sum1 += x * w1 for a broadcast pair x. Two registers beside the twelve sums and
 * two weights are all there is; the compilers rather spill sums. */
#define MULTIPLY_ADD(sum0, sum1, x, w0, w1)                                                        \
    do {                                                                                           \
        __m256i pair_, product_;                                                                   \
        __asm__("vpbroadcastd %4, %2\n\tvpmaddwd %5, %2, %3\n\tvpaddd %3, %0, %0\n\t"            \
                "vpmaddwd %6, %2, %2\n\tvpaddd %2, %1, %1"                                         \
                : "+&x"(sum0), "+&x"(sum1), "=&x"(pair_), "=&x"(product_)                          \
                : "m"(x), "x"(w0), "x"(w1));                                                       \
    } while (0)

enum { QUADS = 64 /* in a chunk */, MAX_ROWS = 6 /* 12 accumulators of 16 registers */ };

struct wide {
    __m256i w[QUADS][2][2];              /* [quad][even, odd][columns 0..7, 8..15] */
    int32_t x[QNT__GEMM_ROWS][QUADS][2]; /* [row][quad][even, odd] */
};

/* Widens `quads` quads of one row. */
INLINE void widen_row(const uint8_t *x, size_t quads, int is_signed, int32_t (*to)[2])
{
    const __m128i even_mask = _mm_set1_epi32(0x00ff00ff);
    size_t q = 0;
    for (; q + 4 <= quads; q += 4) {
        __m128i bytes = _mm_loadu_si128((const void *)(x + 4 * q)), even, odd;
        if (is_signed) {
            even = _mm_srai_epi16(_mm_slli_epi16(bytes, 8), 8);
            odd = _mm_srai_epi16(bytes, 8);
        } else {
            even = _mm_and_si128(bytes, even_mask);
            odd = _mm_srli_epi16(bytes, 8);
        }
        _mm_storeu_si128((void *)to[q], _mm_unpacklo_epi32(even, odd));
        _mm_storeu_si128((void *)to[q + 2], _mm_unpackhi_epi32(even, odd));
    }
    for (; q < quads; q++) {
        int32_t quad;
        memcpy(&quad, x + 4 * q, sizeof quad);
        __m128i bytes = _mm_cvtsi32_si128(quad);
        __m128i words = is_signed ? _mm_cvtepi8_epi16(bytes) : _mm_cvtepu8_epi16(bytes);
        _mm_storel_epi64((void *)to[q], _mm_shufflelo_epi16(words, _MM_SHUFFLE(3, 1, 2, 0)));
    }
}

/* Widens cells of 8-bit codes. */
INLINE void widen_cells(const uint8_t *cell, size_t cells, __m256i (*to)[2][2])
{
    for (; cells > 0; cells--, cell += 64, to++) {
        UNROLL for (int half = 0; half < 2; half++) {
            __m256i w = _mm256_loadu_si256((const void *)(cell + 32 * half));
            (*to)[0][half] = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
            (*to)[1][half] = _mm256_srai_epi16(w, 8);
        }
    }
}

/* acc (=, or += if add) rows x 16 sums over the quads of c->w; that of number q meets quad place[q] of the
 * rows, or quad q if place is NULL. */
INLINE void wide_tile(const struct wide *c, size_t row, int rows, const uint8_t *place, size_t quads,
                      int add, int32_t *acc, size_t ld)
{
    __m256i sum[MAX_ROWS][2];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            const void *from = acc + (size_t)i * ld + 8 * h;
            sum[i][h] = add ? _mm256_loadu_si256(from) : _mm256_setzero_si256();
        }
    }
    for (size_t q = 0; q < quads; q++) {
        const size_t at = place ? place[q] : q;
        UNROLL for (int odd = 0; odd < 2; odd++) {
            __m256i w0 = c->w[q][odd][0], w1 = c->w[q][odd][1];
            UNROLL for (int i = 0; i < rows; i++) {
                MULTIPLY_ADD(sum[i][0], sum[i][1], c->x[row + (size_t)i][at][odd], w0, w1);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            _mm256_storeu_si256((void *)(acc + (size_t)i * ld + 8 * h), sum[i][h]);
        }
    }
}

/* All rows of a chunk, in pieces as even as possible. */
static inline void wide_rows(const struct wide *c, size_t m, const uint8_t *place, size_t quads, int add,
                             int32_t *acc, size_t ld)
{
    for (size_t row = 0; row < m;) {
        size_t left = m - row, rows = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : MAX_ROWS;
        int32_t *to = acc + row * ld;
        switch (rows) {
        case 1: wide_tile(c, row, 1, place, quads, add, to, ld); break;
        case 2: wide_tile(c, row, 2, place, quads, add, to, ld); break;
        case 3: wide_tile(c, row, 3, place, quads, add, to, ld); break;
        case 4: wide_tile(c, row, 4, place, quads, add, to, ld); break;
        case 5: wide_tile(c, row, 5, place, quads, add, to, ld); break;
        default: wide_tile(c, row, 6, place, quads, add, to, ld); break;
        }
        row += rows;
    }
}

#endif
