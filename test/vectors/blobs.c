/*
 * Blobs of every release load and give the results of their release, for ever.
 *
 * test/vectors/blobs holds NAME.blob and NAME.out, what it computed from fixed_input(). A new
 * release adds rows to the tables; nothing there ever changes. `blobs --write NAME...` makes the
 * files of new rows.
 */
#include "blob_case.h"
#include "layer/layer.h"

#define FOLDER "test/vectors/blobs/"

/* ---- the samples ---- */

struct layer_sample {
    const char *name;
    int64_t shape[4]; /* of the input; 0 ends it */
    layer_case c;     /* what it was made from */
};

#define FORMAT(k, b, f, z) {.kind = k, .bits = b, .flags = f, .zero = z, .scale = 0.03125f}
#define BOTH (QNT_SIGNED | QNT_SYMMETRIC)
#define DENSE(k, n, b, f, g, l)                                                                    \
    .batch = 2, .height = 1, .width = 3, .channels = k, .outputs = n, .kernel = {1, 1},            \
    .wbits = b, .wflags = f, .grain = g, .block = l, .has_bias = true
#define IMAGE(k, n, size, b, f)                                                                    \
    .batch = 1, .height = 6, .width = 7, .channels = k, .outputs = n, .kernel = {size, size},      \
    .wbits = b, .wflags = f, .grain = QNT_PER_AXIS, .has_bias = true

static const struct layer_sample layer_samples[] = {
    {"1.0_dense_8", {2, 3, 20},
     {.spec = {.activation = QNT_RELU}, DENSE(20, 19, 8, BOTH, QNT_PER_AXIS, 0),
      .in = FORMAT(STATIC, 8, 0, 128)}},
    {"1.0_dense_4_codes", {2, 3, 33},
     {.spec = {.activation = QNT_CLAMP, .low = -1.5f, .high = 2.0f},
      DENSE(33, 17, 4, 0, QNT_PER_AXIS, 0), .in = FORMAT(STATIC, 8, QNT_SIGNED, -3),
      .out = FORMAT(STATIC, 8, QNT_SIGNED, 5)}},
    {"1.0_dense_3_tensor", {2, 3, 40},
     {DENSE(40, 9, 3, QNT_SIGNED, QNT_PER_TENSOR, 0), .in = FORMAT(DYNAMIC, 8, 0, 0)}},
    {"1.0_dense_4_blocks", {2, 3, 70},
     {DENSE(70, 18, 4, BOTH, QNT_PER_BLOCK, 32), .in = FORMAT(DYNAMIC, 8, BOTH, 0)}},
    {"1.0_dense_2_blocks", {2, 3, 64},
     {.spec = {.flags = QNT_ACCUMULATE}, DENSE(64, 5, 2, 0, QNT_PER_BLOCK, 16),
      .in = FORMAT(DYNAMIC, 8, 0, 0)}},
    {"1.0_dense_3_weights", {2, 3, 50},
     {DENSE(50, 20, 3, QNT_SIGNED, QNT_PER_BLOCK, 32), .out = FORMAT(STATIC, 6, 0, 30)}},
    {"1.0_conv_8_groups", {1, 6, 7, 10},
     {.spec = {.kind = QNT_CONV, .groups = 2, .group_shift = 1, .pad = {1, 1, 1, 1}},
      IMAGE(5, 4, 3, 8, QNT_SIGNED), .in = FORMAT(STATIC, 8, 0, 100)}},
    {"1.0_conv_2_planes", {1, 6, 6, 7},
     {.spec = {.kind = QNT_CONV, .layout = QNT_NCHW, .stride = {2, 2}, .dilation = {1, 2},
               .pad = {0, 2, 1, 2}, .activation = QNT_RELU},
      IMAGE(6, 18, 3, 2, QNT_SIGNED), .in = FORMAT(DYNAMIC, 8, QNT_SIGNED, 0)}},
    {"1.0_conv_4_pixel", {1, 6, 7, 12},
     {.spec = {.kind = QNT_CONV}, IMAGE(12, 21, 1, 4, BOTH), .in = FORMAT(STATIC, 4, 0, 7),
      .out = FORMAT(STATIC, 4, 0, 8)}},
    {"1.0_conv_8_depthwise", {1, 6, 7, 24},
     {.spec = {.kind = QNT_CONV, .groups = 24, .pad = {1, 1, 1, 1}}, IMAGE(1, 1, 3, 8, BOTH),
      .in = FORMAT(STATIC, 8, QNT_SIGNED, 0), .out = FORMAT(STATIC, 8, QNT_SIGNED, -7)}},
};

struct quantizer_sample {
    const char *name;
    qnt_spec spec;
};

