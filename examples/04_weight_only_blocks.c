/*
 * The shape of a language model's decode step: 4-bit weights with a scale for each block of 32.
 *
 * Introduces QNT_PER_BLOCK, weight-only layers (no input format: float activations) and QNT_DYNAMIC
 * (int8 activations whose scale is found for every row while the layer runs, so nothing is
 * calibrated).
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>

enum { K = 256, N = 48, BLOCK = 32 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static float w[N * K], decoded[N * K];

static qnt_tensor floats(float *data, int64_t *shape)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = 2, .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32, .dtype_lanes = 1, .shape = shape};
}

/* y = layer(x) for one row. */
static int run(const qnt_context *context, const qnt_layer *layer, float *x, float *y)
{
    int64_t x_shape[] = {1, K}, y_shape[] = {1, N};
    qnt_tensor in = floats(x, x_shape), out = floats(y, y_shape);
    size_t bytes;
    TRY(qnt_layer_workspace(context, layer, &in, &bytes));
    void *workspace = malloc(bytes + 1);
    if (!workspace) return 1;
    qnt_status status = qnt_layer_run(context, layer, &in, &out, workspace, bytes);
    free(workspace);
    return status != QNT_OK;
}

/* Largest difference to the product with the decoded weights, relative to the largest output. */
static double distance(const float *x, const float *y)
{
    double worst = 0, top = 0;
    for (int n = 0; n < N; n++) {
        double sum = 0;
        for (int k = 0; k < K; k++) sum += (double)x[k] * decoded[n * K + k];
        worst = fmax(worst, fabs(sum - y[n]));
        top = fmax(top, fabs(sum));
    }
    return worst / top;
}

int main(void)
{
    int64_t shape[] = {N, K};
    qnt_tensor weight = floats(w, shape), back = floats(decoded, shape);
    float x[K], y[2][N];
    for (int i = 0; i < N * K; i++) w[i] = (float)(sin(0.01 * i * i) * (1 + i / BLOCK % 5));
    for (int k = 0; k < K; k++) x[k] = (float)cos(0.9 * k * k);

    qnt_context *context;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .bits = 4,
                     .flags = QNT_SIGNED | QNT_SYMMETRIC, .grain = QNT_PER_BLOCK, .axis = 1,
                     .block = BLOCK};
    qnt_quantizer *weight_q, *dynamic_q;
    qnt_error error = {.size = sizeof error};
    TRY(qnt_quantizer_create(context, &spec, &weight_q));
    TRY(qnt_quantizer_observe(context, weight_q, &weight, NULL));
    TRY(qnt_quantizer_fit(context, weight_q));
    TRY(qnt_quantizer_apply(context, weight_q, &weight, &back)); /* decode(encode(w)) */
    TRY(qnt_quantizer_error(context, weight_q, &weight, NULL, &error));

    /* A dynamic format has no parameters: it needs no data. */
    spec = (qnt_spec){.size = sizeof spec, .method = QNT_MINMAX, .bits = 8,
                      .flags = QNT_SIGNED | QNT_SYMMETRIC | QNT_DYNAMIC};
    TRY(qnt_quantizer_create(context, &spec, &dynamic_q));

    qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE};
    qnt_layer *layer[2];
    TRY(qnt_layer_create(context, &dense, &weight, weight_q, NULL, NULL, NULL, &layer[0]));
    TRY(qnt_layer_create(context, &dense, &weight, weight_q, NULL, dynamic_q, NULL, &layer[1]));
    if (run(context, layer[0], x, y[0]) || run(context, layer[1], x, y[1])) return 1;

    double exact = distance(x, y[0]), dynamic = distance(x, y[1]);
    printf("4-bit weights in blocks of %d: %.2f bits each with their scales, %.1f dB\n", BLOCK,
           error.bits, error.sqnr_db);
    printf("off the decoded weights: %.1e with float activations, %.1e with dynamic int8\n", exact,
           dynamic);
    int good = exact < 1e-5 && dynamic < 0.02 && error.sqnr_db > 18;
    printf("%s\n", good ? "as expected" : "NOT as expected");

    for (int i = 0; i < 2; i++) qnt_layer_destroy(layer[i]);
    qnt_quantizer_destroy(dynamic_q);
    qnt_quantizer_destroy(weight_q);
    qnt_context_destroy(context);
    return !good;
}
