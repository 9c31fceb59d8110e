/* A convolution that has been checked, between the files of qnt_conv_s8. */
#ifndef QNT__KERNEL_CONV_S8_H
#define QNT__KERNEL_CONV_S8_H

#include "geometry.h"
#include "tensor/view.h"

struct qnt__conv_s8 {
    const qnt_context *context;
    struct qnt__view x, w, y;
    struct qnt__geometry g;
    size_t rows, inputs; /* output pixels; k of one output */
    size_t group_channels, group_outputs;
    uint8_t zero;  /* of unsigned input bytes */
    uint8_t flip;  /* 0x80: turns int8 into them */
    int32_t shift; /* taken off unsigned weights */
};

/* Does the work; y has elements. */
qnt_status qnt__conv_s8_run(struct qnt__conv_s8 *conv);

#endif
