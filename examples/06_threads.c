/*
 * Threads: the library starts none by itself. The host lends its own, or a pool that it owns.
 *
 * Introduces qnt_context_set_parallel, qnt_pool_create, qnt_pool_run, qnt_context_set_progress and
 * qnt_context_set_cpu. Results are the same bytes with any number of workers and at any CPU level.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 192, K = 256, N = 128 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static float x[ROWS * K], w[N * K], y[3][ROWS * N];

static qnt_tensor floats(float *data, int64_t *shape)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = 2, .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32, .dtype_lanes = 1, .shape = shape};
}

/* A host's scheduler in its simplest form: in any order, on this thread, as worker 0. */
static int32_t backwards(void *user, qnt_task_fn run, void *task, size_t count)
{
    ++*(int *)user;
    while (count--) run(task, count, 0);
    return 0;
}

/* Told how far a long call has come; non-zero would cancel it. */
static int32_t count_progress(void *user, uint64_t done, uint64_t total)
{
    *(int *)user += done <= total;
    return 0;
}

/* Fits the weights, prepares a layer and runs it, all with the threads of the context. */
static int work(const qnt_context *context, float *result)
{
    int64_t x_shape[] = {ROWS, K}, w_shape[] = {N, K}, y_shape[] = {ROWS, N};
    qnt_tensor in = floats(x, x_shape), weight = floats(w, w_shape), out = floats(result, y_shape);
    qnt_spec weight_spec = {.size = sizeof weight_spec, .method = QNT_MSE, .bits = 4,
                            .flags = QNT_SIGNED | QNT_SYMMETRIC, .grain = QNT_PER_AXIS};
    qnt_spec input_spec = {.size = sizeof input_spec, .method = QNT_MINMAX, .flags = QNT_DYNAMIC};
    qnt_layer_spec spec = {.size = sizeof spec, .kind = QNT_DENSE};
    qnt_quantizer *weight_q, *input_q;
    qnt_layer *layer;
    size_t bytes;
    TRY(qnt_quantizer_create(context, &input_spec, &input_q));
    TRY(qnt_quantizer_create(context, &weight_spec, &weight_q));
    TRY(qnt_quantizer_observe(context, weight_q, &weight, NULL));
    TRY(qnt_quantizer_fit(context, weight_q));
    TRY(qnt_layer_create(context, &spec, &weight, weight_q, NULL, input_q, NULL, &layer));
    TRY(qnt_layer_workspace(context, layer, &in, &bytes));
    void *workspace = malloc(bytes + 1);
    if (!workspace) return 1;
    TRY(qnt_layer_run(context, layer, &in, &out, workspace, bytes));
    free(workspace);
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(weight_q);
    qnt_quantizer_destroy(input_q);
    return 0;
}

int main(void)
{
    qnt_context *context;
    qnt_pool *pool;
    int calls = 0, reports = 0;
    for (int i = 0; i < ROWS * K; i++) x[i] = (float)sin(0.01 * i * (1 + i % 7));
    for (int i = 0; i < N * K; i++) w[i] = (float)cos(1.9 * i);

    TRY(qnt_context_create(NULL, NULL, NULL, &context)); /* serial, best CPU level */
    TRY(qnt_context_set_progress(context, count_progress, &reports));
    if (work(context, y[0])) return 1;

    TRY(qnt_pool_create(context, 4, &pool)); /* the library's pool, owned by us */
    TRY(qnt_context_set_parallel(context, qnt_pool_run, pool, 4));
    if (work(context, y[1])) return 1;

    TRY(qnt_context_set_parallel(context, backwards, &calls, 2)); /* our own, in portable C */
    TRY(qnt_context_set_cpu(context, 0));
    if (work(context, y[2])) return 1;

    int good = !memcmp(y[0], y[1], sizeof y[0]) && !memcmp(y[0], y[2], sizeof y[0]) && reports > 0;
    printf("serial, 4 threads, and backwards in portable C (%d calls): %s bytes; %d progress "
           "reports\n",
           calls, good ? "the same" : "NOT the same", reports);
    qnt_context_destroy(context);
    qnt_pool_destroy(pool);
    return !good;
}
