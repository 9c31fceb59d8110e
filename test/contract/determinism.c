/*
 * The same bytes for every CPU mask, every number of workers and every order of the pieces: what
 * quantizers are fitted to, codes and values, prepared weights, results of layers, products and
 * convolutions without preparation, products of bit planes, packed convolutions, what trainers and
 * kernel maps learn, give and pass back.
 */
#include <math.h>

#include "cpu_levels.h"
#include "layer/layer.h"
#include "recipes.h"

/* Large enough to be cut into many pieces. */
static const struct recipe large[] = {
    {"dense, many rows",
     WITH(.kind = QNT_DENSE),
     {150, 70},
     {531, 70},
     2,
     4,
     SYMMETRIC,
     QNT_PER_AXIS,
     0,
     BYTES,
     FLOATS,
     true},
    {"dense, many rows, dynamic",
     WITH(.activation = QNT_RELU),
     {150, 70},
     {531, 70},
     2,
     3,
     0,
     QNT_PER_TENSOR,
     0,
     DYNAMIC,
     FLOATS,
     true},
    {"dense, many rows, blocks",
     WITH(.kind = QNT_DENSE),
     {150, 160},
     {300, 160},
     2,
     4,
     0,
     QNT_PER_BLOCK,
     32,
     DYNAMIC,
     FLOATS,
     true},
    {"dense, many rows, float",
     WITH(.kind = QNT_DENSE),
     {150, 70},
     {531, 70},
     2,
     2,
     SYMMETRIC,
     QNT_PER_AXIS,
     0,
     FLOATS,
     FLOATS,
     true},
    {"conv, large",
     CONV(.groups = 2),
     {130, 3, 3, 9},
     {2, 20, 23, 18},
     4,
     8,
     SYMMETRIC,
     QNT_PER_AXIS,
     0,
     BYTES,
     BYTES,
     true},
    {"conv, large, dynamic",
     CONV(.layout = QNT_NCHW),
     {70, 9, 3, 3},
     {3, 9, 20, 23},
     4,
     8,
     0,
     QNT_PER_AXIS,
     0,
     DYNAMIC,
     FLOATS,
     true},
    {"conv, large, depthwise",
     CONV(.groups = 40),
     {40, 3, 3, 1},
     {2, 20, 23, 40},
     4,
     8,
     SYMMETRIC,
     QNT_PER_AXIS,
     0,
     BYTES,
     BYTES,
     true},
    {"conv, filtered, large",
     CONV(.groups = 1),
     {40, 3, 3, 68},
     {2, 41, 38, 68},
     4,
     8,
     SYMMETRIC,
     QNT_PER_AXIS,
     0,
     BYTES,
     BYTES,
     true},
};

/* Runs the pieces in a random order, each with a random worker. */
struct shuffler {
    size_t workers;
};

static int32_t run_shuffled(void *user, qnt_task_fn run, void *task, size_t count)
{
    const struct shuffler *s = user;
    size_t *order = malloc((count + 1) * sizeof *order);
    for (size_t i = 0; i < count; i++) {
        size_t j = (size_t)random_in(0, (int64_t)i);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < count; i++) {
        run(task, order[i], (size_t)random_in(0, (int64_t)s->workers - 1));
    }
    free(order);
    return 0;
}

/* One way to run: mask of CPU features, workers, and who runs the pieces. */
struct way {
    uint64_t cpu;
    size_t workers;
    bool pool;
};

/* Calls f with a context for every way; way 0 is portable C, serial. With a pool convolutions are filtered
 * wherever that may serve, otherwise where it pays: of these it does with AVX2, not with AVX-512. */
static void every_way(void (*f)(const qnt_context *context, const struct way *way, void *self),
                      void *self)
{
    uint64_t masks[MAX_LEVELS];
    const int count = cpu_levels(masks);
    for (int m = 0; m < count; m++) {
        for (size_t workers = 1; workers <= 4; workers += check_quick ? 2 : 1) {
            for (int pool = 0; pool < 2; pool++) {
                struct way way = {masks[m], workers, pool};
                struct shuffler shuffler = {workers};
                qnt_context *context = check_context();
                qnt_pool *threads = NULL;
                if (pool) MUST(qnt_pool_create(context, workers, &threads));
                if (pool) filter_everywhere(context);
                MUST(qnt_context_set_cpu(context, way.cpu));
                MUST(qnt_context_set_parallel(context, pool ? qnt_pool_run : run_shuffled,
                                              pool ? (void *)threads : (void *)&shuffler, workers));
                f(context, &way, self);
                qnt_pool_destroy(threads);
                qnt_context_destroy(context);
            }
        }
    }
}

