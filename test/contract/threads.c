/*
 * Const handles in many threads at once: one layer run with workspaces of their own, one quantizer
 * encoding, and contexts that share one pool. Everybody gets what one thread alone gets. Worth most
 * under SAN=thread.
 */
#include <pthread.h>

#include "recipes.h"

enum { THREADS = 4, ELEMENTS = 4096 };

static qnt_context *context; /* shared by all threads */

/* ---- running f on THREADS threads at once ---- */

struct crew {
    pthread_barrier_t gate;
    void (*work)(void *self, bool *good);
    void *self;
};

struct member {
    struct crew *crew;
    bool good;
};

static void *enter(void *argument)
{
    struct member *m = argument;
    pthread_barrier_wait(&m->crew->gate);
    for (int i = 0; i < 8 && m->good; i++) m->crew->work(m->crew->self, &m->good);
    return NULL;
}

static void together(const char *name, void (*work)(void *self, bool *good), void *self)
{
    struct crew crew = {.work = work, .self = self};
    struct member members[THREADS];
    pthread_t threads[THREADS];
    pthread_barrier_init(&crew.gate, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        members[i] = (struct member){&crew, true};
        if (pthread_create(&threads[i], NULL, enter, &members[i])) exit(2);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_MSG(members[i].good, "%s, thread %d", name, i);
    }
    pthread_barrier_destroy(&crew.gate);
}

/* ---- one layer ---- */

struct run {
    const qnt_layer *layer;
    const qnt_tensor *x;
    size_t bytes; /* of workspace */
    float expected[ELEMENTS];
};

static qnt_status run_layer(const struct run *r, float *y)
{
    check_tensor v = {0};
    qnt_tensor *result = result_view(context, r->layer, r->x, &v);
    void *workspace = malloc(r->bytes + 1);
    memset(y, 0, ELEMENTS * sizeof *y); /* layers that accumulate start from here */
    result->data = y;
    qnt_status status = qnt_layer_run(context, r->layer, r->x, result, workspace, r->bytes);
    free(workspace);
    return status;
}

static void run_layer_again(void *self, bool *good)
{
    struct run *r = self;
    float y[ELEMENTS];
    if (run_layer(r, y) != QNT_OK || memcmp(y, r->expected, sizeof y)) *good = false;
}

static void layers(void)
{
    static float x[ELEMENTS];
    static struct run r;
    fill_floats(x, ELEMENTS);
    for (int i = 0; i < RECIPES; i++) {
        qnt_layer *layer = new_layer(context, &recipes[i]);
        check_tensor in;
        r.layer = layer;
        r.x = check_view(&in, x, QNT_FLOAT, 32, recipes[i].ndim, recipes[i].x);
        MUST(qnt_layer_workspace(context, layer, r.x, &r.bytes));
        MUST(run_layer(&r, r.expected));
        together(recipes[i].name, run_layer_again, &r);
        qnt_layer_destroy(layer);
    }
}

/* ---- one quantizer ---- */

enum { ROWS = 16, COLUMNS = 256 };

struct coding {
    const qnt_quantizer *q;
    float x[ELEMENTS], expected[ELEMENTS];
};

static qnt_status code(const struct coding *c, float *y)
{
    uint8_t codes[ELEMENTS];
    qnt_tensor *x = TENSOR(c->x, QNT_FLOAT, 32, ROWS, COLUMNS);
    qnt_tensor *packed = TENSOR(codes, QNT_INT, 5, ROWS, COLUMNS);
    qnt_status status = qnt_quantizer_encode(context, c->q, x, packed);
    if (status != QNT_OK) return status;
    return qnt_quantizer_decode(context, c->q, packed, TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS));
}

static void code_again(void *self, bool *good)
{
    struct coding *c = self;
    float y[ELEMENTS], z[ELEMENTS];
    if (code(c, y) != QNT_OK || memcmp(y, c->expected, sizeof y)) *good = false;
    qnt_tensor *x = TENSOR(c->x, QNT_FLOAT, 32, ROWS, COLUMNS);
    qnt_status status = qnt_quantizer_apply(context, c->q, x,
                                            TENSOR(z, QNT_FLOAT, 32, ROWS, COLUMNS));
    if (status != QNT_OK || memcmp(z, c->expected, sizeof z)) *good = false;
}

static void quantizers(void)
{
    static struct coding c;
    fill_floats(c.x, ELEMENTS);
    qnt_spec spec = grained(QNT_MINMAX, 5, QNT_SIGNED, QNT_PER_AXIS, 0, 0);
    qnt_quantizer *q = fitted_quantizer(context, spec, TENSOR(c.x, QNT_FLOAT, 32, ROWS, COLUMNS));
    c.q = q;
    MUST(code(&c, c.expected));
    together("quantizer", code_again, &c);
    qnt_quantizer_destroy(q);
}

/* ---- quantizers of their own, one context ---- */

static void calibrate(void *self, bool *good)
{
    float *x = self;
    double scale[2] = {0};
    qnt_quantizer *q = NULL;
    qnt_spec spec = format(QNT_MSE, 4, QNT_SIGNED);
    qnt_tensor *view = TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS);
    size_t count;
    if (qnt_quantizer_create(context, &spec, &q) != QNT_OK ||
        qnt_quantizer_observe(context, q, view, NULL) != QNT_OK ||
        qnt_quantizer_fit(context, q) != QNT_OK ||
        qnt_quantizer_get(context, q, QNT_P_SCALE, scale, 1, &count) != QNT_OK || !(scale[0] > 0)) {
        *good = false;
    }
    qnt_quantizer_destroy(q);
}

static void calibrations(void)
{
    static float x[ELEMENTS];
    fill_floats(x, ELEMENTS);
    together("calibration", calibrate, x);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    qnt_pool *pool = NULL;
    context = check_context();
    filter_everywhere(context);
    MUST(qnt_pool_create(context, 3, &pool));
    for (int shared = 0; shared < 2; shared++) {
        if (shared) MUST(qnt_context_set_parallel(context, qnt_pool_run, pool, 3));
        RUN(layers);
        RUN(quantizers);
        RUN(calibrations);
    }
    qnt_pool_destroy(pool);
    qnt_context_destroy(context);
    return DONE;
}
