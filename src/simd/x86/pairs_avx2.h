/*
 * Exact integer products of unsigned bytes and 8-bit weights with VPMADDUBSW, cell by cell where it cannot
 * saturate: 255 (w0 + w1) stays within 16 bits as long as |w0 + w1| <= 128, and weights of different signs
 * never leave it, nor do weights of at most 7 bits. What does not pass is left to wide_avx2.h. Of weights
 * with a normal distribution and a scale for each output most cells pass.
 */
#ifndef QNT__SIMD_X86_PAIRS_AVX2_H
#define QNT__SIMD_X86_PAIRS_AVX2_H

#include "wide_avx2.h"

/* sum0 += x * w0, sum1 += x * w1 for a broadcast quad x. Twelve sums, w0, ones and two registers here are
 * all there is; w1 is read again and again. */
#define PAIR_ADD(sum0, sum1, quad, w0, w1, ones)                                                   \
    do {                                                                                           \
        __m256i x_, product_;                                                                      \
        __asm__("vpbroadcastd %4, %2\n\tvpmaddubsw %5, %2, %3\n\tvpmaddwd %7, %3, %3\n\t"          \
                "vpaddd %3, %0, %0\n\tvpmaddubsw %6, %2, %2\n\tvpmaddwd %7, %2, %2\n\t"            \
                "vpaddd %2, %1, %1"                                                                \
                : "+&x"(sum0), "+&x"(sum1), "=&x"(x_), "=&x"(product_)                             \
                : "m"(quad), "x"(w0), "m"(w1), "x"(ones));                                         \
    } while (0)

/* The cells of one panel and chunk. */
struct pairs {
    uint8_t safe[QUADS], other[QUADS]; /* their numbers */
    size_t safe_count, other_count;
};

static inline struct pairs find_pairs(const uint8_t *cell, size_t cells)
{
    const __m256i ones = _mm256_set1_epi8(1), most = _mm256_set1_epi16(128);
    struct pairs p;
    p.safe_count = p.other_count = 0;
    for (size_t q = 0; q < cells; q++, cell += 64) {
        const __m256i *w = (const void *)cell;
        __m256i sum0 = _mm256_abs_epi16(_mm256_maddubs_epi16(ones, _mm256_loadu_si256(w)));
        __m256i sum1 = _mm256_abs_epi16(_mm256_maddubs_epi16(ones, _mm256_loadu_si256(w + 1)));
        __m256i over = _mm256_cmpgt_epi16(_mm256_max_epi16(sum0, sum1), most);
        int safe = _mm256_testz_si256(over, over);
        p.safe[p.safe_count] = p.other[p.other_count] = (uint8_t)q;
        p.safe_count += (size_t)safe;
        p.other_count += (size_t)!safe;
    }
    return p;
}

/* acc (=, or += if add) rows x 16 sums over the safe cells. */
INLINE void pairs_tile(const struct pairs *p, int32_t (*x)[QUADS], int rows, const uint8_t *cell,
                       int add, int32_t *acc, size_t ld)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum[MAX_ROWS][2];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            const void *from = acc + (size_t)i * ld + 8 * h;
            sum[i][h] = add ? _mm256_loadu_si256(from) : _mm256_setzero_si256();
        }
    }
    for (size_t q = 0; q < p->safe_count; q++) {
        const size_t at = p->safe[q];
        const __m256i_u *w = (const void *)(cell + 64 * at);
        __m256i w0 = w[0];
        UNROLL for (int i = 0; i < rows; i++) PAIR_ADD(sum[i][0], sum[i][1], x[i][at], w0, w[1], ones);
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            _mm256_storeu_si256((void *)(acc + (size_t)i * ld + 8 * h), sum[i][h]);
        }
    }
}

/* All rows of a chunk, in pieces as even as possible. */
static inline void pairs_rows(const struct pairs *p, int32_t (*x)[QUADS], size_t m,
                              const uint8_t *cell, int add, int32_t *acc, size_t ld)
{
    for (size_t row = 0; row < m;) {
        size_t left = m - row, rows = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : MAX_ROWS;
        int32_t *to = acc + row * ld;
        switch (rows) {
        case 1: pairs_tile(p, x + row, 1, cell, add, to, ld); break;
        case 2: pairs_tile(p, x + row, 2, cell, add, to, ld); break;
        case 3: pairs_tile(p, x + row, 3, cell, add, to, ld); break;
        case 4: pairs_tile(p, x + row, 4, cell, add, to, ld); break;
        case 5: pairs_tile(p, x + row, 5, cell, add, to, ld); break;
        default: pairs_tile(p, x + row, 6, cell, add, to, ld); break;
        }
        row += rows;
    }
}

#endif
