/*
 * Layers between codebooks: weights that stay packed as places in tables must give the bytes that
 * the same integers give as int8 codes, for exponential codes too; outputs that are codes of a
 * codebook must be the codes of the floats that the layer would have given. Chains of such layers
 * are that, twice.
 */
#include "io/format.h"
#include "layer/layer.h"
#include "twin_case.h"

enum { MOST = 1 << 15 };

static float w[MOST], x[MOST], bias[256], y[MOST], z[MOST];
static uint8_t code[MOST], want[MOST], packed[MOST], seen[MOST];
static int8_t wint[MOST], xint[MOST];

/* Integers of 8 bits that ascend at uneven distances. */
static void give_levels(qnt_quantizer *q, int count)
{
    double level[128];
    for (int i = 0; i < count; i++) level[i] = i * 254 / (count - 1) - 128 + i % 2;
    CHECK(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, (size_t)count) == QNT_OK);
}

static qnt_quantizer *fitted(qnt_spec spec, float *data, int64_t rows, int64_t n)
{
    qnt_quantizer *q = quantizer(spec);
    if (spec.method == QNT_LEVELS) give_levels(q, 1 << spec.bits);
    CHECK(qnt_quantizer_observe(c, q, TENSOR(data, QNT_FLOAT, 32, rows, n), NULL) == QNT_OK);
    CHECK(qnt_quantizer_fit(c, q) == QNT_OK);
    return q;
}

/* Decoded values over their scales: the integers that codes stand for. */
static void to_integers(const qnt_quantizer *q, const float *data, int64_t rows, int64_t k,
                        int8_t *out)
{
    static float value[MOST];
    static double scale[MOST];
    qnt_spec spec = {.size = sizeof spec};
    size_t n;
    OK(qnt_quantizer_spec(c, q, &spec));
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, scale, MOST, &n));
    OK(qnt_quantizer_apply(c, q, TENSOR((void *)(uintptr_t)data, QNT_FLOAT, 32, rows, k),
                           TENSOR(value, QNT_FLOAT, 32, rows, k)));
    int64_t block = spec.grain == QNT_PER_BLOCK ? spec.block : k, blocks = (k + block - 1) / block;
    for (int64_t i = 0; i < rows * k; i++) {
        int64_t group = n == 1 ? 0 : i / k * blocks + i % k / block;
        out[i] = (int8_t)lrint((double)value[i] / scale[group]);
    }
}

static const qnt_spec formats[] = {
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3, .flags = QNT_SIGNED},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 2, .flags = QNT_SIGNED},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 4},
    {.scheme = QNT_TABLE, .method = QNT_NF4, .bits = 4},
    {.scheme = QNT_TABLE, .method = QNT_FP4, .bits = 4},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 4},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 3},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 2},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 1},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 4, .flags = QNT_SIGNED},
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 5},
    {.scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = 6},
    {.scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = 7},
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* Weights in every format and grain, times floats, dynamic codes, affine codes and exponential
 * codes. */
