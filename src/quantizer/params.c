/* Reading and writing parameters. The contract is in qnt/quantizer.h. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer.h"
#include "statistics.h"

enum { BYTES_PER_GROUP = 3 * sizeof(double) + 2 * sizeof(float) + sizeof(int32_t) };

qnt_status qnt__parameters_allocate(const qnt_context *context, qnt_quantizer *quantizer,
                                    size_t groups)
{
    size_t bytes;
    void *block;
    if (!qnt__mul(groups, BYTES_PER_GROUP, &bytes)) {
        return qnt__fail(context, QNT_E_NOMEM, "%zu groups overflow memory", groups);
    }
    QNT__TRY(qnt__allocate(context, &quantizer->memory, bytes, &block));
    quantizer->groups = groups;
    quantizer->error = block;
    quantizer->bound = quantizer->error + groups;
    quantizer->visited = quantizer->bound + groups;
    quantizer->scale = (float *)(quantizer->visited + groups);
    quantizer->offset = quantizer->scale + groups;
    quantizer->zero = (int32_t *)(quantizer->offset + groups);
    int32_t zero = qnt__zero_default(&quantizer->spec);
    for (size_t g = 0; g < groups; g++) {
        quantizer->error[g] = quantizer->bound[g] = quantizer->visited[g] = 0;
        quantizer->scale[g] = 1;
        quantizer->offset[g] = 0;
        quantizer->zero[g] = zero;
    }
    return QNT_OK;
}

void qnt__parameters_free(qnt_quantizer *quantizer)
{
    qnt__free(&quantizer->memory, quantizer->error, quantizer->groups * BYTES_PER_GROUP);
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
    default: return NULL;
    }
}

/* The value of a parameter in one group. */
static double value_of(const qnt_quantizer *quantizer, int32_t param, size_t g)
{
    struct qnt__affine q = {0};
    const struct qnt__moments *seen = quantizer->statistics ? &quantizer->statistics->moments[g] : NULL;
    if (param == QNT_P_LOW || param == QNT_P_HIGH) q = qnt__affine_of(quantizer, g);
    switch (param) {
    case QNT_P_SCALE: return quantizer->scale[g];
    case QNT_P_ZERO: return quantizer->zero[g];
    case QNT_P_OFFSET: return quantizer->offset[g];
    case QNT_P_LOW: return q.low * q.scale + q.offset;
    case QNT_P_HIGH: return q.high * q.scale + q.offset;
    case QNT_P_ERROR: return quantizer->error[g];
    case QNT_P_BOUND: return quantizer->bound[g];
    case QNT_P_VISITED: return quantizer->visited[g];
    case QNT_P_OBSERVED: return (double)seen->count;
    case QNT_P_MIN: return seen->count ? (double)seen->min : (double)NAN;
    default: return seen->count ? (double)seen->max : (double)NAN;
    }
}

static qnt_status check_offset_or_zero(const qnt_context *context, const qnt_quantizer *quantizer,
                                       int32_t param)
{
    bool real = quantizer->spec.flags & QNT_REAL_OFFSET;
    if (param == QNT_P_ZERO && real) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "param is QNT_P_ZERO, but a quantizer with QNT_REAL_OFFSET has QNT_P_OFFSET");
    }
    if (param == QNT_P_OFFSET && !real) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "param is QNT_P_OFFSET, but a quantizer without QNT_REAL_OFFSET has "
                         "QNT_P_ZERO");
    }
    return QNT_OK;
}

/* Is there a value for each group, and how many? */
static qnt_status count_groups(const qnt_context *context, const qnt_quantizer *quantizer,
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
        if (quantizer->spec.method != QNT_MSE) {
            return qnt__fail(context, QNT_E_UNSUPPORTED, "param is %d, which only QNT_MSE has",
                             (int)param);
        }
        break;
    case QNT_P_SCALE:
    case QNT_P_ZERO:
    case QNT_P_OFFSET:
    case QNT_P_LOW:
    case QNT_P_HIGH:
    case QNT_P_ERROR: break;
    default: return qnt__fail(context, QNT_E_INVALID, "param is %d, which is unknown", (int)param);
    }
    QNT__TRY(check_offset_or_zero(context, quantizer, param));
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    bool of_fit = param == QNT_P_ERROR || param == QNT_P_BOUND || param == QNT_P_VISITED;
    if (of_fit && !quantizer->fitted) {
        return qnt__fail(context, QNT_E_STATE, "param is %d, but the parameters come from no fit",
                         (int)param);
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
    size_t n = 1;
    if (!option) QNT__TRY(count_groups(context, quantizer, param, &n));
    if (values && capacity < n) {
        return qnt__fail(context, QNT_E_SPACE, "capacity is %zu, expected at least %zu", capacity, n);
    }
    *count = n;
    if (!values) return QNT_OK;
    for (size_t g = 0; g < n; g++) values[g] = option ? *option : value_of(quantizer, param, g);
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
    default: return whole && value >= 0 && value <= 0x1p53;
    }
}

