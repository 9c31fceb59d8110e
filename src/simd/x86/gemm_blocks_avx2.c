/* Matrix product with scales for blocks of k for AVX2: zero points are taken off while widening. */
#include "../slots.h"
#include "wide_avx2.h"

/* bias + zero point of 16 columns, each twice in 16 bits. */
INLINE void block_zero(const struct qnt__gemm_blocks *g, size_t group, int bits, __m256i zero[2])
{
    const int bias = bits == 8 ? 0 : 1 << (bits - 1);
    for (int h = 0; h < 2; h++) {
        zero[h] = _mm256_set1_epi16((short)bias);
        if (!g->zero) continue;
        __m128i bytes = _mm_loadl_epi64((const void *)(g->zero + group + 8 * h));
        __m256i words = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(bytes, bytes));
        zero[h] = _mm256_add_epi16(zero[h], words);
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

/* Integer sums of block b of all panels. */
INLINE void multiply_block(const struct qnt__gemm_blocks *g, size_t b, int bits,
                           int32_t acc[QNT__BLOCK_ROWS][QNT__BLOCK_PANELS * QNT__PANEL])
{
    const size_t cell_depth = qnt__cell_depth(bits), blocks = g->depth / g->block;
    struct wide chunk;
    for (size_t k = 0; k < g->block; k += 4 * QUADS) {
        size_t left = (g->block - k) / 4, quads = left < QUADS ? left : QUADS;
        size_t first = b * g->block + k, cells = 4 * quads / cell_depth;
        for (size_t i = 0; i < g->m; i++) {
            widen_row((const uint8_t *)g->rows[i] + first, quads, 1, chunk.x[i]);
        }
        for (size_t p = 0; p < g->panels; p++) {
            const uint8_t *w = g->weight + p * g->panel_bytes;
            __m256i zero[2];
            block_zero(g, (p * blocks + b) * QNT__PANEL, bits, zero);
            widen_cells(w + first / cell_depth * qnt__cell_bytes(bits), cells, bits, zero, chunk.w);
            wide_rows(&chunk, g->m, quads, k > 0, &acc[0][p * QNT__PANEL],
                      QNT__BLOCK_PANELS * QNT__PANEL);
        }
    }
}

INLINE void all_blocks(const struct qnt__gemm_blocks *g, int bits)
{
    int32_t acc[QNT__BLOCK_ROWS][QNT__BLOCK_PANELS * QNT__PANEL];
    size_t blocks = g->depth / g->block, columns = g->panels * QNT__PANEL;

    for (size_t i = 0; i < g->m; i++) memset(g->y + i * g->ld, 0, columns * sizeof *g->y);
    for (size_t b = 0; b < blocks; b++) {
        multiply_block(g, b, bits, acc);
        for (size_t p = 0; p < g->panels; p++) {
            add_block(g, &acc[0][p * QNT__PANEL], QNT__BLOCK_PANELS * QNT__PANEL,
                      g->scale + (p * blocks + b) * QNT__PANEL, g->y + p * QNT__PANEL);
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