static void packed_weights(void)
{
    for (int i = 0; i < ROUNDS(156); i++) {
        qnt_spec ws = formats[i % FORMATS];
        int64_t m = random_in(0, 2) ? random_in(1, 12) : random_in(13, 50), n = random_in(1, 70);
        int64_t k = 16 * random_in(1, 9) + (random_in(0, 1) ? 0 : random_in(1, 15));
        int input = i / FORMATS % 4;
        ws.grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_BLOCK);
        if (ws.grain == QNT_PER_BLOCK) ws.axis = 1, ws.block = 32;
        OK(qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0));
        fill(w, n * k), fill(x, m * k), fill(bias, n);
        if (ws.scheme == QNT_EXP && !(ws.flags & QNT_SIGNED)) {
            for (int64_t e = 0; e < n * k; e++) w[e] = fabsf(w[e]);
        }
        qnt_quantizer *wq = fitted(ws, w, n, k), *w8 = as_int8(wq), *xq = NULL, *x8 = NULL;
        if (input == 1)
            xq = quantizer((qnt_spec){.method = QNT_MINMAX, .bits = 8, .flags = QNT_DYNAMIC});
        if (input == 2) xq = fitted((qnt_spec){.method = QNT_MSE, .bits = 8}, x, m, k);
        if (input == 3) xq = fitted(formats[random_in(0, 1)], x, m, k), x8 = as_int8(xq);
        qnt_layer *layer = NULL, *same = NULL;
        qnt_layer_spec ls = {.size = sizeof ls, .activation = i % 2 ? QNT_RELU : QNT_LINEAR};
        to_integers(wq, w, n, k, wint);
        const qnt_tensor *b = TENSOR(bias, QNT_FLOAT, 32, n);
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, b, xq, NULL, &layer));
        OK(qnt_layer_create(c, &ls, TENSOR(wint, QNT_INT, 8, n, k), w8, b, x8 ? x8 : xq, NULL,
                            &same));
        bool own = ws.scheme == QNT_EXP || ws.method == QNT_KMEANS;
        bool wide =
            ws.bits > 4 || (ws.scheme == QNT_EXP && ws.bits == 4 && (ws.flags & QNT_SIGNED));
        if (k % 16 == 0 && !wide && !(own && ws.grain == QNT_PER_BLOCK)) {
            CHECK(layer->head.cell_bits <= 4);
        }
        if (k == 128 && wide && input && !own) CHECK(layer->head.cell_bits < 8);
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, m, k);
        OK(run(layer, in, TENSOR(y, QNT_FLOAT, 32, m, n)));
        const qnt_tensor *integers = TENSOR(xint, QNT_INT, 8, m, k);
        if (x8) to_integers(xq, x, m, k, xint);
        OK(run(same, x8 ? integers : in, TENSOR(z, QNT_FLOAT, 32, m, n)));
        /* Integers with a divisor lost it to their scale, which is rounded elsewhere then. */
        bool divided = input && layer->head.cell_bits < 8 && !layer->tables;
        bool same_bytes = !memcmp(y, z, (size_t)(m * n) * 4);
        for (int64_t e = 0; divided && e < m * n; e++) {
            same_bytes = fabsf(y[e] - z[e]) <= 1e-6f * (fabsf(z[e]) + 2 * fabsf(bias[e % n]));
            if (!same_bytes) break;
        }
        CHECK_MSG(same_bytes, "format %d grain %d input %d %lld x %lld x %lld", i % FORMATS,
                  ws.grain, input, (long long)m, (long long)n, (long long)k);
        qnt_layer_destroy(layer), qnt_layer_destroy(same);
        qnt_quantizer_destroy(wq), qnt_quantizer_destroy(w8), qnt_quantizer_destroy(xq);
        qnt_quantizer_destroy(x8);
    }
}

/* Affine weights of every width and grain, times codes of every codebook: floats that the layer
 * encodes, codes of a byte and packed ones. */
static void affine_weights(void)
{
    for (int i = 0; i < ROUNDS(156); i++) {
        const qnt_spec xs = formats[i % FORMATS];
        int64_t m = random_in(0, 2) ? random_in(1, 12) : random_in(13, 50), n = random_in(1, 70);
        int64_t k = random_in(1, 150);
        qnt_spec ws = {.method = QNT_MINMAX,
                       .bits = (int32_t)random_in(2, 8),
                       .flags = random_in(0, 1) ? QNT_SIGNED | QNT_SYMMETRIC : 0,
                       .grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_BLOCK)};
        if (ws.grain == QNT_PER_BLOCK) ws.axis = 1, ws.block = 32;
        OK(qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0));
        fill(w, n * k), fill(x, m * k), fill(bias, n);
        for (int64_t e = 0; i % FORMATS == 2 && e < m * k; e++) x[e] = fabsf(x[e]);
        qnt_quantizer *wq = fitted(ws, w, n, k), *xq = fitted(xs, x, m, k), *x8 = as_int8(xq);
        const qnt_tensor *weight = TENSOR(w, QNT_FLOAT, 32, n, k),
                         *b = TENSOR(bias, QNT_FLOAT, 32, n);
        qnt_layer_spec ls = {.size = sizeof ls};
        qnt_layer *layer = NULL, *same = NULL;
        OK(qnt_layer_create(c, &ls, weight, wq, b, xq, NULL, &layer));
        OK(qnt_layer_create(c, &ls, weight, wq, b, x8, NULL, &same));
        to_integers(xq, x, m, k, xint);
        OK(run(same, TENSOR(xint, QNT_INT, 8, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
        const int bits = xs.bits + (xs.flags & QNT_SIGNED ? 1 : 0);
        OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, m, k),
                                TENSOR(code, QNT_UINT, 8, m, k)));
        OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, m, k),
                                TENSOR(packed, QNT_UINT, bits, m, k)));
        const qnt_tensor *in[] = {TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(code, QNT_UINT, 8, m, k),
                                  TENSOR(packed, QNT_UINT, bits, m, k)};
        for (int held = 0; held < 3; held++) {
            memset(y, 0xff, (size_t)(m * n) * sizeof *y);
            OK(run(layer, in[held], TENSOR(y, QNT_FLOAT, 32, m, n)));
            CHECK_MSG(!memcmp(y, z, (size_t)(m * n) * sizeof *y),
                      "format %d, input %d, weights of %d bits, grain %d: %lld x %lld x %lld",
                      i % FORMATS, held, ws.bits, ws.grain, (long long)m, (long long)n,
                      (long long)k);
        }
        qnt_layer_destroy(layer), qnt_layer_destroy(same);
        qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq), qnt_quantizer_destroy(x8);
    }
}

