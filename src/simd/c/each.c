/* Portable definition of encoding and decoding where every element has parameters of its own. */
#include "../slots.h"
#include "base/numeric.h"

static int32_t encode(const struct qnt__affine_each *q, size_t i, float x)
{
    x = x == x ? x : 0.0f;
    float t = (x - q->offset[i]) / q->scale[i];
    t = qnt__clamp_f32(t, (float)(q->first - q->zero[i]), (float)(q->last - q->zero[i]));
    return qnt__round_even(t) + q->zero[i];
}

static float decode(const struct qnt__affine_each *q, size_t i, int32_t code)
{
    float product = (float)(code - q->zero[i]) * q->scale[i];
    return product + q->offset[i];
}

#define ENCODE(name, type)                                                                         \
    void qnt__##name##_c(const struct qnt__affine_each *q, const float *x, size_t n, type *codes)  \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) codes[i] = (type)encode(q, i, x[i]);                        \
    }

#define DECODE(name, type)                                                                         \
    void qnt__##name##_c(const struct qnt__affine_each *q, const type *codes, size_t n, float *y)  \
    {                                                                                              \
        for (size_t i = 0; i < n; i++) y[i] = decode(q, i, codes[i]);                              \
    }

ENCODE(encode_each_8, uint8_t)
ENCODE(encode_each_16, uint16_t)
DECODE(decode_each_s8, int8_t)
DECODE(decode_each_u8, uint8_t)
DECODE(decode_each_s16, int16_t)
DECODE(decode_each_u16, uint16_t)
