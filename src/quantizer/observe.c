/*
 * Gathering statistics. The contract is in qnt/quantizer.h.
 *
 * A call prepares the statistics as they will be, sharing with the present ones what it only
 * appends to, and swaps them in at the end; until then the present ones count nothing of it.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "chunk.h"
#include "grouping.h"
#include "histogram.h"
#include "importance.h"
#include "methods.h"
#include "statistics.h"
#include "tensor/range.h"

enum { BATCH = 16 /* pieces between two reports of progress */ };

/* What one piece met. */
struct tally {
    size_t skipped; /* NaN or infinite */
    size_t illegal; /* weights */
};

struct job {
    const qnt_context *context;
    struct qnt__grouping grouping;
    struct qnt__view x, importance;            /* flattened; importance may have no elements */
    const struct qnt__statistics *now;         /* groups 0 at first */
    struct qnt__statistics next;
    bool exact, binned; /* what `next` keeps besides moments */
    struct tally *tally;                       /* [pieces] */
    size_t pieces, base;
};

/* One segment's values and weights (NULL: all 1) to its group. */
typedef void segment_fn(struct job *job, size_t group, const float *x, const float *h, size_t n,
                        struct tally *tally);

static void visit_piece(struct job *job, size_t index, segment_fn *visit)
{
    const struct qnt__simd *simd = &job->context->simd;
    struct qnt__piece piece;
    struct qnt__chunk chunk = {0};
    size_t group, end, n;
    float x_buffer[QNT__CHUNK], h_buffer[QNT__CHUNK];

    piece = qnt__group_piece(&job->grouping, index, &group, &end);
    while (qnt__piece_next(&job->grouping, &piece, &chunk)) {
        const float *x = qnt__chunk_f32(simd, &job->x, &chunk, x_buffer), *h = NULL;
        if (job->importance.count) h = qnt__chunk_f32(simd, &job->importance, &chunk, h_buffer);
        for (size_t at = 0; qnt__chunk_segment(&job->grouping, &chunk, at, &group, &n); at += n) {
            visit(job, group, x + at, h ? h + at : NULL, n, &job->tally[index]);
        }
    }
}

static void add_to_moments(struct qnt__moments *m, float x, double h)
{
    double weighted = h * (double)x;
    m->count++;
    m->weight += h;
    if (x == 0) m->zero_weight += h;
    m->sum += weighted;
    m->abs_sum += fabs(weighted);
    m->square_sum += weighted * (double)x;
    if (x < m->min) m->min = x + 0.0f;
    if (x > m->max) m->max = x + 0.0f;
}

/* First pass: moments, and the values themselves while they are kept exactly. */
static void gather(struct job *job, size_t group, const float *x, const float *h, size_t n,
                   struct tally *tally)
{
    struct qnt__statistics *s = &job->next;
    struct qnt__moments *m = &s->moments[group];
    for (size_t i = 0; i < n; i++) {
        float weight = h ? h[i] : 1.0f;
        if (!qnt__importance_is_legal(weight)) tally->illegal++;
        if (!isfinite(x[i])) {
            tally->skipped++;
        } else if (weight > 0) {
            size_t at = group * s->capacity + (size_t)m->count;
            if (job->exact) s->values[at] = x[i];
            if (job->exact && s->weights) s->weights[at] = weight;
            add_to_moments(m, x[i], (double)weight);
        }
    }
}

static void add_to_bins(const struct qnt__grid *grid, struct qnt__bin *bin, const float *x,
                        const float *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double weight = h ? (double)h[i] : 1.0;
        if (!(weight > 0) || !isfinite(x[i])) continue;
        struct qnt__bin *to = &bin[qnt__bin_of(grid, x[i])];
        to->weight += weight;
        to->sum += weight * (double)x[i];
    }
}

/* Second pass, once the range is known. */
static void distribute(struct job *job, size_t group, const float *x, const float *h, size_t n,
                       struct tally *tally)
{
    (void)tally;
    struct qnt__statistics *s = &job->next;
    if (s->moments[group].count == 0) return;
    struct qnt__grid grid = qnt__grid_of(&s->moments[group], s->bins);
    add_to_bins(&grid, s->bin + group * s->bins, x, h, n);
}

/* Puts what a group had into its new bins. */
static void carry_over(struct job *job, size_t group)
{
    const struct qnt__statistics *now = job->now;
    struct qnt__statistics *s = &job->next;
    struct qnt__bin *bin = s->bin + group * s->bins;
    memset(bin, 0, s->bins * sizeof *bin);
    if (now->groups == 0 || now->moments[group].count == 0) return;
    struct qnt__grid grid = qnt__grid_of(&s->moments[group], s->bins);
    if (now->bin) {
        struct qnt__grid old = qnt__grid_of(&now->moments[group], now->bins);
        qnt__bins_merge(&old, now->bin + group * now->bins, now->bins, &grid, bin);
    } else {
        size_t at = group * now->capacity;
        add_to_bins(&grid, bin, now->values + at, now->weights ? now->weights + at : NULL,
                    (size_t)now->moments[group].count);
    }
}

