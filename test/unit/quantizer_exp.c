/*
 * Exponential codes: codes of every level, thresholds of the logarithm, symmetries, kernels that
 * agree with decoded values, and bad input. Golden errors are in exp_golden.c.
 */
#include <float.h>

#include "check.h"

enum { N = 4096 };

static qnt_context *c;
static float x[N], y[N], z[N];
static uint8_t code[N];

static qnt_quantizer *create(qnt_spec spec)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec;
    spec.scheme = QNT_EXP;
    if (spec.method == 0) spec.method = QNT_TEQ;
    CHECK_MSG(qnt_quantizer_create(c, &spec, &q) == QNT_OK, "%s", check_reason);
    return q;
}

static double get(const qnt_quantizer *q, int param)
{
    double v = NAN;
    size_t count;
    CHECK_MSG(qnt_quantizer_get(c, q, param, &v, 1, &count) == QNT_OK, "%s", check_reason);
    return v;
}

static void fit(qnt_quantizer *q, const float *data, int64_t n)
{
    OK(qnt_quantizer_observe(c, q, TENSOR(data, QNT_FLOAT, 32, n), NULL));
    OK(qnt_quantizer_fit(c, q));
}

/* decode(encode(level)) is the level, signs mirror, magnitudes ascend with fields; literal borders
 * lie half an exponent up, where the larger magnitude wins, and only 0 is 0. */
static void codes(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        int bits = 2 + i % 6, flags = (i / 6 % 2 ? QNT_SIGNED : 0) | (i / 12 % 2 ? QNT_LITERAL : 0);
        int levels = (1 << bits) - 1, all = levels + 1;
        qnt_quantizer *q = create((qnt_spec){.bits = bits, .flags = flags});
        for (int k = 0; k < 400; k++)
            x[k] = (float)(flags & QNT_SIGNED ? random_laplace() : fabs(random_gauss()));
        fit(q, x, 400);
        for (int k = 0; k < 2 * all; k++) code[k] = (uint8_t)k;
        int used = flags & QNT_SIGNED ? 2 * all : all;
        OK(qnt_quantizer_decode(c, q, TENSOR(code, QNT_UINT, 8, used),
                                TENSOR(y, QNT_FLOAT, 32, used)));
        CHECK(y[0] == 0);
        for (int k = 1; k < all; k++)
            CHECK_MSG(y[k] >= y[k - 1] && y[k] > 0, "%d: %g", k, (double)y[k]);
        for (int k = 0; k < all && used > all; k++)
            CHECK(y[all + k] == -y[k] && (k || !signbit(y[all])));
        OK(qnt_quantizer_apply(c, q, TENSOR(y, QNT_FLOAT, 32, used),
                               TENSOR(z, QNT_FLOAT, 32, used)));
        CHECK(!memcmp(y, z, (size_t)used * 4));
        if (flags & QNT_LITERAL) {
            double base = get(q, QNT_P_BASE), alpha = get(q, QNT_P_ALPHA),
                   beta = get(q, QNT_P_BETA);
            float tiny[] = {1e-45f, -1e-45f, 0, -0.0f, NAN, INFINITY};
            OK(qnt_quantizer_apply(c, q, TENSOR(tiny, QNT_FLOAT, 32, 6),
                                   TENSOR(z, QNT_FLOAT, 32, 6)));
            CHECK(z[0] == y[1] && z[1] == (used > all ? -y[1] : 0) && z[2] == 0 && z[3] == 0 &&
                  z[4] == 0);
            CHECK(z[5] == y[levels]);
            for (int f = 1; f < levels; f++) {
                double border = alpha * pow(base, f - 0.5) + beta;
                float near[] = {(float)(border * (1 - 1e-5)), (float)(border * (1 + 1e-5))};
                if (y[f + 1] - y[f] < 1e-4f * y[f]) continue;
                OK(qnt_quantizer_apply(c, q, TENSOR(near, QNT_FLOAT, 32, 2),
                                       TENSOR(z, QNT_FLOAT, 32, 2)));
                CHECK_MSG(z[0] == y[f] && z[1] == y[f + 1], "border %d", f);
            }
        }
        qnt_quantizer_destroy(q);
    }
}

