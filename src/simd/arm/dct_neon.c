/* Transforms. In integers a lane is a line of the block, and each product of the definition's odd and
 * even part a sum of two or four terms (the factors of one input added up). In float32 two registers
 * are a row. */
#include <arm_neon.h>

#include "../dct.h"
#include "../dct_factors.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- integers ---- */

INLINE void turn(int16x8_t x[8])
{
    int16x8x2_t a[4];
    int32x4x2_t b[4];
    for (int i = 0; i < 4; i++) a[i] = vtrnq_s16(x[2 * i], x[2 * i + 1]);
    for (int i = 0; i < 2; i++) {
        b[i] = vtrnq_s32(vreinterpretq_s32_s16(a[0].val[i]), vreinterpretq_s32_s16(a[1].val[i]));
        b[i + 2] =
            vtrnq_s32(vreinterpretq_s32_s16(a[2].val[i]), vreinterpretq_s32_s16(a[3].val[i]));
    }
    for (int i = 0; i < 4; i++) { /* rows i and i + 4 */
        int64x2_t low = vreinterpretq_s64_s32(b[i % 2].val[i / 2]);
        int64x2_t high = vreinterpretq_s64_s32(b[i % 2 + 2].val[i / 2]);
        x[i] = vreinterpretq_s16_s64(vzip1q_s64(low, high));
        x[i + 4] = vreinterpretq_s16_s64(vzip2q_s64(low, high));
    }
}

/* (the sum of products, rounded) >> shift */
#define SUM(x, factors, terms, shift)                                                              \
    vcombine_s16(vqmovn_s32(vrshrq_n_s32(sum_low(x, factors, terms), shift)),                      \
                 vqmovn_s32(vrshrq_n_s32(sum_high(x, factors, terms), shift)))

INLINE int32x4_t sum_low(const int16x8_t *x, const int16_t *factors, int terms)
{
    int32x4_t sum = vmull_n_s16(vget_low_s16(x[0]), factors[0]);
    for (int i = 1; i < terms; i++) sum = vmlal_n_s16(sum, vget_low_s16(x[i]), factors[i]);
    return sum;
}

INLINE int32x4_t sum_high(const int16x8_t *x, const int16_t *factors, int terms)
{
    int32x4_t sum = vmull_n_s16(vget_high_s16(x[0]), factors[0]);
    for (int i = 1; i < terms; i++) sum = vmlal_n_s16(sum, vget_high_s16(x[i]), factors[i]);
    return sum;
}

/* Sums and differences of one line of eight in every lane. */
INLINE void halves(const int16x8_t x[8], int16x8_t even[4], int16x8_t odd[4])
{
    int16x8_t s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = vaddq_s16(x[i], x[7 - i]);
        odd[i] = vsubq_s16(x[3 - i], x[4 + i]);
    }
    int16x8_t a = vaddq_s16(s[0], s[3]), b = vaddq_s16(s[1], s[2]);
    even[0] = vaddq_s16(a, b);
    even[1] = vsubq_s16(a, b);
    even[2] = vsubq_s16(s[1], s[2]);
    even[3] = vsubq_s16(s[0], s[3]);
}

#define LINES(x, first, shift)                                                                     \
    do {                                                                                           \
        static const int16_t f2[] = {EVEN_2_C, EVEN_2_E}, f6[] = {EVEN_6_C, EVEN_6_E},             \
                             f7[] = {ODD_7_0, Z, Z_1961, Z_899},                                   \
                             f5[] = {Z, ODD_5_1, Z_2562, Z_390},                                   \
                             f3[] = {Z_1961, Z_2562, ODD_3_2, Z},                                  \
                             f1[] = {Z_899, Z_390, Z, ODD_1_3};                                    \
        int16x8_t even[4], odd[4];                                                                 \
        halves(x, even, odd);                                                                      \
        x[0] = first ? vshlq_n_s16(even[0], 2) : vrshrq_n_s16(even[0], 2);                         \
        x[4] = first ? vshlq_n_s16(even[1], 2) : vrshrq_n_s16(even[1], 2);                         \
        x[2] = SUM(even + 2, f2, 2, shift);                                                        \
        x[6] = SUM(even + 2, f6, 2, shift);                                                        \
        x[7] = SUM(odd, f7, 4, shift);                                                             \
        x[5] = SUM(odd, f5, 4, shift);                                                             \
        x[3] = SUM(odd, f3, 4, shift);                                                             \
        x[1] = SUM(odd, f1, 4, shift);                                                             \
    } while (0)

