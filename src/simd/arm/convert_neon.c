/*
 * Conversions between float32, float16 and bfloat16. FCVT treats NaN as defined: it becomes quiet
 * and keeps its payload.
 */
#include <arm_neon.h>

#include "../slots.h"

void qnt__widen_f16_neon(const uint16_t *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        vst1q_f32(y + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x + i))));
    }
    qnt__widen_f16_c(x + i, n - i, y + i);
}

void qnt__narrow_f16_neon(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        vst1_u16(y + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + i))));
    }
    qnt__narrow_f16_c(x + i, n - i, y + i);
}

void qnt__widen_bf16_neon(const uint16_t *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        vst1q_f32(y + i, vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(x + i), 16)));
    }
    qnt__widen_bf16_c(x + i, n - i, y + i);
}

/* The upper halves of the four results. */
static uint16x4_t narrow_bf16(float32x4_t x)
{
    uint32x4_t u = vreinterpretq_u32_f32(x), odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(vaddq_u32(u, vdupq_n_u32(0x7fff)), odd);
    uint32x4_t quiet = vorrq_u32(u, vdupq_n_u32(0x400000));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
}

void qnt__narrow_bf16_neon(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) vst1_u16(y + i, narrow_bf16(vld1q_f32(x + i)));
    qnt__narrow_bf16_c(x + i, n - i, y + i);
}