static const struct quantizer_sample quantizer_samples[] = {
    {"1.0_fixed_8", {.bits = 8}},
    {"1.0_mse_4_axis", {.method = QNT_MSE, .bits = 4, .flags = BOTH | QNT_NARROW,
                        .grain = QNT_PER_AXIS}},
    {"1.0_mse_3_offset", {.method = QNT_MSE, .bits = 3, .flags = QNT_REAL_OFFSET}},
    {"1.0_minmax_16", {.method = QNT_MINMAX, .bits = 16, .flags = QNT_SIGNED}},
    {"1.0_percentile_6_blocks", {.method = QNT_PERCENTILE, .bits = 6, .grain = QNT_PER_BLOCK,
                                 .axis = -1, .block = 5, .seed = 42}},
    {"1.0_kmeans_3_axis", {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 3, .grain = QNT_PER_AXIS}},
    {"1.0_nf4_blocks", {.scheme = QNT_TABLE, .method = QNT_NF4, .grain = QNT_PER_BLOCK, .axis = 1,
                        .block = 8}},
    {"1.0_teq_4", {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 4, .flags = QNT_SIGNED}},
    {"1.0_teq_3_literal", {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3,
                           .flags = QNT_SIGNED | QNT_LITERAL, .grain = QNT_PER_AXIS}},
    {"1.0_bases_3_axis", {.scheme = QNT_POINTS, .method = QNT_BASES, .points = 3, .grain = QNT_PER_AXIS}},
    {"1.0_multipoint_4_2", {.scheme = QNT_POINTS, .method = QNT_MULTIPOINT, .bits = 4, .points = 2}},
    {"1.0_dynamic_8", {.method = QNT_MINMAX, .bits = 8, .flags = QNT_DYNAMIC | QNT_SIGNED}},
};

/* Kernel maps are learned from fixed_input() itself, so that learning is pinned as well. */
struct map_sample {
    const char *name;
    qnt_ckn_spec spec;
};

static const struct map_sample map_samples[] = {
    {"1.0_map_32", {.channels = 2, .kernel = 3, .pad = 1, .filters = 10, .subsample = 2, .seed = 7}},
    {"1.0_map_4_8", {.channels = 1, .kernel = 5, .pad = 2, .filters = 17, .anchor_bits = 4,
                     .patch_bits = 8, .sigma = 0.4f}},
    {"1.0_map_3_32", {.channels = 2, .kernel = 2, .filters = 9, .anchor_bits = 3}},
    {"1.0_map_1", {.channels = 3, .kernel = 3, .filters = 12, .subsample = 3, .anchor_bits = 1,
                   .patch_bits = 1, .centre = 1, .regulariser = -1}},
};

/* Layers of packed digits: weights from fixed_digits(), thresholds or a norm from simple formulas. */
struct digit_sample {
    const char *name;
    int64_t outputs, kernel[2], channels, height, width; /* channels of a group; pixels with border */
    qnt_conv conv;
    qnt_lowbit_spec spec;
    int kind;      /* 0 thresholds, 1 floats, 2 floats and digits */
    unsigned bits; /* of weights */
};

static const struct digit_sample digit_samples[] = {
    {"1.0_digits_groups", 70, {3, 3}, 5, 6, 9, {.groups = 2, .group_shift = 1},
     {.step = 2, .zero = -3, .flags = QNT_RELU_LAST, .pad = {1, 1, 1, 1}}, 2, 2},
    {"1.0_digits_transposed", 12, {1, 1}, 7, 3, 4, {.groups = 3},
     {.step = 1, .zero = -1, .flags = QNT_RELU_FIRST | QNT_TRANSPOSE, .groups = 1}, 2, 2},
    {"1.0_digits_thresholds", 65, {2, 3}, 5, 5, 9, {.stride = {1, 2}, .dilation = {2, 1}},
     {.step = 1, .zero = 0}, 0, 2},
    {"1.0_digits_wide", 4, {1, 2}, 9, 2, 5, {.groups = 2}, {.step = 700, .zero = -900}, 0, 2},
    {"1.0_digits_floats", 9, {5, 1}, 4, 6, 3, {.groups = 1}, {.step = 2, .zero = -1}, 1, 2},
    {"1.0_digits_ones", 140, {3, 2}, 8, 5, 9, {.groups = 2, .group_shift = 1},
     {.step = 2, .zero = -1, .pad = {0, 1, 0, 1}}, 2, 1},
};

/* Dense layers with a base of signs for each output, planes of bits times numbers or signs; those with
 * integers that int8 does not hold; and codes of 5 to 7 bits that are looked up for a float input, or for
 * codes that are decoded; points in columns of their own. */
struct plane_sample {
    const char *name;
    int64_t rows, outputs, inputs;
    int bits; /* of the input; 0: signs */
    /* products of floats: a float input; one with real levels; one that is quantized row by row */
    enum { PLAIN, TABLE_WORDS, OWN_WORDS, PLACES, LEVELS, DECODED, DECODED_ROWS,
           BLOCK_TABLES, POINTS } words;
};

