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

#include "../lowbit_tile.h"

INLINE __m512i add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
INLINE __m512i sub(__m512i a, __m512i b) { return _mm512_sub_epi32(a, b); }

/* ---- products ---- */

/* Two panels of filters meet `rows` tiles at two places at once: what both places add up to goes on in its
 * register with a third one, and their difference with a fourth. */
enum { PANELS = 2, MOST_ROWS = 7 };

struct sums {
    __m512i of[MOST_ROWS][PANELS];
};

#define ALL(i, p)                                                                                  \
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int p = 0; p < PANELS; p++)

/* From one row of pixels to later ones, so that an address is one register, and these times 1, 2 or 4. */
struct steps {
    size_t one, three, five;
};

INLINE size_t find_row(const struct steps *step, int i)
{
    return i % 3 == 0 ? step->three * (size_t)(i / 3) : i == 5 ? step->five : step->one * (size_t)i;
}

INLINE void add_quads(const uint8_t *x, const struct steps *step, const uint8_t *w, size_t panel,
                      struct sums *s, int rows)
{
    __m512i cell[PANELS];
    UNROLL for (int p = 0; p < PANELS; p++) cell[p] = _mm512_loadu_si512(w + (size_t)p * panel);
    UNROLL for (int i = 0; i < rows; i++) {
        __m512i quad = broadcast_quad(x + find_row(step, i));
        UNROLL for (int p = 0; p < PANELS; p++) DPBUSD(s->of[i][p], quad, cell[p]);
    }
}

/* Each of the first four turns fetches a quarter of the next call's filters to the second cache, as far
 * apart as panels and places that are multiplied now; a turn after them nothing new. */
INLINE const uint8_t *find_fetched(const struct qnt__lowbit_products *t, size_t turn,
                                   const uint8_t *v, const uint8_t *w, size_t bytes)
{
    if (turn >= 4) return v;
    return (turn % 2 ? w : v) + turn / 2 * bytes + (t->next - t->filters);
}

/* Products of place `first` are added to a, those of `second` to b. Rows come in threes, so that few
 * registers hold their addresses. */
INLINE void add_places(const struct qnt__lowbit_products *t, size_t i, size_t panel, size_t first,
                       size_t second, struct sums *a, struct sums *b, size_t turn, int rows)
{
    const size_t bytes = t->depth * QNT__PANEL;
    struct steps step = {t->step, 3 * t->step, 5 * t->step};
    const uint8_t *x = t->pixels + first * t->ld + i * t->step, *y = x + (second - first) * t->ld,
                  *v = t->filters + first * t->filters_ld + panel * bytes,
                  *w = v + (second - first) * t->filters_ld, *end = x + t->depth;
    const uint8_t *fetched = find_fetched(t, turn, v, w, bytes);
    FORGET(step.three);
    FORGET(step.five);
    for (; x < end; x += 4, y += 4, v += 64, w += 64, fetched += 64) {
        _mm_prefetch((const void *)fetched, _MM_HINT_T1);
        add_quads(x, &step, v, bytes, a, rows);
        add_quads(y, &step, w, bytes, b, rows);
    }
}

INLINE void multiply(const struct qnt__lowbit_products *t, size_t i, size_t panel, size_t turn,
                     int rows)
{
    const size_t at = i * COLUMNS + panel * QNT__PANEL;
    struct sums a, b;
    ALL(k, p)
    {
        const int32_t *start = t->start + (panel + (size_t)p) * QNT__PANEL;
        a.of[k][p] = _mm512_loadu_si512(start);
        b.of[k][p] = _mm512_loadu_si512(start + COLUMNS);
    }
    add_places(t, i, panel, 1, 2, &a, &b, turn, rows);
    ALL(k, p)
    {
        const __m512i m1 = a.of[k][p], m2 = b.of[k][p];
        a.of[k][p] = add(m1, m2);
        b.of[k][p] = sub(m1, m2);
    }
    add_places(t, i, panel, 0, 3, &a, &b, turn, rows);
    ALL(k, p)
    {
        _mm512_storeu_si512(t->sums[0] + at + k * COLUMNS + p * QNT__PANEL, a.of[k][p]);
        _mm512_storeu_si512(t->sums[1] + at + k * COLUMNS + p * QNT__PANEL, b.of[k][p]);
    }
}

#define MULTIPLY(rows)                                                                             \
    static __attribute__((noinline)) void multiply_##rows(const struct qnt__lowbit_products *t,    \
                                                          size_t i, size_t turn)                   \
    {                                                                                              \
        for (size_t panel = 0; panel < t->panels; panel += PANELS)                                 \
            multiply(t, i, panel, turn, rows);                                                     \
    }
MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(3)
MULTIPLY(4)
MULTIPLY(5)
MULTIPLY(6)
MULTIPLY(7)

/* The last tiles in two pieces rather than a small one. */
void qnt__multiply_tiles_avx512vnni(const struct qnt__lowbit_products *t)
{
    static void (*const run[])(const struct qnt__lowbit_products *, size_t, size_t) = {
        NULL, multiply_1, multiply_2, multiply_3, multiply_4, multiply_5, multiply_6, multiply_7};
    for (size_t i = 0, turn = 0, rows; i < t->n; i += rows, turn++) {
        const size_t left = t->n - i;
        rows = left <= MOST_ROWS ? left : left >= 2 * MOST_ROWS ? MOST_ROWS : (left + 1) / 2;
        run[rows](t, i, turn);
    }
}

/* ---- sums to results ---- */

/* Sums of all places of a line, of which narrow tiles have no j of 3 and 4. */
INLINE void load_places(const struct qnt__lowbit_tiles *t, const int32_t *m, __m512i x[6], int width)
{
    UNROLL for (int j = 0; j < 6; j++)
    {
        const bool missing = width < TILE && (j == 3 || j == 4);
        x[j] =
            missing ? _mm512_setzero_si512() : _mm512_loadu_si512(m + (size_t)(2 * j) * t->ld);
    }
}

/* Which y is pixel k. */
INLINE int find_y(int k, int width)
{
    return width < TILE ? 3 * k : k;
}

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
    if (t->limit && t->triples)
        qnt__join_packed(t, qnt__join_tiles_avx512vnni, qnt__pack_lowbit_avx2);
    else if (t->width == TILE) join_some(t, TILE);
    else join_some(t, QNT__LOWBIT_NARROW);
}

void qnt__unpack_lowbit_avx512vnni(const uint8_t *x, size_t n, size_t channels, uint8_t *to,
                                   size_t to_step)
{
    unpack_lowbit(x, n, channels, to, to_step);
}
