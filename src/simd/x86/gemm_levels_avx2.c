/* Products with packed numbers of levels: VPSHUFB looks them up, the product of bytes does the rest. */
#include "narrow_avx2.h"

INLINE void expand_cells(const uint8_t *cell, size_t cells, int bits, const int8_t *levels, uint8_t *to)
{
    int8_t all[16] = {0};
    memcpy(all, levels, (size_t)1 << bits);
    const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)all));
    const int fields = bits == 4 ? 2 : 4;
    for (size_t e = 0; e < cells; e++, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < fields; f++, to += 64) {
            UNROLL for (int half = 0; half < 2; half++) {
                __m256i level = _mm256_shuffle_epi8(table, half_field(cell, bits, f, half));
                _mm256_storeu_si256((void *)(to + 32 * half), level);
            }
        }
    }
}

#include "../levels.h"

/* One copy of the code for each width. */
static void levels_4(const struct qnt__gemm *g, const int8_t *levels)
{
    multiply_levels(g, levels, 4, qnt__gemm_s8_avx2);
}

static void levels_3(const struct qnt__gemm *g, const int8_t *levels)
{
    multiply_levels(g, levels, 3, qnt__gemm_s8_avx2);
}

static void levels_2(const struct qnt__gemm *g, const int8_t *levels)
{
    multiply_levels(g, levels, 2, qnt__gemm_s8_avx2);
}

void qnt__gemm_levels_avx2(const struct qnt__gemm *g, const int8_t *levels)
{
    if (g->bits == 4) levels_4(g, levels);
    else if (g->bits == 3) levels_3(g, levels);
    else levels_2(g, levels);
}
