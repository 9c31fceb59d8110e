/* Reads the arguments of qnt_layer_create(): the request, the formats, the weights' codes. */
#include <stddef.h>
#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"
#include "base/try.h"
#include "kernel/panels.h"
#include "prepare.h"
#include "quantizer/codebook.h"
#include "quantizer/names.h"

/* An infinite bound is no bound. */
static void read_activation(struct qnt__layer_head *h, const qnt_layer_spec *spec)
{
    float infinity = qnt__f32_of_bits(0x7f800000u);
    h->activation = spec->activation;
    h->low = spec->activation == QNT_RELU ? 0.0f : -infinity;
    h->high = infinity;
    if (spec->activation != QNT_CLAMP) return;
    h->low = spec->low;
    h->high = spec->high;
}

static qnt_status check_spec(const qnt_context *context, const qnt_layer_spec *s)
{
    if (s->kind != QNT_DENSE && s->kind != QNT_CONV) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: kind is %d, expected QNT_DENSE (%d) or QNT_CONV (%d)", (int)s->kind,
                         QNT_DENSE, QNT_CONV);
    }
    if (s->reserved != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: reserved is %d, expected 0",
                         (int)s->reserved);
    }
    float infinity = qnt__f32_of_bits(0x7f800000u);
    if (s->activation == QNT_CLAMP &&
        !(s->low <= s->high && s->low < infinity && s->high > -infinity)) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "spec: low is %g and high %g, expected low <= high with finite numbers between",
            (double)s->low, (double)s->high);
    }
    return QNT_OK;
}

static void read_spec(struct qnt__layer_head *h, const qnt_layer_spec *s)
{
    h->kind = s->kind;
    h->layout = s->layout;
    h->flags = s->flags;
    read_activation(h, s);
    h->groups = s->groups ? s->groups : 1;
    h->group_shift = s->group_shift;
    for (int i = 0; i < 2; i++) {
        h->stride[i] = s->stride[i] ? s->stride[i] : 1;
        h->dilation[i] = s->dilation[i] ? s->dilation[i] : 1;
    }
    memcpy(h->pad, s->pad, sizeof h->pad);
}

/* Weights become [outputs][kh][kw][channels], whatever the kind and layout. */
static qnt_status read_weight_shape(struct qnt__recipe *r)
{
    struct qnt__view *w = &r->weight;
    struct qnt__layer_head *h = &r->head;
    int expected = h->kind == QNT_DENSE ? 2 : 4;
    if (w->ndim != expected) {
        return qnt__fail(r->context, QNT_E_SHAPE, "weight: ndim is %d, expected %d", w->ndim,
                         expected);
    }
    struct qnt__view old = *w;
    const int dense[4] = {0, -1, -1, 1}, nhwc[4] = {0, 1, 2, 3}, nchw[4] = {0, 2, 3, 1};
    const int *order = h->kind == QNT_DENSE ? dense : h->layout == QNT_NCHW ? nchw : nhwc;
    for (int d = 0; d < 4; d++) {
        w->shape[d] = order[d] < 0 ? 1 : old.shape[order[d]];
        w->strides[d] = order[d] < 0 ? 0 : old.strides[order[d]];
    }
    w->ndim = 4;
    h->outputs = w->shape[0];
    h->kernel[0] = w->shape[1];
    h->kernel[1] = w->shape[2];
    h->channels = w->shape[3];
    return QNT_OK;
}

static qnt_status refuse_unready(const qnt_context *context, const char *name)
{
    return qnt__fail(context, QNT_E_STATE,
                     "%s has no parameters; observe and fit it first, or set them", name);
}

/* A format for input or output. */
static qnt_status read_codes(const qnt_context *context, const char *name, const qnt_quantizer *q,
                             struct qnt__layer_codes *out)
{
    if (!q) return QNT_OK;
    const qnt_spec *spec = &q->spec;
    bool dynamic = spec->flags & QNT_DYNAMIC;
    if (spec->scheme != QNT_AFFINE || spec->grain != QNT_PER_TENSOR) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "%s: %s %s, expected QNT_AFFINE QNT_PER_TENSOR", name, q->scheme->name,
                         qnt__grain_name(spec->grain));
    }
    if (spec->bits > 8) {
        return qnt__fail(context, QNT_E_UNSUPPORTED, "%s: %d bits, expected at most 8", name,
                         (int)spec->bits);
    }
    if (!dynamic && (!q->ready || q->groups != 1)) {
        return refuse_unready(context, name);
    }
    *out = (struct qnt__layer_codes){.kind = dynamic ? QNT__IN_DYNAMIC : QNT__IN_STATIC,
                                     .bits = spec->bits,
                                     .flags = spec->flags};
    if (dynamic) return QNT_OK;
    out->zero = q->zero[0];
    out->scale = q->scale[0];
    out->offset = q->offset[0];
    return QNT_OK;
}

