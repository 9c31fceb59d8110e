/* Importance tensors. */
#include "importance.h"

#include "base/try.h"
#include "context/context.h"

qnt_status qnt__importance_open(const qnt_context *context, const qnt_tensor *importance,
                                const struct qnt__view *x, struct qnt__view *view)
{
    struct qnt__view h;
    *view = (struct qnt__view){0};
    if (!importance) return QNT_OK;
    QNT__TRY(qnt__view_open(context, "importance", importance, QNT__FLOATS, &h));
    int missing = x->ndim - h.ndim;
    if (missing < 0) {
        return qnt__fail(context, QNT_E_SHAPE, "importance: ndim is %d, expected at most x's %d",
                         h.ndim, x->ndim);
    }
    *view = *x;
    view->data = h.data;
    view->code = h.code;
    view->bits = h.bits;
    for (int d = 0; d < x->ndim; d++) {
        int64_t extent = d < missing ? 1 : h.shape[d - missing];
        if (extent != 1 && extent != x->shape[d]) {
            return qnt__fail(context, QNT_E_SHAPE,
                             "importance: extent %d is %lld, expected 1 or x's %lld", d - missing,
                             (long long)extent, (long long)x->shape[d]);
        }
        view->strides[d] = extent == 1 ? 0 : h.strides[d - missing];
    }
    return QNT_OK;
}

qnt_status qnt__importance_refuse(const qnt_context *context)
{
    return qnt__fail(context, QNT_E_INVALID,
                     "importance has values that are negative, NaN or infinite, expected finite "
                     "values of at least 0");
}
