/* Reading and writing parameters. The contract is in qnt/quantizer.h. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "methods.h"
#include "names.h"
#include "schemes.h"
#include "statistics.h"

/* Bytes of the one block that holds all parameters; false if they overflow. */
static bool block_bytes(const qnt_quantizer *q, size_t groups, size_t *bytes)
{
    size_t fixed = 3 * sizeof(double) + 2 * sizeof(float) + sizeof(int32_t), each, shared, all;
    return qnt__mul(q->own_count, sizeof(float), &each) && qnt__add(each, fixed, &each) &&
           qnt__mul(groups, each, &all) && qnt__mul(q->shared_count, sizeof(float), &shared) &&
           qnt__add(all, shared, bytes);
}

qnt_status qnt__parameters_allocate(const qnt_context *context, qnt_quantizer *quantizer,
                                    size_t groups)
{
    size_t bytes;
    void *block;
    const float *shared = quantizer->shared;
    if (!block_bytes(quantizer, groups, &bytes)) {
        return qnt__fail(context, QNT_E_NOMEM, "%zu groups overflow memory", groups);
    }
    QNT__TRY(qnt__allocate(context, &quantizer->memory, bytes, &block));
    memset(block, 0, bytes);
    quantizer->groups = groups;
    quantizer->error = block;
    quantizer->bound = quantizer->error + groups;
    quantizer->visited = quantizer->bound + groups;
    quantizer->scale = (float *)(quantizer->visited + groups);
    quantizer->offset = quantizer->scale + groups;
    quantizer->zero = (int32_t *)(quantizer->offset + groups);
    quantizer->own = (float *)(quantizer->zero + groups);
    quantizer->shared = quantizer->own + groups * quantizer->own_count;
    int32_t zero = qnt__zero_default(&quantizer->spec);
    for (size_t g = 0; g < groups; g++) {
        quantizer->scale[g] = 1;
        quantizer->zero[g] = zero;
    }
    if (shared) memcpy(quantizer->shared, shared, quantizer->shared_count * sizeof *shared);
    else if (quantizer->scheme->reset) quantizer->scheme->reset(quantizer);
    return QNT_OK;
}

qnt_status qnt__parameters_shared(const qnt_context *context, qnt_quantizer *quantizer)
{
    return quantizer->shared ? QNT_OK : qnt__parameters_allocate(context, quantizer, quantizer->groups);
}

void qnt__parameters_free(qnt_quantizer *quantizer)
{
    size_t bytes = 0;
    block_bytes(quantizer, quantizer->groups, &bytes); /* it did not overflow before */
    qnt__free(&quantizer->memory, quantizer->error, bytes);
}

/* ---- get ---- */

static double *option_of(qnt_quantizer *quantizer, int32_t param)
{
    switch (param) {
    case QNT_P_PERCENTILE: return &quantizer->options.percentile;
    case QNT_P_DISTRIBUTION: return &quantizer->options.distribution;
    case QNT_P_SAMPLES: return &quantizer->options.samples;
    case QNT_P_BINS: return &quantizer->options.bins;
    case QNT_P_NODES: return &quantizer->options.nodes;
    case QNT_P_BUDGET: return &quantizer->options.budget;
    case QNT_P_TOLERANCE: return &quantizer->options.tolerance;
    case QNT_P_ROUNDS: return &quantizer->options.rounds;
    case QNT_P_EXTRA: return &quantizer->options.extra;
    default: return NULL;
    }
}

static double stored_of(const qnt_quantizer *quantizer, size_t g)
{
    const struct qnt__scheme *scheme = quantizer->scheme;
    return scheme->stored ? scheme->stored(quantizer, g) : (double)qnt__code_bits(quantizer);
}

