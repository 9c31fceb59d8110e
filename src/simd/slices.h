/*
 * Counting exponent sums by bit slices, for vectors of any width.
 *
 * The file that includes this has defined INLINE, UNROLL, `vec` (a vector type of the compiler) and
 *
 *     pick(m, high, low, v): m where the planes high and low hold the value v, 0..3
 *     count(acc, plus, minus): acc + population of plus - that of minus, lane by lane, and
 *     total(acc): the sum of the lanes, after at most SLICE_VECTORS counts from 0
 *     slice_word(codes, bits, planes, words): one word of each plane from 64 codes.
 *
 * Fields are added plane by plane, as an adder adds bits. Then each value of a group of planes has a mask,
 * whose population is what the scalar definition counts one by one: work grows with the number of values,
 * not with that of pairs.
 */
#ifndef QNT__SIMD_SLICES_H
#define QNT__SIMD_SLICES_H

#include <string.h>

#include "slots.h"

enum {
    SLICE_VECTORS = 8,
    SLICE_WORDS = SLICE_VECTORS * (int)sizeof(vec) / 8,
    LOW_BITS = 4, /* planes whose values are counted at a time, in registers */
    LOW_VALUES = 1 << LOW_BITS
};

typedef vec row[SLICE_VECTORS];

/* All values of `low` = 2, 3 or 4 planes; values from first to end - 1 are added to counts[v - first]. */
INLINE void count_group(row *planes, int low, const vec *plus, const vec *minus, int first, int end,
                        int32_t *counts)
{
    const int quads = 1 << (low - 2);
    vec acc[LOW_VALUES], zero = plus[0] ^ plus[0];
    UNROLL for (int v = 0; v < 4 * quads; v++) acc[v] = zero;
    for (int i = 0; i < SLICE_VECTORS; i++) {
        vec one = planes[0][i], two = planes[1][i];
        vec four = low > 2 ? planes[2][i] : zero, eight = low > 3 ? planes[3][i] : zero;
        UNROLL for (int q = 0; q < quads; q++) {
            vec more = low > 2 ? pick(plus[i], eight, four, q) : plus[i];
            vec less = low > 2 ? pick(minus[i], eight, four, q) : minus[i];
            UNROLL for (int v = 0; v < 4; v++) {
                acc[4 * q + v] = count(acc[4 * q + v], pick(more, two, one, v), pick(less, two, one, v));
            }
        }
    }
    UNROLL for (int v = 0; v < 4 * quads; v++) {
        if (v >= first && v < end) counts[v - first] += total(acc[v]);
    }
}

/* What is left of plus and minus where the planes from the fifth hold g. */
static void restrict_signs(row *planes, int bits, int g, const vec *plus, const vec *minus, vec *some)
{
    for (int i = 0; i < SLICE_VECTORS; i++) {
        vec more = plus[i], less = minus[i];
        for (int p = 0; p < bits; p++) {
            vec mask = g >> p & 1 ? planes[p][i] : ~planes[p][i];
            more &= mask;
            less &= mask;
        }
        some[i] = more;
        some[SLICE_VECTORS + i] = less;
    }
}

/* counts[v - 1 - skip] += elements of plus less those of minus where the planes hold v > skip. */
static void tally(row *planes, int bits, const vec *plus, const vec *minus, int skip, int values,
                  int32_t *counts)
{
    int first = skip + 1, end = first + values;
    if (bits == 2) count_group(planes, 2, plus, minus, first, end, counts);
    if (bits == 3) count_group(planes, 3, plus, minus, first, end, counts);
    if (bits == 4) count_group(planes, 4, plus, minus, first, end, counts);
    for (int g = 0; bits > LOW_BITS && g < 1 << (bits - LOW_BITS); g++) {
        vec some[2 * SLICE_VECTORS];
        int32_t found[LOW_VALUES] = {0};
        restrict_signs(planes + LOW_BITS, bits - LOW_BITS, g, plus, minus, some);
        count_group(planes, LOW_BITS, some, some + SLICE_VECTORS, 0, LOW_VALUES, found);
        for (int v = 0; v < LOW_VALUES; v++) {
            int value = g * LOW_VALUES + v;
            if (value >= first && value < end) counts[value - first] += found[v];
        }
    }
}

/* `words` <= SLICE_WORDS words of each plane; what is missing becomes 0. */
static void load_planes(const uint64_t *from, size_t stride, size_t words, int planes, row *to)
{
    for (int p = 0; p < planes; p++) {
        if (words < SLICE_WORDS) memset(to[p], 0, sizeof *to);
        memcpy(to[p], from + (size_t)p * stride, words * sizeof *from);
    }
}

/* sum[bits + 1] = a[bits] + b[bits] for each element. */
static void add_planes(row *a, row *b, int bits, row *sum)
{
    for (int i = 0; i < SLICE_VECTORS; i++) {
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

/* Where both fields are above 0: plus with equal, minus with different signs. */
static void find_signs(row *a, row *b, int bits, vec *plus, vec *minus)
{
    for (int i = 0; i < SLICE_VECTORS; i++) {
        vec some_a = a[0][i], some_b = b[0][i];
        for (int p = 1; p < bits; p++) some_a |= a[p][i], some_b |= b[p][i];
        vec both = some_a & some_b, differ = a[bits][i] ^ b[bits][i];
        plus[i] = both & ~differ;
        minus[i] = both & differ;
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
    row a[PLANES], b[PLANES], sum[PLANES], plus, minus;
    int bits = c->bits, levels = (1 << bits) - 1;
    int32_t *of_a = c->counts + 2 * levels - 1, *of_b = of_a + levels, *all = of_b + levels;
    for (size_t at = 0; at < c->words; at += SLICE_WORDS) {
        size_t words = c->words - at < SLICE_WORDS ? c->words - at : SLICE_WORDS;
        load_planes(c->a + at, c->words, words, bits + 1, a);
        load_planes(c->b + at, c->words, words, bits + 1, b);
        add_planes(a, b, bits, sum);
        find_signs(a, b, bits, plus, minus);
        tally(sum, bits + 1, plus, minus, 1, 2 * levels - 1, c->counts);
        tally(a, bits, plus, minus, 0, levels, of_a);
        tally(b, bits, plus, minus, 0, levels, of_b);
        vec acc = plus[0] ^ plus[0];
        for (int i = 0; i < SLICE_VECTORS; i++) acc = count(acc, plus[i], minus[i]);
        *all += total(acc);
    }
}

#endif
