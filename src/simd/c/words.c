/* Portable definition of what products of words need besides gemm_s16: weights in its order, and sums
 * of its parts. */
#include "../layout.h"
#include "../slots.h"

void qnt__pair_codes_c(const uint8_t *cells, size_t n, uint8_t *pairs)
{
    for (size_t e = 0; e < n; e++, cells += 64, pairs += 64) {
        for (size_t c = 0; c < QNT__PANEL; c++) {
            for (size_t k = 0; k < 4; k++) pairs[32 * (k / 2) + 2 * c + k % 2] = cells[4 * c + k];
        }
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
