/* Creating quantizers and telling their spec. The contract is in qnt/quantizer.h. */
#include "quantizer.h"

#include "base/arith.h"
#include "base/try.h"
#include "methods.h"
#include "statistics.h"

enum {
    FIRST_SPEC = sizeof(qnt_spec), /* its size in release 1.0 */
    ALL_FLAGS = QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW | QNT_DYNAMIC | QNT_LITERAL |
                QNT_REAL_OFFSET,
    REAL_OFFSET_BITS = 5 /* most that the exact search over scale and real offset serves */
};

static const struct qnt__options default_options = {
    .percentile = 99.99, .distribution = 0, .samples = 1 << 22, .bins = 4096, .nodes = 0};

int32_t qnt__code_low(const qnt_spec *spec)
{
    int32_t low = spec->flags & QNT_SIGNED ? -(1 << (spec->bits - 1)) : 0;
    return low + (spec->flags & QNT_NARROW ? 1 : 0);
}

int32_t qnt__code_high(const qnt_spec *spec)
{
    return spec->flags & QNT_SIGNED ? (1 << (spec->bits - 1)) - 1 : (1 << spec->bits) - 1;
}

int32_t qnt__zero_default(const qnt_spec *spec)
{
    bool middle = (spec->flags & QNT_SYMMETRIC) && !(spec->flags & QNT_SIGNED);
    return middle ? 1 << (spec->bits - 1) : 0;
}

struct qnt__affine qnt__affine_of(const qnt_quantizer *quantizer, size_t group)
{
    int32_t zero = quantizer->zero[group];
    return (struct qnt__affine){.scale = quantizer->scale[group],
                                .offset = quantizer->offset[group],
                                .low = (float)(qnt__code_low(&quantizer->spec) - zero),
                                .high = (float)(qnt__code_high(&quantizer->spec) - zero),
                                .zero = zero};
}

static qnt_status check_numbers(const qnt_context *context, const qnt_spec *spec)
{
    if (spec->scheme != QNT_AFFINE) {
        return qnt__fail(context, QNT_E_INVALID, "spec: scheme is %d, expected %d (QNT_AFFINE)",
                         (int)spec->scheme, QNT_AFFINE);
    }
    if (!qnt__method_of(spec->method)) {
        return qnt__fail(context, QNT_E_INVALID, "spec: method is %d, expected %d to %d",
                         (int)spec->method, QNT_FIXED, QNT_MSE);
    }
    if ((spec->bits < 1 || spec->bits > 8) && spec->bits != 16) {
        return qnt__fail(context, QNT_E_INVALID, "spec: bits is %d, expected 1 to 8 or 16",
                         (int)spec->bits);
    }
    if (spec->flags & ~ALL_FLAGS) {
        return qnt__fail(context, QNT_E_INVALID, "spec: flags 0x%x has unknown bits, known are 0x%x",
                         (unsigned)spec->flags, (unsigned)ALL_FLAGS);
    }
    if (spec->points != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: points is %d, expected 0",
                         (int)spec->points);
    }
    return QNT_OK;
}

static qnt_status check_grain(const qnt_context *context, const qnt_spec *spec)
{
    if (spec->grain < QNT_PER_TENSOR || spec->grain > QNT_PER_BLOCK) {
        return qnt__fail(context, QNT_E_INVALID, "spec: grain is %d, expected %d to %d",
                         (int)spec->grain, QNT_PER_TENSOR, QNT_PER_BLOCK);
    }
    if (spec->axis < -QNT_MAX_NDIM || spec->axis >= QNT_MAX_NDIM) {
        return qnt__fail(context, QNT_E_INVALID, "spec: axis is %d, expected %d to %d",
                         (int)spec->axis, -QNT_MAX_NDIM, QNT_MAX_NDIM - 1);
    }
    if (spec->grain == QNT_PER_BLOCK ? spec->block < 1 : spec->block != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: block is %lld, expected %s",
                         (long long)spec->block,
                         spec->grain == QNT_PER_BLOCK ? "at least 1" : "0 without QNT_PER_BLOCK");
    }
    return QNT_OK;
}

