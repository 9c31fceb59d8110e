/* Decoding cells to floats: a byte of each column's dword at a time; VPERMPS looks up 16 levels, a
 * gather more. */
#include "cells_avx512vnni.h"

#include "../slots.h"

struct decoder {
    __m512 scale, table; /* the levels over and over */
    __m512i bias;        /* affine: what is subtracted from a field */
    __m512i shift, mask; /* levels: the place is (field + shift) & mask, */
    __m512i column;      /* and begins there, in elements */
    int gathers;
};

INLINE struct decoder make_decoder(const struct qnt__decode_cells *d, int bits)
{
    const int stored = bits == 8 ? 0 : 1 << (bits - 1), size = 1 << d->level_bits;
    struct decoder r = {.scale = _mm512_loadu_ps(d->scale), .bias = _mm512_set1_epi32(stored)};
    if (d->zero) r.bias = _mm512_add_epi32(r.bias, _mm512_loadu_si512(d->zero));
    if (!d->levels) return r;
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    r.shift = _mm512_set1_epi32(size / 2 - stored);
    r.mask = _mm512_set1_epi32(size - 1);
    r.column = _mm512_mullo_epi32(count, _mm512_set1_epi32((int)d->step));
    r.gathers = d->step != 0 || d->level_bits > 4;
    if (r.gathers) return r;
    float all[16];
    for (int i = 0; i < 16; i++) all[i] = d->levels[i & (size - 1)];
    r.table = _mm512_loadu_ps(all);
    return r;
}

/* Codes of 8 bits, or fields. */
INLINE __m512i widen_byte(__m512i w, int bits, int j)
{
    switch (j) { /* the count must be a literal */
    case 0: w = _mm512_slli_epi32(w, 24); break;
    case 1: w = _mm512_slli_epi32(w, 16); break;
    case 2: w = _mm512_slli_epi32(w, 8); break;
    default: break;
    }
    return bits == 8 ? _mm512_srai_epi32(w, 24) : _mm512_srli_epi32(w, 24);
}

INLINE void decode_field(const struct decoder *r, const struct qnt__decode_cells *d, int bits,
                         const uint8_t *cell, int f, float *out)
{
    const __m512i field = cell_field(cell, bits, f);
    UNROLL for (int j = 0; j < 4; j++)
    {
        __m512i v = widen_byte(field, bits, j);
        __m512 y;
        if (!d->levels) {
            y = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(v, r->bias)), r->scale);
            if (d->offset) y = _mm512_add_ps(y, _mm512_loadu_ps(d->offset));
        } else if (!r->gathers) { /* VPERMPS takes the low four bits */
            y = _mm512_permutexvar_ps(_mm512_add_epi32(v, r->shift), r->table);
            y = _mm512_mul_ps(y, r->scale);
        } else {
            v = _mm512_and_si512(_mm512_add_epi32(v, r->shift), r->mask);
            v = _mm512_add_epi32(v, r->column);
            y = _mm512_mul_ps(_mm512_i32gather_ps(v, d->levels, 4), r->scale);
        }
        _mm512_storeu_ps(out + j * QNT__PANEL, y);
    }
}

#include "../decode_cells.h"

void qnt__decode_cells_avx512vnni(const struct qnt__decode_cells *d)
{
    decode_cells(d);
}