/* Taps that end within a cell, or not, with and without a level 0 for what is behind them. */
static void convolutions(void)
{
    for (int i = 0; i < ROUNDS(90); i++) {
        qnt_spec ws = formats[i % FORMATS];
        int32_t groups = i % 2 ? 1 : 2;
        int64_t ch = random_in(0, 1) ? 16 : random_in(1, 9), side = random_in(2, 7);
        int64_t o = 10 * groups, inputs = 9 * ch, in = ch * groups, pixels = side * side;
        ws.grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_AXIS);
        OK(qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0));
        fill(w, o * inputs), fill(x, pixels * in);
        for (int64_t e = 0; i % FORMATS == 2 && e < o * inputs; e++) w[e] = fabsf(w[e]);
        qnt_quantizer *wq = fitted(ws, w, o, inputs), *w8 = as_int8(wq);
        qnt_quantizer *xq = fitted((qnt_spec){.method = QNT_MSE, .bits = 8}, x, 1, pixels * in);
        qnt_layer *layer = NULL, *same = NULL;
        qnt_layer_spec ls = {.size = sizeof ls, .kind = QNT_CONV, .groups = groups};
        for (int e = 0; e < 4; e++) ls.pad[e] = 1;
        to_integers(wq, w, o, inputs, wint);
        const qnt_tensor *codes = TENSOR(seen, QNT_UINT, 8, 1, side, side, in);
        OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, pixels * in),
                                TENSOR(seen, QNT_UINT, 8, pixels * in)));
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, o, 3, 3, ch), wq, NULL, xq, NULL,
                            &layer));
        OK(qnt_layer_create(c, &ls, TENSOR(wint, QNT_INT, 8, o, 3, 3, ch), w8, NULL, xq, NULL,
                            &same));
        OK(run(layer, codes, TENSOR(y, QNT_FLOAT, 32, 1, side, side, o)));
        OK(run(same, codes, TENSOR(z, QNT_FLOAT, 32, 1, side, side, o)));
        CHECK_MSG(!memcmp(y, z, (size_t)(pixels * o) * 4), "format %d grain %d channels %lld",
                  i % FORMATS, ws.grain, (long long)ch);
        qnt_layer_destroy(layer), qnt_layer_destroy(same), qnt_quantizer_destroy(wq);
        qnt_quantizer_destroy(w8), qnt_quantizer_destroy(xq);
    }
}

/* What is packed takes the bytes of its codes, scales and tables, and not more. */
static void sizes(void)
{
    const int64_t n = 16, k = 512;
    fill(w, n * k);
    for (int i = 0; i < FORMATS; i++) {
        for (int32_t grain = QNT_PER_TENSOR; grain <= QNT_PER_AXIS; grain++) {
            qnt_spec ws = formats[i];
            ws.grain = grain;
            qnt_quantizer *q = fitted(ws, w, n, k);
            qnt_quantizer *dynamic =
                quantizer((qnt_spec){.method = QNT_MINMAX, .bits = 8, .flags = QNT_DYNAMIC});
            int bits = ws.bits + (ws.flags & QNT_SIGNED ? 1 : 0);
            for (int input = 0; input < 2; input++) {
                qnt_layer *layer = NULL;
                qnt_layer_spec ls = {.size = sizeof ls};
                OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), q, NULL,
                                    input ? dynamic : NULL, NULL, &layer));
                size_t codes = (size_t)(n * k * (bits == 1 ? 2 : bits) / 8);
                size_t tables = (size_t)n << bits;
                CHECK_MSG(layer->bytes <= codes + tables + (size_t)n * 80,
                          "format %d grain %d: %zu bytes", i, grain, layer->bytes);
                qnt_layer_destroy(layer);
            }
            qnt_quantizer_destroy(q), qnt_quantizer_destroy(dynamic);
        }
    }
}

