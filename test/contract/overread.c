/*
 * Public functions that take tensors, on guarded memory: not a byte beyond the described elements is
 * read or written, whatever the strides and the alignment, and results do not change. (Layers of packed
 * digits and kernel maps: unit/lowbit_shapes.c, unit/ckn_map.c.)
 */
#include "recipes.h"
#include "views.h"

static qnt_context *context;

enum { ROWS = 5, COLUMNS = 29, COUNT = ROWS * COLUMNS };

static float values[COUNT];

/* ---- quantizers ---- */

static qnt_status run_encode(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_quantizer_encode(context, self, in[0], out);
}

static qnt_status run_decode(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_quantizer_decode(context, self, in[0], out);
}

static qnt_status run_apply(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_quantizer_apply(context, self, in[0], out);
}

/* Floats of a type as raw bytes; any 16-bit pattern with a small exponent is a value. */
static void fill_half(uint16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (uint16_t)(random_u64() & 0xbfff);
}

/* Encode, decode and apply with one quantizer, for one type of float. */
static void exercise_quantizer(qnt_quantizer *q, int bits, bool is_signed, int code, int width)
{
    uint16_t halves[COUNT];
    uint32_t floats[COUNT];
    uint8_t codes[2 * COUNT + 1];
    fill_half(halves, COUNT);
    void *data = width == 32 ? (void *)values : (void *)halves;
    qnt_tensor *x = TENSOR(data, code, width, ROWS, COLUMNS);
    qnt_tensor *y = TENSOR(floats, code, width, ROWS, COLUMNS);
    int type = is_signed ? QNT_INT : QNT_UINT;
    qnt_tensor *packed = TENSOR(codes, type, bits, ROWS, COLUMNS);
    qnt_tensor *bytes = TENSOR(codes, type, 8, ROWS, COLUMNS);

    exercise(&(struct operation){"encode", run_encode, q, {x}, packed});
    exercise(&(struct operation){"decode", run_decode, q, {packed}, y});
    if (bits < 8) {
        exercise(&(struct operation){"encode to bytes", run_encode, q, {x}, bytes});
        exercise(&(struct operation){"decode bytes", run_decode, q, {bytes}, y});
    }
    exercise(&(struct operation){"apply", run_apply, q, {x}, y});
}

static qnt_quantizer *grained_quantizer(int bits, int flags, int grain, int axis, int64_t block)
{
    qnt_quantizer *q = new_quantizer(context, grained(QNT_FIXED, bits, flags, grain, axis, block));
    double scales[COUNT];
    size_t extents[2] = {ROWS, COLUMNS}, groups = 1;
    if (grain == QNT_PER_AXIS) groups = extents[axis];
    if (grain == QNT_PER_BLOCK) {
        groups = extents[1 - axis] * ((extents[axis] + (size_t)block - 1) / (size_t)block);
    }
    for (size_t i = 0; i < groups; i++) scales[i] = 0.05 + random_unit();
    MUST(qnt_quantizer_set(context, q, QNT_P_SCALE, scales, groups));
    return q;
}

static void quantizers(void)
{
    static const struct { int grain, axis, block; } grains[] = {
        {QNT_PER_TENSOR, 0, 0}, {QNT_PER_AXIS, 0, 0}, {QNT_PER_AXIS, 1, 0},
        {QNT_PER_BLOCK, 1, 8},  {QNT_PER_BLOCK, 0, 2}};
    static const struct { int code, width; } floats[] = {
        {QNT_FLOAT, 32}, {QNT_FLOAT, 16}, {QNT_BFLOAT, 16}};
    static const int widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 16};
    fill_floats(values, COUNT);
    size_t turn = 0;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        for (size_t g = 0; g < sizeof grains / sizeof *grains; g++, turn++) {
            int flags = turn % 2 ? QNT_SIGNED : 0;
            qnt_quantizer *q = grained_quantizer(widths[w], flags, grains[g].grain, grains[g].axis,
                                                 grains[g].block);
            exercise_quantizer(q, widths[w], flags, floats[turn % 3].code, floats[turn % 3].width);
            qnt_quantizer_destroy(q);
        }
    }
}

/* ---- kernels ---- */

static qnt_status run_gemm(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_gemm_s8(context, in[0], -3, in[1], in[2], out);
}

