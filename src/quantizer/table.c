/*
 * The table scheme: value = scale * level[code], levels ascending.
 *
 * Levels are the same for all groups (`shared`), or a group's own (`own`). Unless literal, or set
 * by the caller, they are integers: then a product of codes is a product of integers, the same in a
 * kernel and in decoded floats up to one rounding.
 */
#include <math.h>

#include "base/try.h"
#include "codebook.h"
#include "methods.h"
#include "names.h"
#include "standard_levels.h"

static bool has_own_levels(const qnt_spec *spec)
{
    return spec->method == QNT_KMEANS || spec->method == QNT_LLOYD || spec->method == QNT_ANALYTIC;
}

bool qnt__has_thresholds(const qnt_spec *spec)
{
    return spec->scheme == QNT_TABLE &&
           ((spec->flags & QNT_THRESHOLDS) || spec->method == QNT_BALANCED);
}

static size_t size_of(const qnt_spec *spec)
{
    return (size_t)1 << spec->bits;
}

static const float *levels_of(const qnt_quantizer *quantizer, size_t group)
{
    bool own = has_own_levels(&quantizer->spec);
    return own ? quantizer->own + group * quantizer->own_count : quantizer->shared;
}

/* ---- requests ---- */

static qnt_status check(const qnt_context *context, const qnt_spec *spec)
{
    if (spec->bits < 1 || spec->bits > 8) {
        return qnt__fail(context, QNT_E_INVALID, "spec: bits is %d, expected 1 to 8",
                         (int)spec->bits);
    }
    if (spec->points != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: points is %d, expected 0",
                         (int)spec->points);
    }
    if ((spec->flags & QNT_THRESHOLDS) &&
        (spec->method != QNT_LEVELS || (spec->flags & QNT_LITERAL))) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: QNT_THRESHOLDS with method %s and flags %s, expected QNT_LEVELS "
                         "without QNT_LITERAL",
                         qnt__method_of(spec->method)->name, qnt__flag_names(spec->flags).text);
    }
    return qnt__standard_levels_check(context, spec);
}

static int32_t code_bits(const qnt_spec *spec)
{
    return spec->bits;
}

static bool code_signed(const qnt_spec *spec)
{
    (void)spec;
    return false;
}

static size_t own(const qnt_spec *spec)
{
    if (qnt__has_thresholds(spec)) return size_of(spec) - 1;
    return has_own_levels(spec) ? size_of(spec) : 0;
}

static size_t shared(const qnt_spec *spec)
{
    return has_own_levels(spec) ? 0 : size_of(spec);
}

static void reset(qnt_quantizer *quantizer)
{
    if (!has_own_levels(&quantizer->spec))
        qnt__standard_levels(&quantizer->spec, quantizer->shared);
}

/* ---- codes ---- */

static void values(const qnt_quantizer *quantizer, size_t group, float value[256])
{
    const float *level = levels_of(quantizer, group), scale = quantizer->scale[group];
    for (size_t c = 0; c < size_of(&quantizer->spec); c++) value[c] = scale * level[c];
}

/* All but repetitions: of the largest, and of levels that were snapped to one integer. */
static int32_t order(const qnt_quantizer *quantizer, const float value[256], uint8_t code[256])
{
    int32_t count = 0, size = (int32_t)size_of(&quantizer->spec);
    for (int32_t c = 0; c < size; c++) {
        if (count == 0 || value[c] > value[code[count - 1]]) code[count++] = (uint8_t)c;
    }
    return count;
}

static bool integers(const qnt_quantizer *quantizer, size_t group, int16_t level[256])
{
    const float *own_level = levels_of(quantizer, group);
    for (size_t c = 0; c < size_of(&quantizer->spec); c++) {
        if (!(own_level[c] >= -32768.0f && own_level[c] <= 32767.0f) ||
            own_level[c] != rintf(own_level[c])) {
            return false;
        }
        level[c] = (int16_t)own_level[c];
    }
    return true;
}

