/*
 * Matrix product with scales for blocks of k, with widening multiplications.
 *
 * sum a (w - zero) = sum a f - (bias + zero) sum a, where f are the stored fields and the bias is
 * 2^(bits - 1), or 0 for 8 bits; exact modulo 2^32, and the true sum fits. The four products of a
 * narrow cell add up in 16 bits; an 8-bit product stands alone there.
 */
#include "../slots.h"
#include "fields.h"

enum { TILE = 2, STEP = 16 }; /* rows in registers; k of one step, a divisor of every block */

/* One cell times the same k of `count` rows: fields first, first + 1, ... of the 16 k in `part`.
 * acc[r][2 q] and acc[r][2 q + 1] hold two sums each of the four columns of quarter q. */
INLINE void multiply_cell(int32x4_t acc[TILE][8], int8x16_t quad[TILE][4], int first,
                          const uint8_t *cell, int bits, int count)
{
    UNROLL for (int q = 0; q < 4; q++) {
        IN_ORDER;
        int16x8_t low[TILE], high[TILE];
        int8x16_t w = vreinterpretq_s8_u8(load_field(cell, bits, 0, q));
        UNROLL for (int r = 0; r < count; r++) {
            low[r] = vmull_s8(vget_low_s8(w), vget_low_s8(quad[r][first]));
            high[r] = vmull_high_s8(w, quad[r][first]);
        }
        UNROLL for (int f = 1; f < field_count(bits); f++) {
            w = vreinterpretq_s8_u8(load_field(cell, bits, f, q));
            UNROLL for (int r = 0; r < count; r++) {
                low[r] = vmlal_s8(low[r], vget_low_s8(w), vget_low_s8(quad[r][first + f]));
                high[r] = vmlal_high_s8(high[r], w, quad[r][first + f]);
            }
        }
        UNROLL for (int r = 0; r < count; r++) {
            acc[r][2 * q] = vpadalq_s16(acc[r][2 * q], low[r]);
            acc[r][2 * q + 1] = vpadalq_s16(acc[r][2 * q + 1], high[r]);
        }
    }
}

/* 16 k of one panel times `count` rows. */
INLINE void multiply_step(int32x4_t acc[TILE][8], int32x4_t sum[TILE], const int8_t *const *a,
                          size_t k, const uint8_t *cell, int bits, int count)
{
    int8x16_t quad[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        int8x16_t part = vld1q_s8(a[r] + k);
        int32x4_t word = vreinterpretq_s32_s8(part);
        sum[r] = vpadalq_s16(sum[r], vpaddlq_s8(part));
        quad[r][0] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 0));
        quad[r][1] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 1));
        quad[r][2] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 2));
        quad[r][3] = vreinterpretq_s8_s32(vdupq_laneq_s32(word, 3));
    }
    UNROLL for (int first = 0; first < 4; first += field_count(bits)) {
        multiply_cell(acc, quad, first, cell, bits, count);
        cell += qnt__cell_bytes(bits);
    }
}

/* y += float(acc - (bias + zero) sum) * scale for one block of one row; zero may be NULL. */
INLINE void add_block(float32x4_t y[4], const int32x4_t acc[8], int32_t sum, const float *scale,
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
        int32x4_t both = vpaddq_s32(acc[2 * q], acc[2 * q + 1]);
        float32x4_t exact = vcvtq_f32_s32(vmlsq_n_s32(both, offset, sum));
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
        int32x4_t acc[TILE][8], sum[TILE];
        UNROLL for (int r = 0; r < count; r++) {
            sum[r] = vdupq_n_s32(0);
            UNROLL for (int h = 0; h < 8; h++) acc[r][h] = vdupq_n_s32(0);
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
        if (i < g->m) multiply_tile(g, i, p, bits, 1);
    }
}

void qnt__gemm_blocks_neon(const struct qnt__gemm_blocks *g)
{
    switch (g->bits) {
    case 2: multiply(g, 2); break;
    case 3: multiply(g, 3); break;
    case 4: multiply(g, 4); break;
    default: multiply(g, 8); break;
    }
}
