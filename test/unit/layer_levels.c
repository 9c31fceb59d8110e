/*
 * Layers with codebooks. Integer levels must give the bytes that the same integers give as affine
 * int8 codes; real levels are compared with a product in double.
 */
#include "twin_case.h"

enum { MOST = 8192 };

static float w[MOST], x[MOST], bias[64], y[MOST], z[MOST], decoded[MOST];
static uint8_t wcode[MOST], xcode[MOST], packed[MOST];
static int8_t wint[MOST], xint[MOST];

static qnt_quantizer *fitted(qnt_spec spec, float *data, int64_t rows, int64_t n)
{
    qnt_quantizer *q = quantizer(spec);
    if (spec.method == QNT_LEVELS) {
        static const double level[] = {-100, -37, -3, 0, 1, 2, 50, 127};
        CHECK(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 8) == QNT_OK);
    }
    CHECK(qnt_quantizer_observe(c, q, TENSOR(data, QNT_FLOAT, 32, rows, n), NULL) == QNT_OK);
    CHECK(qnt_quantizer_fit(c, q) == QNT_OK);
    return q;
}

/* Codes as the integers that they stand for; levels of group g begin at g * own of the table. */
static void to_integers(const qnt_quantizer *q, const uint8_t *code, size_t n, size_t per_group,
                        int8_t *out)
{
    static double level[MOST];
    qnt_spec spec = {.size = sizeof spec};
    size_t count;
    CHECK(qnt_quantizer_spec(c, q, &spec) == QNT_OK);
    CHECK(qnt_quantizer_get(c, q, QNT_P_LEVELS, level, MOST, &count) == QNT_OK);
    size_t size = (size_t)1 << spec.bits, tables = count / size;
    for (size_t i = 0; i < n; i++)
        out[i] = (int8_t)level[(tables > 1 ? i / per_group * size : 0) + code[i]];
}

static const int methods[] = {QNT_KMEANS, QNT_NF4, QNT_FP4,     QNT_APOT,
                              QNT_LEVELS, QNT_POT, QNT_BALANCED};

static qnt_spec random_table(int i, bool grains)
{
    qnt_spec spec = {.scheme = QNT_TABLE,
                     .method = methods[(size_t)i % (sizeof methods / sizeof *methods)],
                     .bits = 4};
    if (spec.method == QNT_KMEANS) spec.bits = (int32_t)random_in(1, 5);
    if (spec.method == QNT_APOT) spec.bits = (int32_t)random_in(3, 5);
    if (spec.method == QNT_LEVELS) spec.bits = 3;
    spec.grain = grains ? (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_BLOCK) : QNT_PER_TENSOR;
    if (spec.grain == QNT_PER_BLOCK) spec.axis = 1, spec.block = 16 * random_in(1, 2);
    return spec;
}

