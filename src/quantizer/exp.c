/*
 * The exponential scheme (DNA-TEQ, arXiv 2306.16430): value = +-(alpha base^(field - 1) + beta),
 * field 0 is zero. Codes are those of struct qnt_exp: the field in the low bits, the sign above it.
 *
 * Unless literal, magnitudes are snapped to integers times the group's scale, the largest to 127 up
 * to SNAP_BITS of exponent and to 32767 beyond, so that kernels multiply them exactly. Powers are
 * formed by multiplication in double: the same bits on every CPU.
 */
#include <math.h>

#include "base/numeric.h"
#include "base/try.h"
#include "codebook.h"
#include "exp.h"

enum { ALPHA, BETA, OWN };

static bool is_literal(const qnt_spec *spec)
{
    return spec->flags & QNT_LITERAL;
}

int32_t qnt__exp_snap(const qnt_spec *spec)
{
    enum { SNAP_BITS = 4, NARROW = 127, WIDE = 32767 };
    if (is_literal(spec)) return 0;
    return spec->bits <= SNAP_BITS ? NARROW : WIDE;
}

int32_t qnt__exp_levels(const qnt_spec *spec)
{
    return (1 << spec->bits) - 1;
}

/* ---- requests ---- */

static qnt_status check(const qnt_context *context, const qnt_spec *spec)
{
    if (spec->bits < 2 || spec->bits > 7) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: bits is %d, expected 2 to 7 bits of exponent", (int)spec->bits);
    }
    if (spec->points != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: points is %d, expected 0",
                         (int)spec->points);
    }
    return QNT_OK;
}

static int32_t code_bits(const qnt_spec *spec)
{
    return spec->bits + (spec->flags & QNT_SIGNED ? 1 : 0);
}

static bool code_signed(const qnt_spec *spec)
{
    (void)spec;
    return false;
}

static size_t own(const qnt_spec *spec)
{
    (void)spec;
    return OWN;
}

static size_t shared(const qnt_spec *spec)
{
    (void)spec;
    return 1;
}

static void reset(qnt_quantizer *quantizer)
{
    quantizer->shared[0] = 0.0f; /* the fit chooses the base */
}

/* ---- codes ---- */

/* Integers that the fields stand for, or with real levels their values; the scale is the snapping
 * step. */
static void magnitudes(const qnt_quantizer *quantizer, size_t group,
                       double magnitude[QNT__BOOK / 2])
{
    const int32_t levels = qnt__exp_levels(&quantizer->spec),
                  most = qnt__exp_snap(&quantizer->spec);
    const float *numbers = quantizer->own + group * OWN;
    double power = 1.0, base = (double)quantizer->shared[0],
           scale = (double)quantizer->scale[group];
    for (int32_t e = 0; e < levels; e++, power *= base) {
        double value = (double)numbers[ALPHA] * power + (double)numbers[BETA];
        double at = most ? fmin(value / scale, (double)most) : value;
        at = at > 0.0 ? at : 0.0;
        magnitude[e] = most ? (double)qnt__round_even((float)at) : at;
    }
}

static void values(const qnt_quantizer *quantizer, size_t group, float value[256])
{
    const int32_t levels = qnt__exp_levels(&quantizer->spec), sign = levels + 1;
    double magnitude[QNT__BOOK / 2];
    magnitudes(quantizer, group, magnitude);
    value[0] = 0.0f;
    if (quantizer->spec.flags & QNT_SIGNED) value[sign] = 0.0f;
    for (int32_t e = 0; e < levels; e++) {
        float v = quantizer->scale[group] * (float)magnitude[e];
        value[e + 1] = v;
        if (quantizer->spec.flags & QNT_SIGNED) value[sign + e + 1] = -v;
    }
}

/* Negative fields downwards, zero, fields upwards; fields that snapping made alike only once. */
static int32_t order(const qnt_quantizer *quantizer, const float value[256], uint8_t code[256])
{
    const int32_t levels = qnt__exp_levels(&quantizer->spec), sign = levels + 1;
    uint8_t used[QNT__BOOK / 2];
    int32_t count = 0, total = 0;
    for (int32_t f = 1; f <= levels; f++) {
        if (value[f] > value[count ? used[count - 1] : 0]) used[count++] = (uint8_t)f;
    }
    for (int32_t i = count - 1; i >= 0 && (quantizer->spec.flags & QNT_SIGNED); i--) {
        code[total++] = (uint8_t)(sign + used[i]);
    }
    code[total++] = 0;
    for (int32_t i = 0; i < count; i++) code[total++] = used[i];
    return total;
}

