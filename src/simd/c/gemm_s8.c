/* Portable definition of the integer matrix product, of codes and of levels that they stand for. Weights of
 * a cell are read once for all rows. */
#include <string.h>

#include "../layout.h"
#include "../slots.h"

enum { MOST = 16 /* k of a cell */ };

static int weight_of(const uint8_t *cell, int bits, const int8_t *levels, size_t c, size_t k)
{
    const int code = qnt__cell_code(cell, bits, c, k);
    return levels ? levels[code + (1 << (bits - 1))] : code;
}

/* Adds the products of a cell and of k from `k` on of all rows to the sums of a panel, modulo 2^32. */
static void add_cell(const struct qnt__gemm *g, const int8_t *levels, const uint8_t *cell,
                     ptrdiff_t k, int32_t *acc)
{
    const size_t depth = qnt__cell_depth(g->bits);
    int weight[MOST][QNT__PANEL];
    for (size_t c = 0; c < QNT__PANEL; c++)
        for (size_t j = 0; j < depth; j++) weight[j][c] = weight_of(cell, g->bits, levels, c, j);
    for (size_t i = 0; i < g->m; i++, acc += g->ld) {
        const uint8_t *a = g->rows[i] + k;
        uint32_t sum[QNT__PANEL];
        memcpy(sum, acc, sizeof sum);
        for (size_t j = 0; j < depth; j++)
            for (size_t c = 0; c < QNT__PANEL; c++) sum[c] += (uint32_t)(a[j] * weight[j][c]);
        memcpy(acc, sum, sizeof sum);
    }
}

static void multiply(const struct qnt__gemm *g, const int8_t *levels)
{
    const size_t cell_depth = qnt__cell_depth(g->bits), cell_bytes = qnt__cell_bytes(g->bits);
    for (size_t p = 0; p < g->panels; p++) {
        const uint8_t *cell = g->weight + p * g->panel_bytes;
        int32_t *acc = g->acc + p * QNT__PANEL;
        for (size_t i = 0; i < g->m; i++) {
            if (g->start) memcpy(acc + i * g->ld, g->start + p * QNT__PANEL, QNT__PANEL * sizeof *acc);
            else memset(acc + i * g->ld, 0, QNT__PANEL * sizeof *acc);
        }
        for (size_t t = 0; t < g->tap_count; t++, cell += g->gap)
            for (size_t k = 0; k < g->depth; k += cell_depth, cell += cell_bytes)
                add_cell(g, levels, cell, g->taps[t] + (ptrdiff_t)k, acc);
    }
}

void qnt__gemm_s8_c(const struct qnt__gemm *g)
{
    multiply(g, NULL);
}

void qnt__gemm_levels_c(const struct qnt__gemm *g, const int8_t *levels)
{
    multiply(g, levels);
}