static const char *option_text(int32_t param)
{
    switch (param) {
    case QNT_P_PERCENTILE: return "a percentile above 50, at most 100";
    case QNT_P_DISTRIBUTION: return "0, 1 or 2";
    case QNT_P_BINS: return "a whole number from 64 to 65536";
    default: return "a whole number from 0 to 2^53";
    }
}

static qnt_status set_option(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                             double *option, const double *values, size_t count)
{
    if (count != 1) {
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 for param %d", count,
                         (int)param);
    }
    if (!option_allows(param, values[0])) {
        return qnt__fail(context, QNT_E_INVALID, "values: param %d is %g, expected %s", (int)param,
                         values[0], option_text(param));
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

qnt_status qnt__parameter_check(const qnt_context *context, const qnt_spec *spec, int32_t param,
                                size_t g, double value)
{
    if (param == QNT_P_SCALE) {
        float scale = (float)value;
        if (scale > 0 && isfinite(scale)) return QNT_OK;
        return qnt__fail(context, QNT_E_INVALID,
                         "values: scale %zu is %g, expected a positive finite float32", g, value);
    }
    if (param == QNT_P_OFFSET) {
        if (isfinite((float)value)) return QNT_OK;
        return qnt__fail(context, QNT_E_INVALID,
                         "values: offset %zu is %g, expected a finite float32", g, value);
    }
    qnt_spec wide = *spec; /* the zero point may be the code that QNT_NARROW does not use */
    wide.flags &= ~QNT_NARROW;
    int32_t low = qnt__code_low(&wide), high = qnt__code_high(&wide);
    if (spec->flags & QNT_SYMMETRIC) low = high = qnt__zero_default(spec);
    if (value >= low && value <= high && value == floor(value)) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID,
                     "values: zero point %zu is %g, expected a whole number from %d to %d", g, value,
                     (int)low, (int)high);
}

/* How many groups there are or, by setting scales, will be. */
static qnt_status groups_for(const qnt_context *context, const qnt_quantizer *quantizer,
                             int32_t param, size_t count, size_t *groups)
{
    const qnt_spec *spec = &quantizer->spec;
    if (spec->flags & QNT_DYNAMIC) return qnt__quantizer_ready(context, quantizer);
    if (param == QNT_P_SCALE && spec->method == QNT_FIXED) {
        *groups = count;
        if (spec->grain != QNT_PER_TENSOR || count == 1) return QNT_OK;
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 per tensor", count);
    }
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    *groups = quantizer->groups;
    if (count == 1 || count == *groups) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 or %zu", count, *groups);
}

static void store(qnt_quantizer *quantizer, int32_t param, const double *values, size_t count)
{
    for (size_t g = 0; g < quantizer->groups; g++) {
        double value = values[count == 1 ? 0 : g];
        if (param == QNT_P_SCALE) quantizer->scale[g] = (float)value;
        else if (param == QNT_P_OFFSET) quantizer->offset[g] = (float)value;
        else quantizer->zero[g] = (int32_t)value;
    }
    quantizer->ready = true;
    quantizer->fitted = false;
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
    if (param != QNT_P_SCALE && param != QNT_P_ZERO && param != QNT_P_OFFSET) {
        return qnt__fail(context, QNT_E_INVALID, "param is %d, which cannot be set", (int)param);
    }

    size_t groups = 0;
    QNT__TRY(check_offset_or_zero(context, quantizer, param));
    QNT__TRY(groups_for(context, quantizer, param, count, &groups));
    for (size_t g = 0; g < count; g++) {
        QNT__TRY(qnt__parameter_check(context, &quantizer->spec, param, g, values[g]));
    }
    if (groups != quantizer->groups) {
        qnt_quantizer next = *quantizer;
        QNT__TRY(qnt__parameters_allocate(context, &next, groups));
        qnt__parameters_free(quantizer);
        *quantizer = next;
    }
    store(quantizer, param, values, count);
    return QNT_OK;
}
