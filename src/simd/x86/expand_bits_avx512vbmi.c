/*
 * Bit planes as bytes: VPMULTISHIFTQB moves the bit of each of four k of two columns to the place that
 * its plane has in a byte, where the numbers are double.
 */
#include <string.h>

#include "../slots.h"
#include "plane_words_avx512vbmi.h"

/* Planes in registers: a word of theirs by halves of k, 16 columns of 32 bits each, plane i rotated by
 * i + 1. */
struct halves {
    __m512i lanes[2][7];
};

/* Which bits of lanes are the first four k of two columns, from the end of a byte on. */
INLINE __m512i first_quad(void)
{
    return _mm512_set1_epi64(0x2322212003020100);
}

INLINE __m512i next_quad(__m512i quad)
{
    return _mm512_add_epi8(quad, _mm512_set1_epi8(4));
}

/* Four k of 16 columns, from rotated lanes: double the sum of 2^i of the planes whose bits are 1. */
INLINE __m512i double_codes(const __m512i *lanes, int planes, __m512i quad)
{
    __m512i code = _mm512_setzero_si512();
    UNROLL for (int i = 0; i < planes; i++)
    {
        __m512i bit = _mm512_set1_epi8((char)(2 << i));
        __m512i x = _mm512_multishift_epi64_epi8(quad, lanes[i]);
        code = _mm512_ternarylogic_epi64(x, bit, code, AND_OR);
    }
    return code;
}

/* The cells of a word. */
INLINE void store_cells(const struct halves *h, int planes, uint8_t *cells)
{
    const __m512i all = _mm512_set1_epi8((char)((1 << planes) - 1));
    UNROLL for (int d = 0; d < 2; d++)
    {
        __m512i quad = first_quad();
        for (int q = 0; q < 8; q++, cells += 64, quad = next_quad(quad))
            _mm512_storeu_si512(cells,
                                _mm512_sub_epi8(double_codes(h->lanes[d], planes, quad), all));
    }
}

/* Of a pair of words, and asks for what is `ahead` of it; parity[plane] are the last stored odd words. */
INLINE void load_halves(const uint64_t *b, size_t plane, size_t ahead, int planes,
                        __m512i parity[][2], struct halves out[2])
{
    UNROLL for (int i = 0; i < planes; i++)
    {
        const uint64_t *at = b + (size_t)i * plane;
        const __m512i by = _mm512_set1_epi64(i + 1);
        UNROLL for (int line = 0; line < 4; line++)
            _mm_prefetch((const char *)(at + ahead + 8 * line), _MM_HINT_T1);
        struct pair low = load_pair(at, &parity[i][0]), high = load_pair(at + 8, &parity[i][1]);
        UNROLL for (int d = 0; d < 2; d++)
        {
            out[0].lanes[d][i] = _mm512_rolv_epi64(lanes_of(low.even, high.even, d), by);
            out[1].lanes[d][i] = _mm512_rolv_epi64(lanes_of(low.odd, high.odd, d), by);
        }
    }
}

INLINE void first_parity(const uint64_t *b, size_t plane, size_t first, int planes,
                         __m512i parity[][2])
{
    UNROLL for (int i = 0; i < planes; i++)
    {
        UNROLL for (int h = 0; h < 2; h++) parity[i][h] =
            parity_before(b + (size_t)i * plane + 8 * h, first);
    }
}

INLINE void expand(const struct qnt__expand_bits *e, int planes)
{
    __m512i parity[7][2];
    struct halves words[2];
    first_parity(e->b, e->b_plane, e->first, planes, parity);
    for (size_t w = 0; w < e->words; w += 2) {
        load_halves(e->b + (e->first + w) * QNT__PANEL, e->b_plane, e->ahead, planes, parity,
                    words);
        UNROLL for (int odd = 0; odd < 2; odd++)
            store_cells(&words[odd], planes, e->cells + (w + (size_t)odd) * 1024);
    }
}

void qnt__expand_bits_avx512vbmi(const struct qnt__expand_bits *e)
{
    switch (e->planes) {
    case 1: expand(e, 1); break;
    case 2: expand(e, 2); break;
    case 3: expand(e, 3); break;
    case 4: expand(e, 4); break;
    case 5: expand(e, 5); break;
    case 6: expand(e, 6); break;
    default: expand(e, 7); break;
    }
}

/* ---- what seven products take ---- */

/* Half a word of each of four blocks to half a word of seven operands. */
INLINE void store_seven(const __m512i *const x[4], int planes, const __m512i all[4],
                        uint8_t *const out[7], size_t at)
{
    uint8_t *const m0 = out[0] + at, *const m1 = out[1] + at, *const m2 = out[2] + at,
                   *const m3 = out[3] + at, *const m4 = out[4] + at, *const m5 = out[5] + at,
                   *const m6 = out[6] + at;
    __m512i quad = first_quad();
    for (ptrdiff_t i = 0; i < 512; i += 64, quad = next_quad(quad)) {
        __m512i c[4];
        UNROLL for (int b = 0; b < 4; b++) c[b] =
            _mm512_sub_epi8(double_codes(x[b], planes, quad), all[b]);
        _mm512_storeu_si512(m0 + i, _mm512_add_epi8(c[0], c[3]));
        _mm512_storeu_si512(m1 + i, c[0]);
        _mm512_storeu_si512(m2 + i, _mm512_sub_epi8(c[1], c[3]));
        _mm512_storeu_si512(m3 + i, _mm512_sub_epi8(c[2], c[0]));
        _mm512_storeu_si512(m4 + i, c[3]);
        _mm512_storeu_si512(m5 + i, _mm512_add_epi8(c[0], c[1]));
        _mm512_storeu_si512(m6 + i, _mm512_add_epi8(c[2], c[3]));
    }
}

/* A block that is not there has no bits, and nothing is subtracted from them. */
INLINE void expand_seven(const struct qnt__expand_seven *e, int planes)
{
    __m512i parity[4][6][2], all[4];
    struct halves words[4][2];
    memset(words, 0, sizeof words);
    for (int b = 0; b < 4; b++) {
        all[b] = _mm512_set1_epi8(e->b[b] ? (char)((1 << planes) - 1) : 0);
        if (e->b[b]) first_parity(e->b[b], e->b_plane, e->first[b / 2], planes, parity[b]);
    }
    for (size_t w = 0; w < e->words; w += 2) {
        for (int b = 0; b < 4; b++) {
            if (e->b[b])
                load_halves(e->b[b] + (e->first[b / 2] + w) * QNT__PANEL, e->b_plane, e->ahead,
                            planes, parity[b], words[b]);
        }
        for (size_t odd = 0; odd < 2; odd++) {
            for (size_t d = 0; d < 2; d++) {
                const __m512i *const x[4] = {words[0][odd].lanes[d], words[1][odd].lanes[d],
                                             words[2][odd].lanes[d], words[3][odd].lanes[d]};
                store_seven(x, planes, all, e->out, (w + odd) * 1024 + d * 512);
            }
        }
    }
}

void qnt__expand_seven_avx512vbmi(const struct qnt__expand_seven *e)
{
    switch (e->planes) {
    case 1: expand_seven(e, 1); break;
    case 2: expand_seven(e, 2); break;
    case 3: expand_seven(e, 3); break;
    case 4: expand_seven(e, 4); break;
    case 5: expand_seven(e, 5); break;
    default: expand_seven(e, 6); break;
    }
}
