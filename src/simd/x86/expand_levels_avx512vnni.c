/*
 * Packed numbers of levels into bytes with VPSHUFB. 128 bits hold four columns; where columns have
 * tables of their own, each of the four is looked up in its turn, of 32 levels each half.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"

/* 16 levels of each fourth column, the first one's at `levels`. */
INLINE __m512i own_table(const int8_t *levels, size_t step)
{
    __m512i t = _mm512_castsi128_si512(_mm_loadu_si128((const void *)levels));
    t = _mm512_inserti32x4(t, _mm_loadu_si128((const void *)(levels + 4 * step)), 1);
    t = _mm512_inserti32x4(t, _mm_loadu_si128((const void *)(levels + 8 * step)), 2);
    return _mm512_inserti32x4(t, _mm_loadu_si128((const void *)(levels + 12 * step)), 3);
}

/* tables[j]: in each 128 bits the table of the j-th of their columns. */
INLINE void load_tables(const struct qnt__expand *e, __m512i tables[4])
{
    int8_t all[16] = {0};
    if (e->step == 0) {
        memcpy(all, e->levels, (size_t)1 << e->bits);
        tables[0] = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)all));
        return;
    }
    UNROLL for (size_t j = 0; j < 4; j++) tables[j] = own_table(e->levels + 16 * j, 16);
}

/* The bytes of the j-th of four columns. */
INLINE __mmask64 column_bytes(int j)
{
    return 0x000f000f000f000full << 4 * j;
}

INLINE void expand(const struct qnt__expand *e, int bits, int own)
{
    const uint8_t *cell = e->cell, *end = cell + e->cells * qnt__cell_bytes(bits);
    uint8_t *out = e->out;
    __m512i tables[4];
    load_tables(e, tables);
    for (; cell < end; cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < cell_fields(bits); f++, out += 64)
        {
            __m512i field = cell_field(cell, bits, f);
            __m512i level = _mm512_shuffle_epi8(tables[0], field);
            UNROLL for (int j = 1; own && j < 4; j++)
            {
                level = _mm512_mask_shuffle_epi8(level, column_bytes(j), tables[j], field);
            }
            _mm512_storeu_si512(out, level);
        }
    }
}

/* 32 levels for each column: the fifth bit of a field, a mask, tells which half of the table. */
static void expand_own_5(const struct qnt__expand *e)
{
    const uint8_t *cell = e->cell, *end = cell + e->cells * qnt__cell_bytes(5);
    uint8_t *out = e->out;
    __m512i low[4], high[4];
    UNROLL for (size_t j = 0; j < 4; j++)
    {
        low[j] = own_table(e->levels + 32 * j, 32);
        high[j] = own_table(e->levels + 32 * j + 16, 32);
    }
    for (; cell < end; cell += qnt__cell_bytes(5)) {
        UNROLL for (int f = 0; f < 4; f++, out += 64)
        {
            const __mmask64 fifth = third_bits(cell + QNT__CELL_HIGH - 64, f);
            __m512i field = cell_field(cell + 64 * (f / 2), 4, f % 2), level = field;
            UNROLL for (int j = 0; j < 4; j++)
            {
                const __mmask64 column = column_bytes(j);
                level = _mm512_mask_shuffle_epi8(level, column & ~fifth, low[j], field);
                level = _mm512_mask_shuffle_epi8(level, column & fifth, high[j], field);
            }
            _mm512_storeu_si512(out, level);
        }
    }
}

void qnt__expand_levels_avx512vnni(const struct qnt__expand *e)
{
    int own = e->step != 0;
    if (qnt__cell_is_wide(e->bits)) {
        if (own && e->bits == 5)
            expand_own_5(e);
        else
            qnt__expand_levels_avx2(e); /* without VPERMB little is to be gained */
        return;
    }
    if (e->bits == 4)
        own ? expand(e, 4, 1) : expand(e, 4, 0);
    else if (e->bits == 3)
        own ? expand(e, 3, 1) : expand(e, 3, 0);
    else
        own ? expand(e, 2, 1) : expand(e, 2, 0);
}
