/* Running layers of packed digits. The contract is in qnt/lowbit.h. */
#include "base/arith.h"
#include "base/try.h"
#include "kernel/lowbit.h"
#include "layer.h"

static bool is_bytes(const struct qnt__view *v)
{
    return v->ndim == 5 && v->code == QNT_UINT && v->bits == 8 && qnt__view_is_compact(v);
}

/* The layer's convolution for some pixels. */
static qnt_status open_pixels(const qnt_context *context, const qnt_lowbit_layer *layer,
                              const qnt_tensor *pixels, bool shape_only, struct qnt__lowbit_conv *c,
                              struct qnt__view *view)
{
    *c = layer->conv;
    c->context = context;
    QNT__TRY(shape_only ? qnt__view_open_shape(context, "pixels", pixels, QNT__CODES, view)
                        : qnt__view_open(context, "pixels", pixels, QNT__CODES, view));
    if (!is_bytes(view) || view->shape[3] != (int64_t)c->g.groups ||
        view->shape[4] != (int64_t)c->triples) {
        return qnt__fail(context, QNT_E_SHAPE, "pixels: expected compact bytes [B,H,W,%zu,%zu]",
                         c->g.groups, c->triples);
    }
    c->pixels = view->data;
    c->g.batch = (size_t)view->shape[0];
    c->g.height = (size_t)view->shape[1];
    c->g.width = (size_t)view->shape[2];
    return qnt__geometry_close(context, &c->g);
}

static void packed_shape(const qnt_lowbit_layer *layer, const struct qnt__lowbit_conv *c,
                         int64_t shape[5])
{
    const struct qnt__lowbit_head *h = &layer->head;
    shape[0] = (int64_t)c->g.batch;
    shape[1] = (int64_t)c->g.out_height + h->pad[0] + h->pad[2];
    shape[2] = (int64_t)c->g.out_width + h->pad[1] + h->pad[3];
    shape[3] = h->out_groups;
    shape[4] = (int64_t)qnt__triples((size_t)(h->outputs / h->out_groups));
}

static void set_packed(const qnt_lowbit_layer *layer, const int64_t shape[5], uint8_t *data,
                       struct qnt__lowbit_packed *p)
{
    *p = (struct qnt__lowbit_packed){.data = data,
                                     .height = (size_t)shape[1],
                                     .width = (size_t)shape[2],
                                     .top = (size_t)layer->head.pad[0],
                                     .left = (size_t)layer->head.pad[1],
                                     .groups = (size_t)shape[3],
                                     .triples = (size_t)shape[4]};
}

static qnt_status check_layer(const qnt_context *context, const qnt_lowbit_layer *layer)
{
    if (!context) return QNT_E_INVALID;
    return layer ? QNT_OK : qnt__fail(context, QNT_E_INVALID, "layer is NULL");
}

static qnt_status check_digits(const qnt_context *context, const qnt_lowbit_layer *layer)
{
    if (layer->head.results & QNT__LOWBIT_DIGITS) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "packed: the layer has no output_q");
}

qnt_status qnt_lowbit_layer_view(const qnt_context *context, const qnt_lowbit_layer *layer,
                                 const qnt_tensor *pixels, qnt_tensor *y)
{
    struct qnt__lowbit_conv c;
    struct qnt__view view;
    int64_t shape[5];
    QNT__TRY(check_layer(context, layer));
    QNT__TRY(check_digits(context, layer));
    QNT__TRY(open_pixels(context, layer, pixels, true, &c, &view));
    packed_shape(layer, &c, shape);
    return qnt__view_describe(context, "y", 5, shape, QNT_UINT, 8, y);
}

/* The most that any of its results needs. */
static size_t measure(const qnt_lowbit_layer *layer, struct qnt__lowbit_conv *c)
{
    int64_t shape[5];
    uint8_t some;
    struct qnt__lowbit_conv all = *c;
    size_t most = 0, bytes;
    packed_shape(layer, c, shape);
    for (int digits = 0; digits < 2; digits++) {
        for (int floats = 0; floats < 2; floats++) {
            if (digits)
                set_packed(layer, shape, &some, &all.packed);
            else
                all.packed.data = NULL;
            all.affine = floats ? &layer->affine : NULL;
            bytes = qnt__lowbit_workspace(&all);
            most = bytes > most ? bytes : most;
        }
    }
    return most;
}

qnt_status qnt_lowbit_layer_workspace(const qnt_context *context, const qnt_lowbit_layer *layer,
                                      const qnt_tensor *pixels, size_t *bytes)
{
    struct qnt__lowbit_conv c;
    struct qnt__view view;
    QNT__TRY(check_layer(context, layer));
    if (!bytes) return qnt__fail(context, QNT_E_INVALID, "bytes is NULL");
    QNT__TRY(open_pixels(context, layer, pixels, true, &c, &view));
    size_t most = measure(layer, &c);
    if (most == SIZE_MAX) return qnt__fail(context, QNT_E_SHAPE, "pixels: the workspace overflows");
    *bytes = most;
    return QNT_OK;
}

