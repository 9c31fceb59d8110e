/* Products of tiles with UDOT. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define GEMM_S8 qnt__gemm_s8_neondot

enum { VECTOR = 16 };

#include "../lowbit_multiply.h"

void qnt__multiply_tiles_neondot(const struct qnt__lowbit_products *p)
{
    multiply_tiles(p);
}
