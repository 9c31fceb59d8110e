/*
 * QNT_TEQ: base, alpha and beta of exponential codes (DNA-TEQ, arXiv 2306.16430).
 *
 * As published (QNT_LITERAL), the smallest and the largest magnitude of a group are levels, so that
 * only the base is free; it minimises the relative mean absolute error, rounding in the domain of
 * the logarithm. By default the lowest and the highest level are free too, 0 is a level like the
 * others, rounding is to the nearest, and the weighted squared error is minimised.
 *
 * All groups share the base, and two quantizers may (qnt_quantizer_fit_pair). Its error has a few
 * shallow minima: it is scanned over a logarithmic grid of base - 1, then refined by golden
 * section.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "exp.h"
#include "histogram.h"
#include "methods.h"
#include "pair.h"
#include "sorted.h"

enum { SCAN = 40, NEAR = 3, GOLDEN = 24, MOST_LEVELS = 127 };

static const double LEAST_BASE = 1.0005, SMALL = 0x1p-40; /* of the largest: as good as 0 */

/* Lowest and highest level. */
struct range {
    double low, high;
};

/* The magnitudes of one group, and the best range found for the base tried last. */
struct magnitudes {
    struct qnt__sorted sorted;
    double low, high, size; /* smallest and largest; sum of h |x|, or of h x^2 */
    struct range range;
    bool known; /* the range */
};

struct qnt__teq {
    const qnt_context *context;
    qnt_quantizer *next;
    size_t groups, bytes;
    struct magnitudes *group; /* [groups] */
    uint8_t *space;           /* the block that holds the groups and their sorted values */
};

/* ---- the error of one group ---- */

/* sum h |x - v| or, squared, sum h (x - v)^2, over the values from one mark to another. */
static double cell_error(const struct qnt__side *side, bool squared, const struct qnt__mark *from,
                         const struct qnt__mark *to, double v)
{
    double h = to->sum.h - from->sum.h, hx = to->sum.hx - from->sum.hx;
    if (squared) return to->sum.hxx - from->sum.hxx - v * (2.0 * hx - v * h);
    struct qnt__mark middle = qnt__mark_at(side, v, from->index, to->index);
    double below = v * (middle.sum.h - from->sum.h) - (middle.sum.hx - from->sum.hx);
    return below + (to->sum.hx - middle.sum.hx) - v * (to->sum.h - middle.sum.h);
}

/* The error of a base and a range; levels are snapped as they will be. */
static double error_in(const qnt_spec *spec, const struct magnitudes *m, bool squared, double base,
                       struct range range)
{
    const int32_t levels = qnt__exp_levels(spec), most = qnt__exp_snap(spec);
    const struct qnt__side *side = &m->sorted.side[0];
    const bool literal = spec->flags & QNT_LITERAL;
    double alpha = (range.high - range.low) / (exp((levels - 1) * log(base)) - 1.0),
           beta = range.low - alpha;
    double power = 1.0, half = sqrt(base), before = 0.0, sum = 0.0,
           step = most ? range.high / most : 0.0;
    struct qnt__mark from = {side->sums[0], 0}, to;
    for (int32_t e = 0; e <= levels; e++) { /* the cell below level e, then the last one */
        double level = alpha * power + beta;
        if (most) level = rint(level / step) * step;
        double border = 0.5 * (before + level);
        if (literal) border = e ? alpha * (power / half) + beta : 0.0;
        to = e < levels ? qnt__mark_at(side, border, from.index, side->n) : qnt__mark_end(side);
        if (to.index > from.index) sum += cell_error(side, squared, &from, &to, before);
        from = to;
        before = level;
        power *= base;
    }
    return sum > 0.0 ? sum : 0.0;
}

/* What is minimised. */
static double error_of(const qnt_spec *spec, const struct magnitudes *m, double base,
                       struct range range)
{
    return error_in(spec, m, !(spec->flags & QNT_LITERAL), base, range);
}

