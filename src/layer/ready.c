/*
 * Whether rows of a matrix are prepared once for all columns (simd/slots_prepared.h). Three instructions
 * then do for any weights, where otherwise a cell with a pair of large ones takes four; so it pays if there
 * are many such cells, and many rows and columns. Results do not depend on it.
 */
#include <stdlib.h>

#include "base/arith.h"
#include "run.h"

enum {
    ROWS = 16, /* from which it pays */
    COLUMNS = 64,
    CELL = 64,   /* bytes, four weights of a column after the other */
    SAMPLE = 64, /* cells looked at */
    LIMIT = 128, /* magnitude of the sum of a pair of small weights */
    WORTH = 4    /* one cell in so many */
};

static bool has_large_pair(const int8_t cell[CELL])
{
    for (size_t i = 0; i < CELL; i += 2)
        if (abs(cell[i] + cell[i + 1]) > LIMIT) return true;
    return false;
}

static bool has_large_weights(const qnt_layer *layer)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t cells = s->group_panels * s->panel_bytes / CELL, looked_at = qnt__min(cells, SAMPLE);
    size_t large = 0;
    for (size_t i = 0; i < looked_at; i++) {
        const size_t at = i * (cells / looked_at) + i * (cells % looked_at) / looked_at;
        large += has_large_pair((const int8_t *)layer->weight + at * CELL);
    }
    return large * WORTH >= looked_at;
}

bool qnt__ready_plan(struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    const struct qnt__layer_shape *s = &run->layer->shape;
    const bool bytes = h->arithmetic == QNT__INTEGER && h->cell_bits == 8 && !run->layer->start &&
                       !(h->arrays & QNT__HAS_TABLES);
    if (!run->context->simd.prepares_rows || h->kind != QNT_DENSE || !bytes) return true;
    if (run->rows < ROWS || s->columns < COLUMNS || s->panel_depth == 0) return true;
    if (s->panel_depth > PTRDIFF_MAX / 4) return false;
    if (!has_large_weights(run->layer)) return true;
    run->ready = qnt__prepared_bytes(s->panel_depth);
    run->ready_late = s->group_panels <= QNT__BLOCK_PANELS;
    return true;
}
