/*
 * Products of filtered pixels and of filters that VPERMB makes of taps (slots_lowbit.h): 2 bits of a weight
 * are read where filters would be 24 bytes for nine of them. Two additions and a subtraction make filters
 * of two places of three look-ups, and these meet all tiles of a turn at once. What is needed for the next
 * four channels is made between the products of these ones, as the order of instructions decides which of
 * those that are ready are taken first.
 */
#include "../slots.h"
#include "cells_avx512vnni.h"

#undef UNROLL
#define UNROLL _Pragma("GCC unroll 16")

enum {
    MOST_ROWS = 8,
    PAIR = 2,         /* panels */
    CELL = 3 * 64,    /* bytes of taps of four channels */
    AHEAD = 8 * CELL, /* they are fetched to the first cache */
    MIDDLE = 6        /* steps that make filters of the middle places, see make_middle */
};

/* What is the same for all passes over the channels of a turn. */
struct turn {
    const uint8_t *pixels;
    size_t step, ld, depth;
    __m512i table;
};

/* Where the pixels of tiles are, of a place: four tiles from an address. Instructions are asked for address
 * by address, or compilers keep one pointer for each tile, more than there are registers; and they stay in
 * the order in which they are written down. */
struct rows {
    const uint8_t *at[MOST_ROWS / 4];
    size_t one, three;
};

INLINE struct rows find_rows(const struct turn *t, size_t place)
{
    const uint8_t *x = t->pixels + place * t->ld;
    return (struct rows){{x, x + 4 * t->step}, t->step, 3 * t->step};
}

#define LOAD(address) __asm__ volatile("vpbroadcastd (%1" address "), %0" : "=v"(quad) : PLACE : "memory")
#define PLACE "r"(r->at[i / 4]), "r"(r->one), "r"(r->three)

INLINE __m512i load_quad(const struct rows *r, int i)
{
    __m512i quad;
    switch (i % 4) {
    case 0: LOAD(""); break;
    case 1: LOAD(",%2"); break;
    case 2: LOAD(",%2,2"); break;
    default: LOAD(",%3"); break;
    }
    return quad;
}

INLINE void advance(struct rows *r)
{
    UNROLL for (int i = 0; i < MOST_ROWS / 4; i++) {
        r->at[i] += 4;
        FORGET(r->at[i]);
    }
}

INLINE void add_product(__m512i *sum, __m512i quad, __m512i filter)
{
    __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(quad), "v"(filter));
}

INLINE __m512i look_up(const uint8_t *taps, __m512i table)
{
    __m512i index = _mm512_loadu_si512(taps), to;
    __asm__ volatile("vpermb %2, %1, %0" : "=v"(to) : "v"(index), "v"(table));
    return to;
}

/* Filters of places 1 and 2, step by step. */
struct middle {
    __m512i row[3], sum, of[2];
};

INLINE void make_middle(struct middle *m, int step, const uint8_t *taps, __m512i table)
{
    switch (step) {
    case 3: __asm__ volatile("vpaddb %2, %1, %0" : "=v"(m->sum) : "v"(m->row[0]), "v"(m->row[2])); break;
    case 4: __asm__ volatile("vpaddb %2, %1, %0" : "=v"(m->of[0]) : "v"(m->sum), "v"(m->row[1])); break;
    case 5: __asm__ volatile("vpsubb %2, %1, %0" : "=v"(m->of[1]) : "v"(m->sum), "v"(m->row[1])); break;
    default: m->row[step] = look_up(taps + 64 * step, table); break;
    }
}

