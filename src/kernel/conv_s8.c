/* qnt_conv_s8: checks its arguments. The contract is in qnt/kernel.h. */
#include "conv_s8.h"

#include "base/arith.h"
#include "base/try.h"
#include "qnt/kernel.h"

static qnt_status open_input(struct qnt__conv_s8 *c, const qnt_tensor *x, int32_t x_zero)
{
    QNT__TRY(qnt__view_open(c->context, "x", x, QNT__CODES, &c->x));
    if (c->x.bits != 8) {
        return qnt__fail(c->context, QNT_E_DTYPE, "x: %d bits, expected int8 or uint8", c->x.bits);
    }
    if (c->x.ndim != 4) {
        return qnt__fail(c->context, QNT_E_SHAPE, "x: ndim is %d, expected 4", c->x.ndim);
    }
    bool is_signed = c->x.code == QNT_INT;
    int32_t low = is_signed ? -128 : 0, high = low + 255;
    if (x_zero < low || x_zero > high) {
        return qnt__fail(c->context, QNT_E_INVALID, "x_zero is %d, expected %d to %d", (int)x_zero,
                         (int)low, (int)high);
    }
    c->flip = is_signed ? 0x80 : 0;
    c->zero = (uint8_t)(x_zero - low);
    c->g.batch = (size_t)c->x.shape[0];
    c->g.height = (size_t)c->x.shape[1];
    c->g.width = (size_t)c->x.shape[2];
    c->g.channels = (size_t)c->x.shape[3];
    return QNT_OK;
}

static qnt_status open_weights(struct qnt__conv_s8 *c, const qnt_tensor *w)
{
    QNT__TRY(qnt__view_open(c->context, "w", w, QNT__CODES, &c->w));
    if (c->w.ndim != 4) {
        return qnt__fail(c->context, QNT_E_SHAPE, "w: ndim is %d, expected 4", c->w.ndim);
    }
    const int64_t *shape = c->w.shape;
    size_t channels, area;
    if (shape[1] < 1 || shape[2] < 1) {
        return qnt__fail(c->context, QNT_E_SHAPE,
                         "w: kernel of %lld x %lld, expected at least 1 x 1", (long long)shape[1],
                         (long long)shape[2]);
    }
    if ((size_t)shape[0] % c->g.groups != 0) {
        return qnt__fail(c->context, QNT_E_SHAPE,
                         "w: extent 0 is %lld, expected a multiple of conv's %zu groups",
                         (long long)shape[0], c->g.groups);
    }
    if (!qnt__mul((size_t)shape[3], c->g.groups, &channels) || channels != c->g.channels) {
        return qnt__fail(c->context, QNT_E_SHAPE,
                         "w: extent 3 is %lld, expected x's %zu channels by %zu groups",
                         (long long)shape[3], c->g.channels, c->g.groups);
    }
    c->g.outputs = (size_t)shape[0];
    c->g.kernel[0] = (size_t)shape[1];
    c->g.kernel[1] = (size_t)shape[2];
    c->group_channels = (size_t)shape[3];
    c->group_outputs = c->g.outputs / c->g.groups;
    c->shift = c->w.code == QNT_UINT ? 1 << (c->w.bits - 1) : 0;
    if (qnt__mul(c->g.kernel[0], c->g.kernel[1], &area) &&
        qnt__mul(area, c->group_channels, &c->inputs)) {
        return QNT_OK;
    }
    return qnt__fail(c->context, QNT_E_SHAPE, "w: extents overflow");
}

static qnt_status open_output(struct qnt__conv_s8 *c, qnt_tensor *y)
{
    const struct qnt__geometry *g = &c->g;
    QNT__TRY(qnt__view_open_output(c->context, "y", y, QNT__INT32, &c->y));
    const size_t shape[4] = {g->batch, g->out_height, g->out_width, g->outputs};
    if (c->y.ndim != 4) {
        return qnt__fail(c->context, QNT_E_SHAPE, "y: ndim is %d, expected 4", c->y.ndim);
    }
    for (int d = 0; d < 4; d++) {
        if ((size_t)c->y.shape[d] == shape[d]) continue;
        return qnt__fail(c->context, QNT_E_SHAPE, "y: extent %d is %lld, expected %zu", d,
                         (long long)c->y.shape[d], shape[d]);
    }
    if (qnt__view_overlaps(&c->y, &c->x) || qnt__view_overlaps(&c->y, &c->w)) {
        return qnt__fail(c->context, QNT_E_INVALID,
                         "y overlaps an input, expected disjoint memory");
    }
    return QNT_OK;
}

qnt_status qnt_conv_s8(const qnt_context *context, const qnt_conv *conv, const qnt_tensor *x,
                       int32_t x_zero, const qnt_tensor *w, qnt_tensor *y)
{
    if (!context) return QNT_E_INVALID;
    struct qnt__conv_s8 c = {.context = context};
    QNT__TRY(qnt__geometry_read(context, conv, &c.g));
    QNT__TRY(open_input(&c, x, x_zero));
    QNT__TRY(open_weights(&c, w));
    QNT__TRY(qnt__geometry_close(context, &c.g));
    QNT__TRY(open_output(&c, y));
    if (c.y.count == 0) return QNT_OK;

    c.rows = c.y.count / c.g.outputs;
    return qnt__conv_s8_run(&c);
}