/* Dense: integers of the weights, and of the input if it has a table too. */
static void integers(void)
{
    for (int i = 0; i < ROUNDS(240); i++) {
        int64_t m = random_in(1, 20), n = random_in(1, 40), k = random_in(1, 80);
        qnt_spec spec = random_table(i, true);
        qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0);
        fill(w, (int64_t)(n * k)), fill(x, (int64_t)(m * k)), fill(bias, (int64_t)n);
        qnt_quantizer *wq = fitted(spec, w, n, k), *w8 = as_int8(wq), *xq = NULL, *x8 = NULL;
        qnt_layer *layer = NULL, *same = NULL;
        int input = i / 6 % 3; /* 0 float, 1 dynamic affine, 2 a table */
        if (input == 1) {
            xq = quantizer((qnt_spec){.method = QNT_MINMAX, .bits = 8, .flags = QNT_DYNAMIC});
            x8 = xq;
        } else if (input == 2) {
            xq = fitted(random_table(i / 2, false), x, m, k);
            x8 = as_int8(xq);
        }
        OK(qnt_quantizer_encode(c, wq, TENSOR(w, QNT_FLOAT, 32, n, k),
                                TENSOR(wcode, QNT_UINT, 8, n, k)));
        size_t per_group = (size_t)(spec.grain == QNT_PER_BLOCK ? 0 : k);
        if (spec.grain == QNT_PER_BLOCK && spec.method == QNT_KMEANS) {
            for (int64_t r = 0; r < n;
                 r++) { /* one row's blocks at a time: the last may be shorter */
                static double level[MOST];
                size_t count, size = (size_t)1 << spec.bits,
                              blocks = (size_t)((k + spec.block - 1) / spec.block);
                OK(qnt_quantizer_get(c, wq, QNT_P_LEVELS, level, MOST, &count));
                for (int64_t j = 0; j < k; j++) {
                    size_t g = (size_t)r * blocks + (size_t)(j / spec.block);
                    wint[r * k + j] = (int8_t)level[g * size + wcode[r * k + j]];
                }
            }
        } else {
            to_integers(wq, wcode, (size_t)(n * k), per_group, wint);
        }
        qnt_layer_spec ls = {
            .size = sizeof ls, .kind = QNT_DENSE, .activation = i % 2 ? QNT_RELU : QNT_LINEAR};
        const qnt_tensor *b = TENSOR(bias, QNT_FLOAT, 32, n);
        bool codes = i % 4 == 0;
        const qnt_tensor *weight =
            codes ? TENSOR(wcode, QNT_UINT, 8, n, k) : TENSOR(w, QNT_FLOAT, 32, n, k);
        OK(qnt_layer_create(c, &ls, weight, wq, b, xq, NULL, &layer));
        OK(qnt_layer_create(c, &ls, TENSOR(wint, QNT_INT, 8, n, k), w8, b, x8, NULL, &same));
        OK(run(layer, TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(y, QNT_FLOAT, 32, m, n)));
        if (input == 2) {
            qnt_spec xs = {.size = sizeof xs};
            OK(qnt_quantizer_spec(c, xq, &xs));
            OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, m, k),
                                    TENSOR(xcode, QNT_UINT, 8, m, k)));
            to_integers(xq, xcode, (size_t)(m * k), 0, xint);
            OK(run(same, TENSOR(xint, QNT_INT, 8, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
            CHECK_MSG(!memcmp(y, z, (size_t)(m * n) * 4), "method %d grain %d", spec.method,
                      spec.grain);
            OK(run(layer, TENSOR(xcode, QNT_UINT, 8, m, k), TENSOR(y, QNT_FLOAT, 32, m, n)));
            CHECK(!memcmp(y, z, (size_t)(m * n) * 4));
            OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, m, k),
                                    TENSOR(packed, QNT_UINT, xs.bits, m, k)));
            OK(run(layer, TENSOR(packed, QNT_UINT, xs.bits, m, k), TENSOR(y, QNT_FLOAT, 32, m, n)));
        } else {
            OK(run(same, TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
        }
        CHECK_MSG(!memcmp(y, z, (size_t)(m * n) * 4), "method %d grain %d input %d", spec.method,
                  spec.grain, input);
        qnt_layer_destroy(layer), qnt_layer_destroy(same);
        qnt_quantizer_destroy(wq), qnt_quantizer_destroy(w8), qnt_quantizer_destroy(xq);
        if (x8 != xq) qnt_quantizer_destroy(x8);
    }
}

/* Real levels, shared by all groups or each with its own: a float input and sums in double. */
static void real_levels(void)
{
    static const int real[] = {QNT_KMEANS, QNT_NF4, QNT_ANALYTIC, QNT_KMEANS};
    for (int i = 0; i < ROUNDS(120); i++) {
        int64_t m = random_in(1, 9), n = random_in(1, 40), k = random_in(1, 80);
        qnt_spec spec = {
            .scheme = QNT_TABLE, .method = real[i % 4], .bits = 4, .flags = QNT_LITERAL};
        if (spec.method == QNT_KMEANS) spec.bits = (int32_t)random_in(1, 8);
        spec.grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_BLOCK);
        if (spec.grain == QNT_PER_BLOCK) spec.axis = 1, spec.block = random_in(5, 40);
        qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0);
        fill(w, n * k), fill(x, m * k), fill(bias, n);
        qnt_quantizer *wq = fitted(spec, w, n, k);
        qnt_layer *layer = NULL, *copy = NULL;
        qnt_layer_spec ls = {.size = sizeof ls, .kind = QNT_DENSE};
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq,
                            TENSOR(bias, QNT_FLOAT, 32, n), NULL, NULL, &layer));
        OK(qnt_quantizer_apply(c, wq, TENSOR(w, QNT_FLOAT, 32, n, k),
                               TENSOR(decoded, QNT_FLOAT, 32, n, k)));
        OK(run(layer, TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(y, QNT_FLOAT, 32, m, n)));
        for (int64_t r = 0; r < m; r++) {
            for (int64_t j = 0; j < n; j++) {
                double sum = (double)bias[j], size = fabs(sum);
                for (int64_t e = 0; e < k; e++) {
                    double term = (double)x[r * k + e] * (double)decoded[j * k + e];
                    sum += term, size += fabs(term);
                }
                CHECK_MSG(fabs(sum - (double)y[r * n + j]) <= 1e-5 * size, "%g, expected %g",
                          (double)y[r * n + j], sum);
            }
        }
        size_t bytes;
        OK(qnt_layer_save(c, layer, NULL, 0, &bytes));
        void *blob = malloc(bytes);
        OK(qnt_layer_save(c, layer, blob, bytes, &bytes));
        OK(qnt_layer_load(c, blob, bytes, 0, &copy));
        OK(run(copy, TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
        CHECK(!memcmp(y, z, (size_t)(m * n) * 4));
        free(blob);
        qnt_layer_destroy(layer), qnt_layer_destroy(copy), qnt_quantizer_destroy(wq);
    }
}