static qnt_status run_conv(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_conv_s8(context, self, in[0], 5, in[1], out);
}

static qnt_status run_table(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_gemm_table(context, in[0], in[1], in[2], in[3], out);
}

static qnt_status run_exp(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_gemm_exp(context, in[0], self, in[1], self, out);
}

static qnt_status run_dot_exp(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_dot_exp(context, *(int32_t *)self, in[0], in[1], out);
}

/* Products of codes without arithmetic of their own. */
static void codebooks(void)
{
    static uint8_t a[1024], b[1024];
    int32_t counts[508];
    int16_t levels[256];
    float c[160];
    fill_bytes(a, sizeof a);
    fill_bytes(b, sizeof b);
    fill_bytes(levels, sizeof levels);
    for (int32_t bits = 2; bits <= 7; bits++) {
        qnt_exp exp = {.size = sizeof exp, .exponent_bits = bits, .base = 1.1, .alpha = 1.0, .beta = 0.5};
        int64_t count = 1 << bits;
        exercise(&(struct operation){"gemm_table", run_table, NULL,
                                     {TENSOR(a, QNT_UINT, bits, 5, 19),
                                      TENSOR(levels, QNT_INT, bits % 2 ? 8 : 16, count),
                                      TENSOR(b, QNT_UINT, bits, 21, 19), TENSOR(levels, QNT_INT, 8, count)},
                                     TENSOR(c, QNT_INT, 32, 5, 21)});
        exercise(&(struct operation){"gemm_exp", run_exp, &exp,
                                     {TENSOR(a, QNT_UINT, bits, 3, 70),
                                      TENSOR(b, QNT_UINT, bits + 1, 6, 70)},
                                     TENSOR(c, QNT_FLOAT, 32, 3, 6)});
        exercise(&(struct operation){"dot_exp", run_dot_exp, &bits,
                                     {TENSOR(a, QNT_UINT, bits + 1, 130), TENSOR(b, QNT_UINT, bits, 130)},
                                     TENSOR(counts, QNT_INT, 32, 4 * (count - 1))});
    }
}

static void products(void)
{
    static uint8_t a[1024], b[1024];
    int32_t zeros[33], c[1024];
    fill_bytes(a, sizeof a);
    fill_bytes(b, sizeof b);
    for (int bits = 1; bits <= 8; bits++) {
        for (int i = 0; i < 33; i++) zeros[i] = (int32_t)random_in(0, (1 << bits) - 1);
        exercise(&(struct operation){"gemm", run_gemm, NULL,
                                     {TENSOR(a, QNT_INT, 8, 14, 19),
                                      TENSOR(b, QNT_UINT, bits, 33, 19),
                                      TENSOR(zeros, QNT_INT, 32, 33)},
                                     TENSOR(c, QNT_INT, 32, 14, 33)});
        qnt_conv conv = {.size = sizeof conv, .groups = 2, .stride = {1, 2}, .pad = {1, 0, 2, 1}};
        exercise(&(struct operation){"conv", run_conv, &conv,
                                     {TENSOR(a, QNT_UINT, 8, 2, 5, 7, 6),
                                      TENSOR(b, QNT_INT, bits, 4, 3, 2, 3)},
                                     TENSOR(c, QNT_INT, 32, 2, 6, 4, 4)});
    }
}

/* ---- bit planes ---- */

/* Planes are compact, in memory of their own at every call; numbers, or signs with coefficients. */
static qnt_status run_bits(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    const qnt_tensor *planes = self;
    size_t bytes = product(planes->shape, 4);
    guarded memory = guard((bytes + 7) / 8 * 8, true);
    qnt_tensor there = *planes;
    memcpy(memory.data, planes->data, bytes);
    there.data = memory.data;
    qnt_status status = qnt_gemm_bits(context, in[0], in[2], &there, in[1], out);
    unguard(&memory);
    return status;
}

