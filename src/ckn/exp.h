/* The exponential of numbers up to 0 in float32, operation by operation: 2^n times the Taylor
 * polynomial of the rest, |rest| <= ln 2 / 2. Within 2e-7 of the value; below -87 it is 0. */
#ifndef QNT__CKN_EXP_H
#define QNT__CKN_EXP_H

#include "base/numeric.h"

static inline float qnt__exp_f32(float x)
{
    if (!(x > -87.0f)) return 0.0f;
    float n = (float)qnt__round_even(x * 1.44269504f);
    float r = x - n * 0.693359375f; /* ln 2 in two parts, the first exact times n */
    r = r - n * -2.12194440e-4f;
    float p = 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * qnt__f32_of_bits((uint32_t)((int32_t)n + 127) << 23);
}

#endif
