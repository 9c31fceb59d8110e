/* From parities to counts, as slices.h wants it: the inverse transform, and what it adds to counters. */
#ifndef QNT__SIMD_SLICES_SETTLE_H
#define QNT__SIMD_SLICES_SETTLE_H

#include <stdint.h>

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

/* See tally: odd[S] = P[S] for sets of `bits` planes becomes counts, which are whole. */
static void settle(int32_t *odd, int bits, int first, int values, int32_t *counts, int32_t *all)
{
    int32_t sum = 0;
    transform(odd, bits);
    for (int v = 0; v < values; v++) {
        int32_t found = odd[first + v] >> (bits - 1);
        counts[v] -= found;
        sum -= found;
    }
    if (all) *all += sum;
}

#endif