static void thresholds(const qnt_quantizer *quantizer, size_t group, const uint8_t *code,
                       int32_t count, struct qnt__thresholds *out)
{
    (void)code; /* they ascend */
    if (!qnt__has_thresholds(&quantizer->spec)) return;
    const float *own_threshold = quantizer->own + group * quantizer->own_count;
    for (int32_t i = 0; i < count - 1; i++) out->value[i] = own_threshold[i];
}

/* Decoding needs no thresholds. */
static double overhead(const qnt_quantizer *quantizer, size_t group)
{
    (void)group;
    return 32.0 * (1.0 + (has_own_levels(&quantizer->spec) ? (double)quantizer->own_count : 0.0));
}

/* ---- parameters ---- */

static qnt_status count(const qnt_context *context, const qnt_quantizer *quantizer, int32_t param,
                        size_t *out)
{
    bool level = param == QNT_P_LEVELS;
    bool threshold = param == QNT_P_THRESHOLDS && qnt__has_thresholds(&quantizer->spec);
    if (param != QNT_P_SCALE && param != QNT_P_LOW && param != QNT_P_HIGH && !level && !threshold) {
        return qnt__parameter_absent(context, quantizer, param);
    }
    if (level && quantizer->shared_count > 0 && quantizer->shared) {
        *out = quantizer->shared_count;
        return QNT_OK;
    }
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    *out = level || threshold ? quantizer->groups * quantizer->own_count : quantizer->groups;
    return QNT_OK;
}

static double value(const qnt_quantizer *quantizer, int32_t param, size_t i)
{
    double ends[2], step[2];
    if (param == QNT_P_SCALE) return (double)quantizer->scale[i];
    if (param == QNT_P_THRESHOLDS) return (double)quantizer->own[i];
    if (param == QNT_P_LEVELS)
        return (double)(has_own_levels(&quantizer->spec) ? quantizer->own : quantizer->shared)[i];
    qnt__codebook_ends(quantizer, i, ends, step);
    return ends[param == QNT_P_HIGH];
}

/* Are the values finite and ascending that a scale gives the levels of a group? */
static qnt_status check_values(const qnt_context *context, const qnt_quantizer *quantizer, size_t g,
                               float scale)
{
    const float *level = levels_of(quantizer, g);
    for (size_t c = 0; c < size_of(&quantizer->spec); c++) {
        if (isfinite(level[c] * scale) && (c == 0 || level[c] >= level[c - 1])) continue;
        return qnt__fail(
            context, QNT_E_INVALID,
            "level %zu of group %zu is %g with scale %g, expected ascending finite numbers", c, g,
            (double)level[c], (double)scale);
    }
    return QNT_OK;
}

static qnt_status set_scale(const qnt_context *context, qnt_quantizer *quantizer,
                            const double *scale, size_t n)
{
    size_t groups = 0;
    bool resize = quantizer->spec.method == QNT_LEVELS;
    if (resize && (!quantizer->shared || !(quantizer->shared[1] > quantizer->shared[0]))) {
        return qnt__fail(context, QNT_E_STATE,
                         "quantizer has no levels yet; set QNT_P_LEVELS first");
    }
    QNT__TRY(qnt__parameter_groups(context, quantizer, resize, n, &groups));
    for (size_t g = 0; g < (has_own_levels(&quantizer->spec) ? groups : n); g++) {
        double s = scale[n == 1 ? 0 : g];
        QNT__TRY(qnt__scale_check(context, g, s));
        QNT__TRY(check_values(context, quantizer, g, (float)s));
    }
    const bool kept = groups == quantizer->groups; /* then thresholds stay */
    QNT__TRY(qnt__parameters_resize(context, quantizer, groups));
    for (size_t g = 0; g < groups; g++) quantizer->scale[g] = (float)scale[n == 1 ? 0 : g];
    quantizer->ready = !qnt__has_thresholds(&quantizer->spec) || (quantizer->ready && kept);
    quantizer->fitted = false;
    return QNT_OK;
}