/* ---- layers ---- */

enum { MOST = 400000 };

struct trial {
    const struct recipe *recipe;
    const struct parts *parts;
    float *x;
    uint8_t *data, *y; /* of the first way */
    size_t data_bytes, y_bytes;
};

static void try_layer(const qnt_context *context, const struct way *way, void *self)
{
    struct trial *t = self;
    qnt_layer *layer = NULL;
    check_tensor in, out = {0};
    size_t bytes;
    MUST(make_layer(context, t->recipe, t->parts, &layer));
    CHECK_MSG((layer->winograd_depth != 0) == is_filtered(t->recipe), "%s", t->recipe->name);
    qnt_tensor *x = check_view(&in, t->x, QNT_FLOAT, 32, t->recipe->ndim, t->recipe->x);
    qnt_tensor *y = result_view(context, layer, x, &out);
    size_t y_bytes = view_bytes(context, y);
    MUST(qnt_layer_workspace(context, layer, x, &bytes));
    uint8_t *result = calloc(y_bytes + 1, 1);
    void *workspace = malloc(bytes + 1);
    y->data = result;
    memset(workspace, (int)random_in(0, 255), bytes);
    MUST(qnt_layer_run(context, layer, x, y, workspace, bytes));
    free(workspace);

    if (!t->y) {
        t->data = malloc(layer->bytes);
        memcpy(t->data, layer->data, t->data_bytes = layer->bytes);
        t->y = result;
        t->y_bytes = y_bytes;
    } else {
        CHECK_MSG(layer->bytes == t->data_bytes && !memcmp(layer->data, t->data, t->data_bytes),
                  "%s: prepared data, cpu %llx", t->recipe->name, (unsigned long long)way->cpu);
        CHECK_MSG(y_bytes == t->y_bytes && !memcmp(result, t->y, y_bytes),
                  "%s: cpu %llx, %zu workers, %s", t->recipe->name, (unsigned long long)way->cpu,
                  way->workers, way->pool ? "pool" : "shuffled");
        free(result);
    }
    qnt_layer_destroy(layer);
}

static void try_recipe(const struct recipe *recipe)
{
    static float x[MOST];
    qnt_context *context = check_context();
    struct parts *parts = open_parts(context, recipe);
    struct trial t = {.recipe = recipe, .parts = parts, .x = x};
    if (product(recipe->x, recipe->ndim) > MOST) exit(2);
    fill_floats(x, product(recipe->x, recipe->ndim));
    every_way(try_layer, &t);
    free(t.data);
    free(t.y);
    close_parts(parts);
    qnt_context_destroy(context);
}

static void layers(void)
{
    for (int i = 0; i < RECIPES; i++) try_recipe(&recipes[i]);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) try_recipe(&large[i]);
}

/* ---- qnt_conv_s8 ---- */

enum { SIZE = 37, CHANNELS = 6, OUTPUTS = 140 };

struct convolution {
    int8_t x[SIZE * SIZE * CHANNELS], w[OUTPUTS * 9 * CHANNELS];
    int32_t expected[SIZE * SIZE * OUTPUTS], y[SIZE * SIZE * OUTPUTS];
    bool known;
};

static void try_convolution(const qnt_context *context, const struct way *way, void *self)
{
    struct convolution *c = self;
    const qnt_conv conv = {.size = sizeof conv, .pad = {1, 1, 1, 1}};
    MUST(qnt_conv_s8(context, &conv, TENSOR(c->x, QNT_INT, 8, 1, SIZE, SIZE, CHANNELS), 5,
                     TENSOR(c->w, QNT_INT, 8, OUTPUTS, 3, 3, CHANNELS),
                     TENSOR(c->y, QNT_INT, 32, 1, SIZE, SIZE, OUTPUTS)));
    if (!c->known) memcpy(c->expected, c->y, sizeof c->y);
    c->known = true;
    CHECK_MSG(!memcmp(c->y, c->expected, sizeof c->y), "cpu %llx, %zu workers",
              (unsigned long long)way->cpu, way->workers);
}

