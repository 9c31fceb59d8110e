/* Convolutions by minimal filtering: tiles, the order that they have, and what a run works on. */
#ifndef QNT__LAYER_WINOGRAD_H
#define QNT__LAYER_WINOGRAD_H

#include "run.h"

enum {
    QNT__WINOGRAD_TILES = QNT__BLOCK_ROWS, /* most that are multiplied together */
    QNT__WINOGRAD_TILE = 4,                /* results along a side of one */
    QNT__WINOGRAD_RUN = 4, /* tiles side by side whose pixels are filtered together */
    /* Words that keep places and tiles from being multiples of a page apart. */
    QNT__WINOGRAD_APART = 64 / sizeof(int16_t)
};

/* Panels that are best multiplied together. */
size_t qnt__winograd_panels(const struct qnt__run *run);

/* Tiles along one axis of the result: those of 4 pixels, then one of 2 if that will do for the rest. The
 * last one may begin before the one ahead of it ends; then it leaves out what that one has. */
struct qnt__winograd_axis {
    size_t extent, fours, twos; /* twos: 0 or 1 */
};

struct qnt__winograd_tile {
    size_t at;   /* its first pixel */
    size_t skip; /* pixels that the tile before has as well */
    int size;    /* 4 or 2 */
};

/* Of an extent of 4 or more. */
static inline struct qnt__winograd_axis qnt__winograd_axis(size_t extent)
{
    const size_t rest = extent % 4;
    return (struct qnt__winograd_axis){extent, extent / 4 + (rest == 3), rest == 1 || rest == 2};
}

static inline struct qnt__winograd_tile qnt__winograd_tile(const struct qnt__winograd_axis *a,
                                                           size_t tile)
{
    const bool four = tile < a->fours;
    const size_t begin = 4 * tile, size = four ? 4 : 2;
    const size_t at = qnt__min(begin, a->extent - size);
    return (struct qnt__winograd_tile){at, begin - at, (int)size};
}

/* Does a run pay, with these tiles? */
bool qnt__winograd_pays(const struct qnt__run *run, const struct qnt__winograd_axis *down,
                        const struct qnt__winograd_axis *across);

/* How many pixels tiles have, down and across. */
enum qnt__winograd_kind {
    QNT__TALL_NARROW, /* 4 and 2 */
    QNT__TALL_WIDE,   /* 4 and 4 */
    QNT__LOW_WIDE,    /* 2 and 4 */
    QNT__LOW_NARROW   /* 2 and 2 */
};

/*
 * Some rows of tiles of all images, first to end - 1, whose filtered pixels are at hand. Tiles of one kind
 * follow each other, those of `kind` from index[kind] on, and the kinds are in an order in which all tiles
 * that take a point, down or across, are neighbours: each place is a product of one range of tiles.
 */
struct qnt__winograd_chunk {
    struct qnt__winograd_axis down, across;
    size_t first, end;
    size_t first_tall, first_low; /* rows of 4 and of 2 lines before the first one */
    size_t index[5];
};

/* Of all rows of tiles before `row`, how many are 4 lines high? */
static inline size_t qnt__winograd_tall(const struct qnt__winograd_chunk *c, size_t row)
{
    const size_t rows = c->down.fours + c->down.twos;
    return row / rows * c->down.fours + row % rows; /* the one of 2 is the last of its image */
}

static inline struct qnt__winograd_chunk qnt__winograd_chunk(struct qnt__winograd_axis down,
                                                             struct qnt__winograd_axis across,
                                                             size_t first, size_t end)
{
    struct qnt__winograd_chunk c = {down, across, first, end, 0, 0, {0}};
    c.first_tall = qnt__winograd_tall(&c, first);
    c.first_low = first - c.first_tall;
    const size_t tall = qnt__winograd_tall(&c, end) - c.first_tall, low = end - first - tall;
    c.index[1] = tall * across.twos;
    c.index[2] = c.index[1] + tall * across.fours;
    c.index[3] = c.index[2] + low * across.fours;
    c.index[4] = c.index[3] + low * across.twos;
    return c;
}

/* Where tile `column` of a row of tiles is. */
static inline size_t qnt__winograd_index(const struct qnt__winograd_chunk *c, size_t row,
                                         size_t column)
{
    const size_t rows = c->down.fours + c->down.twos, tall = qnt__winograd_tall(c, row);
    const bool is_tall = row % rows < c->down.fours, is_wide = column < c->across.fours;
    const size_t rank = is_tall ? tall - c->first_tall : row - tall - c->first_low;
    const enum qnt__winograd_kind kind = is_tall   ? is_wide ? QNT__TALL_WIDE : QNT__TALL_NARROW
                                         : is_wide ? QNT__LOW_WIDE
                                                   : QNT__LOW_NARROW;
    return c->index[kind] + (is_wide ? rank * c->across.fours + column
                                     : rank * c->across.twos + column - c->across.fours);
}

/* ---- a run ---- */

struct qnt__winograd_call {
    struct qnt__run *run;
    struct qnt__winograd_chunk chunk;
    int16_t *pixels;     /* [tiles of the chunk][36][channels], run->winograd.tile apart */
    size_t panel_blocks; /* of one group */
};

/* Panels of a task, and the tiles that it has at the moment, first to end - 1. */
struct qnt__winograd_piece {
    const struct qnt__winograd_call *call;
    uint8_t *scratch;
    size_t group, panel, panels;
    size_t columns; /* from the sums of one tile to the next */
    size_t slice;   /* of the group among channels */
    size_t first, end;
};

struct qnt__winograd_range {
    size_t first, end;
};

/* Those of tiles first to end - 1 that the piece has. */
static inline struct qnt__winograd_range qnt__winograd_meet(const struct qnt__winograd_piece *p,
                                                            size_t first, size_t end)
{
    struct qnt__winograd_range r = {qnt__max(p->first, first), qnt__min(p->end, end)};
    if (r.end < r.first) r.end = r.first;
    return r;
}

/* The sums of a tile of the piece, where `place` is that of the first one in its scratch. */
static inline int32_t *qnt__winograd_sums(const struct qnt__winograd_piece *p, size_t place,
                                          size_t tile)
{
    return (int32_t *)(void *)(p->scratch + place) + (tile - p->first) * p->columns;
}

/* Line `line` of the tiles of one kind, which have it: sums are added up across to results, or to what is
 * there; and results are finished. */
void qnt__winograd_add_across(const struct qnt__winograd_piece *p, size_t line,
                              enum qnt__winograd_kind kind, bool add);
void qnt__winograd_finish(const struct qnt__winograd_piece *p, size_t line,
                          enum qnt__winograd_kind kind);

#endif