static void gather_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    struct job *job = task;
    visit_piece(job, job->base + index, gather);
}

static void distribute_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    struct job *job = task;
    size_t group, end;
    index += job->base;
    (void)qnt__group_piece(&job->grouping, index, &group, &end);
    for (; group < end; group++) carry_over(job, group);
    visit_piece(job, index, distribute);
}

/* ---- preparing ---- */

static qnt_status allocate(const qnt_context *context, const struct qnt__memory *memory,
                           size_t count, size_t size, void **out)
{
    size_t bytes;
    if (qnt__mul(count, size, &bytes)) return qnt__allocate(context, memory, bytes, out);
    return qnt__fail(context, QNT_E_NOMEM, "statistics overflow memory");
}

/* Frees what `a` holds and `b` does not. */
static void free_unshared(const struct qnt__statistics *a, const struct qnt__statistics *b)
{
    size_t values = a->groups * a->capacity;
    if (a->moments != b->moments) {
        qnt__free(&a->memory, a->moments, a->groups * sizeof *a->moments);
    }
    if (a->values != b->values) qnt__free(&a->memory, a->values, values * sizeof *a->values);
    if (a->weights != b->weights) qnt__free(&a->memory, a->weights, values * sizeof *a->weights);
    if (a->bin != b->bin) qnt__free(&a->memory, a->bin, a->groups * a->bins * sizeof *a->bin);
}

static qnt_status prepare_moments(struct job *job)
{
    struct qnt__statistics *s = &job->next;
    void *block;
    QNT__TRY(allocate(job->context, &s->memory, s->groups, sizeof *s->moments, &block));
    s->moments = block;
    for (size_t g = 0; g < s->groups; g++) {
        s->moments[g] = job->now->groups
                            ? job->now->moments[g]
                            : (struct qnt__moments){.min = INFINITY, .max = -INFINITY};
    }
    return QNT_OK;
}

/* A larger copy of an array of values; weights that nobody gave are 1. */
static qnt_status copy_values(struct job *job, const float *from, size_t capacity, float **out)
{
    const struct qnt__statistics *now = job->now;
    struct qnt__statistics *s = &job->next;
    void *block;
    size_t values;
    if (!qnt__mul(s->groups, capacity, &values)) values = SIZE_MAX;
    QNT__TRY(allocate(job->context, &s->memory, values, sizeof(float), &block));
    *out = block;
    for (size_t g = 0; now->groups && g < s->groups; g++) {
        float *to = *out + g * capacity;
        const size_t count = (size_t)now->moments[g].count;
        if (from) memcpy(to, from + g * now->capacity, count * sizeof *to);
        for (size_t i = 0; !from && i < count; i++) to[i] = 1;
    }
    return QNT_OK;
}

static qnt_status prepare_values(struct job *job, size_t need)
{
    const struct qnt__statistics *now = job->now;
    struct qnt__statistics *s = &job->next;
    bool grow = need > now->capacity, weighted = now->weights || job->importance.count;
    size_t capacity = grow ? qnt__max(need, 2 * now->capacity) : now->capacity;
    float *values = now->values, *weights = now->weights;
    if (grow) QNT__TRY(copy_values(job, now->values, capacity, &values));
    s->values = values;
    s->capacity = capacity;
    if (weighted && (grow || !weights)) {
        QNT__TRY(copy_values(job, now->weights, capacity, &weights));
    }
    s->weights = weights;
    return QNT_OK;
}

static qnt_status prepare_bins(struct job *job, size_t bins)
{
    struct qnt__statistics *s = &job->next;
    size_t count;
    void *block;
    if (!qnt__mul(s->groups, bins, &count)) count = SIZE_MAX;
    QNT__TRY(allocate(job->context, &s->memory, count, sizeof *s->bin, &block));
    s->bin = block;
    s->bins = bins;
    return QNT_OK;
}

/* Most elements of a group. */
static size_t group_size(const struct qnt__grouping *g)
{
    if (g->grain == QNT_PER_BLOCK) return g->block;
    return g->grain == QNT_PER_AXIS ? g->outer * g->inner : g->inner;
}

/* Values stay exact up to QNT_P_SAMPLES, and beyond while they take no more memory than
 * histograms. */
