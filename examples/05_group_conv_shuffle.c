/*
 * Group convolution on codes, and groups that read their neighbour's channels for free.
 *
 * Introduces qnt_conv_s8, qnt_shuffle_cyclic and qnt_requantize, the stateless kernels for hosts
 * with a structure of their own. Rotating groups of channels before a group convolution lets groups
 * exchange information (PalQuant, ECCV 2022); group_shift does it inside, without moving anything.
 */
#include <qnt.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 6, CHANNELS = 8, OUTPUTS = 12, GROUPS = 4, SHIFT = 1, INSIDE = CHANNELS / GROUPS };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static qnt_tensor tensor(void *data, int code, int bits, int ndim, int64_t *shape)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = ndim, .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits, .dtype_lanes = 1, .shape = shape};
}

int main(void)
{
    static uint8_t x[SIDE * SIDE * CHANNELS], turned[SIDE * SIDE * CHANNELS];
    static int8_t w[OUTPUTS * 9 * INSIDE], y[SIDE * SIDE * OUTPUTS];
    static int32_t first[SIDE * SIDE * OUTPUTS], second[SIDE * SIDE * OUTPUTS];
    int64_t x_shape[] = {1, SIDE, SIDE, CHANNELS}, w_shape[] = {OUTPUTS, 3, 3, INSIDE};
    int64_t y_shape[] = {1, SIDE, SIDE, OUTPUTS}, one[] = {1};
    const int32_t zero = 128; /* the code of the value 0; padding counts as 0 */
    for (size_t i = 0; i < sizeof x; i++) x[i] = (uint8_t)(i * 37);
    for (size_t i = 0; i < sizeof w; i++) w[i] = (int8_t)(i * 91);

    qnt_context *context;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    qnt_tensor in = tensor(x, QNT_UINT, 8, 4, x_shape),
               rotated = tensor(turned, QNT_UINT, 8, 4, x_shape);
    qnt_tensor weight = tensor(w, QNT_INT, 8, 4, w_shape);
    qnt_tensor a = tensor(first, QNT_INT, 32, 4, y_shape),
               b = tensor(second, QNT_INT, 32, 4, y_shape);

    /* Group g of the rotated tensor is group g + 1 of x. */
    qnt_conv conv = {.size = sizeof conv, .groups = GROUPS, .pad = {1, 1, 1, 1}};
    TRY(qnt_shuffle_cyclic(context, &in, -1, GROUPS, SHIFT, &rotated));
    TRY(qnt_conv_s8(context, &conv, &rotated, zero, &weight, &a));

    /* The same without the copy. */
    conv.group_shift = SHIFT;
    TRY(qnt_conv_s8(context, &conv, &in, zero, &weight, &b));

    /* One output by hand: row 0, column 0, output 0 belongs to group 0, which reads group 1. */
    int32_t sum = 0;
    for (int i = 1; i < 3; i++)
        for (int j = 1; j < 3; j++)
            for (int c = 0; c < INSIDE; c++)
                sum += (x[((i - 1) * SIDE + j - 1) * CHANNELS + INSIDE + c] - zero) *
                       w[(i * 3 + j) * INSIDE + c];

    /* Sums to int8 codes: one scale here, one for each output channel in general. */
    float scale[] = {1.0f / 2048};
    qnt_tensor multiplier = tensor(scale, QNT_FLOAT, 32, 1, one),
               codes = tensor(y, QNT_INT, 8, 4, y_shape);
    TRY(qnt_requantize(context, &b, NULL, &multiplier, 0, -128, 127, &codes));

    int good = !memcmp(first, second, sizeof first) && second[0] == sum;
    printf("%d sums with groups rotated inside and outside: %s; first sum %d, code %d\n",
           SIDE * SIDE * OUTPUTS, good ? "equal, as expected" : "NOT equal", second[0], y[0]);
    qnt_context_destroy(context);
    return !good;
}
