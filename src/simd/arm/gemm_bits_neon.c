/* Differing bits of planes with CNT: populations of bytes, added as bytes, then widened. */
#include <arm_neon.h>

#include "../layout.h"
#include "../slots.h"

enum { PAIRS = QNT__PANEL / 2, RUN = 31 /* pairs of words whose populations bytes hold */ };

static inline uint8x16_t population(uint64x2_t x)
{
    return vcntq_u8(vreinterpretq_u8_u64(x));
}

static inline uint64x2_t not_u64(uint64x2_t x)
{
    return vreinterpretq_u64_u8(vmvnq_u8(vreinterpretq_u8_u64(x)));
}

static inline uint64x2_t sum_bytes(uint8x16_t x)
{
    return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(x)));
}

/* Differing bits of one row's plane and four vectors of two columns. */
static inline void count(const uint64_t *a, const uint64_t *b, size_t words, uint64x2_t out[4])
{
    uint64x2_t parity[4], carries[4];
    for (int h = 0; h < 4; h++) parity[h] = carries[h] = vdupq_n_u64(0);
    for (size_t w = 0; w < words;) {
        size_t end = words - w > 2 * RUN ? w + 2 * RUN : words;
        uint8x16_t bytes[4];
        for (int h = 0; h < 4; h++) bytes[h] = vdupq_n_u8(0);
        for (; w < end; w += 2, b += 2 * QNT__PANEL) {
            uint64x2_t a0 = vdupq_n_u64(a[w]), a1 = vdupq_n_u64(a[w + 1]);
            for (int h = 0; h < 4; h++) {
                uint64x2_t x = veorq_u64(vld1q_u64(b + 2 * h), a0);
                uint64x2_t s = veorq_u64(vld1q_u64(b + 2 * h + QNT__PANEL), a1);
                uint64x2_t odd = veorq_u64(x, parity[h]);
                bytes[h] = vaddq_u8(bytes[h], population(vbslq_u64(odd, not_u64(s), parity[h])));
                parity[h] = s;
            }
        }
        for (int h = 0; h < 4; h++) carries[h] = vaddq_u64(carries[h], sum_bytes(bytes[h]));
    }
    for (int h = 0; h < 4; h++) {
        out[h] = vaddq_u64(vaddq_u64(carries[h], carries[h]), sum_bytes(population(parity[h])));
    }
}

void qnt__gemm_bits_neon(const struct qnt__gemm_bits *g)
{
    for (size_t p = 0; p < g->panels; p++) {
        for (size_t q = 0; q < PAIRS; q += 4) {
            const uint64_t *b = g->b + p * g->b_panel + 2 * q;
            for (size_t i = 0; i < g->m; i++) {
                const uint64_t *a = g->a + i * g->a_row;
                uint64x2_t sum[4], found[4];
                for (int h = 0; h < 4; h++) sum[h] = vdupq_n_u64(0);
                for (size_t j = g->planes; j-- > 0;) {
                    count(a + j * g->a_plane, b, g->words, found);
                    for (int h = 0; h < 4; h++)
                        sum[h] = vaddq_u64(vaddq_u64(sum[h], sum[h]), found[h]);
                }
                int32_t *to = g->acc + i * g->ld + p * QNT__PANEL + 2 * q;
                for (int h = 0; h < 4; h++) {
                    vst1_s32(to + 2 * h, vreinterpret_s32_u32(
                                             vmovn_u64(vshlq_u64(sum[h], vdupq_n_s64(g->shift)))));
                }
            }
        }
    }
}

/* ---- blocks ---- */

/* Words of a block, of one row and eight columns, from word `first` on: differing bits, or those in
 * common with numbers. Words in pairs are parities; `before` and x are the odd and the even one before,
 * of differences or of the columns. */
static inline void count_block(const uint64_t *a, const uint64_t *b, size_t first, size_t words,
                               bool numbers, uint64x2_t before[4], uint64x2_t x[4],
                               uint64x2_t sum[4])
{
    uint8x16_t bytes[4];
    for (int h = 0; h < 4; h++) sum[h] = vdupq_n_u64(0), bytes[h] = vdupq_n_u8(0);
    for (size_t w = first; w < first + words; w++) {
        uint64x2_t row = vdupq_n_u64(a[w]);
        for (int h = 0; h < 4; h++) {
            uint64x2_t d = vld1q_u64(b + w * QNT__PANEL + 2 * h);
            if (!numbers) d = veorq_u64(d, row);
            x[h] = w % 2 ? veorq_u64(veorq_u64(d, x[h]), before[h]) : d;
            if (w % 2) before[h] = d;
            bytes[h] = vaddq_u8(bytes[h], population(numbers ? vandq_u64(x[h], row) : x[h]));
        }
        if ((w - first) % RUN < RUN - 1 && w + 1 < first + words) continue;
        for (int h = 0; h < 4; h++) {
            sum[h] = vaddq_u64(sum[h], sum_bytes(bytes[h]));
            bytes[h] = vdupq_n_u8(0);
        }
    }
}

/* y + float(2 d - less) coef of four columns. */
static inline float32x4_t add_block(float32x4_t y, uint64x2_t low, uint64x2_t high, int32_t less,
                                    float32x4_t coef)
{
    int32x4_t d = vreinterpretq_s32_u32(vcombine_u32(vmovn_u64(low), vmovn_u64(high)));
    int32x4_t v = vsubq_s32(vaddq_s32(d, d), vdupq_n_s32(less));
    return vaddq_f32(y, vmulq_f32(vcvtq_f32_s32(v), coef));
}

/* One row and eight columns from column c of a panel on. Minus 0 leaves what is added to it. */
static inline void row_of_blocks(const struct qnt__count_blocks *f, size_t i, size_t panel,
                                 size_t c, bool numbers)
{
    const struct qnt__gemm_bits *g = &f->bits;
    const uint64_t *a = g->a + i * g->a_row, *b = g->b + panel * g->b_panel + c;
    const float *coef = f->coef + panel * QNT__PANEL + c;
    float *to = f->y + i * f->y_ld + panel * QNT__PANEL + c;
    float32x4_t y[2] = {vdupq_n_f32(-0.0f), vdupq_n_f32(-0.0f)};
    if (f->add) y[0] = vld1q_f32(to), y[1] = vld1q_f32(to + 4);
    uint64x2_t before[4], x[4], sum[4];
    for (int h = 0; h < 4; h++) before[h] = x[h] = vdupq_n_u64(0);
    for (size_t t = 0; t < f->blocks; t++, coef += f->coef_ld) {
        count_block(a, b, t * f->block, f->block, numbers, before, x, sum);
        const int32_t less = numbers ? f->sums[i * f->blocks + t] : (int32_t)(64 * f->block);
        y[0] = add_block(y[0], sum[0], sum[1], less, vmulq_n_f32(vld1q_f32(coef), f->by));
        y[1] = add_block(y[1], sum[2], sum[3], less, vmulq_n_f32(vld1q_f32(coef + 4), f->by));
    }
    vst1q_f32(to, y[0]), vst1q_f32(to + 4, y[1]);
}

static inline void all_blocks(const struct qnt__count_blocks *f, bool numbers)
{
    for (size_t p = 0; p < f->bits.panels; p++) {
        for (size_t c = 0; c < QNT__PANEL; c += 8)
            for (size_t i = 0; i < f->bits.m; i++) row_of_blocks(f, i, p, c, numbers);
    }
}

void qnt__count_blocks_neon(const struct qnt__count_blocks *f)
{
    if (f->sums)
        all_blocks(f, true);
    else
        all_blocks(f, false);
}
