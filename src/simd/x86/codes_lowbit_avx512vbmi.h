/*
 * Codes of columns of tiles: words of columns 0 to 15 and of 16 to 31 take turns, and so do bytes of two
 * sets of 32 codes. Digits of triples are counted in the bits that they have there, and VPERMB brings them
 * together.
 */
#include <immintrin.h>
#include <stdbool.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { COLUMNS = QNT__LOWBIT_COLUMNS, HALF = COLUMNS / 2, TILE = QNT__LOWBIT_TILE };

/* Words of columns 0 to 15 and of 16 to 31 take turns. */
INLINE __m512i in_turns(const int16_t *from)
{
    const __m512i even = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)from)),
                  odd = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(from + 16)));
    return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
}

/* Bytes of columns i, 32 + i, 16 + i and 48 + i are in dword i: where a column's is. */
#define FOUR(at) at, at + 4, at + 8, at + 12
#define SIXTEEN(at) FOUR(at), FOUR(at + 16), FOUR(at + 32), FOUR(at + 48)
static const uint8_t place_of[COLUMNS] = {SIXTEEN(0), SIXTEEN(2), SIXTEEN(1), SIXTEEN(3)};

#define EIGHT(c) c, c + 1, c + 2, c + 3, c + 4, c + 5, c + 6, c + 7
static const int16_t column_of[COLUMNS] = {EIGHT(0),  EIGHT(8),  EIGHT(16), EIGHT(24),
                                           EIGHT(32), EIGHT(40), EIGHT(48), EIGHT(56)};

/* What half a block's columns are compared with, and what one reached threshold counts. */
struct half {
    __m512i limit[3], flip, one;
};

INLINE struct half load_half(const struct qnt__lowbit_tiles *t, int h)
{
    const int16_t unit = h ? 256 : 1, triples = (int16_t)t->triples;
    struct half a = {.flip = in_turns(t->flip + HALF * h), .one = _mm512_set1_epi16(unit)};
    UNROLL for (int k = 0; k < 3; k++) a.limit[k] = in_turns(t->limit + k * COLUMNS + HALF * h);
    if (!triples) return a;
    const __m512i column = in_turns(column_of + HALF * h);
    UNROLL for (int s = 1; s < 3; s++)
    {
        const __m512i first = _mm512_set1_epi16((int16_t)(s * triples));
        a.one = _mm512_mask_slli_epi16(a.one, _mm512_cmpge_epi16_mask(column, first), a.one, 2);
    }
    return a;
}

/* Bytes of codes, of all columns or of each third, in the order of the result. */
struct order {
    __m512i from[3];
    __mmask64 some[3], written;
};

INLINE struct order find_order(const struct qnt__lowbit_tiles *t)
{
    struct order o = {.from = {_mm512_loadu_si512(place_of)}};
    o.written = t->columns == COLUMNS ? ~(__mmask64)0 : ((__mmask64)1 << HALF) - 1;
    if (!t->triples) return o;
    o.written = ((__mmask64)1 << t->triples) - 1;
    UNROLL for (size_t s = 0; s < 3; s++)
    {
        const size_t first = s * t->triples, left = first < t->columns ? t->columns - first : 0;
        o.some[s] = left ? o.written & ~(__mmask64)0 >> (COLUMNS - left) : 0;
        o.from[s] = _mm512_maskz_loadu_epi8(o.some[s], place_of + (left ? first : 0));
    }
    return o;
}

/* Two comparisons, as the first finds the threshold of the second one. */
INLINE __m512i count(__m512i s, const struct half *h, __m512i codes, int first)
{
    const __m512i two = _mm512_add_epi16(h->one, h->one);
    const __mmask32 most = _mm512_cmpge_epi16_mask(s, h->limit[1]);
    const __mmask32 more =
        _mm512_cmpge_epi16_mask(s, _mm512_mask_mov_epi16(h->limit[0], most, h->limit[2]));
    codes =
        first ? _mm512_maskz_mov_epi16(most, two) : _mm512_mask_add_epi16(codes, most, codes, two);
    return _mm512_mask_add_epi16(codes, more, codes, h->one);
}

INLINE void store(uint8_t *to, __m512i codes, const struct order *o, int triples)
{
    __m512i digit[3];
    if (!triples) {
        _mm512_mask_storeu_epi8(to, o->written, _mm512_permutexvar_epi8(o->from[0], codes));
        return;
    }
    UNROLL for (int s = 0; s < 3; s++)
        digit[s] = _mm512_maskz_permutexvar_epi8(o->some[s], o->from[s], codes);
    const __m512i all = _mm512_ternarylogic_epi32(digit[0], digit[1], digit[2], 0xfe);
    _mm512_mask_storeu_epi8(to, o->written, all);
}
