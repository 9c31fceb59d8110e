/*
 * Exact integer products of few rows and 8-bit weights with VPMADDWD: activations are widened to 16 bits, a
 * chunk of k at a time, weights as they are read; nothing else is prepared. (VPMADDUBSW needs no widening,
 * but saturates: narrow_avx2.h, pairs_avx2.h and slots_prepared.h say when it may be used.)
 *
 * In a quad of four k the even two and the odd two form one 32-bit lane each, so that a lane is a
 * column.
 */
#ifndef QNT__SIMD_X86_WIDE_AVX2_H
#define QNT__SIMD_X86_WIDE_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "../layout.h"
#include "../results.h"

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

enum {
    QUADS = 64,   /* in a chunk */
    MAX_ROWS = 6, /* 12 accumulators of 16 registers */
    AHEAD = 4096  /* bytes from where weights meet one row to where they are prefetched */
};

/* One row is as fast as its weights arrive, and there are too many instructions to each of them for the CPU
 * to look far ahead by itself. */
INLINE void ask_ahead(const uint8_t *cell)
{
    _mm_prefetch((const void *)((uintptr_t)cell + AHEAD), _MM_HINT_T0);
}

/* Widens `quads` quads of one row, each to [even, odd]. */
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

/* acc (=, or += if add) rows x 16 sums over the cells; x: the first row, widened. */
INLINE void wide_tile(const uint8_t *cell, size_t cells, int32_t (*x)[QUADS][2], int rows, int add,
                      int32_t *acc, size_t ld)
{
    __m256i sum[MAX_ROWS][2];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            const void *from = acc + (size_t)i * ld + 8 * h;
            sum[i][h] = add ? _mm256_loadu_si256(from) : _mm256_setzero_si256();
        }
    }
    for (size_t q = 0; q < cells; q++, cell += 64) {
        const __m256i_u *w = (const void *)cell;
        if (rows == 1) ask_ahead(cell);
        UNROLL for (int odd = 0; odd < 2; odd++) {
            __m256i w0 = w[0], w1 = w[1];
            if (!odd) w0 = _mm256_slli_epi16(w0, 8), w1 = _mm256_slli_epi16(w1, 8);
            w0 = _mm256_srai_epi16(w0, 8), w1 = _mm256_srai_epi16(w1, 8);
            UNROLL for (int i = 0; i < rows; i++) {
                MULTIPLY_ADD(sum[i][0], sum[i][1], x[i][q][odd], w0, w1);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            _mm256_storeu_si256((void *)(acc + (size_t)i * ld + 8 * h), sum[i][h]);
        }
    }
}

/* All rows, in pieces as even as possible. */
static inline void wide_rows(const uint8_t *cell, size_t cells, int32_t (*x)[QUADS][2], size_t m, int add,
                             int32_t *acc, size_t ld)
{
    for (size_t row = 0; row < m;) {
        size_t left = m - row, rows = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : MAX_ROWS;
        int32_t *to = acc + row * ld;
        switch (rows) {
        case 1: wide_tile(cell, cells, x + row, 1, add, to, ld); break;
        case 2: wide_tile(cell, cells, x + row, 2, add, to, ld); break;
        case 3: wide_tile(cell, cells, x + row, 3, add, to, ld); break;
        case 4: wide_tile(cell, cells, x + row, 4, add, to, ld); break;
        case 5: wide_tile(cell, cells, x + row, 5, add, to, ld); break;
        default: wide_tile(cell, cells, x + row, 6, add, to, ld); break;
        }
        row += rows;
    }
}

#endif
