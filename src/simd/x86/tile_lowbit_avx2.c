/* Convolutions of digits in tiles, 32 bytes or 8 sums at a time. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 32 };

#define GEMM_S8 qnt__gemm_s8_avx2

#include "../lowbit_join.h"
#include "../lowbit_tile.h"

void qnt__tile_pixels_avx2(const struct qnt__lowbit_pixels *p)
{
    tile_pixels(p);
}

void qnt__multiply_tiles_avx2(const struct qnt__lowbit_products *p)
{
    multiply_tiles(p);
}

void qnt__join_tiles_avx2(const struct qnt__lowbit_tiles *t)
{
    join_tiles(t);
}

void qnt__unpack_lowbit_avx2(const uint8_t *x, size_t n, size_t channels, uint8_t *to,
                             size_t to_step)
{
    unpack_lowbit(x, n, channels, to, to_step);
}
