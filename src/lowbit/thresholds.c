/* Thresholds of monotone functions by bisection: of sums, and of floats. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"
#include "base/try.h"
#include "layer.h"
#include "quantizer/quantizer.h"
#include "quantizer/schemes.h"

/* ---- of sums ---- */

/* The first of low to high, high to low if it falls, whose digit is at least k; the last one has
 * it. */
static int32_t find_step(qnt_digit_fn digit, void *user, int64_t channel, int64_t without,
                         int64_t with, int32_t k)
{
    while (with - without > 1 || without - with > 1) {
        int64_t middle = (without + with) / 2;
        if (digit(user, channel, (int32_t)middle) >= k)
            with = middle;
        else
            without = middle;
    }
    return (int32_t)with;
}

void qnt__find_row(qnt_digit_fn digit, void *user, int64_t channel, int32_t low, int32_t high,
                   int32_t row[3], bool *falls)
{
    const int32_t at_low = digit(user, channel, low), at_high = digit(user, channel, high);
    *falls = at_high < at_low;
    const int32_t first = *falls ? high : low, last = *falls ? low : high;
    const int32_t least = *falls ? at_high : at_low, most = *falls ? at_low : at_high;
    for (int32_t k = 1; k <= 3; k++) {
        int32_t *t = &row[k - 1];
        if (least >= k)
            *t = *falls ? INT32_MAX : INT32_MIN;
        else if (most < k)
            *t = *falls ? INT32_MIN : INT32_MAX;
        else
            *t = find_step(digit, user, channel, first, last, k);
    }
}

int32_t qnt__count_row(const int32_t row[3], bool falls, int32_t sum)
{
    int32_t count = 0;
    for (int k = 0; k < 3; k++) count += falls ? sum <= row[k] : sum >= row[k];
    return count;
}

/* Asks for every sum. */
static qnt_status verify_row(const qnt_context *context, qnt_digit_fn digit, void *user,
                             int64_t channel, int32_t low, int32_t high, const int32_t row[3],
                             bool falls)
{
    for (int64_t sum = low; sum <= high; sum++) {
        int32_t found = digit(user, channel, (int32_t)sum);
        if (found < 0 || found > 3) {
            return qnt__fail(context, QNT_E_INVALID,
                             "digit: channel %lld has %d at %lld, expected 0 to 3",
                             (long long)channel, (int)found, (long long)sum);
        }
        if (found == qnt__count_row(row, falls, (int32_t)sum)) continue;
        return qnt__fail(context, QNT_E_INVALID,
                         "digit: channel %lld is not monotone, it has %d at %lld",
                         (long long)channel, (int)found, (long long)sum);
    }
    return QNT_OK;
}

static qnt_status check_results(const qnt_context *context, const struct qnt__view *t,
                                const struct qnt__view *falling)
{
    if (t->ndim != 2 || t->shape[1] != 3)
        return qnt__fail(context, QNT_E_SHAPE, "thresholds: expected shape O x 3");
    if (!falling) return QNT_OK;
    if (falling->code != QNT_UINT || falling->bits != 8)
        return qnt__fail(context, QNT_E_DTYPE, "falling: expected uint8");
    if (falling->ndim == 1 && falling->shape[0] == t->shape[0])
        return qnt__view_apart(context, "thresholds", t, "falling", falling, false);
    return qnt__fail(context, QNT_E_SHAPE, "falling: expected shape %lld", (long long)t->shape[0]);
}