/* The largest float32 below a number, or not above it. */
static float float_below(double x, bool or_equal)
{
    float t = (float)x;
    if (isinf(t)) t = t > 0.0f ? 3.402823466e38f : -3.402823466e38f;
    if (or_equal ? (double)t <= x : (double)t < x) return t;
    uint32_t bits = qnt__bits_of_f32(t);
    if (t == 0.0f) return qnt__f32_of_bits(0x80000001u);
    return qnt__f32_of_bits(t > 0.0f ? bits - 1 : bits + 1);
}

/* As published, rounding is in the domain of the logarithm: the border between two exponents is
 * half an exponent between them, from which on the larger magnitude is taken; only 0 itself is
 * zero. */
static void thresholds(const qnt_quantizer *quantizer, size_t group, const uint8_t *code,
                       int32_t count, struct qnt__thresholds *out)
{
    if (!(quantizer->spec.flags & QNT_LITERAL)) return;
    const int32_t levels = qnt__exp_levels(&quantizer->spec);
    const float *numbers = quantizer->own + group * OWN;
    double border[QNT__BOOK / 2],
        power = sqrt((double)quantizer->shared[0]); /* [f]: between f and f + 1 */
    for (int32_t f = 1; f < levels; f++, power *= (double)quantizer->shared[0]) {
        border[f] = (double)numbers[ALPHA] * power + (double)numbers[BETA];
    }
    for (int32_t i = 1; i < count; i++) { /* between ranks i - 1 and i */
        int32_t from = code[i - 1] & levels, to = code[i] & levels;
        if (to > from)
            out->value[i - 1] = from ? float_below(border[to - 1], false) : 0.0f;
        else
            out->value[i - 1] = to ? float_below(-border[from - 1], true) : float_below(0.0, false);
        if (code[i] == 0) out->nan = i;
    }
}

static bool integers(const qnt_quantizer *quantizer, size_t group, int16_t level[256])
{
    const int32_t levels = qnt__exp_levels(&quantizer->spec), sign = levels + 1;
    double magnitude[QNT__BOOK / 2];
    if (!qnt__exp_snap(&quantizer->spec)) return false;
    magnitudes(quantizer, group, magnitude);
    level[0] = 0;
    if (quantizer->spec.flags & QNT_SIGNED) level[sign] = 0;
    for (int32_t e = 0; e < levels; e++) {
        level[e + 1] = (int16_t)magnitude[e];
        if (quantizer->spec.flags & QNT_SIGNED) level[sign + e + 1] = (int16_t)-level[e + 1];
    }
    return true;
}

static double overhead(const qnt_quantizer *quantizer, size_t group)
{
    (void)group;
    return 32.0 * (qnt__exp_snap(&quantizer->spec) ? OWN + 1 : OWN);
}

/* ---- parameters ---- */

static qnt_status count(const qnt_context *context, const qnt_quantizer *quantizer, int32_t param,
                        size_t *out)
{
    switch (param) {
    case QNT_P_BASE:
    case QNT_P_SCALE:
    case QNT_P_ALPHA:
    case QNT_P_BETA:
    case QNT_P_LOW:
    case QNT_P_HIGH: break;
    default: return qnt__parameter_absent(context, quantizer, param);
    }
    if (param != QNT_P_BASE || !quantizer->shared)
        QNT__TRY(qnt__quantizer_ready(context, quantizer));
    *out = param == QNT_P_BASE ? 1 : quantizer->groups;
    return QNT_OK;
}

static double value(const qnt_quantizer *quantizer, int32_t param, size_t i)
{
    double ends[2], step[2];
    switch (param) {
    case QNT_P_BASE: return (double)quantizer->shared[0];
    case QNT_P_SCALE: return (double)quantizer->scale[i];
    case QNT_P_ALPHA: return (double)quantizer->own[i * OWN + ALPHA];
    case QNT_P_BETA: return (double)quantizer->own[i * OWN + BETA];
    default: qnt__codebook_ends(quantizer, i, ends, step); return ends[param == QNT_P_HIGH];
    }
}

/* At most 4; the ratio of the magnitudes at most 2^60, from 6 bits on. */
double qnt__exp_largest_base(const qnt_spec *spec)
{
    return spec->bits == 7 ? 1.391 : spec->bits == 6 ? 1.955 : 4.0;
}

