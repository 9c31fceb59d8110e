/*
 * When a product with 1 / scale may stand for the quotient that the affine scheme defines.
 *
 * Let d = x - offset as rounded, t = round(d / scale) and p = round(d round(1 / scale)). The
 * relative errors of t and p are at most 2^-24 and 2^-23 (and a little), so |p - t| < 2^-22 |t|,
 * also after both are clamped to [low, high], as clamping brings numbers together. If p is closer
 * to an integer than 1/2 - 2^-21 max(|low|, |high|), then t rounds to the same integer. Otherwise,
 * and if p is NaN, one has to divide. Kernels that approximate the inverse less well take a larger
 * share of |t|.
 */
#ifndef QNT__SIMD_QUOTIENT_H
#define QNT__SIMD_QUOTIENT_H

#include <float.h>
#include <stdbool.h>

#include "slots.h"

/* Adding 1.5 * 2^23 rounds |t| < 2^22 half to even; the low bits of the sum are those of the
 * integer. */
#define QNT__TO_INTEGER 12582912.0f

/* Bytes from where floats are read to where they are prefetched: into the next page, which the
 * hardware does not do by itself. */
enum { QNT__AHEAD = 4096 };

struct qnt__quotient {
    float inverse; /* of the scale, rounded */
    float limit;   /* of the distance from an integer; negative: divide always */
};

static inline struct qnt__quotient qnt__quotient_of(const struct qnt__affine *q)
{
    float inverse = 1.0f / q->scale, most = -q->low > q->high ? -q->low : q->high;
    bool exact =
        inverse >= FLT_MIN && inverse <= FLT_MAX; /* not rounded to few bits, nor infinite */
    return (struct qnt__quotient){inverse, exact ? 0.5f - 0x1p-21f * most : -1.0f};
}

#endif
