/*
 * QNT_BASES and QNT_MULTIPOINT: the coefficients of every group, and how many points it gets.
 *
 * Each group is fitted with every number of points; then the numbers are chosen: as many as there
 * are, or until the weighted error is small enough (QNT_P_TOLERANCE), or so that a mean of bits is
 * kept (QNT_P_BUDGET) and every bit goes where it saves most. An importance that is the mean square
 * of the inputs makes the weighted error the output error of Liu et al. with the diagonal of the
 * Gram matrix.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "bases.h"
#include "codebook.h"
#include "methods.h"
#include "points.h"

enum { ROUNDS = 30, SNAP_TRIES = 24, BATCH = 64 };

/* A group with so many points. */
struct fit {
    float scale, coef[QNT__POINTS_MAX];
    double error;
};

struct job {
    const qnt_context *context;
    const struct qnt__statistics *seen;
    qnt_quantizer *next;
    struct fit *fit;   /* [groups][points + 1] */
    size_t base, most; /* first group of a batch; values of the largest */
    uint8_t *scratch;
    size_t scratch_bytes, h_at, code_at, solver_at;
};

/* Sums that coefficients can form, ascending and different. */
static int32_t list_values(const qnt_spec *spec, const struct fit *fit, int32_t points,
                           float *value)
{
    int32_t bits = spec->method == QNT_BASES ? 1 : spec->bits, count = 0, kept = 0;
    for (uint32_t c = 0; c < 1u << (bits * points); c++) {
        double sum = 0.0, coef[QNT__POINTS_MAX];
        for (int32_t p = 0; p < points; p++) {
            coef[p] = (double)fit->coef[p];
            sum += c >> p & 1u ? coef[p] : -coef[p];
        }
        if (spec->method != QNT_BASES) sum = qnt__multipoint_value(c, bits, points, coef);
        float v = fit->scale * (float)sum;
        int32_t at = count++;
        for (; at > 0 && value[at - 1] > v; at--) value[at] = value[at - 1];
        value[at] = v;
    }
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
                      size_t n, uint8_t *code, struct fit *out)
{
    const qnt_spec *spec = &q->spec;
    double coef[QNT__BASES_MAX] = {0.0}, rounds = q->options.rounds;
    enum qnt__bases_how how =
        spec->flags & QNT_LITERAL ? QNT__BASES_REFINED : QNT__BASES_ALTERNATING;
    int32_t most = rounds > 0.0 ? (int32_t)fmin(rounds, 1e6) : ROUNDS;
    int32_t count = qnt__bases(x, h, n, points, how, most, coef, code);
    store(spec, coef, count, x, h, n, out);
}

static void fit_multipoint(const qnt_quantizer *q, int32_t points, const float *x, const double *h,
                           size_t n, void *space, struct fit *out)
{
    const qnt_spec *spec = &q->spec;
    double coef[QNT__POINTS_MAX] = {0.0}, rounds = q->options.rounds;
    struct fit joint;
    if (spec->flags & QNT_LITERAL) {
        qnt__multipoint_greedy(x, h, n, spec->bits, points, space, coef);
        int32_t used = 0;
        while (used < points && coef[used] > 0.0) used++;
        store(spec, coef, used, x, h, n, out);
        return;
    }
    qnt__multipoint_radix(x, h, n, spec->bits, points, space, coef);
    if (!(coef[0] > 0.0)) points = 0;
    store(spec, coef, points, x, h, n, out);
    if (points < 2) return;
    qnt__multipoint_refine(x, h, n, spec->bits, points,
                           rounds > 0.0 ? (int32_t)fmin(rounds, 1e6) : ROUNDS, coef);
    store(spec, coef, points, x, h, n, &joint);
    if (joint.error < out->error) *out = joint;
}

