/*
 * qnt_gemm_exp: products of exponential codes by counting, in square tiles of results. Rows of both
 * operands are sliced once for a tile, which is as large as room for their planes allows: fewer bits,
 * fewer planes.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "exp.h"

enum {
    ROWS = 4, /* of all planes of an operand */
    PLANES = ROWS * QNT__EXP_PLANES,
    COUNTERS = ROWS * ROWS * QNT__EXP_COUNTERS /* fewer bits have more rows and still fewer of them */
};

struct product {
    const qnt_context *context;
    struct qnt__view a, b, c;
    size_t m, n, k;
    int bits;
    size_t side, counters; /* of a tile, and of a result */
    qnt_exp a_exp, b_exp;
    double powers[2 * 127 - 1]; /* of the base */
};

/* sum of counts[i] base^i, ascending. */
static double weigh(const struct product *g, const int32_t *counts, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += counts[i] * g->powers[i];
    return sum;
}

/* Counters that a beta of 0 multiplies were left at 0. */
static float evaluate(const struct product *g, const int32_t *counts)
{
    size_t levels = ((size_t)1 << g->bits) - 1;
    const int32_t *of_a = counts + 2 * levels - 1, *of_b = of_a + levels, *all = of_b + levels;
    double y = g->a_exp.alpha * g->b_exp.alpha * weigh(g, counts, 2 * levels - 1);
    y += g->a_exp.alpha * g->b_exp.beta * weigh(g, of_a, levels);
    y += g->a_exp.beta * g->b_exp.alpha * weigh(g, of_b, levels);
    y += g->a_exp.beta * g->b_exp.beta * *all;
    return (float)y;
}

/* Words between the planes of two rows. */
static size_t row_words(const struct product *g)
{
    return ((size_t)g->bits + 1) * QNT__EXP_WORDS;
}

static void slice_rows(const struct product *g, const struct qnt__view *v, size_t first, size_t rows,
                       size_t k, size_t n, uint64_t *planes)
{
    for (size_t i = 0; i < rows; i++, planes += row_words(g)) {
        int64_t at = (int64_t)(first + i) * v->strides[0] + (int64_t)k * v->strides[1];
        qnt__exp_slice(g->context, v, g->bits, at, n, planes);
    }
}

static void run_tile(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct product *g = task;
    size_t across = qnt__ceil_div(g->n, g->side);
    size_t row = index / across * g->side, column = index % across * g->side;
    size_t rows = qnt__min(g->m - row, g->side), columns = qnt__min(g->n - column, g->side);
    int32_t counts[COUNTERS];
    uint64_t a[PLANES * QNT__EXP_WORDS], b[PLANES * QNT__EXP_WORDS];
    const int parts =
        (g->b_exp.beta != 0 ? QNT__COUNT_OF_A : 0) | (g->a_exp.beta != 0 ? QNT__COUNT_OF_B : 0);

    memset(counts, 0, rows * columns * g->counters * sizeof *counts);
    for (size_t k = 0; k < g->k; k += QNT__EXP_CHUNK) {
        size_t n = qnt__min(g->k - k, QNT__EXP_CHUNK);
        slice_rows(g, &g->a, row, rows, k, n, a);
        slice_rows(g, &g->b, column, columns, k, n, b);
        for (size_t i = 0; i < rows * columns; i++) {
            const struct qnt__count_exp piece = {.a = a + i / columns * row_words(g),
                                                 .b = b + i % columns * row_words(g),
                                                 .words = qnt__ceil_div(n, 64),
                                                 .bits = g->bits,
                                                 .parts = parts,
                                                 .counts = counts + i * g->counters};
            g->context->simd.count_exp(&piece);
        }
    }
    for (size_t i = 0; i < rows * columns; i++) {
        float y = evaluate(g, counts + i * g->counters);
        int64_t at = (int64_t)(row + i / columns) * g->c.strides[0] +
                     (int64_t)(column + i % columns) * g->c.strides[1];
        memcpy(g->c.data + 4 * at, &y, sizeof y);
    }
}

/* ---- checks ---- */

