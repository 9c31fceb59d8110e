/*
 * Integer matrix product with widening multiplications.
 *
 * Weights are taken as unsigned, w + 128 or the stored field: one product then fits 16 bits, as do
 * the four of a narrow cell, and pairs are added to 32 bits without saturation. What that adds to a
 * sum, 2^(bits - 1) times the row's sum, is taken off at the end. All sums wrap modulo 2^32 alike.
 */
#include "../slots.h"
#include "fields.h"

enum { TILE = 2 }; /* rows in registers */

INLINE uint8x16_t unsigned_field(const uint8_t *cell, int bits, int f, int q)
{
    uint8x16_t w = load_field(cell, bits, f, q);
    return bits == 8 ? veorq_u8(w, vdupq_n_u8(0x80)) : w;
}

/* One cell times the same k of `count` rows. acc[r][2 q] and acc[r][2 q + 1] hold two sums each of
 * the four columns of quarter q. */
INLINE void multiply_cell(uint32x4_t acc[TILE][8], const uint8_t *const *a, size_t k,
                          const uint8_t *cell, int bits, int count)
{
    uint8x16_t quad[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        UNROLL for (int f = 0; f < field_count(bits); f++) quad[r][f] = load_quad(a[r] + k + 4 * f);
    }
    UNROLL for (int q = 0; q < 4; q++) {
        IN_ORDER;
        uint16x8_t low[TILE], high[TILE];
        uint8x16_t w = unsigned_field(cell, bits, 0, q);
        UNROLL for (int r = 0; r < count; r++) {
            low[r] = vmull_u8(vget_low_u8(w), vget_low_u8(quad[r][0]));
            high[r] = vmull_high_u8(w, quad[r][0]);
        }
        UNROLL for (int f = 1; f < field_count(bits); f++) {
            w = unsigned_field(cell, bits, f, q);
            UNROLL for (int r = 0; r < count; r++) {
                low[r] = vmlal_u8(low[r], vget_low_u8(w), vget_low_u8(quad[r][f]));
                high[r] = vmlal_high_u8(high[r], w, quad[r][f]);
            }
        }
        UNROLL for (int r = 0; r < count; r++) {
            acc[r][2 * q] = vpadalq_u16(acc[r][2 * q], low[r]);
            acc[r][2 * q + 1] = vpadalq_u16(acc[r][2 * q + 1], high[r]);
        }
    }
}

INLINE void multiply_tile(const struct qnt__gemm *g, size_t row, size_t panel,
                          const int32_t *row_sums, int bits, int count)
{
    qnt__ask_now(&g->results, row, (size_t)count, panel, g->panels);
    size_t cell_depth = qnt__cell_depth(bits), cell_bytes = qnt__cell_bytes(bits);
    const uint8_t *cell = g->weight + panel * g->panel_bytes;
    uint32x4_t acc[TILE][8];
    UNROLL for (int r = 0; r < count; r++) {
        UNROLL for (int h = 0; h < 8; h++) acc[r][h] = vdupq_n_u32(0);
    }
    for (size_t t = 0; t < g->tap_count; t++, cell += g->gap) {
        const uint8_t *a[TILE];
        UNROLL for (int r = 0; r < count; r++) a[r] = g->rows[row + (size_t)r] + g->taps[t];
        for (size_t k = 0; k < g->depth; k += cell_depth, cell += cell_bytes) {
            multiply_cell(acc, a, k, cell, bits, count);
        }
    }
    UNROLL for (int r = 0; r < count; r++) {
        int32_t *out = g->acc + (row + (size_t)r) * g->ld + panel * QNT__PANEL;
        uint32x4_t surplus = vdupq_n_u32((uint32_t)row_sums[row + (size_t)r] << (bits - 1));
        UNROLL for (int q = 0; q < 4; q++) {
            uint32x4_t sum = vpaddq_u32(acc[r][2 * q], acc[r][2 * q + 1]);
            if (g->start) {
                const int32x4_t start = vld1q_s32(g->start + panel * QNT__PANEL + 4 * q);
                sum = vaddq_u32(sum, vreinterpretq_u32_s32(start));
            }
            vst1q_s32(out + 4 * q, vreinterpretq_s32_u32(vsubq_u32(sum, surplus)));
        }
    }
}

INLINE void multiply(const struct qnt__gemm *g, int bits)
{
    int32_t row_sums[QNT__GEMM_ROWS];
    qnt__sum_rows_neon(g->rows, g->m, g->taps, g->tap_count, g->depth, row_sums);
    for (size_t p = 0; p < g->panels; p++) {
        size_t i = 0;
        for (; i + TILE <= g->m; i += TILE) multiply_tile(g, i, p, row_sums, bits, TILE);
        if (i < g->m) multiply_tile(g, i, p, row_sums, bits, 1);
    }
}

void qnt__gemm_s8_neon(const struct qnt__gemm *g)
{
    switch (g->bits) {
    case 2: multiply(g, 2); break;
    case 3: multiply(g, 3); break;
    case 4: multiply(g, 4); break;
    default: multiply(g, 8); break;
    }
}
