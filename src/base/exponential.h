/* Exponentials operation by operation, so that they are the same bits everywhere: 2^n times the
 * Taylor polynomial of the rest, |rest| <= ln 2 / 2. */
#ifndef QNT__BASE_EXPONENTIAL_H
#define QNT__BASE_EXPONENTIAL_H

#include "numeric.h"

/* Of numbers up to 0 in float32, within 2.5e-7 of the value; below -87 it is 0. */
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

/* Of numbers up to 700 in double, within 4e-16 of the value; below -700 it is 0. */
static inline double qnt__exp_f64(double x)
{
    if (!(x > -700.0)) return 0.0;
    double n = (double)(int32_t)(x * 1.4426950408889634 + (x < 0.0 ? -0.5 : 0.5));
    double r = x - n * 0x1.62e42feep-1; /* ln 2 in two parts, the first exact times n */
    r = r - n * 0x1.a39ef35793c76p-33;
    double p = 1.0;
    for (int i = 13; i > 0; i--) p = p * r / (double)i + 1.0;
    uint64_t u = (uint64_t)((int32_t)n + 1023) << 52;
    double power;
    memcpy(&power, &u, sizeof power);
    return p * power;
}

#endif
