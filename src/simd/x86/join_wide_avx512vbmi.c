/*
 * Sums of products of tiles to codes where sums exceed 16 bits: they are compared in 32 bits, 16 columns at
 * a time, and codes of 64 columns share 16 dwords, a byte for each quarter.
 */
#include "codes_lowbit_avx512vbmi.h"
#include "places_lowbit_avx512.h"

enum { QUARTERS = 4, LANES = 16 };

/* y of 16 columns of a line's four pixels; a narrow tile has no sums 3 and 4, and the first and the last of
 * the pixels. */
INLINE void join(const struct qnt__lowbit_tiles *t, const int32_t *m, __m512i y[TILE], int width)
{
    __m512i x[6];
    load_places(t, m, x, width);
    const __m512i s = add(x[3], x[4]), d = sub(x[3], x[4]),
                  p = _mm512_slli_epi32(add(x[1], x[2]), 2), q = _mm512_slli_epi32(sub(x[1], x[2]), 2);
    y[0] = sub(add(add(x[0], x[0]), s), p);
    y[1] = sub(add(d, d), q);
    y[2] = sub(_mm512_slli_epi32(s, 2), p);
    y[3] = sub(_mm512_slli_epi32(add(d, x[5]), 3), q);
}

/* What 16 columns are compared with, and what one reached threshold counts. */
struct quarter {
    __m512i limit[3], flip, one, two;
};

INLINE struct quarter load_quarter(const struct qnt__lowbit_tiles *t, int q)
{
    struct quarter a;
    int32_t unit[LANES];
    UNROLL for (int k = 0; k < 3; k++) a.limit[k] = _mm512_loadu_si512(t->wide + k * COLUMNS + LANES * q);
    a.flip = _mm512_loadu_si512(t->wide + 3 * COLUMNS + LANES * q);
    for (int i = 0; i < LANES; i++) {
        const size_t c = (size_t)(LANES * q + i), digit = t->triples ? c / t->triples : 0;
        unit[i] = (int32_t)(1u << (place_of[c] % 4 * 8 + (digit < 3 ? 2 * digit : 0)));
    }
    a.one = _mm512_loadu_si512(unit);
    a.two = add(a.one, a.one);
    return a;
}

/* Two comparisons, as the first finds the threshold of the second one. */
INLINE __m512i count_quarter(__m512i y, const struct quarter *q, __m512i codes)
{
    const __m512i s = _mm512_xor_si512(y, q->flip);
    const __mmask16 most = _mm512_cmpge_epi32_mask(s, q->limit[1]);
    const __mmask16 more =
        _mm512_cmpge_epi32_mask(s, _mm512_mask_mov_epi32(q->limit[0], most, q->limit[2]));
    codes = _mm512_mask_add_epi32(codes, most, codes, q->two);
    return _mm512_mask_add_epi32(codes, more, codes, q->one);
}

/* Quarter by quarter, as few limits fit registers: `codes` has what the ones before counted. */
INLINE void join_codes(const struct qnt__lowbit_tiles *t, int triples, int width)
{
    const struct order o = find_order(t);
    struct quarter quarter[QUARTERS];
    const int quarters = (int)t->columns / LANES;
    for (int q = 0; q < quarters; q++) quarter[q] = load_quarter(t, q);
    for (size_t line = 0; line < 2 * t->n; line++) {
        const size_t r = line >= t->n, i = line - r * t->n;
        const int32_t *m = t->m + r * t->ld + i * COLUMNS;
        uint8_t *to = t->codes[r] + i * t->apart;
        __m512i codes[TILE], y[TILE];
        UNROLL for (int k = 0; k < width; k++) codes[k] = _mm512_setzero_si512();
        for (int q = 0; q < quarters; q++) {
            join(t, m + LANES * q, y, width);
            UNROLL for (int k = 0; k < width; k++)
                codes[k] = count_quarter(y[find_y(k, width)], &quarter[q], codes[k]);
        }
        UNROLL for (int k = 0; k < width; k++, to += t->step) store(to, codes[k], &o, triples);
    }
}

void qnt__join_wide_avx512vbmi(const struct qnt__lowbit_tiles *t);

void qnt__join_wide_avx512vbmi(const struct qnt__lowbit_tiles *t)
{
    if (t->width == TILE && t->triples) join_codes(t, 1, TILE);
    else if (t->width == TILE) join_codes(t, 0, TILE);
    else if (t->triples) join_codes(t, 1, QNT__LOWBIT_NARROW);
    else join_codes(t, 0, QNT__LOWBIT_NARROW);
}