static const struct plane_sample plane_samples[] = {
    {"1.0_planes_3", 5, 256, 128, 3, PLAIN},
    {"1.0_planes_signs", 3, 130, 256, 0, PLAIN},
    {"1.0_words_table", 5, 19, 150, 3, TABLE_WORDS},
    {"1.0_words_own", 5, 19, 150, 2, OWN_WORDS},
    {"1.0_places_5", 5, 19, 150, 5, PLACES},
    {"1.0_levels_6", 5, 19, 150, 6, LEVELS},
    {"1.0_decoded_5", 5, 19, 150, 5, DECODED},
    {"1.0_decoded_rows_6", 5, 19, 150, 6, DECODED_ROWS},
    {"1.0_block_tables_3", 5, 19, 192, 3, BLOCK_TABLES},
    {"1.0_points_3", 5, 150, 90, 3, POINTS},
};

enum {
    PLANES = sizeof plane_samples / sizeof *plane_samples,
    LAYERS = sizeof layer_samples / sizeof *layer_samples,
    QUANTIZERS = sizeof quantizer_samples / sizeof *quantizer_samples,
    MAPS = sizeof map_samples / sizeof *map_samples,
    DIGITS = sizeof digit_samples / sizeof *digit_samples,
    SIDE = 12,
    IMAGES = 20,
    ROWS = 6,
    COLUMNS = 16
};

/* ---- inputs and results ---- */

/* The same floats on every machine. */
static float *fixed_input(size_t n)
{
    float *x = zeroed(n, sizeof *x);
    uint32_t state = 12345;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)((int32_t)(state >> 8 & 0xfff) - 2048) / 512.0f;
    }
    return x;
}

static uint8_t *layer_result(const qnt_context *context, const struct layer_sample *s,
                             const qnt_layer *layer, size_t *bytes)
{
    int ndim = s->shape[3] ? 4 : 3;
    size_t n = 1;
    for (int d = 0; d < ndim; d++) n *= (size_t)s->shape[d];
    float *x = fixed_input(n);
    check_tensor v = {0};
    uint8_t *y = run_layer(context, layer, check_view(&v, x, QNT_FLOAT, 32, ndim, s->shape), bytes);
    free(x);
    return y;
}

static uint8_t *quantizer_result(const qnt_context *context, const qnt_quantizer *q, size_t *bytes)
{
    float *x = fixed_input(ROWS * COLUMNS), *y = fixed_input(ROWS * COLUMNS);
    CHECK_MSG(qnt_quantizer_apply(context, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
                                  TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)) == QNT_OK,
              "%s", check_reason);
    free(x);
    *bytes = ROWS * COLUMNS * sizeof *y;
    return (uint8_t *)y;
}

static int32_t read_image(void *user, uint64_t index, float *image)
{
    const float *all = user;
    memcpy(image, all + index, SIDE * SIDE * 3 * sizeof *image);
    return 0;
}

static qnt_ckn *learn_map(const qnt_context *context, const struct map_sample *s)
{
    qnt_ckn *map = NULL;
    qnt_ckn_spec spec = s->spec;
    float *x = fixed_input(SIDE * SIDE * 3 + IMAGES);
    qnt_ckn_data data = {.size = sizeof data, .height = SIDE, .width = SIDE, .rounds = 5,
                         .images = IMAGES, .patches = 300, .read = read_image, .user = x};
    spec.size = sizeof spec;
    CHECK_MSG(qnt_ckn_create(context, &spec, &map) == QNT_OK &&
                  qnt_ckn_fit(context, map, &data) == QNT_OK,
              "%s: %s", s->name, check_reason);
    free(x);
    return map;
}

static uint8_t *map_result(const qnt_context *context, const struct map_sample *s,
                           const qnt_ckn *map, size_t *bytes)
{
    float *x = fixed_input(SIDE * SIDE * 3);
    uint8_t *y = run_map(context, map,
                         TENSOR(x, QNT_FLOAT, 32, 1, SIDE, SIDE, s->spec.channels), bytes);
    free(x);
    return y;
}

/* The same digits on every machine. */
static uint8_t *fixed_digits(size_t n, unsigned bits)
{
    uint8_t *x = zeroed(n, 1);
    uint32_t state = 54321;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (uint8_t)(state >> 20 & ((1u << bits) - 1));
    }
    return x;
}

