/*
 * Encoding floats by the affine scheme, four at a time: products with 1 / scale, and divisions where a
 * product leaves a doubt or codes have 16 bits (quotient.h). Codes are counted from the first one;
 * narrowing clamps them below it and above 255. FCVTNS rounds half to even, FDIV is a true division.
 */
#ifndef QNT__SIMD_ARM_ENCODE_NEON_H
#define QNT__SIMD_ARM_ENCODE_NEON_H

#include <arm_neon.h>

#include "../quotient.h"

#define INLINE static inline __attribute__((always_inline))

/* Parameters of four elements. */
struct group {
    float32x4_t scale, offset, low, high;
    float32x4_t inverse, shift; /* struct qnt__quotient */
};

/* What all groups of a call have in common: the first code and how many follow it. */
struct ends {
    float32x4_t certain; /* from the integer below: twice the doubt */
    int32_t first, range;
};

INLINE struct ends ends_of(int32_t first, int32_t range)
{
    return (struct ends){vdupq_n_f32(2 * qnt__doubt(range)), first, range};
}

/* Codes less the first one, exactly. */
INLINE int32x4_t divide(const struct group *g, float32x4_t x)
{
    x = vbslq_f32(vceqq_f32(x, x), x, vdupq_n_f32(0.0f));
    float32x4_t t = vdivq_f32(vsubq_f32(x, g->offset), g->scale);
    t = vminq_f32(vmaxq_f32(t, g->low), g->high);
    return vsubq_s32(vcvtnq_s32_f32(t), vcvtnq_s32_f32(g->low));
}

/* The same, not yet clamped, in the lanes that are certain. */
INLINE int32x4_t multiply(const struct group *g, const struct ends *e, float32x4_t x,
                          uint32x4_t *certain)
{
    float32x4_t p = vfmaq_f32(g->shift, vsubq_f32(x, g->offset), g->inverse);
    *certain = vandq_u32(*certain, vcgeq_f32(vsubq_f32(p, vrndmq_f32(p)), e->certain));
    return vcvtmq_s32_f32(p);
}

/* 16 elements; g[k] has the parameters of elements 4 k..4 k + 3. */
INLINE void encode_16_8(const struct group g[4], const struct ends *e, const float *x, uint8_t *to)
{
    uint32x4_t certain = vdupq_n_u32(0xffffffffu);
    int32x4_t a = multiply(&g[0], e, vld1q_f32(x), &certain);
    int32x4_t b = multiply(&g[1], e, vld1q_f32(x + 4), &certain);
    int32x4_t c = multiply(&g[2], e, vld1q_f32(x + 8), &certain);
    int32x4_t d = multiply(&g[3], e, vld1q_f32(x + 12), &certain);
    if (__builtin_expect(vminvq_u32(certain) == 0, 0)) {
        a = divide(&g[0], vld1q_f32(x)), b = divide(&g[1], vld1q_f32(x + 4));
        c = divide(&g[2], vld1q_f32(x + 8)), d = divide(&g[3], vld1q_f32(x + 12));
    }
    uint8x8_t low = vqmovun_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)));
    uint8x8_t high = vqmovun_s16(vcombine_s16(vqmovn_s32(c), vqmovn_s32(d)));
    uint8x16_t code = vminq_u8(vcombine_u8(low, high), vdupq_n_u8((uint8_t)e->range));
    vst1q_u8(to, vaddq_u8(code, vdupq_n_u8((uint8_t)e->first)));
}

INLINE void encode_16_16(const struct group g[4], const struct ends *e, const float *x,
                         uint16_t *to)
{
    const int32x4_t first = vdupq_n_s32(e->first);
    for (int k = 0; k < 4; k++) {
        int32x4_t code = vaddq_s32(divide(&g[k], vld1q_f32(x + 4 * k)), first);
        vst1_u16(to + 4 * k, vreinterpret_u16_s16(vmovn_s32(code)));
    }
}

#endif
