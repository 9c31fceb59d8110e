/* Importance tensors. */
#ifndef QNT__QUANTIZER_IMPORTANCE_H
#define QNT__QUANTIZER_IMPORTANCE_H

#include "tensor/view.h"

/* Opens importance as a view of x's shape: extents of 1 and missing leading axes get the stride 0.
 * NULL gives a view without elements. The values themselves are checked where they are read. */
qnt_status qnt__importance_open(const qnt_context *context, const qnt_tensor *importance,
                                const struct qnt__view *x, struct qnt__view *view);

/* The reason for a weight that is negative or not finite. */
qnt_status qnt__importance_refuse(const qnt_context *context);

/* A weight that may be used. */
static inline bool qnt__importance_is_legal(float h)
{
    return h >= 0.0f && h <= 3.402823466e38f;
}

#endif
