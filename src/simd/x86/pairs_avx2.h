/*
 * Exact integer products of unsigned bytes and 8-bit weights with VPMADDUBSW, which adds the products of
 * two neighbours and saturates. 255 (w0 + w1) stays within 16 bits as long as |w0 + w1| <= 128, and weights
 * of different signs never leave it. So pairs that exceed the limit get different signs: as
 *     x w = 255 w + (255 - x) (-w)
 * and 255 - x is the complement of x, one of the two weights is negated, its activation flipped by VPXOR,
 * and 255 w added once to all rows. Cells without such pairs, all of those of weights of at most 7 bits and
 * most of those with a normal distribution, are multiplied as they are. In both cases x is read as it is.
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

/* The same for x ^ flip0 and x ^ flip1. */
#define FLIP_ADD(sum0, sum1, quad, flip0, flip1, w0, w1, ones)                                     \
    do {                                                                                           \
        __m256i x_, product_;                                                                      \
        __asm__("vpbroadcastd %4, %2\n\tvpxor %8, %2, %3\n\tvpmaddubsw %5, %3, %3\n\t"             \
                "vpmaddwd %7, %3, %3\n\tvpaddd %3, %0, %0\n\tvpxor %9, %2, %2\n\t"                 \
                "vpmaddubsw %6, %2, %2\n\tvpmaddwd %7, %2, %2\n\tvpaddd %2, %1, %1"                \
                : "+&x"(sum0), "+&x"(sum1), "=&x"(x_), "=&x"(product_)                             \
                : "m"(quad), "x"(w0), "m"(w1), "x"(ones), "m"(flip0), "m"(flip1));                 \
    } while (0)

/* A cell with pairs beyond the limit, mended. */
struct mended {
    __m256i w[2], flip[2];
};

/* The cells of one panel and chunk. */
struct pairs {
    size_t safe_count, mended_count;
    uint8_t safe[QUADS];       /* numbers of the cells that are multiplied as they are */
    uint8_t place[2 * QUADS];  /* numbers of the others: a cell may come in two parts */
    struct mended mended[2 * QUADS];
    __m256i base[2]; /* 255 w of the negated weights: what all sums begin with */
};

INLINE __m256i pair_sums(__m256i w)
{
    return _mm256_maddubs_epi16(_mm256_set1_epi8(1), w);
}

/* Tells safe cells from others, whose numbers go to `place`. */
INLINE void find_pairs(const uint8_t *cell, size_t cells, struct pairs *p)
{
    const __m256i limit = _mm256_set1_epi16(128), beyond = _mm256_set1_epi16((short)0xff00);
    p->safe_count = p->mended_count = 0;
    for (size_t q = 0; q < cells; q++, cell += 64) {
        const __m256i_u *w = (const void *)cell;
        __m256i sum0 = _mm256_add_epi16(pair_sums(w[0]), limit);
        __m256i sum1 = _mm256_add_epi16(pair_sums(w[1]), limit);
        int fits = _mm256_testz_si256(_mm256_or_si256(sum0, sum1), beyond); /* from -128 to 127 */
        p->safe[p->safe_count] = p->place[p->mended_count] = (uint8_t)q;
        p->safe_count += (size_t)fits;
        p->mended_count += (size_t)!fits;
    }
}

/* The bytes to be flipped, of each pair beyond the limit the one that is not -128. */
INLINE __m256i find_flips(__m256i w)
{
    __m256i over = _mm256_cmpgt_epi16(_mm256_abs_epi16(pair_sums(w)), _mm256_set1_epi16(128));
    __m256i least = _mm256_srai_epi16(_mm256_cmpeq_epi8(w, _mm256_set1_epi8(-128)), 8);
    return _mm256_and_si256(over, _mm256_xor_si256(least, _mm256_set1_epi16((short)0xff00)));
}

/* Mends half a cell; returns its share of the base. */
INLINE __m256i mend_half(__m256i w, struct mended *to, int half)
{
    __m256i flip = find_flips(w), negated = _mm256_and_si256(w, flip);
    to->w[half] = _mm256_sub_epi8(_mm256_xor_si256(w, flip), flip);
    to->flip[half] = flip;
    __m256i most = _mm256_maddubs_epi16(_mm256_set1_epi8(-1), negated);
    return _mm256_madd_epi16(most, _mm256_set1_epi16(1));
}