/* More bits cost less; free ranges cost less than pinned ones; powers of two scale everything. */
static void order(void)
{
    double before[2] = {INFINITY, INFINITY};
    for (int k = 0; k < 3000; k++) x[k] = (float)random_laplace();
    for (int bits = 2; bits <= 7; bits++) {
        double error[2];
        for (int literal = 0; literal < 2; literal++) {
            int flags = QNT_SIGNED | (literal ? QNT_LITERAL : 0);
            qnt_quantizer *q = create((qnt_spec){.bits = bits, .flags = flags});
            qnt_quantizer *large = create((qnt_spec){.bits = bits, .flags = flags});
            fit(q, x, 3000);
            error[literal] = get(q, QNT_P_ERROR);
            CHECK(error[literal] < before[literal]);
            before[literal] = error[literal];
            for (int k = 0; k < 3000; k++) z[k] = x[k] * 1024;
            fit(large, z, 3000);
            CHECK(get(large, QNT_P_BASE) == get(q, QNT_P_BASE));
            CHECK(get(large, QNT_P_ALPHA) == 1024 * get(q, QNT_P_ALPHA));
            CHECK(get(large, QNT_P_BETA) == 1024 * get(q, QNT_P_BETA));
            qnt_quantizer_destroy(q), qnt_quantizer_destroy(large);
        }
        double snapping = bits == 7 ? 1.01 : 1; /* of levels so dense costs as much as is gained */
        CHECK_MSG(error[0] < snapping * error[1], "%d bits: %g, published %g", bits, error[0],
                  error[1]);
    }
}

/* A pair shares its base; kernels multiply the codes to what their decoded values give. */
static void pairs(void)
{
    for (int i = 0; i < ROUNDS(24); i++) {
        int bits = 2 + i % 6, flags = QNT_SIGNED | (i % 2 ? QNT_LITERAL : 0);
        qnt_quantizer *a = create((qnt_spec){.bits = bits, .flags = flags});
        qnt_quantizer *b = create((qnt_spec){.bits = bits, .flags = flags});
        enum { M = 3, ROWS = 4, K = 70 };
        static uint8_t b_code[ROWS * K];
        static float w[ROWS * K], b_value[ROWS * K];
        for (int k = 0; k < M * K; k++) x[k] = (float)random_laplace();
        for (int k = 0; k < ROWS * K; k++) w[k] = (float)(random_gauss() * 0.05);
        OK(qnt_quantizer_observe(c, a, TENSOR(x, QNT_FLOAT, 32, M, K), NULL));
        OK(qnt_quantizer_observe(c, b, TENSOR(w, QNT_FLOAT, 32, ROWS, K), NULL));
        OK(qnt_quantizer_fit_pair(c, a, b));
        const double base = get(a, QNT_P_BASE), other = 1.25;
        CHECK(base == get(b, QNT_P_BASE) && base > 1);
        OK(qnt_quantizer_set(c, i % 4 < 2 ? a : b, QNT_P_BASE, &other, 1)); /* is replaced */
        OK(qnt_quantizer_fit_pair(c, a, b));
        CHECK(get(a, QNT_P_BASE) == base && get(b, QNT_P_BASE) == base);
        OK(qnt_quantizer_encode(c, a, TENSOR(x, QNT_FLOAT, 32, M, K),
                                TENSOR(code, QNT_UINT, bits + 1, M, K)));
        OK(qnt_quantizer_encode(c, b, TENSOR(w, QNT_FLOAT, 32, ROWS, K),
                                TENSOR(b_code, QNT_UINT, bits + 1, ROWS, K)));
        OK(qnt_quantizer_decode(c, a, TENSOR(code, QNT_UINT, bits + 1, M, K),
                                TENSOR(y, QNT_FLOAT, 32, M, K)));
        OK(qnt_quantizer_decode(c, b, TENSOR(b_code, QNT_UINT, bits + 1, ROWS, K),
                                TENSOR(b_value, QNT_FLOAT, 32, ROWS, K)));
        qnt_exp ae = {sizeof ae, bits, get(a, QNT_P_BASE), get(a, QNT_P_ALPHA), get(a, QNT_P_BETA)};
        qnt_exp be = {sizeof be, bits, get(b, QNT_P_BASE), get(b, QNT_P_ALPHA), get(b, QNT_P_BETA)};
        OK(qnt_gemm_exp(c, TENSOR(code, QNT_UINT, bits + 1, M, K), &ae,
                        TENSOR(b_code, QNT_UINT, bits + 1, ROWS, K), &be,
                        TENSOR(z, QNT_FLOAT, 32, M, ROWS)));
        for (int m = 0; m < M; m++) {
            for (int n = 0; n < ROWS; n++) {
                double sum = 0, size = 0;
                for (int k = 0; k < K; k++) {
                    double term = (double)y[m * K + k] * (double)b_value[n * K + k];
                    sum += term, size += fabs(term);
                }
                double slack = i % 2 ? 1e-6 : 0.05; /* snapping moves levels by half a step */
                CHECK_MSG(fabs(sum - (double)z[m * ROWS + n]) <= slack * size, "%g, counted %g",
                          sum, (double)z[m * ROWS + n]);
            }
        }
        qnt_quantizer_destroy(a), qnt_quantizer_destroy(b);
    }
}

