/* Creating quantizers and telling their spec. The contract is in qnt/quantizer.h. */
#include "quantizer.h"

#include "base/arith.h"
#include "base/try.h"
#include "inputs.h"
#include "methods.h"
#include "names.h"
#include "schemes.h"
#include "statistics.h"

enum {
    FIRST_SPEC = sizeof(qnt_spec), /* its size in release 1.0 */
    ALL_FLAGS = QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW | QNT_DYNAMIC | QNT_LITERAL |
                QNT_REAL_OFFSET | QNT_THRESHOLDS
};

static const struct qnt__options default_options = {
    .percentile = 99.99, .distribution = 0, .samples = 1 << 22, .bins = 4096, .nodes = 0,
    .budget = 0, .tolerance = 0, .rounds = 0, .extra = 0};

int qnt__code_bits(const qnt_quantizer *quantizer)
{
    return quantizer->scheme->code_bits(&quantizer->spec);
}

int qnt__code_type(const qnt_quantizer *quantizer)
{
    return quantizer->scheme->code_signed(&quantizer->spec) ? QNT_INT : QNT_UINT;
}

/* Numbers that do not depend on the scheme, and flags that no scheme knows. */
static qnt_status check_numbers(const qnt_context *context, const qnt_spec *spec)
{
    if (!qnt__scheme_of(spec->scheme)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: scheme is %d, expected QNT_AFFINE (%d), QNT_POINTS (%d), QNT_EXP "
                         "(%d) or QNT_TABLE (%d)",
                         (int)spec->scheme, QNT_AFFINE, QNT_POINTS, QNT_EXP, QNT_TABLE);
    }
    if (!qnt__method_of(spec->method)) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "spec: method is %d, expected QNT_FIXED (%d) to QNT_LEVELS (%d); those of qnt/train.h "
            "are for qnt_trainer_create",
            (int)spec->method, QNT_FIXED, QNT_LEVELS);
    }
    if (spec->flags & ~ALL_FLAGS) {
        return qnt__fail(
            context, QNT_E_INVALID, "spec: flags 0x%x has unknown bits, known are 0x%x (%s)",
            (unsigned)spec->flags, (unsigned)ALL_FLAGS, qnt__flag_names(ALL_FLAGS).text);
    }
    return QNT_OK;
}

/* Does the scheme know the method and the flags, and the method the flags? */
static qnt_status check_pair(const qnt_context *context, const qnt_spec *spec)
{
    const struct qnt__scheme *scheme = qnt__scheme_of(spec->scheme);
    const struct qnt__method *method = qnt__method_of(spec->method);
    if (!(method->schemes >> spec->scheme & 1)) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: method %s does not serve scheme %s, but %s", method->name,
                         scheme->name, qnt__scheme_names(method->schemes).text);
    }
    int32_t unknown = spec->flags & ~scheme->flags;
    if (unknown) {
        return qnt__fail(context, QNT_E_UNSUPPORTED, "spec: %s means nothing with scheme %s",
                         qnt__flag_names(unknown).text, scheme->name);
    }
    return QNT_OK;
}

static qnt_status check_grain(const qnt_context *context, const qnt_spec *spec)
{
    if (spec->grain < QNT_PER_TENSOR || spec->grain > QNT_PER_BLOCK) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: grain is %d, expected %d (QNT_PER_TENSOR) to %d (QNT_PER_BLOCK)",
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

qnt_status qnt_quantizer_create(const qnt_context *context, const qnt_spec *spec,
                                qnt_quantizer **out)
{
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    qnt_spec own;
    QNT__TRY(qnt__sized_read(context, "spec", spec, FIRST_SPEC, sizeof own, &own));
    own.size = sizeof own;
    QNT__TRY(check_numbers(context, &own));
    const struct qnt__scheme *scheme = qnt__scheme_of(own.scheme);
    if (own.bits == 0) own.bits = scheme->default_bits;
    QNT__TRY(check_grain(context, &own));
    QNT__TRY(check_pair(context, &own));
    QNT__TRY(scheme->check(context, &own));

    void *memory;
    QNT__TRY(qnt__allocate(context, &context->memory, sizeof(qnt_quantizer), &memory));
    qnt_quantizer *quantizer = memory;
    *quantizer = (qnt_quantizer){.memory = context->memory,
                                 .spec = own,
                                 .scheme = scheme,
                                 .options = default_options,
                                 .own_count = scheme->own ? scheme->own(&own) : 0,
                                 .shared_count = scheme->shared ? scheme->shared(&own) : 0};
    *out = quantizer;
    return QNT_OK;
}

void qnt_quantizer_destroy(qnt_quantizer *quantizer)
{
    if (!quantizer) return;
    struct qnt__memory memory = quantizer->memory;
    qnt__parameters_free(quantizer);
    qnt__statistics_free(quantizer->statistics);
    qnt__inputs_free(quantizer->inputs);
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
