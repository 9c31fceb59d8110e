/*
 * Two convolutions of 2-bit codes in a chain that stays packed, with the cyclic shuffle of PalQuant
 * between.
 *
 * Introduces qnt_pack_pixels, qnt_pack_taps and qnt_conv_lowbit, and how to hand a layer its batch
 * norm: scale, batch norm, ReLU, clipping and rounding are one monotone function of the exact sum,
 * so three thresholds say all of it; bisection of that very function finds them. The result is
 * compared with the plain way.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = 9,
    CHANNELS = 24,
    GROUPS = 2,
    INSIDE = CHANNELS / GROUPS,
    PLACES = SIDE * SIDE,
    STEPS = 3
};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

/* A packed tensor and where its bytes are. */
struct packed {
    qnt_tensor tensor;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    uint8_t bytes[1 << 15];
};

static struct packed x, y, taps;

static qnt_tensor *view(struct packed *p)
{
    p->tensor = (qnt_tensor){.shape = p->shape, .strides = p->strides};
    return &p->tensor;
}

static qnt_tensor tensor(void *data, int code, int bits, int ndim, int64_t *shape)
{
    return (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = ndim,
                        .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits,
                        .dtype_lanes = 1,
                        .shape = shape};
}

/* What the network computes from an exact sum: a scale and a batch norm for each channel, ReLU, 2
 * bits. */
static int code_of(int32_t sum, int channel)
{
    float gamma = 0.02f + 0.003f * (float)(channel % 5), beta = 0.1f * (float)(channel % 7) - 0.3f;
    float value = gamma * (float)sum + beta;
    return (int)rintf(fminf(fmaxf(value, 0), 1) * 3);
}

/* The least sum with at least this code. */
static int32_t threshold_of(int channel, int code)
{
    int32_t low = -100000, high = 100000;
    while (high - low > 1) {
        int32_t middle = low + (high - low) / 2;
        if (code_of(middle, channel) >= code)
            high = middle;
        else
            low = middle;
    }
    return high;
}

int main(void)
{
    static uint8_t codes[PLACES * CHANNELS], weights[CHANNELS * 9 * INSIDE];
    static int8_t values[CHANNELS * 9 * INSIDE];
    static int32_t limit[CHANNELS][STEPS], sums[PLACES * CHANNELS], packed_sums[PLACES * CHANNELS];
    int64_t x_shape[] = {1, SIDE, SIDE, CHANNELS}, w_shape[] = {CHANNELS, 3, 3, INSIDE};
    int64_t limit_shape[] = {CHANNELS, STEPS};
    const int32_t pad[4] = {1, 1, 1, 1};
    for (size_t i = 0; i < sizeof codes; i++) codes[i] = (uint8_t)(i * i * 7 >> 3 & 3);
    for (size_t i = 0; i < sizeof weights; i++) {
        weights[i] = (uint8_t)(i * i * 5 >> 4 & 3);
        values[i] = (int8_t)(2 * weights[i] - 3); /* -3, -1, 1, 3 */
    }
    for (int c = 0; c < CHANNELS; c++)
        for (int k = 0; k < STEPS; k++) limit[c][k] = threshold_of(c, k + 1);

    qnt_context *context;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    qnt_tensor in = tensor(codes, QNT_UINT, 8, 4, x_shape),
               weight = tensor(weights, QNT_UINT, 8, 4, w_shape);
    qnt_tensor limits = tensor(limit, QNT_INT, 32, 2, limit_shape);
    TRY(qnt_pack_pixels_view(context, &in, GROUPS, pad, view(&x)));
    TRY(qnt_pack_pixels_view(context, &in, GROUPS, pad,
                             view(&y))); /* the result has the same shape */
    TRY(qnt_pack_taps_view(context, &weight, GROUPS, view(&taps)));
    x.tensor.data = x.bytes, y.tensor.data = y.bytes, taps.tensor.data = taps.bytes;
    TRY(qnt_pack_pixels(context, &in, GROUPS, pad, &x.tensor));
    TRY(qnt_pack_taps(context, &weight, GROUPS, &taps.tensor));

    /* Packed to packed with its border, then packed to sums; group g reads group g + 1. */
    qnt_conv conv = {.size = sizeof conv, .groups = GROUPS, .group_shift = 1};
    qnt_lowbit lowbit = {
        .size = sizeof lowbit, .step = 2, .zero = -3, .channels = INSIDE, .pad = {1, 1, 1, 1}};
    qnt_tensor out = tensor(packed_sums, QNT_INT, 32, 4, x_shape);
    TRY(qnt_conv_lowbit(context, &conv, &lowbit, &x.tensor, &taps.tensor, &limits, &y.tensor));
    TRY(qnt_conv_lowbit(context, &conv, &lowbit, &y.tensor, &taps.tensor, NULL, &out));

    /* The same with bytes and floats. */
    qnt_conv plain = {
        .size = sizeof plain, .groups = GROUPS, .group_shift = 1, .pad = {1, 1, 1, 1}};
    qnt_tensor w8 = tensor(values, QNT_INT, 8, 4, w_shape),
               s = tensor(sums, QNT_INT, 32, 4, x_shape);
    TRY(qnt_conv_s8(context, &plain, &in, 0, &w8, &s));
    for (int i = 0; i < PLACES * CHANNELS; i++) codes[i] = (uint8_t)code_of(sums[i], i % CHANNELS);
    TRY(qnt_conv_s8(context, &plain, &in, 0, &w8, &s));

    int good = !memcmp(sums, packed_sums, sizeof sums);
    printf("%d sums after two packed convolutions: %s; %zu bytes of activations instead of %zu\n",
           PLACES * CHANNELS, good ? "equal, as expected" : "NOT equal",
           (size_t)(PLACES * GROUPS * ((INSIDE + 2) / 3)), (size_t)(PLACES * CHANNELS));
    qnt_context_destroy(context);
    return !good;
}
