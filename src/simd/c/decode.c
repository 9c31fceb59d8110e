/* Portable definition of decoding codes of the affine scheme (ONNX DequantizeLinear). */
#include "../slots.h"

static float decode(const struct qnt__affine *q, int32_t code)
{
    float product = (float)(code - q->zero) * q->scale;
    return product + q->offset;
}

void qnt__decode_s8_c(const struct qnt__affine *q, const int8_t *codes, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = decode(q, codes[i]);
}

void qnt__decode_u8_c(const struct qnt__affine *q, const uint8_t *codes, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = decode(q, codes[i]);
}

void qnt__decode_s16_c(const struct qnt__affine *q, const int16_t *codes, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = decode(q, codes[i]);
}

void qnt__decode_u16_c(const struct qnt__affine *q, const uint16_t *codes, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = decode(q, codes[i]);
}