/* Mends the cells that are not safe. Of two -128 neither can be negated: the second one goes to a part of
 * its own. */
INLINE void mend_pairs(const uint8_t *cell, struct pairs *p)
{
    const __m256i twice = _mm256_set1_epi16((short)0x8080), zero = _mm256_setzero_si256();
    size_t count = p->mended_count;
    p->base[0] = p->base[1] = zero;
    for (size_t e = 0; e < count; e++) {
        const __m256i_u *from = (const void *)(cell + 64 * (size_t)p->place[e]);
        __m256i w0 = from[0], w1 = from[1];
        __m256i both0 = _mm256_cmpeq_epi16(w0, twice), both1 = _mm256_cmpeq_epi16(w1, twice);
        __m256i both = _mm256_or_si256(both0, both1);
        if (__builtin_expect(!_mm256_testz_si256(both, both), 0)) {
            struct mended *rest = &p->mended[p->mended_count];
            p->place[p->mended_count++] = p->place[e];
            rest->w[0] = _mm256_slli_epi16(_mm256_and_si256(w0, both0), 8);
            rest->w[1] = _mm256_slli_epi16(_mm256_and_si256(w1, both1), 8);
            rest->flip[0] = rest->flip[1] = zero;
            w0 = _mm256_sub_epi8(w0, rest->w[0]);
            w1 = _mm256_sub_epi8(w1, rest->w[1]);
        }
        p->base[0] = _mm256_add_epi32(p->base[0], mend_half(w0, &p->mended[e], 0));
        p->base[1] = _mm256_add_epi32(p->base[1], mend_half(w1, &p->mended[e], 1));
    }
}

INLINE const int32_t *quad_of(const uint8_t *x, size_t quad)
{
    return (const void *)(x + 4 * quad);
}

/* acc += rows x 16 sums; the numbers of the rows of acc are in `row`. */
INLINE void pairs_tile(const struct pairs *p, const uint8_t *const *x, const uint8_t *row, int rows,
                       const uint8_t *cell, int32_t *acc, size_t ld)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum[MAX_ROWS][2];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) sum[i][h] = p->base[h];
    }
    for (size_t q = 0; q < p->safe_count; q++) {
        const size_t at = p->safe[q];
        const __m256i_u *w = (const void *)(cell + 64 * at);
        __m256i w0 = w[0];
        UNROLL for (int i = 0; i < rows; i++) {
            PAIR_ADD(sum[i][0], sum[i][1], *quad_of(x[i], at), w0, w[1], ones);
        }
    }
    const struct mended *m = p->mended;
    for (size_t q = 0; q < p->mended_count; q++, m++) {
        const size_t at = p->place[q];
        __m256i w0 = m->w[0];
        UNROLL for (int i = 0; i < rows; i++) {
            FLIP_ADD(sum[i][0], sum[i][1], *quad_of(x[i], at), m->flip[0], m->flip[1], w0, m->w[1], ones);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            __m256i_u *to = (void *)(acc + row[i] * ld + 8 * h);
            *to = _mm256_add_epi32(*to, sum[i][h]);
        }
    }
}

/* All rows of a chunk, in pieces as even as possible. */
static inline void pairs_rows(const struct pairs *p, const uint8_t *const *x, const uint8_t *row, size_t m,
                              const uint8_t *cell, int32_t *acc, size_t ld)
{
    while (m > 0) {
        size_t rows = m <= MAX_ROWS ? m : m < 12 ? (m + 1) / 2 : MAX_ROWS;
        switch (rows) {
        case 1: pairs_tile(p, x, row, 1, cell, acc, ld); break;
        case 2: pairs_tile(p, x, row, 2, cell, acc, ld); break;
        case 3: pairs_tile(p, x, row, 3, cell, acc, ld); break;
        case 4: pairs_tile(p, x, row, 4, cell, acc, ld); break;
        case 5: pairs_tile(p, x, row, 5, cell, acc, ld); break;
        default: pairs_tile(p, x, row, 6, cell, acc, ld); break;
        }
        x += rows, row += rows, m -= rows;
    }
}

#endif