/* Improves a range by steps in the logarithms of its ends, halved when none helps. */
static double descend(const qnt_spec *spec, struct magnitudes *m, double base, double step,
                      double last)
{
    double least = error_of(spec, m, base, m->range);
    while (step > last) {
        const double up = exp(step),
                     factor[4][2] = {{up, up}, {1 / up, 1 / up}, {up, 1}, {1 / up, 1}};
        bool better = false;
        for (int i = 0; i < 4; i++) {
            struct range r = {m->range.low * factor[i][0], m->range.high * factor[i][1]};
            if (r.high > m->high || r.low >= r.high) continue;
            double error = error_of(spec, m, base, r);
            if (error < least) least = error, m->range = r, better = true;
        }
        if (!better) step *= 0.5;
    }
    return least;
}

/* The least error of a base; coarse while scanning, to the end at last. */
static double group_error(const qnt_spec *spec, struct magnitudes *m, double base, bool final)
{
    if (m->sorted.side[0].n == 0) return 0.0;
    if (spec->flags & QNT_LITERAL) {
        m->range = (struct range){m->low, m->high};
        return m->low < m->high ? error_of(spec, m, base, m->range) : 0.0;
    }
    if (!m->known) { /* somewhere in the middle, from a few tries */
        double least = INFINITY;
        struct range best = {0.05 * m->high, 0.6 * m->high};
        for (double high = 1.0; high > 0.1; high *= 0.7) {
            for (double low = 0.5; low > 0.005; low *= 0.4) {
                struct range r = {low * high * m->high, high * m->high};
                double error = error_of(spec, m, base, r);
                if (error < least) least = error, best = r;
            }
        }
        m->range = best;
        m->known = true;
    }
    return descend(spec, m, base, final ? 0.05 : 0.1, final ? 1e-4 : 0.02);
}

/* ---- the base ---- */

/* The logarithm of base - 1, from the largest base down. */
static double scanned(const qnt_spec *spec, int i)
{
    const double low = log(LEAST_BASE - 1.0), high = log(qnt__exp_largest_base(spec) - 1.0);
    return high - i * ((high - low) / SCAN);
}

/* The range of a base that nothing led to. Ranges change little from one base to the next, so one that
 * came down from a few larger bases, or up from smaller ones, is mostly better than one from a few tries,
 * but not always. */
static void settle(const qnt_spec *spec, struct magnitudes *m, double base)
{
    int above = 0; /* scanned bases that are larger */
    while (above <= SCAN && 1.0 + exp(scanned(spec, above)) > base) above++;
    m->known = false;
    double least = group_error(spec, m, base, true);
    struct range range = m->range;
    for (int way = -1; way <= 1 && !(spec->flags & QNT_LITERAL); way += 2) {
        m->known = false;
        for (int left = NEAR; left > 0; left--) {
            const int i = way < 0 ? above - left : above + left - 1;
            if (i >= 0 && i <= SCAN) group_error(spec, m, 1.0 + exp(scanned(spec, i)), false);
        }
        const double error = group_error(spec, m, base, true);
        if (error < least) least = error, range = m->range;
    }
    m->range = range;
}

static double total_error(const struct qnt__teq *const *teq, int count, double base, bool final)
{
    double sum = 0.0;
    for (int i = 0; i < count; i++) {
        double error = 0.0, size = 0.0;
        for (size_t g = 0; g < teq[i]->groups; g++) {
            error += group_error(&teq[i]->next->spec, &teq[i]->group[g], base, final);
            size += teq[i]->group[g].size;
        }
        sum += size > 0.0 ? error / size : 0.0; /* relative: two tensors count alike */
    }
    return sum;
}

