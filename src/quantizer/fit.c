/*
 * Fitting: every group's data to the method, its answer into new parameters, which replace the
 * present ones when all groups are done. The contract is in qnt/quantizer.h.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "histogram.h"
#include "methods.h"
#include "schemes.h"
#include "sort.h"

enum {
    TASK_VALUES = 1 << 14, /* of the groups that one task fits, about */
    BATCH = 16             /* tasks between two reports of progress */
};

struct job {
    const qnt_context *context;
    const struct qnt__statistics *seen;
    const struct qnt__method *method;
    qnt_quantizer next;
    double shared[QNT__SHARED];
    size_t most;     /* values of the largest group */
    bool weighted;   /* values come with weights */
    size_t per_task; /* groups */
    size_t base;     /* first task of this batch */
    /* each worker's memory */
    uint8_t *scratch;
    size_t scratch_bytes, weights_at, sort_at, method_at;
};

/* Exact values of a group; weights and sorted values need the worker's memory. */
static void load_values(const struct job *job, size_t group, uint8_t *mine,
                        struct qnt__group_data *data)
{
    const struct qnt__statistics *seen = job->seen;
    size_t at = group * seen->capacity;
    data->n = (size_t)seen->moments[group].count; /* of values in memory */
    data->values = seen->values + at;
    double *weights = NULL;
    if (job->weighted) {
        weights = (double *)(mine + job->weights_at);
        for (size_t i = 0; i < data->n; i++) weights[i] = (double)seen->weights[at + i];
    }
    data->weights = weights;
    if (!job->method->sorted) return;
    float *values = (float *)mine;
    memcpy(values, data->values, data->n * sizeof *values);
    qnt__sort_f32(values, weights, data->n, mine + job->sort_at);
    data->values = values;
}

/* Centroids of a group's bins. Rounding to float32 keeps them ascending. */
static void load_bins(const struct job *job, size_t group, uint8_t *mine,
                      struct qnt__group_data *data)
{
    const struct qnt__statistics *seen = job->seen;
    const struct qnt__bin *bin = seen->bin + group * seen->bins;
    float *values = (float *)mine;
    double *weights = (double *)(mine + job->weights_at), between = 0;
    size_t n = 0;
    for (size_t i = 0; i < seen->bins; i++) {
        if (!(bin[i].weight > 0)) continue;
        double centroid = bin[i].sum / bin[i].weight;
        values[n] = (float)centroid;
        weights[n++] = bin[i].weight;
        between += bin[i].sum * centroid;
    }
    double within = seen->moments[group].square_sum - between;
    data->values = values;
    data->weights = weights;
    data->n = n;
    data->binned = true;
    data->bin_width = 1 / qnt__grid_of(&seen->moments[group], seen->bins).inverse;
    data->within = within > 0 ? within : 0;
}

static void take_fit(struct job *job, size_t group, const struct qnt__group_data *data)
{
    qnt_quantizer *next = &job->next;
    struct qnt__group_fit fit = {.own = next->own + group * next->own_count};
    job->method->fit(next, data, &fit);
    next->scale[group] = fit.scale;
    next->offset[group] = fit.offset;
    next->zero[group] = fit.zero;
    next->bound[group] = fit.bound + data->within;
    next->visited[group] = fit.visited;
}

static void fit_group(struct job *job, size_t group, uint8_t *mine)
{
    const struct qnt__moments *moments = &job->seen->moments[group];
    if (moments->count == 0) return; /* the defaults stay */
    struct qnt__group_data data = {.moments = moments, .shared = job->shared,
                                   .scratch = mine + job->method_at};
    if (job->seen->bin) load_bins(job, group, mine, &data);
    else load_values(job, group, mine, &data);
    if (job->method->fit) take_fit(job, group, &data);
    double error =
        job->next.scheme->measure(&job->next, group, data.values, data.weights, data.n);
    job->next.error[group] = error + data.within;
    /* rounding of what is stored may save what a bound over real numbers does not know of */
    job->next.bound[group] = fmin(job->next.bound[group], job->next.error[group]);
}

static void fit_task(void *task, size_t index, size_t worker)
{
    struct job *job = task;
    size_t group = (job->base + index) * job->per_task;
    size_t end = qnt__min(group + job->per_task, job->next.groups);
    for (; group < end; group++) {
        fit_group(job, group, job->scratch + worker * job->scratch_bytes);
    }
}

