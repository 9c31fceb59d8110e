/*
 * ALQ's structured groups (Qu et al., CVPR 2020): channel-, kernel-, pixel- and sub-channel-wise
 * bases are what the solver finds for these elements gathered by hand; storage is that of ragged
 * bases.
 */
#include "quantizer/bases.h"
#include "check.h"

enum { O = 6, C = 8, TAPS = 9, K = C * TAPS, N = O * K, POINTS = 3 };

static qnt_context *c;
static float w[N], y[N], gathered[N];

/* A grouping of weights [O, C, kh kw], kept as NCHW; element e of group g is w[at(g, e)]. */
struct groups {
    const char *name;
    int64_t shape[3];
    int ndim, grain, axis, block;
    int count, size;
    int (*at)(int g, int e);
};

static int channel(int g, int e)
{
    return g * K + e;
}

static int kernel(int g, int e)
{
    return g * TAPS + e;
}

static int pixel(int g, int e)
{
    return g / TAPS * K + e * TAPS + g % TAPS;
}

static int half(int g, int e)
{
    return g * (K / 2) + e;
}

static const struct groups all[] = {
    {"channel", {O, C, TAPS}, 3, QNT_PER_AXIS, 0, 0, O, K, channel},
    {"kernel", {O, C, TAPS}, 3, QNT_PER_BLOCK, 2, TAPS, O *C, TAPS, kernel},
    {"pixel", {O, C, TAPS}, 3, QNT_PER_BLOCK, 1, C, O *TAPS, C, pixel},
    {"sub-channel", {O, K, 1}, 2, QNT_PER_BLOCK, 1, K / 2, O * 2, K / 2, half},
};

static qnt_tensor *view(float *data, const struct groups *g, check_tensor *v)
{
    for (int d = 0; d < g->ndim; d++) v->shape[d] = g->shape[d];
    v->t = (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = g->ndim,
                        .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32,
                        .dtype_lanes = 1,
                        .shape = v->shape};
    return &v->t;
}

/* Literal bases keep the coefficients that the solver found, but for rounding to float32. */
static void as_gathered(void)
{
    for (int i = 0; i < ROUNDS(20); i++) {
        const struct groups *g = &all[i % 4];
        qnt_spec spec = {.size = sizeof spec,
                         .scheme = QNT_POINTS,
                         .method = QNT_BASES,
                         .points = POINTS,
                         .flags = QNT_LITERAL,
                         .grain = g->grain,
                         .axis = g->axis,
                         .block = g->block};
        static double coef[N * POINTS];
        qnt_quantizer *q = NULL;
        check_tensor in, out;
        size_t count;
        for (int k = 0; k < N; k++) w[k] = (float)random_laplace();
        OK(qnt_quantizer_create(c, &spec, &q));
        OK(qnt_quantizer_observe(c, q, view(w, g, &in), NULL));
        OK(qnt_quantizer_fit(c, q));
        OK(qnt_quantizer_apply(c, q, &in.t, view(y, g, &out)));
        OK(qnt_quantizer_get(c, q, QNT_P_COEF, coef, N * POINTS, &count));
        CHECK_MSG(count == (size_t)(g->count * POINTS), "%s: %zu coefficients", g->name, count);
        for (int n = 0; n < g->count; n++) {
            double own[QNT__BASES_MAX], error = 0;
            uint8_t code[K];
            for (int e = 0; e < g->size; e++) {
                gathered[e] = w[g->at(n, e)];
                error += pow((double)w[g->at(n, e)] - (double)y[g->at(n, e)], 2);
            }
            int32_t bases = qnt__bases(gathered, NULL, (size_t)g->size, POINTS, QNT__BASES_REFINED,
                                       30, own, code);
            double most = qnt__bases_error(gathered, NULL, (size_t)g->size, bases, own, code);
            for (int p = 0; p < bases; p++)
                CHECK_MSG((float)coef[n * POINTS + p] == (float)own[p], "%s group %d: %g, %g",
                          g->name, n, coef[n * POINTS + p], own[p]);
            /* nearest sums are not worse than the codes of the sketch */
            CHECK_MSG(error <= most * (1 + 1e-5) + 1e-9, "%s group %d: %g, %g", g->name, n, error,
                      most);
        }
        qnt_quantizer_destroy(q);
    }
}

/* bits = sum of n I + 32 I, and what tells I (section "storage" of the ALQ's sizes), within
 * budgets. */
static void storage(void)
{
    for (int i = 0; i < ROUNDS(20); i++) {
        const struct groups *g = &all[i % 4];
        qnt_spec spec = {.size = sizeof spec,
                         .scheme = QNT_POINTS,
                         .method = QNT_BASES,
                         .points = POINTS,
                         .flags = QNT_LITERAL,
                         .grain = g->grain,
                         .axis = g->axis,
                         .block = g->block};
        static double number[N], stored[N], overhead[N];
        double budget = 1.2 * (1 + 32.0 / g->size), bits = 0, expected = 0;
        qnt_quantizer *q = NULL;
        qnt_error e = {.size = sizeof e};
        check_tensor in;
        size_t count;
        bool zero = false, ragged = false;
        for (int k = 0; k < N; k++)
            w[k] = (float)(random_gauss() * (k / K % 3 ? exp2((double)(k / K)) : 1e-3));
        OK(qnt_quantizer_create(c, &spec, &q));
        OK(qnt_quantizer_set(c, q, QNT_P_BUDGET, &budget, 1));
        OK(qnt_quantizer_observe(c, q, view(w, g, &in), NULL));
        OK(qnt_quantizer_fit(c, q));
        OK(qnt_quantizer_get(c, q, QNT_P_COUNT, number, N, &count));
        OK(qnt_quantizer_get(c, q, QNT_P_STORED, stored, N, &count));
        OK(qnt_quantizer_get(c, q, QNT_P_OVERHEAD, overhead, N, &count));
        for (int n = 0; n < g->count; n++) {
            bits += stored[n] * g->size + overhead[n];
            expected += number[n] * (g->size + 32) + 2;
            zero |= number[n] == 0;
            ragged |= number[n] != number[0];
        }
        CHECK_MSG(bits == expected, "%s: %g bits, expected %g", g->name, bits, expected);
        CHECK(zero && ragged);
        CHECK(bits - 2 * g->count <= budget * N * (1 + 1e-12));
        CHECK(bits - 2 * g->count > budget * N - (g->size + 32)); /* nothing that fits is left */
        OK(qnt_quantizer_error(c, q, &in.t, NULL, &e));
        CHECK_MSG(fabs(e.bits * N / bits - 1) < 1e-12, "%g", e.bits);
        qnt_quantizer_destroy(q);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(as_gathered);
    RUN(storage);
    qnt_context_destroy(c);
    return DONE;
}
