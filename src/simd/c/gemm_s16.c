/* Portable definition of the product of 16-bit integers. */
#include "../layout.h"
#include "../slots.h"

void qnt__gemm_s16_c(const struct qnt__gemm_s16 *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t p = 0; p < g->panels; p++) {
            const int16_t *cell = g->weight + p * g->panel_words;
            uint32_t sum[QNT__PANEL] = {0}; /* unsigned: wraps modulo 2^32 */
            for (size_t k = 0; k < g->depth; k += 2, cell += 2 * QNT__PANEL) {
                for (size_t c = 0; c < QNT__PANEL; c++) {
                    sum[c] += (uint32_t)(g->rows[i][k] * cell[2 * c]);
                    sum[c] += (uint32_t)(g->rows[i][k + 1] * cell[2 * c + 1]);
                }
            }
            for (size_t c = 0; c < QNT__PANEL; c++) {
                g->acc[i * g->ld + p * QNT__PANEL + c] = (int32_t)sum[c];
            }
        }
    }
}
