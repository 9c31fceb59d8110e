/*
 * When a product with 1 / scale may stand for the quotient that the affine scheme defines.
 *
 * Codes are counted from the first one: with d = x - offset as rounded, t = round(d / scale) and the R + 1
 * codes that low and high = low + R leave, c = clamp(round_half_even(t) - low, 0, R). Let
 *     p = d inverse + shift,  shift = 1/2 + doubt - low,  doubt = 2^-21 (R + 1).
 * While |t| <= R + 1 - beyond, both ways are clamped to the same end - each rounding moves p by at most
 * 2^-24 (R + 2) and a little: those of the inverse, of t, of the product, of the sum and of the shift.
 * Together they are less than the doubt. So where p - floor(p) is at least twice the doubt, t - low + 1/2
 * is inside (floor(p), floor(p) + 1), and floor(p) the integer that t - low rounds to. Otherwise one has to
 * divide, as for NaN, infinities and numbers so large that p is whole. An inverse that is not a normal
 * number is replaced by NaN: then one always divides. 16 bits would leave too much doubt.
 *
 * Where conversions are cheaper than floors one may count from both ends: with mirror = R + 1 + 2 doubt
 * both integers, floor(p) and R - floor(mirror - p), are below p and above p - 2 doubt in the same way, so
 * if they are the same there is no doubt. The mirror and its difference add two roundings; near the bounds
 * between codes, where alone they matter, all seven are at most 2^-24 (R + 1) each. Conversions cut towards
 * 0, which is floor except where codes are clamped to an end anyway; what cannot be converted is far below
 * in both counts, so that they differ.
 */
#ifndef QNT__SIMD_QUOTIENT_H
#define QNT__SIMD_QUOTIENT_H

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "slots.h"

/* Bytes from where floats are read to where they are prefetched: into the next page, which the
 * hardware does not do by itself. */
enum { QNT__AHEAD = 4096 };

struct qnt__quotient {
    float inverse; /* of the scale, rounded; NaN: divide always */
    float shift;
};

/* R of 8-bit codes is below 256. */
static inline float qnt__doubt(int32_t range)
{
    return (float)(range + 1) * 0x1p-21f;
}

static inline struct qnt__quotient qnt__quotient_of(float scale, float low, float doubt)
{
    float inverse = 1.0f / scale;
    bool normal = inverse >= FLT_MIN && inverse <= FLT_MAX;
    return (struct qnt__quotient){normal ? inverse : NAN, 0.5f + doubt - low};
}

static inline float qnt__mirror(int32_t range)
{
    return (float)(range + 1) + 2 * qnt__doubt(range);
}

#endif
