/*
 * Convolutions of digits in tiles, 64 bytes or 32 sums at a time. Codes are found in 16 bits: words of
 * columns 0 to 15 and of 16 to 31 take turns, and so do bytes of codes; thresholds are brought into that
 * order, and codes back.
 */
#include <immintrin.h>
#include <stdbool.h>

#include "../lowbit_packed.h"
#include "../slots.h"
#include "cells_avx512vnni.h"

#undef UNROLL
#define UNROLL _Pragma("GCC unroll 16")

enum { VECTOR = 64, COLUMNS = QNT__LOWBIT_COLUMNS, TILE = QNT__LOWBIT_TILE, PIXELS = 2 * TILE };

#include "../lowbit_join_pairs.h"
#include "../lowbit_tile.h"
#include "places_lowbit_avx512.h"

/* ---- products ---- */

INLINE __m512i pair(__m512i a, __m512i b)
{
    const __m512i low = _mm512_srli_epi32(a, 1), high = _mm512_slli_epi32(b, 15);
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xffff), low, high, 0xca);
}

#include "multiply_lowbit_avx512.h"

void qnt__multiply_tiles_avx512vnni(const struct qnt__lowbit_products *t)
{
    multiply_tiles(t);
}

/* ---- sums to results ---- */

/* y[4 r + j] of 16 columns of a tile; of a narrow one j is 0 and 3. */
INLINE void join(const struct qnt__lowbit_tiles *t, const int32_t *m, __m512i y[PIXELS], int width)
{
    UNROLL for (int r = 0; r < 2; r++, m += t->ld) {
        __m512i x[6];
        load_places(t, m, x, width);
        __m512i s = add(x[3], x[4]), d = sub(x[3], x[4]);
        __m512i p = _mm512_slli_epi32(add(x[1], x[2]), 2),
                q = _mm512_slli_epi32(sub(x[1], x[2]), 2);
        y[4 * r] = sub(add(add(x[0], x[0]), s), p);
        y[4 * r + 1] = sub(add(d, d), q);
        y[4 * r + 2] = sub(_mm512_slli_epi32(s, 2), p);
        y[4 * r + 3] = sub(_mm512_slli_epi32(add(d, x[5]), 3), q);
    }
}

/* Pixel k of tile i in a line. */
INLINE size_t place(const struct qnt__lowbit_tiles *t, size_t i, int k)
{
    return i * t->apart + (size_t)k * t->step;
}

INLINE void join_sums(const struct qnt__lowbit_tiles *t, int width)
{
    const __m512i third = _mm512_set1_epi32((int)0xaaaaaaabu);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->columns; c += 16) {
            __m512i y[PIXELS];
            join(t, t->m + i * COLUMNS + c, y, width);
            UNROLL for (int r = 0; r < 2; r++) UNROLL for (int k = 0; k < width; k++)
            {
                const __m512i sum = _mm512_srai_epi32(y[TILE * r + find_y(k, width)], 4);
                _mm512_storeu_si512(t->sums[r] + place(t, i, k) + c,
                                    _mm512_mullo_epi32(sum, third));
            }
        }
    }
}

/* Columns 0 to 15 in even words, 16 to 31 in odd ones. */
INLINE __m512i in_turns(const int16_t *from)
{
    const __m512i even = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)from)),
                  odd = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(from + 16)));
    return _mm512_or_si512(even, _mm512_slli_epi32(odd, 16));
}

/* The words s = y >> 5, for y of two vectors times 2^11. */
INLINE __m512i take_turns(__m512i even, __m512i odd)
{
    return _mm512_mask_mov_epi16(_mm512_srli_epi32(even, 16), 0xaaaaaaaa, odd);
}

/* y of one line of join(), times 2^11: one shift more than there, and none later. */
INLINE void join_high(const struct qnt__lowbit_tiles *t, const int32_t *m, __m512i y[TILE],
                      int width)
{
    __m512i x[6];
    load_places(t, m, x, width);
    const __m512i s = add(x[3], x[4]), d = sub(x[3], x[4]);
    const __m512i p = _mm512_slli_epi32(add(x[1], x[2]), 13),
                  q = _mm512_slli_epi32(sub(x[1], x[2]), 13);
    y[0] = sub(add(_mm512_slli_epi32(x[0], 12), _mm512_slli_epi32(s, 11)), p);
    y[1] = sub(_mm512_slli_epi32(d, 12), q);
    y[2] = sub(_mm512_slli_epi32(s, 13), p);
    y[3] = sub(_mm512_slli_epi32(add(d, x[5]), 14), q);
}

