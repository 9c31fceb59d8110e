/* Product of 16-bit integers with VPMADDWD. */
#include "wide_avx2.h"

#define ADD_PRODUCTS MULTIPLY_ADD

#include "gemm_s16_avx2.h"

void qnt__gemm_s16_avx2(const struct qnt__gemm_s16 *g)
{
    multiply_words(g);
}
