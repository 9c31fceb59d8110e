/* Portable definition of the matrix product with scales for blocks of k. */
#include "../layout.h"
#include "../slots.h"

void qnt__gemm_blocks_c(const struct qnt__gemm_blocks *g)
{
    size_t cell_depth = qnt__cell_depth(g->bits), cell_bytes = qnt__cell_bytes(g->bits);
    size_t blocks = g->depth / g->block, cells = g->block / cell_depth;

    for (size_t i = 0; i < g->m; i++) {
        for (size_t p = 0; p < g->panels; p++) {
            const uint8_t *cell = g->weight + p * g->panel_bytes;
            const int8_t *a = g->rows[i];
            float y[QNT__PANEL] = {0};
            for (size_t b = 0; b < blocks; b++) {
                size_t at = (p * blocks + b) * QNT__PANEL;
                int32_t sum[QNT__PANEL] = {0}; /* block <= 65536: below 2^31 */
                for (size_t e = 0; e < cells; e++, a += cell_depth, cell += cell_bytes) {
                    for (size_t c = 0; c < QNT__PANEL; c++) {
                        int zero = g->zero ? g->zero[at + c] : 0;
                        for (size_t k = 0; k < cell_depth; k++) {
                            sum[c] += a[k] * (qnt__cell_code(cell, g->bits, c, k) - zero);
                        }
                    }
                }
                for (size_t c = 0; c < QNT__PANEL; c++) {
                    float product = (float)sum[c] * g->scale[at + c];
                    y[c] = y[c] + product;
                }
            }
            for (size_t c = 0; c < QNT__PANEL; c++) g->y[i * g->ld + p * QNT__PANEL + c] = y[c];
        }
    }
}
