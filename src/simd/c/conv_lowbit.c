#include "../slots.h"

static int32_t dot(unsigned a, unsigned b)
{
    return (int32_t)((a & 3) * (b & 3) + (a >> 2 & 3) * (b >> 2 & 3) + (a >> 4 & 3) * (b >> 4 & 3));
}

void qnt__conv_lowbit_c(const struct qnt__lowbit *g)
{
    for (size_t i = 0; i < g->m; i++) {
        int32_t *acc = g->acc + i * QNT__LOWBIT_COLUMNS;
        for (int c = 0; c < QNT__LOWBIT_COLUMNS; c++) acc[c] = 0;
        for (size_t t = 0; t < g->triples; t++) {
            for (size_t p = 0; p < g->tap_count; p++) {
                const uint8_t *weight = g->weight + (t * g->tap_count + p) * QNT__LOWBIT_COLUMNS;
                uint8_t x = g->x[g->taps[p] + (ptrdiff_t)(i * g->step + t)];
                for (int c = 0; c < QNT__LOWBIT_COLUMNS; c++) acc[c] += dot(x, weight[c]);
            }
        }
    }
}