static void convolutions(void)
{
    static struct convolution c;
    fill_bytes(c.x, sizeof c.x);
    fill_bytes(c.w, sizeof c.w);
    every_way(try_convolution, &c);
}

/* ---- qnt_gemm_bits ---- */

enum { BIT_ROWS = 131, BIT_COLUMNS = 300, BIT_DEPTH = 640, BIT_PLANES = 3, BIT_PANELS = 19 };

struct bits {
    uint8_t a[BIT_ROWS * BIT_DEPTH], b[BIT_COLUMNS * BIT_DEPTH];
    float coef[BIT_COLUMNS * 10 * BIT_PLANES];
    float expected[BIT_ROWS * BIT_COLUMNS], y[BIT_ROWS * BIT_COLUMNS];
    int a_bits, blocks; /* 0: signs times signs */
    bool known;
};

static void try_bits(const qnt_context *context, const struct way *way, void *self)
{
    static _Alignas(64) uint8_t planes[BIT_PANELS * BIT_PLANES * (BIT_DEPTH / 64 + 1) * 128];
    struct bits *p = self;
    qnt_tensor *b = TENSOR(planes, QNT_UINT, 8, BIT_PANELS, BIT_PLANES, BIT_DEPTH / 64 + 1, 128);
    qnt_tensor *signs = p->blocks ? NULL : TENSOR(p->coef, QNT_FLOAT, 32, p->a_bits);
    MUST(qnt_pack_bits(context, TENSOR(p->b, QNT_UINT, BIT_PLANES, BIT_COLUMNS, BIT_DEPTH), b));
    MUST(qnt_gemm_bits(
        context, TENSOR(p->a, QNT_UINT, p->a_bits, BIT_ROWS, BIT_DEPTH), signs, b,
        TENSOR(p->coef, QNT_FLOAT, 32, BIT_COLUMNS, p->blocks ? p->blocks : 1, BIT_PLANES),
        TENSOR(p->y, QNT_FLOAT, 32, BIT_ROWS, BIT_COLUMNS)));
    if (!p->known) memcpy(p->expected, p->y, sizeof p->y);
    p->known = true;
    CHECK_MSG(!memcmp(p->y, p->expected, sizeof p->y), "a %d, %d blocks: cpu %llx, %zu workers",
              p->a_bits, p->blocks, (unsigned long long)way->cpu, way->workers);
}

static void bit_planes(void)
{
    static struct bits p;
    static const int widths[] = {1, 2, 5, 8}, blocks[] = {0, 1, 5, 10};
    for (int i = 0; i < CASES(16); i++) {
        fill_bytes(p.a, sizeof p.a);
        fill_bytes(p.b, sizeof p.b);
        fill_floats(p.coef, BIT_COLUMNS * 10 * BIT_PLANES);
        p.a_bits = widths[i % 4], p.blocks = blocks[(i + i / 4) % 4], p.known = false;
        every_way(try_bits, &p);
    }
}

/* ---- what a call wrote, of the first way ---- */

struct record {
    const char *name;
    size_t bytes;
    uint8_t first[1 << 17];
};

/* Keeps what the first way gives for a name, and compares what the others give. */
static void expect_same(struct record *r, const char *name, const struct way *way, const void *data,
                        size_t bytes)
{
    if (bytes > sizeof r->first) exit(2);
    if (r->name != name) {
        r->name = name, r->bytes = bytes;
        memcpy(r->first, data, bytes);
    }
    CHECK_MSG(bytes == r->bytes && !memcmp(data, r->first, bytes), "%s: cpu %llx, %zu workers, %s",
              name, (unsigned long long)way->cpu, way->workers, way->pool ? "pool" : "shuffled");
}

/* ---- quantizers ---- */

enum { LINES = 5, LINE = 613, VALUES = LINES * LINE };

struct calibration {
    qnt_spec spec;
    float x[2][VALUES], importance[LINE], inputs[70 * LINE];
    float y[VALUES];
    uint8_t codes[2 * VALUES];
    bool by_outputs, histograms;
    struct record numbers, codes_were, values, applied, error;
};

static uint8_t type_of_codes(const qnt_spec *spec)
{
    return spec->scheme == QNT_AFFINE && (spec->flags & QNT_SIGNED) ? QNT_INT : QNT_UINT;
}

