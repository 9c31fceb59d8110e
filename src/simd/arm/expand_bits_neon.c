/* Bit planes as bytes: TBL repeats the byte with the bits of four k, each byte tests one of them. */
#include <arm_neon.h>

#include "../layout.h"
#include "../slots.h"
#include "plane_words_neon.h"

/* Half words of four columns of each plane. */
static void load_lanes(const uint64_t *b, size_t plane, size_t planes, size_t word,
                       uint32x4_t lanes[2][7])
{
    for (size_t i = 0; i < planes; i++, b += plane) {
        uint32x4_t x = vreinterpretq_u32_u64(load_word(b, word)),
                   y = vreinterpretq_u32_u64(load_word(b + 2, word));
        lanes[0][i] = vuzp1q_u32(x, y), lanes[1][i] = vuzp2q_u32(x, y);
    }
}

/* Where four k of lanes are, and which bits of a byte they are; there are 16 such quads in a word. */
struct quad {
    uint8x16_t at, bits;
};

static inline struct quad quad_of(size_t q)
{
    static const uint8_t lane[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
    const uint8x16_t low = vreinterpretq_u8_u32(vdupq_n_u32(0x08040201)), high = vshlq_n_u8(low, 4);
    return (struct quad){vaddq_u8(vld1q_u8(lane), vdupq_n_u8((uint8_t)(q / 2 % 4))),
                         q % 2 ? high : low};
}

/* Four codes of four columns: the bits of lanes, of each plane, that a quad picks, double. */
static inline uint8x16_t cell_of(const uint32x4_t *lanes, size_t planes, struct quad quad)
{
    uint8x16_t code = vdupq_n_u8((uint8_t)(1 - (1 << planes)));
    for (size_t i = 0; i < planes; i++) {
        uint8x16_t set = vtstq_u8(vqtbl1q_u8(vreinterpretq_u8_u32(lanes[i]), quad.at), quad.bits);
        code = vaddq_u8(code, vandq_u8(set, vdupq_n_u8((uint8_t)(2 << i))));
    }
    return code;
}

void qnt__expand_bits_neon(const struct qnt__expand_bits *e)
{
    for (size_t w = 0; w < e->words; w++) {
        for (size_t c = 0; c < QNT__PANEL; c += 4) {
            uint8_t *cells = e->cells + w * 1024 + 4 * c;
            uint32x4_t lanes[2][7];
            load_lanes(e->b + c, e->b_plane, e->planes, e->first + w, lanes);
            for (size_t q = 0; q < 16; q++, cells += 64)
                vst1q_u8(cells, cell_of(lanes[q / 8], e->planes, quad_of(q)));
        }
    }
}

void qnt__expand_seven_neon(const struct qnt__expand_seven *e)
{
    for (size_t w = 0; w < e->words; w++) {
        for (size_t c = 0; c < QNT__PANEL; c += 4) {
            uint32x4_t lanes[4][2][7];
            uint8x16_t x[4];
            for (size_t b = 0; b < 4; b++) {
                x[b] = vdupq_n_u8(0);
                if (e->b[b])
                    load_lanes(e->b[b] + c, e->b_plane, e->planes, e->first[b / 2] + w, lanes[b]);
            }
            for (size_t q = 0; q < 16; q++) {
                const size_t at = w * 1024 + q * 64 + 4 * c;
                const struct quad quad = quad_of(q);
                for (size_t b = 0; b < 4; b++) {
                    if (e->b[b]) x[b] = cell_of(lanes[b][q / 8], e->planes, quad);
                }
                vst1q_u8(e->out[0] + at, vaddq_u8(x[0], x[3]));
                vst1q_u8(e->out[1] + at, x[0]);
                vst1q_u8(e->out[2] + at, vsubq_u8(x[1], x[3]));
                vst1q_u8(e->out[3] + at, vsubq_u8(x[2], x[0]));
                vst1q_u8(e->out[4] + at, x[3]);
                vst1q_u8(e->out[5] + at, vaddq_u8(x[0], x[1]));
                vst1q_u8(e->out[6] + at, vaddq_u8(x[2], x[3]));
            }
        }
    }
}
