/*
 * QNT_BASES and QNT_MULTIPOINT: the coefficients of every group, and how many points it gets.
 *
 * Each group is fitted with every number of points; then the numbers are chosen (point_counts.h).
 * What counts is the weighted squared error or, once inputs were observed, the error of the outputs
 * (inputs.h); coefficients are then found with the diagonal of the inputs' products as weights.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "bases.h"
#include "codebook.h"
#include "inputs.h"
#include "methods.h"
#include "point_counts.h"
#include "points.h"
#include "sort.h"
#include "sorted.h"

enum { ROUNDS = 30, SNAP_TRIES = 24, BATCH = 64 };

/* Groups of so many values, or fewer, may do better from greedy points than from the digits of a
 * grid: a tenth of the error of 64 values in 3 bits, a fiftieth of 1,024. Of more values it is not
 * worth a second search. */
enum { SHORT_GROUP = 1024 };

/* A group with so many points. */
struct fit {
    float scale, coef[QNT__POINTS_MAX];
    double error;
};

struct job {
    const qnt_context *context;
    const struct qnt__statistics *seen;
    qnt_quantizer *next;
    const struct qnt__inputs *inputs; /* NULL: none were observed */
    struct fit *fit;                  /* [groups][points + 1] */
    double *error;                    /* the same */
    size_t base, most;                /* first group of a batch; values of the largest */
    uint8_t *scratch;
    size_t scratch_bytes, h_at, rest_at, code_at, solver_at;
};

/* A group's place in `fit` and `error`. */
static size_t place_of(const struct job *job, size_t group)
{
    return group * (size_t)(job->next->spec.points + 1);
}

/* Sums that coefficients can form, ascending and different. */
static int32_t list_values(const qnt_spec *spec, const struct fit *fit, int32_t points,
                           float *value)
{
    _Alignas(64) uint8_t scratch[QNT__SORT_256];
    int32_t bits = spec->method == QNT_BASES ? 1 : spec->bits, count = 0, kept = 0;
    for (uint32_t c = 0; c < 1u << (bits * points); c++) {
        double sum = 0.0, coef[QNT__POINTS_MAX];
        if (!qnt__points_use(spec, c)) continue;
        for (int32_t p = 0; p < points; p++) {
            coef[p] = (double)fit->coef[p];
            sum += c >> p & 1u ? coef[p] : -coef[p];
        }
        if (spec->method != QNT_BASES) sum = qnt__multipoint_value(c, bits, points, coef);
        value[count++] = fit->scale * (float)sum;
    }
    qnt__sort_f32(value, NULL, (size_t)count, scratch);
    for (int32_t i = 0; i < count; i++) {
        if (kept == 0 || value[i] > value[kept - 1]) value[kept++] = value[i];
    }
    return kept;
}

static double error_of(const qnt_spec *spec, const struct fit *fit, int32_t points, const float *x,
                       const double *h, size_t n)
{
    float value[QNT__BOOK];
    int32_t count = list_values(spec, fit, points, value);
    return qnt__measure_values(value, count, x, h, n);
}

/* The largest sum of digits above 0 whose codes int8 holds, the lowest digit of each point
 * included. Among it and the next ones below are multiples of all radix limits: radix coefficients
 * stay exact. */
static int32_t largest_sum(const qnt_spec *spec)
{
    int32_t digit = (1 << (spec->bits - 1)) - 1;
    return spec->method == QNT_BASES ? 127 : 128 * digit / (digit + 1);
}

/* Coefficients as integers, whose digits above 0 sum up to at most `most`; false if they do not. */
static bool snap(const double *coef, int32_t points, double digit, double reach, int32_t most,
                 struct fit *out)
{
    double sum = 0.0;
    *out = (struct fit){.scale = (float)(reach / most)};
    if (!(out->scale > 0.0f)) return false;
    for (int32_t p = 0; p < points; p++) {
        double c = rint(coef[p] / (double)out->scale);
        out->coef[p] = (float)(c == 0.0 ? 1.0 : c);
        sum += digit * fabs((double)out->coef[p]);
    }
    return sum <= most;
}

/* Coefficients as they are, or as the integers that cost least. */
static void store(const qnt_spec *spec, const double *coef, int32_t points, const float *x,
                  const double *h, size_t n, struct fit *out)
{
    double digit = spec->method == QNT_BASES ? 1.0 : (double)((1 << (spec->bits - 1)) - 1);
    double reach = 0.0, least = INFINITY;
    const int32_t top = largest_sum(spec);
    struct fit tried;
    *out = (struct fit){.scale = 1.0f};
    for (int32_t p = 0; p < points; p++) {
        out->coef[p] = (float)coef[p];
        reach += digit * fabs(coef[p]);
    }
    for (int32_t most = top; most >= top - SNAP_TRIES && !(spec->flags & QNT_LITERAL); most--) {
        if (points == 0 || !snap(coef, points, digit, reach, most, &tried)) continue;
        tried.error = error_of(spec, &tried, points, x, h, n);
        if (tried.error < least) least = tried.error, *out = tried;
    }
    out->error = error_of(spec, out, points, x, h, n);
}

