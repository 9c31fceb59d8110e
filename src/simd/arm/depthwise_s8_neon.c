/*
 * Depthwise convolution: eight channels of four output pixels at a time, so that a tap's weights
 * are widened once for four products. The last channels are done together with some before them.
 */
#include "../slots.h"
#include "fields.h"

enum { WIDTH = 8, TILE = 4 }; /* channels; pixels in registers */

INLINE void multiply_tile(const struct qnt__depthwise *d, size_t pixel, size_t channel, int count)
{
    const uint8_t *x = d->x + pixel * d->step + channel;
    int32x4_t low[TILE], high[TILE];
    UNROLL for (int r = 0; r < count; r++) low[r] = high[r] = vdupq_n_s32(0);
    for (size_t t = 0; t < d->tap_count; t++) {
        const uint8_t *at = x + d->taps[t];
        int16x8_t w = vmovl_s8(vld1_s8(d->weight + t * d->channels + channel));
        UNROLL for (int r = 0; r < count; r++) {
            int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(at + (size_t)r * d->step)));
            low[r] = vmlal_s16(low[r], vget_low_s16(a), vget_low_s16(w));
            high[r] = vmlal_high_s16(high[r], a, w);
        }
    }
    int32_t *acc = d->acc + pixel * d->channels + channel;
    UNROLL for (int r = 0; r < count; r++, acc += d->channels) {
        vst1q_s32(acc, low[r]);
        vst1q_s32(acc + 4, high[r]);
    }
}

void qnt__depthwise_s8_neon(const struct qnt__depthwise *d)
{
    if (d->channels < WIDTH) {
        qnt__depthwise_s8_c(d);
        return;
    }
    for (size_t c = 0; c < d->channels; c += WIDTH) {
        size_t from = c + WIDTH <= d->channels ? c : d->channels - WIDTH, i = 0;
        for (; i + TILE <= d->m; i += TILE) multiply_tile(d, i, from, TILE);
        for (; i < d->m; i++) multiply_tile(d, i, from, 1);
    }
}
