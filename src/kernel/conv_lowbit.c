/* qnt_conv_lowbit: checks its arguments. The contract is in qnt/kernel.h. */
#include "base/arith.h"
#include "base/try.h"
#include "lowbit.h"
#include "lowbit_conv.h"
#include "qnt/kernel.h"

enum { FIRST_LOWBIT = sizeof(qnt_lowbit), COLUMNS = QNT__LOWBIT_COLUMNS };

struct call {
    struct qnt__lowbit_conv conv;
    struct qnt__view pixels, taps, y, thresholds;
    qnt_lowbit lowbit;
    bool packed;
};

static qnt_status read_conv(struct call *c, const qnt_conv *conv, const qnt_lowbit *lowbit)
{
    const qnt_context *context = c->conv.context;
    struct qnt__geometry *g = &c->conv.g;
    qnt_lowbit *low = &c->lowbit;
    QNT__TRY(qnt__geometry_read(context, conv, g));
    QNT__TRY(qnt__sized_read(context, "lowbit", lowbit, FIRST_LOWBIT, sizeof *low, low));
    for (int i = 0; i < 4; i++) {
        if (g->pad[i] == 0 && low->pad[i] >= 0 && low->pad[i] <= 1 << 20) continue;
        return qnt__fail(
            context, QNT_E_INVALID,
            "conv: pad is %zu, expected 0, pixels have their border; lowbit: pad is %d, expected "
            "0 to 2^20",
            g->pad[i], (int)low->pad[i]);
    }
    if (low->channels < 1) {
        return qnt__fail(context, QNT_E_INVALID, "lowbit: channels is %d, expected at least 1",
                         (int)low->channels);
    }
    if (!qnt__mul((size_t)low->channels, g->groups, &g->channels)) {
        return qnt__fail(context, QNT_E_SHAPE, "lowbit: %d channels in %zu groups overflow",
                         (int)low->channels, g->groups);
    }
    c->conv.step = low->step;
    c->conv.zero = low->zero;
    return QNT_OK;
}

static bool is_bytes(const struct qnt__view *v, int ndim)
{
    return v->ndim == ndim && v->code == QNT_UINT && v->bits == 8 && qnt__view_is_compact(v);
}

static qnt_status open_inputs(struct call *c, const qnt_tensor *pixels, const qnt_tensor *taps)
{
    const qnt_context *context = c->conv.context;
    struct qnt__geometry *g = &c->conv.g;
    const int64_t groups = (int64_t)g->groups,
                  triples = (int64_t)qnt__triples((size_t)c->lowbit.channels);
    QNT__TRY(qnt__view_open(context, "pixels", pixels, QNT__CODES, &c->pixels));
    QNT__TRY(qnt__view_open(context, "taps", taps, QNT__CODES, &c->taps));
    const int64_t *x = c->pixels.shape, *w = c->taps.shape;
    if (!is_bytes(&c->pixels, 5) || x[3] != groups || x[4] != triples) {
        return qnt__fail(context, QNT_E_SHAPE, "pixels: expected compact bytes [B,H,W,%lld,%lld]",
                         (long long)groups, (long long)triples);
    }
    if (!is_bytes(&c->taps, 6) || w[0] != groups || w[2] != triples || w[3] < 1 || w[4] < 1 ||
        w[5] != COLUMNS) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "taps: expected compact bytes [%lld,blocks,%lld,kh,kw,64]",
                         (long long)groups, (long long)triples);
    }
    g->batch = (size_t)x[0];
    g->height = (size_t)x[1];
    g->width = (size_t)x[2];
    g->kernel[0] = (size_t)w[3];
    g->kernel[1] = (size_t)w[4];
    c->conv.pixels = c->pixels.data;
    c->conv.taps = c->taps.data;
    return QNT_OK;
}

static qnt_status open_thresholds(struct call *c, const qnt_tensor *thresholds)
{
    QNT__TRY(qnt__view_open(c->conv.context, "thresholds", thresholds, QNT__INT32, &c->thresholds));
    const struct qnt__view *t = &c->thresholds;
    if (t->ndim != 2 || (t->shape[1] != 1 && t->shape[1] != 3)) {
        return qnt__fail(c->conv.context, QNT_E_SHAPE, "thresholds: expected shape O x 1 or O x 3");
    }
    for (int64_t o = 0; o < t->shape[0]; o++) {
        for (int64_t k = 1; k < t->shape[1]; k++) {
            const int64_t at = o * t->strides[0] + k * t->strides[1];
            if (qnt__view_s32(t, at) >= qnt__view_s32(t, at - t->strides[1])) continue;
            return qnt__fail(c->conv.context, QNT_E_INVALID, "thresholds: row %lld decreases",
                             (long long)o);
        }
    }
    return QNT_OK;
}