/* ---- one group with so many points ---- */

static void fit_bases(const qnt_quantizer *q, int32_t points, const float *x, const double *h,
                      size_t n, uint8_t *code, void *space, struct fit *out)
{
    const qnt_spec *spec = &q->spec;
    double coef[QNT__BASES_MAX] = {0.0}, rounds = q->options.rounds;
    enum qnt__bases_how how =
        spec->flags & QNT_LITERAL ? QNT__BASES_REFINED : QNT__BASES_ALTERNATING;
    int32_t most = rounds > 0.0 ? (int32_t)fmin(rounds, 1e6) : ROUNDS;
    int32_t count = qnt__bases(x, h, n, points, how, most, coef, code);
    double exact[2];
    if (count == 2 && how == QNT__BASES_ALTERNATING && qnt__bases_two(x, h, n, space, exact))
        memcpy(coef, exact, sizeof exact);
    store(spec, coef, count, x, h, n, out);
}

/* Greedy points, as published or as a start; fewer than asked where nothing is left. */
static int32_t peel_points(const qnt_spec *spec, int32_t points, const float *x, const double *h,
                           size_t n, void *space, double *coef)
{
    int32_t used = 0;
    memset(coef, 0, QNT__POINTS_MAX * sizeof *coef);
    qnt__multipoint_greedy(x, h, n, spec->bits, points, space, coef);
    while (used < points && coef[used] > 0.0) used++;
    return used;
}

/* Refines coefficients, and keeps them if they cost less than what there is. */
static void try_points(const qnt_quantizer *q, double *coef, int32_t points, const float *x,
                       const double *h, size_t n, struct fit *out)
{
    const double rounds = q->options.rounds;
    struct fit joint;
    qnt__multipoint_refine(x, h, n, q->spec.bits, points,
                           rounds > 0.0 ? (int32_t)fmin(rounds, 1e6) : ROUNDS, coef);
    store(&q->spec, coef, points, x, h, n, &joint);
    if (joint.error < out->error) *out = joint;
}

static void fit_multipoint(const qnt_quantizer *q, int32_t points, const float *x, const double *h,
                           size_t n, void *space, struct fit *out)
{
    const qnt_spec *spec = &q->spec;
    double coef[QNT__POINTS_MAX] = {0.0};
    if (spec->flags & QNT_LITERAL) {
        points = peel_points(spec, points, x, h, n, space, coef);
        store(spec, coef, points, x, h, n, out);
        return;
    }
    qnt__multipoint_radix(x, h, n, spec->bits, points, space, coef);
    if (!(coef[0] > 0.0)) points = 0;
    store(spec, coef, points, x, h, n, out);
    if (points < 2) return;
    try_points(q, coef, points, x, h, n, out);
    if (n > SHORT_GROUP) return;
    points = peel_points(spec, points, x, h, n, space, coef);
    try_points(q, coef, points, x, h, n, out);
}

/* What a fit costs: its weighted error, or what it does to outputs. */
static double cost_of(const struct job *job, const struct fit *fit, int32_t points, const float *x,
                      size_t n, double *rest)
{
    float value[QNT__BOOK];
    if (!job->inputs) return fit->error;
    int32_t count = list_values(&job->next->spec, fit, points, value);
    qnt__rest_of_values(value, count, x, n, rest);
    return qnt__inputs_error(job->inputs, rest);
}

static void fit_task(void *task, size_t index, size_t worker)
{
    struct job *job = task;
    const qnt_quantizer *q = job->next;
    const int32_t points = q->spec.points;
    size_t g = job->base + index;
    uint8_t *mine = job->scratch + worker * job->scratch_bytes;
    float *x = (void *)mine;
    double *h = (void *)(mine + job->h_at), *error = job->error + place_of(job, g);
    bool weighted;
    size_t n = qnt__group_values(job->seen, g, x, h, &weighted);
    struct fit *fit = job->fit + place_of(job, g);
    if (job->inputs) qnt__inputs_diagonal(job->inputs, h);
    const double *weight = weighted || job->inputs ? h : NULL;
    for (int32_t p = 0; p <= points; p++) {
        if (q->spec.method == QNT_BASES) {
            fit_bases(q, p, x, weight, n, mine + job->code_at, mine + job->solver_at, &fit[p]);
        } else if (p > 0) {
            fit_multipoint(q, p, x, weight, n, mine + job->solver_at, &fit[p]);
        } else {
            store(&q->spec, NULL, 0, x, weight, n, &fit[0]);
        }
        error[p] = cost_of(job, &fit[p], p, x, n, (void *)(mine + job->rest_at));
        if (p <= qnt__points_least(&q->spec) || error[p] < error[p - 1]) continue;
        fit[p] = fit[p - 1]; /* another point is of no use */
        error[p] = error[p - 1];
    }
}

/* ---- all groups ---- */

