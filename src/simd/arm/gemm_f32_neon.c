/* Float matrix product in the order of k: a multiplication, then an addition, never fused. */
#include "../slots.h"
#include "fields.h"

enum { TILE = 4 }; /* rows in registers */

INLINE void multiply_tile(const struct qnt__gemm_f32 *g, size_t row, size_t panel, int count)
{
    const float *w = g->weight + panel * g->tap_count * g->depth * QNT__PANEL;
    float32x4_t sum[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        UNROLL for (int q = 0; q < 4; q++) sum[r][q] = vdupq_n_f32(0.0f);
    }
    for (size_t t = 0; t < g->tap_count; t++) {
        const float *a[TILE];
        UNROLL for (int r = 0; r < count; r++) a[r] = g->rows[row + (size_t)r] + g->taps[t];
        for (size_t k = 0; k < g->depth; k++, w += QNT__PANEL) {
            float32x4_t v[4];
            UNROLL for (int q = 0; q < 4; q++) v[q] = vld1q_f32(w + 4 * q);
            UNROLL for (int r = 0; r < count; r++) {
                IN_ORDER;
                float32x4_t x = vld1q_dup_f32(a[r] + k);
                UNROLL for (int q = 0; q < 4; q++) {
                    sum[r][q] = vaddq_f32(sum[r][q], vmulq_f32(x, v[q]));
                }
            }
        }
    }
    UNROLL for (int r = 0; r < count; r++) {
        float *out = g->y + (row + (size_t)r) * g->ld + panel * QNT__PANEL;
        UNROLL for (int q = 0; q < 4; q++) vst1q_f32(out + 4 * q, sum[r][q]);
    }
}

void qnt__gemm_f32_neon(const struct qnt__gemm_f32 *g)
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