/* Eight bytes less 128 as words. */
INLINE int16x8_t load_row(const uint8_t *at)
{
    return vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(at))), vdupq_n_s16(128));
}

void qnt__dct_s16_neon(const uint8_t *samples, size_t ld, size_t blocks, int16_t *coefficients)
{
    for (size_t b = 0; b < blocks; b++, samples += 8, coefficients += 64) {
        int16x8_t x[8];
        for (size_t i = 0; i < 8; i++) x[i] = load_row(samples + i * ld);
        turn(x);
        LINES(x, 1, FIRST_SHIFT);
        turn(x);
        LINES(x, 0, SECOND_SHIFT);
        for (size_t i = 0; i < 8; i++) vst1q_s16(coefficients + 8 * i, x[i]);
    }
}

/* ---- float32 ---- */

struct row {
    float32x4_t low, high;
};

/* One row of a product of 8x8 matrices. */
INLINE struct row product_row(const float *a, const struct row b[8])
{
    struct row sum = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
    for (int k = 0; k < 8; k++) {
        sum.low = vaddq_f32(sum.low, vmulq_n_f32(b[k].low, a[k]));
        sum.high = vaddq_f32(sum.high, vmulq_n_f32(b[k].high, a[k]));
    }
    return sum;
}

/* y = left * (x * right) */
INLINE void product(const float x[64], const float left[8][8], const float right[8][8],
                    struct row y[8])
{
    struct row matrix[8], rows[8];
    for (int i = 0; i < 8; i++) {
        matrix[i] = (struct row){vld1q_f32(right[i]), vld1q_f32(right[i] + 4)};
    }
    for (int i = 0; i < 8; i++) rows[i] = product_row(x + 8 * i, matrix);
    for (int i = 0; i < 8; i++) y[i] = product_row(left[i], rows);
}

static void store_floats(float *to, int16x8_t x)
{
    vst1q_f32(to, vcvtq_f32_s32(vmovl_s16(vget_low_s16(x))));
    vst1q_f32(to + 4, vcvtq_f32_s32(vmovl_s16(vget_high_s16(x))));
}

void qnt__dct_f32_neon(const uint8_t *samples, size_t ld, size_t blocks, float *coefficients)
{
    for (size_t b = 0; b < blocks; b++, samples += 8, coefficients += 64) {
        float x[64];
        struct row y[8];
        for (size_t i = 0; i < 8; i++) store_floats(x + 8 * i, load_row(samples + i * ld));
        product(x, qnt__cosine, qnt__cosine_turned, y);
        for (int i = 0; i < 8; i++) {
            vst1q_f32(coefficients + 8 * i, y[i].low);
            vst1q_f32(coefficients + 8 * i + 4, y[i].high);
        }
    }
}

/* Rounded into 0..255. */
INLINE uint16x4_t bytes_of(float32x4_t x)
{
    x = vaddq_f32(x, vdupq_n_f32(128.0f));
    x = vminq_f32(vmaxq_f32(x, vdupq_n_f32(0.0f)), vdupq_n_f32(255.0f));
    return vmovn_u32(vcvtq_u32_f32(vaddq_f32(x, vdupq_n_f32(0.5f))));
}

void qnt__restore_u8_neon(const struct qnt__steps *s, const int16_t *levels, size_t blocks,
                          uint8_t *samples)
{
    for (size_t b = 0; b < blocks; b++, levels += 64, samples += 64) {
        float x[64];
        struct row y[8];
        for (int i = 0; i < 64; i += 4) {
            int16x4_t step = vreinterpret_s16_u16(vld1_u16(s->step + i));
            vst1q_f32(x + i, vcvtq_f32_s32(vmull_s16(vld1_s16(levels + i), step)));
        }
        product(x, qnt__cosine_turned, qnt__cosine, y);
        for (int i = 0; i < 8; i++) {
            uint16x8_t words = vcombine_u16(bytes_of(y[i].low), bytes_of(y[i].high));
            vst1_u8(samples + 8 * i, vmovn_u16(words));
        }
    }
}
