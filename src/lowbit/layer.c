/* Making and destroying layers of packed digits. The contract is in qnt/lowbit.h. */
#include "layer.h"

#include <math.h>
#include <string.h>

#include "base/carve.h"
#include "base/try.h"
#include "kernel/lowbit.h"

enum { ALL_FLAGS = QNT_RELU_FIRST | QNT_RELU_LAST | QNT_TRANSPOSE };

/* ---- the head ---- */

/* Sections of data, in order: taps, limits, scale, shift. */
static bool lay_out(const qnt_lowbit_layer *l, size_t at[4], size_t *bytes)
{
    const struct qnt__lowbit_conv *c = &l->conv;
    const bool digits = l->head.results & QNT__LOWBIT_DIGITS;
    const size_t floats = l->head.results & QNT__LOWBIT_FLOATS ? c->g.outputs : 0;
    size_t blocks, taps;
    *bytes = 0;
    return qnt__mul(c->g.groups, c->blocks, &blocks) && qnt__mul(blocks, c->depth, &taps) &&
           qnt__mul(taps, c->tap_count, &taps) &&
           qnt__append(bytes, taps, QNT__LOWBIT_COLUMNS, &at[0]) &&
           qnt__append(bytes, digits ? blocks : 0, qnt__lowbit_block_bytes(c->limits.half),
                       &at[1]) &&
           qnt__append(bytes, floats, sizeof(float), &at[2]) &&
           qnt__append(bytes, floats, sizeof(float), &at[3]);
}

qnt_status qnt__lowbit_layer_measure(const qnt_context *context, qnt_lowbit_layer *layer)
{
    const struct qnt__lowbit_head *h = &layer->head;
    struct qnt__lowbit_conv *c = &layer->conv;
    struct qnt__geometry *g = &c->g;
    size_t at[4];
    const bool fits = h->outputs <= PTRDIFF_MAX && h->channels <= PTRDIFF_MAX &&
                      h->kernel[0] <= PTRDIFF_MAX &&
                      h->kernel[1] <= PTRDIFF_MAX; /* in a size_t of 32 bits as well */
    *c = (struct qnt__lowbit_conv){
        .context = context, .sixes = h->sixes, .step = h->step, .zero = h->zero};
    g->groups = (size_t)h->groups;
    g->group_shift = (size_t)h->group_shift;
    g->outputs = (size_t)h->outputs;
    g->channels = (size_t)h->channels;
    for (int i = 0; i < 2; i++) {
        g->stride[i] = (size_t)h->stride[i];
        g->dilation[i] = (size_t)h->dilation[i];
        g->kernel[i] = (size_t)h->kernel[i];
    }
    QNT__TRY(qnt__lowbit_close(c, "spec"));
    c->limits.half = qnt__lowbit_half(c);
    layer->affine = (struct qnt__lowbit_affine){.limit = {h->limit[0], h->limit[1], h->limit[2]},
                                                .first = (h->flags & QNT_RELU_FIRST) != 0,
                                                .last = (h->flags & QNT_RELU_LAST) != 0,
                                                .transpose = h->flags & QNT_TRANSPOSE};
    c->context = NULL;
    if (fits && lay_out(layer, at, &layer->bytes)) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "weight: the layer's size overflows");
}

void qnt__lowbit_layer_attach(qnt_lowbit_layer *layer, const void *data)
{
    size_t at[4], bytes;
    union { /* who makes a layer writes them */
        const void *in;
        uint8_t *out;
    } from = {data};
    lay_out(layer, at, &bytes);
    layer->data = data;
    layer->conv.taps = from.out + at[0];
    if (layer->head.results & QNT__LOWBIT_DIGITS) layer->conv.limits.data = from.out + at[1];
    if (!(layer->head.results & QNT__LOWBIT_FLOATS)) return;
    layer->affine.scale = (const float *)(const void *)(from.out + at[2]);
    layer->affine.shift = (const float *)(const void *)(from.out + at[3]);
}

