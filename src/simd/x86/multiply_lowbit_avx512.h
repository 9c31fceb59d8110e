/*
 * Products of filtered pixels and filters, added up down a tile (slots_lowbit.h), with 512-bit VPDPBUSD.
 * Two panels of filters meet up to seven tiles at two places at once: what both places add up to goes on in
 * its register with a third one, and their difference with a fourth. The including file defines
 *     pair(a, b)   bits 1 to 16 of the dwords of a in the low words, those of b in the high ones
 */
#include "cells_avx512vnni.h"

#undef UNROLL
#define UNROLL _Pragma("GCC unroll 16")

enum { PANELS = 2, MOST_ROWS = 7 };

struct sums {
    __m512i of[MOST_ROWS][PANELS];
};

#define ALL(i, p) UNROLL for (int i = 0; i < rows; i++) UNROLL for (int p = 0; p < PANELS; p++)

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
    UNROLL for (int i = 0; i < rows; i++)
    {
        __m512i quad = broadcast_quad(x + find_row(step, i));
        UNROLL for (int p = 0; p < PANELS; p++) DPBUSD(s->of[i][p], quad, cell[p]);
    }
}

/* Two panels and some tiles of a call. Of the next call's filters they fetch some to the second cache, as
 * far from panels and places that are multiplied now. */
struct part {
    const uint8_t *pixels, *filters;
    const int32_t *start;
    int32_t *sums[2];
    size_t step, ld, filters_ld, depth;
    size_t row; /* of sums, from one tile to the next */
    ptrdiff_t fetched[2];
};

/* Products of place `first` are added to a, those of `second` to b. */
INLINE void add_places(const struct part *t, size_t first, size_t second, ptrdiff_t fetched,
                       struct sums *a, struct sums *b, int rows)
{
    const size_t bytes = t->depth * QNT__PANEL;
    struct steps step = {t->step, 3 * t->step, 5 * t->step};
    const uint8_t *x = t->pixels + first * t->ld, *y = t->pixels + second * t->ld,
                  *v = t->filters + first * t->filters_ld, *w = t->filters + second * t->filters_ld,
                  *end = x + t->depth;
    FORGET(step.three);
    FORGET(step.five);
    for (; x < end; x += 4, y += 4, v += 64, w += 64) {
        _mm_prefetch((const void *)(v + fetched), _MM_HINT_T1);
        add_quads(x, &step, v, bytes, a, rows);
        add_quads(y, &step, w, bytes, b, rows);
    }
}

INLINE void multiply(const struct part *t, int paired, int rows)
{
    struct sums a, b;
    ALL(k, p)
    {
        const int32_t *start = t->start + (size_t)p * QNT__PANEL;
        a.of[k][p] = _mm512_loadu_si512(start);
        b.of[k][p] = _mm512_loadu_si512(start + QNT__LOWBIT_COLUMNS);
    }
    add_places(t, 1, 2, t->fetched[0], &a, &b, rows);
    ALL(k, p)
    {
        const __m512i m1 = a.of[k][p], m2 = b.of[k][p];
        a.of[k][p] = _mm512_add_epi32(m1, m2);
        b.of[k][p] = _mm512_sub_epi32(m1, m2);
    }
    add_places(t, 0, 3, t->fetched[1], &a, &b, rows);
    int32_t *to[2] = {t->sums[0], t->sums[1]};
    if (paired) {
        UNROLL for (int k = 0; k < rows; k++, to[0] += t->row, to[1] += t->row)
        {
            _mm512_storeu_si512(to[0], pair(a.of[k][0], a.of[k][1]));
            _mm512_storeu_si512(to[1], pair(b.of[k][0], b.of[k][1]));
        }
        return;
    }
    ALL(k, p)
    {
        _mm512_storeu_si512(to[0] + k * QNT__LOWBIT_COLUMNS + p * QNT__PANEL, a.of[k][p]);
        _mm512_storeu_si512(to[1] + k * QNT__LOWBIT_COLUMNS + p * QNT__PANEL, b.of[k][p]);
    }
}

#define MULTIPLY(rows)                                                                             \
    static __attribute__((noinline)) void sums_of_##rows(const struct part *t)                     \
    {                                                                                              \
        multiply(t, 0, rows);                                                                      \
    }                                                                                              \
    static __attribute__((noinline)) void pairs_of_##rows(const struct part *t)                    \
    {                                                                                              \
        multiply(t, 1, rows);                                                                      \
    }
MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(3)
MULTIPLY(4)
MULTIPLY(5)
MULTIPLY(6)
MULTIPLY(7)

typedef void multiply_fn(const struct part *t);

/* Each of the first four turns fetches a quarter of the next call's filters, one after them nothing new. */
INLINE void find_fetched(const struct qnt__lowbit_products *t, size_t turn, ptrdiff_t fetched[2])
{
    const ptrdiff_t next = t->next - t->filters + (ptrdiff_t)(turn / 2 * t->depth * QNT__PANEL),
                    place = (ptrdiff_t)(turn % 2 * t->filters_ld);
    fetched[0] = turn < 4 ? next + place : 0;
    fetched[1] = turn < 4 ? next + 3 * place : 0;
}

/* The last tiles in two pieces rather than a small one. */
INLINE void multiply_tiles(const struct qnt__lowbit_products *t)
{
    static multiply_fn *const run[][MOST_ROWS + 1] = {
        {NULL, sums_of_1, sums_of_2, sums_of_3, sums_of_4, sums_of_5, sums_of_6, sums_of_7},
        {NULL, pairs_of_1, pairs_of_2, pairs_of_3, pairs_of_4, pairs_of_5, pairs_of_6, pairs_of_7}};
    const size_t pairs = t->paired ? 1 : 0;
    struct part p = {.step = t->step,
                     .ld = t->ld,
                     .filters_ld = t->filters_ld,
                     .depth = t->depth,
                     .row = qnt__lowbit_row(t->paired, t->panels * QNT__PANEL)};
    for (size_t i = 0, turn = 0, rows; i < t->n; i += rows, turn++) {
        const size_t left = t->n - i;
        rows = left <= MOST_ROWS ? left : left >= 2 * MOST_ROWS ? MOST_ROWS : (left + 1) / 2;
        p.pixels = t->pixels + i * t->step;
        find_fetched(t, turn, p.fetched);
        for (size_t panel = 0; panel < t->panels; panel += PANELS) {
            const size_t at = i * p.row + panel * QNT__PANEL / (1 + pairs);
            p.filters = t->filters + panel * t->depth * QNT__PANEL;
            p.start = t->start + panel * QNT__PANEL;
            for (size_t r = 0; r < 2; r++) p.sums[r] = t->sums[r] + at;
            run[pairs][rows](&p);
        }
    }
}
