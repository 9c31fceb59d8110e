/*
 * The points scheme: value = scale * sum over points of coef[p] * digit p of the code.
 *
 * Point p occupies `bits` bits of a code, from bit p * bits. With QNT_BASES digits are signs (1:
 * +1, 0: -1), with QNT_MULTIPOINT two's complement. A group that needs fewer points has
 * coefficients 0 at the end. Unless literal, coefficients are integers and so are their sums, which
 * int8 holds.
 */
#include <math.h>

#include "base/try.h"
#include "codebook.h"
#include "points.h"

size_t qnt__points_of(const qnt_quantizer *quantizer, size_t group)
{
    const float *coef = quantizer->own + group * quantizer->own_count;
    size_t count = 0;
    while (count < quantizer->own_count && coef[count] != 0.0f) count++;
    return count;
}

/* ---- requests ---- */

static qnt_status check(const qnt_context *context, const qnt_spec *spec)
{
    int32_t least = spec->method == QNT_MULTIPOINT ? 2 : 1,
            most = spec->method == QNT_MULTIPOINT ? 4 : 1;
    if (spec->bits < least || spec->bits > most) {
        return qnt__fail(context, QNT_E_INVALID, "spec: bits of one point is %d, expected %d to %d",
                         (int)spec->bits, (int)least, (int)most);
    }
    if (spec->points < 1 || spec->points > QNT__POINTS_BITS / spec->bits) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: points is %d, expected 1 to %d with %d bits", (int)spec->points,
                         (int)(QNT__POINTS_BITS / spec->bits), (int)spec->bits);
    }
    if ((spec->flags & QNT_DYNAMIC) && (spec->method != QNT_BASES || spec->points != 1)) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: QNT_DYNAMIC with %d points of %d bits, expected one base of signs",
                         (int)spec->points, (int)spec->bits);
    }
    return QNT_OK;
}

static int32_t code_bits(const qnt_spec *spec)
{
    return spec->bits * spec->points;
}

static bool code_signed(const qnt_spec *spec)
{
    (void)spec;
    return false;
}

static size_t own(const qnt_spec *spec)
{
    return (size_t)spec->points;
}

/* ---- codes ---- */

static double sum_of(const qnt_spec *spec, const float *coef, uint32_t code)
{
    double numbers[QNT__POINTS_MAX], sum = 0.0;
    if (spec->method == QNT_BASES) {
        for (int32_t p = 0; p < spec->points; p++)
            sum += code >> p & 1u ? (double)coef[p] : -(double)coef[p];
        return sum;
    }
    for (int32_t p = 0; p < spec->points; p++) numbers[p] = (double)coef[p];
    return qnt__multipoint_value(code, spec->bits, spec->points, numbers);
}

static void values(const qnt_quantizer *quantizer, size_t group, float value[256])
{
    const qnt_spec *spec = &quantizer->spec;
    const float *coef = quantizer->own + group * quantizer->own_count;
    for (uint32_t c = 0; c < 1u << code_bits(spec); c++) {
        value[c] = quantizer->scale[group] * (float)sum_of(spec, coef, c);
    }
}

bool qnt__points_use(const qnt_spec *spec, uint32_t code)
{
    if (spec->method == QNT_BASES || !(spec->flags & QNT_LITERAL)) return true;
    for (int32_t p = 0; p < spec->points; p++) {
        if ((code >> (p * spec->bits) & ((1u << spec->bits) - 1u)) == 1u << (spec->bits - 1))
            return false;
    }
    return true;
}

/* Ascending by insertion; of equal sums the lowest code, whose missing points are 0. */
static int32_t order(const qnt_quantizer *quantizer, const float value[256], uint8_t code[256])
{
    const qnt_spec *spec = &quantizer->spec;
    int32_t count = 0, kept = 0;
    for (uint32_t c = 0; c < 1u << code_bits(spec); c++) {
        int32_t at = count;
        if (!qnt__points_use(spec, c)) continue;
        for (; at > 0 && value[code[at - 1]] > value[c]; at--) code[at] = code[at - 1];
        code[at] = (uint8_t)c;
        count++;
    }
    for (int32_t i = 0; i < count; i++) {
        if (kept == 0 || value[code[i]] > value[code[kept - 1]]) code[kept++] = code[i];
    }
    return kept;
}

static bool integers(const qnt_quantizer *quantizer, size_t group, int16_t level[256])
{
    const qnt_spec *spec = &quantizer->spec;
    const float *coef = quantizer->own + group * quantizer->own_count;
    for (uint32_t c = 0; c < 1u << code_bits(spec); c++) {
        double sum = sum_of(spec, coef, c);
        if (!(sum >= -32768.0 && sum <= 32767.0) || sum != rint(sum)) return false;
        level[c] = (int16_t)sum;
    }
    return true;
}

/* Coefficients and the scale in float32, and how many points there are in as few bits as that
 * takes. */
