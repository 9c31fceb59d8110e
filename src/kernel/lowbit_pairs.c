/*
 * Where no more than 32 outputs are left for a block of 64, it takes two neighbouring pixels of a line
 * instead: columns 0 to 31 are the left one's outputs, the others the right one's, and the taps are those
 * that either meets. A kernel of three columns then has four, so that 3 of 4 look-ups count, not 2.
 */
#include <string.h>

#include "base/arith.h"
#include "lowbit_conv.h"

enum { COLUMNS = QNT__LOWBIT_COLUMNS, HALF = COLUMNS / 2, FEWEST = 64 /* pixels worth the work */ };

/* Columns of the kernel between the two; 0 if their taps have none in common. */
static size_t shift_of(const struct qnt__geometry *g)
{
    const size_t shift = g->stride[1] / g->dilation[1];
    return g->stride[1] % g->dilation[1] == 0 && shift < g->kernel[1] ? shift : 0;
}

bool qnt__lowbit_is_half(const struct qnt__lowbit_conv *c)
{
    return c->group_outputs - (c->blocks - 1) * COLUMNS <= HALF;
}

size_t qnt__lowbit_pair_taps(const struct qnt__lowbit_conv *c)
{
    const struct qnt__geometry *g = &c->g;
    const size_t shift = shift_of(g);
    size_t pixels;
    if (!qnt__lowbit_is_half(c) || shift == 0 || g->out_width < 2) return 0;
    if (!qnt__mul(g->batch, g->out_height, &pixels) || !qnt__mul(pixels, g->out_width, &pixels))
        return 0;
    return pixels < FEWEST ? 0 : g->kernel[0] * (g->kernel[1] + shift);
}

/* Weights of one row of the kernel: the left pixel's begin at the first tap, the right one's later. */
static void pair_row(const uint8_t *from, size_t columns, size_t shift, uint8_t *to)
{
    memset(to, 0, (columns + shift) * COLUMNS);
    for (size_t j = 0; j < columns; j++, from += COLUMNS) {
        memcpy(to + j * COLUMNS, from, HALF);
        memcpy(to + (j + shift) * COLUMNS + HALF, from, HALF);
    }
}

void qnt__lowbit_pair_up(const struct qnt__lowbit_conv *c, uint8_t *weight, ptrdiff_t *tap)
{
    const struct qnt__geometry *g = &c->g;
    const size_t columns = g->kernel[1], shift = shift_of(g), all = columns + shift;
    const size_t pixel = g->groups * c->x_bytes, rows = c->depth * g->kernel[0];
    for (size_t i = 0; i < g->kernel[0] * all; i++)
        tap[i] = (ptrdiff_t)((i / all * g->dilation[0] * g->width + i % all * g->dilation[1]) * pixel);
    for (size_t group = 0; group < g->groups; group++) {
        const uint8_t *from = c->taps + ((group + 1) * c->blocks - 1) * rows * columns * COLUMNS;
        for (size_t r = 0; r < rows; r++, weight += all * COLUMNS)
            pair_row(from + r * columns * COLUMNS, columns, shift, weight);
    }
}