static qnt_lowbit_layer *make_digits(const qnt_context *context, const struct digit_sample *s)
{
    enum { MOST = 140 /* outputs */ };
    float scale[MOST], shift[MOST];
    int32_t limit[MOST][3];
    uint8_t falling[MOST];
    const int64_t o = s->outputs;
    qnt_conv conv = s->conv;
    qnt_lowbit_spec spec = s->spec;
    qnt_spec two_bits = {.size = sizeof two_bits, .bits = 2};
    qnt_quantizer *q = NULL;
    qnt_lowbit_layer *layer = NULL;
    const size_t digits = (size_t)(o * s->kernel[0] * s->kernel[1] * s->channels);
    uint8_t *w = fixed_digits(digits, s->bits);
    qnt_tensor *weight = TENSOR(w, QNT_UINT, 8, o, s->kernel[0], s->kernel[1], s->channels);
    conv.size = sizeof conv, spec.size = sizeof spec;
    for (int i = 0; i < o; i++) {
        scale[i] = (float)(i % 7 - 3) * 0.125f, shift[i] = (float)(i % 5) * 0.25f;
        falling[i] = i % 3 == 1;
        for (int k = 0; k < 3; k++)
            limit[i][k] = (falling[i] ? 2 - k : k) * 9 * s->spec.step + i % 11 * s->spec.step;
    }
    qnt_status status;
    if (s->kind == 0) {
        status = qnt_lowbit_layer_of_thresholds(context, &conv, &spec, weight,
                                                TENSOR(limit, QNT_INT, 32, o, 3),
                                                TENSOR(falling, QNT_UINT, 8, o), &layer);
    } else {
        CHECK(qnt_quantizer_create(context, &two_bits, &q) == QNT_OK &&
              qnt_quantizer_set(context, q, QNT_P_SCALE, (double[]){0.75}, 1) == QNT_OK);
        status = qnt_lowbit_layer_create(
            context, &conv, &spec, weight, TENSOR(scale, QNT_FLOAT, 32, o),
            TENSOR(shift, QNT_FLOAT, 32, o), s->kind == 2 ? q : NULL, &layer);
        qnt_quantizer_destroy(q);
    }
    CHECK_MSG(status == QNT_OK, "%s: %s", s->name, check_reason);
    free(w);
    return layer;
}

static uint8_t *digit_result(const qnt_context *context, const struct digit_sample *s,
                             const qnt_lowbit_layer *layer, size_t *bytes)
{
    const int64_t groups = layer->head.groups, triples = (s->channels + 2) / 3;
    uint8_t *x = fixed_digits((size_t)(s->height * s->width * groups * triples), 6);
    uint8_t *y = run_digits(context, layer,
                            TENSOR(x, QNT_UINT, 8, 1, s->height, s->width, groups, triples), bytes);
    free(x);
    return y;
}

static qnt_quantizer *make_q(const qnt_context *context, qnt_spec spec, double scale)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec;
    CHECK_MSG(qnt_quantizer_create(context, &spec, &q) == QNT_OK &&
                  qnt_quantizer_set(context, q, QNT_P_SCALE, &scale, 1) == QNT_OK,
              "%s", check_reason);
    return q;
}

/* Inputs with levels of 16 bits; weights with such levels in one table, or with a zero point for each
 * output. */
static qnt_layer *make_words(const qnt_context *context, const struct plane_sample *s)
{
    enum { MOST = 64 };
    double scale[MOST], level[MOST], zero[MOST];
    const bool table = s->words == TABLE_WORDS;
    const size_t levels = (size_t)1 << s->bits, n = (size_t)s->outputs;
    qnt_spec codes = {.size = sizeof codes, .scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = s->bits};
    qnt_spec of_weights = {.size = sizeof of_weights, .bits = 6, .grain = QNT_PER_AXIS};
    qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE, .activation = QNT_RELU};
    qnt_quantizer *weight = NULL, *in = NULL;
    qnt_layer *layer = NULL;
    float *w = fixed_input((size_t)(s->outputs * s->inputs)),
          *bias = fixed_input((size_t)s->outputs);
    for (size_t i = 0; i < MOST; i++) {
        scale[i] = (table ? 0.0005 : 0.125) / (1 << i % 5), zero[i] = 20 + (double)(i % 9);
        level[i] = i < 32 ? -32767 + 1024 * (double)i : (double)(i - 32) * (double)(i - 32) * 34;
    }
    if (table) of_weights.scheme = QNT_TABLE, of_weights.method = QNT_LEVELS;
    CHECK(qnt_quantizer_create(context, &of_weights, &weight) == QNT_OK);
    if (table) CHECK(qnt_quantizer_set(context, weight, QNT_P_LEVELS, level, MOST) == QNT_OK);
    CHECK(qnt_quantizer_set(context, weight, QNT_P_SCALE, scale, n) == QNT_OK);
    if (!table) CHECK(qnt_quantizer_set(context, weight, QNT_P_ZERO, zero, n) == QNT_OK);
    for (size_t i = 0; i < levels; i++) level[i] = (double)i * 7001 - 20000;
    CHECK(qnt_quantizer_create(context, &codes, &in) == QNT_OK &&
          qnt_quantizer_set(context, in, QNT_P_LEVELS, level, levels) == QNT_OK &&
          qnt_quantizer_set(context, in, QNT_P_SCALE, (double[]){0.0001}, 1) == QNT_OK);
    qnt_tensor *t = TENSOR(w, QNT_FLOAT, 32, s->outputs, s->inputs);
    CHECK_MSG(qnt_layer_create(context, &dense, t, weight, TENSOR(bias, QNT_FLOAT, 32, s->outputs), in,
                               NULL, &layer) == QNT_OK,
              "%s: %s", s->name, check_reason);
    CHECK(layer->head.arithmetic == QNT__WORDS && QNT__WORDS == 5);
    CHECK(layer->head.cell_bits == (table ? 6 : 16));
    qnt_quantizer_destroy(weight), qnt_quantizer_destroy(in);
    free(w), free(bias);
    return layer;
}

