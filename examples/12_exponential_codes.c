/*
 * Multiplying by adding: weights and activations as powers of one base (DNA-TEQ, arXiv 2306.16430).
 *
 * Introduces the scheme QNT_EXP with the method QNT_TEQ, qnt_quantizer_fit_pair and qnt_gemm_exp. A
 * product of two codes is a sum of exponents, so a dot product only counts how often each sum occurs;
 * qnt_gemm_exp does just that, exactly, as hardware for such codes would. On a CPU multipliers are free:
 * a layer looks the same codes up and multiplies. First as published, then in the library's own form,
 * whose levels are small integers.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 8, K = 256, N = 24, BITS = 4 /* of an exponent; a code has its sign besides */ };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static float x[ROWS * K], w[N * K], x_back[ROWS * K], w_back[N * K];
static float counted[ROWS * N], multiplied[ROWS * N];

static qnt_tensor floats(float *data, int64_t *shape)
{
    return (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = 2,
                        .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32,
                        .dtype_lanes = 1,
                        .shape = shape};
}

/* Laplace distributed: what exponents fit well. */
static void draw(float *to, int n, float spread)
{
    static uint64_t state = 1;
    for (int i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double u = ((double)(state >> 11) + 0.5) * 0x1p-53 - 0.5;
        to[i] = spread * (float)(u < 0 ? log(1 + 2 * u) : -log(1 - 2 * u));
    }
}

/* What the codes of a quantizer mean. */
static int meaning(const qnt_context *context, const qnt_quantizer *quantizer, qnt_exp *out)
{
    size_t count;
    *out = (qnt_exp){.size = sizeof *out, .exponent_bits = BITS};
    TRY(qnt_quantizer_get(context, quantizer, QNT_P_BASE, &out->base, 1, &count));
    TRY(qnt_quantizer_get(context, quantizer, QNT_P_ALPHA, &out->alpha, 1, &count));
    TRY(qnt_quantizer_get(context, quantizer, QNT_P_BETA, &out->beta, 1, &count));
    return 0;
}

/* Largest difference to the product of the decoded numbers, relative to the largest of these. */
static double distance(const float *y)
{
    double worst = 0, top = 0;
    for (int i = 0; i < ROWS * N; i++) {
        double sum = 0;
        for (int k = 0; k < K; k++) sum += (double)x_back[i / N * K + k] * w_back[i % N * K + k];
        worst = fmax(worst, fabs(sum - y[i]));
        top = fmax(top, fabs(sum));
    }
    return worst / top;
}

static int fit(const qnt_context *context, int literal, qnt_quantizer **input_q,
               qnt_quantizer **weight_q)
{
    int64_t x_shape[] = {ROWS, K}, w_shape[] = {N, K};
    const qnt_tensor input = floats(x, x_shape), weight = floats(w, w_shape);
    const qnt_spec spec = {.size = sizeof spec,
                           .scheme = QNT_EXP,
                           .method = QNT_TEQ,
                           .bits = BITS,
                           .flags = QNT_SIGNED | (literal ? QNT_LITERAL : 0)};
    TRY(qnt_quantizer_create(context, &spec, input_q));
    TRY(qnt_quantizer_create(context, &spec, weight_q));
    TRY(qnt_quantizer_observe(context, *input_q, &input, NULL));
    TRY(qnt_quantizer_observe(context, *weight_q, &weight, NULL));
    TRY(qnt_quantizer_fit_pair(context, *input_q, *weight_q)); /* exponents need one base to add up */
    return 0;
}

