/* Compact views of CPU memory. */
#include "quantized.h"

static qnt_tensor *describe(struct view *view, const void *data, int code, int bits, int ndim,
                            const int64_t *shape)
{
    union { const void *in; void *out; } pointer = {data};
    view->tensor = (qnt_tensor){.data = pointer.out, .device_type = 1, .ndim = ndim,
                                .dtype_code = (uint8_t)code, .dtype_bits = (uint8_t)bits,
                                .dtype_lanes = 1, .shape = view->shape};
    for (int d = 0; d < ndim; d++) view->shape[d] = shape[d];
    return &view->tensor;
}

qnt_tensor *view_floats(struct view *view, const float *data, int ndim, const int64_t *shape)
{
    return describe(view, data, QNT_FLOAT, 32, ndim, shape);
}

qnt_tensor *view_bytes(struct view *view, const uint8_t *data, int ndim, const int64_t *shape)
{
    return describe(view, data, QNT_UINT, 8, ndim, shape);
}
