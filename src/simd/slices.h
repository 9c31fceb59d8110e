/*
 * Counting exponent sums by bit slices, for vectors of any width.
 *
 * The file that includes this has defined `vec`, a vector type of the compiler, VECTORS, and
 *
 *     count_signed(high, plus, minus): population of high & plus less that of high & minus, over
 *                                      VECTORS vectors each.
 *
 * Fields are added plane by plane, as an adder adds bits. Then each value of a group of planes has a
 * mask, a product of one mask for its low bits and one for its high ones, and the population of the mask
 * is what the scalar definition counts one by one: work per block grows with the number of values, not
 * with that of pairs.
 */
#ifndef QNT__SIMD_SLICES_H
#define QNT__SIMD_SLICES_H

#include <string.h>

#include "slots.h"

enum { SLICE_WORDS = VECTORS * (int)sizeof(vec) / 8, LOW_BITS = 4, MASKS = 1 << LOW_BITS };

typedef vec row[VECTORS];

/* masks[v] = from where the planes hold the value v, for all v of `bits` <= LOW_BITS planes. */
static void expand(row *planes, int bits, const vec *from, row *masks)
{
    memcpy(masks[0], from, sizeof *masks);
    for (int p = 0; p < bits; p++) {
        int half = 1 << p;
        for (int v = 0; v < half; v++) {
            for (int i = 0; i < VECTORS; i++) {
                vec held = masks[v][i];
                masks[half + v][i] = held & planes[p][i];
                masks[v][i] = held & ~planes[p][i];
            }
        }
    }
}

/* counts[v - first] += elements of plus less those of minus where the planes hold v. */
static void tally(row *planes, int bits, int first, int count, const vec *plus,
                  const vec *minus, int32_t *counts)
{
    row low_plus[MASKS], low_minus[MASKS], high[MASKS], ones;
    int low = bits < LOW_BITS ? bits : LOW_BITS;
    memset(ones, 0xff, sizeof ones);
    expand(planes, low, plus, low_plus);
    expand(planes, low, minus, low_minus);
    expand(planes + low, bits - low, ones, high);
    for (int v = first; v < first + count; v++) {
        int at = v & ((1 << low) - 1);
        counts[v - first] += count_signed(high[v >> low], low_plus[at], low_minus[at]);
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
    for (int i = 0; i < VECTORS; i++) {
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
    for (int i = 0; i < VECTORS; i++) {
        vec some_a = a[0][i], some_b = b[0][i];
        for (int p = 1; p < bits; p++) some_a |= a[p][i], some_b |= b[p][i];
        vec both = some_a & some_b, differ = a[bits][i] ^ b[bits][i];
        plus[i] = both & ~differ;
        minus[i] = both & differ;
    }
}

static void count_slices(const struct qnt__count_exp *c)
{
    enum { PLANES = 8 };
    row a[PLANES], b[PLANES], sum[PLANES], plus, minus, ones;
    int bits = c->bits, levels = (1 << bits) - 1;
    int32_t *of_a = c->counts + 2 * levels - 1, *of_b = of_a + levels, *all = of_b + levels;
    memset(ones, 0xff, sizeof ones);
    for (size_t at = 0; at < c->words; at += SLICE_WORDS) {
        size_t words = c->words - at < SLICE_WORDS ? c->words - at : SLICE_WORDS;
        load_planes(c->a + at, c->words, words, bits + 1, a);
        load_planes(c->b + at, c->words, words, bits + 1, b);
        add_planes(a, b, bits, sum);
        find_signs(a, b, bits, plus, minus);
        tally(sum, bits + 1, 2, 2 * levels - 1, plus, minus, c->counts);
        tally(a, bits, 1, levels, plus, minus, of_a);
        tally(b, bits, 1, levels, plus, minus, of_b);
        *all += count_signed(ones, plus, minus);
    }
}

#endif