/* Codes of 4 bits whose levels are no integers. */
static qnt_quantizer *make_real(const qnt_context *context)
{
    double level[16];
    qnt_quantizer *q = NULL;
    qnt_spec codes = {.size = sizeof codes, .scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = 4};
    for (int i = 0; i < 16; i++) level[i] = 0.375 * i * i - 11.3;
    CHECK(qnt_quantizer_create(context, &codes, &q) == QNT_OK &&
          qnt_quantizer_set(context, q, QNT_P_LEVELS, level, 16) == QNT_OK &&
          qnt_quantizer_set(context, q, QNT_P_SCALE, (double[]){0.3}, 1) == QNT_OK);
    return q;
}

/* Codes as places in a table of integers, or of real levels. */
static qnt_layer *make_wide(const qnt_context *context, const struct plane_sample *s)
{
    enum { MOST = 64 };
    double level[MOST], scale[MOST];
    const bool real = s->words == LEVELS || s->words == DECODED_ROWS;
    const size_t levels = (size_t)1 << s->bits;
    qnt_spec codes = {.size = sizeof codes, .scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = s->bits,
                      .grain = QNT_PER_AXIS};
    qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE};
    qnt_quantizer *weight = NULL, *in = NULL;
    qnt_layer *layer = NULL;
    float *w = fixed_input((size_t)(s->outputs * s->inputs)),
          *bias = fixed_input((size_t)s->outputs);
    if (s->words == DECODED) in = make_real(context);
    if (s->words == DECODED_ROWS) {
        qnt_spec rows = {.size = sizeof rows, .bits = 8, .method = QNT_MINMAX, .flags = QNT_DYNAMIC};
        CHECK(qnt_quantizer_create(context, &rows, &in) == QNT_OK);
    }
    for (size_t i = 0; i < MOST; i++) {
        scale[i] = 0.25 / (1 << i % 5);
        level[i] = ((double)i - (double)(levels / 2)) * (real ? 0.4375 : 3);
    }
    CHECK(qnt_quantizer_create(context, &codes, &weight) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_LEVELS, level, levels) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_SCALE, scale, (size_t)s->outputs) == QNT_OK);
    CHECK_MSG(qnt_layer_create(context, &dense, TENSOR(w, QNT_FLOAT, 32, s->outputs, s->inputs), weight,
                               TENSOR(bias, QNT_FLOAT, 32, s->outputs), in, NULL, &layer) == QNT_OK,
              "%s: %s", s->name, check_reason);
    CHECK(layer->head.arithmetic == QNT__DECODE && layer->head.cell_bits == s->bits);
    CHECK(!layer->tables == real && !layer->levels == !real);
    CHECK(!layer->input_book == (s->words != DECODED));
    qnt_quantizer_destroy(weight), qnt_quantizer_destroy(in);
    free(w), free(bias);
    return layer;
}

/* Exponential codes in blocks of 64, each with levels of its own. */
static qnt_layer *make_block_tables(const qnt_context *context, const struct plane_sample *s)
{
    enum { BLOCK = 64, MOST = 19 * 3 };
    double alpha[MOST], beta[MOST];
    qnt_spec codes = {.size = sizeof codes, .scheme = QNT_EXP, .bits = s->bits, .flags = QNT_SIGNED,
                      .grain = QNT_PER_BLOCK, .axis = 1, .block = BLOCK};
    qnt_layer_spec dense = {.size = sizeof dense};
    qnt_quantizer *weight = NULL, *in = make_q(context, (qnt_spec){.bits = 8}, 0.03125);
    qnt_layer *layer = NULL;
    float *w = fixed_input((size_t)(s->outputs * s->inputs)),
          *bias = fixed_input((size_t)s->outputs);
    for (int i = 0; i < MOST; i++) alpha[i] = 0.125 / (1 << i % 5), beta[i] = 0.0625 * (i % 7);
    const size_t groups = (size_t)(s->outputs * s->inputs / BLOCK);
    CHECK(groups == MOST && qnt_quantizer_set(context, in, QNT_P_ZERO, (double[]){120}, 1) == QNT_OK);
    CHECK(qnt_quantizer_create(context, &codes, &weight) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_BASE, (double[]){1.5}, 1) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_ALPHA, alpha, groups) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_BETA, beta, groups) == QNT_OK);
    CHECK_MSG(qnt_layer_create(context, &dense, TENSOR(w, QNT_FLOAT, 32, s->outputs, s->inputs), weight,
                               TENSOR(bias, QNT_FLOAT, 32, s->outputs), in, NULL, &layer) == QNT_OK,
              "%s: %s", s->name, check_reason);
    CHECK(layer->head.cell_bits == 4 && (layer->head.arrays & QNT__HAS_BLOCK_TABLES));
    qnt_quantizer_destroy(weight), qnt_quantizer_destroy(in);
    free(w), free(bias);
    return layer;
}

