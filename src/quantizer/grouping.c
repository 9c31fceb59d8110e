/* Which element belongs to which group, and in what pieces groups and elements are worked on. */
#include "grouping.h"

#include "base/arith.h"

qnt_status qnt__grouping_of(const qnt_context *context, const char *name, const qnt_spec *spec,
                            int ndim, const int64_t *shape, struct qnt__grouping *out)
{
    struct qnt__grouping g = {
        .outer = 1, .length = 1, .inner = 1, .block = 1, .blocks = 1, .grain = spec->grain};
    int axis = spec->grain == QNT_PER_TENSOR ? -1 : spec->axis < 0 ? spec->axis + ndim : spec->axis;
    if (spec->grain != QNT_PER_TENSOR && (axis < 0 || axis >= ndim)) {
        return qnt__fail(context, QNT_E_SHAPE, "%s: ndim is %d, but the quantizer's axis is %d",
                         name, ndim, (int)spec->axis);
    }
    for (int d = 0; d < ndim; d++) {
        size_t *product = d < axis ? &g.outer : d == axis ? &g.length : &g.inner;
        if (!qnt__mul(*product, (size_t)shape[d], product)) {
            return qnt__fail(context, QNT_E_SHAPE, "%s: extents overflow at axis %d", name, d);
        }
    }
    g.axis = axis < 0 ? 0 : axis;
    g.groups = 1;
    if (g.grain == QNT_PER_AXIS) g.groups = g.length;
    if (g.grain == QNT_PER_BLOCK) {
        g.block = qnt__min((size_t)spec->block, qnt__max(g.length, 1));
        g.blocks = qnt__ceil_div(g.length, g.block);
        size_t all;
        if (!qnt__mul(g.outer, g.blocks, &all) || !qnt__mul(all, g.inner, &g.groups)) {
            return qnt__fail(context, QNT_E_SHAPE, "%s: extents overflow", name);
        }
    }
    *out = g;
    return QNT_OK;
}

size_t qnt__group_at(const struct qnt__grouping *g, size_t element)
{
    if (g->grain == QNT_PER_TENSOR) return 0;
    size_t j = element / g->inner % g->length;
    if (g->grain == QNT_PER_AXIS) return j;
    size_t i = element / g->inner / g->length;
    return (i * g->blocks + j / g->block) * g->inner + element % g->inner;
}

size_t qnt__group_size(const struct qnt__grouping *g, size_t group)
{
    if (g->grain == QNT_PER_TENSOR) return g->inner;
    if (g->grain == QNT_PER_AXIS) return g->outer * g->inner;
    size_t first = group / g->inner % g->blocks * g->block;
    return qnt__min(g->block, g->length - first);
}

/* Neighbours in memory belong to different groups. */
static bool interleaved(const struct qnt__grouping *g)
{
    return g->grain == QNT_PER_AXIS ? g->inner == 1 : g->grain == QNT_PER_BLOCK && g->inner > 1;
}

/* Elements of a whole run; not for interleaved groups. */
static size_t run_of(const struct qnt__grouping *g)
{
    return g->grain == QNT_PER_TENSOR ? SIZE_MAX : g->grain == QNT_PER_AXIS ? g->inner : g->block;
}

/* How many elements from this one on belong to its group; not for interleaved groups. */
static size_t run_at(const struct qnt__grouping *g, size_t element)
{
    if (g->grain == QNT_PER_TENSOR) return g->inner - element;
    if (g->grain == QNT_PER_AXIS) return g->inner - element % g->inner;
    size_t j = element % g->length;
    return qnt__min(g->block - j % g->block, g->length - j);
}

/* The same for groups that follow each other in whole runs, from the first element of one on. */
static size_t runs_at(const struct qnt__grouping *g, size_t element)
{
    if (g->grain == QNT_PER_TENSOR) return g->inner - element;
    if (g->grain == QNT_PER_BLOCK && g->blocks * g->block == g->length) return SIZE_MAX;
    size_t row = g->length * g->inner;
    return row - element % row;
}

bool qnt__chunk_segment(const struct qnt__grouping *g, const struct qnt__chunk *chunk, size_t at,
                        size_t *group, size_t *n)
{
    if (at >= chunk->count) return false;
    if (chunk->transposed) {
        *group = qnt__group_at(g, chunk->first + at / chunk->rows);
        *n = chunk->rows;
    } else if (chunk->run == 1) {
        *group = qnt__group_at(g, chunk->first + at);
        *n = chunk->count - at;
    } else if (at > 0 && !chunk->many_groups && g->grain == QNT_PER_BLOCK &&
               g->blocks * g->block == g->length) {
        *group += 1; /* whole blocks follow each other; divisions would cost more than a block */
        *n = qnt__min(g->block, chunk->count - at);
    } else {
        *group = qnt__group_at(g, chunk->first + at);
        size_t left = run_at(g, chunk->first + at);
        if (left == chunk->run) left = runs_at(g, chunk->first + at);
        *n = qnt__min(left, chunk->count - at);
    }
    return true;
}

/* Rows from `row` on that share their groups, column by column. */
static size_t rows_alike(const struct qnt__grouping *g, size_t row)
{
    if (g->grain != QNT_PER_BLOCK) return SIZE_MAX;
    size_t j = row % g->length;
    return qnt__min(g->block - j % g->block, g->length - j);
}

