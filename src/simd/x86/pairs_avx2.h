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

enum {
    CELLS = 144, /* of a panel that are prepared together: each tile adds its sums up in memory once */
    MENDED = 160 /* parts of cells: all of CELLS, and some that come in two parts */
};

/* A cell with pairs beyond the limit, mended. */
struct mended {
    __m256i w[2], flip[2];
};

/* A cell that is multiplied as it is, and where its quads are in each row. */
struct safe {
    const __m256i_u *w;
    ptrdiff_t at;
};

/* The cells of one panel and chunk. */
struct pairs {
    size_t safe_count, mended_count;
    struct safe safe[CELLS];
    ptrdiff_t mended_at[MENDED];
    struct mended mended[MENDED];
    __m256i base[2]; /* 255 w of the negated weights: what all sums begin with */
};

INLINE __m256i pair_sums(__m256i w)
{
    return _mm256_maddubs_epi16(_mm256_set1_epi8(1), w);
}

/* Does no pair exceed the limit? */
INLINE int is_safe(const __m256i_u *w)
{
    const __m256i limit = _mm256_set1_epi16(128), beyond = _mm256_set1_epi16((short)0xff00);
    __m256i sum0 = _mm256_add_epi16(pair_sums(w[0]), limit);
    __m256i sum1 = _mm256_add_epi16(pair_sums(w[1]), limit);
    return _mm256_testz_si256(_mm256_or_si256(sum0, sum1), beyond); /* from -128 to 127 */
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

/* Mends a cell. Of two -128 neither can be negated: the second one goes to a part of its own. */
INLINE void mend_cell(const __m256i_u *w, ptrdiff_t at, struct pairs *p)
{
    const __m256i twice = _mm256_set1_epi16((short)0x8080), zero = _mm256_setzero_si256();
    struct mended *to = &p->mended[p->mended_count];
    __m256i w0 = w[0], w1 = w[1];
    __m256i both0 = _mm256_cmpeq_epi16(w0, twice), both1 = _mm256_cmpeq_epi16(w1, twice);
    __m256i both = _mm256_or_si256(both0, both1);
    p->mended_at[p->mended_count++] = at;
    if (__builtin_expect(!_mm256_testz_si256(both, both), 0)) {
        struct mended *rest = &p->mended[p->mended_count];
        p->mended_at[p->mended_count++] = at;
        rest->w[0] = _mm256_slli_epi16(_mm256_and_si256(w0, both0), 8);
        rest->w[1] = _mm256_slli_epi16(_mm256_and_si256(w1, both1), 8);
        rest->flip[0] = rest->flip[1] = zero;
        w0 = _mm256_sub_epi8(w0, rest->w[0]);
        w1 = _mm256_sub_epi8(w1, rest->w[1]);
    }
    p->base[0] = _mm256_add_epi32(p->base[0], mend_half(w0, to, 0));
    p->base[1] = _mm256_add_epi32(p->base[1], mend_half(w1, to, 1));
}

/* Prepares cells from number q on; returns the one behind the last, which comes before `end` if there is no
 * room for the mended ones. The quads of cell q are at[q]. */
static inline size_t prepare_pairs(const uint8_t *cell, size_t q, size_t end, const ptrdiff_t *at,
                                   struct pairs *p)
{
    p->safe_count = p->mended_count = 0;
    p->base[0] = p->base[1] = _mm256_setzero_si256();
    for (; q < end && p->mended_count + 2 <= MENDED; q++) {
        const __m256i_u *w = (const void *)(cell + 64 * q);
        if (is_safe(w)) p->safe[p->safe_count++] = (struct safe){w, at[q]};
        else mend_cell(w, at[q], p);
    }
    return q;
}

/* The rows of a chunk, and where its quads are in each of them. In the padding of an image with a zero
 * point rows are alike: they are multiplied once. */
struct pair_rows {
    const uint8_t *x[QNT__GEMM_ROWS]; /* m different ones, then one of those that are alike */
    uint8_t row[QNT__GEMM_ROWS];      /* their numbers in acc */
    uint8_t alike[QNT__GEMM_ROWS];    /* numbers in acc */
    size_t m, alike_count;
    ptrdiff_t at[CELLS];
};

INLINE const int32_t *quad_of(const uint8_t *x, ptrdiff_t at)
{
    return (const void *)(x + at);
}

/* acc += rows x 16 sums, of `rows` rows from the first one on. */
INLINE void pairs_tile(const struct pairs *p, const struct pair_rows *r, size_t first, int rows,
                       int32_t *acc, size_t ld)
{
    const struct safe *safe = p->safe, *end = safe + p->safe_count;
    const __m256i ones = _mm256_set1_epi16(1);
    const uint8_t *x[MAX_ROWS];
    __m256i sum[MAX_ROWS][2];
    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = r->x[first + (size_t)i];
        UNROLL for (int h = 0; h < 2; h++) sum[i][h] = p->base[h];
    }
    for (; safe != end; safe++) {
        const __m256i_u *w = safe->w;
        const ptrdiff_t at = safe->at;
        __m256i w0 = w[0];
        UNROLL for (int i = 0; i < rows; i++) {
            PAIR_ADD(sum[i][0], sum[i][1], *quad_of(x[i], at), w0, w[1], ones);
        }
    }
    const struct mended *m = p->mended;
    for (size_t n = 0; n < p->mended_count; n++, m++) {
        const ptrdiff_t at = p->mended_at[n];
        __m256i w0 = m->w[0];
        UNROLL for (int i = 0; i < rows; i++) {
            FLIP_ADD(sum[i][0], sum[i][1], *quad_of(x[i], at), m->flip[0], m->flip[1], w0, m->w[1], ones);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int h = 0; h < 2; h++) {
            __m256i_u *to = (void *)(acc + r->row[first + (size_t)i] * ld + 8 * h);
            *to = _mm256_add_epi32(*to, sum[i][h]);
        }
    }
}

/* sums += those of each row of the rows that are alike. */
static inline void pairs_alike(const struct pairs *p, const struct pair_rows *r, int32_t sums[16])
{
    pairs_tile(p, r, r->m, 1, sums, QNT__PANEL);
}

/* Adds the sums to all rows that are alike. */
static inline void add_alike(const struct pair_rows *r, const int32_t sums[16], int32_t *acc, size_t ld)
{
    const __m256i_u *from = (const void *)sums;
    for (size_t i = 0; i < r->alike_count; i++) {
        __m256i_u *to = (void *)(acc + r->alike[i] * ld);
        to[0] = _mm256_add_epi32(to[0], from[0]);
        to[1] = _mm256_add_epi32(to[1], from[1]);
    }
}

/* All rows of a chunk, in pieces as even as possible. */
static inline void pairs_rows(const struct pairs *p, const struct pair_rows *r,
                              const struct qnt__results *results, int32_t *acc, size_t ld)
{
    for (size_t i = 0; i < r->m;) {
        size_t left = r->m - i, rows = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : MAX_ROWS;
        qnt__ask_now(results, r->row[i], rows, 0, 1);
        switch (rows) {
        case 1: pairs_tile(p, r, i, 1, acc, ld); break;
        case 2: pairs_tile(p, r, i, 2, acc, ld); break;
        case 3: pairs_tile(p, r, i, 3, acc, ld); break;
        case 4: pairs_tile(p, r, i, 4, acc, ld); break;
        case 5: pairs_tile(p, r, i, 5, acc, ld); break;
        default: pairs_tile(p, r, i, 6, acc, ld); break;
        }
        i += rows;
    }
}

#endif
