/*
 * Convolutions of 3 x 3 taps by minimal filtering, which tests make serve wherever it may: against the
 * naive reference, against sums of qnt_conv_s8(), which has no such way, and against the same layer where
 * it must not serve; all remainders of tiles, groups and shifts, packed weights, tables, extremes, parts of
 * images, and layers that only look as if it could serve them.
 */
#include <stdlib.h>

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
        c.height = i ? 30 : 79;
        c.width = i ? 29 : 77;
        for (int k = 0; k < 4; k++) c.spec.pad[k] = 1;
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* Sums of parts of the channels, added to what is there once. */
static void parts_of_sums(void)
{
    qnt_context *context = context_with(EVERYWHERE);
    for (int i = 0; i < CASES(4); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_three(STATIC);
        c.spec.flags = QNT_ACCUMULATE;
        c.out.kind = ABSENT, c.y_held = FLOAT32;
        c.wbits = 8, c.grain = QNT_PER_TENSOR;
        c.channels = 464, c.outputs = 32, c.batch = 1;
        c.height = 5, c.width = 4;
        for (int k = 0; k < 4; k++) c.spec.pad[k] = 1;
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* Layers that another kernel, step or format keeps from this way. */
static void others(void)
{
    qnt_context *context = context_with(EVERYWHERE);
    for (int i = 0; i < (check_quick ? 14 : 28); i++) {
        layer_case c = random_three(i % 14 == 10 ? ABSENT : STATIC);
        qnt_context_set_cpu(context, cpu_level(i / 14));
        c.height += 3, c.width += 3;
        switch (i % 14) {
        case 0: c.kernel[0] = 1; break;
        case 1: c.kernel[1] = 1; break;
        case 2: c.kernel[0] = 4; break;
        case 3: c.kernel[1] = 4; break;
        case 4: c.spec.stride[0] = 2; break;
        case 5: c.spec.stride[1] = 2; break;
        case 6: c.spec.dilation[0] = 2; break;
        case 7: c.spec.dilation[1] = 2; break;
        case 8: c.wflags = i % 2 ? QNT_SIGNED : 0; break;
        case 9: c.channels = 33 + i % 3; break;
        case 11: c.height = 1 + i / 14, c.spec.pad[0] = 1; break;
        case 12: c.width = 1 + i / 14, c.spec.pad[1] = 1; break;
        case 13: c.batch = 0; break;
        }
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* ---- sums of qnt_conv_s8() ---- */

typedef struct sums_case {
    int64_t size, channels, outputs;
    int bits; /* of weights */
    int32_t zero;
    int8_t *weight;
    uint8_t *x;
} sums_case;

static void open_case(sums_case *c)
{
    c->weight = zeroed((size_t)(9 * c->channels * c->outputs), 1);
    c->x = zeroed((size_t)(c->size * c->size * c->channels), 1);
}

static void close_case(sums_case *c)
{
    free(c->weight), free(c->x);
}

/* As large as they get: taps least or most, pixels 0 or 255, in patterns that the points sum up, or any. */
static void fill_extremes(sums_case *c, int kind)
{
    const int64_t taps = 9 * c->channels;
    const int8_t least = (int8_t)low_code(c->bits, QNT_SIGNED), most = (int8_t)(-1 - least);
    for (int64_t i = 0; i < c->outputs * taps; i++) {
        const int64_t tap = i % taps / c->channels, sign = (tap / 3 + tap % 3) % 2;
        const bool positive = kind == 1 ? sign : kind == 2 && random_in(0, 1);
        c->weight[i] = positive ? most : least;
    }
    const int64_t line = c->size * c->channels;
    for (int64_t i = 0; i < c->size * line; i++) {
        const int64_t y = i / line, x = i % line / c->channels, sign = (x + y) / (1 + kind % 2) % 2;
        c->x[i] = (uint8_t)(kind == 0 ? 0 : kind == 1 ? 255 * sign : 255 * random_in(0, 1));
    }
}

/* Channels whose sums may be formed together: if no sum of magnitudes reaches 2^18, all, else as many as
 * hold whatever they are. Of packed weights only the largest one counts. */
static size_t depth_of(const sums_case *c)
{
    const int64_t taps = 9 * c->channels;
    int64_t reach = c->bits < 8 ? taps << (c->bits - 1) : 0;
    for (int64_t n = 0; n < c->outputs && c->bits == 8; n++) {
        int64_t sum = 0;
        for (int64_t i = 0; i < taps; i++) sum += abs(c->weight[n * taps + i]);
        reach = sum > reach ? sum : reach;
    }
    return reach < 1 << 18 ? (size_t)c->channels : 224;
}

/* The same layer, from a blob that it borrows. */
static qnt_layer *borrow(const qnt_context *context, qnt_layer *layer, guarded *blob)
{
    qnt_layer *loaded = NULL;
    size_t size = 0;
    qnt_layer_save(context, layer, NULL, 0, &size);
    *blob = guard((size + 63) / 64 * 64, true);
    if (qnt_layer_save(context, layer, blob->data, size, &size) != QNT_OK ||
        qnt_layer_load(context, blob->data, size, QNT_BORROW, &loaded) != QNT_OK) {
        CHECK_MSG(false, "%s", check_reason);
        return layer;
    }
    qnt_layer_destroy(layer);
    return loaded;
}

/* The sums of the layer, as floats of scale 1, and those of the kernel. */
static void compare_sums(const qnt_context *context, const sums_case *c, const char *what)
{
    const int64_t count = c->size * c->size * c->outputs;
    qnt_quantizer *weight_q = NULL, *input_q = NULL;
    const double one = 1, zero = c->zero;
    qnt_spec of_weights = {
        .size = sizeof of_weights, .bits = c->bits, .flags = QNT_SIGNED | QNT_SYMMETRIC};
    qnt_spec of_pixels = {.size = sizeof of_pixels, .bits = 8};
    OK(qnt_quantizer_create(context, &of_weights, &weight_q));
    OK(qnt_quantizer_create(context, &of_pixels, &input_q));
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
    guarded blob;
    OK(qnt_layer_create(context, &spec, w, weight_q, NULL, input_q, NULL, &layer));
    CHECK_MSG(layer->winograd_depth == depth_of(c), "%s: %zu channels together, not %zu", what,
              layer->winograd_depth, depth_of(c));
    layer = borrow(context, layer, &blob);
    CHECK(layer->winograd_depth == depth_of(c));
    OK(qnt_layer_workspace(context, layer, x, &bytes));
    guarded space = guard(bytes, true);
    OK(qnt_layer_run(context, layer, x, TENSOR(y, QNT_FLOAT, 32, 1, c->size, c->size, c->outputs),
                     space.data, bytes));
    OK(qnt_conv_s8(context, &conv, x, c->zero, w,
                   TENSOR(sums, QNT_INT, 32, 1, c->size, c->size, c->outputs)));
    int64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad += y[i] != (float)sums[i];
    CHECK_MSG(bad == 0, "%s: %lld of %lld sums differ, channels %lld, zero %d", what,
              (long long)bad, (long long)count, (long long)c->channels, (int)c->zero);
    free(sums), free(y);
    unguard(&space);
    qnt_layer_destroy(layer);
    unguard(&blob);
    qnt_quantizer_destroy(weight_q), qnt_quantizer_destroy(input_q);
}

/* Up to channels whose sums may be formed together, and on to many times as many. */
static void extremes(void)
{
    static const int64_t channels[] = {32, 224, 228, 260, 908, 912};
    qnt_context *context = context_with(EVERYWHERE);
    for (int i = 0; i < 18; i++) {
        sums_case c = {.size = i % 6 > 3 ? 6 : 9,
                       .channels = channels[i % 6],
                       .outputs = 33,
                       .bits = 8,
                       .zero = i % 3 == 0   ? 0
                               : i % 3 == 1 ? 255
                                            : 128};
        if (check_quick && i % 4) continue;
        qnt_context_set_cpu(context, cpu_level(i / 2));
        open_case(&c);
        fill_extremes(&c, i / 6);
        compare_sums(context, &c, "extremes");
        close_case(&c);
    }
    qnt_context_destroy(context);
}

/* Packed weights of the least channels whose sums could be too large. */
static void packed_extremes(void)
{
    qnt_context *context = context_with(EVERYWHERE);
    for (int64_t channels = 3632; channels <= 3648; channels += 16) {
        sums_case c = {.size = 4, .channels = channels, .outputs = 64, .bits = 4};
        open_case(&c);
        fill_extremes(&c, 0);
        compare_sums(context, &c, "packed extremes");
        close_case(&c);
    }
    qnt_context_destroy(context);
}

/* Magnitudes that add up to 2^18 - 1, of every output, or to 2^18, of the last one; then the sum is 2^25,
 * of which 64 times does not come back. */
static void limit(void)
{
    qnt_context *context = context_with(EVERYWHERE);
    for (int64_t reach = (1 << 18) - 1; reach <= 1 << 18; reach++) {
        sums_case c = {.size = 5, .channels = 300, .outputs = 33, .bits = 8};
        open_case(&c);
        for (int64_t n = reach % 2 ? 0 : c.outputs - 1; n < c.outputs; n++) {
            int64_t left = reach;
            for (int8_t *w = c.weight + n * 9 * c.channels; left > 0; left += *w++)
                *w = (int8_t)(left < 128 ? -left : -128);
        }
        compare_sums(context, &c, "limit"); /* pixels are 0 */
        close_case(&c);
    }
    qnt_context_destroy(context);
}

/* ---- codebooks, which have no reference here: with and without this way ---- */

static const qnt_spec codebooks[] = {
    {.scheme = QNT_TABLE, .method = QNT_NF4, .bits = 4},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 3, .grain = QNT_PER_AXIS},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 5},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3, .flags = QNT_SIGNED, .grain = QNT_PER_AXIS},
    {.scheme = QNT_POINTS,
     .method = QNT_MULTIPOINT,
     .bits = 2,
     .points = 2,
     .grain = QNT_PER_AXIS}};

enum { CODEBOOKS = sizeof codebooks / sizeof *codebooks, MANY = 240 /* channels */, SIDE = 5 };

static void run_codebook(const qnt_context *context, const qnt_layer *layer, const uint8_t *x,
                         int64_t channels, float *y)
{
    const qnt_tensor *in = TENSOR(x, QNT_UINT, 8, 1, SIDE, SIDE, channels);
    size_t bytes = 0;
    OK(qnt_layer_workspace(context, layer, in, &bytes));
    void *space = zeroed(bytes, 1);
    OK(qnt_layer_run(context, layer, in, TENSOR(y, QNT_FLOAT, 32, 1, SIDE, SIDE, 40), space,
                     bytes));
    free(space);
}

/* Weights of any kind, or almost all the largest one, times pixels whose sums are then too large
 * together. */
static void compare_codebook(qnt_spec spec, int64_t channels, bool largest)
{
    static float w[40 * 9 * MANY], y[2][SIDE * SIDE * 40];
    static uint8_t x[SIDE * SIDE * MANY];
    qnt_context *contexts[2] = {context_with(EVERYWHERE), context_with(NOWHERE)};
    const qnt_context *c = contexts[0];
    qnt_quantizer *weight_q = NULL, *input_q = NULL;
    qnt_layer *layer = NULL;
    const qnt_layer_spec conv = {.size = sizeof conv, .kind = QNT_CONV, .pad = {1, 1, 1, 1}};
    const qnt_tensor *weight = TENSOR(w, QNT_FLOAT, 32, 40, 3, 3, channels);
    qnt_spec of_pixels = {.size = sizeof of_pixels, .bits = 8};
    spec.size = sizeof spec;
    for (int64_t i = 0; i < 40 * 9 * channels; i++)
        w[i] = largest && i % 97 ? 3 : (float)random_gauss() / 2;
    for (int i = 0; i < SIDE * SIDE * MANY; i++) x[i] = (uint8_t)(largest ? 0 : random_in(0, 255));
    OK(qnt_quantizer_create(c, &spec, &weight_q));
    OK(qnt_quantizer_observe(c, weight_q, weight, NULL));
    OK(qnt_quantizer_fit(c, weight_q));
    OK(qnt_quantizer_create(c, &of_pixels, &input_q));
    OK(qnt_quantizer_set(c, input_q, QNT_P_SCALE, &(double){0.01}, 1));
    OK(qnt_quantizer_set(c, input_q, QNT_P_ZERO, &(double){77}, 1));
    OK(qnt_layer_create(c, &conv, weight, weight_q, NULL, input_q, NULL, &layer));
    CHECK((layer->tables != NULL) == (spec.scheme != QNT_POINTS));
    CHECK((layer->winograd_depth == 0) == (spec.scheme == QNT_POINTS));
    for (int i = 0; i < 2; i++) run_codebook(contexts[i], layer, x, channels, y[i]);
    CHECK_MSG(!memcmp(y[0], y[1], sizeof y[0]), "scheme %d method %d, %lld channels", spec.scheme,
              spec.method, (long long)channels);
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(weight_q), qnt_quantizer_destroy(input_q);
    qnt_context_destroy(contexts[0]), qnt_context_destroy(contexts[1]);
}

static void codebook_weights(void)
{
    for (int i = 0; i < CODEBOOKS; i++) compare_codebook(codebooks[i], 48, false);
    compare_codebook(codebooks[0], MANY, true);
    compare_codebook(codebooks[2], MANY, true);
}

/* Images that no memory holds have a workspace that none holds, or are refused; none of no images. */
static void huge_images(void)
{
    static const int8_t w[32 * 9 * 32];
    qnt_context *context = context_with(EVERYWHERE);
    qnt_quantizer *weight_q = NULL, *input_q = NULL;
    qnt_layer *layer = NULL;
    const qnt_layer_spec conv = {.size = sizeof conv, .kind = QNT_CONV};
    qnt_spec spec = {.size = sizeof spec, .bits = 8, .flags = QNT_SIGNED | QNT_SYMMETRIC};
    OK(qnt_quantizer_create(context, &spec, &weight_q));
    OK(qnt_quantizer_create(context, &spec, &input_q));
    OK(qnt_quantizer_set(context, weight_q, QNT_P_SCALE, &(double){1}, 1));
    OK(qnt_quantizer_set(context, input_q, QNT_P_SCALE, &(double){1}, 1));
    OK(qnt_layer_create(context, &conv, TENSOR(w, QNT_INT, 8, 32, 3, 3, 32), weight_q, NULL, input_q, NULL,
                        &layer));
    CHECK(layer->winograd_depth == 32);
    for (int i = 0; i < 400; i++) {
        const int64_t height = ((int64_t)1 << random_in(2, 60)) + random_in(2, 5),
                      width = ((int64_t)1 << random_in(2, 60)) + random_in(2, 5),
                      batch = random_in(0, 1) ? random_in(0, 1) : (int64_t)1 << random_in(0, 60);
        const qnt_tensor *x = TENSOR(NULL, QNT_INT, 8, batch, height, width, 32);
        size_t bytes = 0;
        const qnt_status status = qnt_layer_workspace(context, layer, x, &bytes);
        const double least = 32 * (double)batch * (double)height * (double)width;
        CHECK_MSG(status == QNT_E_SHAPE || (status == QNT_OK && (double)bytes >= least),
                  "%lld x %lld x %lld: %s, %zu bytes", (long long)batch, (long long)height,
                  (long long)width, qnt_status_name(status), bytes);
    }
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(weight_q), qnt_quantizer_destroy(input_q);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(static_input);
    RUN(dynamic_input);
    RUN(remainders);
    RUN(parts_of_images);
    RUN(parts_of_sums);
    RUN(others);
    RUN(extremes);
    RUN(packed_extremes);
    RUN(limit);
    RUN(codebook_weights);
    RUN(huge_images);
    return DONE;
}