qnt_status qnt__lowbit_layer_derive(const qnt_context *context, qnt_lowbit_layer *layer)
{
    const size_t bytes = qnt__lowbit_filter_bytes(&layer->conv);
    if (bytes == 0) return QNT_OK;
    if (qnt__lowbit_making(&layer->conv) == QNT__FILTERS_MADE && !context->simd.fast_taps) return QNT_OK;
    QNT__TRY(qnt__allocate(context, &layer->memory, bytes, &layer->filters));
    layer->filter_bytes = bytes;
    qnt__lowbit_filter(&layer->conv, layer->filters);
    layer->conv.filters = layer->filters;
    return QNT_OK;
}

/* The layer, complete, or its failure. */
static qnt_status complete(const qnt_context *context, qnt_lowbit_layer **out)
{
    qnt_status status = qnt__lowbit_layer_derive(context, *out);
    if (status == QNT_OK) return QNT_OK;
    qnt_lowbit_layer_destroy(*out);
    *out = NULL;
    return status;
}

/* ---- reading a request ---- */

static qnt_status check_spec(const qnt_context *context, const qnt_lowbit_spec *s,
                             const struct qnt__geometry *g)
{
    if (s->flags & ~ALL_FLAGS || s->reserved) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: flags 0x%x, reserved %d; expected known flags and 0",
                         (unsigned)s->flags, (int)s->reserved);
    }
    for (int i = 0; i < 4; i++) {
        if (g->pad[i] == 0 && s->pad[i] >= 0 && s->pad[i] <= 1 << 20) continue;
        return qnt__fail(context, QNT_E_INVALID,
                         "conv: pad is %zu, expected 0, pixels have their border; spec: pad is %d, "
                         "expected 0 to 2^20",
                         g->pad[i], (int)s->pad[i]);
    }
    return QNT_OK;
}

static qnt_status read_head(const qnt_context *context, const qnt_conv *conv,
                            const qnt_lowbit_spec *spec, const qnt_tensor *weight, int32_t results,
                            struct qnt__lowbit_head *h)
{
    struct qnt__geometry g;
    struct qnt__view w;
    qnt_lowbit_spec s;
    QNT__TRY(qnt__geometry_read(context, conv, &g));
    QNT__TRY(qnt__sized_read(context, "spec", spec, sizeof s, sizeof s, &s));
    QNT__TRY(check_spec(context, &s, &g));
    QNT__TRY(qnt__view_open(context, "weight", weight, QNT__CODES, &w));
    if (w.ndim != 4 || w.count == 0 || (size_t)w.shape[0] % g.groups ||
        w.shape[3] > INT32_MAX / (int64_t)g.groups) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "weight: expected [O,kh,kw,C/groups] with O a multiple of %zu groups",
                         g.groups);
    }
    if (s.groups < 0 || w.shape[0] % (s.groups ? s.groups : (int64_t)g.groups)) {
        return qnt__fail(context, QNT_E_INVALID, "spec: groups is %d, expected a divisor of %lld",
                         (int)s.groups, (long long)w.shape[0]);
    }
    *h = (struct qnt__lowbit_head){.groups = (int32_t)g.groups,
                                   .group_shift = (int32_t)g.group_shift,
                                   .step = s.step,
                                   .zero = s.zero,
                                   .flags = s.flags,
                                   .results = results,
                                   .out_groups = s.groups ? s.groups : (int32_t)g.groups,
                                   .limit = {NAN, NAN, NAN},
                                   .outputs = w.shape[0],
                                   .channels = w.shape[3] * (int64_t)g.groups};
    for (int i = 0; i < 2; i++) {
        h->stride[i] = (int32_t)g.stride[i];
        h->dilation[i] = (int32_t)g.dilation[i];
        h->kernel[i] = w.shape[1 + i];
    }
    for (int i = 0; i < 4; i++) h->pad[i] = s.pad[i];
    return QNT_OK;
}

