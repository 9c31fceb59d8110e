/*
 * The same bytes for every CPU mask, every number of workers and every order of the pieces:
 * prepared weights, results of layers, convolutions without preparation, products of bit planes.
 */
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

/* Calls f with a context for every way; way 0 is portable C, serial. */
static void every_way(void (*f)(const qnt_context *context, const struct way *way, void *self),
                      void *self)
{
    uint64_t masks[MAX_LEVELS];
    const int count = cpu_levels(masks);
    for (int m = 0; m < count; m++) {
        for (size_t workers = 1; workers <= 4; workers++) {
            for (int pool = 0; pool < 2; pool++) {
                struct way way = {masks[m], workers, pool};
                struct shuffler shuffler = {workers};
                qnt_context *context = check_context();
                qnt_pool *threads = NULL;
                if (pool) MUST(qnt_pool_create(context, workers, &threads));
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

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(layers);
    RUN(convolutions);
    RUN(bit_planes);
    return DONE;
}