/* Takes for each group the fit with its number of points. */
static qnt_status choose(const struct job *job)
{
    qnt_quantizer *next = job->next;
    const struct qnt__point_errors errors = {next, job->seen->moments, job->error};
    void *memory;
    size_t bytes = next->groups * sizeof(int32_t);
    QNT__TRY(qnt__allocate(job->context, &next->memory, bytes, &memory));
    int32_t *chosen = memory;
    qnt_status status = qnt__point_counts(job->context, &errors, chosen);
    for (size_t g = 0; g < next->groups && status == QNT_OK; g++) {
        const struct fit *fit = &job->fit[place_of(job, g) + (size_t)chosen[g]];
        next->scale[g] = fit->scale;
        memcpy(next->own + g * next->own_count, fit->coef, next->own_count * sizeof *fit->coef);
    }
    qnt__free(&next->memory, memory, bytes);
    return status;
}

/* Lays out one worker's memory: values, weights, codes, the solver's own. */
static bool lay_out(struct job *job)
{
    const qnt_spec *spec = &job->next->spec;
    size_t n = job->most, solver = qnt__sort_bytes(n);
    if (n > SIZE_MAX / 64) return false;
    if (spec->method == QNT_MULTIPOINT) solver = qnt__multipoint_bytes(n, spec->bits, spec->points);
    job->h_at = qnt__round_up(n * sizeof(float), 64);
    job->rest_at = job->h_at + qnt__round_up(n * sizeof(double), 64);
    job->code_at = job->rest_at + (job->inputs ? qnt__round_up(n * sizeof(double), 64) : 0);
    job->solver_at = job->code_at + qnt__round_up(n, 64);
    return qnt__add(job->solver_at, solver, &job->scratch_bytes) &&
           job->scratch_bytes < SIZE_MAX - 64;
}

static qnt_status fit_groups(struct job *job)
{
    const size_t groups = job->next->groups;
    qnt_status status = QNT_OK;
    for (job->base = 0; job->base < groups && status == QNT_OK; job->base += BATCH) {
        status = qnt__progress(job->context, job->base, groups);
        if (status != QNT_OK) break;
        status = qnt__parallel(job->context, fit_task, job, qnt__min(BATCH, groups - job->base));
    }
    if (status == QNT_OK) status = qnt__progress(job->context, groups, groups);
    return status == QNT_OK ? choose(job) : status;
}

/* Inputs meet weights element by element: all of a group's must be there, once, as they are. */
static qnt_status check_inputs(const struct job *job)
{
    const struct qnt__statistics *seen = job->seen;
    if (!job->inputs) return QNT_OK;
    if (seen->bin || seen->weights) {
        return qnt__fail(job->context, QNT_E_STATE,
                         "quantizer has observed %s, but with observed inputs weights must be "
                         "kept exactly, without importance",
                         seen->bin ? "more than QNT_P_SAMPLES values" : "importances");
    }
    for (size_t g = 0; g < job->next->groups; g++) {
        if (seen->moments[g].count == job->inputs->depth) continue;
        return qnt__fail(job->context, QNT_E_STATE,
                         "quantizer has observed %llu finite values of group %zu, but inputs of "
                         "%zu elements",
                         (unsigned long long)seen->moments[g].count, g, job->inputs->depth);
    }
    return QNT_OK;
}

/* Bytes of the fits and of their errors. */
static bool fit_bytes(const struct job *job, size_t *fits, size_t *bytes)
{
    size_t count = job->next->groups * (size_t)(job->next->spec.points + 1), errors;
    return qnt__mul(count, sizeof(struct fit), fits) && *fits < SIZE_MAX - 64 &&
           qnt__mul(count, sizeof(double), &errors) &&
           qnt__add(*fits = qnt__round_up(*fits, 64), errors, bytes);
}

qnt_status qnt__fit_points(const qnt_context *context, const struct qnt__statistics *seen,
                           qnt_quantizer *next)
{
    struct job job = {.context = context, .seen = seen, .next = next};
    size_t fits = 0, bytes, rest, all;
    if (next->inputs && next->inputs->count > 0) job.inputs = next->inputs;
    QNT__TRY(check_inputs(&job));
    for (size_t g = 0; g < next->groups; g++) {
        job.most = qnt__max(job.most, seen->bin ? seen->bins : (size_t)seen->moments[g].count);
    }
    bool legal = lay_out(&job);
    job.scratch_bytes = qnt__round_up(job.scratch_bytes, 64);
    legal = legal && fit_bytes(&job, &fits, &rest) &&
            qnt__mul(job.scratch_bytes, context->workers, &bytes) && qnt__add(bytes, rest, &all);
    if (!legal)
        return qnt__fail(context, QNT_E_NOMEM, "scratch for %zu values overflows memory", job.most);
    void *memory;
    QNT__TRY(qnt__allocate(context, &next->memory, all, &memory));
    job.scratch = memory;
    job.fit = (void *)(job.scratch + bytes);
    job.error = (void *)(job.scratch + bytes + fits);
    qnt_status status = fit_groups(&job);
    qnt__free(&next->memory, memory, all);
    return status;
}