bool qnt__piece_next(const struct qnt__grouping *g, const struct qnt__piece *p,
                     struct qnt__chunk *chunk)
{
    if (chunk->count == 0) { /* the first */
        chunk->row = p->row;
        chunk->column = p->column;
    } else if (chunk->column + chunk->columns < p->column_end) {
        chunk->column += chunk->columns;
    } else {
        chunk->row += chunk->rows;
        chunk->column = p->column;
    }
    if (chunk->row >= p->row_end || p->column >= p->column_end) return false;

    size_t width = p->column_end - chunk->column, height = p->row_end - chunk->row;
    bool wide = p->column_end - p->column >= QNT__EACH_MIN;
    chunk->run = !chunk->many_groups ? SIZE_MAX : !interleaved(g) ? run_of(g) : wide ? 1 : SIZE_MAX;
    chunk->transposed = interleaved(g) && chunk->run != 1;
    if (chunk->transposed) {
        size_t widest = qnt__min(p->column_end - p->column, QNT__TILE); /* all have the same rows */
        size_t most = qnt__min(QNT__CHUNK / widest, rows_alike(g, chunk->row));
        chunk->columns = qnt__min(width, QNT__TILE);
        chunk->rows = qnt__min(height, most);
    } else {
        const size_t most = chunk->unbuffered ? SIZE_MAX : QNT__CHUNK;
        chunk->columns = qnt__min(width, most);
        chunk->rows = 1;
        if (chunk->run == 1 && chunk->columns == p->pitch) { /* rows that follow each other */
            chunk->rows = qnt__min(height, rows_alike(g, chunk->row));
            chunk->rows = qnt__min(chunk->rows, most / p->pitch);
        }
    }
    chunk->pitch = p->pitch;
    chunk->first = chunk->row * p->pitch + chunk->column;
    chunk->count = chunk->rows * chunk->columns;
    return true;
}

/* ---- pieces of elements ---- */

enum { PIECE = 1 << 16 }; /* elements; a multiple of 8, so that packed codes meet at whole bytes */

/* Rows of one piece of interleaved groups, a multiple of 8; as many as share what is computed for a column,
 * unless these are very wide. Columns is g->inner or, along the axis, g->length. */
static size_t piece_rows(size_t columns)
{
    enum { SHARE = 32, MOST = 8 * PIECE };
    size_t rows = qnt__max(PIECE / columns / 8, 1) * 8;
    return columns <= MOST / SHARE ? qnt__max(rows, SHARE) : rows;
}

static size_t columns_of(const struct qnt__grouping *g)
{
    return g->grain == QNT_PER_AXIS ? g->length : g->inner;
}

size_t qnt__element_pieces(const struct qnt__grouping *g)
{
    size_t count = g->outer * g->length * g->inner;
    if (count == 0 || !interleaved(g)) return qnt__ceil_div(count, PIECE);
    size_t columns = columns_of(g);
    return qnt__ceil_div(count / columns, piece_rows(columns));
}

struct qnt__piece qnt__element_piece(const struct qnt__grouping *g, size_t index)
{
    size_t count = g->outer * g->length * g->inner;
    if (!interleaved(g)) {
        size_t first = index * PIECE;
        return (struct qnt__piece){0, 1, first, qnt__min(first + PIECE, count), count};
    }
    size_t columns = columns_of(g), rows = count / columns, each = piece_rows(columns);
    size_t row = index * each;
    return (struct qnt__piece){row, qnt__min(row + each, rows), 0, columns, columns};
}

/* ---- pieces of whole groups ---- */

/* Groups come in units that lie together; a piece is `each` units. */
static void units_of(const struct qnt__grouping *g, size_t *units, size_t *each)
{
    size_t count = g->outer * g->length * g->inner, least = 1;
    *units = g->grain == QNT_PER_TENSOR ? 1 : g->grain == QNT_PER_AXIS ? g->length
                                                                       : g->outer * g->blocks;
    if (g->grain == QNT_PER_AXIS && g->inner == 1) least = 16; /* columns of a cache line */
    size_t elements = *units ? qnt__max(count / *units, 1) : 1;
    *each = qnt__max(PIECE / elements, least);
}

size_t qnt__group_pieces(const struct qnt__grouping *g)
{
    size_t units, each;
    units_of(g, &units, &each);
    return qnt__ceil_div(units, each);
}

struct qnt__piece qnt__group_piece(const struct qnt__grouping *g, size_t index, size_t *group,
                                   size_t *group_end)
{
    size_t units, each, count = g->outer * g->length * g->inner;
    units_of(g, &units, &each);
    size_t from = index * each, to = qnt__min(from + each, units);
    if (g->grain != QNT_PER_BLOCK) {
        *group = from;
        *group_end = to;
        if (g->grain == QNT_PER_TENSOR) return (struct qnt__piece){0, 1, 0, count, count};
        return (struct qnt__piece){0, g->outer, from * g->inner, to * g->inner,
                                   g->length * g->inner};
    }
    *group = from * g->inner;
    *group_end = to * g->inner;
    /* where unit u begins, in rows of `inner` elements; the last block of a row may be shorter */
    size_t begin = from / g->blocks * g->length + from % g->blocks * g->block;
    size_t end = to / g->blocks * g->length + to % g->blocks * g->block;
    if (g->inner > 1) return (struct qnt__piece){begin, end, 0, g->inner, g->inner};
    return (struct qnt__piece){0, 1, begin * g->inner, end * g->inner, count}; /* inner is 0 or 1 */
}
