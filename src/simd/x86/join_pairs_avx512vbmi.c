/*
 * Pairs of sums of products of tiles to codes, 32 columns at a time. Two sets of 32 codes are stored at
 * once: those of 64 columns of a pixel, or of 32 columns of two pixels.
 */
#include "codes_lowbit_avx512vbmi.h"

void qnt__join_pairs_avx512vbmi(const struct qnt__lowbit_tiles *t);

INLINE __m512i add(__m512i a, __m512i b)
{
    return _mm512_add_epi16(a, b);
}
INLINE __m512i sub(__m512i a, __m512i b)
{
    return _mm512_sub_epi16(a, b);
}

/* What y is multiplied with, which is 24 times a sum but for a factor of 1, 2, 4 or 4, to be 8 times the
 * sum; or its opposite where codes fall as sums grow, one more than s by definition: thresholds follow. */
struct set {
    struct half half;
    __m512i times[TILE];
};

INLINE struct set load_set(const struct qnt__lowbit_tiles *t, int h)
{
    struct set a = {.half = load_half(t, h)};
    const __m512i flip = a.half.flip;
    UNROLL for (int k = 0; k < TILE; k++)
    {
        const __m512i times = _mm512_set1_epi16((int16_t)(0xaaab << (k < 2 ? k : 2) & 0xffff));
        a.times[k] = sub(_mm512_xor_si512(times, flip), flip);
    }
    UNROLL for (int k = 0; k < 3; k++) a.half.limit[k] = _mm512_subs_epi16(a.half.limit[k], flip);
    return a;
}

/* 8 times the sums of a line's four pixels, of 32 columns; a narrow tile has no sums 3 and 4, and the first
 * and the last of the pixels. */
INLINE void join(const struct qnt__lowbit_tiles *t, const int32_t *m, const struct set *of,
                 __m512i s[TILE], int width)
{
    __m512i x[6];
    UNROLL for (int j = 0; j < 6; j++)
    {
        const bool missing = width < TILE && (j == 3 || j == 4);
        x[j] = missing ? _mm512_setzero_si512() : _mm512_loadu_si512(m + (size_t)(2 * j) * t->ld);
    }
    const __m512i even = add(x[3], x[4]), odd = sub(x[3], x[4]), p = add(x[1], x[2]),
                  q = sub(x[1], x[2]), e = add(odd, x[5]);
    s[0] = sub(add(add(x[0], x[0]), even), _mm512_slli_epi16(p, 2));
    s[1] = sub(odd, add(q, q));
    s[2] = sub(even, p);
    s[3] = sub(add(e, e), q);
    UNROLL for (int k = 0; k < TILE; k++) s[k] = _mm512_mullo_epi16(s[k], of->times[k]);
}

/* Bytes of the next pixel are odd ones, and lie a step behind; none are written if that is too far. */
INLINE struct order find_order_of_two(const struct qnt__lowbit_tiles *t, const struct order *o)
{
    struct order two = *o;
    const size_t step = t->step, width = t->triples ? t->triples : HALF;
    if (step + width > sizeof(__m512i)) {
        two.written = 0;
        return two;
    }
    UNROLL for (int s = 0; s < 3; s++)
    {
        const __mmask64 some = (t->triples ? o->some[s] : o->written) << step;
        const __m512i next = _mm512_maskz_expand_epi8(some, o->from[s]);
        two.from[s] = _mm512_mask_add_epi8(o->from[s], some, next, _mm512_set1_epi8(1));
        two.some[s] |= some;
    }
    two.written |= two.written << step;
    return two;
}

INLINE void store_two(uint8_t *to, size_t step, __m512i codes, const struct order *one,
                      const struct order *two, int triples)
{
    if (two->written) {
        store(to, codes, two, triples);
        return;
    }
    store(to, codes, one, triples);
    store(to + step, _mm512_srli_epi16(codes, 8), one, triples);
}

INLINE void join_32(const struct qnt__lowbit_tiles *t, int triples, int width)
{
    const struct order one = find_order(t), two = find_order_of_two(t, &one);
    const struct set set = load_set(t, 0);
    struct half next = set.half;
    next.one = _mm512_slli_epi16(next.one, 8);
    for (size_t line = 0; line < 2 * t->n; line++) {
        const size_t r = line >= t->n, i = line - r * t->n;
        uint8_t *to = t->codes[r] + i * t->apart;
        __m512i s[TILE];
        join(t, t->m + r * t->ld + i * (HALF / 2), &set, s, width);
        UNROLL for (int k = 0; k < width; k += 2, to += 2 * t->step)
        {
            const __m512i codes = count(s[k], &set.half, s[k], 1);
            store_two(to, t->step, count(s[width < TILE ? 3 : k + 1], &next, codes, 0), &one, &two,
                      triples);
        }
    }
}

INLINE void join_64(const struct qnt__lowbit_tiles *t, int triples, int width)
{
    const struct order o = find_order(t);
    const struct set set[2] = {load_set(t, 0), load_set(t, 1)};
    for (size_t line = 0; line < 2 * t->n; line++) {
        const size_t r = line >= t->n, i = line - r * t->n;
        const int32_t *m = t->m + r * t->ld + i * HALF;
        uint8_t *to = t->codes[r] + i * t->apart;
        __m512i s[2][TILE];
        UNROLL for (int h = 0; h < 2; h++) join(t, m + h * (HALF / 2), &set[h], s[h], width);
        UNROLL for (int k = 0; k < width; k++, to += t->step)
        {
            const int y = width < TILE ? 3 * k : k;
            const __m512i codes = count(s[0][y], &set[0].half, s[0][y], 1);
            store(to, count(s[1][y], &set[1].half, codes, 0), &o, triples);
        }
    }
}

INLINE void join_some(const struct qnt__lowbit_tiles *t, int width)
{
    if (t->columns == COLUMNS && t->triples)
        join_64(t, 1, width);
    else if (t->columns == COLUMNS)
        join_64(t, 0, width);
    else if (t->triples)
        join_32(t, 1, width);
    else
        join_32(t, 0, width);
}

void qnt__join_pairs_avx512vbmi(const struct qnt__lowbit_tiles *t)
{
    if (t->width == TILE)
        join_some(t, TILE);
    else
        join_some(t, QNT__LOWBIT_NARROW);
}