/* Convolutions, depthwise ones too, with weights and inputs of tables. */
static void convolutions(void)
{
    for (int i = 0; i < ROUNDS(80); i++) {
        int32_t groups = i % 3 == 0 ? 4 : 1;
        int64_t o = groups > 1 && i % 2 ? 4 : 8, ch = groups > 1 && i % 2 ? 1 : 3,
                side = random_in(3, 7);
        int64_t in = ch * groups, inputs = 9 * ch, out = side;
        fill(w, o * inputs), fill(x, side * side * in);
        qnt_quantizer *wq =
            fitted((qnt_spec){.scheme = QNT_TABLE, .method = QNT_NF4, .grain = QNT_PER_AXIS}, w, o,
                   inputs);
        qnt_quantizer *xq = fitted((qnt_spec){.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 3},
                                   x, 1, side * side * in);
        qnt_quantizer *w8 = as_int8(wq), *x8 = as_int8(xq);
        qnt_layer *layer = NULL, *same = NULL;
        qnt_layer_spec ls = {
            .size = sizeof ls, .kind = QNT_CONV, .groups = groups, .pad = {1, 1, 1, 1}};
        OK(qnt_quantizer_encode(c, wq, TENSOR(w, QNT_FLOAT, 32, o, inputs),
                                TENSOR(wcode, QNT_UINT, 8, o, inputs)));
        OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, side * side * in),
                                TENSOR(xcode, QNT_UINT, 8, side * side * in)));
        to_integers(wq, wcode, (size_t)(o * inputs), (size_t)inputs, wint);
        to_integers(xq, xcode, (size_t)(side * side * in), 0, xint);
        OK(qnt_layer_create(c, &ls, TENSOR(wcode, QNT_UINT, 8, o, 3, 3, ch), wq, NULL, xq, NULL,
                            &layer));
        OK(qnt_layer_create(c, &ls, TENSOR(wint, QNT_INT, 8, o, 3, 3, ch), w8, NULL, x8, NULL,
                            &same));
        OK(run(layer, TENSOR(x, QNT_FLOAT, 32, 1, side, side, in),
               TENSOR(y, QNT_FLOAT, 32, 1, out, out, o)));
        OK(run(same, TENSOR(xint, QNT_INT, 8, 1, side, side, in),
               TENSOR(z, QNT_FLOAT, 32, 1, out, out, o)));
        CHECK_MSG(!memcmp(y, z, (size_t)(out * out * o) * 4), "groups %d", groups);
        qnt_layer_destroy(layer), qnt_layer_destroy(same);
        qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq), qnt_quantizer_destroy(w8),
            qnt_quantizer_destroy(x8);
    }
}

/* Inputs whose codes the caller's thresholds decide: floats give what their codes give, and a saved
 * layer the same. */