static void bit_planes(void)
{
    static uint8_t a[4096], b[4096];
    static _Alignas(8) uint8_t planes[2 * 8 * 5 * 128];
    float coef[19 * 2 * 4], c[7 * 19];
    fill_bytes(a, sizeof a), fill_bytes(b, sizeof b), fill_floats(coef, sizeof coef / sizeof *coef);
    for (int bits = 1; bits <= 8; bits++) {
        const int b_bits = 1 + bits % 4;
        const int64_t k = bits % 2 ? 128 : 139, words = bits % 2 ? 3 : 5;
        qnt_tensor *codes = TENSOR(b, QNT_UINT, b_bits, 19, k);
        qnt_tensor *packed = TENSOR(planes, QNT_UINT, 8, 2, b_bits, words, 128);
        for (int layout = 0; layout < LAYOUTS; layout++) { /* planes are compact */
            struct arranged in, out;
            arrange(&in, codes, layout), arrange(&out, packed, AT_END);
            MUST(qnt_pack_bits(context, &in.v.t, &out.v.t));
            if (layout)
                CHECK(same_elements(packed, &out.v.t));
            else
                copy_elements(&out.v.t, packed);
            CHECK(untouched(&in));
            release(&in), release(&out);
        }
        const int blocks = bits % 2 ? 2 : 1;
        qnt_tensor *factors = blocks > 1 ? TENSOR(coef, QNT_FLOAT, 32, 19, 2, b_bits)
                                         : TENSOR(coef, QNT_FLOAT, 32, 19, b_bits);
        for (int signs = 0; signs < 2; signs++) {
            exercise(&(struct operation){"gemm_bits",
                                         run_bits,
                                         packed,
                                         {TENSOR(a, QNT_UINT, bits, 7, k), factors,
                                          signs ? TENSOR(coef, QNT_FLOAT, 32, bits) : NULL},
                                         TENSOR(c, QNT_FLOAT, 32, 7, 19)});
        }
    }
}

/* ---- packed digits ---- */

enum { SIDE = 6, CHANNELS = 10, MAPS = 5, TRIPLES = 2 /* of 5 channels */ };

static const qnt_conv two_groups = {.size = sizeof two_groups, .groups = 2};

static qnt_status run_pack_pixels(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_pack_pixels(context, in[0], 2, self, out);
}

static qnt_status run_pack_taps(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_pack_taps(context, in[0], 2, out);
}

/* A compact result, at the end of a page and at its beginning, of an input in any arrangement. */
static void into_compact(const char *name,
                         qnt_status (*run)(void *self, qnt_tensor *const *in, qnt_tensor *out),
                         void *self, const qnt_tensor *in, qnt_tensor *expected)
{
    for (int layout = 0; layout < LAYOUTS; layout++) {
        struct arranged from, to;
        qnt_tensor *views[1] = {&from.v.t};
        arrange(&from, in, layout), arrange(&to, expected, layout % 2 ? AT_BEGIN : AT_END);
        qnt_status status = run(self, views, &to.v.t);
        CHECK_MSG(status == QNT_OK, "%s: %s", name, check_reason);
        if (layout)
            CHECK_MSG(same_elements(expected, &to.v.t), "%s: %s", name, layout_names[layout]);
        else
            copy_elements(&to.v.t, expected);
        CHECK_MSG(untouched(&from), "%s: %s", name, layout_names[layout]);
        release(&from), release(&to);
    }
}

/* Pixels and taps are compact. */
static qnt_status run_digits(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    static const qnt_lowbit digits = {
        .size = sizeof digits, .step = 2, .zero = -3, .channels = CHANNELS / 2};
    qnt_tensor **held = self;
    struct arranged pixels, taps;
    arrange(&pixels, held[0], AT_END), arrange(&taps, held[1], AT_END);
    qnt_status status =
        qnt_conv_lowbit(context, &two_groups, &digits, &pixels.v.t, &taps.v.t, in[0], out);
    CHECK(untouched(&pixels) && untouched(&taps));
    release(&pixels), release(&taps);
    return status;
}

static qnt_status run_sums(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    qnt_tensor *none[1] = {NULL};
    (void)in;
    return run_digits(self, none, out);
}

static int32_t digit_of(void *user, int64_t channel, int32_t sum)
{
    (void)user;
    return sum < -9 - channel ? 0 : sum < 4 ? 1 : sum < 20 ? 2 : 3;
}

static qnt_status run_find(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self, (void)in;
    return qnt_find_thresholds(context, digit_of, NULL, -100, 100, out, NULL);
}

