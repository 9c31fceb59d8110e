/* Products with packed numbers of levels: VPSHUFB looks them up, VPDPBUSD multiplies. */
#include "gemm_avxvnni.h"

INLINE void all_rows(const struct qnt__gemm *g, const int8_t *levels, int bits)
{
    if (g->m > 1) {
        multiply_packed(g, levels, bits);
        return;
    }
    for (size_t p = 0; p < g->panels; p++) levels_row(g, p, levels, bits);
}

/* One copy of the code for each width. */
static void levels_4(const struct qnt__gemm *g, const int8_t *levels) { all_rows(g, levels, 4); }
static void levels_3(const struct qnt__gemm *g, const int8_t *levels) { all_rows(g, levels, 3); }
static void levels_2(const struct qnt__gemm *g, const int8_t *levels) { all_rows(g, levels, 2); }

void qnt__gemm_levels_avxvnni(const struct qnt__gemm *g, const int8_t *levels)
{
    if (g->bits == 4) levels_4(g, levels);
    else if (g->bits == 3) levels_3(g, levels);
    else levels_2(g, levels);
}