static void try_quantizer(const qnt_context *context, const struct way *way, void *self)
{
    struct calibration *p = self;
    qnt_error error = {.size = sizeof error};
    const qnt_tensor *x = TENSOR(p->x[0], QNT_FLOAT, 32, LINES, LINE);
    qnt_tensor *y = TENSOR(p->y, QNT_FLOAT, 32, LINES, LINE);
    qnt_tensor *codes =
        TENSOR(p->codes, type_of_codes(&p->spec), p->spec.bits == 16 ? 16 : 8, LINES, LINE);
    qnt_quantizer *q = new_quantizer(context, p->spec);
    if (p->histograms) {
        MUST(qnt_quantizer_set(context, q, QNT_P_SAMPLES, &(double){0}, 1));
        MUST(qnt_quantizer_set(context, q, QNT_P_BINS, &(double){64}, 1));
    }
    if (p->by_outputs) {
        MUST(qnt_quantizer_observe(context, q, x, NULL));
        MUST(qnt_quantizer_observe_inputs(context, q, TENSOR(p->inputs, QNT_FLOAT, 32, 70, LINE)));
        MUST(qnt_quantizer_set(context, q, QNT_P_EXTRA, &(double){3}, 1));
    } else {
        MUST(qnt_quantizer_observe(context, q, TENSOR(p->x[1], QNT_FLOAT, 32, LINES, LINE), NULL));
        MUST(qnt_quantizer_observe(context, q, x, TENSOR(p->importance, QNT_FLOAT, 32, LINE)));
    }
    MUST(qnt_quantizer_fit(context, q));
    struct snapshot *numbers = take_snapshot(context, q);
    expect_same(&p->numbers, "numbers of a quantizer", way, numbers, sizeof *numbers);
    free(numbers);
    memset(p->codes, 0, sizeof p->codes), memset(p->y, 0, sizeof p->y);
    MUST(qnt_quantizer_encode(context, q, x, codes));
    expect_same(&p->codes_were, "codes", way, p->codes, sizeof p->codes);
    MUST(qnt_quantizer_decode(context, q, codes, y));
    expect_same(&p->values, "values", way, p->y, sizeof p->y);
    memset(p->y, 0, sizeof p->y);
    MUST(qnt_quantizer_apply(context, q, x, y));
    expect_same(&p->applied, "values without codes", way, p->y, sizeof p->y);
    MUST(qnt_quantizer_error(context, q, x, TENSOR(p->importance, QNT_FLOAT, 32, LINE), &error));
    expect_same(&p->error, "error of a quantizer", way, &error, sizeof error);
    qnt_quantizer_destroy(q);
}

/* Every method, by itself, along an axis or in blocks. */
static void quantizers(void)
{
    static const qnt_spec specs[] = {
        {.method = QNT_MINMAX, .bits = 8},
        {.method = QNT_PERCENTILE, .bits = 5, .flags = QNT_SIGNED},
        {.method = QNT_ENTROPY, .bits = 4, .flags = QNT_SIGNED | QNT_SYMMETRIC},
        {.method = QNT_ANALYTIC, .bits = 6},
        {.method = QNT_MSE, .bits = 3, .flags = QNT_SIGNED | QNT_SYMMETRIC},
        {.method = QNT_MSE, .bits = 8},
        {.method = QNT_MSE, .bits = 3, .flags = QNT_REAL_OFFSET},
        {.method = QNT_MSE, .bits = 16, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 4},
        {.scheme = QNT_TABLE, .method = QNT_LLOYD, .bits = 3, .flags = QNT_LITERAL},
        {.scheme = QNT_TABLE, .method = QNT_ANALYTIC, .bits = 4},
        {.scheme = QNT_TABLE, .method = QNT_NF4, .bits = 4},
        {.scheme = QNT_TABLE, .method = QNT_FP4, .bits = 4, .flags = QNT_LITERAL},
        {.scheme = QNT_TABLE, .method = QNT_APOT, .bits = 5},
        {.scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = 3},
        {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 4, .flags = QNT_SIGNED},
        {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3, .flags = QNT_SIGNED | QNT_LITERAL},
        {.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .points = 3},
        {.scheme = QNT_POINTS, .method = QNT_MULTIPOINT, .bits = 3, .points = 2},
        {.scheme = QNT_POINTS,
         .method = QNT_MULTIPOINT,
         .bits = 2,
         .points = 2,
         .flags = QNT_LITERAL}};
    struct calibration *p = malloc(sizeof *p);
    for (int i = 0; i < (int)(sizeof specs / sizeof *specs) + 1; i++) {
        memset(p, 0, sizeof *p);
        p->by_outputs = i == sizeof specs / sizeof *specs;
        p->spec = specs[p->by_outputs ? i - 2 : i];
        p->spec.size = sizeof p->spec;
        p->histograms = !p->by_outputs && i % 7 == 1;
        p->spec.grain = p->by_outputs ? QNT_PER_AXIS : i % 3;
        if (p->spec.grain == QNT_PER_BLOCK) p->spec.axis = 1, p->spec.block = 160;
        fill_floats(p->x[0], VALUES), fill_floats(p->x[1], VALUES),
            fill_floats(p->inputs, 70 * LINE);
        for (int k = 0; k < LINE; k++) p->importance[k] = (float)random_in(0, 3);
        every_way(try_quantizer, p);
    }
    free(p);
}

