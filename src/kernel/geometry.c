/* Extents of a convolution's result. */
#include "geometry.h"

#include "base/arith.h"
#include "base/try.h"

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
