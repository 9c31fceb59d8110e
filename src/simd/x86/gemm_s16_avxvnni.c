/* Product of 16-bit integers with the VPDPWSSD of AVX-VNNI. */
#include "dot_avxvnni.h"
#include "wide_avx2.h"

#define ADD_PRODUCTS(sum0, sum1, x, w0, w1)                                                        \
    do {                                                                                           \
        const __m256i pair_ = broadcast_quad(&(x));                                                \
        DPWSSD(sum0, pair_, w0);                                                                   \
        DPWSSD(sum1, pair_, w1);                                                                   \
    } while (0)

#include "gemm_s16_avx2.h"

void qnt__gemm_s16_avxvnni(const struct qnt__gemm_s16 *g)
{
    multiply_words(g);
}
