/* The same with the product of bytes by UDOT. */
#include "expand.h"
#include "../levels.h"

void qnt__gemm_levels_neondot(const struct qnt__gemm *g, const int8_t *levels)
{
    switch (g->bits) {
    case 2: multiply_levels(g, levels, 2, qnt__gemm_s8_neondot); break;
    case 3: multiply_levels(g, levels, 3, qnt__gemm_s8_neondot); break;
    default: multiply_levels(g, levels, 4, qnt__gemm_s8_neondot); break;
    }
}
