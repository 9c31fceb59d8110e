/* Decoding neighbours of different groups: the steps of decode_neon.c with four of each parameter, or run
 * after run. */
#include <arm_neon.h>

#include "../runs.h"

/* What is left of an array of parameters. */
static struct qnt__affine_each rest_of(const struct qnt__affine_each *q, size_t i)
{
    struct qnt__affine_each rest = *q;
    rest.scale += i;
    if (q->offset) rest.offset += i;
    if (q->zero) rest.zero += i;
    return rest;
}

static inline int32x4_t zeros(const struct qnt__affine_each *q, size_t i)
{
    return q->zero ? vld1q_s32(q->zero + i) : vdupq_n_s32(0);
}

static inline float32x4_t offsets(const struct qnt__affine_each *q, size_t i)
{
    return q->offset ? vld1q_f32(q->offset + i) : vdupq_n_f32(0.0f);
}

static inline void decode_4(const struct qnt__affine_each *q, size_t i, int32x4_t code, float *y)
{
    float32x4_t steps = vcvtq_f32_s32(vsubq_s32(code, zeros(q, i)));
    float32x4_t product = vmulq_f32(steps, vld1q_f32(q->scale + i));
    vst1q_f32(y + i, vaddq_f32(product, offsets(q, i)));
}

static inline void decode_s(const struct qnt__affine_each *q, size_t i, int16x8_t code, float *y)
{
    decode_4(q, i, vmovl_s16(vget_low_s16(code)), y);
    decode_4(q, i + 4, vmovl_high_s16(code), y);
}

static inline void decode_u(const struct qnt__affine_each *q, size_t i, uint16x8_t code, float *y)
{
    decode_4(q, i, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(code))), y);
    decode_4(q, i + 4, vreinterpretq_s32_u32(vmovl_high_u16(code)), y);
}

#define DECODE(name, single, type, decode_8, load)                                                 \
    void qnt__##name##_neon(const struct qnt__affine_each *q, const type *codes, size_t n,         \
                            float *y)                                                              \
    {                                                                                              \
        QNT__BY_ROWS(qnt__##name##_neon, q, codes, n, y)                                           \
        if (q->run > 1) {                                                                          \
            QNT__BY_RUNS(single, q, codes, n, y)                                                   \
            return;                                                                                \
        }                                                                                          \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8) decode_8(q, i, load(codes + i), y);                             \
        struct qnt__affine_each rest = rest_of(q, i);                                              \
        qnt__##name##_c(&rest, codes + i, n - i, y + i);                                           \
    }

#define LOAD_S8(p) vmovl_s8(vld1_s8(p))
#define LOAD_U8(p) vmovl_u8(vld1_u8(p))

DECODE(decode_each_s8, qnt__decode_s8_neon, int8_t, decode_s, LOAD_S8)
DECODE(decode_each_u8, qnt__decode_u8_neon, uint8_t, decode_u, LOAD_U8)
DECODE(decode_each_s16, qnt__decode_s16_neon, int16_t, decode_s, vld1q_s16)
DECODE(decode_each_u16, qnt__decode_u16_neon, uint16_t, decode_u, vld1q_u16)
