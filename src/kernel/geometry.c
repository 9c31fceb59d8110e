/* Reading a convolution's description, and the extents of its result. */
#include "geometry.h"

#include "base/arith.h"
#include "base/try.h"

static qnt_status check_number(const qnt_context *context, const char *name, int32_t value,
                               int32_t low, int32_t high)
{
    if (value >= low && value <= high) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "conv: %s is %d, expected %d to %d", name, (int)value,
                     (int)low, (int)high);
}

qnt_status qnt__geometry_read(const qnt_context *context, const qnt_conv *conv,
                              struct qnt__geometry *g)
{
    qnt_conv v;
    QNT__TRY(qnt__sized_read(context, "conv", conv, sizeof v, sizeof v, &v));
    int32_t groups = v.groups ? v.groups : 1;
    QNT__TRY(check_number(context, "groups", v.groups, 0, INT32_MAX));
    QNT__TRY(check_number(context, "group_shift", v.group_shift, 0, groups - 1));
    QNT__TRY(check_number(context, "reserved", v.reserved, 0, 0));
    for (int i = 0; i < 2; i++) {
        QNT__TRY(check_number(context, "stride", v.stride[i], 0, INT32_MAX));
        QNT__TRY(check_number(context, "dilation", v.dilation[i], 0, INT32_MAX));
        g->stride[i] = v.stride[i] ? (size_t)v.stride[i] : 1;
        g->dilation[i] = v.dilation[i] ? (size_t)v.dilation[i] : 1;
    }
    for (int i = 0; i < 4; i++) {
        QNT__TRY(check_number(context, "pad", v.pad[i], 0, INT32_MAX));
        g->pad[i] = (size_t)v.pad[i];
    }
    g->groups = (size_t)groups;
    g->group_shift = (size_t)v.group_shift;
    return QNT_OK;
}

static qnt_status close_axis(const qnt_context *context, const struct qnt__geometry *g, int axis,
                             size_t extent, size_t *padded, size_t *out)
{
    size_t span;
    const char *name = axis == 0 ? "height" : "width";
    if (!qnt__add(extent, g->pad[axis] + g->pad[axis + 2], padded) ||
        !qnt__mul(g->dilation[axis], g->kernel[axis] - 1, &span) || !qnt__add(span, 1, &span)) {
        return qnt__fail(context, QNT_E_SHAPE, "x: %s %zu with its padding overflows", name,
                         extent);
    }
    *out = 0;
    if (*padded == 0) return QNT_OK; /* nothing in, nothing out */
    if (*padded < span) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "x: %s %zu is %zu with padding, expected at least the kernel's %zu", name,
                         extent, *padded, span);
    }
    *out = (*padded - span) / g->stride[axis] + 1;
    return QNT_OK;
}

qnt_status qnt__geometry_close(const qnt_context *context, struct qnt__geometry *g)
{
    QNT__TRY(close_axis(context, g, 0, g->height, &g->padded_height, &g->out_height));
    return close_axis(context, g, 1, g->width, &g->padded_width, &g->out_width);
}
