/* Weights and sums of products of words: UZP parts pairs of k of eight columns; two sums at a time. */
#include <arm_neon.h>

#include "../expand_words.h"

static inline uint16x8x2_t pairs_of(const uint8_t *cells)
{
    uint16x8_t low = vreinterpretq_u16_u8(vld1q_u8(cells));
    uint16x8_t high = vreinterpretq_u16_u8(vld1q_u8(cells + 16));
    return vuzpq_u16(low, high);
}

static void pair_codes(const uint8_t *cells, size_t n, uint8_t *pairs)
{
    for (size_t e = 0; e < n; e++, cells += 64, pairs += 64) {
        uint16x8x2_t a = pairs_of(cells), b = pairs_of(cells + 32);
        vst1q_u8(pairs, vreinterpretq_u8_u16(a.val[0]));
        vst1q_u8(pairs + 16, vreinterpretq_u8_u16(b.val[0]));
        vst1q_u8(pairs + 32, vreinterpretq_u8_u16(a.val[1]));
        vst1q_u8(pairs + 48, vreinterpretq_u8_u16(b.val[1]));
    }
}

QNT__EXPAND_WORDS(neon, qnt__expand_levels_neon, pair_codes, qnt__look_up_16_neon)

void qnt__split_words_neon(int16_t *words, size_t n, int16_t *high)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        int16x8_t w = vld1q_s16(words + i);
        vst1q_s16(high + i, vrshrq_n_s16(w, 8));
        vst1q_s16(words + i, vshrq_n_s16(vshlq_n_s16(w, 8), 8));
    }
    qnt__split_words_c(words + i, n - i, high + i);
}

void qnt__bytes_of_words_neon(const int16_t *words, size_t n, uint8_t *low, uint8_t *high)
{
    const uint16x8_t top = vdupq_n_u16(0x8000);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint16x8_t w = veorq_u16(vreinterpretq_u16_s16(vld1q_s16(words + i)), top);
        vst1_u8(low + i, vmovn_u16(w));
        vst1_u8(high + i, vshrn_n_u16(w, 8));
    }
    qnt__bytes_of_words_c(words + i, n - i, low + i, high + i);
}

void qnt__add_parts_f64_neon(double *sum, const int32_t *part, size_t n, double factor)
{
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        float64x2_t term = vcvtq_f64_s64(vmovl_s32(vld1_s32(part + i)));
        vst1q_f64(sum + i, vaddq_f64(vld1q_f64(sum + i), vmulq_n_f64(term, factor)));
    }
    qnt__add_parts_f64_c(sum + i, part + i, n - i, factor);
}

void qnt__residues_255_neon(const int16_t *words, size_t n, uint8_t *residues)
{
    const int16x8_t all = vdupq_n_s16(255), most = vdupq_n_s16(254);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        int16x8_t w = vld1q_s16(words + i);
        int16x8_t r = vaddq_s16(vshrq_n_s16(w, 8), vandq_s16(w, all)); /* 256 is 1 */
        r = vaddq_s16(r, vandq_s16(vshrq_n_s16(r, 15), all));
        r = vsubq_s16(r, vandq_s16(vreinterpretq_s16_u16(vcgtq_s16(r, most)), all));
        vst1_u8(residues + i, vmovn_u16(vreinterpretq_u16_s16(r)));
    }
    qnt__residues_255_c(words + i, n - i, residues + i);
}

void qnt__add_residues_f64_neon(double *sum, const int32_t *low, const int32_t *residue, size_t n)
{
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        float64x2_t s = vcvtq_f64_s64(vmovl_s32(vld1_s32(low + i)));
        float64x2_t q = vsubq_f64(vcvtq_f64_s64(vmovl_s32(vld1_s32(residue + i))), s);
        float64x2_t times = vrndnq_f64(vmulq_n_f64(q, 1.0 / 255.0));
        q = vsubq_f64(q, vmulq_n_f64(times, 255.0));
        s = vaddq_f64(s, vmulq_n_f64(q, 4294967296.0));
        vst1q_f64(sum + i, vaddq_f64(vld1q_f64(sum + i), s));
    }
    qnt__add_residues_f64_c(sum + i, low + i, residue + i, n - i);
}

void qnt__scale_sums_f64_neon(double *sum, const float *scale, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        float32x2_t product = vmul_f32(vcvt_f32_f64(vld1q_f64(sum + i)), vld1_f32(scale + i));
        vst1_f32(y + i, vadd_f32(vld1_f32(y + i), product));
        vst1q_f64(sum + i, vdupq_n_f64(0.0));
    }
    qnt__scale_sums_f64_c(sum + i, scale + i, n - i, y + i);
}

void qnt__join_words_neon(const struct qnt__join_words *j, size_t n, float *y)
{
    const float64x2_t row = vdupq_n_f64(j->row);
    size_t i = 0;
    for (; i + 2 <= n; i += 2) {
        float64x2_t sum = vsubq_f64(row, vmulq_n_f64(vld1q_f64(j->column + i), j->zero));
        for (size_t p = 0; p < j->parts; p++) {
            float64x2_t part = vcvtq_f64_s64(vmovl_s32(vld1_s32(j->acc[p] + i)));
            sum = vaddq_f64(sum, vmulq_n_f64(part, j->factor[p]));
        }
        float32x2_t product = vmul_f32(vcvt_f32_f64(sum), vld1_f32(j->scale + i));
        vst1_f32(y + i, vadd_f32(vdup_n_f32(0.0f), product));
    }
    if (i == n) return;
    struct qnt__join_words rest = *j;
    for (size_t p = 0; p < j->parts; p++) rest.acc[p] += i;
    rest.column += i, rest.scale += i;
    qnt__join_words_c(&rest, n - i, y + i);
}
