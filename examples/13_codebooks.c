/*
 * Levels at uneven distances: 4-bit codes that stand for 16 numbers of anybody's choice.
 *
 * Introduces the scheme QNT_TABLE with QNT_NF4, QNT_KMEANS and QNT_LEVELS, the parameter QNT_P_LEVELS, and
 * qnt_gemm_table for hosts with codes of their own. Weights with a few large values leave an even grid
 * little for the many small ones; tables put levels where the weights are. A layer runs them like any
 * others: levels are small integers times a scale, so with quantized inputs sums are exact.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 4, K = 192, N = 32, BITS = 4, LEVELS = 1 << BITS };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static float x[ROWS * K], w[N * K], decoded[N * K], y[ROWS * N];

static qnt_tensor tensor(void *data, int code, int bits, int64_t rows, int64_t *shape,
                         int64_t columns)
{
    shape[0] = rows, shape[1] = columns;
    return (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = 2,
                        .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits,
                        .dtype_lanes = 1,
                        .shape = shape};
}

/* Laplace distributed: many small values, few large ones. */
static float draw(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    double u = ((double)(state >> 11) + 0.5) * 0x1p-53 - 0.5;
    return (float)(u < 0 ? log(1 + 2 * u) : -log(1 - 2 * u));
}

/* Powers of two and the sums of neighbours, as a host might want them. */
static const double own_levels[LEVELS - 1] = {-24, -16, -12, -8, -6, -4, -2, 0,
                                              2,   4,   6,   8,  12, 16, 24};

static const struct choice {
    const char *name;
    int scheme, method, flags;
} choices[] = {{"even grid", QNT_AFFINE, QNT_MSE, QNT_SIGNED | QNT_SYMMETRIC},
               {"normal quantiles (NF4)", QNT_TABLE, QNT_NF4, 0},
               {"our own levels", QNT_TABLE, QNT_LEVELS, 0},
               {"the best 16 levels (k-means)", QNT_TABLE, QNT_KMEANS, 0}};

enum { CHOICES = sizeof choices / sizeof *choices };

static int fit(const qnt_context *context, const struct choice *choice, const qnt_tensor *weight,
               qnt_quantizer **quantizer)
{
    const qnt_spec spec = {.size = sizeof spec,
                           .scheme = choice->scheme,
                           .method = choice->method,
                           .flags = choice->flags,
                           .bits = BITS};
    TRY(qnt_quantizer_create(context, &spec, quantizer));
    if (choice->method == QNT_LEVELS) /* only their scale is left to be found */
        TRY(qnt_quantizer_set(context, *quantizer, QNT_P_LEVELS, own_levels, LEVELS - 1));
    TRY(qnt_quantizer_observe(context, *quantizer, weight, NULL));
    TRY(qnt_quantizer_fit(context, *quantizer));
    return 0;
}

/* Largest difference of the layer to the product with the decoded weights, relative to the largest. */
static double distance(void)
{
    double worst = 0, top = 0;
    for (int i = 0; i < ROWS * N; i++) {
        double sum = 0;
        for (int k = 0; k < K; k++) sum += (double)x[i / N * K + k] * decoded[i % N * K + k];
        worst = fmax(worst, fabs(sum - y[i]));
        top = fmax(top, fabs(sum));
    }
    return worst / top;
}

/* A layer of these weights, with float activations. */
static int run(const qnt_context *context, const qnt_tensor *weight, const qnt_quantizer *weight_q)
{
    int64_t x_shape[2], y_shape[2];
    qnt_tensor input = tensor(x, QNT_FLOAT, 32, ROWS, x_shape, K),
               output = tensor(y, QNT_FLOAT, 32, ROWS, y_shape, N);
    const qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE};
    qnt_layer *layer;
    size_t bytes;
    TRY(qnt_layer_create(context, &dense, weight, weight_q, NULL, NULL, NULL, &layer));
    TRY(qnt_layer_workspace(context, layer, &input, &bytes));
    void *workspace = malloc(bytes + 1);
    if (!workspace) return 1;
    TRY(qnt_layer_run(context, layer, &input, &output, workspace, bytes));
    free(workspace);
    qnt_layer_destroy(layer);
    return 0;
}

/* Codes against codes, whatever their levels are: exact sums of products of integers. */
static int multiply_codes(const qnt_context *context, const qnt_tensor *weight,
                          const qnt_quantizer *quantizer)
{
    static uint8_t bytes[N * K];
    static int32_t products[N * N];
    int64_t code_shape[2], product_shape[2], level_shape[] = {LEVELS, 1};
    double level[LEVELS];
    int8_t integers[LEVELS];
    size_t count;
    qnt_tensor codes = tensor(bytes, QNT_UINT, 8, N, code_shape, K),
               result = tensor(products, QNT_INT, 32, N, product_shape, N), table = codes;
    table.data = integers, table.dtype_code = QNT_INT, table.ndim = 1, table.shape = level_shape;
    TRY(qnt_quantizer_encode(context, quantizer, weight, &codes));
    TRY(qnt_quantizer_get(context, quantizer, QNT_P_LEVELS, level, LEVELS, &count));
    for (int i = 0; i < LEVELS; i++) integers[i] = (int8_t)level[i];
    TRY(qnt_gemm_table(context, &codes, &table, &codes, &table, &result));
    int32_t sum = 0;
    for (int k = 0; k < K; k++) sum += integers[bytes[k]] * integers[bytes[K + k]];
    printf("row 0 times row 1 of the k-means codes: %d, %s\n", products[1],
           products[1] == sum ? "exactly" : "WRONG");
    return products[1] != sum;
}

int main(void)
{
    int64_t shape[2], back_shape[2];
    double decibel[CHOICES];
    int good = 1;
    qnt_context *context;
    const qnt_tensor weight = tensor(w, QNT_FLOAT, 32, N, shape, K);
    qnt_tensor back = tensor(decoded, QNT_FLOAT, 32, N, back_shape, K);
    for (int i = 0; i < N * K; i++) w[i] = draw();
    for (int i = 0; i < ROWS * K; i++) x[i] = draw();
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    for (int i = 0; i < CHOICES; i++) {
        qnt_quantizer *quantizer;
        qnt_error error = {.size = sizeof error};
        if (fit(context, &choices[i], &weight, &quantizer)) return 1;
        TRY(qnt_quantizer_apply(context, quantizer, &weight, &back));
        TRY(qnt_quantizer_error(context, quantizer, &weight, NULL, &error));
        if (run(context, &weight, quantizer)) return 1;
        const double off = distance();
        printf("%-29s %6.2f dB; the layer is off its own weights by %.0e\n", choices[i].name,
               error.sqnr_db, off);
        decibel[i] = error.sqnr_db;
        good &= off < 1e-5 && decibel[i] >= decibel[0];
        if (choices[i].method == QNT_KMEANS) good &= !multiply_codes(context, &weight, quantizer);
        qnt_quantizer_destroy(quantizer);
    }
    qnt_context_destroy(context);
    for (int i = 0; i + 1 < CHOICES; i++) good &= decibel[CHOICES - 1] > decibel[i];
    printf("%s\n", good ? "as expected" : "NOT as expected");
    return !good;
}