static void fit_task(void *task, size_t index, size_t worker)
{
    struct job *job = task;
    const qnt_quantizer *q = job->next;
    const int32_t points = q->spec.points;
    size_t g = job->base + index;
    uint8_t *mine = job->scratch + worker * job->scratch_bytes;
    float *x = (void *)mine;
    double *h = (void *)(mine + job->h_at);
    bool weighted;
    size_t n = qnt__group_values(job->seen, g, x, h, &weighted);
    struct fit *fit = job->fit + g * (size_t)(points + 1);
    for (int32_t p = 0; p <= points; p++) {
        const double *weight = weighted ? h : NULL;
        if (q->spec.method == QNT_BASES) {
            fit_bases(q, p, x, weight, n, mine + job->code_at, &fit[p]);
        } else if (p > 0) {
            fit_multipoint(q, p, x, weight, n, mine + job->solver_at, &fit[p]);
        } else {
            store(&q->spec, NULL, 0, x, weight, n, &fit[0]);
        }
        if (p > 0 && fit[p - 1].error <= fit[p].error)
            fit[p] = fit[p - 1]; /* another point is of no use */
    }
}

/* ---- how many points each group gets ---- */

/* Going from one number of points of a group to another, along the lower hull of its errors. */
struct step {
    double gain, bits; /* saved error, and what it costs */
    size_t group;
    int32_t to;
};

/* Is a step worth more than another? Equal ones go by group, so that the order is always the same.
 */
static bool is_better(const struct step *s, const struct step *t)
{
    double left = s->gain * t->bits, right = t->gain * s->bits;
    return left != right ? left > right : s->group < t->group;
}

