/*
 * Packed numbers of levels into bytes. 128 bits hold four columns; where columns have tables of
 * their own, each of the four is looked up in its turn, and its dwords are taken.
 */
#include "expand_avx2.h"

#include "../columns.h"
#include "../slots.h"

/* 16 levels of each fourth of 8 columns, the first one's at `levels`. */
INLINE __m256i own_levels(const int8_t *levels, size_t step)
{
    __m128i low = _mm_loadu_si128((const void *)levels);
    __m128i high = _mm_loadu_si128((const void *)(levels + 4 * step));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* The tables of the j-th column of each 128 bits of half a cell. */
INLINE __m256i own_table(const int8_t *levels, int half, int j)
{
    return own_levels(levels + 128 * half + 16 * j, 16);
}

/* The j-th dword of each 128 bits from the j-th vector. */
INLINE __m256i take_columns(__m256i a, __m256i b, __m256i c, __m256i d)
{
    return _mm256_blend_epi32(_mm256_blend_epi32(a, b, 0xaa), _mm256_blend_epi32(c, d, 0xaa), 0xcc);
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
                _mm256_storeu_si256((void *)to, take_columns(a, b, c, d));
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

static void expand_narrow(const struct qnt__expand *e)
{
    if (e->bits == 4)
        expand(e, 4);
    else if (e->bits == 3)
        expand(e, 3);
    else
        expand(e, 2);
}

/* Fields f of both halves of a cell of 5, 6 or 7 bits. */
INLINE void wide_fields(const uint8_t *cell, int bits, int f, uint8_t *to)
{
    const uint8_t *above = cell + QNT__CELL_HIGH;
    UNROLL for (int half = 0; half < 2; half++)
    {
        __m256i low = half_field(cell + 64 * (f / 2), 4, f % 2, half), high;
        if (bits == 5)
            high = _mm256_slli_epi16(third_bits(above + 8 * f + 4 * half), 2);
        else
            high = _mm256_slli_epi16(half_field(above, bits - 4, f, half), 4);
        _mm256_storeu_si256((void *)(to + 32 * half), _mm256_or_si256(low, high));
    }
}

/* 32 levels for each column: the fifth bit of a field tells which half of the table. */
static void expand_own_5(const struct qnt__expand *e)
{
    for (int half = 0; half < 2; half++) {
        const uint8_t *cell = e->cell;
        uint8_t *to = e->out + 32 * half;
        __m256i low[4], high[4], level[4];
        for (int j = 0; j < 4; j++) {
            const int8_t *levels = e->levels + 32 * (8 * half + j);
            low[j] = own_levels(levels, 32), high[j] = own_levels(levels + 16, 32);
        }
        for (size_t i = 0; i < e->cells; i++, cell += qnt__cell_bytes(5)) {
            UNROLL for (int f = 0; f < 4; f++, to += 64)
            {
                __m256i field = half_field(cell + 64 * (f / 2), 4, f % 2, half);
                __m256i fifth = third_bits(cell + QNT__CELL_HIGH + 8 * f + 4 * half);
                fifth = _mm256_slli_epi16(fifth, 5); /* the top bit of its byte */
                UNROLL for (int j = 0; j < 4; j++)
                {
                    level[j] = _mm256_blendv_epi8(_mm256_shuffle_epi8(low[j], field),
                                                  _mm256_shuffle_epi8(high[j], field), fifth);
                }
                _mm256_storeu_si256((void *)to,
                                    take_columns(level[0], level[1], level[2], level[3]));
            }
        }
    }
}

/* Numbers of levels first, then all of them are looked up. */
INLINE void expand_wide(const struct qnt__expand *e, int bits)
{
    const uint8_t *cell = e->cell;
    uint8_t *to = e->out;
    for (size_t i = 0; i < e->cells; i++, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < 4; f++, to += 64) wide_fields(cell, bits, f, to);
    }
    if (e->step)
        look_up_columns(e->levels, e->step, 4 * e->cells, e->out);
    else
        qnt__look_up_8_avx2((const void *)e->levels, bits, e->out, 256 * e->cells, e->out);
}

void qnt__expand_levels_avx2(const struct qnt__expand *e)
{
    if (e->bits == 7)
        expand_wide(e, 7);
    else if (e->bits == 6)
        expand_wide(e, 6);
    else if (e->bits == 5 && e->step)
        expand_own_5(e);
    else if (e->bits == 5)
        expand_wide(e, 5);
    else
        expand_narrow(e);
}