/* The best base between two, as base - 1 by golden section over its logarithm. */
static double golden(const struct qnt__teq *const *teq, int count, double low, double high)
{
    const double ratio = 0.61803398874989485;
    double a = low, b = high, c = b - ratio * (b - a), d = a + ratio * (b - a);
    double at_c = total_error(teq, count, 1.0 + exp(c), false);
    double at_d = total_error(teq, count, 1.0 + exp(d), false);
    for (int i = 0; i < GOLDEN && b - a > 1e-4; i++) {
        if (at_c < at_d) {
            b = d, d = c, at_d = at_c;
            c = b - ratio * (b - a);
            at_c = total_error(teq, count, 1.0 + exp(c), false);
        } else {
            a = c, c = d, at_c = at_d;
            d = a + ratio * (b - a);
            at_d = total_error(teq, count, 1.0 + exp(d), false);
        }
    }
    return at_c < at_d ? c : d;
}

qnt_status qnt__teq_base(struct qnt__teq *const *teq, int count, double *base)
{
    const struct qnt__teq *const *all = (const struct qnt__teq *const *)teq;
    const qnt_spec *spec = &teq[0]->next->spec;
    const double low = scanned(spec, SCAN), high = scanned(spec, 0), step = (high - low) / SCAN;
    double least = INFINITY, best = low;
    for (int i = 0; i <= SCAN; i++) {
        QNT__TRY(qnt__progress(teq[0]->context, (uint64_t)i, SCAN + 1));
        double error = total_error(all, count, 1.0 + exp(scanned(spec, i)), false);
        if (error < least) least = error, best = scanned(spec, i);
    }
    for (int i = 0; i < count; i++) {
        for (size_t g = 0; g < teq[i]->groups; g++) teq[i]->group[g].known = false;
    }
    *base = 1.0 + exp(golden(all, count, fmax(best - step, low), fmin(best + step, high)));
    return qnt__progress(teq[0]->context, SCAN + 1, SCAN + 1);
}

/* ---- groups ---- */

static size_t values_of(const struct qnt__statistics *seen, size_t g)
{
    return seen->bin ? seen->bins : (size_t)seen->moments[g].count;
}

/* Magnitudes as good as 0 count as 0. */
static void open_group(const qnt_spec *spec, struct magnitudes *m)
{
    struct qnt__side *side = &m->sorted.side[0];
    if (side->n == 0) return;
    m->high = (double)side->x[side->n - 1];
    size_t first = 0;
    while ((double)side->x[first] < SMALL * m->high) first++;
    m->low = (double)side->x[first];
    const struct qnt__sums *all = &side->sums[side->n];
    m->size = spec->flags & QNT_LITERAL ? all->hx : all->hxx;
}

qnt_status qnt__teq_open(const qnt_context *context, const struct qnt__statistics *seen,
                         qnt_quantizer *next, struct qnt__teq **out)
{
    size_t bytes = qnt__round_up(sizeof(struct qnt__teq), 64), most = 0, each, load;
    bool fits = qnt__mul(next->groups, sizeof(struct magnitudes), &each) &&
                qnt__add(bytes, each + 64, &bytes);
    for (size_t g = 0; g < next->groups && fits; g++) {
        each = qnt__sort_bytes(values_of(seen, g));
        most = qnt__max(most, values_of(seen, g));
        fits = each < SIZE_MAX / 4 && qnt__add(bytes, qnt__round_up(each, 64), &bytes);
    }
    fits = fits && qnt__mul(most, sizeof(float) + sizeof(double), &load) &&
           qnt__add(bytes, load + 64, &bytes);
    if (!fits) return qnt__fail(context, QNT_E_NOMEM, "%zu groups overflow memory", next->groups);
    void *block;
    QNT__TRY(qnt__allocate(context, &next->memory, bytes, &block));
    struct qnt__teq *teq = block;
    *teq = (struct qnt__teq){
        .context = context, .next = next, .groups = next->groups, .bytes = bytes, .space = block};
    uint8_t *at = teq->space + qnt__round_up(sizeof *teq, 64);
    teq->group = (void *)at;
    memset(teq->group, 0, next->groups * sizeof *teq->group);
    at += qnt__round_up(next->groups * sizeof *teq->group, 64);
    double *h = (void *)at;
    float *x = (float *)(h + most);
    at += qnt__round_up(most * (sizeof *h + sizeof *x), 64);
    for (size_t g = 0; g < next->groups; g++) {
        bool weighted;
        size_t n = qnt__group_values(seen, g, x, h, &weighted);
        qnt__sort(x, weighted ? h : NULL, n,
                  next->spec.flags & QNT_SIGNED ? QNT__FOLDED : QNT__SIDES, at,
                  &teq->group[g].sorted);
        open_group(&next->spec, &teq->group[g]);
        at += qnt__round_up(qnt__sort_bytes(values_of(seen, g)), 64);
    }
    *out = teq;
    return QNT_OK;
}