/* Moves the first step of a heap, best first, down to where it belongs. */
static void sift(struct step *heap, size_t count)
{
    struct step moved = heap[0];
    size_t at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_better(&heap[child + 1], &heap[child])) child++;
        if (!is_better(&heap[child], &moved)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void push(struct step *heap, size_t count, struct step step)
{
    size_t at = count;
    for (; at > 0 && is_better(&step, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = step;
}

/* Bits of a group with so many points: digits and coefficients. */
static double bits_of(const struct job *job, size_t g, int32_t points)
{
    double n = (double)job->seen->moments[g].count;
    return points * (n * (double)job->next->spec.bits + 32.0);
}

/* The step from p points that saves most for each bit; false if no more points are of use. */
static bool next_step(const struct job *job, size_t g, int32_t p, struct step *step)
{
    const int32_t most = job->next->spec.points;
    const struct fit *fit = job->fit + g * (size_t)(most + 1);
    bool found = false;
    for (int32_t q = p + 1; q <= most; q++) {
        struct step s = {fit[p].error - fit[q].error, bits_of(job, g, q) - bits_of(job, g, p), g,
                         q};
        if (!(s.gain > 0.0) || (found && !(s.gain * step->bits > step->gain * s.bits))) continue;
        *step = s;
        found = true;
    }
    return found;
}

/* Is the budget one that numbers of points can keep, and does it leave something to choose? */
static qnt_status check_budget(const struct job *job, int32_t first)
{
    double count = 0.0, least = 0.0, most = 0.0, budget = job->next->options.budget;
    for (size_t g = 0; g < job->next->groups; g++) {
        count += (double)job->seen->moments[g].count;
        least += bits_of(job, g, first);
        most += bits_of(job, g, job->next->spec.points);
    }
    if (budget * count >= least && budget * count <= most) return QNT_OK;
    return qnt__fail(
        job->context, QNT_E_INVALID,
        "quantizer: QNT_P_BUDGET is %g bits, expected %.6g to %.6g, what %d to %d points take",
        budget, least / count, most / count, (int)first, (int)job->next->spec.points);
}

/* Spends a budget of bits: steps in the order of what a bit saves, as far as they fit. */
static qnt_status spend(const struct job *job, int32_t first, int32_t *chosen)
{
    const size_t groups = job->next->groups;
    double left = 0.0;
    void *memory;
    size_t bytes, count = 0;
    QNT__TRY(check_budget(job, first));
    if (!qnt__mul(groups, sizeof(struct step), &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(job->context, &job->next->memory, bytes, &memory));
    struct step *heap = memory, step;
    for (size_t g = 0; g < groups; g++) {
        left += job->next->options.budget * (double)job->seen->moments[g].count -
                bits_of(job, g, first);
        chosen[g] = first;
        if (next_step(job, g, first, &step)) push(heap, count++, step);
    }
    while (count > 0) {
        step = heap[0];
        heap[0] = heap[--count];
        sift(heap, count);
        if (step.bits > left) continue;
        left -= step.bits;
        chosen[step.group] = step.to;
        if (next_step(job, step.group, step.to, &step)) push(heap, count++, step);
    }
    qnt__free(&job->next->memory, memory, bytes);
    return QNT_OK;
}

/* The fewest points whose error is at most the tolerance: absolute as published, else relative to
 * the energy of the group. */
static int32_t enough(const struct job *job, size_t g, int32_t first)
{
    const qnt_spec *spec = &job->next->spec;
    const struct fit *fit = job->fit + g * (size_t)(spec->points + 1);
    double most = job->next->options.tolerance;
    if (!(spec->flags & QNT_LITERAL)) most *= job->seen->moments[g].square_sum;
    int32_t p = first;
    while (p < spec->points && fit[p].error > most) p++;
    return p;
}

static qnt_status choose(const struct job *job)
{
    qnt_quantizer *next = job->next;
    const int32_t points = next->spec.points, first = next->spec.method == QNT_MULTIPOINT ? 1 : 0;
    void *memory;
    size_t bytes = next->groups * sizeof(int32_t);
    QNT__TRY(qnt__allocate(job->context, &next->memory, bytes, &memory));
    int32_t *chosen = memory;
    qnt_status status = QNT_OK;
    if (next->options.tolerance > 0.0) {
        for (size_t g = 0; g < next->groups; g++) chosen[g] = enough(job, g, first);
    } else if (next->options.budget > 0.0) {
        status = spend(job, first, chosen);
    } else {
        for (size_t g = 0; g < next->groups; g++) chosen[g] = points;
    }
    for (size_t g = 0; g < next->groups && status == QNT_OK; g++) {
        const struct fit *fit = &job->fit[g * (size_t)(points + 1) + (size_t)chosen[g]];
        next->scale[g] = fit->scale;
        memcpy(next->own + g * next->own_count, fit->coef, next->own_count * sizeof *fit->coef);
    }
    qnt__free(&next->memory, memory, bytes);
    return status;
}

/* ---- all groups ---- */

/* Lays out one worker's memory: values, weights, codes, the solver's own. */
static bool lay_out(struct job *job)
{
    const qnt_spec *spec = &job->next->spec;
    size_t n = job->most, solver = 0;
    if (n > SIZE_MAX / 64) return false;
    if (spec->method == QNT_MULTIPOINT) solver = qnt__multipoint_bytes(n, spec->bits, spec->points);
    job->h_at = qnt__round_up(n * sizeof(float), 64);
    job->code_at = job->h_at + qnt__round_up(n * sizeof(double), 64);
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

qnt_status qnt__fit_points(const qnt_context *context, const struct qnt__statistics *seen,
                           qnt_quantizer *next)
{
    struct job job = {.context = context, .seen = seen, .next = next};
    size_t fits, bytes, all;
    for (size_t g = 0; g < next->groups; g++) {
        job.most = qnt__max(job.most, seen->bin ? seen->bins : (size_t)seen->moments[g].count);
    }
    bool legal = lay_out(&job);
    job.scratch_bytes = qnt__round_up(job.scratch_bytes, 64);
    legal = legal &&
            qnt__mul(next->groups * (size_t)(next->spec.points + 1), sizeof(struct fit), &fits) &&
            qnt__mul(job.scratch_bytes, context->workers, &bytes) &&
            qnt__add(bytes, qnt__round_up(fits, 64), &all);
    if (!legal)
        return qnt__fail(context, QNT_E_NOMEM, "scratch for %zu values overflows memory", job.most);
    void *memory;
    QNT__TRY(qnt__allocate(context, &next->memory, all, &memory));
    job.scratch = memory;
    job.fit = (void *)(job.scratch + bytes);
    qnt_status status = fit_groups(&job);
    qnt__free(&next->memory, memory, all);
    return status;
}
