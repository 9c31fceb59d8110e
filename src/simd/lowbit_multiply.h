/*
 * Products of filtered pixels and filters, added up down a tile (slots_lowbit.h), for GNU vectors of any
 * width. The including file defines VECTOR, bytes of a vector, INLINE, and GEMM_S8, the level's matrix
 * product.
 */
#include "layout.h"

typedef uint32_t wraps __attribute__((vector_size(VECTOR), aligned(4), may_alias));

enum { LANES_32 = VECTOR / 4 };

INLINE wraps load_wraps(const int32_t *from)
{
    return *(const wraps *)(const void *)from;
}

INLINE void store_wraps(int32_t *to, wraps v)
{
    *(wraps *)(void *)to = v;
}

/* Products of place r, in p->room. */
static void multiply_place(const struct qnt__lowbit_products *p, size_t r)
{
    static const ptrdiff_t start = 0;
    const uint8_t *rows[QNT__GEMM_ROWS];
    for (size_t i = 0; i < p->n; i++) rows[i] = p->pixels + r * p->ld + i * p->step;
    GEMM_S8(&(struct qnt__gemm){.rows = rows,
                                .taps = &start,
                                .weight = p->filters + r * p->filters_ld,
                                .acc = p->room,
                                .m = p->n,
                                .panels = p->panels,
                                .tap_count = 1,
                                .depth = p->depth,
                                .panel_bytes = p->depth * QNT__PANEL,
                                .ld = QNT__LOWBIT_COLUMNS,
                                .bits = 8});
}

/* They are added to what is there, or to a row that all tiles begin with. */
INLINE void add_place(const struct qnt__lowbit_products *p, size_t r, int32_t *to,
                      const int32_t *from, size_t step)
{
    const size_t columns = p->panels * QNT__PANEL;
    multiply_place(p, r);
    for (size_t i = 0; i < p->n; i++) {
        for (size_t c = 0; c < columns; c += LANES_32) {
            const size_t at = i * QNT__LOWBIT_COLUMNS + c;
            store_wraps(to + at, load_wraps(p->room + at) + load_wraps(from + i * step + c));
        }
    }
}

/* Sums of a row as pairs. */
INLINE void pair_up(const int32_t *from, int32_t *to, size_t columns)
{
    enum { HALF = QNT__PANEL };
    for (size_t c = 0; c < columns; c += 2 * HALF, from += 2 * HALF, to += HALF)
        for (size_t k = 0; k < HALF; k += LANES_32)
            store_wraps(to + k, (load_wraps(from + k) >> 1 & 0xffff) |
                                    load_wraps(from + HALF + k) >> 1 << 16);
}

INLINE void multiply_tiles(const struct qnt__lowbit_products *p)
{
    const size_t columns = p->panels * QNT__PANEL, room = p->n * QNT__LOWBIT_COLUMNS;
    int32_t *const sums[2] = {p->paired ? p->room + room : p->sums[0],
                              p->paired ? p->room + 2 * room : p->sums[1]};
    add_place(p, 1, sums[0], p->start, 0);
    add_place(p, 2, sums[1], p->start + QNT__LOWBIT_COLUMNS, 0);
    for (size_t i = 0; i < p->n; i++) {
        for (size_t c = 0; c < columns; c += LANES_32) {
            int32_t *to[2] = {sums[0] + i * QNT__LOWBIT_COLUMNS + c,
                              sums[1] + i * QNT__LOWBIT_COLUMNS + c};
            const wraps m1 = load_wraps(to[0]), m2 = load_wraps(to[1]);
            store_wraps(to[0], m1 + m2);
            store_wraps(to[1], m1 - m2);
        }
    }
    add_place(p, 0, sums[0], sums[0], QNT__LOWBIT_COLUMNS);
    add_place(p, 3, sums[1], sums[1], QNT__LOWBIT_COLUMNS);
    for (size_t r = 0; p->paired && r < 2; r++)
        for (size_t i = 0; i < p->n; i++)
            pair_up(sums[r] + i * QNT__LOWBIT_COLUMNS, p->sums[r] + i * columns / 2, columns);
}