static double overhead(const qnt_quantizer *quantizer, size_t group)
{
    double count = (double)qnt__points_of(quantizer, group), number = 0.0;
    for (int32_t most = quantizer->spec.points; most > 0; most /= 2) number++;
    double scale = quantizer->spec.flags & QNT_LITERAL ? 0.0 : 32.0;
    return (count > 0.0 ? scale : 0.0) + 32.0 * count + number;
}

static double stored(const qnt_quantizer *quantizer, size_t group)
{
    return (double)quantizer->spec.bits * (double)qnt__points_of(quantizer, group);
}

/* ---- parameters ---- */

static qnt_status count(const qnt_context *context, const qnt_quantizer *quantizer, int32_t param,
                        size_t *out)
{
    switch (param) {
    case QNT_P_SCALE:
    case QNT_P_COEF:
    case QNT_P_COUNT:
    case QNT_P_LOW:
    case QNT_P_HIGH: break;
    default: return qnt__parameter_absent(context, quantizer, param);
    }
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    *out = quantizer->groups * (param == QNT_P_COEF ? quantizer->own_count : 1);
    return QNT_OK;
}

static double value(const qnt_quantizer *quantizer, int32_t param, size_t i)
{
    double ends[2], step[2];
    switch (param) {
    case QNT_P_SCALE: return (double)quantizer->scale[i];
    case QNT_P_COEF: return (double)quantizer->own[i];
    case QNT_P_COUNT: return (double)qnt__points_of(quantizer, i);
    default: qnt__codebook_ends(quantizer, i, ends, step); return ends[param == QNT_P_HIGH];
    }
}

/* Are all sums finite, and do coefficients that are 0 come last? */
static qnt_status check_group(const qnt_context *context, const qnt_quantizer *q, size_t g,
                              const float *coef)
{
    const double digit = q->spec.method == QNT_BASES ? 1.0 : (double)(1 << (q->spec.bits - 1));
    double sum = 0.0; /* the largest */
    bool ended = false, legal = true;
    for (size_t p = 0; p < q->own_count; p++) {
        legal = legal && isfinite(coef[p]) && !(ended && coef[p] != 0.0f);
        ended = ended || coef[p] == 0.0f;
        sum += digit * fabs((double)coef[p]);
    }
    if (legal && isfinite((float)sum * q->scale[g])) return QNT_OK;
    return qnt__fail(
        context, QNT_E_INVALID,
        "values: group %zu has coefficients whose sums are not finite, or one after a 0", g);
}

/* The scale decides the number of groups of a quantizer that has none; coefficients follow. */
static qnt_status set(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                      const double *numbers, size_t n)
{
    size_t groups = 0, each = quantizer->own_count;
    if (param == QNT_P_SCALE) {
        QNT__TRY(qnt__parameter_groups(context, quantizer, true, n, &groups));
        for (size_t g = 0; g < n; g++) QNT__TRY(qnt__scale_check(context, g, numbers[g]));
        QNT__TRY(qnt__parameters_resize(context, quantizer, groups));
        for (size_t g = 0; g < groups; g++) quantizer->scale[g] = (float)numbers[g];
        for (size_t i = 0; i < groups * each; i++) quantizer->own[i] = 0.0f;
    } else if (param == QNT_P_COEF) {
        QNT__TRY(qnt__quantizer_ready(context, quantizer));
        if (n != quantizer->groups * each) {
            return qnt__fail(context, QNT_E_INVALID,
                             "count is %zu, expected %zu coefficients for %zu groups", n, each,
                             quantizer->groups);
        }
        for (size_t g = 0; g < quantizer->groups; g++) {
            float coef[QNT__POINTS_MAX];
            for (size_t p = 0; p < each; p++) coef[p] = (float)numbers[g * each + p];
            QNT__TRY(check_group(context, quantizer, g, coef));
        }
        for (size_t i = 0; i < n; i++) quantizer->own[i] = (float)numbers[i];
    } else {
        return qnt__parameter_not_set(context, quantizer, param);
    }
    quantizer->ready = true;
    quantizer->fitted = false;
    return QNT_OK;
}

static qnt_status verify(const qnt_context *context, const qnt_quantizer *q, size_t g)
{
    QNT__TRY(qnt__scale_check(context, g, (double)q->scale[g]));
    return check_group(context, q, g, q->own + g * q->own_count);
}

const struct qnt__scheme qnt__points_scheme = {.name = "QNT_POINTS",
                                               .flags = QNT_LITERAL | QNT_DYNAMIC,
                                               .default_bits = 1,
                                               .check = check,
                                               .code_bits = code_bits,
                                               .code_signed = code_signed,
                                               .own = own,
                                               .values = values,
                                               .order = order,
                                               .integers = integers,
                                               .encode = qnt__codebook_encode,
                                               .pack = qnt__codebook_pack,
                                               .decode = qnt__codebook_decode,
                                               .ends = qnt__codebook_ends,
                                               .measure = qnt__codebook_measure,
                                               .overhead = overhead,
                                               .stored = stored,
                                               .count = count,
                                               .value = value,
                                               .set = set,
                                               .verify = verify};
