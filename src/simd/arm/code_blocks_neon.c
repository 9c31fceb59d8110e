/*
 * Coding blocks, eight symbols at a time: levels with a symbol are listed one by one, those of some
 * blocks after each other; their sizes and low bits are side by side. Four symbols next to each
 * other mostly fit in a word and are joined before they are appended.
 */
#include <arm_neon.h>

#include "../code_blocks.h"
#include "../slots.h"

enum { LANES = 8 };

/* Four codes with the bits behind them. */
static inline void put_codes(struct qnt__code_writer *w, uint32x4_t value, uint32x4_t length)
{
    /* the first of each pair is in the low half of a 64-bit lane */
    uint64x2_t half = vdupq_n_u64(0xffffffff), values = vreinterpretq_u64_u32(value),
               lengths = vreinterpretq_u64_u32(length), second = vshrq_n_u64(lengths, 32);
    lengths = vaddq_u64(vandq_u64(lengths, half), second);
    values = vorrq_u64(vshlq_u64(vandq_u64(values, half), vreinterpretq_s64_u64(second)),
                       vshrq_n_u64(values, 32));
    uint64_t low = vgetq_lane_u64(lengths, 0), high = vgetq_lane_u64(lengths, 1);
    if (__builtin_expect(low + high > 56, 0)) {
        qnt__code_put(w, vgetq_lane_u64(values, 0), low);
        qnt__code_put(w, vgetq_lane_u64(values, 1), high);
    } else {
        qnt__code_put(w, vgetq_lane_u64(values, 0) << high | vgetq_lane_u64(values, 1), low + high);
    }
}

static void count_bytes(struct qnt__code_writer *w)
{
    uint64_t full = 0;
    size_t i = 0;
    for (; i + 16 <= w->at; i += 16) {
        uint8x16_t ones = vceqq_u8(vld1q_u8(w->buffer + i), vdupq_n_u8(0xff));
        full += vaddvq_u8(vshrq_n_u8(ones, 7));
    }
    for (; i < w->at; i++) full += w->buffer[i] == 0xff;
    qnt__code_count(w, full);
}

static void put_list(struct qnt__code_writer *w, const struct qnt__block_codes *codes,
                     struct qnt__symbols *list)
{
    const uint32_t *all = (const void *)codes; /* of both kinds */
    vst1q_s16(list->level + list->n, vdupq_n_s16(0));
    for (size_t i = 0; i < list->n; i += LANES) {
        const size_t there = list->n - i < LANES ? list->n - i : LANES;
        uint16_t number[LANES];
        uint32_t entry[LANES] = {0};
        int16x8_t v = vld1q_s16(list->level + i);
        /* bits of the magnitude */
        int16x8_t size = vsubq_s16(vdupq_n_s16(16), vclzq_s16(vabsq_s16(v)));
        uint16x8_t mask = vsubq_u16(vshlq_u16(vdupq_n_u16(1), size), vdupq_n_u16(1));
        uint16x8_t low = vandq_u16(vreinterpretq_u16_s16(vaddq_s16(v, vshrq_n_s16(v, 15))), mask);
        vst1q_u16(number, vaddq_u16(vld1q_u16(list->code + i), vreinterpretq_u16_s16(size)));
        for (size_t k = 0; k < there; k++) entry[k] = all[number[k]];
        for (size_t k = 0; k < LANES; k += 4) {
            uint32x4_t e = vld1q_u32(entry + k);
            uint32x4_t bits = vmovl_u16(k ? vget_high_u16(low) : vget_low_u16(low));
            put_codes(w, vorrq_u32(vshrq_n_u32(e, 5), bits), vandq_u32(e, vdupq_n_u32(31)));
        }
        if (w->at > QNT__CODE_BUFFER) count_bytes(w);
    }
    list->n = 0;
}

void qnt__code_blocks_neon(const struct qnt__block_codes *codes,
                           const struct qnt__coded_block *blocks, size_t n,
                           struct qnt__bit_stream *stream)
{
    qnt__code_lists(codes, blocks, n, stream, put_list, count_bytes);
}
