/*
 * Filtered weights of layers that run in tiles (slots_lowbit.h): where those of a block of outputs are.
 * lowbit_filters.c makes them, lowbit_tiles.c multiplies with them.
 */
#ifndef QNT__KERNEL_LOWBIT_FILTERS_H
#define QNT__KERNEL_LOWBIT_FILTERS_H

#include "lowbit_conv.h"
#include "simd/layout.h"

enum {
    QNT__LOWBIT_SUM_LINES = 12, /* six for each line of a tile */
    QNT__LOWBIT_FLAGS = 16,     /* numbers, so that panels are aligned */
    QNT__LOWBIT_TABLES = 6 * 64 /* numbers, before all blocks */
};

/* Of one block of 64 outputs. Where filters are made when the layer runs, sums may exceed what fits 16
 * bits, and have limits of their own. */
struct qnt__lowbit_filters {
    int32_t *start;        /* [6][2][64]: what sums of products begin with */
    int16_t *limit, *flip; /* [3][64], [64] */
    int32_t *paired;       /* 1: limits are those of pairs of sums */
    int32_t *wide;         /* [4][64]: of 48 times the sums, and flips; if filters are made */
    uint8_t *panels;       /* [24][4] panels of `depth`, or taps, [4] panels of [depth / 4][3][64] */
    int8_t *tables;        /* [6][64] if filters are made: of multiply_taps, for each j */
};

/* Bytes of filtered weights of one output at one place. */
static inline size_t qnt__lowbit_filter_depth(const struct qnt__lowbit_conv *c)
{
    return qnt__round_up(c->g.channels / c->g.groups, qnt__cell_depth(8));
}

static inline size_t qnt__lowbit_panel_bytes(const struct qnt__lowbit_conv *c)
{
    return qnt__lowbit_filter_depth(c) * QNT__PANEL;
}

/* Without panels. */
static inline size_t qnt__lowbit_filter_head_bytes(bool made)
{
    return QNT__LOWBIT_COLUMNS * (QNT__LOWBIT_SUM_LINES * sizeof(int32_t) + 4 * sizeof(int16_t)) +
           QNT__LOWBIT_FLAGS * sizeof(int32_t) +
           (made ? 4 * QNT__LOWBIT_COLUMNS * sizeof(int32_t) : 0);
}

static inline size_t qnt__lowbit_filter_block_bytes(const struct qnt__lowbit_conv *c, bool made)
{
    return qnt__lowbit_filter_head_bytes(made) +
           (made ? 3 : (size_t)QNT__LOWBIT_PLACES) * QNT__BLOCK_PANELS * qnt__lowbit_panel_bytes(c);
}

/* Those of a block of a group's outputs. */
static inline struct qnt__lowbit_filters
qnt__lowbit_find_filters(const struct qnt__lowbit_conv *c, bool made, uint8_t *at, size_t group,
                         size_t block)
{
    struct qnt__lowbit_filters f = {.tables = (int8_t *)at};
    at += made ? QNT__LOWBIT_TABLES : 0;
    at += (group * c->blocks + block) * qnt__lowbit_filter_block_bytes(c, made);
    f.start = (int32_t *)(void *)at;
    f.limit =
        (int16_t *)(void *)(at + QNT__LOWBIT_SUM_LINES * QNT__LOWBIT_COLUMNS * sizeof *f.start);
    f.flip = f.limit + 3 * QNT__LOWBIT_COLUMNS;
    f.paired = (int32_t *)(void *)(f.flip + QNT__LOWBIT_COLUMNS);
    f.wide = f.paired + QNT__LOWBIT_FLAGS;
    f.panels = at + qnt__lowbit_filter_head_bytes(made);
    return f;
}

#endif
