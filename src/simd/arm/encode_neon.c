/* Encoding floats by the affine scheme. FCVTNS rounds half to even, FDIV is a true division. */
#include <arm_neon.h>

#include "../slots.h"

struct affine {
    float32x4_t scale, offset, low, high;
    int32x4_t zero;
};

static inline struct affine spread(const struct qnt__affine *q)
{
    return (struct affine){vdupq_n_f32(q->scale), vdupq_n_f32(q->offset), vdupq_n_f32(q->low),
                           vdupq_n_f32(q->high), vdupq_n_s32(q->zero)};
}

/* The low halves of four codes. */
static inline int16x4_t encode(const struct affine *q, float32x4_t x)
{
    x = vbslq_f32(vceqq_f32(x, x), x, vdupq_n_f32(0.0f));
    float32x4_t t = vdivq_f32(vsubq_f32(x, q->offset), q->scale);
    t = vbslq_f32(vcltq_f32(t, q->low), q->low, t);
    t = vbslq_f32(vcgtq_f32(t, q->high), q->high, t);
    return vmovn_s32(vaddq_s32(vcvtnq_s32_f32(t), q->zero));
}

static inline int16x8_t encode_8(const struct affine *q, const float *x)
{
    return vcombine_s16(encode(q, vld1q_f32(x)), encode(q, vld1q_f32(x + 4)));
}

void qnt__encode_8_neon(const struct qnt__affine *q, const float *x, size_t n, uint8_t *codes)
{
    struct affine all = spread(q);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        int8x8_t first = vmovn_s16(encode_8(&all, x + i));
        int8x8_t second = vmovn_s16(encode_8(&all, x + i + 8));
        vst1q_u8(codes + i, vreinterpretq_u8_s8(vcombine_s8(first, second)));
    }
    for (; i + 8 <= n; i += 8) {
        vst1_u8(codes + i, vreinterpret_u8_s8(vmovn_s16(encode_8(&all, x + i))));
    }
    qnt__encode_8_c(q, x + i, n - i, codes + i);
}

void qnt__encode_16_neon(const struct qnt__affine *q, const float *x, size_t n, uint16_t *codes)
{
    struct affine all = spread(q);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) vst1q_u16(codes + i, vreinterpretq_u16_s16(encode_8(&all, x + i)));
    qnt__encode_16_c(q, x + i, n - i, codes + i);
}
