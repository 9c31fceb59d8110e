/* Convolutions of digits in tiles, 16 bytes or 4 sums at a time. */
#include <arm_neon.h>

#include "../lowbit_packed.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 16 };

#define UNROLL _Pragma("GCC unroll 4")
#define GEMM_S8 qnt__gemm_s8_neon

#define NARROW_32(a, b)                                                                            \
    ((shorts)vcombine_s16(vmovn_s32((int32x4_t)(a)), vmovn_s32((int32x4_t)(b))))
#define NARROW_16(a, b)                                                                            \
    ((bytes)vcombine_u8(vmovn_u16((uint16x8_t)(a)), vmovn_u16((uint16x8_t)(b))))
#define ORDERED(a) (a)
#define RESTORED(a) (a)

#include "../lowbit_multiply.h"

#include "../lowbit_join.h"
#include "../lowbit_join_pairs.h"
#include "../lowbit_tile.h"

void qnt__tile_pixels_neon(const struct qnt__lowbit_pixels *p)
{
    tile_pixels(p);
}

void qnt__multiply_tiles_neon(const struct qnt__lowbit_products *p)
{
    multiply_tiles(p);
}

void qnt__join_tiles_neon(const struct qnt__lowbit_tiles *t)
{
    if (t->limit && t->wide) qnt__join_tiles_c(t); /* of multiply_taps, which is not for this level */
    else if (t->limit && t->triples) qnt__join_packed(t, qnt__join_tiles_neon, qnt__pack_lowbit_neon);
    else if (t->paired) join_tiles_of_pairs(t);
    else join_tiles(t);
}

void qnt__unpack_lowbit_neon(const uint8_t *x, size_t n, size_t channels, uint8_t *to,
                             size_t to_step)
{
    unpack_lowbit(x, n, channels, to, to_step);
}
