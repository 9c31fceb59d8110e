/* Portable definition of what products of words need besides gemm_s16: weights in its order, and sums
 * of its parts. */
#include "../layout.h"
#include "../slots.h"

void qnt__expand_words_c(const struct qnt__expand_words *e)
{
    const uint8_t *cell = e->cell, *end = cell + e->cells * qnt__cell_bytes(e->bits);
    const int bias = e->bits == 8 ? 0 : 1 << (e->bits - 1);
    int16_t *out = e->out;
    for (; cell < end; cell += qnt__cell_bytes(e->bits)) {
        for (size_t k = 0; k < qnt__cell_depth(e->bits); k += 2, out += 2 * QNT__PANEL) {
            for (size_t i = 0; i < 2 * QNT__PANEL; i++)
                out[i] = e->words[(uint8_t)(qnt__cell_code(cell, e->bits, i / 2, k + i % 2) + bias)];
        }
    }
}

void qnt__split_words_c(int16_t *words, size_t n, int16_t *high)
{
    for (size_t i = 0; i < n; i++) {
        const int16_t rest = words[i] & 255;
        high[i] = (int16_t)((words[i] - rest) / 256);
        words[i] = rest;
    }
}

void qnt__add_parts_f64_c(double *sum, const int32_t *part, size_t n, double factor)
{
    for (size_t i = 0; i < n; i++) sum[i] += factor * (double)part[i];
}

void qnt__scale_sums_f64_c(double *sum, const float *scale, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float product = (float)sum[i] * scale[i];
        y[i] = y[i] + product;
        sum[i] = 0.0;
    }
}