static void packed_digits(void)
{
    static const int32_t border[4] = {1, 0, 2, 1};
    enum { HEIGHT = SIDE + 3, WIDTH = SIDE + 1, OUT_HEIGHT = HEIGHT - 2, OUT_WIDTH = WIDTH - 1 };
    static uint8_t image[2 * SIDE * SIDE * CHANNELS], weight[2 * MAPS * 3 * 2 * CHANNELS / 2];
    static uint8_t pixels[2 * HEIGHT * WIDTH * 2 * TRIPLES], taps[2 * TRIPLES * 3 * 2 * 64];
    static int32_t sums[2 * OUT_HEIGHT * OUT_WIDTH * 2 * MAPS], thresholds[2 * MAPS * 3];
    static uint8_t packed[2 * OUT_HEIGHT * OUT_WIDTH * 2 * TRIPLES];
    for (size_t i = 0; i < sizeof image; i++) image[i] = (uint8_t)random_in(0, 3);
    for (size_t i = 0; i < sizeof weight; i++) weight[i] = (uint8_t)random_in(0, 3);
    for (int i = 0; i < 2 * MAPS * 3; i++) thresholds[i] = i % 3 * 9 - 8;
    qnt_tensor *held[2] = {TENSOR(pixels, QNT_UINT, 8, 2, HEIGHT, WIDTH, 2, TRIPLES),
                           TENSOR(taps, QNT_UINT, 8, 2, 1, TRIPLES, 3, 2, 64)};
    into_compact("pack_pixels", run_pack_pixels, (void *)(uintptr_t)border,
                 TENSOR(image, QNT_UINT, 8, 2, SIDE, SIDE, CHANNELS), held[0]);
    into_compact("pack_taps", run_pack_taps, NULL,
                 TENSOR(weight, QNT_UINT, 8, 2 * MAPS, 3, 2, CHANNELS / 2), held[1]);
    exercise(&(struct operation){"conv_lowbit",
                                 run_sums,
                                 held,
                                 {NULL},
                                 TENSOR(sums, QNT_INT, 32, 2, OUT_HEIGHT, OUT_WIDTH, 2 * MAPS)});
    into_compact("conv_lowbit", run_digits, held, TENSOR(thresholds, QNT_INT, 32, 2 * MAPS, 3),
                 TENSOR(packed, QNT_UINT, 8, 2, OUT_HEIGHT, OUT_WIDTH, 2, TRIPLES));
    exercise(&(struct operation){
        "find_thresholds", run_find, NULL, {NULL}, TENSOR(thresholds, QNT_INT, 32, 2 * MAPS, 3)});
}

static qnt_status run_requantize(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_requantize(context, in[0], in[1], in[2], 3, -7, 7, out);
}

static void requantize(void)
{
    int32_t acc[COUNT], bias[COLUMNS];
    float scale[COLUMNS];
    uint8_t codes[2 * COUNT];
    for (int i = 0; i < COUNT; i++) acc[i] = (int32_t)random_in(-4000, 4000);
    for (int i = 0; i < COLUMNS; i++) bias[i] = (int32_t)random_in(-1000, 1000);
    for (int i = 0; i < COLUMNS; i++) scale[i] = (float)random_unit() * 0.01f;
    for (int bits = 4; bits <= 16; bits += bits < 8 ? 1 : 8) {
        exercise(&(struct operation){"requantize", run_requantize, NULL,
                                     {TENSOR(acc, QNT_INT, 32, ROWS, COLUMNS),
                                      TENSOR(bias, QNT_INT, 32, COLUMNS),
                                      TENSOR(scale, QNT_FLOAT, 32, COLUMNS)},
                                     TENSOR(codes, QNT_INT, bits, ROWS, COLUMNS)});
    }
}

static qnt_status run_shuffle(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_shuffle_cyclic(context, in[0], *(int *)self, 2, 1, out);
}

static void shuffle(void)
{
    static const int widths[] = {1, 3, 4, 7, 8, 16, 32};
    uint32_t x[60], y[60];
    fill_bytes(x, sizeof x);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        for (int axis = 0; axis < 3; axis += 2) {
            exercise(&(struct operation){"shuffle", run_shuffle, &axis,
                                         {TENSOR(x, QNT_INT, widths[w], 2, 5, 6)},
                                         TENSOR(y, QNT_INT, widths[w], 2, 5, 6)});
        }
    }
}

