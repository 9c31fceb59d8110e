/*
 * The epilogues: four columns at a time. The last columns of a row go through the same steps in
 * partly filled registers.
 */
#include <string.h>

#include "../slots.h"
#include "fields.h"

/* count is 4, or less for the rest of a row. */
INLINE int32x4_t load_s32(const int32_t *p, size_t count)
{
    if (count == 4) return vld1q_s32(p);
    int32_t four[4] = {0};
    memcpy(four, p, count * sizeof *p);
    return vld1q_s32(four);
}

INLINE float32x4_t load_f32(const float *p, size_t count)
{
    if (count == 4) return vld1q_f32(p);
    float four[4] = {0};
    memcpy(four, p, count * sizeof *p);
    return vld1q_f32(four);
}

INLINE void store_f32(float *p, float32x4_t x, size_t count)
{
    if (count == 4) {
        vst1q_f32(p, x);
        return;
    }
    float four[4];
    vst1q_f32(four, x);
    memcpy(p, four, count * sizeof *p);
}

/* NaN passes through. */
INLINE float32x4_t clamp(float32x4_t x, float low, float high)
{
    float32x4_t l = vdupq_n_f32(low), h = vdupq_n_f32(high);
    x = vbslq_f32(vcltq_f32(x, l), l, x);
    return vbslq_f32(vcgtq_f32(x, h), h, x);
}

INLINE float32x4_t scaled_sum(const struct qnt__finish *f, size_t i, size_t j, size_t count)
{
    int32x4_t v = load_s32(f->acc + i * f->ld + j, count);
    if (f->a_zero) v = vmlsq_n_s32(v, load_s32(f->w_sum + j, count), f->a_zero[i]);
    if (f->w_zero) v = vmlsq_n_s32(v, load_s32(f->w_zero + j, count), f->a_sum[i]);
    float32x4_t x = vmulq_f32(vcvtq_f32_s32(v), load_f32(f->multiplier + j, count));
    if (f->row_scale) x = vmulq_n_f32(x, f->row_scale[i]);
    if (f->bias) x = vaddq_f32(x, load_f32(f->bias + j, count));
    return x;
}

INLINE void finish_floats(const struct qnt__finish *f, size_t i, size_t j, size_t count)
{
    float *y = (float *)f->y + i * f->y_ld + j;
    float32x4_t x = scaled_sum(f, i, j, count);
    if (f->accumulate) x = vaddq_f32(x, load_f32(y, count));
    store_f32(y, clamp(x, f->low, f->high), count);
}

void qnt__finish_s32_neon(const struct qnt__finish *f)
{
    for (size_t i = 0; i < f->m; i++) {
        size_t j = 0;
        for (; j + 4 <= f->n; j += 4) finish_floats(f, i, j, 4);
        if (j < f->n) finish_floats(f, i, j, f->n - j);
    }
}

/* The low halves of four codes. */
INLINE int16x4_t codes_4(const struct qnt__finish *f, size_t i, size_t j, size_t count)
{
    float32x4_t x = scaled_sum(f, i, j, count);
    x = clamp(vbslq_f32(vceqq_f32(x, x), x, vdupq_n_f32(0.0f)), f->low, f->high);
    return vmovn_s32(vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(f->zero)));
}

INLINE void finish_bytes(const struct qnt__finish *f, size_t i, size_t j, size_t count)
{
    int16x4_t codes = codes_4(f, i, j, count);
    uint8_t eight[8];
    vst1_u8(eight, vreinterpret_u8_s8(vmovn_s16(vcombine_s16(codes, codes))));
    memcpy((uint8_t *)f->y + i * f->y_ld + j, eight, count);
}

void qnt__finish_codes_neon(const struct qnt__finish *f)
{
    for (size_t i = 0; i < f->m; i++) {
        uint8_t *y = (uint8_t *)f->y + i * f->y_ld;
        size_t j = 0;
        for (; j + 8 <= f->n; j += 8) {
            int16x8_t codes = vcombine_s16(codes_4(f, i, j, 4), codes_4(f, i, j + 4, 4));
            vst1_u8(y + j, vreinterpret_u8_s8(vmovn_s16(codes)));
        }
        for (; j + 4 <= f->n; j += 4) finish_bytes(f, i, j, 4);
        if (j < f->n) finish_bytes(f, i, j, f->n - j);
    }
}

void qnt__finish_codes_16_neon(const struct qnt__finish *f)
{
    for (size_t i = 0; i < f->m; i++) {
        uint16_t *y = (uint16_t *)f->y + i * f->y_ld;
        for (size_t j = 0; j < f->n; j += 4) {
            const size_t count = f->n - j < 4 ? f->n - j : 4;
            uint16_t four[4];
            vst1_u16(four, vreinterpret_u16_s16(codes_4(f, i, j, count)));
            memcpy(y + j, four, count * sizeof *y);
        }
    }
}

INLINE void finish_sums(const struct qnt__finish_f32 *f, size_t i, size_t j, size_t count)
{
    float *y = f->y + i * f->y_ld + j;
    float32x4_t x = load_f32(f->acc + i * f->ld + j, count);
    if (f->row_scale) x = vmulq_n_f32(x, f->row_scale[i]);
    if (f->bias) x = vaddq_f32(x, load_f32(f->bias + j, count));
    if (f->accumulate) x = vaddq_f32(x, load_f32(y, count));
    store_f32(y, clamp(x, f->low, f->high), count);
}

void qnt__finish_f32_neon(const struct qnt__finish_f32 *f)
{
    for (size_t i = 0; i < f->m; i++) {
        size_t j = 0;
        for (; j + 4 <= f->n; j += 4) finish_sums(f, i, j, 4);
        if (j < f->n) finish_sums(f, i, j, f->n - j);
    }
}
