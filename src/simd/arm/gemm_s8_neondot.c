/*
 * Integer matrix product with UDOT.
 *
 * Weights are taken as unsigned, w + 128 or the stored field, as the rows are, and what that adds,
 * 2^(bits - 1) times the row's sum, is taken off at the end: a row's sum is cheaper than the
 * columns' sums, which a signed product of (a - 128) would need. All sums wrap modulo 2^32 alike.
 */
#include "../slots.h"
#include "fields.h"

enum { TILE = 4 }; /* rows in registers */

INLINE uint8x16_t unsigned_field(const uint8_t *cell, int bits, int f, int q)
{
    uint8x16_t w = load_field(cell, bits, f, q);
    return bits == 8 ? veorq_u8(w, vdupq_n_u8(0x80)) : w;
}

/* One cell times the same k of `count` rows. */
INLINE void multiply_cell(uint32x4_t acc[TILE][4], const uint8_t *const *a, size_t k,
                          const uint8_t *cell, int bits, int count)
{
    UNROLL for (int f = 0; f < field_count(bits); f++) {
        uint8x16_t w[4];
        IN_ORDER;
        UNROLL for (int q = 0; q < 4; q++) w[q] = unsigned_field(cell, bits, f, q);
        UNROLL for (int r = 0; r < count; r++) {
            uint8x16_t quad = load_quad(a[r] + k + 4 * f);
            UNROLL for (int q = 0; q < 4; q++) acc[r][q] = vdotq_u32(acc[r][q], w[q], quad);
        }
    }
}

INLINE void multiply_tile(const struct qnt__gemm *g, size_t row, size_t panel,
                          const int32_t *row_sums, int bits, int count)
{
    qnt__ask_now(&g->results, row, (size_t)count, panel, g->panels);
    size_t cell_depth = qnt__cell_depth(bits), cell_bytes = qnt__cell_bytes(bits);
    const uint8_t *cell = g->weight + panel * g->panel_bytes;
    uint32x4_t acc[TILE][4];
    UNROLL for (int r = 0; r < count; r++) {
        uint32_t surplus = (uint32_t)row_sums[row + (size_t)r] << (bits - 1);
        UNROLL for (int q = 0; q < 4; q++) {
            acc[r][q] = vdupq_n_u32(0u - surplus);
            if (!g->start) continue;
            const int32x4_t start = vld1q_s32(g->start + panel * QNT__PANEL + 4 * q);
            acc[r][q] = vaddq_u32(acc[r][q], vreinterpretq_u32_s32(start));
        }
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
        UNROLL for (int q = 0; q < 4; q++) vst1q_s32(out + 4 * q, vreinterpretq_s32_u32(acc[r][q]));
    }
}

INLINE void multiply(const struct qnt__gemm *g, int bits)
{
    int32_t row_sums[QNT__GEMM_ROWS];
    qnt__sum_rows_neondot(g->rows, g->m, g->taps, g->tap_count, g->depth, row_sums);
    for (size_t p = 0; p < g->panels; p++) {
        size_t i = 0;
        for (; i + TILE <= g->m; i += TILE) multiply_tile(g, i, p, row_sums, bits, TILE);
        switch (g->m - i) {
        case 3: multiply_tile(g, i, p, row_sums, bits, 3); break;
        case 2: multiply_tile(g, i, p, row_sums, bits, 2); break;
        case 1: multiply_tile(g, i, p, row_sums, bits, 1); break;
        default: break;
        }
    }
}

void qnt__gemm_s8_neondot(const struct qnt__gemm *g)
{
    switch (g->bits) {
    case 2: multiply(g, 2); break;
    case 3: multiply(g, 3); break;
    case 4: multiply(g, 4); break;
    default: multiply(g, 8); break;
    }
}