/* One base: -v and v with whatever v, which becomes the scale of -1 and 1. */
static void read_input_signs(struct qnt__recipe *r)
{
    const qnt_quantizer *q = r->input_q;
    float value[256];
    r->signs = true;
    if (q->spec.flags & QNT_DYNAMIC) {
        r->head.input.kind = QNT__IN_DYNAMIC;
        r->head.input.flags |= QNT_DYNAMIC;
        return;
    }
    q->scheme->values(q, 0, value);
    r->head.input.scale = value[0] < 0.0f ? value[1] : value[0];
}

/* A format of input codes that stand for levels: signed integers with the zero point 0, or floats, once
 * they have been looked up. */
static qnt_status read_input_levels(struct qnt__recipe *r)
{
    const qnt_quantizer *q = r->input_q;
    if (q->spec.grain != QNT_PER_TENSOR) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED,
                         "input_q: grain is %s, expected QNT_PER_TENSOR",
                         qnt__grain_name(q->spec.grain));
    }
    bool dynamic = q->spec.flags & QNT_DYNAMIC;
    if (!dynamic && (!q->ready || q->groups != 1)) {
        return refuse_unready(r->context, "input_q");
    }
    r->head.arrays |= QNT__HAS_INPUT_LEVELS;
    if (qnt__has_thresholds(&q->spec) && !r->floats) r->head.arrays |= QNT__HAS_INPUT_THRESHOLDS;
    r->head.input = (struct qnt__layer_codes){.kind = QNT__IN_STATIC,
                                              .bits = qnt__code_bits(q),
                                              .flags = QNT_SIGNED | QNT_SYMMETRIC,
                                              .scale = dynamic ? 0.0f : q->scale[0]};
    if (qnt__recipe_input_is_signs(q) && (!r->floats || dynamic)) read_input_signs(r);
    return QNT_OK;
}

/* A format of output codes that stand for values, whatever these are. */
static qnt_status read_output_book(struct qnt__recipe *r)
{
    const qnt_quantizer *q = r->output_q;
    if (q->spec.grain != QNT_PER_TENSOR) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED,
                         "output_q: grain is %s, expected QNT_PER_TENSOR",
                         qnt__grain_name(q->spec.grain));
    }
    if (!q->ready || q->groups != 1) {
        return refuse_unready(r->context, "output_q");
    }
    r->head.arrays |= QNT__HAS_OUTPUT_BOOK;
    r->head.output = (struct qnt__layer_codes){
        .kind = QNT__IN_STATIC, .bits = qnt__code_bits(q), .scale = q->scale[0]};
    return QNT_OK;
}

static qnt_status read_formats(struct qnt__recipe *r)
{
    const qnt_quantizer *input_q = r->input_q, *output_q = r->output_q;
    struct qnt__layer_head *h = &r->head;
    if (input_q && input_q->scheme->values)
        QNT__TRY(read_input_levels(r));
    else
        QNT__TRY(read_codes(r->context, "input_q", input_q, &h->input));
    if (output_q && output_q->scheme->values)
        QNT__TRY(read_output_book(r));
    else
        QNT__TRY(read_codes(r->context, "output_q", output_q, &h->output));
    if (h->output.kind == QNT__IN_DYNAMIC) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED,
                         "output_q is dynamic, expected fixed parameters");
    }
    if (output_q && (h->flags & QNT_ACCUMULATE)) {
        return qnt__fail(r->context, QNT_E_INVALID,
                         "QNT_ACCUMULATE needs a float output, but output_q is given");
    }
    return QNT_OK;
}

