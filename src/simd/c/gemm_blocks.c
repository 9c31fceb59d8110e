/* Portable definition of the matrix product with scales for blocks of k. Weights of a cell are read once
 * for all rows. */
#include "../layout.h"
#include "../slots.h"

enum { MOST = 16 /* k of a cell */ };

/* Adds the products of a cell and of k from `k` on of all rows; a block of up to 65536 stays below 2^31. */
static void add_cell(const struct qnt__gemm_blocks *g, const uint8_t *cell, const int8_t *zero,
                     size_t k, int32_t sum[][QNT__PANEL])
{
    const size_t depth = qnt__cell_depth(g->bits);
    int weight[MOST][QNT__PANEL];
    for (size_t c = 0; c < QNT__PANEL; c++)
        for (size_t j = 0; j < depth; j++)
            weight[j][c] = qnt__cell_code(cell, g->bits, c, j) - (zero ? zero[c] : 0);
    for (size_t i = 0; i < g->m; i++) {
        const int8_t *a = g->rows[i] + k;
        for (size_t j = 0; j < depth; j++)
            for (size_t c = 0; c < QNT__PANEL; c++) sum[i][c] += a[j] * weight[j][c];
    }
}

void qnt__gemm_blocks_c(const struct qnt__gemm_blocks *g)
{
    const size_t cell_depth = qnt__cell_depth(g->bits), cell_bytes = qnt__cell_bytes(g->bits);
    for (size_t p = 0; p < g->panels; p++) {
        const uint8_t *cell = g->weight + p * g->panel_bytes;
        float *y = g->y + p * QNT__PANEL;
        for (size_t i = 0; i < g->m; i++)
            for (size_t c = 0; c < QNT__PANEL; c++) y[i * g->ld + c] = 0;
        for (size_t first = 0; first < g->depth; first += g->block) {
            const size_t at = (p * g->depth + first) / g->block * QNT__PANEL;
            int32_t sum[QNT__BLOCK_ROWS][QNT__PANEL] = {{0}};
            for (size_t k = 0; k < g->block; k += cell_depth, cell += cell_bytes)
                add_cell(g, cell, g->zero ? g->zero + at : NULL, first + k, sum);
            for (size_t i = 0; i < g->m; i++) {
                for (size_t c = 0; c < QNT__PANEL; c++) {
                    const float product = (float)sum[i][c] * g->scale[at + c];
                    y[i * g->ld + c] = y[i * g->ld + c] + product;
                }
            }
        }
    }
}
