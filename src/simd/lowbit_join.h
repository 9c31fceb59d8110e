/*
 * Products of tiles become sums or codes (slots_lowbit.h), for GNU vectors of any width. The including
 * file defines VECTOR, bytes of a vector, INLINE, and GEMM_S8, the level's matrix product.
 */
#include "layout.h"

typedef int32_t lanes __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef uint32_t wraps __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef int16_t halves __attribute__((vector_size(VECTOR / 2), aligned(2), may_alias));
typedef uint8_t bytes __attribute__((vector_size(VECTOR / 4), aligned(1), may_alias));

enum { LANES_32 = VECTOR / 4 };

INLINE lanes widen(const int16_t *from)
{
    return __builtin_convertvector(*(const halves *)(const void *)from, lanes);
}

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

INLINE void multiply_tiles(const struct qnt__lowbit_products *p)
{
    const size_t columns = p->panels * QNT__PANEL;
    add_place(p, 1, p->sums[0], p->start, 0);
    add_place(p, 2, p->sums[1], p->start + QNT__LOWBIT_COLUMNS, 0);
    for (size_t i = 0; i < p->n; i++) {
        for (size_t c = 0; c < columns; c += LANES_32) {
            int32_t *to[2] = {p->sums[0] + i * QNT__LOWBIT_COLUMNS + c,
                              p->sums[1] + i * QNT__LOWBIT_COLUMNS + c};
            const wraps m1 = load_wraps(to[0]), m2 = load_wraps(to[1]);
            store_wraps(to[0], m1 + m2);
            store_wraps(to[1], m1 - m2);
        }
    }
    add_place(p, 0, p->sums[0], p->sums[0], QNT__LOWBIT_COLUMNS);
    add_place(p, 3, p->sums[1], p->sums[1], QNT__LOWBIT_COLUMNS);
}

/* What becomes of y of one pixel. */
INLINE void keep(const struct qnt__lowbit_tiles *t, wraps y, size_t r, size_t j, size_t i, size_t c)
{
    const size_t at = (QNT__LOWBIT_TILE * i + j) * t->step + c;
    if (!t->limit) {
        *(wraps *)(void *)(t->sums[r] + at) = (wraps)((lanes)y >> 4) * 0xaaaaaaabu;
        return;
    }
    lanes count = {0}, s = ((lanes)y >> 5) ^ widen(t->flip + c);
    for (size_t k = 0; k < 3; k++) count -= s >= widen(t->limit + k * QNT__LOWBIT_COLUMNS + c);
    *(bytes *)(void *)(t->codes[r] + at) = __builtin_convertvector(count, bytes);
}

INLINE void join_tiles(const struct qnt__lowbit_tiles *t)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t c = 0; c < t->columns; c += LANES_32) {
            for (size_t r = 0; r < 2; r++) {
                wraps m[6];
                for (size_t j = 0; j < 6; j++)
                    m[j] = load_wraps(t->m + (2 * j + r) * t->ld + i * QNT__LOWBIT_COLUMNS + c);
                const wraps p = (m[1] + m[2]) << 2, q = (m[1] - m[2]) << 2;
                const wraps s = m[3] + m[4], d = m[3] - m[4];
                keep(t, (m[0] << 1) + s - p, r, 0, i, c);
                keep(t, (d << 1) - q, r, 1, i, c);
                keep(t, (s << 2) - p, r, 2, i, c);
                keep(t, ((d + m[5]) << 3) - q, r, 3, i, c);
            }
        }
    }
}