/* Are the thresholds of a group numbers that do not decrease? */
static qnt_status check_thresholds(const qnt_context *context, const double *threshold, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (threshold[i] >= (i == 0 ? (double)-INFINITY : threshold[i - 1])) continue;
        return qnt__fail(context, QNT_E_INVALID,
                         "values: threshold %zu is %g, expected numbers that do not decrease", i,
                         threshold[i]);
    }
    return QNT_OK;
}

static qnt_status set_thresholds(const qnt_context *context, qnt_quantizer *quantizer,
                                 const double *threshold, size_t n)
{
    size_t each = quantizer->own_count, groups = quantizer->groups;
    if (groups == 0) {
        return qnt__fail(context, QNT_E_STATE,
                         "quantizer has no groups yet; set QNT_P_SCALE first");
    }
    if (n != each && (n % each != 0 || n / each != groups)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "count is %zu, expected %zu or that for %zu groups", n, each, groups);
    }
    for (size_t at = 0; at < n; at += each)
        QNT__TRY(check_thresholds(context, threshold + at, each));
    for (size_t i = 0; i < groups * each; i++) {
        quantizer->own[i] = (float)threshold[n == each ? i % each : i];
    }
    quantizer->ready = true;
    return QNT_OK;
}

static qnt_status set_levels(const qnt_context *context, qnt_quantizer *quantizer,
                             const double *level, size_t n)
{
    const size_t size = size_of(&quantizer->spec);
    if (quantizer->spec.method != QNT_LEVELS) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "param is QNT_P_LEVELS, which only method QNT_LEVELS lets the caller set");
    }
    if (n < 2 || n > size) {
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 2 to %zu levels", n, size);
    }
    for (size_t i = 0; i < n; i++) {
        float now = (float)level[i];
        if (isfinite(now) && (i == 0 || now > (float)level[i - 1])) continue;
        return qnt__fail(context, QNT_E_INVALID,
                         "values: level %zu is %g, expected finite float32 numbers that increase",
                         i, level[i]);
    }
    QNT__TRY(qnt__parameters_shared(context, quantizer));
    for (size_t i = 0; i < size; i++) quantizer->shared[i] = (float)level[i < n ? i : n - 1];
    quantizer->fitted = false;
    return QNT_OK;
}

static qnt_status set(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                      const double *numbers, size_t n)
{
    if (param == QNT_P_SCALE) return set_scale(context, quantizer, numbers, n);
    if (param == QNT_P_LEVELS) return set_levels(context, quantizer, numbers, n);
    if (param == QNT_P_THRESHOLDS && qnt__has_thresholds(&quantizer->spec)) {
        return set_thresholds(context, quantizer, numbers, n);
    }
    return qnt__parameter_not_set(context, quantizer, param);
}

static qnt_status verify(const qnt_context *context, const qnt_quantizer *q, size_t g)
{
    QNT__TRY(qnt__scale_check(context, g, (double)q->scale[g]));
    const float *threshold = q->own + g * q->own_count;
    for (size_t i = 0; qnt__has_thresholds(&q->spec) && i < q->own_count; i++) {
        if (threshold[i] >= (i == 0 ? -INFINITY : threshold[i - 1])) continue;
        return qnt__fail(context, QNT_E_FORMAT, "data: threshold %zu of group %zu decreases", i, g);
    }
    return check_values(context, q, g, q->scale[g]);
}

const struct qnt__scheme qnt__table_scheme = {.name = "QNT_TABLE",
                                              .flags = QNT_LITERAL | QNT_THRESHOLDS,
                                              .default_bits = 4,
                                              .check = check,
                                              .code_bits = code_bits,
                                              .code_signed = code_signed,
                                              .own = own,
                                              .shared = shared,
                                              .reset = reset,
                                              .values = values,
                                              .order = order,
                                              .thresholds = thresholds,
                                              .integers = integers,
                                              .encode = qnt__codebook_encode,
                                              .pack = qnt__codebook_pack,
                                              .decode = qnt__codebook_decode,
                                              .ends = qnt__codebook_ends,
                                              .measure = qnt__codebook_measure,
                                              .overhead = overhead,
                                              .count = count,
                                              .value = value,
                                              .set = set,
                                              .verify = verify};
