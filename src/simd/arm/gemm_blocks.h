/*
 * Tiles of a matrix product with scales for blocks of k. What includes this has TILE, the most rows of a
 * tile, STEP, the k of one step, a divisor of every block, SUMS, the vectors that hold the sums of a row
 * and a panel, and functions: multiply_step() adds a step's products, quarter() has the sums of four
 * columns.
 *
 * sum a (w - zero) = sum a f - (bias + zero) sum a, where f are the stored fields and the bias is
 * 2^(bits - 1), or 0 for 8 bits; exact modulo 2^32, and the true sum fits.
 */

/* y += float(acc - (bias + zero) sum) * scale for one block of one row; zero may be NULL. */
INLINE void add_block(float32x4_t y[4], const int32x4_t acc[SUMS], int32_t sum, const float *scale,
                      const int8_t *zero, int32_t bias)
{
    UNROLL for (int q = 0; q < 4; q++)
    {
        int32x4_t offset = vdupq_n_s32(bias);
        if (zero) {
            int32_t four;
            memcpy(&four, zero + 4 * q, sizeof four);
            int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
            offset = vaddw_s16(offset, vget_low_s16(wide));
        }
        float32x4_t exact = vcvtq_f32_s32(vmlsq_n_s32(quarter(acc, q), offset, sum));
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
    UNROLL for (int r = 0; r < count; r++)
    {
        UNROLL for (int q = 0; q < 4; q++) y[r][q] = vdupq_n_f32(0.0f);
    }
    for (size_t b = 0; b < blocks; b++, at += QNT__PANEL) {
        int32x4_t acc[TILE][SUMS], sum[TILE];
        UNROLL for (int r = 0; r < count; r++)
        {
            sum[r] = vdupq_n_s32(0);
            UNROLL for (int i = 0; i < SUMS; i++) acc[r][i] = vdupq_n_s32(0);
        }
        for (size_t end = k + g->block; k < end; k += STEP, cell += step_bytes) {
            multiply_step(acc, sum, a, k, cell, bits, count);
        }
        UNROLL for (int r = 0; r < count; r++)
        {
            const int8_t *zero = g->zero ? g->zero + at : NULL;
            int32_t bias = bits == 8 ? 0 : 1 << (bits - 1);
            add_block(y[r], acc[r], vaddvq_s32(sum[r]), g->scale + at, zero, bias);
        }
    }
    UNROLL for (int r = 0; r < count; r++)
    {
        float *out = g->y + (row + (size_t)r) * g->ld + panel * QNT__PANEL;
        UNROLL for (int q = 0; q < 4; q++) vst1q_f32(out + 4 * q, y[r][q]);
    }
}

INLINE void multiply(const struct qnt__gemm_blocks *g, int bits)
{
    for (size_t p = 0; p < g->panels; p++) {
        size_t i = 0;
        for (; i + TILE <= g->m; i += TILE) multiply_tile(g, i, p, bits, TILE);
        const size_t rest = g->m - i;
        if (TILE > 2 && rest == 3)
            multiply_tile(g, i, p, bits, 3);
        else if (TILE > 2 && rest == 2)
            multiply_tile(g, i, p, bits, 2);
        else if (rest > 0)
            multiply_tile(g, i, p, bits, 1);
    }
}

INLINE void multiply_blocks(const struct qnt__gemm_blocks *g)
{
    switch (g->bits) {
    case 2: multiply(g, 2); break;
    case 3: multiply(g, 3); break;
    case 4: multiply(g, 4); break;
    default: multiply(g, 8); break;
    }
}
