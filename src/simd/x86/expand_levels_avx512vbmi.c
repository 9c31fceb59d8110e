/*
 * Packed numbers of 32 to 128 levels into bytes with VPERMB: a table is one register or two. Where
 * columns have tables of 64 or more, each of the 16 is looked up in its turn, for its four bytes of
 * the four fields of a cell: the mask that chooses them takes the port of VPERMB as well. Tables of
 * VPSHUFB do for the rest.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"

struct table {
    __m512i low, high;
};

INLINE struct table load_table(const int8_t *levels, int bits)
{
    struct table t;
    if (bits == 5)
        t.low = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)levels));
    else
        t.low = _mm512_loadu_si512(levels);
    t.high = bits == 7 ? _mm512_loadu_si512(levels + 64) : t.low;
    return t;
}

INLINE __m512i look_up(struct table t, __m512i field, int bits)
{
    if (bits < 7) return _mm512_permutexvar_epi8(field, t.low);
    return _mm512_permutex2var_epi8(t.low, field, t.high);
}

/* The same where a bit of `of` is set; else `level` stays. */
INLINE __m512i look_up_own(__m512i level, uint64_t of, struct table t, __m512i field, int bits)
{
    if (bits < 7) return _mm512_mask_permutexvar_epi8(level, of, field, t.low);
    return _mm512_mask_mov_epi8(level, of, look_up(t, field, bits));
}

INLINE void expand(const struct qnt__expand *e, int bits)
{
    const struct table shared = load_table(e->levels, bits);
    const uint8_t *cell = e->cell, *end = cell + e->cells * qnt__cell_bytes(bits);
    uint8_t *out = e->out;
    for (; cell < end; cell += qnt__cell_bytes(bits)) {
        __m512i field[4], level[4];
        UNROLL for (int f = 0; f < 4; f++)
        {
            field[f] = wide_field(cell, bits, f);
            level[f] = look_up(shared, field[f], bits);
        }
        for (size_t c = 1; e->step && c < QNT__PANEL; c++) {
            const struct table own = load_table(e->levels + c * e->step, bits);
            const __mmask64 of = 15ull << 4 * c;
            UNROLL for (int f = 0; f < 4; f++) level[f] =
                look_up_own(level[f], of, own, field[f], bits);
        }
        UNROLL for (int f = 0; f < 4; f++, out += 64) _mm512_storeu_si512(out, level[f]);
    }
}

void qnt__expand_levels_avx512vbmi(const struct qnt__expand *e)
{
    if (e->bits == 5 && e->step == 0)
        expand(e, 5);
    else if (e->bits == 6)
        expand(e, 6);
    else if (e->bits == 7)
        expand(e, 7);
    else
        qnt__expand_levels_avx512vnni(e);
}