/* Lays out one worker's memory: values, weights, sorting, the method's own. */
static bool lay_out(struct job *job)
{
    size_t n = job->most, sort = qnt__sort_scratch(n, job->weighted), own = 0;
    bool copies = job->method->sorted || job->seen->bin;
    if (job->method->scratch) own = job->method->scratch(&job->next, n);
    if (n > SIZE_MAX / 64 || sort > SIZE_MAX / 4 || own > SIZE_MAX / 4) return false;
    job->weights_at = copies ? qnt__round_up(n * sizeof(float), 64) : 0;
    job->sort_at = job->weights_at + (job->weighted ? qnt__round_up(n * sizeof(double), 64) : 0);
    job->method_at = job->sort_at + (job->method->sorted ? qnt__round_up(sort, 64) : 0);
    job->scratch_bytes = qnt__round_up(job->method_at + own, 64);
    return true;
}

static qnt_status run(struct job *job)
{
    size_t groups = job->next.groups, bytes;
    job->per_task = qnt__max(TASK_VALUES / qnt__max(job->most, 1), 1);
    size_t tasks = qnt__ceil_div(groups, job->per_task);
    if (!lay_out(job) || !qnt__mul(job->scratch_bytes, job->context->workers, &bytes)) {
        return qnt__fail(job->context, QNT_E_NOMEM, "scratch for %zu values overflows memory",
                         job->most);
    }
    void *scratch;
    QNT__TRY(qnt__allocate(job->context, &job->next.memory, bytes, &scratch));
    job->scratch = scratch;
    if (job->method->prepare) job->method->prepare(&job->next, job->shared);

    qnt_status status = QNT_OK;
    for (job->base = 0; job->base < tasks && status == QNT_OK; job->base += BATCH) {
        if (job->method->fit) status = qnt__progress(job->context, job->base, tasks);
        if (status != QNT_OK) break;
        status = qnt__parallel(job->context, fit_task, job, qnt__min(BATCH, tasks - job->base));
    }
    if (status == QNT_OK && job->method->fit) status = qnt__progress(job->context, tasks, tasks);
    qnt__free(&job->next.memory, scratch, bytes);
    return status;
}

qnt_status qnt__fit_check(const qnt_context *context, const qnt_quantizer *quantizer)
{
    const struct qnt__statistics *seen = quantizer->statistics;
    if (quantizer->spec.method == QNT_FIXED) {
        return qnt__fail(context, QNT_E_STATE,
                         "quantizer is QNT_FIXED and has nothing to fit; set QNT_P_SCALE");
    }
    if (quantizer->spec.flags & QNT_THRESHOLDS) {
        return qnt__fail(context, QNT_E_STATE,
                         "quantizer has QNT_THRESHOLDS and nothing to fit; set QNT_P_THRESHOLDS");
    }
    if (quantizer->spec.flags & QNT_DYNAMIC) return qnt__quantizer_ready(context, quantizer);
    if (!seen) {
        return qnt__fail(context, QNT_E_STATE, "quantizer has observed nothing; observe first");
    }
    size_t empty = 0;
    for (size_t g = 0; g < seen->groups; g++) empty += seen->moments[g].count == 0;
    if (empty == seen->groups) {
        return qnt__fail(context, QNT_E_STATE,
                         "quantizer has observed no finite value of positive importance");
    }
    if (empty > 0) {
        qnt__log(context, QNT_LOG_WARN, "%zu of %zu groups have no values; their scale is 1", empty,
                 seen->groups);
    }
    return QNT_OK;
}

qnt_status qnt__fit_finish(const qnt_context *context, qnt_quantizer *next)
{
    const struct qnt__statistics *seen = next->statistics;
    struct job job = {.context = context, .seen = seen, .next = *next,
                      .method = qnt__method_of(next->spec.method),
                      .weighted = seen->bin || seen->weights};
    for (size_t g = 0; g < seen->groups; g++) {
        job.most = qnt__max(job.most, seen->bin ? seen->bins : (size_t)seen->moments[g].count);
    }
    QNT__TRY(run(&job));
    for (size_t g = 0; g < seen->groups; g++) /* what was fitted can be set, and loaded */
        QNT__TRY(job.next.scheme->verify(context, &job.next, g));
    job.next.ready = job.next.fitted = true;
    *next = job.next;
    return QNT_OK;
}

qnt_status qnt_quantizer_fit(const qnt_context *context, qnt_quantizer *quantizer)
{
    if (!context) return QNT_E_INVALID;
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    QNT__TRY(qnt__fit_check(context, quantizer));
    const struct qnt__statistics *seen = quantizer->statistics;
    const struct qnt__method *method = qnt__method_of(quantizer->spec.method);
    qnt_quantizer next = *quantizer;
    QNT__TRY(qnt__parameters_allocate(context, &next, seen->groups));
    qnt_status status = QNT_OK;
    if (method->fit_all) status = method->fit_all(context, seen, &next);
    if (status == QNT_OK) status = qnt__fit_finish(context, &next);
    if (status != QNT_OK) {
        qnt__parameters_free(&next);
        return status;
    }
    qnt__parameters_free(quantizer);
    *quantizer = next;
    return QNT_OK;
}
