/* Portable definition of the integer matrix product. */
#include "../layout.h"
#include "../slots.h"

void qnt__gemm_s8_c(const struct qnt__gemm *g)
{
    size_t cell_depth = qnt__cell_depth(g->bits), cell_bytes = qnt__cell_bytes(g->bits);
    size_t cells = g->depth / cell_depth;

    for (size_t i = 0; i < g->m; i++) {
        for (size_t p = 0; p < g->panels; p++) {
            const uint8_t *cell = g->weight + p * g->panel_bytes;
            uint32_t sum[QNT__PANEL] = {0}; /* unsigned: wraps modulo 2^32 */
            for (size_t t = 0; t < g->tap_count; t++, cell += g->gap) {
                const uint8_t *a = g->rows[i] + g->taps[t];
                for (size_t e = 0; e < cells; e++, a += cell_depth, cell += cell_bytes) {
                    for (size_t c = 0; c < QNT__PANEL; c++) {
                        for (size_t k = 0; k < cell_depth; k++) {
                            sum[c] += (uint32_t)(a[k] * qnt__cell_code(cell, g->bits, c, k));
                        }
                    }
                }
            }
            for (size_t c = 0; c < QNT__PANEL; c++) {
                g->acc[i * g->ld + p * QNT__PANEL + c] = (int32_t)sum[c];
            }
        }
    }
}
