/*
 * Pieces of work that may run at the same time never write into the same byte: of packed codes several lie
 * in one, and a piece that reads it, changes its bits and writes it back would undo what another one wrote
 * meanwhile. A thread sanitizer sees that only if it happens; here it cannot be missed. Every piece runs
 * alone, on a result of zeros and on one of ones: bytes that it leaves as they were are not its own.
 */
#include "cpu_levels.h"
#include "layer/layer.h"
#include "recipes.h"

enum { MOST_BYTES = 1 << 17, POINTS = -7 /* a codebook of recipes.h */ };

/* The result, and which piece was the first to write into each byte. */
static struct {
    uint8_t *y;
    size_t bytes, shared, calls;
    int32_t owner[MOST_BYTES]; /* 0: none */
    uint8_t before[MOST_BYTES], zeros[MOST_BYTES];
} watch;

static int32_t run_apart(void *user, qnt_task_fn run, void *task, size_t count)
{
    (void)user;
    if (count > 1) watch.calls++;
    memcpy(watch.before, watch.y, watch.bytes);
    memset(watch.owner, 0, sizeof watch.owner);
    for (size_t i = 0; i < count && count > 1; i++) {
        memset(watch.y, 0, watch.bytes);
        run(task, i, i % 4);
        memcpy(watch.zeros, watch.y, watch.bytes);
        memset(watch.y, 0xff, watch.bytes);
        run(task, i, i % 4);
        for (size_t b = 0; b < watch.bytes; b++) {
            if (watch.zeros[b] == 0 && watch.y[b] == 0xff) continue;
            if (watch.owner[b] != 0) watch.shared++;
            watch.owner[b] = (int32_t)i + 1;
        }
    }
    memcpy(watch.y, watch.before, watch.bytes);
    for (size_t i = 0; i < count; i++) run(task, i, i % 4);
    return 0;
}

static void open_watch(uint8_t *y, size_t bytes)
{
    if (bytes > MOST_BYTES) exit(2);
    watch.y = y, watch.bytes = bytes, watch.shared = 0;
}

static qnt_context *watched_context(uint64_t cpu)
{
    qnt_context *context = check_context();
    MUST(qnt_context_set_cpu(context, cpu));
    filter_everywhere(context);
    MUST(qnt_context_set_parallel(context, run_apart, NULL, 4));
    return context;
}

/* Codes of a random width, from -8 to 8. */
static qnt_quantizer *packed_quantizer(const qnt_context *context, int bits)
{
    qnt_quantizer *q = new_quantizer(context, format(QNT_FIXED, bits, QNT_SIGNED));
    MUST(qnt_quantizer_set(context, q, QNT_P_SCALE, &(double){16.0 / (1 << bits)}, 1));
    return q;
}

/* A tenth of the outputs is two points, the others are one: they are packed in columns of their own. */
static qnt_quantizer *some_points(const qnt_context *context, int64_t outputs)
{
    static double scale[200], coef[400];
    qnt_spec spec = codebook(6, QNT_PER_AXIS, 0, 0);
    for (int64_t n = 0; n < outputs; n++) {
        scale[n] = 0.125;
        coef[2 * n] = (double)(1 + n % 7);
        coef[2 * n + 1] = n % 10 ? 0 : 3;
    }
    qnt_quantizer *q = new_quantizer(context, spec);
    MUST(qnt_quantizer_set(context, q, QNT_P_SCALE, scale, (size_t)outputs));
    MUST(qnt_quantizer_set(context, q, QNT_P_COEF, coef, (size_t)outputs * 2));
    return q;
}

/* Enough products for several pieces, and rows and blocks of outputs that end within bytes. */
static const struct recipe large[] = {
    {"dense, odd rows", WITH(.kind = QNT_DENSE), {151, 70}, {531, 70}, 2, 4, SYMMETRIC, QNT_PER_AXIS, 0,
     BYTES, FLOATS, true},
    {"dense, whole rows", WITH(.kind = QNT_DENSE), {152, 70}, {531, 70}, 2, 8, 0, QNT_PER_TENSOR, 0,
     DYNAMIC, FLOATS, true},
    {"dense, blocks", WITH(.kind = QNT_DENSE), {150, 160}, {300, 160}, 2, 4, SYMMETRIC, QNT_PER_BLOCK, 32,
     DYNAMIC, FLOATS, true},
    {"dense, points", WITH(.kind = QNT_DENSE), {152, 70}, {530, 70}, 2, POINTS, 0, QNT_PER_AXIS, 0, LEVELS,
     FLOATS, true},
    {"dense, planes", WITH(.kind = QNT_DENSE), {152, 120}, {530, 120}, 2, -9, 0, QNT_PER_AXIS, 0, SIGNS,
     FLOATS, false},
    {"conv", CONV(.groups = 2), {136, 3, 3, 9}, {1, 24, 13, 18}, 4, 8, SYMMETRIC, QNT_PER_AXIS, 0, BYTES,
     FLOATS, true},
    {"conv, points", CONV(.groups = 2), {144, 3, 3, 9}, {1, 24, 13, 18}, 4, POINTS, 0, QNT_PER_AXIS, 0,
     LEVELS, FLOATS, true},
    {"conv, depthwise", CONV(.groups = 72), {72, 3, 3, 1}, {1, 30, 41, 72}, 4, 8, SYMMETRIC, QNT_PER_AXIS,
     0, BYTES, FLOATS, true},
    {"conv, filtered", CONV(.groups = 1), {44, 3, 3, 32}, {1, 31, 22, 32}, 4, 8, SYMMETRIC, QNT_PER_AXIS, 0,
     BYTES, FLOATS, true},
    {"conv, NCHW", CONV(.layout = QNT_NCHW), {48, 9, 3, 3}, {1, 9, 20, 23}, 4, 8, SYMMETRIC, QNT_PER_AXIS,
     0, BYTES, FLOATS, true},
};

