/*
 * Convolutions of 3 x 3 taps by minimal filtering, which tests make serve wherever it may: against the
 * naive reference, and against sums of qnt_conv_s8(), which has no such way; all remainders of tiles,
 * groups and shifts, packed weights, extremes, parts of images.
 */
#include "layer/layer.h"
#include "layer_case.h"

enum { NOWHERE = -1, WHERE_IT_PAYS, EVERYWHERE };

static qnt_context *context_with(int winograd)
{
    qnt_context *context = check_context();
    context->winograd = winograd;
    return context;
}

/* A convolution that may run this way. */
static layer_case random_three(int input)
{
    layer_case c = random_conv(input);
    c.wflags = QNT_SIGNED | QNT_SYMMETRIC;
    c.spec.groups = (int32_t)random_in(1, 2);
    c.spec.group_shift = c.spec.groups > 1 ? (int32_t)random_in(0, 1) : 0;
    c.channels = random_in(0, 1) ? 32 : 4 * random_in(8, 12);
    c.outputs = random_in(32, 70);
    c.batch = random_in(1, 2);
    for (int i = 0; i < 2; i++) {
        c.kernel[i] = 3;
        c.spec.stride[i] = c.spec.dilation[i] = 1;
    }
    c.height = random_in(4, 21);
    c.width = random_in(4, 23);
    for (int i = 0; i < 4; i++) c.spec.pad[i] = (int32_t)random_in(1, i ? 2 : 4);
    return c;
}

static void random_layers(int input, int count)
{
    qnt_context *context = context_with(EVERYWHERE);
    for (int i = 0; i < CASES(count); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_three(input);
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

static void static_input(void)
{
    random_layers(STATIC, 60);
}

static void dynamic_input(void)
{
    random_layers(DYNAMIC, 30);
}

/* Every height and width from 4 on, of images whose last tiles begin earlier or are smaller. */
static void remainders(void)
{
    qnt_context *context = context_with(EVERYWHERE);
    for (int i = 0; i < (check_quick ? 8 : 64); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_three(STATIC);
        c.spec.groups = c.spec.group_shift = 0;
        c.channels = c.outputs = 32;
        c.height = 4 + i % 8;
        c.width = 4 + i / 8;
        for (int k = 0; k < 4; k++) c.spec.pad[k] = 1;
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* More tiles than are filtered together, of one image and of several. */
static void parts_of_images(void)
{
    qnt_context *context = context_with(EVERYWHERE);
    for (int i = 0; i < 2; i++) {
        layer_case c = random_three(STATIC);
        c.spec.groups = c.spec.group_shift = 0;
        c.channels = 36;
        c.outputs = 33;
        c.batch = i ? 7 : 1;
        c.height = i ? 31 : 79;
        c.width = i ? 30 : 77;
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* ---- sums of qnt_conv_s8() ---- */

typedef struct sums_case {
    int64_t size, channels, outputs;
    int32_t zero;
    int8_t *weight;
    uint8_t *x;
} sums_case;

/* As large as they get: taps -128 or 127, pixels 0 or 255, in patterns that the points sum up, or any. */
static void fill_extremes(sums_case *c, int kind)
{
    const int64_t taps = 9 * c->channels;
    for (int64_t i = 0; i < c->outputs * taps; i++) {
        const int64_t tap = i % taps / c->channels, sign = (tap / 3 + tap % 3) % 2;
        c->weight[i] = (int8_t)(kind == 0         ? -128
                                : kind == 1       ? (sign ? 127 : -128)
                                : random_in(0, 1) ? 127
                                                  : -128);
    }
    const int64_t line = c->size * c->channels;
    for (int64_t i = 0; i < c->size * line; i++) {
        const int64_t y = i / line, x = i % line / c->channels, sign = (x + y) / (1 + kind % 2) % 2;
        c->x[i] = (uint8_t)(kind == 0 ? 0 : kind == 1 ? 255 * sign : 255 * random_in(0, 1));
    }
}

/* The sums of the layer, as floats of scale 1, and those of the kernel. */
static void compare_sums(const qnt_context *context, const sums_case *c, const char *what)
{
    const int64_t count = c->size * c->size * c->outputs;
    qnt_quantizer *weight_q = NULL, *input_q = NULL;
    const double one = 1, zero = c->zero;
    qnt_spec signed_8 = {.size = sizeof signed_8, .bits = 8, .flags = QNT_SIGNED | QNT_SYMMETRIC};
    qnt_spec unsigned_8 = {.size = sizeof unsigned_8, .bits = 8};
    OK(qnt_quantizer_create(context, &signed_8, &weight_q));
    OK(qnt_quantizer_create(context, &unsigned_8, &input_q));
    OK(qnt_quantizer_set(context, weight_q, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(context, input_q, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(context, input_q, QNT_P_ZERO, &zero, 1));

    const qnt_layer_spec spec = {.size = sizeof spec, .kind = QNT_CONV, .pad = {1, 1, 1, 1}};
    const qnt_conv conv = {.size = sizeof conv,
                           .groups = 1,
                           .stride = {1, 1},
                           .dilation = {1, 1},
                           .pad = {1, 1, 1, 1}};
    qnt_tensor *w = TENSOR(c->weight, QNT_INT, 8, c->outputs, 3, 3, c->channels),
               *x = TENSOR(c->x, QNT_UINT, 8, 1, c->size, c->size, c->channels);
    float *y = zeroed((size_t)count, sizeof *y);
    int32_t *sums = zeroed((size_t)count, sizeof *sums);
    qnt_layer *layer = NULL;
    size_t bytes;
    OK(qnt_layer_create(context, &spec, w, weight_q, NULL, input_q, NULL, &layer));
    OK(qnt_layer_workspace(context, layer, x, &bytes));
    void *space = zeroed(bytes, 1);
    OK(qnt_layer_run(context, layer, x, TENSOR(y, QNT_FLOAT, 32, 1, c->size, c->size, c->outputs),
                     space, bytes));
    OK(qnt_conv_s8(context, &conv, x, c->zero, w,
                   TENSOR(sums, QNT_INT, 32, 1, c->size, c->size, c->outputs)));
    int64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad += y[i] != (float)sums[i];
    CHECK_MSG(bad == 0, "%s: %lld of %lld sums differ, channels %lld, zero %d", what,
              (long long)bad, (long long)count, (long long)c->channels, (int)c->zero);
    free(space), free(sums), free(y);
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(weight_q), qnt_quantizer_destroy(input_q);
}

/* Up to channels from which tiles are 2 lines high, and on to those that no tile takes. */
static void extremes(void)
{
    static const int64_t channels[] = {32, 224, 228, 260, 908, 912};
    qnt_context *context = context_with(EVERYWHERE);
    for (int i = 0; i < 18; i++) {
        sums_case c = {.size = i % 6 > 3 ? 6 : 9,
                       .channels = channels[i % 6],
                       .outputs = 33,
                       .zero = i % 3 == 0   ? 0
                               : i % 3 == 1 ? 255
                                            : 128};
        if (check_quick && i % 4) continue;
        qnt_context_set_cpu(context, cpu_level(i / 2));
        c.weight = zeroed((size_t)(9 * c.channels * c.outputs), 1);
        c.x = zeroed((size_t)(c.size * c.size * c.channels), 1);
        fill_extremes(&c, i / 6);
        compare_sums(context, &c, "extremes");
        free(c.weight), free(c.x);
    }
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(static_input);
    RUN(dynamic_input);
    RUN(remainders);
    RUN(parts_of_images);
    RUN(extremes);
    return DONE;
}
