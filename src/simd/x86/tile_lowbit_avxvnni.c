/* Products of tiles with the VPDPBUSD of AVX-VNNI. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define GEMM_S8 qnt__gemm_s8_avxvnni

enum { VECTOR = 32 };

#include "../lowbit_multiply.h"

void qnt__multiply_tiles_avxvnni(const struct qnt__lowbit_products *p)
{
    multiply_tiles(p);
}