/* What a run was given. */
struct run {
    struct qnt__lowbit_conv conv;
    struct qnt__view pixels, identity, y, packed;
};

static qnt_status check_floats(const struct run *r, const char *name, const struct qnt__view *v)
{
    const struct qnt__geometry *g = &r->conv.g;
    const size_t shape[4] = {g->batch, g->out_height, g->out_width, g->outputs};
    bool fits = v->ndim == 4 && (v->strides[3] == 1 || v->shape[3] <= 1);
    for (int d = 0; fits && d < 4; d++) fits = (size_t)v->shape[d] == shape[d];
    if (fits) return QNT_OK;
    return qnt__fail(r->conv.context, QNT_E_SHAPE,
                     "%s: expected shape %zu x %zu x %zu x %zu with adjacent channels", name,
                     shape[0], shape[1], shape[2], shape[3]);
}

static qnt_status open_floats(struct run *r, const qnt_lowbit_layer *layer,
                              const qnt_tensor *identity, qnt_tensor *y)
{
    const qnt_context *context = r->conv.context;
    if (identity || y || layer->affine.transpose) r->conv.affine = &layer->affine;
    if ((identity || y) && !(layer->head.results & QNT__LOWBIT_FLOATS)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "%s: a layer made of thresholds has no floats, expected NULL",
                         identity ? "identity" : "y");
    }
    if (identity) {
        QNT__TRY(qnt__view_open(context, "identity", identity, QNT__FLOAT32, &r->identity));
        QNT__TRY(check_floats(r, "identity", &r->identity));
        r->conv.identity = &r->identity;
    }
    if (y) {
        QNT__TRY(qnt__view_open_output(context, "y", y, QNT__FLOAT32, &r->y));
        QNT__TRY(check_floats(r, "y", &r->y));
        r->conv.y = &r->y;
        QNT__TRY(qnt__view_apart(context, "pixels", &r->pixels, "y", &r->y, false));
        if (identity)
            QNT__TRY(qnt__view_apart(context, "identity", &r->identity, "y", &r->y, true));
    }
    return QNT_OK;
}

static qnt_status open_packed(struct run *r, const qnt_lowbit_layer *layer, qnt_tensor *packed)
{
    const qnt_context *context = r->conv.context;
    struct qnt__view *v = &r->packed;
    int64_t shape[5];
    QNT__TRY(check_digits(context, layer));
    QNT__TRY(qnt__view_open_output(context, "packed", packed, QNT__CODES, v));
    packed_shape(layer, &r->conv, shape);
    bool fits = is_bytes(v);
    for (int d = 0; fits && d < 5; d++) fits = v->shape[d] == shape[d];
    if (!fits) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "packed: expected compact bytes [%lld,%lld,%lld,%lld,%lld]",
                         (long long)shape[0], (long long)shape[1], (long long)shape[2],
                         (long long)shape[3], (long long)shape[4]);
    }
    QNT__TRY(qnt__view_apart(context, "pixels", &r->pixels, "packed", v, false));
    if (r->conv.y) QNT__TRY(qnt__view_apart(context, "y", &r->y, "packed", v, false));
    if (r->conv.identity)
        QNT__TRY(qnt__view_apart(context, "identity", &r->identity, "packed", v, false));
    set_packed(layer, shape, v->data, &r->conv.packed);
    return QNT_OK;
}

qnt_status qnt_lowbit_layer_run(const qnt_context *context, const qnt_lowbit_layer *layer,
                                const qnt_tensor *pixels, const qnt_tensor *identity, qnt_tensor *y,
                                qnt_tensor *packed, void *workspace, size_t bytes)
{
    struct run r;
    QNT__TRY(check_layer(context, layer));
    QNT__TRY(open_pixels(context, layer, pixels, false, &r.conv, &r.pixels));
    if (!y && !packed) return qnt__fail(context, QNT_E_INVALID, "y and packed are NULL");
    QNT__TRY(open_floats(&r, layer, identity, y));
    if (packed) QNT__TRY(open_packed(&r, layer, packed));
    size_t needed = measure(layer, &r.conv);
    if (!workspace || bytes < needed) {
        return qnt__fail(context, QNT_E_SPACE, "workspace: %zu bytes, expected %zu",
                         workspace ? bytes : 0, needed);
    }
    if (r.conv.affine) r.conv.limits.data = NULL;
    if (r.conv.g.batch * r.conv.g.out_height * r.conv.g.out_width == 0 && !r.conv.packed.data)
        return QNT_OK;
    return qnt__lowbit_run(&r.conv, workspace);
}