/* A codebook for outputs: signs, literal borders, thresholds, levels that ascend or not. */
static qnt_quantizer *output_book(int kind, float *data, int64_t n)
{
    qnt_spec spec = formats[kind % FORMATS];
    if (kind % 4 == 1) spec.flags |= QNT_LITERAL;
    if (kind % 11 == 2) spec = (qnt_spec){.scheme = QNT_EXP, .bits = 7, .flags = QNT_SIGNED};
    if (kind % 11 == 3) spec = (qnt_spec){.scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = 3};
    if (kind % 11 == 4) spec = (qnt_spec){.scheme = QNT_POINTS, .method = QNT_BASES, .points = 2};
    if (spec.scheme == QNT_EXP) spec.method = QNT_TEQ;
    if (kind % 11 == 4) spec.bits = 0;
    return fitted(spec, data, 1, n);
}

/* The layer whose output is codes gives the codes of the floats that the one without gives. */
static void same_codes(const qnt_layer_spec *ls, qnt_tensor *weight, const qnt_quantizer *wq,
                       const qnt_quantizer *xq, int64_t outputs, const qnt_tensor *in, int64_t m,
                       int kind)
{
    qnt_layer *floats = NULL, *codes = NULL, *copy = NULL;
    const qnt_tensor *b = TENSOR(bias, QNT_FLOAT, 32, outputs);
    qnt_tensor *result = ls->kind == QNT_DENSE ? TENSOR(y, QNT_FLOAT, 32, m, outputs)
                                               : TENSOR(y, QNT_FLOAT, 32, 1, 1, m, outputs);
    OK(qnt_layer_create(c, ls, weight, wq, b, xq, NULL, &floats));
    OK(run(floats, in, result));
    qnt_quantizer *oq = output_book(kind, y, m * outputs);
    if (kind % 3 == 0 && !xq) { /* sums that are NaN have a code, too */
        x[0] = NAN;
        OK(run(floats, in, result));
        CHECK(isnan(y[0]));
    }
    OK(qnt_layer_create(c, ls, weight, wq, b, xq, oq, &codes));
    qnt_tensor *out = ls->kind == QNT_DENSE ? TENSOR(code, QNT_UINT, 8, m, outputs)
                                            : TENSOR(code, QNT_UINT, 8, 1, 1, m, outputs);
    OK(qnt_quantizer_encode(c, oq, TENSOR(y, QNT_FLOAT, 32, m, outputs),
                            TENSOR(want, QNT_UINT, 8, m, outputs)));
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    qnt_tensor view = {.shape = shape, .strides = strides};
    OK(qnt_layer_view(c, codes, in, &view));
    CHECK(view.dtype_code == QNT_UINT && view.dtype_bits == codes->head.output.bits);
    OK(run(codes, in, out));
    CHECK_MSG(!memcmp(code, want, (size_t)(m * outputs)), "kind %d", kind);

    view.data = packed;
    OK(qnt_quantizer_encode(c, oq, TENSOR(y, QNT_FLOAT, 32, m, outputs),
                            TENSOR(seen, QNT_UINT, view.dtype_bits, m, outputs)));
    OK(run(codes, in, &view));
    CHECK(!memcmp(packed, seen, (size_t)(m * outputs * view.dtype_bits / 8)));

    size_t bytes;
    OK(qnt_layer_save(c, codes, NULL, 0, &bytes));
    uint8_t *blob = malloc(bytes);
    OK(qnt_layer_save(c, codes, blob, bytes, &bytes));
    OK(qnt_layer_load(c, blob, bytes, 0, &copy));
    memset(code, 0xaa, (size_t)(m * outputs));
    OK(run(copy, in, out));
    CHECK(!memcmp(code, want, (size_t)(m * outputs)));
    free(blob);
    qnt_layer_destroy(floats), qnt_layer_destroy(codes), qnt_layer_destroy(copy);
    qnt_quantizer_destroy(oq);
}

