/* Levels, eight at a time: the division as two high halves of products (struct qnt__steps). Where
 * levels are not 0: a byte for each, put in diagonal order by one table look-up of 64 bytes. */
#include <arm_neon.h>

#include "../dct.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* The high halves of the products. */
INLINE uint16x8_t high_product(uint16x8_t a, uint16x8_t b)
{
    uint32x4_t low = vmull_u16(vget_low_u16(a), vget_low_u16(b)), high = vmull_high_u16(a, b);
    return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
}

void qnt__quantize_s16_neon(const struct qnt__steps *s, const int16_t *coefficients, size_t blocks,
                            int16_t *levels)
{
    for (size_t b = 0; b < blocks; b++) {
        for (int i = 0; i < 64; i += 8, coefficients += 8, levels += 8) {
            int16x8_t c = vld1q_s16(coefficients), sign = vshrq_n_s16(c, 15);
            uint16x8_t n = vaddq_u16(vreinterpretq_u16_s16(vabsq_s16(c)), vld1q_u16(s->half + i));
            n = high_product(high_product(n, vld1q_u16(s->reciprocal + i)),
                             vld1q_u16(s->scale + i));
            int16x8_t level = veorq_s16(vreinterpretq_s16_u16(n), sign);
            vst1q_s16(levels, vsubq_s16(level, sign));
        }
    }
}

/* Four levels as 32-bit numbers. */
INLINE int32x4_t nearest(float32x4_t c, float32x4_t step)
{
    float32x4_t magnitude = vaddq_f32(vdivq_f32(vabsq_f32(c), step), vdupq_n_f32(0.5f));
    int32x4_t sign = vshrq_n_s32(vreinterpretq_s32_f32(c), 31);
    return vsubq_s32(veorq_s32(vcvtq_s32_f32(magnitude), sign), sign);
}

void qnt__quantize_f32_neon(const struct qnt__steps *s, const float *coefficients, size_t blocks,
                            int16_t *levels)
{
    for (size_t b = 0; b < blocks; b++) {
        for (int i = 0; i < 64; i += 4, coefficients += 4, levels += 4) {
            int32x4_t level = nearest(vld1q_f32(coefficients), vld1q_f32(s->fine + i));
            vst1_s16(levels, vmovn_s32(level));
        }
    }
}

/* The sign bits of 16 bytes as a number: bit i of byte i of each half, added up. */
INLINE uint64_t bits_of(uint8x16_t bytes)
{
    static const uint8_t weight[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t bits = vandq_u8(bytes, vcombine_u8(vld1_u8(weight), vld1_u8(weight)));
    return (uint64_t)vaddv_u8(vget_low_u8(bits)) | (uint64_t)vaddv_u8(vget_high_u8(bits)) << 8;
}

void qnt__places_s16_neon(const int16_t *levels, size_t blocks, uint64_t *places)
{
    for (size_t b = 0; b < blocks; b++, levels += 64) {
        uint8x16x4_t source;
        uint64_t bits = 0;
        for (int i = 0; i < 4; i++) {
            uint16x8_t low = vtstq_s16(vld1q_s16(levels + 16 * i), vdupq_n_s16(-1));
            uint16x8_t high = vtstq_s16(vld1q_s16(levels + 16 * i + 8), vdupq_n_s16(-1));
            source.val[i] = vcombine_u8(vmovn_u16(low), vmovn_u16(high));
        }
        for (int i = 0; i < 4; i++) {
            bits |= bits_of(vqtbl4q_u8(source, vld1q_u8(qnt__zigzag + 16 * i))) << 16 * i;
        }
        places[b] = bits;
    }
}