static qnt_status prepare(struct job *job, const qnt_quantizer *quantizer)
{
    const struct qnt__statistics *now = job->now;
    const struct qnt__options *options = &quantizer->options;
    uint64_t total = job->x.count, most = 0;
    const size_t bins = (size_t)options->bins;
    for (size_t g = 0; g < now->groups; g++) {
        total += now->moments[g].count;
        if (now->moments[g].count > most) most = now->moments[g].count;
    }
    uint64_t need = most + (job->x.count ? group_size(&job->grouping) : 0);
    const struct qnt__method *method = qnt__method_of(quantizer->spec.method);
    bool keeps = (method->fit || method->fit_all) && !(quantizer->spec.flags & QNT_DYNAMIC);
    bool weighted = now->weights || job->importance.count;
    bool small = need / (sizeof(struct qnt__bin) / sizeof(float)) * (weighted ? 2 : 1) <= bins;
    job->exact = keeps && !now->bin && ((double)total <= options->samples || small);
    job->binned = keeps && !job->exact;

    QNT__TRY(prepare_moments(job));
    if (job->exact) return prepare_values(job, (size_t)need == need ? (size_t)need : SIZE_MAX);
    return job->binned ? prepare_bins(job, bins) : QNT_OK;
}

/* ---- running ---- */

/* One pass over all pieces; `done` of `total` pieces have been reported before. */
static qnt_status run_pass(struct job *job, qnt_task_fn run, size_t done, size_t total)
{
    for (job->base = 0; job->base < job->pieces; job->base += BATCH) {
        QNT__TRY(qnt__progress(job->context, done + job->base, total));
        QNT__TRY(qnt__parallel(job->context, run, job, qnt__min(BATCH, job->pieces - job->base)));
    }
    return QNT_OK;
}

static qnt_status run(struct job *job)
{
    size_t total = job->pieces * (job->binned ? 2 : 1), skipped = 0, illegal = 0;
    QNT__TRY(run_pass(job, gather_piece, 0, total));
    for (size_t i = 0; i < job->pieces; i++) {
        skipped += job->tally[i].skipped;
        illegal += job->tally[i].illegal;
    }
    if (illegal > 0) return qnt__importance_refuse(job->context);
    if (job->binned) QNT__TRY(run_pass(job, distribute_piece, job->pieces, total));
    QNT__TRY(qnt__progress(job->context, total, total));
    if (skipped > 0) {
        qnt__log(job->context, QNT_LOG_WARN, "x: %zu values are NaN or infinite and were skipped",
                 skipped);
    }
    return QNT_OK;
}

static qnt_status observe(struct job *job, const qnt_quantizer *quantizer)
{
    void *tally;
    size_t bytes = job->pieces * sizeof *job->tally; /* far fewer than elements */
    QNT__TRY(qnt__allocate(job->context, &quantizer->memory, bytes, &tally));
    job->tally = memset(tally, 0, bytes);
    qnt_status status = prepare(job, quantizer);
    if (status == QNT_OK) status = run(job);
    qnt__free(&quantizer->memory, tally, bytes);
    return status;
}

qnt_status qnt_quantizer_observe(const qnt_context *context, qnt_quantizer *quantizer,
                                 const qnt_tensor *x, const qnt_tensor *importance)
{
    struct job job = {.context = context};
    if (!context) return QNT_E_INVALID;
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS, &job.x));
    QNT__TRY(qnt__importance_open(context, importance, &job.x, &job.importance));
    QNT__TRY(qnt__grouping_of(context, "x", &quantizer->spec, job.x.ndim, job.x.shape,
                              &job.grouping));
    size_t groups = job.grouping.groups;
    if (quantizer->statistics && quantizer->statistics->groups != groups) {
        return qnt__fail(context, QNT_E_SHAPE, "x has %zu groups, but %zu were observed before",
                         groups, quantizer->statistics->groups);
    }
    qnt__view_flatten(&job.x);
    qnt__view_flatten(&job.importance);
    job.pieces = qnt__group_pieces(&job.grouping);

    const struct qnt__statistics nothing = {.memory = quantizer->memory};
    struct qnt__statistics *kept = quantizer->statistics;
    void *fresh = NULL;
    if (!kept) QNT__TRY(qnt__allocate(context, &quantizer->memory, sizeof *kept, &fresh));
    job.now = kept ? kept : &nothing;
    job.next = (struct qnt__statistics){.memory = quantizer->memory, .groups = groups};

    qnt_status status = observe(&job, quantizer);
    if (status != QNT_OK) {
        free_unshared(&job.next, job.now);
        qnt__free(&quantizer->memory, fresh, sizeof *kept);
        return status;
    }
    free_unshared(job.now, &job.next);
    quantizer->statistics = kept ? kept : fresh;
    *quantizer->statistics = job.next;
    return QNT_OK;
}
