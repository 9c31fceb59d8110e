/*
 * Sums of products of tiles to codes. They are found in 16 bits, as at the level below; VPMULTISHIFTQB
 * takes these out of 32 wherever they lie, so that no pixel of a tile is multiplied before. Digits of
 * triples are counted in the bits that they have there, and VPERMB brings them together.
 */
#include <immintrin.h>
#include <stdbool.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { COLUMNS = QNT__LOWBIT_COLUMNS, HALF = COLUMNS / 2, TILE = QNT__LOWBIT_TILE };

INLINE __m512i add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
INLINE __m512i sub(__m512i a, __m512i b) { return _mm512_sub_epi32(a, b); }

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
        const size_t first = s * t->triples;
        o.some[s] = first < COLUMNS ? o.written & ~(__mmask64)0 >> first : 0;
        o.from[s] = _mm512_maskz_loadu_epi8(o.some[s], place_of + (first < COLUMNS ? first : 0));
    }
    return o;
}

/* Of 16 columns of a line's four pixels: y, y / 2, y / 4 and y / 4; a narrow tile has no sums 3 and 4, and
 * the first and the last of the pixels. */
INLINE void join(const struct qnt__lowbit_tiles *t, const int32_t *m, __m512i y[TILE], int width)
{
    __m512i x[6];
    UNROLL for (int j = 0; j < 6; j++)
    {
        const bool missing = width < TILE && (j == 3 || j == 4);
        x[j] =
            missing ? _mm512_setzero_si512() : _mm512_loadu_si512(m + (size_t)(2 * j) * t->ld);
    }
    const __m512i s = add(x[3], x[4]), d = sub(x[3], x[4]), p = add(x[1], x[2]),
                  q = sub(x[1], x[2]), e = add(d, x[5]);
    y[0] = sub(add(add(x[0], x[0]), s), _mm512_slli_epi32(p, 2));
    y[1] = sub(d, add(q, q));
    y[2] = sub(s, p);
    y[3] = sub(add(e, e), q);
}

/* Bits 5 to 20 of y: 16 bits from `bit` on of all dwords, in even words of one vector and in odd ones of
 * the other. */
INLINE __m512i take_turns(__m512i even, __m512i odd, int bit)
{
    const __m512i fields = _mm512_set1_epi64(0x2820282008000800 + 0x0101010101010101 * bit);
    return _mm512_mask_multishift_epi64_epi8(_mm512_multishift_epi64_epi8(fields, even),
                                             0xcccccccccccccccc, fields, odd);
}

/* Two comparisons, as the first finds the threshold of the second one. */
INLINE __m512i count(__m512i s, const struct half *h, __m512i codes, int first)
{
    const __m512i two = add(h->one, h->one);
    s = _mm512_xor_si512(s, h->flip);
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
    _mm256_mask_storeu_epi8(to, (__mmask32)o->written, _mm512_castsi512_si256(all));
}

INLINE void join_codes(const struct qnt__lowbit_tiles *t, int halves, int triples, int width)
{
    const struct order o = find_order(t);
    struct half half[2];
    UNROLL for (int h = 0; h < halves; h++) half[h] = load_half(t, h);
    for (size_t line = 0; line < 2 * t->n; line++) {
        const size_t r = line >= t->n, i = line - r * t->n;
        const int32_t *m = t->m + r * t->ld + i * COLUMNS;
        uint8_t *to = t->codes[r] + i * t->apart;
        __m512i codes[TILE], even[TILE], odd[TILE];
        UNROLL for (int h = 0; h < halves; h++)
        {
            join(t, m + HALF * h, even, width);
            join(t, m + HALF * h + 16, odd, width);
            UNROLL for (int k = 0; k < width; k++)
            {
                const int y = width < TILE ? 3 * k : k;
                const __m512i s = take_turns(even[y], odd[y], y == 0 ? 5 : y == 1 ? 4 : 3);
                codes[k] = count(s, &half[h], codes[k], h == 0);
            }
        }
        UNROLL for (int k = 0; k < width; k++, to += t->step) store(to, codes[k], &o, triples);
    }
}

INLINE void join_some(const struct qnt__lowbit_tiles *t, int width)
{
    if (t->columns == COLUMNS && t->triples) join_codes(t, 2, 1, width);
    else if (t->columns == COLUMNS) join_codes(t, 2, 0, width);
    else if (t->triples) join_codes(t, 1, 1, width);
    else join_codes(t, 1, 0, width);
}

void qnt__join_tiles_avx512vbmi(const struct qnt__lowbit_tiles *t)
{
    if (!t->limit) qnt__join_tiles_avx512vnni(t);
    else if (t->width == TILE) join_some(t, TILE);
    else join_some(t, QNT__LOWBIT_NARROW);
}