/* The value of what was observed or found in one group. */
static double result_of(const qnt_quantizer *quantizer, int32_t param, size_t g)
{
    const struct qnt__moments *seen = quantizer->statistics ? &quantizer->statistics->moments[g] : NULL;
    switch (param) {
    case QNT_P_ERROR: return quantizer->error[g];
    case QNT_P_BOUND: return quantizer->bound[g];
    case QNT_P_VISITED: return quantizer->visited[g];
    case QNT_P_STORED: return stored_of(quantizer, g);
    case QNT_P_OVERHEAD: return quantizer->scheme->overhead(quantizer, g);
    case QNT_P_OBSERVED: return (double)seen->count;
    case QNT_P_MIN: return seen->count ? (double)seen->min : (double)NAN;
    default: return seen->count ? (double)seen->max : (double)NAN;
    }
}

static qnt_status refuse(const qnt_context *context, const qnt_quantizer *quantizer, int32_t param,
                         const char *why)
{
    const char *name = qnt__parameter_name(param);
    if (!name) {
        return qnt__fail(context, QNT_E_INVALID, "param is %d, expected a QNT_P_ parameter",
                         (int)param);
    }
    return qnt__fail(context, QNT_E_INVALID, "param is %s, which %s in a %s quantizer of method %s",
                     name, why, quantizer->scheme->name,
                     qnt__method_of(quantizer->spec.method)->name);
}

qnt_status qnt__parameter_absent(const qnt_context *context, const qnt_quantizer *quantizer,
                                 int32_t param)
{
    return refuse(context, quantizer, param, "does not exist");
}

qnt_status qnt__parameter_not_set(const qnt_context *context, const qnt_quantizer *quantizer,
                                  int32_t param)
{
    return refuse(context, quantizer, param, "cannot be set");
}

/* Is there a result for each group, and how many? */
static qnt_status count_results(const qnt_context *context, const qnt_quantizer *quantizer,
                                int32_t param, size_t *count)
{
    switch (param) {
    case QNT_P_OBSERVED:
    case QNT_P_MIN:
    case QNT_P_MAX:
        if (!quantizer->statistics) {
            return qnt__fail(context, QNT_E_STATE, "quantizer has observed nothing yet");
        }
        *count = quantizer->statistics->groups;
        return QNT_OK;
    case QNT_P_BOUND:
    case QNT_P_VISITED:
        if (!qnt__method_of(quantizer->spec.method)->certified) {
            return qnt__fail(context, QNT_E_UNSUPPORTED,
                             "param is %s, which method %s does not have (QNT_MSE does)",
                             qnt__parameter_name(param),
                             qnt__method_of(quantizer->spec.method)->name);
        }
        break;
    case QNT_P_ERROR: break;
    case QNT_P_STORED:
    case QNT_P_OVERHEAD:
        QNT__TRY(qnt__quantizer_ready(context, quantizer));
        *count = quantizer->groups;
        return QNT_OK;
    default: return qnt__parameter_absent(context, quantizer, param);
    }
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    if (!quantizer->fitted) {
        return qnt__fail(context, QNT_E_STATE, "param is %s, but the parameters come from no fit",
                         qnt__parameter_name(param));
    }
    *count = quantizer->groups;
    return QNT_OK;
}

qnt_status qnt_quantizer_get(const qnt_context *context, const qnt_quantizer *quantizer,
                             int32_t param, double *values, size_t capacity, size_t *count)
{
    if (!context) return QNT_E_INVALID;
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    if (!count) return qnt__fail(context, QNT_E_INVALID, "count is NULL");
    qnt_quantizer copy = *quantizer; /* so that one table of options serves reading and writing */
    const double *option = option_of(&copy, param);
    bool format = param > 0 && param < QNT_P_PERCENTILE; /* a number of the format */
    size_t n = 1;
    if (format) QNT__TRY(quantizer->scheme->count(context, quantizer, param, &n));
    else if (!option) QNT__TRY(count_results(context, quantizer, param, &n));
    if (values && capacity < n) {
        return qnt__fail(context, QNT_E_SPACE, "capacity is %zu, expected at least %zu", capacity, n);
    }
    *count = n;
    if (!values) return QNT_OK;
    for (size_t i = 0; i < n; i++) {
        if (option) values[i] = *option;
        else if (format) values[i] = quantizer->scheme->value(quantizer, param, i);
        else values[i] = result_of(quantizer, param, i);
    }
    return QNT_OK;
}

