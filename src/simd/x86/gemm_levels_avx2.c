/*
 * Products with packed numbers of levels: VPSHUFB looks them up, the product of bytes does the
 * rest. One row takes each level once, so there it is widened and multiplied where it is found.
 */
#include "expand_avx2.h"

#include "../levels.h"

/* The even two and the odd two k of each quad are multiplied as words. */
INLINE void one_row(const struct qnt__gemm *g, size_t panel, const int8_t *levels, int bits)
{
    const int fields = bits == 4 ? 2 : 4;
    const __m256i table = load_levels(levels, bits), low = _mm256_set1_epi32(0x00ff00ff);
    const uint8_t *w = g->weight + panel * g->panel_bytes;
    int32_t *to = g->acc + panel * QNT__PANEL;
    __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t t = 0; t < g->tap_count; t++, w += g->gap) {
        const uint8_t *x = g->rows[0] + g->taps[t], *end = x + g->depth;
        for (; x < end; w += qnt__cell_bytes(bits)) {
            UNROLL for (int f = 0; f < fields; f++, x += 4)
            {
                int32_t quad;
                memcpy(&quad, x, sizeof quad);
                __m256i bytes = _mm256_set1_epi32(quad), even = _mm256_and_si256(bytes, low);
                __m256i odd = _mm256_srli_epi16(bytes, 8);
                UNROLL for (int h = 0; h < 2; h++)
                {
                    __m256i level = _mm256_shuffle_epi8(table, half_field(w, bits, f, h));
                    __m256i even_level = _mm256_srai_epi16(_mm256_slli_epi16(level, 8), 8);
                    __m256i odd_level = _mm256_srai_epi16(level, 8);
                    sum[h] = _mm256_add_epi32(sum[h], _mm256_madd_epi16(even, even_level));
                    sum[h] = _mm256_add_epi32(sum[h], _mm256_madd_epi16(odd, odd_level));
                }
            }
        }
    }
    UNROLL for (int h = 0; h < 2; h++) _mm256_storeu_si256((void *)(to + 8 * h), sum[h]);
}

INLINE void all_rows(const struct qnt__gemm *g, const int8_t *levels, int bits)
{
    if (g->m > 1) {
        multiply_levels(g, levels, bits, qnt__gemm_s8_avx2);
        return;
    }
    for (size_t p = 0; p < g->panels; p++) one_row(g, p, levels, bits);
}

/* One copy of the code for each width. */
static void levels_4(const struct qnt__gemm *g, const int8_t *levels)
{
    all_rows(g, levels, 4);
}
static void levels_3(const struct qnt__gemm *g, const int8_t *levels)
{
    all_rows(g, levels, 3);
}
static void levels_2(const struct qnt__gemm *g, const int8_t *levels)
{
    all_rows(g, levels, 2);
}

void qnt__gemm_levels_avx2(const struct qnt__gemm *g, const int8_t *levels)
{
    if (g->bits == 4)
        levels_4(g, levels);
    else if (g->bits == 3)
        levels_3(g, levels);
    else
        levels_2(g, levels);
}