qnt_status qnt_find_thresholds(const qnt_context *context, qnt_digit_fn digit, void *user,
                               int32_t low, int32_t high, qnt_tensor *thresholds,
                               qnt_tensor *falling)
{
    struct qnt__view t, f = {0};
    if (!context) return QNT_E_INVALID;
    if (!digit) return qnt__fail(context, QNT_E_INVALID, "digit is NULL");
    if (high < low || low == INT32_MIN || high == INT32_MAX) { /* these are thresholds */
        return qnt__fail(context, QNT_E_INVALID,
                         "low is %d and high %d, expected low <= high within 2^31 - 2", (int)low,
                         (int)high);
    }
    QNT__TRY(qnt__view_open_output(context, "thresholds", thresholds, QNT__INT32, &t));
    if (falling) QNT__TRY(qnt__view_open_output(context, "falling", falling, QNT__CODES, &f));
    QNT__TRY(check_results(context, &t, falling ? &f : NULL));
    for (int64_t o = 0; t.count && o < t.shape[0]; o++) {
        int32_t row[3];
        bool falls;
        qnt__find_row(digit, user, o, low, high, row, &falls);
        QNT__TRY(verify_row(context, digit, user, o, low, high, row, falls));
        if (falls && !falling) {
            return qnt__fail(context, QNT_E_INVALID, "digit: channel %lld falls, falling is NULL",
                             (long long)o);
        }
        if (falling) f.data[o * f.strides[0]] = falls;
        for (int64_t k = 0; k < 3; k++)
            memcpy(t.data + 4 * (o * t.strides[0] + k * t.strides[1]), &row[k], sizeof *row);
    }
    return QNT_OK;
}

/* ---- of floats ---- */

enum { FIRST = -QNT__F32_LAST - 1 /* the place of -inf */ };

struct encoder {
    const qnt_context *context;
    const qnt_quantizer *quantizer;
    qnt_status status;
};

static int32_t code_of(struct encoder *e, float x)
{
    uint8_t code = 0;
    int64_t shape[1] = {1};
    qnt_tensor in = {.data = &x,
                     .device_type = 1,
                     .ndim = 1,
                     .dtype_code = QNT_FLOAT,
                     .dtype_bits = 32,
                     .dtype_lanes = 1,
                     .shape = shape};
    qnt_tensor out = in;
    out.data = &code, out.dtype_code = QNT_UINT, out.dtype_bits = 8;
    if (e->status == QNT_OK) e->status = qnt_quantizer_encode(e->context, e->quantizer, &in, &out);
    return code;
}

static float find_limit(struct encoder *e, int32_t k)
{
    int64_t without = FIRST - 1, with = QNT__F32_LAST;
    if (code_of(e, qnt__f32_at(with)) < k) return NAN;
    while (with - without > 1) {
        int64_t middle = without + (with - without) / 2;
        if (code_of(e, qnt__f32_at(middle)) >= k)
            with = middle;
        else
            without = middle;
    }
    return qnt__f32_at(with);
}

static int32_t count_limits(const float limit[3], float x)
{
    return (x >= limit[0]) + (x >= limit[1]) + (x >= limit[2]);
}

qnt_status qnt__find_limits(const qnt_context *context, const qnt_quantizer *quantizer,
                            float limit[3])
{
    enum { SAMPLES = 1021 };
    struct encoder e = {.context = context, .quantizer = quantizer};
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    const int scheme = quantizer->spec.scheme;
    if ((scheme != QNT_AFFINE && scheme != QNT_TABLE) || quantizer->groups != 1 ||
        qnt__code_type(quantizer) != QNT_UINT) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "output_q: %s codes of %s in %zu groups, expected unsigned codes of "
                         "QNT_AFFINE or QNT_TABLE in one group",
                         qnt__code_type(quantizer) == QNT_UINT ? "unsigned" : "signed",
                         quantizer->scheme->name, quantizer->groups);
    }
    for (int32_t k = 1; k <= 3; k++) limit[k - 1] = find_limit(&e, k);
    /* what else there is: codes above 3, or falling ones */
    for (int64_t i = 0; i <= SAMPLES; i++) {
        float x = qnt__f32_at(FIRST + i * (((int64_t)QNT__F32_LAST - FIRST) / SAMPLES));
        int32_t code = code_of(&e, x);
        QNT__TRY(e.status);
        if (code == count_limits(limit, x)) continue;
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "output_q: code %d of %g, expected codes 0 to 3 that do not fall",
                         (int)code, (double)x);
    }
    return e.status;
}
