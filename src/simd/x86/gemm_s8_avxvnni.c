/* Integer matrix product with the VPDPBUSD of AVX-VNNI: exact, one instruction for 32 products. */
#include "gemm_avxvnni.h"

INLINE void one_row(const struct qnt__gemm *g, int bits)
{
    int32_t sum;
    qnt__sum_rows_avx2(g->rows, 1, g->taps, g->tap_count, g->depth, &sum);
    const int32_t start = (int32_t)(0 - ((uint32_t)sum << (bits - 1)));
    for (size_t p = 0; p < g->panels; p++) fields_row(g, p, bits, start);
}

/* The code of a field is its level. */
INLINE void narrow(const struct qnt__gemm *g, int bits)
{
    int8_t codes[16];
    if (g->m == 1 && g->tap_count * (g->depth / qnt__cell_depth(bits)) <= ROW_CELLS) {
        one_row(g, bits);
        return;
    }
    for (int u = 0; u < 16; u++) codes[u] = (int8_t)(u - (1 << (bits - 1)));
    multiply_packed(g, codes, bits);
}

/* One copy of the code for each width. */
static void narrow_4(const struct qnt__gemm *g) { narrow(g, 4); }
static void narrow_3(const struct qnt__gemm *g) { narrow(g, 3); }
static void narrow_2(const struct qnt__gemm *g) { narrow(g, 2); }

void qnt__gemm_s8_avxvnni(const struct qnt__gemm *g)
{
    if (g->bits == 8) multiply_bytes(g, 0);
    else if (g->bits == 4) narrow_4(g);
    else if (g->bits == 3) narrow_3(g);
    else narrow_2(g);
}