static qnt_status check_base(const qnt_context *context, const qnt_spec *spec, double base)
{
    double most = qnt__exp_largest_base(spec);
    if ((float)base > 1.0f && base <= most) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "values: base is %g, expected above 1, at most %g",
                     base, most);
}

/* Magnitudes must be finite, snapped ones too, and must not fall. */
static qnt_status check_group(const qnt_context *context, const qnt_quantizer *q, size_t g)
{
    const float *numbers = q->own + g * OWN, most = (float)qnt__exp_snap(&q->spec);
    double top = (double)numbers[ALPHA];
    for (int32_t e = 1; e < qnt__exp_levels(&q->spec); e++) top *= (double)q->shared[0];
    if (numbers[ALPHA] > 0.0f && isfinite(numbers[BETA]) &&
        isfinite((float)(top + (double)numbers[BETA])) && isfinite(q->scale[g] * most)) {
        return QNT_OK;
    }
    return qnt__fail(
        context, QNT_E_INVALID,
        "values: group %zu has alpha %g and beta %g, expected alpha above 0 and finite levels", g,
        (double)numbers[ALPHA], (double)numbers[BETA]);
}

void qnt__exp_store(qnt_quantizer *quantizer, size_t group, double alpha, double beta)
{
    const int32_t levels = qnt__exp_levels(&quantizer->spec),
                  most = qnt__exp_snap(&quantizer->spec);
    float *numbers = quantizer->own + group * OWN, scale = 1.0f;
    double power = 1.0;
    numbers[ALPHA] = (float)alpha;
    numbers[BETA] = (float)beta;
    for (int32_t e = 1; e < levels; e++) power *= (double)quantizer->shared[0];
    if (most) scale = (float)(((double)numbers[ALPHA] * power + (double)numbers[BETA]) / most);
    quantizer->scale[group] = scale > 0.0f ? scale : qnt__f32_of_bits(1);
}

/* Base first, then alpha for as many groups as there are, then beta, which starts at 0. */
static qnt_status set(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                      const double *numbers, size_t n)
{
    size_t groups = 0;
    if (param != QNT_P_BASE && param != QNT_P_ALPHA && param != QNT_P_BETA) {
        return qnt__parameter_not_set(context, quantizer, param);
    }
    if (param == QNT_P_BASE) {
        if (n != 1) return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected 1 base", n);
        QNT__TRY(check_base(context, &quantizer->spec, numbers[0]));
        QNT__TRY(qnt__parameters_shared(context, quantizer));
        quantizer->shared[0] = (float)numbers[0];
        quantizer->base_set = true;
        quantizer->ready = quantizer->fitted = false;
        return QNT_OK;
    }
    if (!quantizer->shared || !(quantizer->shared[0] > 1.0f)) {
        return qnt__fail(context, QNT_E_STATE, "quantizer has no base yet; set QNT_P_BASE first");
    }
    QNT__TRY(qnt__parameter_groups(context, quantizer, param == QNT_P_ALPHA, n, &groups));
    qnt_quantizer next = *quantizer;
    QNT__TRY(qnt__parameters_allocate(context, &next, groups));
    qnt_status status = QNT_OK;
    for (size_t g = 0; g < groups && status == QNT_OK; g++) {
        double number = numbers[n == 1 ? 0 : g];
        double alpha = param == QNT_P_ALPHA ? number : (double)quantizer->own[g * OWN + ALPHA];
        qnt__exp_store(&next, g, alpha, param == QNT_P_BETA ? number : 0.0);
        status = check_group(context, &next, g);
    }
    if (status != QNT_OK) {
        qnt__parameters_free(&next);
        return status;
    }
    qnt__parameters_free(quantizer);
    next.ready = true;
    next.fitted = false;
    *quantizer = next;
    return QNT_OK;
}

static qnt_status verify(const qnt_context *context, const qnt_quantizer *q, size_t g)
{
    QNT__TRY(qnt__scale_check(context, g, (double)q->scale[g]));
    QNT__TRY(check_base(context, &q->spec, (double)q->shared[0]));
    return check_group(context, q, g);
}

const struct qnt__scheme qnt__exp_scheme = {.name = "QNT_EXP",
                                            .flags = QNT_SIGNED | QNT_LITERAL,
                                            .default_bits = 3,
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
