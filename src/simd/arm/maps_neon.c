/* Kernel maps: sums with a row in a lane, four numbers of four rows turned at a time. */
#include <arm_neon.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

INLINE float32x4_t step(float32x4_t p, float32x4_t r, float add)
{
    return vaddq_f32(vmulq_f32(p, r), vdupq_n_f32(add));
}

/* base/exponential.h */
INLINE float32x4_t exponential(float32x4_t x)
{
    const float32x4_t magic = vdupq_n_f32(12582912.0f);
    uint32x4_t there = vcgtq_f32(x, vdupq_n_f32(-87.0f));
    float32x4_t n = vmulq_f32(x, vdupq_n_f32(1.44269504f));
    n = vsubq_f32(vaddq_f32(n, magic), magic);
    float32x4_t r = vsubq_f32(x, vmulq_f32(n, vdupq_n_f32(0.693359375f)));
    r = vsubq_f32(r, vmulq_f32(n, vdupq_n_f32(-2.12194440e-4f)));
    float32x4_t p = vdupq_n_f32(1.0f / 720.0f);
    p = step(p, r, 1.0f / 120.0f);
    p = step(p, r, 1.0f / 24.0f);
    p = step(p, r, 1.0f / 6.0f);
    p = step(p, r, 0.5f);
    p = step(p, r, 1.0f);
    p = step(p, r, 1.0f);
    int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    p = vmulq_f32(p, vreinterpretq_f32_s32(power));
    return vreinterpretq_f32_u32(vandq_u32(there, vreinterpretq_u32_f32(p)));
}

void qnt__kernel_values_neon(const struct qnt__kernel_values *k)
{
    const float32x4_t slope = vdupq_n_f32(k->slope), zero = vdupq_n_f32(0.0f);
    for (size_t i = 0; i < k->m; i++) {
        const float32x4_t norm = vdupq_n_f32(k->norm[i]);
        for (size_t j = 0; j < k->n; j += 4) {
            float32x4_t t = vsubq_f32(vld1q_f32(k->x + i * k->ld + j), vld1q_f32(k->shift + j));
            t = vmulq_f32(slope, t);
            t = vbslq_f32(vcgtq_f32(t, zero), zero, t);
            t = vmulq_f32(vld1q_f32(k->factor + j), exponential(t));
            vst1q_f32(k->y + i * k->y_ld + j, vmulq_f32(norm, t));
        }
    }
}

INLINE float32x4_t add(float32x4_t sum, float32x4_t x, bool squares)
{
    return vaddq_f32(sum, squares ? vmulq_f32(x, x) : x);
}

INLINE void sum_rows(const float *x, size_t ld, size_t m, size_t depth, bool squares, float *sums)
{
    const float *row[4];
    float sum[4];
    float32x4_t s = vdupq_n_f32(0.0f);
    size_t k = 0;
    for (size_t i = 0; i < 4; i++) row[i] = x + (i < m ? i : m - 1) * ld;
    for (; k + 4 <= depth; k += 4) {
        float32x4x2_t ab = vtrnq_f32(vld1q_f32(row[0] + k), vld1q_f32(row[1] + k));
        float32x4x2_t cd = vtrnq_f32(vld1q_f32(row[2] + k), vld1q_f32(row[3] + k));
        s = add(s, vcombine_f32(vget_low_f32(ab.val[0]), vget_low_f32(cd.val[0])), squares);
        s = add(s, vcombine_f32(vget_low_f32(ab.val[1]), vget_low_f32(cd.val[1])), squares);
        s = add(s, vcombine_f32(vget_high_f32(ab.val[0]), vget_high_f32(cd.val[0])), squares);
        s = add(s, vcombine_f32(vget_high_f32(ab.val[1]), vget_high_f32(cd.val[1])), squares);
    }
    vst1q_f32(sum, s);
    for (size_t i = 0; i < m; i++) {
        for (size_t t = k; t < depth; t++) sum[i] += squares ? row[i][t] * row[i][t] : row[i][t];
        sums[i] = sum[i];
    }
}

