/* QNT_MSE through the public interface: optimal for every spec, with its certificate. */
#include "solve.h"

enum { ROWS = 6, COLUMNS = 50, GROUPS_MAX = ROWS * COLUMNS };

static double get(const qnt_context *context, const qnt_quantizer *q, int32_t param, size_t group)
{
    double values[GROUPS_MAX];
    size_t count = 0;
    CHECK(qnt_quantizer_get(context, q, param, values, GROUPS_MAX, &count) == QNT_OK);
    CHECK(group < count);
    return values[group];
}

static qnt_quantizer *fitted(const qnt_context *context, const qnt_spec *spec, const qnt_tensor *x,
                             const qnt_tensor *importance)
{
    qnt_quantizer *q = NULL;
    CHECK(qnt_quantizer_create(context, spec, &q) == QNT_OK);
    CHECK(qnt_quantizer_observe(context, q, x, importance) == QNT_OK);
    CHECK(qnt_quantizer_fit(context, q) == QNT_OK);
    return q;
}

/* Squared error of x as the quantizer reproduces it. */
static double lost(const qnt_context *context, const qnt_quantizer *q, const float *x, int64_t n)
{
    float *y = malloc((size_t)n * sizeof *y);
    double sum = 0.0;
    CHECK(qnt_quantizer_apply(context, q, TENSOR(x, QNT_FLOAT, 32, n),
                              TENSOR(y, QNT_FLOAT, 32, n)) == QNT_OK);
    for (int64_t i = 0; i < n; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    free(y);
    return sum;
}

/* Every spec on rows of every kind of data, against the solver called directly. */
static void specs(void)
{
    static const int32_t flags[] = {0,
                                    QNT_SIGNED,
                                    QNT_SIGNED | QNT_SYMMETRIC,
                                    QNT_SYMMETRIC,
                                    QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW,
                                    QNT_SIGNED | QNT_NARROW,
                                    QNT_REAL_OFFSET,
                                    QNT_REAL_OFFSET | QNT_SIGNED};
    qnt_context *context = check_context();
    for (int round = 0; round < ROUNDS(100); round++) {
        float x[ROWS * COLUMNS], importance[COLUMNS];
        double h[COLUMNS];
        int32_t f = flags[round % 8];
        qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .flags = f, .grain = QNT_PER_AXIS,
                         .bits = (int32_t)random_in(2, f & QNT_REAL_OFFSET ? 4 : 8)};
        bool weighted = round % 3 == 0;
        for (int r = 0; r < ROWS; r++) fill(x + r * COLUMNS, NULL, COLUMNS, (round + r) % KINDS);
        for (int c = 0; c < COLUMNS; c++) {
            importance[c] = (float)(random_unit() + 0.1);
            h[c] = (double)importance[c];
        }
        qnt_quantizer *q = fitted(context, &spec, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
                                  weighted ? TENSOR(importance, QNT_FLOAT, 32, COLUMNS) : NULL);
        int steps = (1 << spec.bits) - (f & QNT_NARROW ? 2 : 1);
        int low = f & QNT_SIGNED ? -(1 << (spec.bits - 1)) + (f & QNT_NARROW ? 1 : 0) : 0;
        for (size_t r = 0; r < ROWS; r++) {
            const float *row = x + r * COLUMNS;
            const double *own = weighted ? h : NULL;
            struct qnt__exact fit;
            int middle = f & QNT_SIGNED ? 0 : 1 << (spec.bits - 1);
            if (f & QNT_REAL_OFFSET) fit = solve_affine(row, own, COLUMNS, low, low + steps, 0.0);
            else if (f & QNT_SYMMETRIC) {
                fit = solve_scale(row, own, COLUMNS, low - middle, low + steps - middle);
            } else fit = solve_zero(row, own, COLUMNS, steps);
            double error = get(context, q, QNT_P_ERROR, r), bound = get(context, q, QNT_P_BOUND, r);
            double tiny = 1e-12 * energy(row, own, COLUMNS);
            CHECK_MSG(fabs(error - fit.error) <= tiny, "flags 0x%x, %d bits: %.17g, expected %.17g",
                      (unsigned)f, (int)spec.bits, error, fit.error);
            CHECK_MSG(bound <= error && bound >= error * (1.0 - 1e-6) - tiny, "%.17g %.17g", bound,
                      error);
            CHECK(get(context, q, QNT_P_VISITED, r) >= 0.0);
        }
        qnt_quantizer_destroy(q);
    }
    qnt_context_destroy(context);
}