/* ---- products of codes ---- */

enum { LEFT = 130, RIGHT = 150, DEPTH = 200 };

struct multiplication {
    uint8_t a[LEFT * DEPTH], b[RIGHT * DEPTH];
    int8_t table[256];
    int32_t zeros[RIGHT], c[LEFT * RIGHT];
    float scale[RIGHT], y[LEFT * RIGHT];
    int8_t codes[LEFT * RIGHT];
    struct record product, product_of_levels, product_of_exponents, counts, requantized;
};

static void try_products(const qnt_context *context, const struct way *way, void *self)
{
    struct multiplication *p = self;
    const qnt_exp exp = {
        .size = sizeof exp, .exponent_bits = 4, .base = 1.3, .alpha = 0.5, .beta = 0.1};
    qnt_tensor *c = TENSOR(p->c, QNT_INT, 32, LEFT, RIGHT);
    memset(p->c, 0, sizeof p->c);
    MUST(qnt_gemm_s8(context, TENSOR(p->a, QNT_UINT, 8, LEFT, DEPTH), 77,
                     TENSOR(p->b, QNT_INT, 3, RIGHT, DEPTH), TENSOR(p->zeros, QNT_INT, 32, RIGHT),
                     c));
    expect_same(&p->product, "qnt_gemm_s8", way, p->c, sizeof p->c);
    MUST(qnt_requantize(context, c, TENSOR(p->zeros, QNT_INT, 32, RIGHT),
                        TENSOR(p->scale, QNT_FLOAT, 32, RIGHT), 3, -100, 120,
                        TENSOR(p->codes, QNT_INT, 8, LEFT, RIGHT)));
    expect_same(&p->requantized, "qnt_requantize", way, p->codes, sizeof p->codes);
    MUST(qnt_gemm_table(context, TENSOR(p->a, QNT_UINT, 4, LEFT, DEPTH),
                        TENSOR(p->table, QNT_INT, 8, 16), TENSOR(p->b, QNT_UINT, 6, RIGHT, DEPTH),
                        TENSOR(p->table, QNT_INT, 16, 64), c));
    expect_same(&p->product_of_levels, "qnt_gemm_table", way, p->c, sizeof p->c);
    MUST(qnt_gemm_exp(context, TENSOR(p->a, QNT_UINT, 5, 20, DEPTH), &exp,
                      TENSOR(p->b, QNT_UINT, 4, 30, DEPTH), &exp,
                      TENSOR(p->y, QNT_FLOAT, 32, 20, 30)));
    expect_same(&p->product_of_exponents, "qnt_gemm_exp", way, p->y, 600 * sizeof *p->y);
    MUST(qnt_dot_exp(context, 4, TENSOR(p->a, QNT_UINT, 5, 5000), TENSOR(p->b, QNT_UINT, 5, 5000),
                     TENSOR(p->c, QNT_INT, 32, 60)));
    expect_same(&p->counts, "qnt_dot_exp", way, p->c, 60 * sizeof *p->c);
}

static void products(void)
{
    struct multiplication *p = calloc(1, sizeof *p);
    fill_bytes(p->a, sizeof p->a), fill_bytes(p->b, sizeof p->b),
        fill_bytes(p->table, sizeof p->table);
    for (int i = 0; i < RIGHT; i++) {
        p->zeros[i] = (int32_t)random_in(-4, 3);
        p->scale[i] = (float)(0.001 + 0.01 * random_unit());
    }
    every_way(try_products, p);
    free(p);
}

