/* qnt_dot_exp: the counters behind a dot product of exponential codes. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "exp.h"

qnt_status qnt__exp_check_bits(const qnt_context *context, const char *name, int32_t exponent_bits)
{
    if (exponent_bits >= 2 && exponent_bits <= 7) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "%s%sexponent_bits is %d, expected 2 to 7", name ? name : "",
                     name ? ": " : "", (int)exponent_bits);
}

qnt_status qnt__exp_open(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                         int32_t exponent_bits, int ndim, struct qnt__view *view)
{
    QNT__TRY(qnt__view_open(context, name, tensor, QNT__CODES, view));
    if (view->bits != exponent_bits && view->bits != exponent_bits + 1) {
        return qnt__fail(context, QNT_E_DTYPE, "%s: %d bits, expected %d, or %d with a sign", name,
                         view->bits, (int)exponent_bits, (int)exponent_bits + 1);
    }
    if (view->ndim != ndim) {
        return qnt__fail(context, QNT_E_SHAPE, "%s: ndim is %d, expected %d", name, view->ndim, ndim);
    }
    if (view->shape[ndim - 1] <= INT32_MAX) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "%s: extent %d is %lld, expected at most %d", name, ndim - 1,
                     (long long)view->shape[ndim - 1], INT32_MAX);
}

void qnt__exp_slice(const qnt_context *context, const struct qnt__view *view, int32_t exponent_bits,
                    int64_t at, size_t n, uint64_t *planes)
{
    const struct qnt__simd *simd = &context->simd;
    uint8_t codes[QNT__EXP_CHUNK];
    struct qnt__view raw = *view;
    raw.code = QNT_UINT; /* a sign is a bit like the others */
    qnt__read_codes(simd, &raw, at, view->strides[view->ndim - 1], n, codes);
    simd->slice_codes(codes, n, exponent_bits + 1, planes, qnt__ceil_div(n, 64));
}

static qnt_status open_counts(const qnt_context *context, qnt_tensor *counts, size_t count,
                              const struct qnt__view *a, const struct qnt__view *b,
                              struct qnt__view *out)
{
    QNT__TRY(qnt__view_open_output(context, "counts", counts, QNT__INT32, out));
    if (out->ndim != 1 || out->count != count) {
        return qnt__fail(context, QNT_E_SHAPE, "counts: %d axes of %zu elements, expected 1 of %zu",
                         out->ndim, out->count, count);
    }
    if (qnt__view_overlaps(out, a) || qnt__view_overlaps(out, b)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "counts overlaps an input, expected disjoint memory");
    }
    return QNT_OK;
}

qnt_status qnt_dot_exp(const qnt_context *context, int32_t exponent_bits, const qnt_tensor *a,
                       const qnt_tensor *b, qnt_tensor *counts)
{
    if (!context) return QNT_E_INVALID;
    struct qnt__view x, w, out;
    QNT__TRY(qnt__exp_check_bits(context, NULL, exponent_bits));
    QNT__TRY(qnt__exp_open(context, "a", a, exponent_bits, 1, &x));
    QNT__TRY(qnt__exp_open(context, "b", b, exponent_bits, 1, &w));
    if (x.count != w.count) {
        return qnt__fail(context, QNT_E_SHAPE, "b: extent 0 is %zu, expected %zu as in a", w.count,
                         x.count);
    }
    size_t count = 4 * (((size_t)1 << exponent_bits) - 1);
    QNT__TRY(open_counts(context, counts, count, &x, &w, &out));

    int32_t held[QNT__EXP_COUNTERS] = {0};
    for (size_t k = 0; k < x.count; k += QNT__EXP_CHUNK) {
        uint64_t planes_a[QNT__EXP_PLANES * QNT__EXP_WORDS];
        uint64_t planes_b[QNT__EXP_PLANES * QNT__EXP_WORDS];
        size_t n = qnt__min(x.count - k, QNT__EXP_CHUNK);
        qnt__exp_slice(context, &x, exponent_bits, (int64_t)k * x.strides[0], n, planes_a);
        qnt__exp_slice(context, &w, exponent_bits, (int64_t)k * w.strides[0], n, planes_b);
        const struct qnt__count_exp piece = {.a = planes_a,
                                             .b = planes_b,
                                             .words = qnt__ceil_div(n, 64),
                                             .bits = exponent_bits,
                                             .counts = held,
                                             .parts = QNT__COUNT_OF_A | QNT__COUNT_OF_B};
        context->simd.count_exp(&piece);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(out.data + 4 * (int64_t)i * out.strides[0], &held[i], sizeof held[i]);
    }
    return QNT_OK;
}