/* Which elements of the weights share parameters. */
static qnt_status read_grain(struct qnt__recipe *r)
{
    const qnt_spec *spec = &r->weight_q->spec;
    int rank = r->head.kind == QNT_DENSE ? 2 : 4;
    int axis = spec->axis < 0 ? spec->axis + rank : spec->axis;
    bool per_block = spec->grain == QNT_PER_BLOCK;
    if (spec->grain == QNT_PER_AXIS && axis != 0) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED, "weight_q: per axis %d, expected axis 0",
                         (int)spec->axis);
    }
    if (per_block && (r->head.kind != QNT_DENSE || axis != 1)) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED,
                         "weight_q: blocks along axis %d, expected axis 1 of a dense layer",
                         (int)spec->axis);
    }
    r->block = per_block ? (size_t)spec->block : qnt__max(r->inputs, 1);
    r->blocks = qnt__ceil_div(r->inputs, r->block);
    size_t expected = 1;
    bool fits = true;
    if (spec->grain == QNT_PER_AXIS) expected = (size_t)r->head.outputs;
    if (per_block) fits = qnt__mul((size_t)r->head.outputs, r->blocks, &expected);
    if (fits && r->weight_q->groups == expected) return QNT_OK;
    return qnt__fail(r->context, QNT_E_SHAPE,
                     "weight_q has %zu groups, expected %zu for this weight", r->weight_q->groups,
                     expected);
}

static qnt_status read_weight_q(struct qnt__recipe *r)
{
    const qnt_quantizer *q = r->weight_q;
    if (!q) return qnt__fail(r->context, QNT_E_INVALID, "weight_q is NULL");
    const int bits = qnt__code_bits(q);
    if (bits > 8) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED, "weight_q: %d bits, expected at most 8",
                         bits);
    }
    if (!q->ready) return refuse_unready(r->context, "weight_q");
    bool codebook = q->scheme->values;
    qnt__recipe_choose_numbers(r);
    r->integers = codebook && !r->words && qnt__recipe_has_bytes(q);
    r->levels = codebook && !r->integers;
    r->head.weight_bits = r->integers ? 8 : bits;

    const struct qnt__view *w = &r->weight;
    bool integer = w->code == QNT_INT || w->code == QNT_UINT;
    return integer ? qnt__view_has_codes(r->context, "weight", w, qnt__code_type(q), bits) : QNT_OK;
}

static qnt_status read_bias(struct qnt__recipe *r, const qnt_tensor *bias)
{
    if (!bias) return QNT_OK;
    QNT__TRY(qnt__view_open(r->context, "bias", bias, QNT__FLOATS, &r->bias));
    if (r->bias.ndim != 1) {
        return qnt__fail(r->context, QNT_E_SHAPE, "bias: ndim is %d, expected 1", r->bias.ndim);
    }
    if (r->bias.shape[0] != r->head.outputs) {
        return qnt__fail(r->context, QNT_E_SHAPE,
                         "bias: extent 0 is %lld, expected %lld as in weight",
                         (long long)r->bias.shape[0], (long long)r->head.outputs);
    }
    r->has_bias = true;
    return QNT_OK;
}

qnt_status qnt__recipe_read(struct qnt__recipe *recipe, const qnt_layer_spec *spec,
                            const qnt_tensor *weight, const qnt_quantizer *weight_q,
                            const qnt_tensor *bias, const qnt_quantizer *input_q,
                            const qnt_quantizer *output_q)
{
    struct qnt__recipe *r = recipe;
    qnt_layer_spec s;
    QNT__TRY(qnt__sized_read(r->context, "spec", spec, sizeof s, sizeof s, &s));
    QNT__TRY(check_spec(r->context, &s));
    read_spec(&r->head, &s);
    r->weight_q = weight_q;
    r->input_q = input_q;
    r->output_q = output_q;
    QNT__TRY(qnt__view_open(r->context, "weight", weight, QNT__FLOATS | QNT__CODES, &r->weight));
    QNT__TRY(read_weight_shape(r));
    QNT__TRY(read_weight_q(r));
    QNT__TRY(read_formats(r));
    qnt__recipe_divide(r);

    /* The final arithmetic comes later; decoding has the fewest conditions and checks the rest. */
    struct qnt__layer_head probe = r->head;
    struct qnt__layer_shape shape;
    size_t bytes;
    probe.arithmetic = QNT__DECODE;
    probe.input.kind = QNT__IN_FLOAT;
    probe.arrays = 0;
    probe.cell_bits = r->head.cell_bits = qnt__panel_bits(probe.weight_bits);
    QNT__TRY(qnt__layer_measure(r->context, QNT_E_INVALID, &probe, &shape, &bytes));
    r->inputs = shape.inputs;
    QNT__TRY(read_grain(r));
    return read_bias(r, bias);
}
