/* Checked geometry of a two-dimensional convolution; a matrix product is its 1 x 1 case. */
#ifndef QNT__KERNEL_GEOMETRY_H
#define QNT__KERNEL_GEOMETRY_H

#include "context/context.h"
#include "qnt/kernel.h"

struct qnt__geometry {
    size_t batch, height, width;
    size_t channels; /* of all groups */
    size_t outputs;  /* of all groups */
    size_t groups, group_shift;
    size_t kernel[2], stride[2], dilation[2]; /* each at least 1 */
    size_t pad[4];                            /* top, left, bottom, right */
    size_t out_height, out_width;             /* found by qnt__geometry_close */
    size_t padded_height, padded_width;
};

/* Checks a caller's description and reads groups, shift, stride, dilation and padding from it. */
qnt_status qnt__geometry_read(const qnt_context *context, const qnt_conv *conv,
                              struct qnt__geometry *g);

/* Derives the last four numbers; fails if the kernel is larger than the padded input. */
qnt_status qnt__geometry_close(const qnt_context *context, struct qnt__geometry *g);

#endif
