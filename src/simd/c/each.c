/* Portable definition of encoding and decoding where every element has parameters of its own. */
#include "../slots.h"
#include "base/numeric.h"

static float offset_of(const struct qnt__affine_each *q, size_t i)
{
    return q->offset ? q->offset[i] : 0.0f;
}

static int32_t zero_of(const struct qnt__affine_each *q, size_t i)
{
    return q->zero ? q->zero[i] : 0;
}

static int32_t encode(const struct qnt__affine_each *q, size_t i, float x)
{
    int32_t zero = zero_of(q, i);
    x = x == x ? x : 0.0f;
    float t = (x - offset_of(q, i)) / q->scale[i];
    t = qnt__clamp_f32(t, (float)(q->first - zero), (float)(q->last - zero));
    return qnt__round_even(t) + zero;
}

static float decode(const struct qnt__affine_each *q, size_t i, int32_t code)
{
    float product = (float)(code - zero_of(q, i)) * q->scale[i];
    return product + offset_of(q, i);
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