static qnt_status check_flags(const qnt_context *context, const qnt_spec *spec)
{
    if ((spec->flags & QNT_NARROW) && spec->bits == 1) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: QNT_NARROW leaves 1 code of 1 bit, expected at least 2 bits");
    }
    if ((spec->flags & QNT_SYMMETRIC) && (spec->flags & QNT_REAL_OFFSET)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: flags has QNT_SYMMETRIC and QNT_REAL_OFFSET, expected one of them");
    }
    int32_t unserved = spec->flags & (QNT_DYNAMIC | QNT_REAL_OFFSET) &
                       ~qnt__method_of(spec->method)->flags;
    if (unserved & QNT_DYNAMIC) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: QNT_DYNAMIC with method %s, expected QNT_MINMAX",
                         qnt__method_of(spec->method)->name);
    }
    if ((spec->flags & QNT_DYNAMIC) && (spec->flags & QNT_REAL_OFFSET)) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: QNT_DYNAMIC with QNT_REAL_OFFSET, expected a zero point");
    }
    if ((spec->flags & QNT_REAL_OFFSET) && spec->method == QNT_MSE &&
        spec->bits > REAL_OFFSET_BITS) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: QNT_MSE with QNT_REAL_OFFSET has %d bits, expected at most %d",
                         (int)spec->bits, REAL_OFFSET_BITS);
    }
    return QNT_OK;
}

qnt_status qnt_quantizer_create(const qnt_context *context, const qnt_spec *spec,
                                qnt_quantizer **out)
{
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    qnt_spec own;
    QNT__TRY(qnt__sized_read(context, "spec", spec, FIRST_SPEC, sizeof own, &own));
    own.size = sizeof own;
    if (own.bits == 0) own.bits = 8;
    QNT__TRY(check_numbers(context, &own));
    QNT__TRY(check_grain(context, &own));
    QNT__TRY(check_flags(context, &own));

    void *memory;
    QNT__TRY(qnt__allocate(context, &context->memory, sizeof(qnt_quantizer), &memory));
    qnt_quantizer *quantizer = memory;
    *quantizer =
        (qnt_quantizer){.memory = context->memory, .spec = own, .options = default_options};
    *out = quantizer;
    return QNT_OK;
}

void qnt_quantizer_destroy(qnt_quantizer *quantizer)
{
    if (!quantizer) return;
    struct qnt__memory memory = quantizer->memory;
    qnt__parameters_free(quantizer);
    qnt__statistics_free(quantizer->statistics);
    qnt__free(&memory, quantizer, sizeof *quantizer);
}

qnt_status qnt_quantizer_spec(const qnt_context *context, const qnt_quantizer *quantizer,
                              qnt_spec *spec)
{
    if (!context) return QNT_E_INVALID;
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    qnt_spec unused;
    QNT__TRY(qnt__sized_read(context, "spec", spec, FIRST_SPEC, sizeof unused, &unused));
    qnt__sized_write(spec, &quantizer->spec, sizeof quantizer->spec);
    return QNT_OK;
}

qnt_status qnt__quantizer_ready(const qnt_context *context, const qnt_quantizer *quantizer)
{
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    if (quantizer->spec.flags & QNT_DYNAMIC) {
        return qnt__fail(context, QNT_E_STATE,
                         "quantizer is QNT_DYNAMIC and has no parameters of its own; use "
                         "qnt_quantizer_apply or a layer, or create it without QNT_DYNAMIC");
    }
    if (quantizer->ready) return QNT_OK;
    return qnt__fail(context, QNT_E_STATE, "quantizer has no parameters; %s first",
                     quantizer->spec.method == QNT_FIXED ? "set QNT_P_SCALE" : "observe and fit");
}