/* ---- packed convolutions ---- */

enum { PICTURE = 12, DIGITS = 36, MAPS = 40, HALF = DIGITS / 2, BORDERED = PICTURE + 2 };

static const int32_t border[4] = {1, 1, 1, 1};
static const qnt_conv geometry = {.size = sizeof geometry, .groups = 2};

struct packed {
    uint8_t image[2 * PICTURE * PICTURE * DIGITS], weight[MAPS * 9 * HALF];
    uint8_t pixels[2 * BORDERED * BORDERED * DIGITS], taps[MAPS * 9 * HALF * 64];
    uint8_t digits[2 * BORDERED * BORDERED * MAPS];
    float identity[2 * PICTURE * PICTURE * MAPS], y[2 * PICTURE * PICTURE * MAPS], scale[MAPS],
        shift[MAPS];
    struct record pixels_were, taps_were, y_was, digits_were;
};

static void run_packed(const qnt_context *context, const qnt_lowbit_layer *layer,
                       const qnt_tensor *pixels, const struct way *way, struct packed *p)
{
    check_tensor out = {0};
    size_t bytes;
    out.t = (qnt_tensor){.shape = out.shape, .strides = out.strides};
    MUST(qnt_lowbit_layer_view(context, layer, pixels, &out.t));
    MUST(qnt_lowbit_layer_workspace(context, layer, pixels, &bytes));
    const size_t results = view_bytes(context, &out.t);
    if (results > sizeof p->digits) exit(2);
    void *workspace = malloc(bytes + 1);
    memset(workspace, (int)random_in(0, 255), bytes);
    out.t.data = p->digits;
    MUST(qnt_lowbit_layer_run(
        context, layer, pixels, TENSOR(p->identity, QNT_FLOAT, 32, 2, PICTURE, PICTURE, MAPS),
        TENSOR(p->y, QNT_FLOAT, 32, 2, PICTURE, PICTURE, MAPS), &out.t, workspace, bytes));
    free(workspace);
    expect_same(&p->y_was, "floats of a packed convolution", way, p->y, sizeof p->y);
    expect_same(&p->digits_were, "digits of a packed convolution", way, p->digits, results);
}

static void try_packed(const qnt_context *context, const struct way *way, void *self)
{
    static const qnt_lowbit_spec spec = {
        .size = sizeof spec, .step = 2, .zero = -3, .pad = {1, 1, 1, 1}};
    static const float real[4] = {0, 1, 2, 3};
    struct packed *p = self;
    check_tensor pixels = {0}, taps = {0};
    const qnt_tensor *image = TENSOR(p->image, QNT_UINT, 8, 2, PICTURE, PICTURE, DIGITS),
                     *weight = TENSOR(p->weight, QNT_UINT, 8, MAPS, 3, 3, HALF);
    pixels.t = (qnt_tensor){.shape = pixels.shape, .strides = pixels.strides};
    taps.t = (qnt_tensor){.shape = taps.shape, .strides = taps.strides};
    MUST(qnt_pack_pixels_view(context, image, geometry.groups, border, &pixels.t));
    MUST(qnt_pack_taps_view(context, weight, geometry.groups, &taps.t));
    const size_t pixel_bytes = view_bytes(context, &pixels.t),
                 tap_bytes = view_bytes(context, &taps.t);
    if (pixel_bytes > sizeof p->pixels || tap_bytes > sizeof p->taps) exit(2);
    pixels.t.data = p->pixels, taps.t.data = p->taps;
    MUST(qnt_pack_pixels(context, image, geometry.groups, border, &pixels.t));
    MUST(qnt_pack_taps(context, weight, geometry.groups, &taps.t));
    expect_same(&p->pixels_were, "packed pixels", way, p->pixels, pixel_bytes);
    expect_same(&p->taps_were, "packed taps", way, p->taps, tap_bytes);

    qnt_lowbit_layer *layer = NULL;
    qnt_quantizer *q = fitted_quantizer(context, format(QNT_MINMAX, 2, 0),
                                        TENSOR((void *)(uintptr_t)real, QNT_FLOAT, 32, 4));
    MUST(qnt_lowbit_layer_create(context, &geometry, &spec, weight,
                                 TENSOR(p->scale, QNT_FLOAT, 32, MAPS),
                                 TENSOR(p->shift, QNT_FLOAT, 32, MAPS), q, &layer));
    run_packed(context, layer, &pixels.t, way, p);
    qnt_lowbit_layer_destroy(layer);
    qnt_quantizer_destroy(q);
}

