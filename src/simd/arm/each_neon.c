/* Encoding and decoding with parameters for every element, eight at a time. */
#include <arm_neon.h>

#include "../slots.h"

/* The parameters from element i on. */
static inline struct qnt__affine_each from(const struct qnt__affine_each *q, size_t i)
{
    return (struct qnt__affine_each){q->scale + i, q->offset + i, q->zero + i, q->first, q->last};
}

/* The low halves of the codes of elements i..i + 3. */
static inline int16x4_t encode(const struct qnt__affine_each *q, size_t i, const float *p)
{
    float32x4_t x = vld1q_f32(p + i);
    int32x4_t zero = vld1q_s32(q->zero + i);
    float32x4_t low = vcvtq_f32_s32(vsubq_s32(vdupq_n_s32(q->first), zero));
    float32x4_t high = vcvtq_f32_s32(vsubq_s32(vdupq_n_s32(q->last), zero));
    x = vbslq_f32(vceqq_f32(x, x), x, vdupq_n_f32(0.0f));
    float32x4_t t = vdivq_f32(vsubq_f32(x, vld1q_f32(q->offset + i)), vld1q_f32(q->scale + i));
    t = vbslq_f32(vcltq_f32(t, low), low, t);
    t = vbslq_f32(vcgtq_f32(t, high), high, t);
    return vmovn_s32(vaddq_s32(vcvtnq_s32_f32(t), zero));
}

static inline int16x8_t encode_8(const struct qnt__affine_each *q, size_t i, const float *p)
{
    return vcombine_s16(encode(q, i, p), encode(q, i + 4, p));
}

void qnt__encode_each_8_neon(const struct qnt__affine_each *q, const float *x, size_t n,
                             uint8_t *codes)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        vst1_u8(codes + i, vreinterpret_u8_s8(vmovn_s16(encode_8(q, i, x))));
    }
    struct qnt__affine_each rest = from(q, i);
    qnt__encode_each_8_c(&rest, x + i, n - i, codes + i);
}

void qnt__encode_each_16_neon(const struct qnt__affine_each *q, const float *x, size_t n,
                              uint16_t *codes)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) vst1q_u16(codes + i, vreinterpretq_u16_s16(encode_8(q, i, x)));
    struct qnt__affine_each rest = from(q, i);
    qnt__encode_each_16_c(&rest, x + i, n - i, codes + i);
}

static inline void decode(const struct qnt__affine_each *q, size_t i, int32x4_t code, float *y)
{
    float32x4_t steps = vcvtq_f32_s32(vsubq_s32(code, vld1q_s32(q->zero + i)));
    float32x4_t product = vmulq_f32(steps, vld1q_f32(q->scale + i));
    vst1q_f32(y + i, vaddq_f32(product, vld1q_f32(q->offset + i)));
}

/* The first and the last four of eight 16-bit codes, widened. */
#define LOW_S16(v) vmovl_s16(vget_low_s16(v))
#define HIGH_S16(v) vmovl_high_s16(v)
#define LOW_U16(v) vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(v)))
#define HIGH_U16(v) vreinterpretq_s32_u32(vmovl_high_u16(v))

#define DECODE(name, type, vector, load, low, high)                                                \
    void qnt__##name##_neon(const struct qnt__affine_each *q, const type *codes, size_t n,         \
                            float *y)                                                              \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8) {                                                               \
            vector v = load(codes + i);                                                            \
            decode(q, i, low(v), y);                                                               \
            decode(q, i + 4, high(v), y);                                                          \
        }                                                                                          \
        struct qnt__affine_each rest = from(q, i);                                                 \
        qnt__##name##_c(&rest, codes + i, n - i, y + i);                                           \
    }

static inline int16x8_t load_s8(const int8_t *p)
{
    return vmovl_s8(vld1_s8(p));
}

static inline uint16x8_t load_u8(const uint8_t *p)
{
    return vmovl_u8(vld1_u8(p));
}

DECODE(decode_each_s8, int8_t, int16x8_t, load_s8, LOW_S16, HIGH_S16)
DECODE(decode_each_u8, uint8_t, uint16x8_t, load_u8, LOW_U16, HIGH_U16)
DECODE(decode_each_s16, int16_t, int16x8_t, vld1q_s16, LOW_S16, HIGH_S16)
DECODE(decode_each_u16, uint16_t, uint16x8_t, vld1q_u16, LOW_U16, HIGH_U16)