/* Codes, what they stand for, and their product by counting sums of exponents. */
static int count_product(const qnt_context *context, const qnt_quantizer *input_q,
                         const qnt_quantizer *weight_q)
{
    static uint8_t x_bytes[ROWS * K * (BITS + 1) / 8], w_bytes[N * K * (BITS + 1) / 8];
    int64_t x_shape[] = {ROWS, K}, w_shape[] = {N, K}, y_shape[] = {ROWS, N};
    const qnt_tensor input = floats(x, x_shape), weight = floats(w, w_shape);
    qnt_tensor x_codes = input, w_codes = weight, result = floats(counted, y_shape);
    qnt_tensor x_values = floats(x_back, x_shape), w_values = floats(w_back, w_shape);
    x_codes.data = x_bytes, x_codes.dtype_code = QNT_UINT, x_codes.dtype_bits = BITS + 1;
    w_codes.data = w_bytes, w_codes.dtype_code = QNT_UINT, w_codes.dtype_bits = BITS + 1;
    TRY(qnt_quantizer_encode(context, input_q, &input, &x_codes));
    TRY(qnt_quantizer_encode(context, weight_q, &weight, &w_codes));
    TRY(qnt_quantizer_decode(context, input_q, &x_codes, &x_values));
    TRY(qnt_quantizer_decode(context, weight_q, &w_codes, &w_values));
    qnt_exp x_exp, w_exp;
    if (meaning(context, input_q, &x_exp) || meaning(context, weight_q, &w_exp)) return 1;
    TRY(qnt_gemm_exp(context, &x_codes, &x_exp, &w_codes, &w_exp, &result));
    return 0;
}

/* The same codes in a layer, which encodes its input by itself. */
static int multiply(const qnt_context *context, const qnt_quantizer *input_q,
                    const qnt_quantizer *weight_q)
{
    int64_t x_shape[] = {ROWS, K}, w_shape[] = {N, K}, y_shape[] = {ROWS, N};
    const qnt_tensor input = floats(x, x_shape), weight = floats(w, w_shape);
    qnt_tensor result = floats(multiplied, y_shape);
    const qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE};
    qnt_layer *layer;
    size_t bytes;
    TRY(qnt_layer_create(context, &dense, &weight, weight_q, NULL, input_q, NULL, &layer));
    TRY(qnt_layer_workspace(context, layer, &input, &bytes));
    void *workspace = malloc(bytes + 1);
    if (!workspace) return 1;
    TRY(qnt_layer_run(context, layer, &input, &result, workspace, bytes));
    free(workspace);
    qnt_layer_destroy(layer);
    return 0;
}

int main(void)
{
    int64_t x_shape[] = {ROWS, K}, w_shape[] = {N, K};
    const qnt_tensor input = floats(x, x_shape), weight = floats(w, w_shape);
    qnt_context *context;
    double decibel[2];
    int good = 1;
    draw(x, ROWS * K, 1.0f);
    draw(w, N * K, 0.05f);
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    for (int literal = 1; literal >= 0; literal--) {
        qnt_quantizer *input_q, *weight_q;
        qnt_error of_input = {.size = sizeof of_input}, of_weight = of_input;
        qnt_exp exp;
        if (fit(context, literal, &input_q, &weight_q) || meaning(context, weight_q, &exp) ||
            count_product(context, input_q, weight_q) || multiply(context, input_q, weight_q))
            return 1;
        TRY(qnt_quantizer_error(context, input_q, &input, NULL, &of_input));
        TRY(qnt_quantizer_error(context, weight_q, &weight, NULL, &of_weight));
        double off[2] = {distance(counted), distance(multiplied)};
        printf("%s: base %.4f, activations %.1f dB, weights %.1f dB\n",
               literal ? "as published" : "levels of integers", exp.base, of_input.sqnr_db,
               of_weight.sqnr_db);
        printf("  off the product of the decoded numbers: %.0e counted, %.0e in a layer\n", off[0],
               off[1]);
        /* Integers are close to powers, not equal: counting takes powers, the layer integers. */
        good &= off[1] < 1e-5 && off[0] < (literal ? 1e-5 : 0.02);
        decibel[literal] = of_weight.sqnr_db;
        qnt_quantizer_destroy(input_q);
        qnt_quantizer_destroy(weight_q);
    }
    qnt_context_destroy(context);
    good &= decibel[0] > decibel[1];
    printf("%s\n", good ? "as expected" : "NOT as expected");
    return !good;
}
