/*
 * QNT_MSE: which exact solver serves which spec.
 *
 * Symmetric codes have one unknown, the scale; others the zero point as well. A real offset starts
 * from the answer with an integer zero point; quantizer.c allows it where branch and bound over
 * both is practical.
 */
#include "base/arith.h"
#include "exact.h"
#include "fit_wide.h"
#include "methods.h"

enum { WIDE_BITS = 16 };

/* Levels below 0: of symmetric codes one number, else any. */
static void range_of(const qnt_spec *spec, int32_t *first, int32_t *last)
{
    int32_t steps = qnt__code_high(spec) - qnt__code_low(spec);
    bool fixed = spec->flags & QNT_SYMMETRIC;
    *first = fixed ? qnt__zero_default(spec) - qnt__code_low(spec) : 0;
    *last = fixed ? *first : steps;
}

size_t qnt__fit_mse_scratch(const qnt_quantizer *quantizer, size_t n)
{
    const qnt_spec *spec = &quantizer->spec;
    int32_t low = qnt__code_low(spec), high = qnt__code_high(spec), first, last;
    if (spec->bits == WIDE_BITS) return 1;
    range_of(spec, &first, &last);
    size_t solver = qnt__exact_grid_bytes(high - low, first, last), total = qnt__sort_bytes(n);
    if (spec->flags & QNT_REAL_OFFSET) {
        solver = qnt__max(solver, qnt__exact_affine_bytes(low, high));
    }
    return qnt__add(solver + 64, total, &total) ? total : SIZE_MAX;
}

/* After the sorted data. */
static void *solver_space(const struct qnt__group_data *data)
{
    return (char *)data->scratch + qnt__round_up(qnt__sort_bytes(data->n), 64);
}

static struct qnt__exact fit_grid(const qnt_quantizer *quantizer,
                                  const struct qnt__group_data *data)
{
    const qnt_spec *spec = &quantizer->spec;
    int32_t steps = qnt__code_high(spec) - qnt__code_low(spec), first, last;
    range_of(spec, &first, &last);
    bool folded = first == last && 2 * first == steps;
    struct qnt__sorted sorted;
    struct qnt__exact out;
    qnt__sort(data->values, data->weights, data->n, folded ? QNT__FOLDED : QNT__SIDES,
              data->scratch, &sorted);
    qnt__exact_grid(&sorted, steps, first, last, quantizer->options.nodes, solver_space(data),
                    &out);
    return out;
}

/* Improves on a grid's answer, whose codes it counts from 0. */
static struct qnt__exact fit_affine(const qnt_quantizer *quantizer,
                                    const struct qnt__group_data *data,
                                    const struct qnt__exact *grid)
{
    const qnt_spec *spec = &quantizer->spec;
    int32_t low = qnt__code_low(spec), high = qnt__code_high(spec);
    struct qnt__affine start = grid->affine;
    struct qnt__sorted sorted;
    struct qnt__exact out;
    start.offset = (grid->affine.low - (float)low) * start.scale;
    qnt__sort(data->values, data->weights, data->n, QNT__SIGNED, data->scratch, &sorted);
    qnt__exact_affine(&sorted, low, high, &start, quantizer->options.nodes,
                      solver_space(data), &out);
    return out;
}

void qnt__fit_mse(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                  struct qnt__group_fit *fit)
{
    const qnt_spec *spec = &quantizer->spec;
    const struct qnt__moments *seen = data->moments;
    if (spec->bits == WIDE_BITS) {
        qnt__fit_wide(quantizer, data, fit);
        return;
    }
    if (seen->min == 0.0f &&
        seen->max == 0.0f) { /* any parameters are exact: those of QNT_MINMAX */
        qnt__fit_range(spec, 0.0f, 0.0f, fit);
        return;
    }
    struct qnt__exact out = fit_grid(quantizer, data);
    if (spec->flags & QNT_REAL_OFFSET) out = fit_affine(quantizer, data, &out);
    else fit->zero = qnt__code_low(spec) - (int32_t)out.affine.low;
    fit->scale = out.affine.scale;
    fit->offset = out.affine.offset;
    fit->bound = out.bound;
    fit->visited = out.visited;
}