static void packed_convolutions(void)
{
    struct packed *p = calloc(1, sizeof *p);
    for (size_t i = 0; i < sizeof p->image; i++) p->image[i] = (uint8_t)random_in(0, 3);
    for (size_t i = 0; i < sizeof p->weight; i++) p->weight[i] = (uint8_t)random_in(0, 3);
    fill_floats(p->identity, sizeof p->identity / sizeof *p->identity);
    fill_floats(p->shift, MAPS);
    for (int i = 0; i < MAPS; i++) p->scale[i] = (float)(0.01 + 0.01 * random_unit());
    every_way(try_packed, p);
    free(p);
}

/* ---- trainers ---- */

enum { TRAINED_ROWS = 6, TRAINED = TRAINED_ROWS * 3001, NUMBERS = 64 };

struct training {
    qnt_spec spec;
    float x[TRAINED], dy[TRAINED], y[TRAINED], dx[TRAINED];
    struct record theta, result, slope, slope_of_theta;
};

static void try_trainer(const qnt_context *context, const struct way *way, void *self)
{
    struct training *t = self;
    qnt_trainer *trainer = NULL;
    double theta[TRAINED_ROWS * NUMBERS], slope[TRAINED_ROWS * NUMBERS];
    size_t count;
    const qnt_tensor *x = TENSOR(t->x, QNT_FLOAT, 32, TRAINED_ROWS, TRAINED / TRAINED_ROWS),
                     *dy = TENSOR(t->dy, QNT_FLOAT, 32, TRAINED_ROWS, TRAINED / TRAINED_ROWS);
    qnt_tensor *y = TENSOR(t->y, QNT_FLOAT, 32, TRAINED_ROWS, TRAINED / TRAINED_ROWS),
               *dx = TENSOR(t->dx, QNT_FLOAT, 32, TRAINED_ROWS, TRAINED / TRAINED_ROWS);
    MUST(qnt_trainer_create(context, &t->spec, &trainer));
    MUST(qnt_trainer_start(context, trainer, x));
    MUST(qnt_trainer_get(context, trainer, QNT_P_THETA, theta, TRAINED_ROWS * NUMBERS, &count));
    MUST(qnt_trainer_forward(context, trainer, x, y));
    MUST(qnt_trainer_backward(context, trainer, x, dy, dx, slope, count));
    expect_same(&t->theta, "numbers of a trainer", way, theta, count * sizeof *theta);
    expect_same(&t->result, "values of a trainer", way, t->y, sizeof t->y);
    expect_same(&t->slope, "gradients of a trainer", way, t->dx, sizeof t->dx);
    expect_same(&t->slope_of_theta, "gradients of a trainer's numbers", way, slope,
                count * sizeof *slope);
    qnt_trainer_destroy(trainer);
}

static void trainers(void)
{
    static const qnt_spec specs[] = {
        {.method = QNT_LSQ, .bits = 3, .flags = QNT_SIGNED, .grain = QNT_PER_AXIS},
        {.method = QNT_LSQPLUS, .bits = 4},
        {.method = QNT_PACT, .bits = 4},
        {.scheme = QNT_TABLE, .method = QNT_DOREFA, .bits = 3, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = 2, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_EWGS, .bits = 2},
        {.scheme = QNT_TABLE, .method = QNT_INTERVAL, .bits = 2, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_N2UQ, .bits = 2},
        {.scheme = QNT_TABLE, .method = QNT_STAIRCASE, .bits = 2, .flags = QNT_SIGNED},
        {.method = QNT_RQ, .bits = 3, .flags = QNT_SIGNED},
        {.method = QNT_SRQ, .bits = 3, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_LQ, .bits = 2},
        {.scheme = QNT_TABLE, .method = QNT_ALQ, .bits = 2}};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i += check_quick ? 3 : 1) {
        struct training *t = calloc(1, sizeof *t);
        t->spec = specs[i];
        t->spec.size = sizeof t->spec;
        fill_floats(t->x, TRAINED);
        fill_floats(t->dy, TRAINED);
        for (int k = 0; k < TRAINED && !(t->spec.flags & QNT_SIGNED); k++) t->x[k] = fabsf(t->x[k]);
        every_way(try_trainer, t);
        free(t);
    }
}

