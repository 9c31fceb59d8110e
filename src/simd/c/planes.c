/* Portable definition of colours as planes: ITU-T T.871 in 16-bit fixed point, rounded as encoders do;
 * of two halves, box means of 2 x 2 alternately round up and down along a row. */
#include "../slots.h"

void qnt__split_rgb_c(const uint8_t *rgb, size_t n, uint8_t *y, uint8_t *cb, uint8_t *cr)
{
    const int32_t middle = (128 << 16) + 32767;
    for (size_t i = 0; i < n; i++) {
        int32_t r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
        y[i] = (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
        cb[i] = (uint8_t)((-11059 * r - 21709 * g + 32768 * b + middle) >> 16);
        cr[i] = (uint8_t)((32768 * r - 27439 * g - 5329 * b + middle) >> 16);
    }
}

void qnt__halve_u8_c(const uint8_t *above, const uint8_t *below, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        int32_t sum = above[2 * i] + above[2 * i + 1] + below[2 * i] + below[2 * i + 1];
        out[i] = (uint8_t)((sum + 1 + (int32_t)(i & 1)) >> 2);
    }
}