/* Better than every other scale that can be set by hand, measured through qnt_quantizer_apply(). */
static void against_fixed(void)
{
    qnt_context *context = check_context();
    for (int32_t bits = 2; bits <= 8; bits += 2) {
        float x[512];
        fill(x, NULL, 512, bits % 4 ? GAUSS : LAPLACE);
        qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, 512);
        qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .bits = bits,
                         .flags = QNT_SIGNED | QNT_SYMMETRIC};
        qnt_quantizer *best = fitted(context, &spec, t, NULL), *other;
        double least = lost(context, best, x, 512), scale = get(context, best, QNT_P_SCALE, 0);
        CHECK(fabs(least / get(context, best, QNT_P_ERROR, 0) - 1.0) < 1e-5);
        spec.method = QNT_FIXED;
        OK(qnt_quantizer_create(context, &spec, &other));
        for (double s = 0.2 * scale; s < 3.0 * scale; s *= 1.003) {
            OK(qnt_quantizer_set(context, other, QNT_P_SCALE, &s, 1));
            double error = lost(context, other, x, 512);
            CHECK_MSG(error >= least * (1.0 - 1e-5), "scale %g: %g, best %g", s, error, least);
        }
        qnt_quantizer_destroy(other);
        qnt_quantizer_destroy(best);
    }
    qnt_context_destroy(context);
}

/* From histograms the answer is close to that of the values, and the certificate is about the
 * bins. */
static void histograms(void)
{
    enum { N = 20000 };
    static float x[N];
    qnt_context *context = check_context();
    for (int bits = 2; bits <= 8; bits += 2) {
        fill(x, NULL, N, LAPLACE);
        qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, N);
        qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .bits = bits, .flags = QNT_SIGNED};
        qnt_quantizer *exact = fitted(context, &spec, t, NULL), *binned;
        OK(qnt_quantizer_create(context, &spec, &binned));
        OK(qnt_quantizer_set(context, binned, QNT_P_SAMPLES, (double[]){1000.0}, 1));
        OK(qnt_quantizer_observe(context, binned, t, NULL));
        OK(qnt_quantizer_fit(context, binned));
        double a = lost(context, exact, x, N), b = lost(context, binned, x, N);
        CHECK_MSG(b <= a * 1.02, "%d bits: %g from bins, %g exact", bits, b, a);
        CHECK(get(context, binned, QNT_P_BOUND, 0) <= get(context, binned, QNT_P_ERROR, 0));
        qnt_quantizer_destroy(binned);
        qnt_quantizer_destroy(exact);
    }
    qnt_context_destroy(context);
}

static void edge_cases(void)
{
    static const float zeros[8] = {0}, same[8] = {3, 3, 3, 3, 3, 3, 3, 3}, one[1] = {-7.5f};
    static const struct { const float *x; int n; } data[] = {{zeros, 8}, {same, 8}, {one, 1}};
    qnt_context *context = check_context();
    for (int k = 0; k < 3; k++) {
        for (int32_t bits = 1; bits <= 16; bits += bits == 8 ? 8 : 1) {
            for (int32_t flags = 0; flags < 8; flags++) {
                if (bits == 1 && (flags & QNT_NARROW)) continue;
                qnt_spec spec = {
                    .size = sizeof spec, .method = QNT_MSE, .bits = bits, .flags = flags};
                qnt_quantizer *q =
                    fitted(context, &spec, TENSOR(data[k].x, QNT_FLOAT, 32, data[k].n), NULL);
                double scale = get(context, q, QNT_P_SCALE, 0),
                       error = get(context, q, QNT_P_ERROR, 0);
                CHECK(scale > 0.0 && isfinite(scale) && get(context, q, QNT_P_BOUND, 0) <= error);
                bool stuck = bits == 1 && (flags & QNT_SYMMETRIC) && data[k].x[0] > 0.0f;
                CHECK_MSG(stuck || error <= 1e-9, "data %d, %d bits, flags %d: %g", k, (int)bits,
                          (int)flags, error);
                qnt_quantizer_destroy(q);
            }
        }
    }
    qnt_context_destroy(context);
}

/* 16 bits: better than the range, nothing proven. */
static void wide(void)
{
    qnt_context *context = check_context();
    float x[3000];
    fill(x, NULL, 3000, SHIFTED);
    qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, 3000);
    qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .bits = 16};
    qnt_quantizer *a = fitted(context, &spec, t, NULL);
    spec.method = QNT_MINMAX;
    qnt_quantizer *b = fitted(context, &spec, t, NULL);
    CHECK(get(context, a, QNT_P_ERROR, 0) <= get(context, b, QNT_P_ERROR, 0));
    CHECK(get(context, a, QNT_P_BOUND, 0) == 0.0);
    qnt_quantizer_destroy(b);
    qnt_quantizer_destroy(a);
    qnt_context_destroy(context);
}

static void node_limit(void)
{
    qnt_context *context = check_context();
    float x[1000];
    fill(x, NULL, 1000, LAPLACE);
    qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, 1000);
    qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .bits = 4};
    qnt_quantizer *q = fitted(context, &spec, t, NULL);
    double least = get(context, q, QNT_P_ERROR, 0);
    OK(qnt_quantizer_set(context, q, QNT_P_NODES, (double[]){2.0}, 1));
    OK(qnt_quantizer_fit(context, q));
    CHECK(get(context, q, QNT_P_VISITED, 0) <= 2.0);
    CHECK(get(context, q, QNT_P_BOUND, 0) <= least && get(context, q, QNT_P_ERROR, 0) >= least);
    qnt_quantizer_destroy(q);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(specs);
    RUN(against_fixed);
    RUN(histograms);
    RUN(edge_cases);
    RUN(wide);
    RUN(node_limit);
    return DONE;
}
