/* Portable definition of what kernel maps do beside their products. */
#include <math.h>
#include <string.h>

#include "../slots.h"
#include "base/exponential.h"

void qnt__kernel_values_c(const struct qnt__kernel_values *k)
{
    for (size_t i = 0; i < k->m; i++) {
        for (size_t j = 0; j < k->n; j++) {
            float t = k->slope * (k->x[i * k->ld + j] - k->shift[j]);
            t = t > 0.0f ? 0.0f : t;
            k->y[i * k->y_ld + j] = k->norm[i] * (k->factor[j] * qnt__exp_f32(t));
        }
    }
}

void qnt__sums_f32_c(const float *x, size_t ld, size_t m, size_t depth, bool squares, float *sums)
{
    for (size_t i = 0; i < m; i++, x += ld) {
        float sum = 0.0f;
        for (size_t k = 0; k < depth; k++) sum += squares ? x[k] * x[k] : x[k];
        sums[i] = sum;
    }
}

int32_t qnt__round_f32_c(const float *x, size_t n, float top, int32_t zero, uint8_t *codes)
{
    float most = 0.0f;
    int32_t squares = 0;
    for (size_t i = 0; i < n; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (size_t i = 0; i < n; i++) {
        int32_t code = most > 0.0f ? qnt__round_even(x[i] / most * top) : 0;
        codes[i] = (uint8_t)(code + zero);
        squares += code * code;
    }
    return squares;
}

void qnt__signs_f32_c(const float *x, size_t n, uint64_t *bits, size_t words)
{
    uint64_t parity = 0;
    for (size_t w = 0; w < words; w++) {
        uint64_t own = 0;
        for (size_t i = 0; i < 64 && 64 * w + i < n; i++)
            own |= (uint64_t)(x[64 * w + i] >= 0.0f) << i;
        parity ^= own;
        bits[w] = w % 2 ? parity : own;
    }
}

void qnt__add_rows_f32_c(const float *x, size_t ld, const float *weight, size_t rows, size_t n,
                         float *y)
{
    for (size_t i = 0; i < rows; i++, x += ld)
        for (size_t j = 0; j < n; j++) y[j] += weight[i] * x[j];
}
