/* Slot of products of codes of at most two bits, three of them in a byte. */
#ifndef QNT__SIMD_SLOTS_LOWBIT_H
#define QNT__SIMD_SLOTS_LOWBIT_H

#include <stddef.h>
#include <stdint.h>

enum { QNT__LOWBIT_COLUMNS = 64 };

/*
 * One stretch of an output row of a convolution, for 64 output channels. A byte of x or of the weights
 * holds three digits 0..3: digit s in bits 2 s and 2 s + 1. Bits 6 and 7 are 0.
 *
 * acc[i][c] = sum over triples t, taps p and s < 3 of
 *             digit(s, x[taps[p] + i step + t]) * digit(s, weight[(t tap_count + p) 64 + c])
 *
 * Whatever the levels are that digits stand for: if they are affine, box sums do the rest. A channel
 * group of the input is an offset of x, and so is another order of the groups.
 */
struct qnt__lowbit {
    const uint8_t *x;      /* first input pixel */
    const ptrdiff_t *taps; /* tap_count byte offsets */
    const uint8_t *weight; /* [triples][tap_count][64] */
    int32_t *acc;          /* written, [m][64] */
    size_t m;              /* output pixels */
    size_t step;           /* bytes from one output pixel's input to the next's */
    size_t triples;        /* bytes of a pixel that are read */
    size_t tap_count;      /* at least 1 */
};

/*
 * What follows: with wrapping int32 arithmetic v = acc[i][c] * step + box[i] * zero, in the place of acc;
 * or, with thresholds, codes[i][c] = the number of t < 3 with v >= thresholds[t][c], and acc as before.
 */
struct qnt__lowbit_finish {
    int32_t *acc;              /* [m][64] */
    const int32_t *box;        /* [m] */
    const int32_t *thresholds; /* [3][64] or NULL */
    uint8_t *codes;            /* [m][64], written if there are thresholds */
    size_t m;
    int32_t step, zero;
};

#define QNT__SLOTS_LOWBIT(X)                                                                       \
    X(conv_lowbit, void, (const struct qnt__lowbit *g))                                            \
    X(finish_lowbit, void, (const struct qnt__lowbit_finish *f))

#endif