/* Points of 3 bits: one for each output, two for one in four, none for some. */
static qnt_layer *make_points(const qnt_context *context, const struct plane_sample *s)
{
    enum { MOST = 150 };
    double scale[MOST], coef[2 * MOST];
    qnt_spec points = {.size = sizeof points, .scheme = QNT_POINTS, .method = QNT_MULTIPOINT,
                       .bits = s->bits, .points = 2, .grain = QNT_PER_AXIS};
    qnt_layer_spec dense = {.size = sizeof dense};
    qnt_quantizer *weight = NULL, *in = make_q(context, (qnt_spec){.bits = 8}, 0.03125);
    qnt_layer *layer = NULL;
    float *w = fixed_input((size_t)(s->outputs * s->inputs)),
          *bias = fixed_input((size_t)s->outputs);
    for (int i = 0; i < MOST; i++) {
        scale[i] = 0.125 / (1 << i % 5);
        coef[2 * i] = i % 11 == 7 ? 0 : i % 4 == 1 ? 3 + i % 2 : 9 + i % 5;
        coef[2 * i + 1] = i % 4 == 1 && coef[2 * i] != 0 ? i % 3 - 22 : 0;
    }
    const size_t n = (size_t)s->outputs;
    CHECK(n == MOST && qnt_quantizer_set(context, in, QNT_P_ZERO, (double[]){120}, 1) == QNT_OK);
    CHECK(qnt_quantizer_create(context, &points, &weight) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_SCALE, scale, n) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_COEF, coef, 2 * n) == QNT_OK);
    CHECK_MSG(qnt_layer_create(context, &dense, TENSOR(w, QNT_FLOAT, 32, s->outputs, s->inputs), weight,
                               TENSOR(bias, QNT_FLOAT, 32, s->outputs), in, NULL, &layer) == QNT_OK,
              "%s: %s", s->name, check_reason);
    CHECK(layer->head.cell_bits == 3 && (layer->head.arrays & QNT__HAS_POINTS));
    qnt_quantizer_destroy(weight), qnt_quantizer_destroy(in);
    free(w), free(bias);
    return layer;
}

/* Coefficients 1 to 7, one output in eleven without a base. */
static qnt_layer *make_planes(const qnt_context *context, const struct plane_sample *s)
{
    enum { MOST = 256 };
    double scale[MOST], coef[MOST];
    qnt_spec bases = {.size = sizeof bases, .scheme = QNT_POINTS, .method = QNT_BASES, .points = 1};
    qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE};
    if (s->words == POINTS) return make_points(context, s);
    if (s->words == BLOCK_TABLES) return make_block_tables(context, s);
    if (s->words >= PLACES) return make_wide(context, s);
    if (s->words != PLAIN) return make_words(context, s);
    qnt_quantizer *weight = NULL, *in;
    qnt_layer *layer = NULL;
    float *w = fixed_input((size_t)(s->outputs * s->inputs)),
          *bias = fixed_input((size_t)s->outputs);
    if (s->bits) {
        in = make_q(context, (qnt_spec){.bits = s->bits}, 0.25);
        CHECK(qnt_quantizer_set(context, in, QNT_P_ZERO, (double[]){3}, 1) == QNT_OK);
    } else {
        in = make_q(context, bases, 0.25);
        CHECK(qnt_quantizer_set(context, in, QNT_P_COEF, (double[]){5}, 1) == QNT_OK);
    }
    for (int i = 0; i < s->outputs; i++)
        scale[i] = 1.0 / (1 << i % 5), coef[i] = i % 11 == 7 ? 0 : 1 + i % 7;
    bases.grain = QNT_PER_AXIS;
    size_t n = (size_t)s->outputs;
    qnt_tensor *t = TENSOR(w, QNT_FLOAT, 32, s->outputs, s->inputs);
    CHECK(qnt_quantizer_create(context, &bases, &weight) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_SCALE, scale, n) == QNT_OK &&
          qnt_quantizer_set(context, weight, QNT_P_COEF, coef, n) == QNT_OK);
    CHECK_MSG(qnt_layer_create(context, &dense, t, weight, TENSOR(bias, QNT_FLOAT, 32, s->outputs),
                               in, NULL, &layer) == QNT_OK,
              "%s: %s", s->name, check_reason);
    CHECK(layer->head.arithmetic == QNT__PLANES && QNT__PLANES == 4);
    qnt_quantizer_destroy(weight), qnt_quantizer_destroy(in);
    free(w), free(bias);
    return layer;
}

static uint8_t *plane_result(const qnt_context *context, const struct plane_sample *s,
                             const qnt_layer *layer, size_t *bytes)
{
    float *x = fixed_input((size_t)(s->rows * s->inputs));
    uint8_t *y = run_layer(context, layer, TENSOR(x, QNT_FLOAT, 32, s->rows, s->inputs), bytes);
    free(x);
    return y;
}

/* ---- files ---- */

static FILE *open_file(const char *name, const char *ending, const char *mode)
{
    char path[200];
    snprintf(path, sizeof path, FOLDER "%s.%s", name, ending);
    return fopen(path, mode);
}