/* ---- filling ---- */

static qnt_status pack(const qnt_context *context, const qnt_lowbit_layer *l,
                       const qnt_tensor *weight, void *data)
{
    const struct qnt__lowbit_conv *c = &l->conv;
    int64_t shape[6] = {l->head.groups,    (int64_t)c->blocks, (int64_t)c->triples,
                        l->head.kernel[0], l->head.kernel[1],  QNT__LOWBIT_COLUMNS};
    qnt_tensor taps = {.data = data, /* the first section */
                       .device_type = 1,
                       .ndim = 6,
                       .dtype_code = QNT_UINT,
                       .dtype_bits = 8,
                       .dtype_lanes = 1,
                       .shape = shape};
    return qnt_pack_taps(context, weight, l->head.groups, &taps);
}

/* Whether all digits of the taps have one bit, and sixes can hold them. */
static bool is_one_bit(const struct qnt__lowbit_conv *c)
{
    const size_t bytes = c->g.groups * c->blocks * c->triples * c->tap_count * QNT__LOWBIT_COLUMNS;
    unsigned all = 0;
    for (size_t i = 0; i < bytes; i++) all |= c->taps[i];
    return (all & QNT__HIGH_BITS) == 0 && qnt__lowbit_may_join(c->g.channels / c->g.groups);
}

/* Of two rows of triples, one behind the other, one of sixes; an odd row is the second of two. */
static void join_taps(const struct qnt__lowbit_conv *c, const uint8_t *from, uint8_t *to)
{
    const size_t row = c->tap_count * QNT__LOWBIT_COLUMNS, pairs = c->triples / 2;
    for (size_t b = 0; b < c->g.groups * c->blocks; b++) {
        for (size_t d = 0; d < pairs; d++, from += 2 * row, to += row)
            for (size_t i = 0; i < row; i++) to[i] = qnt__lowbit_six(from[i], from[row + i]);
        if (c->triples % 2 == 0) continue;
        for (size_t i = 0; i < row; i++) to[i] = qnt__lowbit_six(0, from[i]);
        from += row, to += row;
    }
}

/* Half the taps, in data of their own. */
static qnt_status join(const qnt_context *context, qnt_lowbit_layer *l, void **data)
{
    const struct qnt__lowbit_conv triples = l->conv;
    const size_t bytes = l->bytes;
    void *old = *data;
    l->head.sixes = 1;
    qnt_status status = qnt__lowbit_layer_measure(context, l);
    if (status == QNT_OK) status = qnt__allocate(context, &l->memory, l->bytes, data);
    if (status == QNT_OK) {
        memset(*data, 0, l->bytes);
        qnt__lowbit_layer_attach(l, *data);
        join_taps(&triples, triples.taps, *data);
    }
    qnt__free(&l->memory, old, bytes);
    return status;
}

/* A handle with room for its data, taps packed. */
static qnt_status build(const qnt_context *context, const struct qnt__lowbit_head *head,
                        const qnt_tensor *weight, qnt_lowbit_layer **out)
{
    qnt_lowbit_layer draft = {.memory = context->memory, .head = *head};
    void *handle, *data;
    QNT__TRY(qnt__lowbit_layer_measure(context, &draft));
    QNT__TRY(qnt__allocate(context, &draft.memory, sizeof draft, &handle));
    qnt_status status = qnt__allocate(context, &draft.memory, draft.bytes, &data);
    if (status != QNT_OK) {
        qnt__free(&draft.memory, handle, sizeof draft);
        return status;
    }
    memset(data, 0, draft.bytes);
    qnt__lowbit_layer_attach(&draft, data);
    status = pack(context, &draft, weight, data);
    if (status != QNT_OK)
        qnt__free(&draft.memory, data, draft.bytes);
    else if (is_one_bit(&draft.conv))
        status = join(context, &draft, &data);
    if (status != QNT_OK) {
        qnt__free(&draft.memory, handle, sizeof draft);
        return status;
    }
    *out = handle;
    **out = draft;
    return QNT_OK;
}

