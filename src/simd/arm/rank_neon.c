/*
 * Ranks among thresholds, and levels by code. TBL finds entries of tables of up to 16 floats; of
 * larger ones the lanes are loaded one by one.
 */
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "../pack_ranks.h"
#include "../slots.h"

enum { IN_REGISTERS = 4 /* steps */ };

/* Entry `index` (0..15) of a table of floats in four registers. */
static inline float32x4_t look_up_16(uint8x16x4_t table, uint32x4_t index)
{
    const uint32x4_t spread = vdupq_n_u32(0x04040404), byte = vdupq_n_u32(0x03020100);
    uint8x16_t at = vreinterpretq_u8_u32(vmlaq_u32(byte, index, spread));
    return vreinterpretq_f32_u8(vqtbl4q_u8(table, at));
}

static inline uint8x16x4_t load_table(const float few[16])
{
    const uint8_t *bytes = (const void *)few;
    return (uint8x16x4_t){
        {vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
}

static inline float32x4_t gather(const float *table, uint32x4_t index)
{
    float lanes[4] = {table[vgetq_lane_u32(index, 0)], table[vgetq_lane_u32(index, 1)],
                      table[vgetq_lane_u32(index, 2)], table[vgetq_lane_u32(index, 3)]};
    return vld1q_f32(lanes);
}

static inline uint32x4_t step_up(uint32x4_t rank, float32x4_t x, float32x4_t probe, uint32_t half)
{
    return vaddq_u32(rank, vandq_u32(vcgtq_f32(x, probe), vdupq_n_u32(half)));
}

static inline uint32x4_t rank_four(const struct qnt__thresholds *t, uint8x16x4_t table, int more,
                                   float32x4_t x)
{
    uint32x4_t rank = vdupq_n_u32(0);
    for (uint32_t half = 8; half > 0; half >>= 1) {
        float32x4_t probe = look_up_16(table, vaddq_u32(rank, vdupq_n_u32(half - 1)));
        rank = step_up(rank, x, probe, half);
    }
    rank = vshlq_u32(rank, vdupq_n_s32(more));
    for (uint32_t half = 1u << more >> 1; half > 0; half >>= 1) {
        rank = step_up(rank, x, gather(t->value + half - 1, rank), half);
    }
    uint32x4_t ordered = vceqq_f32(x, x);
    return vbslq_u32(ordered, rank, vdupq_n_u32((uint32_t)t->nan));
}

void qnt__rank_f32_neon(const struct qnt__thresholds *t, const float *x, size_t n, uint8_t *ranks)
{
    const int more = t->steps > IN_REGISTERS ? t->steps - IN_REGISTERS : 0;
    float few[16];
    for (int i = 0; i < 16; i++) {
        int at = ((i + 1) << more) - 1;
        few[i] = at < (1 << t->steps) - 1 ? t->value[at] : INFINITY;
    }
    const uint8x16x4_t table = load_table(few);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint16x4_t a = vmovn_u32(rank_four(t, table, more, vld1q_f32(x + i)));
        uint16x4_t b = vmovn_u32(rank_four(t, table, more, vld1q_f32(x + i + 4)));
        vst1_u8(ranks + i, vmovn_u16(vcombine_u16(a, b)));
    }
    qnt__rank_f32_c(t, x + i, n - i, ranks + i);
}

QNT__PACK_RANKS(qnt__pack_ranks_neon, neon, neon)

void qnt__look_up_f32_neon(const float *table, int bits, const uint8_t *codes, size_t n,
                           float *levels)
{
    float few[16] = {0};
    memcpy(few, table, sizeof(float) << (bits < 4 ? bits : 4));
    const uint8x16x4_t registers = load_table(few);
    const uint8x8_t legal = vdup_n_u8((uint8_t)((1 << bits) - 1));
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint16x8_t code = vmovl_u8(vand_u8(vld1_u8(codes + i), legal));
        uint32x4_t low = vmovl_u16(vget_low_u16(code)), high = vmovl_u16(vget_high_u16(code));
        vst1q_f32(levels + i, bits <= 4 ? look_up_16(registers, low) : gather(table, low));
        vst1q_f32(levels + i + 4, bits <= 4 ? look_up_16(registers, high) : gather(table, high));
    }
    qnt__look_up_f32_c(table, bits, codes + i, n - i, levels + i);
}