/* ---- observing ---- */

/* Any arrangement gives the same statistics. */
static qnt_status run_observe(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    double *expected = self, scale[ROWS];
    size_t count;
    (void)out;
    qnt_quantizer *q = new_quantizer(context, grained(QNT_MSE, 3, QNT_SIGNED, QNT_PER_AXIS, 0, 0));
    qnt_status status = qnt_quantizer_observe(context, q, in[0], in[1]);
    if (status == QNT_OK) status = qnt_quantizer_fit(context, q);
    if (status == QNT_OK) {
        status = qnt_quantizer_get(context, q, QNT_P_SCALE, scale, ROWS, &count);
        if (expected[0] == 0) memcpy(expected, scale, sizeof scale);
        CHECK(!memcmp(expected, scale, sizeof scale));
    }
    qnt_quantizer_destroy(q);
    return status;
}

/* Metrics, and what inputs do to the number of points. */
static qnt_status run_measure(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    qnt_error *expected = self, error = {.size = sizeof error};
    (void)out;
    qnt_quantizer *q = byte_quantizer(context);
    qnt_status status = qnt_quantizer_error(context, q, in[0], in[1], &error);
    if (expected->count == 0) *expected = error;
    CHECK(!memcmp(expected, &error, sizeof error));
    qnt_quantizer_destroy(q);
    return status;
}

static qnt_status run_observe_inputs(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    double *expected = self, coef[ROWS * 2] = {0};
    size_t count;
    (void)out;
    qnt_quantizer *q = new_quantizer(context, codebook(6, QNT_PER_AXIS, 0, 0));
    qnt_status status =
        qnt_quantizer_observe(context, q, TENSOR(values, QNT_FLOAT, 32, ROWS, COLUMNS), NULL);
    if (status == QNT_OK) status = qnt_quantizer_observe_inputs(context, q, in[0]);
    if (status == QNT_OK) status = qnt_quantizer_fit(context, q);
    if (status == QNT_OK)
        status = qnt_quantizer_get(context, q, QNT_P_COEF, coef, ROWS * 2, &count);
    if (expected[0] == 0) memcpy(expected, coef, sizeof coef);
    CHECK(!memcmp(expected, coef, sizeof coef));
    qnt_quantizer_destroy(q);
    return status;
}

static void observing(void)
{
    static float inputs[12 * COLUMNS];
    qnt_error error = {.size = sizeof error};
    double coef[ROWS * 2] = {0};
    float weights[COLUMNS];
    double expected[ROWS] = {0};
    fill_floats(values, COUNT);
    for (int i = 0; i < COLUMNS; i++) weights[i] = (float)random_unit();
    exercise(&(struct operation){"observe", run_observe, expected,
                                 {TENSOR(values, QNT_FLOAT, 32, ROWS, COLUMNS),
                                  TENSOR(weights, QNT_FLOAT, 32, COLUMNS)}, NULL});
    exercise(&(struct operation){
        "error",
        run_measure,
        &error,
        {TENSOR(values, QNT_FLOAT, 32, ROWS, COLUMNS), TENSOR(weights, QNT_FLOAT, 32, COLUMNS)},
        NULL});
    fill_floats(inputs, 12 * COLUMNS);
    exercise(&(struct operation){"observe_inputs",
                                 run_observe_inputs,
                                 coef,
                                 {TENSOR(inputs, QNT_FLOAT, 32, 3, 4, COLUMNS)},
                                 NULL});
}

/* ---- trainers ---- */

static qnt_status run_forward(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_trainer_forward(context, self, in[0], out);
}

static qnt_status run_backward(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    double slope;
    return qnt_trainer_backward(context, self, in[0], in[1], out, &slope, 1);
}