/* ---- kernel maps ---- */

enum { IMAGES = 11, HIGH = 9, WIDE = 10, DEEP = 2, FILTERS = 6, PATCH = 9 * DEEP, POOLED = 4 * 4 };

struct mapping {
    qnt_ckn_spec spec;
    float x[IMAGES * HIGH * WIDE * DEEP], dx[IMAGES * HIGH * WIDE * DEEP];
    float y[IMAGES * POOLED * FILTERS], dy[IMAGES * POOLED * FILTERS];
    float anchors[FILTERS * PATCH], slope[FILTERS * PATCH];
    struct record learned, result, slope_of_x, slope_of_anchors, slope_of_sigma;
};

static int32_t give_image(void *user, uint64_t index, float *image)
{
    const struct mapping *m = user;
    memcpy(image, m->x + index * HIGH * WIDE * DEEP, HIGH * WIDE * DEEP * sizeof *image);
    return 0;
}

static void try_map(const qnt_context *context, const struct way *way, void *self)
{
    struct mapping *m = self;
    const qnt_ckn_data data = {.size = sizeof data,
                               .height = HIGH,
                               .width = WIDE,
                               .images = IMAGES,
                               .patches = 400,
                               .read = give_image,
                               .user = m};
    qnt_ckn *map = NULL;
    size_t bytes;
    double dsigma;
    const qnt_tensor *x = TENSOR(m->x, QNT_FLOAT, 32, IMAGES, HIGH, WIDE, DEEP);
    qnt_tensor *anchors = TENSOR(m->anchors, QNT_FLOAT, 32, FILTERS, PATCH);
    MUST(qnt_ckn_create(context, &m->spec, &map));
    MUST(qnt_ckn_fit(context, map, &data));
    MUST(qnt_ckn_get(context, map, anchors));
    MUST(qnt_ckn_workspace(context, map, x, &bytes));
    void *workspace = malloc(bytes + 1);
    memset(workspace, (int)random_in(0, 255), bytes);
    MUST(qnt_ckn_run(context, map, x, TENSOR(m->y, QNT_FLOAT, 32, IMAGES, 4, 4, FILTERS), workspace,
                     bytes));
    free(workspace);
    MUST(qnt_ckn_backward(context, map, x, TENSOR(m->dy, QNT_FLOAT, 32, IMAGES, 4, 4, FILTERS),
                          TENSOR(m->dx, QNT_FLOAT, 32, IMAGES, HIGH, WIDE, DEEP),
                          TENSOR(m->slope, QNT_FLOAT, 32, FILTERS, PATCH), &dsigma));
    expect_same(&m->learned, "anchors", way, m->anchors, sizeof m->anchors);
    expect_same(&m->result, "kernel maps", way, m->y, sizeof m->y);
    expect_same(&m->slope_of_x, "gradients of images", way, m->dx, sizeof m->dx);
    expect_same(&m->slope_of_anchors, "gradients of anchors", way, m->slope, sizeof m->slope);
    expect_same(&m->slope_of_sigma, "gradient of sigma", way, &dsigma, sizeof dsigma);
    qnt_ckn_destroy(map);
}

static void kernel_maps(void)
{
    static const int widths[][2] = {{32, 32}, {4, 4}, {2, 4}, {1, 1}};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i += check_quick ? 2 : 1) {
        struct mapping *m = calloc(1, sizeof *m);
        m->spec = (qnt_ckn_spec){.size = sizeof m->spec,
                                 .channels = DEEP,
                                 .kernel = 3,
                                 .subsample = 2,
                                 .filters = FILTERS,
                                 .anchor_bits = widths[i][0],
                                 .patch_bits = widths[i][1],
                                 .seed = 3};
        fill_floats(m->x, sizeof m->x / sizeof *m->x);
        fill_floats(m->dy, sizeof m->dy / sizeof *m->dy);
        every_way(try_map, m);
        free(m);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(quantizers);
    RUN(products);
    RUN(layers);
    RUN(convolutions);
    RUN(bit_planes);
    RUN(packed_convolutions);
    RUN(trainers);
    RUN(kernel_maps);
    return DONE;
}