enum { LARGE = sizeof large / sizeof *large };

/* Rows of a dense layer's result may have a gap of one code. */
static void run_layer(const qnt_context *context, const struct recipe *r, int bits, bool gap,
                      float *x)
{
    struct parts *parts = open_parts(context, r);
    qnt_layer *layer = NULL;
    check_tensor in, out = {0};
    size_t bytes;
    parts->output_q = packed_quantizer(context, bits);
    if (r->bits == POINTS) {
        qnt_quantizer_destroy(parts->weight_q);
        parts->weight_q = some_points(context, r->weight[0]);
    }
    MUST(make_layer(context, r, parts, &layer));
    CHECK((layer->start != NULL) == (r->bits == POINTS));
    CHECK((layer->winograd_depth != 0) == is_filtered(r));
    qnt_tensor *x_view = check_view(&in, x, QNT_FLOAT, 32, r->ndim, r->x);
    qnt_tensor *y = result_view(context, layer, x_view, &out);
    if (gap && y->ndim == 2) y->strides[0]++;
    MUST(qnt_layer_workspace(context, layer, x_view, &bytes));
    const size_t y_bytes = view_bytes(context, y);
    void *workspace = malloc(bytes + 1);
    y->data = calloc(y_bytes, 1);
    open_watch(y->data, y_bytes);
    MUST(qnt_layer_run(context, layer, x_view, y, workspace, bytes));
    CHECK_MSG(watch.shared == 0, "%s, %d bits: %zu bytes", r->name, bits, watch.shared);
    watch.bytes = 0;
    free(y->data), free(workspace);
    qnt_layer_destroy(layer);
    close_parts(parts);
}

static void layers(void)
{
    static float x[1 << 17];
    uint64_t masks[MAX_LEVELS];
    const int count = cpu_levels(masks);
    fill_floats(x, 1 << 17);
    watch.calls = 0;
    for (int i = 0; i < LARGE; i++) {
        qnt_context *context = watched_context(masks[i % 2 ? count - 1 : 0]);
        if (product(large[i].x, large[i].ndim) > 1 << 17) exit(2);
        for (int turn = 0; turn < (check_quick ? 2 : 4); turn++)
            run_layer(context, &large[i], turn % 2 ? 4 : (int)random_in(0, 3) * 2 + 1, turn > 1, x);
        qnt_context_destroy(context);
    }
    CHECK(watch.calls > 0);
}

/* Rows of packed codes, side by side or not. */
static void codes(void)
{
    enum { ROWS = 180, COLUMNS = 210 };
    static float x[ROWS * COLUMNS], scale[COLUMNS];
    static int32_t acc[ROWS * COLUMNS];
    static uint8_t y[ROWS * COLUMNS];
    fill_floats(x, ROWS * COLUMNS);
    for (int i = 0; i < ROWS * COLUMNS; i++) acc[i] = (int32_t)random_in(-99, 99);
    for (int i = 0; i < COLUMNS; i++) scale[i] = 0.05f;
    qnt_context *context = watched_context(qnt_cpu_detect());
    watch.calls = 0;
    for (int i = 0; i < CASES(40); i++) {
        const int bits = (int)random_in(1, 7);
        const int64_t rows = random_in(100, ROWS), columns = random_in(150, COLUMNS);
        qnt_tensor *codes = TENSOR(y, QNT_INT, bits, rows, columns);
        const qnt_tensor *floats = TENSOR(x, QNT_FLOAT, 32, rows, columns);
        const int grain = i % 3;
        qnt_quantizer *q =
            fitted_quantizer(context,
                             grained(QNT_MINMAX, bits, QNT_SIGNED | QNT_SYMMETRIC, grain,
                                     (int)random_in(0, 1), grain == QNT_PER_BLOCK ? 30 : 0),
                             floats);
        open_watch(y, view_bytes(context, codes));
        MUST(qnt_quantizer_encode(context, q, floats, codes));
        CHECK_MSG(watch.shared == 0, "encode, grain %d, %d bits: %zu bytes", grain, bits,
                  watch.shared);
        watch.shared = 0;
        MUST(qnt_requantize(context, TENSOR(acc, QNT_INT, 32, rows, columns), NULL,
                            TENSOR(scale, QNT_FLOAT, 32, columns), 0, -(1 << (bits - 1)),
                            (1 << (bits - 1)) - 1, codes));
        CHECK_MSG(watch.shared == 0, "requantize, %d bits: %zu bytes", bits, watch.shared);
        qnt_quantizer_destroy(q);
    }
    CHECK(watch.calls > 0);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(layers);
    RUN(codes);
    return DONE;
}
