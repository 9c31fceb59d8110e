/*
 * Encoding floats by the affine scheme, four at a time: products with 1 / scale, and divisions where a
 * product leaves a doubt (quotient.h). FRINTN and FCVTNS round half to even, FDIV is a true division.
 */
#ifndef QNT__SIMD_ARM_ENCODE_NEON_H
#define QNT__SIMD_ARM_ENCODE_NEON_H

#include <arm_neon.h>

#include "../quotient.h"

#define INLINE static inline __attribute__((always_inline))

/* Parameters of four elements. */
struct group {
    float32x4_t scale, offset, low, high, inverse, limit;
    int32x4_t zero;
};

/* A NaN stays one. */
INLINE float32x4_t clamp(const struct group *g, float32x4_t t)
{
    return vminq_f32(vmaxq_f32(t, g->low), g->high);
}

/* Codes, exactly. */
INLINE int32x4_t divide(const struct group *g, float32x4_t x)
{
    x = vbslq_f32(vceqq_f32(x, x), x, vdupq_n_f32(0.0f));
    float32x4_t t = clamp(g, vdivq_f32(vsubq_f32(x, g->offset), g->scale));
    return vaddq_s32(vcvtnq_s32_f32(t), g->zero);
}

/* Codes where it is certain. */
INLINE int32x4_t multiply(const struct group *g, float32x4_t x, uint32x4_t *certain)
{
    float32x4_t t = clamp(g, vmulq_f32(vsubq_f32(x, g->offset), g->inverse));
    *certain = vandq_u32(*certain, vcltq_f32(vabdq_f32(t, vrndnq_f32(t)), g->limit));
    return vaddq_s32(vcvtnq_s32_f32(t), g->zero);
}

/* The low halves of 16 codes; g[k] has the parameters of elements 4 k..4 k + 3. */
INLINE int16x8x2_t codes_16(const struct group g[4], const float *x)
{
    uint32x4_t certain = vdupq_n_u32(0xffffffffu);
    int32x4_t a = multiply(&g[0], vld1q_f32(x), &certain);
    int32x4_t b = multiply(&g[1], vld1q_f32(x + 4), &certain);
    int32x4_t c = multiply(&g[2], vld1q_f32(x + 8), &certain);
    int32x4_t d = multiply(&g[3], vld1q_f32(x + 12), &certain);
    if (__builtin_expect(vminvq_u32(certain) == 0, 0)) {
        a = divide(&g[0], vld1q_f32(x)), b = divide(&g[1], vld1q_f32(x + 4));
        c = divide(&g[2], vld1q_f32(x + 8)), d = divide(&g[3], vld1q_f32(x + 12));
    }
    return (int16x8x2_t){{vcombine_s16(vmovn_s32(a), vmovn_s32(b)),
                          vcombine_s16(vmovn_s32(c), vmovn_s32(d))}};
}

INLINE int16x8x2_t codes_16_alike(const struct group *g, const float *x)
{
    const struct group all[4] = {*g, *g, *g, *g};
    return codes_16(all, x);
}

INLINE void put_16_codes_8(int16x8x2_t v, uint8_t *to)
{
    vst1q_u8(to, vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(v.val[0]), vmovn_s16(v.val[1]))));
}

INLINE void put_16_codes_16(int16x8x2_t v, uint16_t *to)
{
    vst1q_u16(to, vreinterpretq_u16_s16(v.val[0]));
    vst1q_u16(to + 8, vreinterpretq_u16_s16(v.val[1]));
}

#endif