static void input_thresholds(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        int64_t m = random_in(1, 5), k = random_in(1, 70), n = random_in(1, 20);
        int bits = (int)random_in(1, 7), levels = (int)random_in(2, 1 << bits),
            each = (1 << bits) - 1;
        qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0);
        fill(w, n * k), fill(x, m * k);
        qnt_quantizer *wq = fitted(
            (qnt_spec){.scheme = QNT_TABLE, .method = QNT_NF4, .grain = QNT_PER_AXIS}, w, n, k);
        qnt_quantizer *xq = quantizer((qnt_spec){
            .scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = bits, .flags = QNT_THRESHOLDS});
        double level[128], threshold[127], scale = 0.25;
        for (int e = 0; e < levels; e++) level[e] = e - levels / 2;
        for (int e = 0; e < each; e++)
            threshold[e] = e + 1 < levels ? -1 + 2.0 * e / levels + 0.5 * random_unit() / levels
                                          : (double)INFINITY;
        OK(qnt_quantizer_set(c, xq, QNT_P_LEVELS, level, (size_t)levels));
        OK(qnt_quantizer_set(c, xq, QNT_P_SCALE, &scale, 1));
        OK(qnt_quantizer_set(c, xq, QNT_P_THRESHOLDS, threshold, (size_t)each));
        qnt_layer *layer = NULL, *copy = NULL;
        qnt_layer_spec ls = {.size = sizeof ls, .kind = QNT_DENSE};
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, NULL, xq, NULL, &layer));
        OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, m, k),
                                TENSOR(xcode, QNT_UINT, 8, m, k)));
        OK(run(layer, TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(y, QNT_FLOAT, 32, m, n)));
        OK(run(layer, TENSOR(xcode, QNT_UINT, 8, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
        CHECK(!memcmp(y, z, (size_t)(m * n) * 4));
        OK(qnt_quantizer_apply(c, wq, TENSOR(w, QNT_FLOAT, 32, n, k),
                               TENSOR(decoded, QNT_FLOAT, 32, n, k)));
        OK(qnt_quantizer_apply(c, xq, TENSOR(x, QNT_FLOAT, 32, m, k),
                               TENSOR(x, QNT_FLOAT, 32, m, k)));
        for (int64_t r = 0; r < m * n; r++) {
            double sum = 0, size = 1e-9;
            for (int64_t e = 0; e < k; e++) {
                double term = (double)x[r / n * k + e] * (double)decoded[r % n * k + e];
                sum += term, size += fabs(term);
            }
            CHECK_MSG(fabs(sum - (double)y[r]) <= 1e-5 * size, "%g, expected %g", (double)y[r],
                      sum);
        }
        size_t bytes;
        OK(qnt_layer_save(c, layer, NULL, 0, &bytes));
        uint8_t *blob = malloc(bytes);
        OK(qnt_layer_save(c, layer, blob, bytes, &bytes));
        OK(qnt_layer_load(c, blob, bytes, 0, &copy));
        OK(run(copy, TENSOR(xcode, QNT_UINT, 8, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
        CHECK(!memcmp(y, z, (size_t)(m * n) * 4));
        free(blob);
        qnt_layer_destroy(layer), qnt_layer_destroy(copy), qnt_quantizer_destroy(wq),
            qnt_quantizer_destroy(xq);
    }
}

static void refused(void)
{
    qnt_layer *layer = NULL;
    qnt_layer_spec ls = {.size = sizeof ls, .kind = QNT_DENSE};
    fill(w, 64), fill(x, 64);
    qnt_quantizer *nf4 = fitted((qnt_spec){.scheme = QNT_TABLE, .method = QNT_NF4}, w, 4, 16);
    qnt_quantizer *rows =
        fitted((qnt_spec){.scheme = QNT_TABLE, .method = QNT_NF4, .grain = QNT_PER_AXIS}, w, 4, 16);
    qnt_quantizer *empty = quantizer((qnt_spec){.scheme = QNT_TABLE, .method = QNT_NF4});
    const qnt_tensor *weight = TENSOR(w, QNT_FLOAT, 32, 4, 16);
    FAILS(qnt_layer_create(c, &ls, weight, nf4, NULL, rows, NULL, &layer), QNT_E_UNSUPPORTED,
          "input_q: grain is QNT_PER_AXIS, expected QNT_PER_TENSOR");
    FAILS(qnt_layer_create(c, &ls, weight, nf4, NULL, empty, NULL, &layer), QNT_E_STATE, "input_q");
    memset(wcode, 16, 64);
    FAILS(
        qnt_layer_create(c, &ls, TENSOR(wcode, QNT_UINT, 8, 4, 16), nf4, NULL, NULL, NULL, &layer),
        QNT_E_INVALID, "does not fit");
    qnt_quantizer_destroy(nf4), qnt_quantizer_destroy(rows), qnt_quantizer_destroy(empty);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(integers);
    RUN(real_levels);
    RUN(convolutions);
    RUN(input_thresholds);
    RUN(refused);
    qnt_context_destroy(c);
    return DONE;
}