/* Where output o is in the result. */
static size_t place_of(const qnt_lowbit_layer *l, size_t o)
{
    const struct qnt__lowbit_conv *c = &l->conv;
    if (!l->affine.transpose) return o;
    return o % c->group_outputs * c->g.groups + o / c->group_outputs;
}

static qnt_status check_factors(const qnt_context *context, const char *name,
                                const struct qnt__view *v, int64_t outputs)
{
    if (v->ndim != 1 || (v->shape[0] != 1 && v->shape[0] != outputs)) {
        return qnt__fail(context, QNT_E_SHAPE, "%s: expected shape %lld or 1", name,
                         (long long)outputs);
    }
    for (int64_t o = 0; o < v->shape[0]; o++) {
        if (isfinite(qnt__view_f32(v, o * v->strides[0]))) continue;
        return qnt__fail(context, QNT_E_INVALID, "%s: number %lld is not finite", name,
                         (long long)o);
    }
    return QNT_OK;
}

static float factor(const struct qnt__view *v, size_t o)
{
    if (!v->data) return 0.0f;
    return qnt__view_f32(v, v->shape[0] == 1 ? 0 : (int64_t)o * v->strides[0]);
}

/* What the layer computes without an identity, for one channel. */
static int32_t digit_of(void *user, int64_t channel, int32_t sum)
{
    const struct qnt__lowbit_affine *a = user;
    uint8_t code;
    struct qnt__lowbit_floats f = {.sum = &sum,
                                   .scale = a->scale + channel,
                                   .shift = a->shift + channel,
                                   .codes = &code,
                                   .n = 1,
                                   .limit = {a->limit[0], a->limit[1], a->limit[2]},
                                   .first = a->first,
                                   .last = a->last};
    qnt__floats_lowbit_c(&f);
    return code;
}

static void fill(qnt_lowbit_layer *l, const struct qnt__view *scale, const struct qnt__view *shift)
{
    const struct qnt__lowbit_conv *c = &l->conv;
    const int32_t reach = qnt__lowbit_reach(c);
    union { /* const for everybody who only reads */
        const float *in;
        float *out;
    } scales = {l->affine.scale}, shifts = {l->affine.shift};
    if (c->limits.data) qnt__lowbit_limits_clear(c);
    for (size_t o = 0; o < c->g.outputs; o++) {
        const size_t at = place_of(l, o);
        int32_t row[3];
        bool falls;
        scales.out[at] = factor(scale, o);
        shifts.out[at] = factor(shift, o);
        if (!c->limits.data) continue;
        qnt__find_row(digit_of, &l->affine, (int64_t)at, -reach, reach, row, &falls);
        qnt__lowbit_limits_set(c, o, row, falls);
    }
}

qnt_status qnt_lowbit_layer_create(const qnt_context *context, const qnt_conv *conv,
                                   const qnt_lowbit_spec *spec, const qnt_tensor *weight,
                                   const qnt_tensor *scale, const qnt_tensor *shift,
                                   const qnt_quantizer *output_q, qnt_lowbit_layer **out)
{
    struct qnt__lowbit_head h;
    struct qnt__view a, b = {0};
    if (out) *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    const int32_t results = QNT__LOWBIT_FLOATS | (output_q ? QNT__LOWBIT_DIGITS : 0);
    QNT__TRY(read_head(context, conv, spec, weight, results, &h));
    QNT__TRY(qnt__view_open(context, "scale", scale, QNT__FLOAT32, &a));
    QNT__TRY(check_factors(context, "scale", &a, h.outputs));
    if (shift) {
        QNT__TRY(qnt__view_open(context, "shift", shift, QNT__FLOAT32, &b));
        QNT__TRY(check_factors(context, "shift", &b, h.outputs));
    }
    if (output_q) QNT__TRY(qnt__find_limits(context, output_q, h.limit));
    QNT__TRY(build(context, &h, weight, out));
    fill(*out, &a, &b);
    return complete(context, out);
}