void qnt__sums_f32_neon(const float *x, size_t ld, size_t m, size_t depth, bool squares,
                        float *sums)
{
    for (size_t i = 0; i < m; i += 4) {
        size_t some = m - i < 4 ? m - i : 4;
        if (squares)
            sum_rows(x + i * ld, ld, some, depth, true, sums + i);
        else
            sum_rows(x + i * ld, ld, some, depth, false, sums + i);
    }
}

/* Codes of four numbers: quotients, as the definition has them. */
INLINE int32x4_t round_codes(float32x4_t x, float32x4_t most, float32x4_t top)
{
    return vcvtnq_s32_f32(vmulq_f32(vdivq_f32(x, most), top));
}

int32_t qnt__round_f32_neon(const float *x, size_t n, float top, int32_t zero, uint8_t *codes)
{
    float32x4_t largest = vdupq_n_f32(0.0f);
    int32x4_t squares = vdupq_n_s32(0);
    size_t i = 0, tail = n & ~(size_t)7;
    float last[8] = {0}; /* what is left of x */
    uint8_t last_codes[8];
    __builtin_memcpy(last, x + tail, (n - tail) * sizeof *x);
    for (i = 0; i < tail; i += 4) largest = vmaxq_f32(largest, vabsq_f32(vld1q_f32(x + i)));
    for (i = 0; i < 8; i += 4) largest = vmaxq_f32(largest, vabsq_f32(vld1q_f32(last + i)));
    const float most = vmaxvq_f32(largest);
    if (!(most > 0.0f)) {
        __builtin_memset(codes, zero, n);
        return 0;
    }
    for (i = 0; i < n; i += 8) {
        const float *from = i < tail ? x + i : last;
        int32x4_t a = round_codes(vld1q_f32(from), vdupq_n_f32(most), vdupq_n_f32(top));
        int32x4_t b = round_codes(vld1q_f32(from + 4), vdupq_n_f32(most), vdupq_n_f32(top));
        squares = vmlaq_s32(vmlaq_s32(squares, a, a), b, b);
        int16x8_t words = vcombine_s16(vmovn_s32(a), vmovn_s32(b));
        words = vaddq_s16(words, vdupq_n_s16((int16_t)zero));
        vst1_u8(i < tail ? codes + i : last_codes, vreinterpret_u8_s8(vmovn_s16(words)));
    }
    __builtin_memcpy(codes + tail, last_codes, n - tail);
    return vaddvq_s32(squares);
}

/* A bit for each of eight numbers. */
INLINE uint64_t signs(const float *x)
{
    const uint32x4_t low = {1, 2, 4, 8}, high = {16, 32, 64, 128};
    uint32x4_t a = vandq_u32(vcgeq_f32(vld1q_f32(x), vdupq_n_f32(0.0f)), low);
    uint32x4_t b = vandq_u32(vcgeq_f32(vld1q_f32(x + 4), vdupq_n_f32(0.0f)), high);
    return vaddvq_u32(vorrq_u32(a, b));
}

void qnt__signs_f32_neon(const float *x, size_t n, uint64_t *bits, size_t words)
{
    uint64_t parity = 0;
    for (size_t w = 0; w < words; w++) {
        uint64_t own = 0;
        size_t i = 64 * w;
        for (; i < 64 * w + 64 && i + 8 <= n; i += 8) own |= signs(x + i) << i % 64;
        for (; i < 64 * w + 64 && i < n; i++) own |= (uint64_t)(x[i] >= 0.0f) << i % 64;
        parity ^= own;
        bits[w] = w % 2 ? parity : own;
    }
}

void qnt__add_rows_f32_neon(const float *x, size_t ld, const float *weight, size_t rows, size_t n,
                            float *y)
{
    size_t j = 0;
    for (; j + 4 <= n; j += 4) {
        float32x4_t sum = vld1q_f32(y + j);
        for (size_t i = 0; i < rows; i++)
            sum = vaddq_f32(sum, vmulq_f32(vdupq_n_f32(weight[i]), vld1q_f32(x + i * ld + j)));
        vst1q_f32(y + j, sum);
    }
    for (; j < n; j++)
        for (size_t i = 0; i < rows; i++) y[j] += weight[i] * x[i * ld + j];
}
