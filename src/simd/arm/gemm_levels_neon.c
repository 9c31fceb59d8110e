/* Products with packed numbers of levels: TBL looks them up, the product of bytes does the rest. */
#include "expand.h"
#include "../levels.h"

void qnt__gemm_levels_neon(const struct qnt__gemm *g, const int8_t *levels)
{
    switch (g->bits) {
    case 2: multiply_levels(g, levels, 2, qnt__gemm_s8_neon); break;
    case 3: multiply_levels(g, levels, 3, qnt__gemm_s8_neon); break;
    default: multiply_levels(g, levels, 4, qnt__gemm_s8_neon); break;
    }
}
