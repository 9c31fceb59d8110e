/*
 * Codes of cells become words with VPERMB: low bytes and high bytes are looked up apart and put together
 * with shifts. Where four k of a column are in the order 0, 2, 1, 3, the even bytes are the words of one
 * cell and the odd ones those of the next.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"
#include "look_up_avx512vbmi.h"

INLINE __m512i find(const struct table *t, __m512i codes, int bits)
{
    if (bits <= 6) return _mm512_permutexvar_epi8(codes, t->piece[0]);
    __m512i low = _mm512_permutex2var_epi8(t->piece[0], codes, t->piece[1]);
    if (bits == 7) return low;
    __m512i high = _mm512_permutex2var_epi8(t->piece[2], codes, t->piece[3]);
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(codes), high);
}

INLINE void expand(const struct qnt__expand_words *e, int bits, int index_bits)
{
    enum { CHOOSE = 0xca /* VPTERNLOG: first ? second : third */ };
    const __m512i order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
    const __m512i even = _mm512_set1_epi16(255);
    const uint8_t *cell = e->cell, *end = cell + e->cells * qnt__cell_bytes(bits);
    int16_t *out = e->out;
    struct table low, high;
    split_table(e->words, e->field_bits, &low, &high);
    for (; cell < end; cell += qnt__cell_bytes(bits)) {
        prefetch_cell(cell, bits);
        UNROLL for (int f = 0; f < cell_fields(bits); f++, out += 64)
        {
            __m512i field = qnt__cell_is_wide(bits) ? wide_field(cell, bits, f) : cell_field(cell, bits, f);
            field = _mm512_shuffle_epi8(field, order);
            __m512i a = find(&low, field, index_bits), b = find(&high, field, index_bits);
            __m512i first = _mm512_ternarylogic_epi64(even, a, _mm512_slli_epi16(b, 8), CHOOSE);
            __m512i second = _mm512_ternarylogic_epi64(even, _mm512_srli_epi16(a, 8), b, CHOOSE);
            _mm512_storeu_si512(out, first);
            _mm512_storeu_si512(out + 32, second);
        }
    }
}

void qnt__expand_words_avx512vbmi(const struct qnt__expand_words *e)
{
    switch (e->bits) { /* one copy of the code for each width */
    case 2: expand(e, 2, 2); break;
    case 3: expand(e, 3, 3); break;
    case 4: expand(e, 4, 4); break;
    case 5: expand(e, 5, 5); break;
    case 6: expand(e, 6, 6); break;
    case 7: expand(e, 7, 7); break;
    default:
        if (e->field_bits <= 6) expand(e, 8, 6);
        else if (e->field_bits == 7) expand(e, 8, 7);
        else expand(e, 8, 8);
    }
}
