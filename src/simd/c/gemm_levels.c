/* Portable definition of the product with weights that are numbers of levels. */
#include "../layout.h"
#include "../slots.h"

/* One tap of one row and panel, added to the sums of its columns. */
static void add_tap(const struct qnt__gemm *g, const int8_t *levels, const uint8_t *a,
                    const uint8_t *cell, uint32_t *sum)
{
    size_t cell_depth = qnt__cell_depth(g->bits), cell_bytes = qnt__cell_bytes(g->bits);
    int bias = 1 << (g->bits - 1);
    for (size_t at = 0; at < g->depth; at += cell_depth, a += cell_depth, cell += cell_bytes) {
        for (size_t c = 0; c < QNT__PANEL; c++) {
            for (size_t k = 0; k < cell_depth; k++) {
                int level = levels[qnt__cell_code(cell, g->bits, c, k) + bias];
                sum[c] += (uint32_t)(a[k] * level);
            }
        }
    }
}

void qnt__gemm_levels_c(const struct qnt__gemm *g, const int8_t *levels)
{
    size_t tap_bytes = g->depth / qnt__cell_depth(g->bits) * qnt__cell_bytes(g->bits) + g->gap;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t p = 0; p < g->panels; p++) {
            uint32_t sum[QNT__PANEL] = {0}; /* unsigned: wraps modulo 2^32 */
            for (size_t t = 0; t < g->tap_count; t++) {
                const uint8_t *cells = g->weight + p * g->panel_bytes + t * tap_bytes;
                add_tap(g, levels, g->rows[i] + g->taps[t], cells, sum);
            }
            for (size_t c = 0; c < QNT__PANEL; c++) {
                g->acc[i * g->ld + p * QNT__PANEL + c] = (int32_t)sum[c];
            }
        }
    }
}
