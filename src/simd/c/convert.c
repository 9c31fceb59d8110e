/* Portable definition of the conversions between float32, float16 and bfloat16. */
#include "../slots.h"
#include "base/numeric.h"

void qnt__widen_f16_c(const uint16_t *x, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = qnt__f32_of_f16(x[i]);
}

void qnt__narrow_f16_c(const float *x, size_t n, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) y[i] = qnt__f16_of_f32(x[i]);
}

void qnt__widen_bf16_c(const uint16_t *x, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = qnt__f32_of_bf16(x[i]);
}

void qnt__narrow_bf16_c(const float *x, size_t n, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) y[i] = qnt__bf16_of_f32(x[i]);
}
