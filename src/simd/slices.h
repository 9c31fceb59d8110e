/*
 * Counting exponent sums by bit slices, for vectors of any width.
 *
 * The file that includes this has defined INLINE, UNROLL, `vec` (a vector type of the compiler),
 * LOW_BITS, SLICED_WORDS and
 *
 *     count(acc, x): acc with the population of x added, lane by lane,
 *     totals(acc, n, out): the sums of lanes of n counters, after up to SLICE_VECTORS counts; there is
 *         room for 2^LOW_BITS,
 *     slice_words(codes, count, bits, planes, words): 1 or SLICED_WORDS words of each plane, each from 64
 *         codes, and
 *     settle(odd, bits, first, values, counts, all): what tally() says, from odd[S] = P[S] as below;
 *         slices_settle.h has it for all but wide vectors.
 *
 * Fields are added plane by plane, as an adder adds bits. Let v be what m planes hold for an
 * element, d whether its signs differ, and N[v] the sum of (-1)^d over elements with that v: this
 * is what the scalar definition counts. Here P[S] is counted for each set S of planes: elements
 * with an odd number of ones among d and the bits of v in S. It is the sum of (1 - (-1)^(S . v +
 * d)) / 2, so that for v other than 0 an inverse Walsh-Hadamard transform gives
 *
 *     N[v] = -2^(1 - m) sum over S of (-1)^(S . v) P[S]
 *
 * without a rest. From a set to its neighbour in a Gray code is one XOR: an XOR, a population and
 * an addition for each value, where masks of values would need two of each, for plus and for minus.
 */
#ifndef QNT__SIMD_SLICES_H
#define QNT__SIMD_SLICES_H

#include <string.h>

#include "slots.h"

enum {
    SLICE_VECTORS = 16,
    VEC_WORDS = (int)sizeof(vec) / 8,
    SLICE_WORDS = SLICE_VECTORS * VEC_WORDS,
    LOW_SETS = 1 << LOW_BITS, /* counted at a time, in registers */
    FIELD_PLANES = 7, /* most of them */
    SUM_PLANES = FIELD_PLANES + 1
};

/* Vectors of which each piece consists. Elements of which one field is 0 have only zeros in them. */
enum {
    SIGNS, /* where they differ */
    SUM,
    FIELD_A = SUM + SUM_PLANES,
    FIELD_B = FIELD_A + FIELD_PLANES,
    STEP = FIELD_B + FIELD_PLANES
};

/* The plane by which set i of a Gray code, i > 0, differs from the one before. */
#define GRAY_PLANE(i) __builtin_ctz((unsigned)(i))

/* odd[S] for all sets S of `low` planes: ones of x after an XOR with the planes in S. With `next`, x has
 * that plane added in the end. */
INLINE void count_low_sets(const vec *planes, int low, vec *x, const vec *next, size_t vectors,
                           int32_t *odd)
{
    vec acc[LOW_SETS], zero = *x ^ *x;
    UNROLL for (int s = 0; s < LOW_SETS; s++) acc[s] = zero;
    for (size_t i = 0; i < vectors * STEP; i += STEP) {
        vec parity = x[i];
        if (next) x[i] = parity ^ next[i];
        acc[0] = count(acc[0], parity);
        UNROLL for (int s = 1; s < LOW_SETS; s++)
        {
            if (s >= 1 << low) continue;
            parity ^= planes[i + (size_t)GRAY_PLANE(s)];
            acc[s ^ s >> 1] = count(acc[s ^ s >> 1], parity);
        }
    }
    totals(acc, 1 << low, odd);
}

/* The same for more planes, in the order of a Gray code of the others; x ends as it begins. */
INLINE void count_sets(const vec *planes, int bits, vec *x, size_t vectors, int32_t *odd)
{
    const int sets = 1 << (bits - LOW_BITS);
    int h = 0;
    do {
        const int flip = h + 1 < sets ? LOW_BITS + GRAY_PLANE(h + 1) : bits - 1;
        count_low_sets(planes, LOW_BITS, x, planes + flip, vectors,
                       odd + ((h ^ h >> 1) << LOW_BITS));
    } while (++h < sets);
}

/* counts[v - first] += N[v] for `values` values from `first` > 0 of `bits` planes from s[plane]; the sum of
 * these N is added to *all, if any. */
