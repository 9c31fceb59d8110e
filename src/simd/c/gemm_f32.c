/* Portable definition of the float matrix product in the order of k. */
#include "../layout.h"
#include "../slots.h"

void qnt__gemm_f32_c(const struct qnt__gemm_f32 *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t p = 0; p < g->panels; p++) {
            const float *w = g->weight + p * g->tap_count * g->depth * QNT__PANEL;
            float sum[QNT__PANEL] = {0};
            for (size_t t = 0; t < g->tap_count; t++) {
                const float *a = g->rows[i] + g->taps[t];
                for (size_t k = 0; k < g->depth; k++, w += QNT__PANEL) {
                    for (size_t c = 0; c < QNT__PANEL; c++) {
                        float product = a[k] * w[c];
                        sum[c] = sum[c] + product;
                    }
                }
            }
            for (size_t c = 0; c < QNT__PANEL; c++) g->y[i * g->ld + p * QNT__PANEL + c] = sum[c];
        }
    }
}