static void output_codes(void)
{
    for (int i = 0; i < ROUNDS(180); i++) {
        int64_t m = random_in(1, 30), n = random_in(1, 40), k = 16 * random_in(1, 4);
        qnt_spec ws = formats[i % 2 ? 3 : 0];
        int input = i / 2 % 3;
        ws.grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_BLOCK);
        if (ws.grain == QNT_PER_BLOCK) ws.axis = 1, ws.block = 16;
        OK(qnt_context_set_cpu(c, i % 3 ? qnt_cpu_detect() : 0));
        fill(w, n * k), fill(x, m * k), fill(bias, n);
        qnt_quantizer *wq = fitted(ws, w, n, k), *xq = NULL;
        if (input == 1)
            xq = quantizer((qnt_spec){.method = QNT_MINMAX, .bits = 8, .flags = QNT_DYNAMIC});
        if (input == 2) xq = fitted(formats[1], x, m, k);
        qnt_layer_spec ls = {.size = sizeof ls, .activation = i % 4 ? QNT_LINEAR : QNT_RELU};
        same_codes(&ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, xq, n, TENSOR(x, QNT_FLOAT, 32, m, k),
                   m, i);
        qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);

        fill(w, 3 * 4), fill(x, 6 * 4), fill(bias, 4); /* depthwise, one row of pixels */
        wq = fitted(formats[3], w, 1, 12), xq = fitted(formats[0], x, 1, 24);
        ls =
            (qnt_layer_spec){.size = sizeof ls, .kind = QNT_CONV, .groups = 4, .pad = {0, 1, 0, 1}};
        same_codes(&ls, TENSOR(w, QNT_FLOAT, 32, 4, 1, 3, 1), wq, xq, 4,
                   TENSOR(x, QNT_FLOAT, 32, 1, 1, 6, 4), 6, i);
        qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
    }
}

/* Codes of exponents go in and come out: two layers that never meet a float between them. */
static void chain(void)
{
    const int64_t m = 20, k = 48, h = 64, n = 10;
    qnt_layer_spec ls = {.size = sizeof ls, .activation = QNT_RELU}, last = {.size = sizeof last};
    fill(x, m * k), fill(w, h * k);
    qnt_spec exp4 = formats[0], positive = formats[2], rows = formats[0];
    rows.grain = QNT_PER_AXIS;
    qnt_quantizer *xq = fitted(exp4, x, m, k), *w1 = fitted(rows, w, h, k);
    qnt_layer *floats = NULL, *first = NULL, *second = NULL;
    OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, h, k), w1, NULL, xq, NULL, &floats));
    OK(run(floats, TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(y, QNT_FLOAT, 32, m, h)));
    qnt_quantizer *hq = fitted(positive, y, m, h);
    OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, h, k), w1, NULL, xq, hq, &first));
    fill(w, n * h);
    qnt_quantizer *w2 = fitted(exp4, w, n, h);
    OK(qnt_layer_create(c, &last, TENSOR(w, QNT_FLOAT, 32, n, h), w2, NULL, hq, NULL, &second));

    OK(qnt_quantizer_encode(c, xq, TENSOR(x, QNT_FLOAT, 32, m, k),
                            TENSOR(code, QNT_UINT, 4, m, k)));
    OK(run(first, TENSOR(code, QNT_UINT, 4, m, k), TENSOR(packed, QNT_UINT, 4, m, h)));
    OK(run(second, TENSOR(packed, QNT_UINT, 4, m, h), TENSOR(z, QNT_FLOAT, 32, m, n)));

    static float hidden[MOST], decoded[MOST]; /* the same by way of decoded floats, in double */
    OK(qnt_quantizer_apply(c, hq, TENSOR(y, QNT_FLOAT, 32, m, h),
                           TENSOR(hidden, QNT_FLOAT, 32, m, h)));
    OK(qnt_quantizer_apply(c, w2, TENSOR(w, QNT_FLOAT, 32, n, h),
                           TENSOR(decoded, QNT_FLOAT, 32, n, h)));
    for (int64_t i = 0; i < m * n; i++) {
        double sum = 0, size = 1e-30;
        for (int64_t e = 0; e < h; e++) {
            double term = (double)hidden[i / n * h + e] * (double)decoded[i % n * h + e];
            sum += term, size += fabs(term);
        }
        CHECK_MSG(fabs(sum - (double)z[i]) <= 1e-6 * size, "%g, expected %g", (double)z[i], sum);
    }
    qnt_layer_destroy(floats), qnt_layer_destroy(first), qnt_layer_destroy(second);
    qnt_quantizer_destroy(xq), qnt_quantizer_destroy(hq), qnt_quantizer_destroy(w1);
    qnt_quantizer_destroy(w2);
}