void qnt__teq_close(struct qnt__teq *teq)
{
    if (teq) qnt__free(&teq->next->memory, teq->space, teq->bytes);
}

/* As float32 holds it, also where alpha is beyond its subnormal numbers or the top would round to
 * infinity. `power` is the largest, and `low`, where it counts, the lowest level: alpha + beta. */
static void store(qnt_quantizer *next, size_t g, double alpha, double power, const double *low)
{
    const double most = (double)FLT_MAX * (1.0 - 0x1p-22);
    alpha = fmax(alpha, (double)FLT_TRUE_MIN);
    alpha = fmin(alpha, low ? fmin(most, (most - *low) / (power - 1.0)) : most / power);
    qnt__exp_store(next, g, alpha, low ? *low - alpha : 0.0);
}

/* One magnitude only, or none: the top code is exact. */
static void store_constant(qnt_quantizer *next, size_t g, double magnitude)
{
    double power = exp((qnt__exp_levels(&next->spec) - 1) * log((double)next->shared[0]));
    store(next, g, magnitude > 0.0 ? magnitude / power : 1.0 / power, power, NULL);
}

void qnt__teq_store(struct qnt__teq *teq, double base)
{
    const qnt_spec *spec = &teq->next->spec;
    const int32_t levels = qnt__exp_levels(spec);
    teq->next->shared[0] = (float)base;
    base = (double)teq->next->shared[0];
    for (size_t g = 0; g < teq->groups; g++) {
        struct magnitudes *m = &teq->group[g];
        group_error(spec, m, base, true);
        if (!(m->low < m->high)) {
            store_constant(teq->next, g, m->high);
            continue;
        }
        double power = exp((levels - 1) * log(base));
        store(teq->next, g, (m->range.high - m->range.low) / (power - 1.0), power, &m->range.low);
    }
}

/* Negative values count in full where codes have no sign. */
double qnt__teq_rmae(const struct qnt__teq *teq)
{
    const qnt_spec *spec = &teq->next->spec;
    double error = 0.0, size = 0.0;
    for (size_t g = 0; g < teq->groups; g++) {
        const struct magnitudes *m = &teq->group[g];
        const struct qnt__side *below = &m->sorted.side[1], *side = &m->sorted.side[0];
        double lost = below->n > 0 ? below->sums[below->n].hx : 0.0;
        if (m->low < m->high) {
            error += error_in(spec, m, false, (double)teq->next->shared[0], m->range);
        }
        error += lost;
        size += lost + (side->n > 0 ? side->sums[side->n].hx : 0.0);
    }
    return size > 0.0 ? error / size : 0.0;
}

qnt_status qnt__fit_teq(const qnt_context *context, const struct qnt__statistics *seen,
                        qnt_quantizer *next)
{
    struct qnt__teq *teq;
    double base = (double)next->shared[0];
    QNT__TRY(qnt__teq_open(context, seen, next, &teq));
    const bool given = next->base_set;
    qnt_status status = given ? qnt__progress(context, 1, 1) : qnt__teq_base(&teq, 1, &base);
    for (size_t g = 0; g < teq->groups && given && status == QNT_OK; g++)
        settle(&next->spec, &teq->group[g], base);
    if (status == QNT_OK) qnt__teq_store(teq, base);
    qnt__teq_close(teq);
    return status;
}
