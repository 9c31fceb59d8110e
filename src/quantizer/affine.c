/* The affine scheme: value = scale (code - zero), or offset + scale code. */
#include "measure.h"
#include "methods.h"
#include "schemes.h"

#include <math.h>

#include "base/try.h"

enum {
    REAL_OFFSET_BITS = 5 /* most that the exact search over scale and real offset serves */
};

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

/* ---- requests ---- */

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

static qnt_status check(const qnt_context *context, const qnt_spec *spec)
{
    if ((spec->bits < 1 || spec->bits > 8) && spec->bits != 16) {
        return qnt__fail(context, QNT_E_INVALID, "spec: bits is %d, expected 1 to 8 or 16",
                         (int)spec->bits);
    }
    if (spec->points != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: points is %d, expected 0",
                         (int)spec->points);
    }
    return check_flags(context, spec);
}

static int32_t code_bits(const qnt_spec *spec)
{
    return spec->bits;
}

static bool code_signed(const qnt_spec *spec)
{
    return spec->flags & QNT_SIGNED;
}

/* ---- codes ---- */

/* Parameters of the groups of a segment. */
static struct qnt__affine_each each_of(const qnt_quantizer *q, const struct qnt__segment *s)
{
    size_t group = s->group;
    bool real = q->spec.flags & QNT_REAL_OFFSET; /* zero is all 0, else offset */
    return (struct qnt__affine_each){.scale = q->scale + group,
                                     .offset = real ? q->offset + group : NULL,
                                     .zero = real ? NULL : q->zero + group,
                                     .first = qnt__code_low(&q->spec),
                                     .last = qnt__code_high(&q->spec),
                                     .run = s->run,
                                     .stream = s->stream,
                                     .period = s->period < s->n ? s->period : 0};
}

static void encode(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                   const struct qnt__segment *s, const float *x, void *codes)
{
    bool wide = quantizer->spec.bits == 16;
    if (s->n > s->run) {
        struct qnt__affine_each q = each_of(quantizer, s);
        if (wide) simd->encode_each_16(&q, x, s->n, codes);
        else simd->encode_each_8(&q, x, s->n, codes);
        return;
    }
    struct qnt__affine q = qnt__affine_of(quantizer, s->group);
    q.stream = s->stream;
    if (wide) simd->encode_16(&q, x, s->n, codes);
    else simd->encode_8(&q, x, s->n, codes);
}

static void pack(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                 const struct qnt__segment *s, const float *x, uint8_t *packed)
{
    struct qnt__affine_each q = each_of(quantizer, s);
    if (s->n <= s->run) q.run = s->n;
    simd->pack_each(&q, x, s->n, quantizer->spec.bits, packed);
}

static void decode_each(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                        const struct qnt__segment *s, const void *codes, float *y)
{
    bool wide = quantizer->spec.bits == 16, sign = quantizer->spec.flags & QNT_SIGNED;
    struct qnt__affine_each q = each_of(quantizer, s);
    if (wide && sign) simd->decode_each_s16(&q, codes, s->n, y);
    else if (wide) simd->decode_each_u16(&q, codes, s->n, y);
    else if (sign) simd->decode_each_s8(&q, codes, s->n, y);
    else simd->decode_each_u8(&q, codes, s->n, y);
}

static void decode(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                   const struct qnt__segment *s, const void *codes, float *y)
{
    bool wide = quantizer->spec.bits == 16, sign = quantizer->spec.flags & QNT_SIGNED;
    if (s->n > s->run) {
        decode_each(simd, quantizer, s, codes, y);
        return;
    }
    struct qnt__affine q = qnt__affine_of(quantizer, s->group);
    q.stream = s->stream;
    if (wide && sign) simd->decode_s16(&q, codes, s->n, y);
    else if (wide) simd->decode_u16(&q, codes, s->n, y);
    else if (sign) simd->decode_s8(&q, codes, s->n, y);
    else simd->decode_u8(&q, codes, s->n, y);
}

