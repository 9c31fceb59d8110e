/*
 * Packed numbers of levels into bytes. 128 bits hold four columns; where columns have tables of
 * their own, each of the four is looked up in its turn, and its dwords are taken.
 */
#include "expand_avx2.h"

#include "../slots.h"

/* The tables of the j-th column of each 128 bits of half a cell. */
INLINE __m256i own_table(const int8_t *levels, int half, int j)
{
    const __m128i *low = (const void *)(levels + 128 * half + 16 * j);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                   _mm_loadu_si128(low + 4), 1);
}

INLINE void expand_own(const struct qnt__expand *e, int bits)
{
    const size_t cell_bytes = qnt__cell_bytes(bits);
    const int fields = bits == 4 ? 2 : 4;
    for (int half = 0; half < 2; half++) {
        const __m256i t0 = own_table(e->levels, half, 0), t1 = own_table(e->levels, half, 1);
        const __m256i t2 = own_table(e->levels, half, 2), t3 = own_table(e->levels, half, 3);
        const uint8_t *cell = e->cell;
        uint8_t *to = e->out + 32 * half;
        for (size_t i = 0; i < e->cells; i++, cell += cell_bytes) {
            UNROLL for (int f = 0; f < fields; f++, to += 64)
            {
                __m256i field = half_field(cell, bits, f, half);
                __m256i a = _mm256_shuffle_epi8(t0, field), b = _mm256_shuffle_epi8(t1, field);
                __m256i c = _mm256_shuffle_epi8(t2, field), d = _mm256_shuffle_epi8(t3, field);
                a = _mm256_blend_epi32(a, b, 0xaa);
                c = _mm256_blend_epi32(c, d, 0xaa);
                _mm256_storeu_si256((void *)to, _mm256_blend_epi32(a, c, 0xcc));
            }
        }
    }
}

INLINE void expand(const struct qnt__expand *e, int bits)
{
    if (e->step)
        expand_own(e, bits);
    else
        expand_cells(e->cell, e->cells, bits, e->levels, e->out);
}

void qnt__expand_levels_avx2(const struct qnt__expand *e)
{
    if (e->bits == 4)
        expand(e, 4);
    else if (e->bits == 3)
        expand(e, 3);
    else
        expand(e, 2);
}
