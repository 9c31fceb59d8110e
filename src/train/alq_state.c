/*
 * Everything that steps change, as numbers in a row, so that a training can stop and go on: rate
 * and steps; of each weight the copy that straight steps move, three moments and the code; of each
 * group how many bases it has; of each coordinate, in rows of eight, itself and three moments.
 * Weights follow from codes and coordinates.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "alq.h"
#include "base/arith.h"
#include "base/try.h"

enum { HEAD = 2, OF_WEIGHT = 5, OF_COORDINATE = 4 };

/* Numbers as they lie in a state. */
struct places {
    size_t master, w_m, w_v, w_top, code, bases, alpha, a_m, a_v, a_top, end;
};

static struct places places_of(const qnt_alq *q)
{
    const size_t n = q->count, rows = q->groups * QNT__BASES_MAX; /* both were allocated */
    const size_t groups = HEAD + OF_WEIGHT * n, of_groups = groups + q->groups;
    return (struct places){.master = HEAD,
                           .w_m = HEAD + n,
                           .w_v = HEAD + 2 * n,
                           .w_top = HEAD + 3 * n,
                           .code = HEAD + 4 * n,
                           .bases = groups,
                           .alpha = of_groups,
                           .a_m = of_groups + rows,
                           .a_v = of_groups + 2 * rows,
                           .a_top = of_groups + 3 * rows,
                           .end = of_groups + OF_COORDINATE * rows};
}

static qnt_status check_alq(const qnt_context *context, const qnt_alq *alq)
{
    if (!context) return QNT_E_INVALID;
    return alq ? QNT_OK : qnt__fail(context, QNT_E_INVALID, "alq is NULL");
}

qnt_status qnt_alq_get_state(const qnt_context *context, const qnt_alq *alq, double *values,
                             size_t capacity, size_t *count)
{
    QNT__TRY(check_alq(context, alq));
    if (!count) return qnt__fail(context, QNT_E_INVALID, "count is NULL");
    const struct places p = places_of(alq);
    if (values && capacity < p.end) {
        return qnt__fail(context, QNT_E_SPACE, "capacity is %zu, expected at least %zu", capacity,
                         p.end);
    }
    *count = p.end;
    if (!values) return QNT_OK;
    const size_t n = alq->count * sizeof *values,
                 rows = alq->groups * QNT__BASES_MAX * sizeof *values;
    values[0] = alq->rate;
    values[1] = alq->w.steps;
    memcpy(values + p.master, alq->master, n);
    memcpy(values + p.w_m, alq->w.m, n);
    memcpy(values + p.w_v, alq->w.v, n);
    memcpy(values + p.w_top, alq->w.top, n);
    for (size_t j = 0; j < alq->count; j++) values[p.code + j] = alq->code[j];
    for (size_t g = 0; g < alq->groups; g++) values[p.bases + g] = alq->bases[g];
    memcpy(values + p.alpha, alq->alpha, rows);
    memcpy(values + p.a_m, alq->a.m, rows);
    memcpy(values + p.a_v, alq->a.v, rows);
    memcpy(values + p.a_top, alq->a.top, rows);
    return QNT_OK;
}

/* ---- may these numbers be a state? ---- */

static bool is_whole(double v, double most)
{
    return v >= 0.0 && v <= most && v == rint(v);
}

/* Means, mean squares, and the largest of these so far, of sums of `each` float32 gradients. By Cauchy's
 * inequality m^2 <= 0.1^2 / 0.001 / (1 - 0.9^2 / 0.999) each v, the factor of which is less than 53. */
static bool are_moments(const double *m, const double *v, const double *top, size_t n, size_t each)
{
    const double most = 2.0 * FLT_MAX * (double)each;
    for (size_t i = 0; i < n; i++) {
        bool good = v[i] >= 0.0 && top[i] >= v[i] && sqrt(top[i]) <= most &&
                    fabs(m[i]) <= 8.0 * sqrt((double)each * v[i]);
        if (!good) return false;
    }
    return true;
}

/* A step moves a weight by no more than eight rates: far from their double, whatever the steps. */
static bool are_weights(const double *master, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(master[i]) <= 2.0 * FLT_MAX)) return false;
    return true;
}

/* Coordinates that are there are positive as float32, and so is their sum, the others 0. */
static bool are_coordinates(const double *alpha, int32_t bases)
{
    double sum = 0.0;
    for (int32_t i = 0; i < QNT__BASES_MAX; i++) {
        if (i < bases ? !((float)alpha[i] > 0.0f) : alpha[i] != 0.0) return false;
        sum += (double)(float)alpha[i];
    }
    return isfinite((float)sum);
}

static bool is_group(const qnt_alq *q, const struct places *p, const double *values, size_t group)
{
    const double bases = values[p->bases + group];
    const struct qnt__alq_group g = qnt__alq_group(q, group);
    if (!is_whole(bases, q->spec.points)) return false;
    for (size_t j = g.first; j < g.first + g.n; j++)
        if (!is_whole(values[p->code + j], ldexp(1.0, (int)bases) - 1.0)) return false;
    return are_coordinates(values + p->alpha + group * QNT__BASES_MAX, (int32_t)bases);
}

static qnt_status check_values(const qnt_context *context, const qnt_alq *q, const double *values)
{
    const struct places p = places_of(q);
    for (size_t i = 0; i < p.end; i++) {
        if (isfinite(values[i])) continue;
        return qnt__fail(context, QNT_E_INVALID, "values: number %zu is %g, expected a finite one",
                         i, values[i]);
    }
    bool good = values[0] >= 0.0 && values[0] <= QNT__ALQ_RATE && is_whole(values[1], 0x1p53) &&
                are_weights(values + p.master, q->count) &&
                are_moments(values + p.w_m, values + p.w_v, values + p.w_top, q->count, 1) &&
                are_moments(values + p.a_m, values + p.a_v, values + p.a_top,
                            q->groups * QNT__BASES_MAX, q->each);
    for (size_t g = 0; good && g < q->groups; g++) good = is_group(q, &p, values, g);
    return good ? QNT_OK : qnt__fail(context, QNT_E_INVALID, "values are not a state of this kind");
}

qnt_status qnt_alq_set_state(const qnt_context *context, qnt_alq *alq, const double *values,
                             size_t count)
{
    QNT__TRY(check_alq(context, alq));
    const struct places p = places_of(alq);
    if (!values) return qnt__fail(context, QNT_E_INVALID, "values is NULL");
    if (count != p.end)
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected %zu", count, p.end);
    QNT__TRY(check_values(context, alq, values));
    const size_t n = alq->count * sizeof *values,
                 rows = alq->groups * QNT__BASES_MAX * sizeof *values;
    alq->rate = values[0];
    alq->w.steps = alq->a.steps = values[1];
    memcpy(alq->master, values + p.master, n);
    memcpy(alq->w.m, values + p.w_m, n);
    memcpy(alq->w.v, values + p.w_v, n);
    memcpy(alq->w.top, values + p.w_top, n);
    for (size_t j = 0; j < alq->count; j++) alq->code[j] = (uint8_t)values[p.code + j];
    for (size_t g = 0; g < alq->groups; g++) alq->bases[g] = (int32_t)values[p.bases + g];
    memcpy(alq->alpha, values + p.alpha, rows);
    memcpy(alq->a.m, values + p.a_m, rows);
    memcpy(alq->a.v, values + p.a_v, rows);
    memcpy(alq->a.top, values + p.a_top, rows);
    for (size_t g = 0; g < alq->groups; g++) qnt__alq_rebuild(alq, qnt__alq_group(alq, g));
    return QNT_OK;
}