/* Sums of places 1 and 2 of one panel, and what both add up to and differ by. */
INLINE void add_middle(const struct turn *t, const uint8_t *taps, const int32_t *start,
                       __m512i sum[MOST_ROWS], __m512i difference[MOST_ROWS], int rows)
{
    struct rows x = find_rows(t, 1), y = find_rows(t, 2);
    const __m512i table = t->table;
    struct middle made;
    __m512i m1[MOST_ROWS], m2[MOST_ROWS];
    UNROLL for (int i = 0; i < rows; i++)
    {
        m1[i] = _mm512_loadu_si512(start);
        m2[i] = _mm512_loadu_si512(start + QNT__LOWBIT_COLUMNS);
    }
    UNROLL for (int s = 0; s < MIDDLE; s++) make_middle(&made, s, taps, table);
    for (size_t left = t->depth; left; left -= 4, advance(&x), advance(&y)) {
        const __m512i filter[2] = {made.of[0], made.of[1]};
        if (left > 4) taps += CELL; /* the last ones are made again, and are not needed */
        UNROLL for (int a = 0; a < 3; a++) __builtin_prefetch(taps + AHEAD + 64 * a);
        UNROLL for (int k = 0; k < 2 * rows; k++)
        {
            const int i = k % rows;
            if (k < rows) add_product(&m1[i], load_quad(&x, i), filter[0]);
            else add_product(&m2[i], load_quad(&y, i), filter[1]);
            UNROLL for (int s = 0; s < MIDDLE; s++)
            {
                if ((s + 1) * 2 * rows / (MIDDLE + 1) == k) make_middle(&made, s, taps, table);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        sum[i] = _mm512_add_epi32(m1[i], m2[i]);
        difference[i] = _mm512_sub_epi32(m1[i], m2[i]);
    }
}

/* And place 0 or 3 of two panels, whose filters are one look-up in a table of twice the numbers. `next` is
 * fetched to the second cache. */
INLINE void add_outer(const struct turn *t, size_t place, const uint8_t *taps, const uint8_t *next,
                      __m512i from[PAIR][MOST_ROWS], int32_t *to, int rows)
{
    const size_t panel = t->depth / 4 * CELL;
    const __m512i table = _mm512_add_epi8(t->table, t->table);
    struct rows x = find_rows(t, place);
    __m512i sum[PAIR][MOST_ROWS], made[PAIR];
    UNROLL for (int p = 0; p < PAIR; p++) UNROLL for (int i = 0; i < rows; i++) sum[p][i] = from[p][i];
    UNROLL for (int p = 0; p < PAIR; p++) made[p] = look_up(taps + (size_t)p * panel, table);
    for (size_t left = t->depth; left; left -= 4, advance(&x), next += 64) {
        const __m512i filter[PAIR] = {made[0], made[1]};
        _mm_prefetch((const void *)next, _MM_HINT_T1);
        if (left > 4) taps += CELL;
        UNROLL for (int i = 0; i < rows; i++)
        {
            const __m512i quad = load_quad(&x, i);
            UNROLL for (int p = 0; p < PAIR; p++)
            {
                add_product(&sum[p][i], quad, filter[p]);
                if (i == p * (rows / 2)) made[p] = look_up(taps + (size_t)p * panel, table);
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int p = 0; p < PAIR; p++)
        _mm512_storeu_si512(to + i * QNT__LOWBIT_COLUMNS + p * QNT__PANEL, sum[p][i]);
}

INLINE void multiply(const struct turn *t, const uint8_t *taps, const uint8_t *next, const int32_t *start,
                     int32_t *const to[2], int rows)
{
    __m512i sum[2][PAIR][MOST_ROWS];
    for (size_t p = 0; p < PAIR; p++)
        add_middle(t, taps + p * (t->depth / 4 * CELL), start + p * QNT__PANEL, sum[0][p], sum[1][p], rows);
    add_outer(t, 0, taps, next, sum[0], to[0], rows);
    add_outer(t, 3, taps + 128, taps, sum[1], to[1], rows);
}

typedef void multiply_fn(const struct turn *t, const uint8_t *taps, const uint8_t *next,
                         const int32_t *start, int32_t *const to[2]);

#define MULTIPLY(rows)                                                                             \
    static __attribute__((noinline)) void multiply_##rows(const struct turn *t, const uint8_t *taps, \
                                                          const uint8_t *next, const int32_t *start, \
                                                          int32_t *const to[2])                      \
    {                                                                                              \
        multiply(t, taps, next, start, to, rows);                                                  \
    }
MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(3)
MULTIPLY(4)
MULTIPLY(5)
MULTIPLY(6)
MULTIPLY(7)
MULTIPLY(8)

/* The last tiles in two turns rather than a small one. */
void qnt__multiply_taps_avx512vbmi(const struct qnt__lowbit_products *p)
{
    static multiply_fn *const run[] = {
        NULL,       multiply_1, multiply_2, multiply_3, multiply_4,
        multiply_5, multiply_6, multiply_7, multiply_8};
    struct turn t = {.step = p->step,
                     .ld = p->ld,
                     .depth = p->depth,
                     .table = _mm512_loadu_si512(p->table)};
    for (size_t i = 0, rows; i < p->n; i += rows) {
        const size_t left = p->n - i;
        rows = left <= MOST_ROWS ? left : left >= 2 * MOST_ROWS ? MOST_ROWS : (left + 1) / 2;
        t.pixels = p->pixels + i * t.step;
        for (size_t panel = 0; panel < p->panels; panel += PAIR) {
            const size_t at = i * QNT__LOWBIT_COLUMNS + panel * QNT__PANEL;
            int32_t *const to[2] = {p->sums[0] + at, p->sums[1] + at};
            const uint8_t *next = i ? p->filters : p->next + panel / PAIR * (t.depth / 4 * 64);
            run[rows](&t, p->filters + panel * (t.depth / 4 * CELL), next,
                      p->start + panel * QNT__PANEL, to);
        }
    }
}
