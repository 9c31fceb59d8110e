/*
 * Weights that are sums of few low-bit integers and stay packed: each point is a column of a panel,
 * multiplied like any other, and sums of columns are added up, as integers, before the epilogue.
 *
 * A block of QNT__BLOCK_PANELS panels, what kernels multiply at a time, has the first points of as many
 * outputs as it can hold with all their points, then their other points in the same order. So all that
 * belongs to an output is at hand when it is added up, and no two tasks share an output.
 */
#include "base/arith.h"
#include "kernel/panels.h"
#include "prepare.h"
#include "quantizer/codebook.h"
#include "quantizer/multipoint.h"
#include "quantizer/points.h"

enum { BLOCK = QNT__BLOCK_PANELS * QNT__PANEL };

/* Columns of output n: one even if it has no point. */
static size_t count_points(const struct qnt__recipe *r, size_t n)
{
    return qnt__max(qnt__points_of(r->weight_q, qnt__recipe_group(r, n, 0)), 1);
}

/* The output behind those, from n on, that share a block, and the columns that they use. */
static size_t end_of_block(const struct qnt__recipe *r, size_t n, size_t end, size_t *used)
{
    for (*used = 0; n < end; n++) {
        const size_t count = count_points(r, n);
        if (*used + count > BLOCK) break;
        *used += count;
    }
    return n;
}

/* Panels that the group with the most points needs. */
static size_t count_panels(const struct qnt__recipe *r)
{
    const size_t outputs = (size_t)(r->head.outputs / r->head.groups);
    size_t most = 0;
    for (size_t first = 0; first < (size_t)r->head.outputs; first += outputs) {
        size_t panels = 0, used;
        for (size_t n = first; n < first + outputs;) {
            n = end_of_block(r, n, first + outputs, &used);
            panels += n < first + outputs ? QNT__BLOCK_PANELS : qnt__ceil_div(used, QNT__PANEL);
        }
        if (panels > most) most = panels;
    }
    return most;
}

void qnt__recipe_points(struct qnt__recipe *r)
{
    const qnt_spec *spec = &r->weight_q->spec;
    struct qnt__layer_head points = r->head;
    if (spec->scheme != QNT_POINTS || spec->method != QNT_MULTIPOINT || spec->points < 2) return;
    if (!r->integers || r->inputs == 0 || points.outputs == 0) return;
    if (points.arithmetic != QNT__INTEGER || points.outputs / points.groups > INT32_MAX) return;
    points.arrays = (points.arrays & ~QNT__HAS_TABLES) | QNT__HAS_POINTS;
    points.weight_bits = spec->bits;
    points.cell_bits = qnt__panel_bits(spec->bits);
    points.panels = (int64_t)count_panels(r);
    if (qnt__recipe_saves(r, &points)) r->head = points;
}

/* Coefficient of a point of output n, in units of its integers. */
static int32_t coef_of(const struct qnt__recipe *r, size_t n, size_t point)
{
    const qnt_quantizer *q = r->weight_q;
    const size_t group = qnt__recipe_group(r, n, 0);
    return (int32_t)q->own[group * q->own_count + point] / qnt__recipe_divisor(r, group);
}

void qnt__recipe_place_points(const struct qnt__recipe *r, const qnt_layer *layer, int32_t *coef,
                              int32_t *start, uint8_t *output)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t blocks = qnt__layer_blocks(s);
    for (size_t g = 0; g < (size_t)r->head.groups; g++, start += blocks + 1) {
        const size_t base = g * s->group_outputs, end = base + s->group_outputs;
        size_t first = base, next, used;
        for (size_t b = 0; b < blocks; b++, first = next) {
            size_t column = g * s->group_panels * QNT__PANEL + b * BLOCK;
            next = end_of_block(r, first, end, &used);
            start[b] = (int32_t)(first - base);
            for (size_t n = first; n < next; n++) coef[column++] = coef_of(r, n, 0);
            for (size_t n = first; n < next; n++) {
                for (size_t p = 1; p < count_points(r, n); p++, column++) {
                    coef[column] = coef_of(r, n, p);
                    output[column] = (uint8_t)(n - first);
                }
            }
        }
        start[blocks] = (int32_t)s->group_outputs;
    }
}

/* The digits of point `point` that output n's integers have. */
static void write_digits(const struct qnt__recipe *r, size_t n, size_t point, int8_t *codes)
{
    const size_t group = qnt__recipe_group(r, n, 0);
    const int32_t bits = r->weight_q->spec.bits, divisor = qnt__recipe_divisor(r, group);
    const uint32_t all = 1u << ((size_t)bits * qnt__points_of(r->weight_q, group));
    int8_t level[QNT__BOOK], digit[256] = {0};
    qnt__codebook_bytes(r->weight_q, group, level);
    for (uint32_t code = 0; code < all; code++) {
        digit[(uint8_t)(level[code] / divisor)] =
            (int8_t)qnt__multipoint_digit(code, bits, (int32_t)point);
    }
    for (size_t k = 0; k < r->inputs; k++) codes[k] = digit[(uint8_t)r->codes[n * r->inputs + k]];
}

bool qnt__recipe_fill_point(const struct qnt__recipe *r, const qnt_layer *layer, size_t panel,
                            size_t column, int8_t *codes)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t group = panel / s->group_panels, within = panel % s->group_panels;
    const size_t first_panel = within / QNT__BLOCK_PANELS * QNT__BLOCK_PANELS;
    const struct qnt__layer_outputs all =
        qnt__layer_outputs(layer, group, first_panel, QNT__BLOCK_PANELS);
    const size_t at = (within - first_panel) * QNT__PANEL + column;
    const uint8_t *output = layer->output + (group * s->group_panels + first_panel) * QNT__PANEL;
    size_t n = at, point = 0;
    if (at >= all.count) {
        n = output[at], point = 1;
        for (size_t e = all.count; e < at; e++) point += output[e] == n;
    }
    n += group * s->group_outputs + all.first;
    if (all.count == 0 || point >= count_points(r, n)) return false;
    write_digits(r, n, point, codes);
    return true;
}

void qnt__layer_reduce(const struct qnt__simd *simd, const qnt_layer *layer, size_t group,
                       size_t panel, size_t panels, size_t m, int32_t *acc)
{
    if (!layer->start) return;
    const size_t n = qnt__layer_outputs(layer, group, panel, panels).count;
    const size_t first = (group * layer->shape.group_panels + panel) * QNT__PANEL;
    const int32_t *coef = layer->coef + first;
    size_t columns = panels * QNT__PANEL;
    while (columns > n && coef[columns - 1] == 0) columns--; /* those without a point */
    simd->reduce_points(&(struct qnt__reduce_points){.acc = acc,
                                                     .coef = coef,
                                                     .output = layer->output + first + n,
                                                     .m = m,
                                                     .n = n,
                                                     .extra = columns - n,
                                                     .ld = BLOCK});
}