static qnt_status open_outputs(struct call *c, qnt_tensor *y)
{
    const qnt_context *context = c->conv.context;
    struct qnt__geometry *g = &c->conv.g;
    QNT__TRY(qnt__view_open_output(context, "y", y, c->packed ? QNT__CODES : QNT__INT32, &c->y));
    if (c->y.ndim != (c->packed ? 5 : 4)) {
        return qnt__fail(context, QNT_E_SHAPE, "y: ndim is %d, expected %d", c->y.ndim,
                         c->packed ? 5 : 4);
    }
    g->outputs = (size_t)(c->packed ? c->thresholds.shape[0] : c->y.shape[3]);
    const size_t blocks = (size_t)c->taps.shape[1];
    if (g->outputs % g->groups || qnt__ceil_div(g->outputs / g->groups, COLUMNS) != blocks) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "%s: %zu outputs in %zu groups do not fit %zu blocks of taps",
                         c->packed ? "thresholds" : "y", g->outputs, g->groups, blocks);
    }
    return QNT_OK;
}

static qnt_status check_result(struct call *c)
{
    const qnt_context *context = c->conv.context;
    const struct qnt__geometry *g = &c->conv.g;
    const int64_t *s = c->y.shape;
    int64_t height = (int64_t)g->out_height, width = (int64_t)g->out_width;
    if (c->packed) {
        height += c->lowbit.pad[0] + c->lowbit.pad[2];
        width += c->lowbit.pad[1] + c->lowbit.pad[3];
    }
    if (s[0] != (int64_t)g->batch || s[1] != height || s[2] != width) {
        return qnt__fail(context, QNT_E_SHAPE, "y: expected shape %zu x %lld x %lld x ...",
                         g->batch, (long long)height, (long long)width);
    }
    if (c->packed) {
        struct qnt__lowbit_packed *p = &c->conv.packed;
        *p = (struct qnt__lowbit_packed){.data = c->y.data,
                                         .height = (size_t)height,
                                         .width = (size_t)width,
                                         .top = (size_t)c->lowbit.pad[0],
                                         .left = (size_t)c->lowbit.pad[1],
                                         .groups = (size_t)s[3],
                                         .triples = (size_t)s[4]};
        if (!is_bytes(&c->y, 5) || p->groups == 0 || g->outputs % p->groups ||
            p->triples != qnt__triples(g->outputs / p->groups)) {
            return qnt__fail(context, QNT_E_SHAPE,
                             "y: expected compact bytes [.., G, T] for %zu outputs", g->outputs);
        }
    }
    QNT__TRY(qnt__view_apart(context, "pixels", &c->pixels, "y", &c->y, false));
    if (c->packed)
        QNT__TRY(qnt__view_apart(context, "thresholds", &c->thresholds, "y", &c->y, false));
    return qnt__view_apart(context, "taps", &c->taps, "y", &c->y, false);
}

/* Thresholds as the slots read them; those that are missing are never reached. */
static void set_limits(struct call *c, void *data)
{
    const struct qnt__view *t = &c->thresholds;
    c->conv.limits.data = data;
    qnt__lowbit_limits_clear(&c->conv);
    for (size_t o = 0; o < c->conv.g.outputs; o++) {
        int32_t row[3] = {INT32_MAX, INT32_MAX, INT32_MAX};
        for (int64_t k = 0; k < t->shape[1]; k++)
            row[k] = qnt__view_s32(t, (int64_t)o * t->strides[0] + k * t->strides[1]);
        qnt__lowbit_limits_set(&c->conv, o, row, false);
    }
}

static qnt_status work(struct call *c)
{
    struct qnt__lowbit_conv *v = &c->conv;
    size_t limits = 0, bytes;
    void *block;
    v->limits.half = qnt__lowbit_half(v);
    if (c->packed) limits = v->g.groups * v->blocks * qnt__lowbit_block_bytes(v->limits.half);
    bytes = qnt__lowbit_workspace(v);
    if (!qnt__add(bytes, limits, &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(v->context, &v->context->memory, bytes, &block));
    if (c->packed)
        set_limits(c, block);
    else
        v->sums = &c->y;
    qnt_status status = qnt__lowbit_run(v, (uint8_t *)block + limits);
    qnt__free(&v->context->memory, block, bytes);
    return status;
}

qnt_status qnt_conv_lowbit(const qnt_context *context, const qnt_conv *conv,
                           const qnt_lowbit *lowbit, const qnt_tensor *pixels,
                           const qnt_tensor *taps, const qnt_tensor *thresholds, qnt_tensor *y)
{
    struct call c = {.conv = {.context = context}, .packed = thresholds != NULL};
    if (!context) return QNT_E_INVALID;
    QNT__TRY(read_conv(&c, conv, lowbit));
    QNT__TRY(open_inputs(&c, pixels, taps));
    if (thresholds) QNT__TRY(open_thresholds(&c, thresholds));
    QNT__TRY(open_outputs(&c, y));
    QNT__TRY(qnt__lowbit_close(&c.conv, "lowbit"));
    QNT__TRY(qnt__geometry_close(context, &c.conv.g));
    QNT__TRY(check_result(&c));
    return c.y.count == 0 ? QNT_OK : work(&c);
}
