/*
 * Counting exponent sums by bit slices, for vectors of any width.
 *
 * The file that includes this has defined INLINE, UNROLL, `vec` (a vector type of the compiler),
 * LOW_BITS and
 *
 *     count(acc, x): acc with the population of x added, lane by lane,
 *     totals(acc, n, out): the sums of lanes of n counters, after up to SLICE_VECTORS counts, and
 *     slice_word(codes, bits, planes, words): one word of each plane from 64 codes.
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
    MOST_SETS = 256
};

typedef vec row[SLICE_VECTORS];

/* The plane by which set i of a Gray code, i > 0, differs from the one before. */
#define GRAY_PLANE(i) __builtin_ctz((unsigned)(i))

/* odd[S] for all sets S of `low` planes: ones of x after an XOR with the planes in S. */
INLINE void count_low_sets(row *planes, int low, const vec *x, size_t vectors, int32_t *odd)
{
    vec acc[LOW_SETS], zero = x[0] ^ x[0];
    UNROLL for (int s = 0; s < LOW_SETS; s++) acc[s] = zero;
    for (size_t i = 0; i < vectors; i++) {
        vec parity = x[i];
        acc[0] = count(acc[0], parity);
        UNROLL for (int s = 1; s < LOW_SETS; s++)
        {
            if (s >= 1 << low) continue;
            parity ^= planes[GRAY_PLANE(s)][i];
            acc[s ^ s >> 1] = count(acc[s ^ s >> 1], parity);
        }
    }
    totals(acc, 1 << low, odd);
}

/* The same for any number of planes; x ends as it begins. */
INLINE void count_sets(row *planes, int bits, int low, vec *x, size_t vectors, int32_t *odd)
{
    const int sets = 1 << (bits - low);
    for (int h = 0; h < sets; h++) {
        count_low_sets(planes, low, x, vectors, odd + ((h ^ h >> 1) << low));
        if (sets == 1) break;
        const vec *plane = h + 1 < sets ? planes[low + GRAY_PLANE(h + 1)] : planes[bits - 1];
        for (size_t i = 0; i < vectors; i++) x[i] ^= plane[i];
    }
}

/* Sums and differences of numbers whose places differ in one bit. */
INLINE void transform_bit(int32_t *x, int count, int half)
{
    for (int i = 0; i < count; i += 2 * half) {
        for (int j = i; j < i + half; j++) {
            int32_t first = x[j], second = x[j + half];
            x[j] = first + second;
            x[j + half] = first - second;
        }
    }
}

/* Walsh-Hadamard, in place; steps of a known size become vectors. */
static void transform(int32_t *x, int bits)
{
    const int count = 1 << bits;
    transform_bit(x, count, 1);
    transform_bit(x, count, 2);
    if (bits > 2) transform_bit(x, count, 4);
    if (bits > 3) transform_bit(x, count, 8);
    if (bits > 4) transform_bit(x, count, 16);
    if (bits > 5) transform_bit(x, count, 32);
    if (bits > 6) transform_bit(x, count, 64);
    if (bits > 7) transform_bit(x, count, 128);
}

/* counts[v - first] += N[v] for `values` values from `first` > 0, and returns the sum of these N.
 * `signs` is the plane of different signs, and unchanged in the end. */
static int32_t tally(row *planes, int bits, vec *signs, size_t vectors, int first, int values,
                     int32_t *counts)
{
    int32_t odd[MOST_SETS], sum = 0;
    if (bits == 2)
        count_sets(planes, 2, 2, signs, vectors, odd);
    else if (bits == 3)
        count_sets(planes, 3, 3, signs, vectors, odd);
    else
        count_sets(planes, bits, LOW_BITS, signs, vectors, odd);
    transform(odd, bits);
    for (int v = 0; v < values; v++) {
        int32_t found = odd[first + v] >> (bits - 1); /* there is no rest */
        counts[v] -= found;
        sum -= found;
    }
    return sum;
}

/* `words` <= SLICE_WORDS words of each plane; what is missing of the last vector becomes 0. */
static void load_planes(const uint64_t *from, size_t stride, size_t words, int planes, row *to)
{
    const size_t whole = words / VEC_WORDS, rest = words % VEC_WORDS;
    for (int p = 0; p < planes; p++, from += stride) {
        for (size_t i = 0; i < whole; i++) memcpy(&to[p][i], from + i * VEC_WORDS, sizeof(vec));
        if (!rest) continue;
        uint64_t last[VEC_WORDS] = {0};
        for (size_t i = 0; i < rest; i++) last[i] = from[whole * VEC_WORDS + i];
        memcpy(&to[p][whole], last, sizeof last);
    }
}

/* sum[bits + 1] = a[bits] + b[bits] for each element. */
static void add_planes(row *a, row *b, int bits, size_t vectors, row *sum)
{
    for (size_t i = 0; i < vectors; i++) {
        vec carry = a[0][i] & b[0][i];
        sum[0][i] = a[0][i] ^ b[0][i];
        for (int p = 1; p < bits; p++) {
            vec half = a[p][i] ^ b[p][i];
            sum[p][i] = half ^ carry;
            carry = (a[p][i] & b[p][i]) | (half & carry);
        }
        sum[bits][i] = carry;
    }
}

/* Clears elements of which one field is 0 in all planes; signs: where they differ in the others. */
static void clear_zeros(row *a, row *b, int bits, size_t vectors, vec *signs)
{
    for (size_t i = 0; i < vectors; i++) {
        vec some_a = a[0][i], some_b = b[0][i];
        for (int p = 1; p < bits; p++) some_a |= a[p][i], some_b |= b[p][i];
        vec both = some_a & some_b;
        for (int p = 0; p < bits; p++) a[p][i] &= both, b[p][i] &= both;
        signs[i] = both & (a[bits][i] ^ b[bits][i]);
    }
}

/* What is missing of the last 64 codes is 0. */
static void slice_all(const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words)
{
    for (size_t w = 0; w < words; w++) {
        uint8_t last[64] = {0};
        size_t left = 64 * w < n ? n - 64 * w : 0;
        if (left < 64 && left > 0) memcpy(last, codes + 64 * w, left);
        slice_word(left < 64 ? last : codes + 64 * w, bits, planes + w, words);
    }
}

static void count_slices(const struct qnt__count_exp *c)
{
    enum { PLANES = 8 };
    row a[PLANES], b[PLANES], sum[PLANES], signs;
    int bits = c->bits, levels = (1 << bits) - 1;
    int32_t *of_a = c->counts + 2 * levels - 1, *of_b = of_a + levels, *all = of_b + levels;
    for (size_t at = 0; at < c->words; at += SLICE_WORDS) {
        size_t words = c->words - at < SLICE_WORDS ? c->words - at : SLICE_WORDS;
        size_t vectors = (words + VEC_WORDS - 1) / VEC_WORDS;
        load_planes(c->a + at, c->words, words, bits + 1, a);
        load_planes(c->b + at, c->words, words, bits + 1, b);
        clear_zeros(a, b, bits, vectors, signs);
        add_planes(a, b, bits, vectors, sum);
        tally(sum, bits + 1, signs, vectors, 2, 2 * levels - 1, c->counts);
        if (c->parts & QNT__COUNT_OF_B) tally(b, bits, signs, vectors, 1, levels, of_b);
        if (c->parts & QNT__COUNT_OF_A) *all += tally(a, bits, signs, vectors, 1, levels, of_a);
    }
}

#endif