/* 64-byte aligned; NULL if there is no such file. */
static uint8_t *read_file(const char *name, const char *ending, size_t *bytes)
{
    FILE *f = open_file(name, ending, "rb");
    CHECK_MSG(f, "%s.%s is missing", name, ending);
    if (!f) return NULL;
    uint8_t *data = aligned_alloc(64, 1 << 20);
    *bytes = fread(data, 1, 1 << 20, f);
    fclose(f);
    return data;
}

static void compare(const char *name, const char *what, const uint8_t *got, size_t n,
                    const uint8_t *expected, size_t m)
{
    CHECK_MSG(got && n == m && !memcmp(got, expected, n), "%s: %s differs", name, what);
}

/* ---- the tests ---- */

static void layers(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < LAYERS; i++) {
        const struct layer_sample *s = &layer_samples[i];
        size_t length, m, n;
        uint8_t *blob = read_file(s->name, "blob", &length),
                *expected = read_file(s->name, "out", &m);
        for (int turn = 0; turn < 8 && blob && expected; turn++) {
            qnt_layer *layer;
            qnt_context_set_cpu(context, cpu_level(turn / 2));
            OK(qnt_layer_load(context, blob, length, turn % 2 ? QNT_BORROW : 0, &layer));
            uint8_t *copy = saved_layer(context, layer, &n);
            compare(s->name, "the blob saved again", copy, n, blob, length);
            uint8_t *y = layer_result(context, s, layer, &n);
            compare(s->name, "the result", y, n, expected, m);
            free(y);
            free(copy);
            qnt_layer_destroy(layer);
        }
        free(blob);
        free(expected);
    }
    qnt_context_destroy(context);
}

static void quantizers(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < QUANTIZERS; i++) {
        const char *name = quantizer_samples[i].name;
        size_t length, m, n;
        uint8_t *blob = read_file(name, "blob", &length), *expected = read_file(name, "out", &m);
        if (blob && expected) {
            qnt_quantizer *q;
            OK(qnt_quantizer_load(context, blob, length, &q));
            uint8_t *copy = saved_quantizer(context, q, &n);
            compare(name, "the blob saved again", copy, n, blob, length);
            uint8_t *y = quantizer_result(context, q, &n);
            compare(name, "the result", y, n, expected, m);
            free(y);
            free(copy);
            qnt_quantizer_destroy(q);
        }
        free(blob);
        free(expected);
    }
    qnt_context_destroy(context);
}

static void maps(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < MAPS; i++) {
        const struct map_sample *s = &map_samples[i];
        size_t length, m, n;
        uint8_t *blob = read_file(s->name, "blob", &length),
                *expected = read_file(s->name, "out", &m);
        for (int turn = 0; turn < 4 && blob && expected; turn++) {
            qnt_ckn *map, *learned;
            qnt_context_set_cpu(context, cpu_level(turn));
            OK(qnt_ckn_load(context, blob, length, &map));
            learned = learn_map(context, s);
            uint8_t *copy = saved_map(context, map, &n);
            compare(s->name, "the blob saved again", copy, n, blob, length);
            free(copy);
            copy = saved_map(context, learned, &n);
            compare(s->name, "what is learned", copy, n, blob, length);
            uint8_t *y = map_result(context, s, map, &n);
            compare(s->name, "the result", y, n, expected, m);
            free(y);
            free(copy);
            qnt_ckn_destroy(learned);
            qnt_ckn_destroy(map);
        }
        free(blob);
        free(expected);
    }
    qnt_context_destroy(context);
}

/* Loaded and made again: the same bytes, the same results. */
static void digits(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < DIGITS; i++) {
        const struct digit_sample *s = &digit_samples[i];
        size_t length, m, n;
        uint8_t *blob = read_file(s->name, "blob", &length),
                *expected = read_file(s->name, "out", &m);
        for (int turn = 0; turn < 8 && blob && expected; turn++) {
            qnt_lowbit_layer *layer, *made;
            qnt_context_set_cpu(context, cpu_level(turn / 2));
            OK(qnt_lowbit_layer_load(context, blob, length, turn % 2 ? QNT_BORROW : 0, &layer));
            made = make_digits(context, s);
            uint8_t *copy = saved_digits(context, layer, &n);
            compare(s->name, "the blob saved again", copy, n, blob, length);
            free(copy);
            copy = saved_digits(context, made, &n);
            compare(s->name, "what is made", copy, n, blob, length);
            uint8_t *y = digit_result(context, s, layer, &n);
            compare(s->name, "the result", y, n, expected, m);
            free(y), free(copy);
            qnt_lowbit_layer_destroy(layer), qnt_lowbit_layer_destroy(made);
        }
        free(blob), free(expected);
    }
    qnt_context_destroy(context);
}

