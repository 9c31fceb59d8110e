/* Portable definition of the epilogues: from sums to floats or codes. */
#include "../slots.h"
#include "base/numeric.h"

/* The exact sum with its zero-point corrections, wrapping modulo 2^32. */
static int32_t corrected_sum(const struct qnt__finish *f, size_t i, size_t j)
{
    uint32_t v = (uint32_t)f->acc[i * f->ld + j];
    if (f->a_zero) v -= (uint32_t)f->a_zero[i] * (uint32_t)f->w_sum[j];
    if (f->w_zero) v -= (uint32_t)f->w_zero[j] * (uint32_t)f->a_sum[i];
    return (int32_t)v;
}

static float scaled_sum(const struct qnt__finish *f, size_t i, size_t j)
{
    float x = (float)corrected_sum(f, i, j) * f->multiplier[j];
    if (f->row_scale) x = x * f->row_scale[i];
    if (f->bias) x = x + f->bias[j];
    return x;
}

void qnt__finish_s32_c(const struct qnt__finish *f)
{
    float *y = f->y;
    for (size_t i = 0; i < f->m; i++, y += f->y_ld) {
        for (size_t j = 0; j < f->n; j++) {
            float x = scaled_sum(f, i, j);
            if (f->accumulate) x = x + y[j];
            y[j] = qnt__clamp_f32(x, f->low, f->high);
        }
    }
}

static int32_t code(const struct qnt__finish *f, size_t i, size_t j)
{
    float x = scaled_sum(f, i, j);
    x = x == x ? x : 0.0f;
    return qnt__round_even(qnt__clamp_f32(x, f->low, f->high)) + f->zero;
}

void qnt__finish_codes_c(const struct qnt__finish *f)
{
    uint8_t *y = f->y;
    for (size_t i = 0; i < f->m; i++, y += f->y_ld) {
        for (size_t j = 0; j < f->n; j++) y[j] = (uint8_t)code(f, i, j);
    }
}

void qnt__finish_codes_16_c(const struct qnt__finish *f)
{
    uint16_t *y = f->y;
    for (size_t i = 0; i < f->m; i++, y += f->y_ld) {
        for (size_t j = 0; j < f->n; j++) y[j] = (uint16_t)code(f, i, j);
    }
}

void qnt__finish_f32_c(const struct qnt__finish_f32 *f)
{
    for (size_t i = 0; i < f->m; i++) {
        const float *acc = f->acc + i * f->ld;
        float *y = f->y + i * f->y_ld;
        for (size_t j = 0; j < f->n; j++) {
            float x = acc[j];
            if (f->row_scale) x = x * f->row_scale[i];
            if (f->bias) x = x + f->bias[j];
            if (f->accumulate) x = x + y[j];
            y[j] = qnt__clamp_f32(x, f->low, f->high);
        }
    }
}
