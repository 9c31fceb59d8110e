/* What a layer of packed digits holds. */
#ifndef QNT__LOWBIT_LAYER_H
#define QNT__LOWBIT_LAYER_H

#include "kernel/lowbit_conv.h"
#include "qnt/lowbit.h"

/* Which results there are. */
enum { QNT__LOWBIT_FLOATS = 1, QNT__LOWBIT_DIGITS = 2 };

/* The numbers of a layer; everything else follows from them. */
struct qnt__lowbit_head {
    int32_t groups, group_shift, stride[2], dilation[2];
    int32_t step, zero, flags, results;
    int32_t sixes; /* 1: a byte of taps has six digits of one bit; 0: three */
    int32_t out_groups, pad[4];           /* of a packed result */
    float limit[3];                       /* digits of floats; NaN: never */
    int64_t outputs, channels, kernel[2]; /* channels of all groups */
};

struct qnt_lowbit_layer {
    struct qnt__memory memory;
    struct qnt__lowbit_head head;
    const void *data; /* taps, limits, scale, shift */
    size_t bytes;
    bool borrowed;                /* data belong to a blob */
    void *filters;                /* made of data, or NULL: layers that run in tiles */
    size_t filter_bytes;
    struct qnt__lowbit_conv conv; /* what does not depend on the input; no context */
    struct qnt__lowbit_affine affine;
};

/* Sets conv, affine and bytes from the head, and checks it; data may still be missing. */
qnt_status qnt__lowbit_layer_measure(const qnt_context *context, qnt_lowbit_layer *layer);

/* Points conv and affine into data. */
void qnt__lowbit_layer_attach(qnt_lowbit_layer *layer, const void *data);

/* Makes what follows from data and is not kept in blobs. */
qnt_status qnt__lowbit_layer_derive(const qnt_context *context, qnt_lowbit_layer *layer);

/* Whether a layer can have these numbers, and these data: what making it guarantees. */
qnt_status qnt__lowbit_head_verify(const qnt_context *context, const struct qnt__lowbit_head *h);
qnt_status qnt__lowbit_layer_verify(const qnt_context *context, const qnt_lowbit_layer *layer);

/* Finds, for a channel, the thresholds that say the same as a monotone function of sums in low to
 * high, and whether it falls. */
void qnt__find_row(qnt_digit_fn digit, void *user, int64_t channel, int32_t low, int32_t high,
                   int32_t row[3], bool *falls);

/* How many of the three thresholds a sum reaches. */
int32_t qnt__count_row(const int32_t row[3], bool falls, int32_t sum);

/* The floats from which on a quantizer gives digits 1, 2, 3, NaN if it never does; fails if its
 * codes are no digits or fall. */
qnt_status qnt__find_limits(const qnt_context *context, const qnt_quantizer *quantizer,
                            float limit[3]);

#endif