static void grains_and_blobs(void)
{
    for (int k = 0; k < 400; k++) x[k] = (float)(random_laplace() * (k / 100 + 1));
    for (int grain = QNT_PER_TENSOR; grain <= QNT_PER_BLOCK; grain++) {
        qnt_spec spec = {.bits = 3, .flags = QNT_SIGNED, .grain = grain};
        if (grain == QNT_PER_BLOCK) spec.axis = 1, spec.block = 30;
        qnt_quantizer *q = create(spec), *copy = NULL;
        size_t bytes;
        OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 4, 100), NULL));
        OK(qnt_quantizer_fit(c, q));
        OK(qnt_quantizer_save(c, q, NULL, 0, &bytes));
        void *blob = malloc(bytes);
        OK(qnt_quantizer_save(c, q, blob, bytes, &bytes));
        OK(qnt_quantizer_load(c, blob, bytes, &copy));
        OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, 4, 100),
                               TENSOR(y, QNT_FLOAT, 32, 4, 100)));
        OK(qnt_quantizer_apply(c, copy, TENSOR(x, QNT_FLOAT, 32, 4, 100),
                               TENSOR(z, QNT_FLOAT, 32, 4, 100)));
        CHECK(!memcmp(y, z, 400 * sizeof *y));
        free(blob);
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy);
    }
}

/* A fit after more data finds another base, the one of a quantizer that saw everything before its only
 * fit; a base that was set stays. */
static void more_data(void)
{
    qnt_quantizer *q = create((qnt_spec){.bits = 3, .flags = QNT_SIGNED}),
                  *whole = create((qnt_spec){.bits = 3, .flags = QNT_SIGNED});
    const double set = 1.5;
    for (int k = 0; k < 300; k++) x[k] = (float)random_gauss();
    for (int k = 300; k < 600; k++) x[k] = (float)exp(2.0 * random_gauss());
    fit(q, x, 300);
    const double first = get(q, QNT_P_BASE);
    OK(qnt_quantizer_fit(c, q));
    CHECK(get(q, QNT_P_BASE) == first);
    fit(q, x + 300, 300);
    OK(qnt_quantizer_observe(c, whole, TENSOR(x, QNT_FLOAT, 32, 300), NULL));
    fit(whole, x + 300, 300);
    CHECK(get(q, QNT_P_BASE) != first && get(q, QNT_P_BASE) == get(whole, QNT_P_BASE));
    CHECK(get(q, QNT_P_ERROR) == get(whole, QNT_P_ERROR));
    for (int k = 0; k < 2; k++) {
        OK(qnt_quantizer_set(c, q, QNT_P_BASE, &set, 1));
        OK(qnt_quantizer_fit(c, q));
        CHECK(get(q, QNT_P_BASE) == set);
    }
    qnt_quantizer_destroy(q), qnt_quantizer_destroy(whole);
}

