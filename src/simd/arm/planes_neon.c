/* Colours as planes, eight pixels at a time; products of unsigned 16-bit numbers, of which the negative
 * ones are taken away (modulo 2^32, as the sum is not negative). */
#include <arm_neon.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* (bias + plus a - minus b) >> 16 for factors of r, g, b; negative factors are taken away. */
INLINE uint8x8_t mix(const uint16x8_t rgb[3], const int32_t factors[3], uint32_t bias)
{
    uint32x4_t low = vdupq_n_u32(bias), high = low;
    for (int i = 0; i < 3; i++) {
        uint16_t factor = (uint16_t)(factors[i] < 0 ? -factors[i] : factors[i]);
        if (factors[i] < 0) {
            low = vmlsl_n_u16(low, vget_low_u16(rgb[i]), factor);
            high = vmlsl_n_u16(high, vget_high_u16(rgb[i]), factor);
        } else {
            low = vmlal_n_u16(low, vget_low_u16(rgb[i]), factor);
            high = vmlal_n_u16(high, vget_high_u16(rgb[i]), factor);
        }
    }
    return vmovn_u16(vcombine_u16(vshrn_n_u32(low, 16), vshrn_n_u32(high, 16)));
}

void qnt__split_rgb_neon(const uint8_t *rgb, size_t n, uint8_t *y, uint8_t *cb, uint8_t *cr)
{
    static const int32_t of_y[3] = {19595, 38470, 7471}, of_cb[3] = {-11059, -21709, 32768},
                         of_cr[3] = {32768, -27439, -5329};
    const uint32_t middle = (128u << 16) + 32767;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint8x8x3_t bytes = vld3_u8(rgb + 3 * i);
        const uint16x8_t words[3] = {vmovl_u8(bytes.val[0]), vmovl_u8(bytes.val[1]),
                                     vmovl_u8(bytes.val[2])};
        vst1_u8(y + i, mix(words, of_y, 32768));
        vst1_u8(cb + i, mix(words, of_cb, middle));
        vst1_u8(cr + i, mix(words, of_cr, middle));
    }
    qnt__split_rgb_c(rgb + 3 * i, n - i, y + i, cb + i, cr + i);
}

void qnt__halve_u8_neon(const uint8_t *above, const uint8_t *below, size_t n, uint8_t *out)
{
    const uint16x8_t bias = vreinterpretq_u16_u32(vdupq_n_u32(0x00020001));
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint16x8_t sum = vpaddlq_u8(vld1q_u8(above + 2 * i));
        sum = vaddq_u16(vpadalq_u8(sum, vld1q_u8(below + 2 * i)), bias);
        vst1_u8(out + i, vshrn_n_u16(sum, 2));
    }
    qnt__halve_u8_c(above + 2 * i, below + 2 * i, n - i, out + i);
}