static qnt_status read_exp(const qnt_context *context, const char *name, const qnt_exp *from,
                           qnt_exp *out)
{
    QNT__TRY(qnt__sized_read(context, name, from, sizeof *from, sizeof *out, out));
    QNT__TRY(qnt__exp_check_bits(context, name, out->exponent_bits));
    if (!(out->base > 1) || !isfinite(out->base)) {
        return qnt__fail(context, QNT_E_INVALID, "%s: base is %g, expected above 1 and finite", name,
                         out->base);
    }
    if (!(out->alpha > 0) || !isfinite(out->alpha)) {
        return qnt__fail(context, QNT_E_INVALID, "%s: alpha is %g, expected above 0 and finite", name,
                         out->alpha);
    }
    if (isfinite(out->beta)) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "%s: beta is %g, expected a finite number", name, out->beta);
}

static qnt_status read_exps(struct product *g, const qnt_exp *a_exp, const qnt_exp *b_exp)
{
    const qnt_context *context = g->context;
    QNT__TRY(read_exp(context, "a_exp", a_exp, &g->a_exp));
    QNT__TRY(read_exp(context, "b_exp", b_exp, &g->b_exp));
    g->bits = g->a_exp.exponent_bits;
    if (g->b_exp.exponent_bits != g->bits) {
        return qnt__fail(context, QNT_E_INVALID, "b_exp: exponent_bits is %d, expected %d as in a_exp",
                         (int)g->b_exp.exponent_bits, g->bits);
    }
    if (g->b_exp.base != g->a_exp.base) {
        return qnt__fail(context, QNT_E_INVALID, "b_exp: base is %.17g, expected %.17g as in a_exp",
                         g->b_exp.base, g->a_exp.base);
    }
    size_t count = 2 * ((size_t)1 << g->bits) - 3;
    g->powers[0] = 1;
    for (size_t i = 1; i < count; i++) g->powers[i] = g->powers[i - 1] * g->a_exp.base;
    if (isfinite(g->powers[count - 1])) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "a_exp: base is %g, expected one with a finite power %zu",
                     g->a_exp.base, count - 1);
}

static qnt_status open_c(struct product *g, qnt_tensor *c)
{
    const qnt_context *context = g->context;
    QNT__TRY(qnt__view_open_output(context, "c", c, QNT__FLOAT32, &g->c));
    if (g->c.ndim != 2 || (size_t)g->c.shape[0] != g->m || (size_t)g->c.shape[1] != g->n) {
        return qnt__fail(context, QNT_E_SHAPE, "c: %d axes of %zu elements, expected %zu x %zu", g->c.ndim,
                         g->c.count, g->m, g->n);
    }
    if (qnt__view_overlaps(&g->c, &g->a) || qnt__view_overlaps(&g->c, &g->b)) {
        return qnt__fail(context, QNT_E_INVALID, "c overlaps an input, expected disjoint memory");
    }
    return QNT_OK;
}

qnt_status qnt_gemm_exp(const qnt_context *context, const qnt_tensor *a, const qnt_exp *a_exp,
                        const qnt_tensor *b, const qnt_exp *b_exp, qnt_tensor *c)
{
    if (!context) return QNT_E_INVALID;
    struct product g = {.context = context};
    QNT__TRY(read_exps(&g, a_exp, b_exp));
    QNT__TRY(qnt__exp_open(context, "a", a, g.bits, 2, &g.a));
    QNT__TRY(qnt__exp_open(context, "b", b, g.bits, 2, &g.b));
    g.m = (size_t)g.a.shape[0];
    g.k = (size_t)g.a.shape[1];
    g.n = (size_t)g.b.shape[0];
    if ((size_t)g.b.shape[1] != g.k) {
        return qnt__fail(context, QNT_E_SHAPE, "b: extent 1 is %lld, expected %zu as in a",
                         (long long)g.b.shape[1], g.k);
    }
    QNT__TRY(open_c(&g, c));
    if (g.c.count == 0) return QNT_OK;
    g.counters = 4 * (((size_t)1 << g.bits) - 1);
    g.side = PLANES / ((size_t)g.bits + 1);
    size_t tiles = qnt__ceil_div(g.m, g.side) * qnt__ceil_div(g.n, g.side);
    return qnt__parallel(context, run_tile, &g, tiles);
}
