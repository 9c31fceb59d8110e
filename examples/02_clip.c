/*
 * Where to clip: every method on the same heavy-tailed data, and the certificate of the exact one.
 *
 * Introduces the methods QNT_PERCENTILE, QNT_ENTROPY, QNT_ANALYTIC and QNT_MSE, and the parameters
 * QNT_P_HIGH, QNT_P_BOUND and QNT_P_VISITED.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>

enum { N = 20000, BITS = 4 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

/* Laplace distributed: many small values, few large ones. */
static void draw(float *x)
{
    uint64_t state = 1;
    for (int i = 0; i < N; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double u = ((double)(state >> 11) + 0.5) * 0x1p-53 - 0.5;
        x[i] = (float)(u < 0 ? log(1 + 2 * u) : -log(1 - 2 * u));
    }
}

static int fit(const qnt_context *context, int method, const qnt_tensor *x,
               qnt_quantizer **quantizer, qnt_error *error)
{
    qnt_spec spec = {.size = sizeof spec, .method = method, .bits = BITS,
                     .flags = QNT_SIGNED | QNT_SYMMETRIC};
    TRY(qnt_quantizer_create(context, &spec, quantizer));
    TRY(qnt_quantizer_observe(context, *quantizer, x, NULL));
    TRY(qnt_quantizer_fit(context, *quantizer));
    *error = (qnt_error){.size = sizeof *error};
    TRY(qnt_quantizer_error(context, *quantizer, x, NULL, error));
    return 0;
}

static double get(const qnt_context *context, const qnt_quantizer *quantizer, int param)
{
    double value = NAN;
    size_t count;
    qnt_quantizer_get(context, quantizer, param, &value, 1, &count);
    return value;
}

int main(void)
{
    static const struct { int method; const char *name; } methods[] = {
        {QNT_MINMAX, "MINMAX"}, {QNT_PERCENTILE, "PERCENTILE"}, {QNT_ENTROPY, "ENTROPY"},
        {QNT_ANALYTIC, "ANALYTIC"}, {QNT_MSE, "MSE"}};
    static float data[N];
    int64_t shape[] = {N};
    qnt_tensor x = {.data = data, .device_type = 1, .ndim = 1, .dtype_code = QNT_FLOAT,
                    .dtype_bits = 32, .dtype_lanes = 1, .shape = shape};
    double best = INFINITY, exact = 0, bound = 0;
    qnt_context *context;
    draw(data);
    TRY(qnt_context_create(NULL, NULL, NULL, &context));

    printf("%d Laplace values in %d bits\n  method       highest level   clipped   SQNR dB\n", N,
           BITS);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        qnt_quantizer *quantizer = NULL;
        qnt_error error;
        if (fit(context, methods[i].method, &x, &quantizer, &error)) return 1;
        printf("  %-10s %15.3f %8.3f %% %8.3f\n", methods[i].name,
               get(context, quantizer, QNT_P_HIGH), 100 * error.clipped, error.sqnr_db);
        if (error.mse < best) best = error.mse;
        if (methods[i].method == QNT_MSE) {
            /* Nothing can be better than the bound, and this is how far the answer is from it. */
            exact = get(context, quantizer, QNT_P_ERROR);
            bound = get(context, quantizer, QNT_P_BOUND);
            printf("squared error %.9g, proven to be at least %.9g, after %g nodes\n", exact, bound,
                   get(context, quantizer, QNT_P_VISITED));
        }
        qnt_quantizer_destroy(quantizer);
    }
    qnt_context_destroy(context);

    int good = exact / N <= best * (1 + 1e-6) && bound <= exact * (1 + 1e-6) &&
               bound >= exact * (1 - 1e-5);
    printf("%s\n", good ? "as expected" : "NOT as expected");
    return !good;
}