/* Whatever was fitted can be loaded again. */
static void reload(const qnt_quantizer *q)
{
    static uint8_t blob[1024];
    size_t bytes;
    qnt_quantizer *copy = NULL;
    OK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes));
    CHECK_MSG(qnt_quantizer_load(c, blob, bytes, &copy) == QNT_OK, "%s", check_reason);
    qnt_quantizer_destroy(copy);
}

/* Given the base that a search ends with, levels are about as good as those that the search led to. */
static void given_base(void)
{
    enum { TENSORS = 60 };
    double sum = 0.0;
    for (int i = 0; i < TENSORS; i++) {
        const int64_t n = random_in(100, 600);
        qnt_error free_error = {.size = sizeof free_error}, set_error = free_error;
        qnt_quantizer *found = create((qnt_spec){.bits = i % 6 + 2, .flags = QNT_SIGNED}),
                      *given = create((qnt_spec){.bits = i % 6 + 2, .flags = QNT_SIGNED});
        const qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, n);
        for (int64_t k = 0; k < n; k++)
            x[k] = (float)(i % 3 == 0 ? random_gauss() : i % 3 == 1 ? random_laplace() : random_unit());
        fit(found, x, n);
        const double base = get(found, QNT_P_BASE);
        OK(qnt_quantizer_set(c, given, QNT_P_BASE, &base, 1));
        fit(given, x, n);
        CHECK(get(given, QNT_P_BASE) == base);
        OK(qnt_quantizer_error(c, found, t, NULL, &free_error));
        OK(qnt_quantizer_error(c, given, t, NULL, &set_error));
        CHECK_MSG(set_error.mse < 1.3 * free_error.mse, "%g, but %g", set_error.mse, free_error.mse);
        sum += log(set_error.mse / free_error.mse) / TENSORS;
        qnt_quantizer_destroy(found), qnt_quantizer_destroy(given);
    }
    CHECK_MSG(sum < 0.01, "%g times the error in the mean", exp(sum));
}

static void degenerate(void)
{
    static const float data[][4] = {{0, 0, 0, 0},
                                    {3, 3, -3, 3},
                                    {-2, 0, 0, 0},
                                    {1e-45f, 0, 0, 0},
                                    {3e38f, -3e38f, 1, 0},
                                    {1e-40f, -2e-40f, 3e-40f, 0},
                                    {1e-30f, 1e30f, 0, 0},
                                    {1e-45f, 3e-45f, 0, 0},
                                    {FLT_MAX, -FLT_MAX, FLT_MAX, FLT_MAX},
                                    {FLT_MAX, 3e38f, -2e38f, 1e38f},
                                    {FLT_MAX, 1, -2, 0}};
    for (int i = 0; i < 44; i++) {
        int flags = QNT_SIGNED | (i % 2 ? QNT_LITERAL : 0);
        const float *v = data[i / 4];
        qnt_quantizer *q = create((qnt_spec){.bits = i / 2 % 2 ? 7 : 3, .flags = flags});
        fit(q, v, 4);
        OK(qnt_quantizer_apply(c, q, TENSOR(v, QNT_FLOAT, 32, 4), TENSOR(y, QNT_FLOAT, 32, 4)));
        for (int k = 0; k < 4; k++) CHECK_MSG(isfinite(y[k]), "data %d: %g", i / 4, (double)y[k]);
        reload(q);
        if (i / 4 == 1)
            CHECK_MSG(fabs((double)y[0] - 3) < 1e-4 && y[2] == -y[0], "%g", (double)y[0]);
        qnt_quantizer_destroy(q);
    }
}

