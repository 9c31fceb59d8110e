/*
 * Matrix product with scales for blocks of k, with SDOT.
 *
 * sum a (w - zero) = sum a f - (bias + zero) sum a, where f are the stored fields and the bias is
 * 2^(bits - 1), or 0 for 8 bits; exact modulo 2^32, and the true sum fits.
 */
#include "../slots.h"
#include "fields.h"

enum { TILE = 4, STEP = 16 }; /* rows in registers; k of one step, a divisor of every block */

/* 16 k of one panel times `count` rows. */
INLINE void multiply_step(int32x4_t acc[TILE][4], int32x4_t sum[TILE], const int8_t *const *a,
                          size_t k, const uint8_t *cell, int bits, int count)
{
    int8x16_t part[TILE];
    UNROLL for (int r = 0; r < count; r++) {
        part[r] = vld1q_s8(a[r] + k);
        sum[r] = vdotq_s32(sum[r], part[r], vdupq_n_s8(1));
    }
    UNROLL for (int lane = 0; lane < 4; lane++) {
        const uint8_t *at = cell + (size_t)(lane / field_count(bits)) * qnt__cell_bytes(bits);
        UNROLL for (int q = 0; q < 4; q++) {
            IN_ORDER;
            uint8x16_t raw = load_field(at, bits, lane % field_count(bits), q);
            int8x16_t w = vreinterpretq_s8_u8(raw);
            UNROLL for (int r = 0; r < count; r++) {
                int32x4_t x = acc[r][q];
                acc[r][q] = lane == 0 ? vdotq_laneq_s32(x, w, part[r], 0)
                          : lane == 1 ? vdotq_laneq_s32(x, w, part[r], 1)
                          : lane == 2 ? vdotq_laneq_s32(x, w, part[r], 2)
                                      : vdotq_laneq_s32(x, w, part[r], 3);
            }
        }
    }
}

/* y += float(acc - (bias + zero) sum) * scale for one block of one row; zero may be NULL. */
INLINE void add_block(float32x4_t y[4], const int32x4_t acc[4], int32_t sum, const float *scale,
                      const int8_t *zero, int32_t bias)
{
    UNROLL for (int q = 0; q < 4; q++) {
        int32x4_t offset = vdupq_n_s32(bias);
        if (zero) {
            int32_t four;
            memcpy(&four, zero + 4 * q, sizeof four);
            int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
            offset = vaddw_s16(offset, vget_low_s16(wide));
        }
        float32x4_t exact = vcvtq_f32_s32(vmlsq_n_s32(acc[q], offset, sum));
        y[q] = vaddq_f32(y[q], vmulq_f32(exact, vld1q_f32(scale + 4 * q)));
    }
}

INLINE void multiply_tile(const struct qnt__gemm_blocks *g, size_t row, size_t panel, int bits,
                          int count)
{
    size_t step_bytes = STEP / qnt__cell_depth(bits) * qnt__cell_bytes(bits);
    size_t blocks = g->depth / g->block, at = panel * blocks * QNT__PANEL, k = 0;
    const uint8_t *cell = g->weight + panel * g->panel_bytes;
    const int8_t *const *a = g->rows + row;
    float32x4_t y[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        UNROLL for (int q = 0; q < 4; q++) y[r][q] = vdupq_n_f32(0.0f);
    }
    for (size_t b = 0; b < blocks; b++, at += QNT__PANEL) {
        int32x4_t acc[TILE][4], sum[TILE];
        UNROLL for (int r = 0; r < count; r++) {
            sum[r] = vdupq_n_s32(0);
            UNROLL for (int q = 0; q < 4; q++) acc[r][q] = vdupq_n_s32(0);
        }
        for (size_t end = k + g->block; k < end; k += STEP, cell += step_bytes) {
            multiply_step(acc, sum, a, k, cell, bits, count);
        }
        UNROLL for (int r = 0; r < count; r++) {
            const int8_t *zero = g->zero ? g->zero + at : NULL;
            int32_t bias = bits == 8 ? 0 : 1 << (bits - 1);
            add_block(y[r], acc[r], vaddvq_s32(sum[r]), g->scale + at, zero, bias);
        }
    }
    UNROLL for (int r = 0; r < count; r++) {
        float *out = g->y + (row + (size_t)r) * g->ld + panel * QNT__PANEL;
        UNROLL for (int q = 0; q < 4; q++) vst1q_f32(out + 4 * q, y[r][q]);
    }
}

INLINE void multiply(const struct qnt__gemm_blocks *g, int bits)
{
    for (size_t p = 0; p < g->panels; p++) {
        size_t i = 0;
        for (; i + TILE <= g->m; i += TILE) multiply_tile(g, i, p, bits, TILE);
        switch (g->m - i) {
        case 3: multiply_tile(g, i, p, bits, 3); break;
        case 2: multiply_tile(g, i, p, bits, 2); break;
        case 1: multiply_tile(g, i, p, bits, 1); break;
        default: break;
        }
    }
}

void qnt__gemm_blocks_neondot(const struct qnt__gemm_blocks *g)
{
    switch (g->bits) {
    case 2: multiply(g, 2); break;
    case 3: multiply(g, 3); break;
    case 4: multiply(g, 4); break;
    default: multiply(g, 8); break;
    }
}
