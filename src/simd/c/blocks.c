/* Portable definition of levels: the nearest multiples of the steps, halves away from zero, which is
 * what baseline encoders do; and where they are not 0. */
#include "../dct.h"
#include "../slots.h"

void qnt__quantize_s16_c(const struct qnt__steps *s, const int16_t *coefficients, size_t blocks,
                         int16_t *levels)
{
    for (size_t b = 0; b < blocks; b++, coefficients += 64, levels += 64) {
        for (int i = 0; i < 64; i++) {
            int32_t c = coefficients[i], step = 8 * s->step[i];
            int32_t level = ((c < 0 ? -c : c) + step / 2) / step;
            levels[i] = (int16_t)(c < 0 ? -level : level);
        }
    }
}

void qnt__quantize_f32_c(const struct qnt__steps *s, const float *coefficients, size_t blocks,
                         int16_t *levels)
{
    for (size_t b = 0; b < blocks; b++, coefficients += 64, levels += 64) {
        for (int i = 0; i < 64; i++) {
            float c = coefficients[i], magnitude = (c < 0.0f ? -c : c) / s->fine[i] + 0.5f;
            int32_t level = (int32_t)magnitude;
            levels[i] = (int16_t)(c < 0.0f ? -level : level);
        }
    }
}

void qnt__places_s16_c(const int16_t *levels, size_t blocks, uint64_t *places)
{
    for (size_t b = 0; b < blocks; b++, levels += 64) {
        uint64_t bits = 0;
        for (int k = 0; k < 64; k++) bits |= (uint64_t)(levels[qnt__zigzag[k]] != 0) << k;
        places[b] = bits;
    }
}
