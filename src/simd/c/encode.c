/* Portable definition of encoding floats by the affine scheme (ONNX QuantizeLinear). */
#include "../slots.h"
#include "base/numeric.h"

static int32_t encode(const struct qnt__affine *q, float x)
{
    x = x == x ? x : 0.0f;
    float t = (x - q->offset) / q->scale;
    return qnt__round_even(qnt__clamp_f32(t, q->low, q->high)) + q->zero;
}

void qnt__encode_8_c(const struct qnt__affine *q, const float *x, size_t n, uint8_t *codes)
{
    for (size_t i = 0; i < n; i++) codes[i] = (uint8_t)encode(q, x[i]);
}

void qnt__encode_16_c(const struct qnt__affine *q, const float *x, size_t n, uint16_t *codes)
{
    for (size_t i = 0; i < n; i++) codes[i] = (uint16_t)encode(q, x[i]);
}