static void ends(const qnt_quantizer *quantizer, size_t group, double value[2], double step[2])
{
    struct qnt__affine q = qnt__affine_of(quantizer, group);
    value[0] = (double)q.low * (double)q.scale + (double)q.offset;
    value[1] = (double)q.high * (double)q.scale + (double)q.offset;
    step[0] = step[1] = (double)q.scale;
}

static double measure(const qnt_quantizer *quantizer, size_t group, const float *x, const double *h,
                      size_t n)
{
    struct qnt__affine q = qnt__affine_of(quantizer, group);
    return qnt__measure(&q, x, h, n);
}

/* A scale takes 32 bits; a zero point those of a code, an offset 32, symmetric ones nothing. */
static double overhead(const qnt_quantizer *quantizer, size_t group)
{
    const qnt_spec *spec = &quantizer->spec;
    (void)group;
    if (spec->flags & QNT_REAL_OFFSET) return 64;
    return spec->flags & QNT_SYMMETRIC ? 32 : 32 + spec->bits;
}

/* ---- parameters ---- */

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

static qnt_status count(const qnt_context *context, const qnt_quantizer *quantizer, int32_t param,
                        size_t *out)
{
    if (param > QNT_P_HIGH) return qnt__parameter_absent(context, quantizer, param);
    QNT__TRY(check_offset_or_zero(context, quantizer, param));
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    *out = quantizer->groups;
    return QNT_OK;
}

static double value(const qnt_quantizer *quantizer, int32_t param, size_t g)
{
    struct qnt__affine q = qnt__affine_of(quantizer, g);
    switch (param) {
    case QNT_P_SCALE: return q.scale;
    case QNT_P_ZERO: return q.zero;
    case QNT_P_OFFSET: return q.offset;
    case QNT_P_LOW: return q.low * q.scale + q.offset;
    default: return q.high * q.scale + q.offset;
    }
}

static qnt_status check_value(const qnt_context *context, const qnt_spec *spec, int32_t param,
                              size_t g, double value)
{
    if (param == QNT_P_SCALE) return qnt__scale_check(context, g, value);
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

static qnt_status set(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                      const double *values, size_t count)
{
    if (param != QNT_P_SCALE && param != QNT_P_ZERO && param != QNT_P_OFFSET) {
        return qnt__parameter_not_set(context, quantizer, param);
    }
    size_t groups = 0;
    bool resize = param == QNT_P_SCALE && quantizer->spec.method == QNT_FIXED;
    QNT__TRY(check_offset_or_zero(context, quantizer, param));
    QNT__TRY(qnt__parameter_groups(context, quantizer, resize, count, &groups));
    for (size_t g = 0; g < count; g++) {
        QNT__TRY(check_value(context, &quantizer->spec, param, g, values[g]));
    }
    QNT__TRY(qnt__parameters_resize(context, quantizer, groups));
    store(quantizer, param, values, count);
    return QNT_OK;
}

static qnt_status verify(const qnt_context *context, const qnt_quantizer *q, size_t g)
{
    bool real = q->spec.flags & QNT_REAL_OFFSET;
    QNT__TRY(qnt__scale_check(context, g, (double)q->scale[g]));
    return check_value(context, &q->spec, real ? QNT_P_OFFSET : QNT_P_ZERO, g,
                       real ? (double)q->offset[g] : (double)q->zero[g]);
}

const struct qnt__scheme qnt__affine_scheme = {
    .name = "QNT_AFFINE",
    .flags = QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW | QNT_DYNAMIC | QNT_LITERAL | QNT_REAL_OFFSET,
    .default_bits = 8,
    .many_groups = true,
    .check = check,
    .code_bits = code_bits,
    .code_signed = code_signed,
    .encode = encode,
    .pack = pack,
    .decode = decode,
    .ends = ends,
    .measure = measure,
    .overhead = overhead,
    .count = count,
    .value = value,
    .set = set,
    .verify = verify};