/* ---- set ---- */

/* What an option may be. */
static bool option_allows(int32_t param, double value)
{
    bool whole = value == floor(value);
    switch (param) {
    case QNT_P_PERCENTILE: return value > 50 && value <= 100;
    case QNT_P_DISTRIBUTION: return whole && value >= 0 && value <= 2;
    case QNT_P_BINS: return whole && value >= 64 && value <= 65536;
    case QNT_P_BUDGET:
    case QNT_P_TOLERANCE: return value >= 0 && value <= 0x1p53;
    default: return whole && value >= 0 && value <= 0x1p53;
    }
}

static const char *option_text(int32_t param)
{
    switch (param) {
    case QNT_P_PERCENTILE: return "a percentile above 50, at most 100";
    case QNT_P_DISTRIBUTION: return "0, 1 or 2";
    case QNT_P_BINS: return "a whole number from 64 to 65536";
    case QNT_P_BUDGET:
    case QNT_P_TOLERANCE: return "a number from 0 to 2^53";
    default: return "a whole number from 0 to 2^53";
    }
}

static qnt_status set_option(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                             double *option, const double *values, size_t count)
{
    if (count != 1) {
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 for %s", count,
                         qnt__parameter_name(param));
    }
    if (!option_allows(param, values[0])) {
        return qnt__fail(context, QNT_E_INVALID, "values: %s is %g, expected %s",
                         qnt__parameter_name(param), values[0], option_text(param));
    }
    if (param == QNT_P_BINS && quantizer->statistics && quantizer->statistics->bin &&
        values[0] != (double)quantizer->statistics->bins) {
        return qnt__fail(context, QNT_E_STATE,
                         "param is QNT_P_BINS, but histograms with %zu bins exist; set it before "
                         "observing", quantizer->statistics->bins);
    }
    *option = values[0];
    return QNT_OK;
}

qnt_status qnt__scale_check(const qnt_context *context, size_t g, double value)
{
    float scale = (float)value;
    if (scale > 0 && isfinite(scale)) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID,
                     "values: scale %zu is %g, expected a positive finite float32", g, value);
}

qnt_status qnt__parameter_groups(const qnt_context *context, const qnt_quantizer *quantizer,
                                 bool resize, size_t count, size_t *groups)
{
    const qnt_spec *spec = &quantizer->spec;
    if (spec->flags & QNT_DYNAMIC) return qnt__quantizer_ready(context, quantizer);
    if (resize) {
        *groups = count;
        if (spec->grain != QNT_PER_TENSOR || count == 1) return QNT_OK;
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 per tensor", count);
    }
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    *groups = quantizer->groups;
    if (count == 1 || count == *groups) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 or %zu", count, *groups);
}

qnt_status qnt__parameters_resize(const qnt_context *context, qnt_quantizer *quantizer,
                                  size_t groups)
{
    if (groups == quantizer->groups) return QNT_OK;
    qnt_quantizer next = *quantizer;
    QNT__TRY(qnt__parameters_allocate(context, &next, groups));
    qnt__parameters_free(quantizer);
    *quantizer = next;
    return QNT_OK;
}

qnt_status qnt_quantizer_set(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                             const double *values, size_t count)
{
    if (!context) return QNT_E_INVALID;
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    if (!values) return qnt__fail(context, QNT_E_INVALID, "values is NULL");
    if (count == 0) return qnt__fail(context, QNT_E_INVALID, "count is 0, expected at least 1");
    double *option = option_of(quantizer, param);
    if (option) return set_option(context, quantizer, param, option, values, count);
    if (param <= 0 || param >= QNT_P_PERCENTILE) {
        return qnt__parameter_not_set(context, quantizer, param);
    }
    return quantizer->scheme->set(context, quantizer, param, values, count);
}
