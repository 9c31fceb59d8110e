/* Portable definition of the depthwise convolution of one stretch of an output row. */
#include "../slots.h"

void qnt__depthwise_s8_c(const struct qnt__depthwise *d)
{
    for (size_t i = 0; i < d->m; i++) {
        int32_t *acc = d->acc + i * d->channels;
        for (size_t c = 0; c < d->channels; c++) {
            uint32_t sum = 0; /* wraps modulo 2^32 */
            for (size_t t = 0; t < d->tap_count; t++) {
                const uint8_t *x = d->x + d->taps[t] + i * d->step;
                sum += (uint32_t)(x[c] * d->weight[t * d->channels + c]);
            }
            acc[c] = (int32_t)sum;
        }
    }
}
