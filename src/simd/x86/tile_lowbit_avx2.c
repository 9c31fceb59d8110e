/* Convolutions of digits in tiles, 32 bytes or 8 sums at a time. */
#include <immintrin.h>

#include "../lowbit_packed.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 32 };

#define UNROLL _Pragma("GCC unroll 4")
#define GEMM_S8 qnt__gemm_s8_avx2

/* Lanes of 128 bits are packed apart: each has quarters of four columns. */
#define NARROW_32(a, b) ((shorts)_mm256_packs_epi32((__m256i)(a), (__m256i)(b)))
#define NARROW_16(a, b) ((bytes)_mm256_packus_epi16((__m256i)(a), (__m256i)(b)))
#define ORDERED(a) ((shorts)_mm256_permute4x64_epi64((__m256i)(a), 0xd8))
#define RESTORED(a)                                                                                \
    ((bytes)_mm256_permutevar8x32_epi32((__m256i)(a), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)))

#include "../lowbit_multiply.h"

#include "../lowbit_join.h"
#include "../lowbit_join_pairs.h"
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
    if (t->limit && t->wide) qnt__join_tiles_c(t); /* of multiply_taps, which is not for this level */
    else if (t->limit && t->triples) qnt__join_packed(t, qnt__join_tiles_avx2, qnt__pack_lowbit_avx2);
    else if (t->paired) join_tiles_of_pairs(t);
    else join_tiles(t);
}

void qnt__unpack_lowbit_avx2(const uint8_t *x, size_t n, size_t channels, uint8_t *to,
                             size_t to_step)
{
    unpack_lowbit(x, n, channels, to, to_step);
}
