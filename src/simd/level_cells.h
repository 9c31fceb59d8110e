/*
 * Rows of codes become cells of levels by other slots, a piece at a time that stays in the first-level
 * cache:
 *
 *     QNT__LEVEL_CELLS(isa, interleave_rows, expand_levels, look_up_8) defines the slot of a level.
 */
#ifndef QNT__SIMD_LEVEL_CELLS_H
#define QNT__SIMD_LEVEL_CELLS_H

#include "layout.h"
#include "slots.h"

enum { QNT__LEVEL_QUADS = 64 /* of a piece */ };

#define QNT__LEVEL_CELLS(isa, interleave_rows, expand_levels, look_up_8)                              \
    void qnt__level_cells_##isa(const struct qnt__level_cells *c)                                      \
    {                                                                                                  \
        uint8_t cells[64 * QNT__LEVEL_QUADS], *out = c->out;                                           \
        for (size_t quad = 0, n; quad < c->quads; quad += n, out += n * (size_t)(512 / c->bits)) {     \
            n = c->quads - quad < QNT__LEVEL_QUADS ? c->quads - quad : QNT__LEVEL_QUADS;               \
            interleave_rows(c->rows + 4 * quad, c->columns, c->ld, n, cells);                          \
            if (c->bits == 8) {                                                                        \
                look_up_8(c->levels, c->level_bits, cells, 64 * n, out);                               \
                continue;                                                                              \
            }                                                                                          \
            const struct qnt__expand e = {.cell = cells,                                               \
                                          .cells = n,                                                  \
                                          .bits = c->bits,                                             \
                                          .levels = (const int8_t *)c->levels,                         \
                                          .out = out};                                                 \
            expand_levels(&e);                                                                         \
        }                                                                                              \
    }

#endif
