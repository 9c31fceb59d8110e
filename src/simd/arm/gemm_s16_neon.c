/* Product of 16-bit integers with SMLAL: LD2 parts the even from the odd k of eight columns. */
#include "../slots.h"
#include "fields.h"

enum { TILE = 4 }; /* rows in registers */

INLINE void multiply_tile(const struct qnt__gemm_s16 *g, size_t row, size_t panel, int count)
{
    const int16_t *cell = g->weight + panel * g->panel_words;
    int32x4_t acc[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        UNROLL for (int q = 0; q < 4; q++) acc[r][q] = vdupq_n_s32(0);
    }
    for (size_t k = 0; k < g->depth; k += 2, cell += 2 * QNT__PANEL) {
        int16x8x2_t w[2] = {vld2q_s16(cell), vld2q_s16(cell + QNT__PANEL)};
        UNROLL for (int r = 0; r < count; r++) {
            const int16_t *a = g->rows[row + (size_t)r] + k;
            UNROLL for (int j = 0; j < 2; j++) {
                UNROLL for (int h = 0; h < 2; h++) {
                    int16x8_t v = w[h].val[j];
                    acc[r][2 * h] = vmlal_n_s16(acc[r][2 * h], vget_low_s16(v), a[j]);
                    acc[r][2 * h + 1] = vmlal_high_n_s16(acc[r][2 * h + 1], v, a[j]);
                }
            }
        }
    }
    UNROLL for (int r = 0; r < count; r++) {
        int32_t *to = g->acc + (row + (size_t)r) * g->ld + panel * QNT__PANEL;
        UNROLL for (int q = 0; q < 4; q++) vst1q_s32(to + 4 * q, acc[r][q]);
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
