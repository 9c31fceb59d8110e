/* Product of 16-bit integers with SMLAL: LD2 parts the even from the odd k of eight columns. */
#include "../slots.h"
#include "fields.h"

enum { TILE = 4 }; /* rows in registers */

/* Two neighbours of a row, by one load; SMLAL takes them from their lanes. */
INLINE int16x4_t load_pair(const int16_t *a)
{
    int32_t pair;
    memcpy(&pair, a, sizeof pair);
    return vreinterpret_s16_s32(vdup_n_s32(pair));
}

INLINE void multiply_tile(const struct qnt__gemm_s16 *g, size_t row, size_t panel, int count)
{
    const size_t depth = g->depth, ld = g->ld;
    const int16_t *cell = g->weight + panel * g->panel_words, *rows[TILE];
    int32_t *to = g->acc + row * ld + panel * QNT__PANEL;
    int32x4_t acc[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        rows[r] = g->rows[row + (size_t)r];
        UNROLL for (int q = 0; q < 4; q++) acc[r][q] = vdupq_n_s32(0);
    }
    for (size_t k = 0; k < depth; k += 2, cell += 2 * QNT__PANEL) {
        int16x8x2_t w[2] = {vld2q_s16(cell), vld2q_s16(cell + QNT__PANEL)};
        UNROLL for (int r = 0; r < count; r++) {
            const int16x4_t pair = load_pair(rows[r] + k);
            UNROLL for (int h = 0; h < 2; h++) {
                const int16x8_t even = w[h].val[0], odd = w[h].val[1];
                int32x4_t *low = &acc[r][2 * h], *high = low + 1;
                *low = vmlal_lane_s16(*low, vget_low_s16(even), pair, 0);
                *high = vmlal_high_lane_s16(*high, even, pair, 0);
                *low = vmlal_lane_s16(*low, vget_low_s16(odd), pair, 1);
                *high = vmlal_high_lane_s16(*high, odd, pair, 1);
            }
        }
    }
    UNROLL for (int r = 0; r < count; r++) {
        UNROLL for (int q = 0; q < 4; q++) vst1q_s32(to + (size_t)r * ld + 4 * q, acc[r][q]);
    }
}

void qnt__gemm_s16_neon(const struct qnt__gemm_s16 *g)
{
    for (size_t p = 0; p < g->panels; p++) {
        size_t i = 0;
        for (; i + TILE <= g->m; i += TILE) multiply_tile(g, i, p, TILE);
        switch (g->m - i) {
        case 3: multiply_tile(g, i, p, 3); break;
        case 2: multiply_tile(g, i, p, 2); break;
        case 1: multiply_tile(g, i, p, 1); break;
        default: break;
        }
    }
}