/* Blobs whose codebook cannot be one. */
static void damaged(void)
{
    fill(w, 64 * 4), fill(x, 64);
    qnt_quantizer *wq = fitted(formats[3], w, 4, 64), *xq = fitted(formats[0], x, 1, 64);
    qnt_quantizer *oq = fitted(formats[1], x, 1, 64);
    qnt_layer *layer = NULL, *copy = NULL;
    qnt_layer_spec ls = {.size = sizeof ls};
    size_t bytes;
    OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, 4, 64), wq, NULL, xq, oq, &layer));
    OK(qnt_layer_save(c, layer, NULL, 0, &bytes));
    uint8_t *blob = malloc(bytes);
    size_t book =
        bytes - layer->bytes + (size_t)((const uint8_t *)layer->output_book - layer->data);
    const float nan = NAN, low = -1e30f;
    const struct {
        size_t at, size;
        const void *value;
    } change[] = {
        {book, 4, &nan}, {book + 8, 4, &nan}, {book + 8, 4, &low}, {book + 1024 + 3, 1, "\x08"}};
    for (int i = 0; i < 4; i++) {
        OK(qnt_layer_save(c, layer, blob, bytes, &bytes));
        memcpy(blob + change[i].at, change[i].value, change[i].size);
        qnt__blob_seal(blob, bytes);
        FAILS(qnt_layer_load(c, blob, bytes, 0, &copy), QNT_E_FORMAT, "codebook of the output");
    }
    free(blob);
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq), qnt_quantizer_destroy(oq);
}

static void refused(void)
{
    qnt_layer *layer = NULL;
    qnt_layer_spec ls = {.size = sizeof ls}, adds = {.size = sizeof adds, .flags = QNT_ACCUMULATE};
    fill(w, 64), fill(x, 64);
    qnt_spec rows = formats[3];
    rows.grain = QNT_PER_AXIS;
    qnt_quantizer *nf4 = fitted(formats[3], w, 4, 16), *each = fitted(rows, w, 4, 16);
    qnt_quantizer *empty = quantizer(formats[0]);
    const qnt_tensor *weight = TENSOR(w, QNT_FLOAT, 32, 4, 16);
    FAILS(qnt_layer_create(c, &ls, weight, nf4, NULL, NULL, each, &layer), QNT_E_UNSUPPORTED,
          "output_q: grain");
    FAILS(qnt_layer_create(c, &ls, weight, nf4, NULL, NULL, empty, &layer), QNT_E_STATE,
          "output_q");
    CHECK(layer == NULL);
    FAILS(qnt_layer_create(c, &adds, weight, nf4, NULL, NULL, nf4, &layer), QNT_E_INVALID,
          "QNT_ACCUMULATE");
    OK(qnt_layer_create(c, &ls, weight, nf4, NULL, NULL, nf4, &layer));
    FAILS(run(layer, TENSOR(x, QNT_FLOAT, 32, 4, 16), TENSOR(y, QNT_FLOAT, 32, 4, 4)), QNT_E_DTYPE,
          "y:");
    FAILS(run(layer, TENSOR(x, QNT_FLOAT, 32, 4, 16), TENSOR(code, QNT_INT, 8, 4, 4)), QNT_E_DTYPE,
          "y:");
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(nf4), qnt_quantizer_destroy(each), qnt_quantizer_destroy(empty);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(packed_weights);
    RUN(affine_weights);
    RUN(convolutions);
    RUN(sizes);
    RUN(output_codes);
    RUN(chain);
    RUN(damaged);
    RUN(refused);
    qnt_context_destroy(c);
    return DONE;
}
