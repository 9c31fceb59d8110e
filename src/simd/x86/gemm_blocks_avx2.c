/*
 * Matrix product with scales for blocks of k for AVX2. Weights are taken as they are stored; their zero
 * points come off the sums: sum x (w - z) = sum x w - z sum x.
 */
#include "../slots.h"
#include "narrow_avx2.h"

/* Weights below 8 bits. */
INLINE void multiply_row(const uint8_t *cell, size_t cells, int bits, const uint8_t *x, __m256i sum[2])
{
    narrow_row(cell, cells, bits, x, 1, sum);
}

#include "row_blocks_avx2.h"

typedef int32_t block_sums[QNT__BLOCK_ROWS][QNT__BLOCK_PANELS * QNT__PANEL];

/* Takes zero point and bias of 16 columns off their sums. */
static void subtract_zeros(const int8_t *zero, int bias, const int32_t *row_sum, size_t m,
                           int32_t *acc, size_t ld)
{
    for (int h = 0; h < 2; h++) {
        __m256i z = _mm256_set1_epi32(bias);
        if (zero) {
            __m128i bytes = _mm_loadl_epi64((const void *)(zero + 8 * h));
            z = _mm256_add_epi32(z, _mm256_cvtepi8_epi32(bytes));
        }
        for (size_t i = 0; i < m; i++) {
            __m256i *at = (void *)(acc + i * ld + 8 * h);
            __m256i share = _mm256_mullo_epi32(z, _mm256_set1_epi32(row_sum[i]));
            _mm256_storeu_si256(at, _mm256_sub_epi32(_mm256_loadu_si256(at), share));
        }
    }
}

/* y += float(sums of a block) * scale, for 16 columns of all rows. */
static void add_block(const struct qnt__gemm_blocks *g, const int32_t *acc, size_t ld,
                      const float *scale, float *y)
{
    for (size_t i = 0; i < g->m; i++, acc += ld, y += g->ld) {
        for (int h = 0; h < 2; h++) {
            __m256 sum = _mm256_cvtepi32_ps(_mm256_loadu_si256((const void *)(acc + 8 * h)));
            __m256 product = _mm256_mul_ps(sum, _mm256_loadu_ps(scale + 8 * h));
            _mm256_storeu_ps(y + 8 * h, _mm256_add_ps(_mm256_loadu_ps(y + 8 * h), product));
        }
    }
}

/* Sums of block b of all panels with 8-bit weights. */
static void multiply_wide(const struct qnt__gemm_blocks *g, size_t b, block_sums acc)
{
    const size_t ld = QNT__BLOCK_PANELS * QNT__PANEL;
    int32_t x[QNT__BLOCK_ROWS][QUADS][2];
    for (size_t k = 0; k < g->block; k += 4 * QUADS) {
        size_t left = (g->block - k) / 4, quads = left < QUADS ? left : QUADS;
        size_t first = b * g->block + k;
        for (size_t i = 0; i < g->m; i++) {
            widen_row((const uint8_t *)g->rows[i] + first, quads, 1, x[i]);
        }
        for (size_t p = 0; p < g->panels; p++) {
            const uint8_t *cell = g->weight + p * g->panel_bytes + first * QNT__PANEL;
            wide_rows(cell, quads, x, g->m, k > 0, &acc[0][p * QNT__PANEL], ld);
        }
    }
}

/* Sums of block b of all panels with biased weights below 8 bits. */
INLINE void multiply_narrow(const struct qnt__gemm_blocks *g, size_t b, int bits, block_sums acc)
{
    const size_t depth = qnt__cell_depth(bits), ld = QNT__BLOCK_PANELS * QNT__PANEL;
    const uint8_t *rows[QNT__BLOCK_ROWS];
    struct narrow chunk;
    for (size_t i = 0; i < g->m; i++) rows[i] = (const uint8_t *)g->rows[i];
    for (size_t k = 0; k < g->block; k += 4 * QUADS) {
        size_t left = g->block - k, cells = (left < 4 * QUADS ? left : 4 * QUADS) / depth;
        size_t first = b * g->block + k;
        for (size_t p = 0; p < g->panels; p++) {
            const uint8_t *w = g->weight + p * g->panel_bytes;
            narrow_cells(w + first / depth * qnt__cell_bytes(bits), cells, bits, 0, &chunk);
            narrow_rows(&chunk, rows, (ptrdiff_t)first, g->m, cells * depth / 4, narrow_run(bits), 1,
                        k > 0, &acc[0][p * QNT__PANEL], ld);
        }
    }
}

INLINE void all_blocks(const struct qnt__gemm_blocks *g, int bits)
{
    const int bias = bits == 8 ? 0 : 1 << (bits - 1);
    const size_t ld = QNT__BLOCK_PANELS * QNT__PANEL, columns = g->panels * QNT__PANEL;
    const size_t blocks = g->depth / g->block;
    int32_t row_sum[QNT__BLOCK_ROWS];
    block_sums acc;

    if (g->m == 1 && bits != 8) {
        one_row(g, bits);
        return;
    }
    for (size_t i = 0; i < g->m; i++) memset(g->y + i * g->ld, 0, columns * sizeof *g->y);
    for (size_t b = 0; b < blocks; b++) {
        if (bits == 8) multiply_wide(g, b, acc);
        else multiply_narrow(g, b, bits, acc);
        for (size_t i = 0; i < g->m; i++) row_sum[i] = sum_row(g->rows[i] + b * g->block, g->block);
        for (size_t p = 0; p < g->panels; p++) {
            size_t group = (p * blocks + b) * QNT__PANEL;
            int32_t *sums = &acc[0][p * QNT__PANEL];
            if (bias || g->zero) {
                subtract_zeros(g->zero ? g->zero + group : NULL, bias, row_sum, g->m, sums, ld);
            }
            add_block(g, sums, ld, g->scale + group, g->y + p * QNT__PANEL);
        }
    }
}

/* One copy of the code for each width. */
static void all_8(const struct qnt__gemm_blocks *g) { all_blocks(g, 8); }
static void all_4(const struct qnt__gemm_blocks *g) { all_blocks(g, 4); }
static void all_3(const struct qnt__gemm_blocks *g) { all_blocks(g, 3); }
static void all_2(const struct qnt__gemm_blocks *g) { all_blocks(g, 2); }

void qnt__gemm_blocks_avx2(const struct qnt__gemm_blocks *g)
{
    if (g->bits == 8) all_8(g);
    else if (g->bits == 4) all_4(g);
    else if (g->bits == 3) all_3(g);
    else all_2(g);
}