/* Loaded and made again: the same bytes, the same results. */
static void planes(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < PLANES; i++) {
        const struct plane_sample *s = &plane_samples[i];
        size_t length, m, n;
        uint8_t *blob = read_file(s->name, "blob", &length),
                *expected = read_file(s->name, "out", &m);
        for (int turn = 0; turn < 8 && blob && expected; turn++) {
            qnt_layer *layer, *made;
            qnt_context_set_cpu(context, cpu_level(turn / 2));
            OK(qnt_layer_load(context, blob, length, turn % 2 ? QNT_BORROW : 0, &layer));
            made = make_planes(context, s);
            uint8_t *copy = saved_layer(context, layer, &n);
            compare(s->name, "the blob saved again", copy, n, blob, length);
            free(copy);
            copy = saved_layer(context, made, &n);
            compare(s->name, "what is made", copy, n, blob, length);
            uint8_t *y = plane_result(context, s, layer, &n);
            compare(s->name, "the result", y, n, expected, m);
            free(y), free(copy);
            qnt_layer_destroy(layer), qnt_layer_destroy(made);
        }
        free(blob), free(expected);
    }
    qnt_context_destroy(context);
}

/* ---- making new samples ---- */

static void write_file(const char *name, const char *ending, const uint8_t *data, size_t n)
{
    FILE *f = open_file(name, ending, "wbx");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) {
        printf("%s.%s exists or cannot be written\n", name, ending);
        exit(2);
    }
}

static void write_layer(const qnt_context *context, const struct layer_sample *s)
{
    layer_case c = s->c;
    size_t length, n;
    c.spec.size = sizeof c.spec;
    layer_data d = random_data(&c);
    qnt_layer *layer = make_layer(context, &c, &d);
    uint8_t *blob = saved_layer(context, layer, &length);
    uint8_t *y = layer_result(context, s, layer, &n);
    write_file(s->name, "blob", blob, length);
    write_file(s->name, "out", y, n);
}

static void write_quantizer(const qnt_context *context, const struct quantizer_sample *s)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = s->spec;
    float *x = fixed_input(ROWS * COLUMNS);
    size_t length, n;
    spec.size = sizeof spec;
    if (qnt_quantizer_create(context, &spec, &q) != QNT_OK) exit(2);
    if (spec.method == QNT_FIXED) {
        qnt_quantizer_set(context, q, QNT_P_SCALE, (double[]){0.015625}, 1);
        qnt_quantizer_set(context, q, QNT_P_ZERO, (double[]){100.0}, 1);
    } else if (!(spec.flags & QNT_DYNAMIC)) {
        qnt_quantizer_observe(context, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), NULL);
        qnt_quantizer_fit(context, q);
    }
    uint8_t *blob = saved_quantizer(context, q, &length), *y = quantizer_result(context, q, &n);
    write_file(s->name, "blob", blob, length);
    write_file(s->name, "out", y, n);
}

static void write_map(const qnt_context *context, const struct map_sample *s)
{
    size_t length, n;
    qnt_ckn *map = learn_map(context, s);
    uint8_t *blob = saved_map(context, map, &length), *y = map_result(context, s, map, &n);
    write_file(s->name, "blob", blob, length);
    write_file(s->name, "out", y, n);
}

static void write_digits(const qnt_context *context, const struct digit_sample *s)
{
    size_t length, n;
    qnt_lowbit_layer *layer = make_digits(context, s);
    uint8_t *blob = saved_digits(context, layer, &length), *y = digit_result(context, s, layer, &n);
    write_file(s->name, "blob", blob, length);
    write_file(s->name, "out", y, n);
}

static void write_planes(const qnt_context *context, const struct plane_sample *s)
{
    size_t length, n;
    qnt_layer *layer = make_planes(context, s);
    uint8_t *blob = saved_layer(context, layer, &length), *y = plane_result(context, s, layer, &n);
    write_file(s->name, "blob", blob, length);
    write_file(s->name, "out", y, n);
}

static int write_samples(int count, char **names)
{
    qnt_context *context = check_context();
    check_state = 1;
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < LAYERS; k++) {
            const struct layer_sample *s = &layer_samples[k];
            if (!strcmp(s->name, names[i])) write_layer(context, s);
        }
        for (int k = 0; k < QUANTIZERS; k++) {
            const struct quantizer_sample *s = &quantizer_samples[k];
            if (!strcmp(s->name, names[i])) write_quantizer(context, s);
        }
        for (int k = 0; k < MAPS; k++) {
            const struct map_sample *s = &map_samples[k];
            if (!strcmp(s->name, names[i])) write_map(context, s);
        }
        for (int k = 0; k < DIGITS; k++) {
            const struct digit_sample *s = &digit_samples[k];
            if (!strcmp(s->name, names[i])) write_digits(context, s);
        }
        for (int k = 0; k < PLANES; k++) {
            const struct plane_sample *s = &plane_samples[k];
            if (!strcmp(s->name, names[i])) write_planes(context, s);
        }
    }
    return check_bad != 0;
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    if (argc > 1 && !strcmp(argv[1], "--write")) return write_samples(argc - 2, argv + 2);
    RUN(layers);
    RUN(quantizers);
    RUN(maps);
    RUN(digits);
    RUN(planes);
    return DONE;
}
