/*
 * Rows of codes become cells of levels in one go: a transposition of 16 x 16 units of four bytes, VPERMB on
 * each of its registers.
 *
 * Quarters of rows are put together as they are loaded, which the port of shuffles has no part in; what
 * is left are two shuffles for a cell instead of four.
 */
#include <string.h>

#include "../slots.h"
#include "cells_avx512vnni.h"
#include "look_up_avx512vbmi.h"

enum { BLOCK = 64 /* bytes of each row */ };

/* Sixteen bytes of rows 0, 4, 8 and 12 of those from `row` on. */
INLINE __m512i quarters(const uint8_t *row, size_t ld)
{
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)row));
    v = _mm512_mask_broadcast_i32x4(v, 0x00f0, _mm_loadu_si128((const void *)(row + 4 * ld)));
    v = _mm512_mask_broadcast_i32x4(v, 0x0f00, _mm_loadu_si128((const void *)(row + 8 * ld)));
    return _mm512_mask_broadcast_i32x4(v, 0xf000, _mm_loadu_si128((const void *)(row + 12 * ld)));
}

/* Four units of 16 rows. */
INLINE void transpose(const uint8_t *rows, size_t ld, __m512i unit[4])
{
    __m512i v[4], t[4];
    UNROLL for (int i = 0; i < 4; i++) v[i] = quarters(rows + (size_t)i * ld, ld);
    UNROLL for (int i = 0; i < 4; i += 2)
    {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    unit[0] = _mm512_unpacklo_epi64(t[0], t[2]);
    unit[1] = _mm512_unpackhi_epi64(t[0], t[2]);
    unit[2] = _mm512_unpacklo_epi64(t[1], t[3]);
    unit[3] = _mm512_unpackhi_epi64(t[1], t[3]);
}

/* VPERMB takes six bits of an index: where a table repeats itself, those above a field do not matter. */
INLINE __m512i field_of(__m512i unit, int bits, int f)
{
    switch (bits * f) { /* the count must be a literal */
    case 2: return _mm512_srli_epi16(unit, 2);
    case 4: return _mm512_srli_epi16(unit, 4);
    case 6: return _mm512_srli_epi16(unit, 6);
    default: return unit;
    }
}

INLINE __m512i find(const struct table *t, __m512i codes, int level_bits)
{
    if (level_bits <= 6) return _mm512_permutexvar_epi8(codes, t->piece[0]);
    __m512i low = _mm512_permutex2var_epi8(t->piece[0], codes, t->piece[1]);
    if (level_bits == 7) return low;
    __m512i high = _mm512_permutex2var_epi8(t->piece[2], codes, t->piece[3]);
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(codes), high);
}

/* The next rows are as far behind these as these are apart; where they are not, nothing is won. */
INLINE void ask_ahead(const uint8_t *rows, size_t ld, size_t i)
{
    _mm_prefetch((const void *)((uintptr_t)rows + (QNT__PANEL + i) * ld), _MM_HINT_T0);
}

/* A block of 16 rows. */
INLINE uint8_t *block(const uint8_t *rows, size_t ld, const struct table *t, int bits, int level_bits,
                      uint8_t *out)
{
    UNROLL for (int q = 0; q < 4; q++)
    {
        __m512i unit[4];
        transpose(rows + 16 * q, ld, unit);
        UNROLL for (int i = 0; i < 4; i++)
        {
            UNROLL for (int f = 0; f < 8 / bits; f++, out += 64)
                _mm512_storeu_si512(out, find(t, field_of(unit[i], bits, f), level_bits));
        }
    }
    return out;
}

/* What is left of fewer rows or units, as a block with 0 where there are none. */
INLINE void rest(const struct qnt__level_cells *c, size_t quad, const struct table *t, int bits,
                 int level_bits)
{
    const size_t left = c->quads - quad, n = left < QNT__PANEL ? left : QNT__PANEL;
    uint8_t rows[QNT__PANEL * BLOCK] = {0}, cells[QNT__PANEL * 64 * 4];
    for (size_t i = 0; i < c->columns; i++)
        memcpy(rows + i * BLOCK, c->rows + i * c->ld + 4 * quad, 4 * n);
    block(rows, BLOCK, t, bits, level_bits, cells);
    memcpy(c->out + quad * (size_t)(512 / bits), cells, n * (size_t)(512 / bits));
}

INLINE void level_cells(const struct qnt__level_cells *c, const struct table *t, int bits, int level_bits)
{
    size_t quad = 0;
    uint8_t *out = c->out;
    for (; c->columns == QNT__PANEL && quad + QNT__PANEL <= c->quads; quad += QNT__PANEL) {
        const uint8_t *rows = c->rows + 4 * quad;
        UNROLL for (size_t i = 0; i < QNT__PANEL; i++) ask_ahead(rows, c->ld, i);
        out = block(rows, c->ld, t, bits, level_bits, out);
    }
    for (; quad < c->quads; quad += QNT__PANEL) rest(c, quad, t, bits, level_bits);
}

/* 2^bits levels over and over. */
static struct table repeat(const uint8_t *levels, int bits)
{
    uint8_t all[64];
    for (size_t i = 0; i < 64; i++) all[i] = levels[i & ((1u << bits) - 1)];
    return load_table(all, 6);
}

void qnt__level_cells_avx512vbmi(const struct qnt__level_cells *c)
{
    const struct table t = c->level_bits < 6 ? repeat(c->levels, c->level_bits)
                                             : load_table(c->levels, c->level_bits);
    if (c->bits == 2) level_cells(c, &t, 2, 2);
    else if (c->bits == 4) level_cells(c, &t, 4, 4);
    else if (c->level_bits <= 6) level_cells(c, &t, 8, 6);
    else if (c->level_bits == 7) level_cells(c, &t, 8, 7);
    else level_cells(c, &t, 8, 8);
}