/* Codes of 32 columns times `one`, added to codes: two comparisons, as the first finds the threshold of
 * the second one. */
INLINE void count(const struct qnt__lowbit_tiles *t, const int32_t *m, const __m512i limit[4],
                  int one, __m512i codes[TILE], int width)
{
    const __m512i high = _mm512_set1_epi16((short)(2 * one)), low = _mm512_set1_epi16((short)one);
    __m512i even[TILE], odd[TILE];
    join_high(t, m, even, width);
    join_high(t, m + 16, odd, width);
    UNROLL for (int k = 0; k < width; k++) {
        const int y = find_y(k, width);
        const __m512i s = _mm512_xor_si512(take_turns(even[y], odd[y]), limit[3]);
        const __mmask32 two = _mm512_cmpge_epi16_mask(s, limit[1]);
        const __mmask32 more =
            _mm512_cmpge_epi16_mask(s, _mm512_mask_mov_epi16(limit[0], two, limit[2]));
        codes[k] = _mm512_mask_add_epi16(codes[k], two, codes[k], high);
        codes[k] = _mm512_mask_add_epi16(codes[k], more, codes[k], low);
    }
}

/* Bytes of columns i, 32 + i, 16 + i and 48 + i of every dword i go to where they belong. */
INLINE __m512i restore(__m512i codes)
{
    const __m512i bytes = _mm512_set4_epi32(0x0f0b0703, 0x0d090501, 0x0e0a0602, 0x0c080400),
                  dwords = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    return _mm512_permutexvar_epi32(dwords, _mm512_shuffle_epi8(codes, bytes));
}

INLINE void count_columns(const struct qnt__lowbit_tiles *t, int parts, int width)
{
    __m512i limit[2][4];
    UNROLL for (int p = 0; p < parts; p++) {
        UNROLL for (int k = 0; k < 3; k++) limit[p][k] = in_turns(t->limit + k * COLUMNS + 32 * p);
        limit[p][3] = in_turns(t->flip + 32 * p);
    }
    for (size_t line = 0; line < 2 * t->n; line++) {
        const size_t i = line / 2, r = line % 2;
        __m512i codes[TILE];
        UNROLL for (int k = 0; k < width; k++) codes[k] = _mm512_setzero_si512();
        UNROLL for (int p = 0; p < parts; p++)
            count(t, t->m + r * t->ld + i * COLUMNS + 32 * p, limit[p], p ? 256 : 1, codes, width);
        UNROLL for (int k = 0; k < width; k++) {
            uint8_t *to = t->codes[r] + place(t, i, k);
            const __m512i all = restore(codes[k]);
            if (parts == 2) _mm512_storeu_si512(to, all);
            else _mm256_storeu_si256((void *)to, _mm512_castsi512_si256(all));
        }
    }
}

void qnt__tile_pixels_avx512vnni(const struct qnt__lowbit_pixels *p)
{
    if (p->bytes < VECTOR) qnt__tile_pixels_avx2(p);
    else tile_pixels(p);
}

INLINE void join_some(const struct qnt__lowbit_tiles *t, int width)
{
    if (!t->limit) join_sums(t, width);
    else if (t->columns == 32) count_columns(t, 1, width);
    else count_columns(t, 2, width);
}

void qnt__join_tiles_avx512vnni(const struct qnt__lowbit_tiles *t)
{
    if (t->limit && t->wide) qnt__join_tiles_c(t); /* of multiply_taps, which is not for this level */
    else if (t->limit && t->triples)
        qnt__join_packed(t, qnt__join_tiles_avx512vnni, qnt__pack_lowbit_avx2);
    else if (t->paired) join_tiles_of_pairs(t);
    else if (t->width == TILE) join_some(t, TILE);
    else join_some(t, QNT__LOWBIT_NARROW);
}

void qnt__unpack_lowbit_avx512vnni(const uint8_t *x, size_t n, size_t channels, uint8_t *to,
                                   size_t to_step)
{
    unpack_lowbit(x, n, channels, to, to_step);
}