static void training(void)
{
    float y[COUNT], dy[COUNT];
    const qnt_spec spec = format(QNT_LSQ, 3, QNT_SIGNED);
    qnt_trainer *trainer = NULL;
    qnt_tensor *x = TENSOR(values, QNT_FLOAT, 32, ROWS, COLUMNS);
    fill_floats(values, COUNT), fill_floats(dy, COUNT);
    MUST(qnt_trainer_create(context, &spec, &trainer));
    MUST(qnt_trainer_start(context, trainer, x));
    exercise(&(struct operation){
        "forward", run_forward, trainer, {x}, TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)});
    exercise(&(struct operation){"backward",
                                 run_backward,
                                 trainer,
                                 {x, TENSOR(dy, QNT_FLOAT, 32, ROWS, COLUMNS)},
                                 TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)});
    qnt_trainer_destroy(trainer);
}

/* ---- layers ---- */

/* Its workspace ends at a page that cannot be touched, and begins there the next time. */
static qnt_status run_layer(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    static bool at_end;
    size_t bytes, count = product(out->shape, out->ndim);
    at_end = !at_end;
    MUST(qnt_layer_workspace(context, self, in[0], &bytes));
    guarded workspace = guard(bytes, at_end);
    fill_bytes(workspace.data, bytes);
    for (size_t i = 0; i < count; i++) put_element(out, element_offset(out, i), 0); /* for sums */
    qnt_status status = qnt_layer_run(context, self, in[0], out, workspace.data, bytes);
    unguard(&workspace);
    return status;
}

static void layers(void)
{
    static float x[4096], y[4096];
    static uint8_t codes[4096];
    fill_floats(x, 4096);
    fill_bytes(codes, 4096);
    for (const struct recipe *r = recipes; r < recipes + RECIPES; r++) {
        qnt_layer *layer = new_layer(context, r);
        check_tensor in, code_in, out = {0};
        qnt_tensor *floats = check_view(&in, x, QNT_FLOAT, 32, r->ndim, r->x);
        qnt_tensor *result = result_view(context, layer, floats, &out);
        result->data = y;
        exercise(&(struct operation){r->name, run_layer, layer, {floats}, result});
        if (r->input == BYTES) {
            qnt_tensor *bytes = check_view(&code_in, codes, QNT_UINT, 8, r->ndim, r->x);
            exercise(&(struct operation){r->name, run_layer, layer, {bytes}, result});
        }
        qnt_layer_destroy(layer);
    }
}

/* Weights, codes or floats, and the bias are read in any arrangement. */
static qnt_status run_create(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    const struct parts *p = self;
    qnt_layer_spec spec = {.size = sizeof spec};
    static float x[64];
    static uint8_t workspace[1 << 17];
    qnt_layer *layer = NULL;
    qnt_tensor *input = TENSOR(x, QNT_FLOAT, 32, 1, in[0]->shape[1]);
    for (int i = 0; i < 64; i++) x[i] = (float)(i % 7);
    qnt_status status = qnt_layer_create(context, &spec, in[0], p->weight_q, in[1], p->input_q,
                                         p->output_q, &layer);
    if (status != QNT_OK) return status;
    status = qnt_layer_run(context, layer, input, out, workspace, sizeof workspace);
    qnt_layer_destroy(layer);
    return status;
}

static void creating(void)
{
    const struct recipe *r = &recipes[0];
    struct parts *p = open_parts(context, r);
    float y[64];
    uint8_t codes[1024];
    qnt_tensor *weight = check_view(&(check_tensor){0}, p->weights, QNT_FLOAT, 32, 2, r->weight);
    qnt_tensor *bias = check_view(&(check_tensor){0}, p->biases, QNT_FLOAT, 32, 1, r->weight);
    qnt_tensor *result = TENSOR(y, QNT_FLOAT, 32, 1, r->weight[0]);
    exercise(&(struct operation){"create", run_create, p, {weight, bias}, result});
    qnt_tensor *packed = check_view(&(check_tensor){0}, codes, QNT_INT, r->bits, 2, r->weight);
    MUST(qnt_quantizer_encode(context, p->weight_q, weight, packed));
    exercise(&(struct operation){"create", run_create, p, {packed, bias}, result});
    close_parts(p);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    context = check_context();
    filter_everywhere(context);
    RUN(quantizers);
    RUN(observing);
    RUN(layers);
    RUN(creating);
    RUN(products);
    RUN(codebooks);
    RUN(bit_planes);
    RUN(packed_digits);
    RUN(training);
    RUN(requantize);
    RUN(shuffle);
    qnt_context_destroy(context);
    return DONE;
}