/* ---- from thresholds ---- */

static bool read_row(const struct qnt__view *t, const struct qnt__view *falling, int64_t o,
                     int32_t row[3], bool *falls)
{
    *falls = falling && falling->data[o * falling->strides[0]];
    for (int64_t k = 0; k < 3; k++)
        row[k] = qnt__view_s32(t, o * t->strides[0] + k * t->strides[1]);
    return *falls ? row[0] >= row[1] && row[1] >= row[2] : row[0] <= row[1] && row[1] <= row[2];
}

static qnt_status check_rows(const qnt_context *context, const struct qnt__view *t,
                             const struct qnt__view *falling, int64_t outputs)
{
    if (t->ndim != 2 || t->shape[0] != outputs || t->shape[1] != 3) {
        return qnt__fail(context, QNT_E_SHAPE, "thresholds: expected shape %lld x 3",
                         (long long)outputs);
    }
    if (falling && (falling->code != QNT_UINT || falling->bits != 8))
        return qnt__fail(context, QNT_E_DTYPE, "falling: expected uint8");
    if (falling && (falling->ndim != 1 || falling->shape[0] != outputs)) {
        return qnt__fail(context, QNT_E_SHAPE, "falling: expected shape %lld", (long long)outputs);
    }
    for (int64_t o = 0; o < outputs; o++) {
        int32_t row[3];
        bool falls;
        if (falling && falling->data[o * falling->strides[0]] > 1) {
            return qnt__fail(context, QNT_E_INVALID, "falling: number %lld is %d, expected 0 or 1",
                             (long long)o, falling->data[o * falling->strides[0]]);
        }
        if (read_row(t, falling, o, row, &falls)) continue;
        return qnt__fail(context, QNT_E_INVALID, "thresholds: row %lld %s", (long long)o,
                         falls ? "falls and increases" : "decreases");
    }
    return QNT_OK;
}

qnt_status qnt_lowbit_layer_of_thresholds(const qnt_context *context, const qnt_conv *conv,
                                          const qnt_lowbit_spec *spec, const qnt_tensor *weight,
                                          const qnt_tensor *thresholds, const qnt_tensor *falling,
                                          qnt_lowbit_layer **out)
{
    struct qnt__lowbit_head h;
    struct qnt__view t, f = {0};
    if (out) *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    QNT__TRY(read_head(context, conv, spec, weight, QNT__LOWBIT_DIGITS, &h));
    if (h.flags) {
        return qnt__fail(context, QNT_E_INVALID, "spec: flags is 0x%x, expected 0 with thresholds",
                         (unsigned)h.flags);
    }
    QNT__TRY(qnt__view_open(context, "thresholds", thresholds, QNT__INT32, &t));
    if (falling) QNT__TRY(qnt__view_open(context, "falling", falling, QNT__CODES, &f));
    const struct qnt__view *falls_of = falling ? &f : NULL;
    QNT__TRY(check_rows(context, &t, falls_of, h.outputs));
    QNT__TRY(build(context, &h, weight, out));
    qnt__lowbit_limits_clear(&(*out)->conv);
    for (int64_t o = 0; o < h.outputs; o++) {
        int32_t row[3];
        bool falls;
        read_row(&t, falls_of, o, row, &falls);
        qnt__lowbit_limits_set(&(*out)->conv, (size_t)o, row, falls);
    }
    return complete(context, out);
}

void qnt_lowbit_layer_destroy(qnt_lowbit_layer *layer)
{
    if (!layer) return;
    struct qnt__memory memory = layer->memory;
    union { /* free takes no pointer to const */
        const void *data;
        void *block;
    } u = {layer->data};
    if (!layer->borrowed) qnt__free(&memory, u.block, layer->bytes);
    qnt__free(&memory, layer->filters, layer->filter_bytes);
    qnt__free(&memory, layer, sizeof *layer);
}
