/* Opening operands of exponential codes, and their bit planes. */
#ifndef QNT__KERNEL_EXP_H
#define QNT__KERNEL_EXP_H

#include "context/context.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

enum {
    QNT__EXP_CHUNK = 4096, /* codes that are sliced at a time */
    QNT__EXP_WORDS = QNT__EXP_CHUNK / 64,
    QNT__EXP_PLANES = 8,
    QNT__EXP_COUNTERS = 4 * 127 /* most of them */
};

/* Of the struct that an argument points to, or with NULL of the call. */
qnt_status qnt__exp_check_bits(const qnt_context *context, const char *name, int32_t exponent_bits);

/* Opens codes of exponent_bits bits or one more with `ndim` axes, of which the last fits into int32. */
qnt_status qnt__exp_open(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                         int32_t exponent_bits, int ndim, struct qnt__view *view);

/* Slices n <= QNT__EXP_CHUNK codes from element offset `at`: [exponent_bits + 1][ceil(n / 64)] words. */
void qnt__exp_slice(const qnt_context *context, const struct qnt__view *view, int32_t exponent_bits,
                    int64_t at, size_t n, uint64_t *planes);

#endif
