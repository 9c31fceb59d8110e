/*
 * Sums of products of tiles to codes. They are found in 16 bits, as at the level below; VPMULTISHIFTQB
 * takes these out of 32 wherever they lie, so that no pixel of a tile is multiplied before.
 */
#include "codes_lowbit_avx512vbmi.h"
#include "places_lowbit_avx512.h"

/* Of 16 columns of a line's four pixels: y, y / 2, y / 4 and y / 4; a narrow tile has no sums 3 and 4, and
 * the first and the last of the pixels. */
INLINE void join(const struct qnt__lowbit_tiles *t, const int32_t *m, __m512i y[TILE], int width)
{
    __m512i x[6];
    load_places(t, m, x, width);
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
                const int y = find_y(k, width);
                const __m512i s = take_turns(even[y], odd[y], y == 0 ? 5 : y == 1 ? 4 : 3);
                codes[k] = count(_mm512_xor_si512(s, half[h].flip), &half[h], codes[k], h == 0);
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

void qnt__join_pairs_avx512vbmi(const struct qnt__lowbit_tiles *t);
void qnt__join_wide_avx512vbmi(const struct qnt__lowbit_tiles *t);

void qnt__join_tiles_avx512vbmi(const struct qnt__lowbit_tiles *t)
{
    if (t->paired) qnt__join_pairs_avx512vbmi(t);
    else if (!t->limit) qnt__join_tiles_avx512vnni(t);
    else if (t->wide) qnt__join_wide_avx512vbmi(t);
    else if (t->width == TILE) join_some(t, TILE);
    else join_some(t, QNT__LOWBIT_NARROW);
}