static void bad_input(void)
{
    qnt_spec spec = {.size = sizeof spec, .scheme = QNT_EXP, .method = QNT_TEQ, .bits = 1};
    qnt_quantizer *q = NULL;
    double v;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "2 to 7");
    spec.bits = 8;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "2 to 7");
    spec.bits = 3;
    spec.method = QNT_MSE;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_UNSUPPORTED, "QNT_EXP");
    spec.method = QNT_FIXED;
    OK(qnt_quantizer_create(c, &spec, &q));
    v = 1;
    FAILS(qnt_quantizer_set(c, q, QNT_P_ALPHA, &v, 1), QNT_E_STATE, "base");
    FAILS(qnt_quantizer_set(c, q, QNT_P_BASE, &v, 1), QNT_E_INVALID, "above 1");
    v = INFINITY;
    FAILS(qnt_quantizer_set(c, q, QNT_P_BASE, &v, 1), QNT_E_INVALID, "above 1");
    v = NAN;
    FAILS(qnt_quantizer_set(c, q, QNT_P_BASE, &v, 1), QNT_E_INVALID, "above 1");
    v = 1.5;
    OK(qnt_quantizer_set(c, q, QNT_P_BASE, &v, 1));
    v = 0;
    FAILS(qnt_quantizer_set(c, q, QNT_P_ALPHA, &v, 1), QNT_E_INVALID, "alpha above 0");
    v = -1;
    FAILS(qnt_quantizer_set(c, q, QNT_P_ALPHA, &v, 1), QNT_E_INVALID, "alpha above 0");
    v = 1e38;
    FAILS(qnt_quantizer_set(c, q, QNT_P_ALPHA, &v, 1), QNT_E_INVALID, "finite");
    v = 0.25;
    OK(qnt_quantizer_set(c, q, QNT_P_ALPHA, &v, 1));
    OK(qnt_quantizer_set(c, q, QNT_P_BETA, &v, 1));
    CHECK(get(q, QNT_P_BETA) == 0.25 && get(q, QNT_P_ALPHA) == 0.25);
    static const double bases[] = {1, 0.5, -2, NAN, INFINITY}, alphas[] = {0, -1, NAN, INFINITY};
    for (int i = 0; i < 5; i++) {
        FAILS(qnt_quantizer_set(c, q, QNT_P_BASE, &bases[i], 1), QNT_E_INVALID, "above 1");
    }
    for (int i = 0; i < 4; i++) {
        FAILS(qnt_quantizer_set(c, q, QNT_P_ALPHA, &alphas[i], 1), QNT_E_INVALID, "alpha");
    }
    v = NAN;
    FAILS(qnt_quantizer_set(c, q, QNT_P_BETA, &v, 1), QNT_E_INVALID, "beta");
    CHECK(get(q, QNT_P_BASE) == 1.5 && get(q, QNT_P_ALPHA) == 0.25 && get(q, QNT_P_BETA) == 0.25);
    qnt_quantizer *other = create((qnt_spec){.bits = 4});
    FAILS(qnt_quantizer_fit_pair(c, q, other), QNT_E_UNSUPPORTED, "QNT_TEQ");
    FAILS(qnt_quantizer_fit_pair(c, other, NULL), QNT_E_INVALID, "NULL");
    FAILS(qnt_quantizer_fit_pair(c, other, other), QNT_E_INVALID, "same");
    qnt_quantizer *narrow = create((qnt_spec){.bits = 3});
    FAILS(qnt_quantizer_fit_pair(c, narrow, other), QNT_E_INVALID, "a has 3 bits, b 4");
    CHECK(qnt_quantizer_fit_pair(NULL, narrow, other) == QNT_E_INVALID);
    qnt_quantizer *literal = create((qnt_spec){.bits = 3, .flags = QNT_LITERAL}),
                  *blind = create((qnt_spec){.bits = 3});
    fit(narrow, x, 100), fit(literal, x, 100);
    const double base = get(narrow, QNT_P_BASE);
    FAILS(qnt_quantizer_fit_pair(c, narrow, literal), QNT_E_INVALID, "QNT_LITERAL");
    FAILS(qnt_quantizer_fit_pair(c, narrow, blind), QNT_E_STATE, "observe");
    CHECK(get(narrow, QNT_P_BASE) == base);
    qnt_quantizer_destroy(q), qnt_quantizer_destroy(other), qnt_quantizer_destroy(narrow);
    qnt_quantizer_destroy(literal), qnt_quantizer_destroy(blind);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(codes);
    RUN(order);
    RUN(pairs);
    RUN(grains_and_blobs);
    RUN(more_data);
    RUN(given_base);
    RUN(degenerate);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
