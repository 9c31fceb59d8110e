/* Decoding codes of the affine scheme: a multiplication, then an addition, never fused. */
#include <arm_neon.h>

#include "../slots.h"

static inline void decode_4(const struct qnt__affine *q, int32x4_t code, float *y)
{
    float32x4_t steps = vcvtq_f32_s32(vsubq_s32(code, vdupq_n_s32(q->zero)));
    float32x4_t product = vmulq_f32(steps, vdupq_n_f32(q->scale));
    vst1q_f32(y, vaddq_f32(product, vdupq_n_f32(q->offset)));
}

static inline void decode_8s(const struct qnt__affine *q, int16x8_t code, float *y)
{
    decode_4(q, vmovl_s16(vget_low_s16(code)), y);
    decode_4(q, vmovl_high_s16(code), y + 4);
}

static inline void decode_8u(const struct qnt__affine *q, uint16x8_t code, float *y)
{
    decode_4(q, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(code))), y);
    decode_4(q, vreinterpretq_s32_u32(vmovl_high_u16(code)), y + 4);
}

void qnt__decode_s8_neon(const struct qnt__affine *q, const int8_t *codes, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) decode_8s(q, vmovl_s8(vld1_s8(codes + i)), y + i);
    qnt__decode_s8_c(q, codes + i, n - i, y + i);
}

void qnt__decode_u8_neon(const struct qnt__affine *q, const uint8_t *codes, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) decode_8u(q, vmovl_u8(vld1_u8(codes + i)), y + i);
    qnt__decode_u8_c(q, codes + i, n - i, y + i);
}

void qnt__decode_s16_neon(const struct qnt__affine *q, const int16_t *codes, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) decode_8s(q, vld1q_s16(codes + i), y + i);
    qnt__decode_s16_c(q, codes + i, n - i, y + i);
}

void qnt__decode_u16_neon(const struct qnt__affine *q, const uint16_t *codes, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) decode_8u(q, vld1q_u16(codes + i), y + i);
    qnt__decode_u16_c(q, codes + i, n - i, y + i);
}