static void tally(vec *s, int plane, int bits, size_t vectors, int first, int values,
                  int32_t *counts, int32_t *all)
{
    _Alignas(64) int32_t odd[1 << SUM_PLANES];
    const vec *planes = s + plane;
    vec *signs = s + SIGNS;
    if (bits == 2)
        count_low_sets(planes, 2, signs, NULL, vectors, odd);
    else if (bits == 3)
        count_low_sets(planes, 3, signs, NULL, vectors, odd);
    else if (bits == LOW_BITS)
        count_low_sets(planes, LOW_BITS, signs, NULL, vectors, odd);
    else
        count_sets(planes, bits, signs, vectors, odd);
    settle(odd, bits, first, values, counts, all);
}

INLINE vec load_plane(const uint64_t *words)
{
    vec v;
    memcpy(&v, words, sizeof v);
    return v;
}

/* One vector: both operands without elements of which one field is 0, and their sums, plane by plane. */
INLINE void fill_piece(const uint64_t *a, const uint64_t *b, size_t stride, int bits, vec *s)
{
    vec x[FIELD_PLANES] = {{0}}, y[FIELD_PLANES] = {{0}}, some_x = {0}, some_y = {0}, carry = {0};
    UNROLL for (int p = 0; p < FIELD_PLANES; p++)
    {
        if (p >= bits) continue;
        x[p] = load_plane(a + (size_t)p * stride);
        y[p] = load_plane(b + (size_t)p * stride);
        some_x |= x[p];
        some_y |= y[p];
    }
    const vec both = some_x & some_y;
    UNROLL for (int p = 0; p < FIELD_PLANES; p++)
    {
        if (p >= bits) continue;
        const vec half = (x[p] ^ y[p]) & both;
        s[FIELD_A + p] = x[p] & both;
        s[FIELD_B + p] = y[p] & both;
        s[SUM + p] = half ^ carry;
        carry = (x[p] & y[p] & both) | (half & carry);
    }
    s[SUM + bits] = carry;
    s[SIGNS] =
        both & (load_plane(a + (size_t)bits * stride) ^ load_plane(b + (size_t)bits * stride));
}

/* `words` <= SLICE_WORDS words of each plane; what is missing of the last vector becomes 0. */
INLINE void fill_pieces(const uint64_t *a, const uint64_t *b, size_t stride, size_t words, int bits,
                        vec *s)
{
    for (; words >= VEC_WORDS; words -= VEC_WORDS, a += VEC_WORDS, b += VEC_WORDS, s += STEP) {
        fill_piece(a, b, stride, bits, s);
    }
    if (words == 0) return;
    uint64_t last[2][SUM_PLANES * VEC_WORDS] = {0};
    for (int p = 0; p <= bits; p++) {
        memcpy(last[0] + p * VEC_WORDS, a + (size_t)p * stride, words * sizeof *a);
        memcpy(last[1] + p * VEC_WORDS, b + (size_t)p * stride, words * sizeof *b);
    }
    fill_piece(last[0], last[1], VEC_WORDS, bits, s);
}

/* What is missing of the last 64 codes is 0. */
static void slice_all(const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words)
{
    size_t w = 0;
    for (; 64 * (w + SLICED_WORDS) <= n; w += SLICED_WORDS, codes += 64 * SLICED_WORDS) {
        slice_words(codes, SLICED_WORDS, bits, planes + w, words);
    }
    for (; w < words; w++, codes += 64) {
        uint8_t last[64] = {0};
        if (n > 64 * w) memcpy(last, codes, n - 64 * w < 64 ? n - 64 * w : 64);
        slice_words(last, 1, bits, planes + w, words);
    }
}

static void count_slices(const struct qnt__count_exp *c)
{
    vec s[SLICE_VECTORS * STEP];
    const int bits = c->bits, levels = (1 << bits) - 1;
    int32_t *of_a = c->counts + 2 * levels - 1, *of_b = of_a + levels, *all = of_b + levels;
    for (size_t at = 0; at < c->words; at += SLICE_WORDS) {
        const size_t words = c->words - at < SLICE_WORDS ? c->words - at : SLICE_WORDS;
        const size_t vectors = (words + VEC_WORDS - 1) / VEC_WORDS;
        const uint64_t *a = c->a + at, *b = c->b + at;
        fill_pieces(a, b, c->words, words, bits, s);
        tally(s, SUM, bits + 1, vectors, 2, 2 * levels - 1, c->counts, NULL);
        if (c->parts & QNT__COUNT_OF_B) tally(s, FIELD_B, bits, vectors, 1, levels, of_b, NULL);
        if (c->parts & QNT__COUNT_OF_A) tally(s, FIELD_A, bits, vectors, 1, levels, of_a, all);
    }
}

#endif
