/*
 * Number formats and rounding, operation by operation; doc/numerics.md is the prose of this file.
 * Every SIMD kernel reproduces exactly these steps.
 */
#ifndef QNT__BASE_NUMERIC_H
#define QNT__BASE_NUMERIC_H

#include <float.h>
#include <stdint.h>
#include <string.h>

/* What would give other results is refused here; doc/porting.md says what to do. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "libqnt needs a little-endian CPU: codes and blobs are its bytes as they lie in memory"
#endif
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "libqnt needs floats that are rounded after each operation; on x86: -msse2 -mfpmath=sse"
#endif
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "libqnt needs IEEE arithmetic: build it without -ffast-math"
#endif

static inline uint32_t qnt__bits_of_f32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float qnt__f32_of_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Float32 numbers in ascending order, by place: +0 is at 0, -0 at -1, the infinities are at the ends. */
enum { QNT__F32_LAST = 0x7f800000 };
static inline float qnt__f32_at(int64_t place)
{
    return qnt__f32_of_bits(place >= 0 ? (uint32_t)place : 0x80000000u | (uint32_t)(-place - 1));
}

/* The largest float32 below a finite x. */
static inline float qnt__before_f32(float x)
{
    uint32_t bits = qnt__bits_of_f32(x);
    if (x == 0.0f) return -0x1p-149f;
    return qnt__f32_of_bits(x > 0.0f ? bits - 1 : bits + 1);
}

/* Round half to even for |x| <= 2^22: adding 1.5 * 2^23 leaves no fraction bits. */
static inline int32_t qnt__round_even(float x)
{
    return (int32_t)((x + 12582912.0f) - 12582912.0f);
}

/* NaN passes through, as in the kernels. */
static inline float qnt__clamp_f32(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

static inline float qnt__f32_of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
    if (rest >=
        0x7c00u) { /* infinity; NaN keeps its payload and becomes quiet, as VCVTPH2PS does */
        uint32_t quiet = rest > 0x7c00u ? 0x400000u : 0u;
        return qnt__f32_of_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13 | quiet);
    }
    if (rest >= 0x400u) return qnt__f32_of_bits(sign | ((rest << 13) + 0x38000000u));
    float magnitude = (float)rest * 0x1p-24f; /* subnormal, exact */
    return qnt__f32_of_bits(sign | qnt__bits_of_f32(magnitude));
}

static inline uint16_t qnt__f16_of_f32(float x)
{
    uint32_t u = qnt__bits_of_f32(x), sign = u >> 16 & 0x8000u, rest = u & 0x7fffffffu;
    if (rest > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (rest >> 13 & 0x1ffu));
    if (rest >= 0x47800000u) return (uint16_t)(sign | 0x7c00u);
    if (rest < 0x38800000u) { /* below 2^-14: adding 0.5 aligns the last bit with 2^-24 */
        float aligned = qnt__f32_of_bits(rest) + 0.5f;
        return (uint16_t)(sign | (qnt__bits_of_f32(aligned) - 0x3f000000u));
    }
    uint32_t rounded = rest + 0xfffu + (rest >> 13 & 1u); /* half to even; may reach infinity */
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

static inline float qnt__f32_of_bf16(uint16_t h)
{
    return qnt__f32_of_bits((uint32_t)h << 16);
}

static inline uint16_t qnt__bf16_of_f32(float x)
{
    uint32_t u = qnt__bits_of_f32(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

#endif
