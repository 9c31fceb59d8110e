/*
 * A dense layer in int8: calibrate the input, prepare the weights once, run many times.
 *
 * Introduces qnt_layer_create, qnt_layer_view, qnt_layer_workspace, qnt_layer_run,
 * qnt_layer_destroy.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 8, K = 64, N = 32 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static float x[BATCH * K], w[N * K], bias[N];

static qnt_tensor floats(float *data, int ndim, int64_t *shape)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = ndim, .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32, .dtype_lanes = 1, .shape = shape};
}

static void fill(void)
{
    for (int i = 0; i < BATCH * K; i++) x[i] = (float)sin(0.37 * i) + 0.2f;
    for (int i = 0; i < N * K; i++) w[i] = (float)cos(1.3 * i * i) / 8;
    for (int i = 0; i < N; i++) bias[i] = (float)i / N - 0.5f;
}

static float expected(int row, int n) /* relu(w x + bias) in float */
{
    double sum = bias[n];
    for (int k = 0; k < K; k++) sum += (double)x[row * K + k] * w[n * K + k];
    return sum > 0 ? (float)sum : 0;
}

static int fit(const qnt_context *context, const qnt_spec *spec, const qnt_tensor *data,
               qnt_quantizer **out)
{
    TRY(qnt_quantizer_create(context, spec, out));
    TRY(qnt_quantizer_observe(context, *out, data,
                              NULL)); /* once for each batch of calibration data */
    TRY(qnt_quantizer_fit(context, *out));
    return 0;
}

int main(void)
{
    int64_t x_shape[] = {BATCH, K}, w_shape[] = {N, K}, bias_shape[] = {N};
    qnt_tensor input = floats(x, 2, x_shape), weight = floats(w, 2, w_shape);
    qnt_tensor offset = floats(bias, 1, bias_shape);
    qnt_context *context;
    fill();
    TRY(qnt_context_create(NULL, NULL, NULL, &context));

    /* Activations: uint8 with a zero point. Weights: int8, a scale for each output. */
    qnt_spec input_spec = {.size = sizeof input_spec, .method = QNT_MINMAX};
    qnt_spec weight_spec = {.size = sizeof weight_spec, .method = QNT_MSE,
                            .flags = QNT_SIGNED | QNT_SYMMETRIC, .grain = QNT_PER_AXIS};
    qnt_quantizer *input_q, *weight_q;
    if (fit(context, &input_spec, &input, &input_q) ||
        fit(context, &weight_spec, &weight, &weight_q))
        return 1;

    /* No output format: the result is float. The layer keeps none of its arguments. */
    qnt_layer_spec spec = {.size = sizeof spec, .kind = QNT_DENSE, .activation = QNT_RELU};
    qnt_layer *layer;
    TRY(qnt_layer_create(context, &spec, &weight, weight_q, &offset, input_q, NULL, &layer));
    qnt_quantizer_destroy(weight_q);
    qnt_quantizer_destroy(input_q);

    /* Memory for the result and for working is ours; running allocates nothing. */
    int64_t y_shape[QNT_MAX_NDIM], y_strides[QNT_MAX_NDIM];
    qnt_tensor y = {.shape = y_shape, .strides = y_strides};
    uint64_t y_bytes;
    size_t bytes;
    TRY(qnt_layer_view(context, layer, &input, &y));
    TRY(qnt_tensor_bytes(context, &y, &y_bytes));
    TRY(qnt_layer_workspace(context, layer, &input, &bytes));
    float *result = malloc((size_t)y_bytes);
    void *workspace = malloc(bytes + 1);
    if (!result || !workspace) return 1;
    y.data = result;
    TRY(qnt_layer_run(context, layer, &input, &y, workspace, bytes));

    double signal = 0, noise = 0;
    for (int i = 0; i < BATCH * N; i++) {
        double e = expected(i / N, i % N);
        signal += e * e;
        noise += (e - result[i]) * (e - result[i]);
    }
    double decibel = 10 * log10(signal / noise);
    int good = y_bytes == sizeof(float) * BATCH * N && decibel > 35;
    printf("%d x %d times %d x %d in int8: %.1f dB above the error; %s\n", BATCH, K, K, N, decibel,
           good ? "as expected" : "NOT as expected");

    free(workspace);
    free(result);
    qnt_layer_destroy(layer);
    qnt_context_destroy(context);
    return !good;
}
