/* The table scheme: nearest values, every method, grains, packed codes, literal forms, blobs, bad
 * input. */
#include "check.h"

enum { N = 300 };

static qnt_context *c;
static const int methods[] = {QNT_KMEANS, QNT_LLOYD, QNT_ANALYTIC, QNT_NF4,
                              QNT_FP4,    QNT_POT,   QNT_APOT,     QNT_LEVELS};

enum { METHODS = sizeof methods / sizeof *methods };

static qnt_status try_create(qnt_spec spec, qnt_quantizer **q)
{
    spec.size = sizeof spec;
    spec.scheme = QNT_TABLE;
    return qnt_quantizer_create(c, &spec, q);
}

static qnt_quantizer *create(qnt_spec spec)
{
    qnt_quantizer *q = NULL;
    CHECK_MSG(try_create(spec, &q) == QNT_OK, "%s", check_reason);
    if (spec.method == QNT_LEVELS) {
        static const double level[] = {-7, -3, -1, 0, 1.5, 2, 5, 9};
        CHECK(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, spec.bits < 3 ? 1u << spec.bits : 8) ==
              QNT_OK);
    }
    return q;
}

static size_t get(const qnt_quantizer *q, int param, double *values, size_t room)
{
    size_t count = 0;
    CHECK_MSG(qnt_quantizer_get(c, q, param, values, room, &count) == QNT_OK, "%s", check_reason);
    return count;
}

static void fit(qnt_quantizer *q, const float *x, const float *h, int64_t rows, int64_t n)
{
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, rows, n),
                             h ? TENSOR(h, QNT_FLOAT, 32, rows, n) : NULL));
    OK(qnt_quantizer_fit(c, q));
}

static int bits_for(int method, int i)
{
    switch (method) {
    case QNT_NF4:
    case QNT_FP4: return 4;
    case QNT_POT: return 2 + i % 3;
    case QNT_APOT: return 3 + i % 5;
    default: return 1 + i % 8;
    }
}

static void fill(float *x, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(kind == 0 ? random_gauss() : kind == 1 ? random_laplace() : random_unit());
    }
}

/* Every method: the decoded value is the nearest of the table's, ties to the lower; apply, packed
 * codes and the error agree with it. */
static void nearest(void)
{
    static float x[N + 8], y[N + 8], z[N + 8];
    static uint8_t code[N + 8], packed[N + 8], unpacked[N + 8];
    for (int i = 0; i < ROUNDS(160); i++) {
        qnt_spec spec = {.method = methods[i % METHODS], .flags = i % 3 == 2 ? QNT_LITERAL : 0};
        spec.bits = bits_for(spec.method, i / METHODS);
        qnt_quantizer *q = create(spec);
        double level[256], scale[1], sum = 0;
        fill(x, N, i % 3);
        fit(q, x, NULL, 1, N);
        size_t count = get(q, QNT_P_LEVELS, level, 256);
        get(q, QNT_P_SCALE, scale, 1);
        CHECK(count == (size_t)1 << spec.bits);
        x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY, x[3] = 0, x[4] = -0.0f;
        x[5] = (float)scale[0] * (float)level[count / 2];
        OK(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(code, QNT_UINT, 8, N)));
        OK(qnt_quantizer_decode(c, q, TENSOR(code, QNT_UINT, 8, N), TENSOR(y, QNT_FLOAT, 32, N)));
        OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(z, QNT_FLOAT, 32, N)));
        CHECK(!memcmp(y, z, N * sizeof *y));
        for (int k = 0; k < N; k++) {
            size_t best = 0;
            double aim = isnan(x[k]) ? 0 : (double)fmaxf(fminf(x[k], 1e3f), -1e3f),
                   least = INFINITY;
            for (size_t l = 0; l < count; l++) {
                double away = fabs(aim - (double)((float)scale[0] * (float)level[l]));
                if (away < least) least = away, best = l;
            }
            CHECK_MSG(y[k] == (float)scale[0] * (float)level[best] &&
                          (code[k] == best || isnan(x[k])),
                      "method %d bits %d: %g became %g (code %d), expected code %zu", spec.method,
                      spec.bits, (double)x[k], (double)y[k], code[k], best);
            if (isfinite(x[k]))
                sum += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
        }
        if (spec.bits < 8) {
            OK(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, N),
                                    TENSOR(packed, QNT_UINT, spec.bits, N)));
            OK(qnt_quantizer_decode(c, q, TENSOR(packed, QNT_UINT, spec.bits, N),
                                    TENSOR(z, QNT_FLOAT, 32, N)));
            CHECK(!memcmp(y, z, N * sizeof *y));
            memcpy(unpacked, code, N);
        }
        qnt_error e = {.size = sizeof e};
        OK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, N), NULL, &e));
        CHECK_MSG(fabs(e.mse * (double)e.count - sum) <= 1e-9 * sum + 1e-30, "%g, expected %g",
                  e.mse, sum);
        CHECK(e.bits > spec.bits);
        qnt_quantizer_destroy(q);
    }
}

/* What is fitted is at least as good as its neighbours, and not below its bound. */
static void best(void)
{
    static float x[N], h[N];
    for (int i = 0; i < ROUNDS(80); i++) {
        qnt_spec spec = {.method = methods[i % METHODS]};
        spec.bits = bits_for(spec.method, 2 + i / METHODS % 3);
        qnt_quantizer *q = create(spec);
        double scale, error, bound = 0, level[256];
        fill(x, N, i % 3);
        for (int k = 0; k < N; k++) h[k] = (float)random_in(0, 3);
        fit(q, x, h, 1, N);
        get(q, QNT_P_ERROR, &error, 1);
        get(q, QNT_P_SCALE, &scale, 1);
        size_t count = get(q, QNT_P_LEVELS, level, 256);
        if (spec.method != QNT_LLOYD && spec.method != QNT_ANALYTIC) get(q, QNT_P_BOUND, &bound, 1);
        CHECK_MSG(bound <= error, "method %d: bound %.9g, error %.9g", spec.method, bound, error);
        bool exact = spec.method >= QNT_NF4;
        if (exact)
            CHECK_MSG(error <= bound * (1 + 1e-5) + 1e-9, "bound %g, error %g", bound, error);
        for (int k = 0; k < 40; k++) { /* no other scale is better */
            double s = scale * exp(0.15 * random_gauss()), sum = 0;
            for (int j = 0; j < N; j++) {
                double least = INFINITY;
                for (size_t l = 0; l < count; l++) {
                    double away = (double)x[j] - s * level[l];
                    least = fmin(least, away * away);
                }
                sum += (double)h[j] * least;
            }
            CHECK_MSG(sum >= (exact ? bound : bound * 0.999) * (1 - 1e-9),
                      "scale %g costs %g, bound %g", s, sum, bound);
        }
        qnt_quantizer_destroy(q);
    }
}

/* More levels and more freedom never cost more, on data of one density. */
static void order_of_methods(void)
{
    static float x[4000];
    double kmeans[9], lloyd, analytic;
    fill(x, 4000, 1);
    for (int bits = 1; bits <= 8; bits++) {
        qnt_quantizer *q =
            create((qnt_spec){.method = QNT_KMEANS, .bits = bits, .flags = QNT_LITERAL});
        fit(q, x, NULL, 1, 4000);
        get(q, QNT_P_ERROR, &kmeans[bits], 1);
        qnt_quantizer_destroy(q);
        q = create((qnt_spec){.method = QNT_LLOYD, .bits = bits, .flags = QNT_LITERAL});
        fit(q, x, NULL, 1, 4000);
        get(q, QNT_P_ERROR, &lloyd, 1);
        double once;
        OK(qnt_quantizer_set(c, q, QNT_P_ROUNDS, &(double){1}, 1));
        OK(qnt_quantizer_fit(c, q));
        get(q, QNT_P_ERROR, &once, 1);
        CHECK_MSG(once > lloyd, "%d bits: one round %g, all %g", bits, once, lloyd);
        qnt_quantizer_destroy(q);
        q = create((qnt_spec){.method = QNT_ANALYTIC, .bits = bits, .flags = QNT_LITERAL});
        fit(q, x, NULL, 1, 4000);
        get(q, QNT_P_ERROR, &analytic, 1);
        qnt_quantizer_destroy(q);
        CHECK_MSG(kmeans[bits] <= lloyd * (1 + 1e-6) && lloyd <= analytic * (1 + 1e-6),
                  "%d bits: %g, %g, %g", bits, kmeans[bits], lloyd, analytic);
        CHECK(bits == 1 || kmeans[bits] < kmeans[bits - 1]);
    }
}

/* Groups along an axis, in blocks, and the last axis, whose neighbours belong to different groups.
 */
static void grains(void)
{
    enum { ROWS = 6, COLUMNS = 50 };
    static float x[ROWS * COLUMNS], y[ROWS * COLUMNS], one[ROWS * COLUMNS], part[ROWS * COLUMNS];
    for (int i = 0; i < ROUNDS(40); i++) {
        qnt_spec spec = {
            .method = methods[i % METHODS], .grain = QNT_PER_AXIS, .axis = i / METHODS % 2};
        spec.bits = bits_for(spec.method, 2);
        fill(x, ROWS * COLUMNS, i % 3);
        qnt_quantizer *q = create(spec);
        fit(q, x, NULL, ROWS, COLUMNS);
        OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
                               TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)));
        int groups = spec.axis ? COLUMNS : ROWS, n = spec.axis ? ROWS : COLUMNS;
        for (int g = 0; g < groups; g++) { /* each group on its own */
            qnt_spec alone = spec;
            alone.grain = QNT_PER_TENSOR, alone.axis = 0;
            qnt_quantizer *single = create(alone);
            for (int k = 0; k < n; k++) part[k] = x[spec.axis ? k * COLUMNS + g : g * COLUMNS + k];
            fit(single, part, NULL, 1, n);
            OK(qnt_quantizer_apply(c, single, TENSOR(part, QNT_FLOAT, 32, n),
                                   TENSOR(one, QNT_FLOAT, 32, n)));
            for (int k = 0; k < n; k++) {
                CHECK(one[k] == y[spec.axis ? k * COLUMNS + g : g * COLUMNS + k]);
            }
            qnt_quantizer_destroy(single);
        }
        qnt_quantizer_destroy(q);

        spec.grain = QNT_PER_BLOCK, spec.axis = 1, spec.block = 16;
        q = create(spec);
        fit(q, x, NULL, ROWS, COLUMNS);
        OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
                               TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)));
        double scale[ROWS * 4];
        CHECK(get(q, QNT_P_SCALE, scale, ROWS * 4) == ROWS * 4);
        qnt_quantizer_destroy(q);
    }
}

/* Published tables and scales. */
static void literal(void)
{
    static const double nf4[] = {
        -1,        -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0,
        0.0795803, 0.1609302,  0.2461123,  0.3379152,  0.4407098,  0.5626170,  0.7229568,  1};
    static const double fp4[] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12, 12};
    float x[4] = {0.3f, -6.5f, 2, 1};
    double level[256], scale;
    qnt_quantizer *q = create((qnt_spec){.method = QNT_NF4, .bits = 4, .flags = QNT_LITERAL});
    fit(q, x, NULL, 1, 4);
    CHECK(get(q, QNT_P_LEVELS, level, 16) == 16);
    for (int k = 0; k < 16; k++) CHECK(fabs(level[k] - nf4[k]) < 1e-6);
    get(q, QNT_P_SCALE, &scale, 1);
    CHECK(scale == 6.5);
    qnt_quantizer_destroy(q);

    q = create((qnt_spec){.method = QNT_NF4, .bits = 4});
    fit(q, x, NULL, 1, 4);
    get(q, QNT_P_LEVELS, level, 16);
    for (int k = 0; k < 16; k++) CHECK(level[k] == rint(127 * nf4[k]));
    qnt_quantizer_destroy(q);

    q = create((qnt_spec){.method = QNT_FP4, .bits = 4, .flags = QNT_LITERAL});
    fit(q, x, NULL, 1, 4);
    get(q, QNT_P_LEVELS, level, 16);
    for (int k = 0; k < 16; k++) CHECK_MSG(level[k] == fp4[k], "%d: %g", k, level[k]);
    get(q, QNT_P_SCALE, &scale, 1);
    CHECK(scale == 0.5); /* 6.5 has the exponent 2, E2M1 as well: the block scale is 1 */
    qnt_quantizer_destroy(q);

    q = create((qnt_spec){.method = QNT_APOT, .bits = 4});
    fit(q, x, NULL, 1, 4);
    get(q, QNT_P_LEVELS, level, 16); /* 0, 2^-1, 2^-2, 2^-4 and 2^-3 or not */
    static const double magnitude[8] = {0, 1, 2, 3, 4, 6, 8, 10};
    for (int k = 0; k < 8; k++) {
        bool right = level[7 + k] == magnitude[k] && level[7 - k] == -magnitude[k];
        CHECK_MSG(right, "%d: %g", k, level[7 + k]);
    }
    qnt_quantizer_destroy(q);
}

static void blobs(void)
{
    static float x[N], y[N], z[N];
    for (int i = 0; i < 2 * METHODS; i++) {
        qnt_spec spec = {.method = methods[i % METHODS], .grain = i >= METHODS ? QNT_PER_AXIS : 0};
        spec.bits = bits_for(spec.method, 2);
        qnt_quantizer *q = create(spec), *copy = NULL;
        size_t bytes;
        fill(x, N, 1);
        fit(q, x, NULL, 3, N / 3);
        OK(qnt_quantizer_save(c, q, NULL, 0, &bytes));
        uint8_t *blob = malloc(bytes);
        OK(qnt_quantizer_save(c, q, blob, bytes, &bytes));
        OK(qnt_quantizer_load(c, blob, bytes, &copy));
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, 3, N / 3);
        OK(qnt_quantizer_apply(c, q, in, TENSOR(y, QNT_FLOAT, 32, 3, N / 3)));
        OK(qnt_quantizer_apply(c, copy, in, TENSOR(z, QNT_FLOAT, 32, 3, N / 3)));
        CHECK(!memcmp(y, z, sizeof y));
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy);
        free(blob);
    }
}

/* Means of runs are formed from running sums: rounding must not take those of zeros below the levels
 * before them. Levels that were found ascend, and what was fitted can be loaded. */
static void many_zeros(void)
{
    static const int found[] = {QNT_KMEANS, QNT_LLOYD, QNT_ANALYTIC};
    static float x[N];
    static uint8_t blob[1 << 16];
    double level[32];
    for (int i = 0; i < ROUNDS(120); i++) {
        qnt_quantizer *copy = NULL, *q = create((qnt_spec){
                                        .method = found[i % 3], .bits = 5, .flags = QNT_LITERAL});
        size_t bytes;
        for (int k = 0; k < N; k++) x[k] = random_in(0, 9) ? 0.0f : (float)random_gauss();
        fit(q, x, NULL, 1, N / (1 + i % 7));
        get(q, QNT_P_LEVELS, level, 32);
        for (int k = 1; k < 32; k++) CHECK_MSG(level[k] >= level[k - 1], "%d: %g", k, level[k]);
        OK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes));
        CHECK_MSG(qnt_quantizer_load(c, blob, bytes, &copy) == QNT_OK, "%s", check_reason);
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy);
    }
}

static void degenerate(void)
{
    static const float data[][4] = {{0, 0, 0, 0},          {3, 3, 3, 3},
                                    {-2, 0, 0, 0},         {1e-45f, 0, 0, 0},
                                    {3e38f, -3e38f, 1, 0}, {1e-40f, -2e-40f, 3e-40f, 0},
                                    {-1, -1, -1, -2}};
    float y[4];
    for (int i = 0; i < METHODS * 7; i++) {
        qnt_spec spec = {.method = methods[i % METHODS]};
        spec.bits = bits_for(spec.method, 2);
        qnt_quantizer *q = create(spec);
        const float *x = data[i / METHODS];
        fit(q, x, NULL, 1, 4);
        OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, 4), TENSOR(y, QNT_FLOAT, 32, 4)));
        for (int k = 0; k < 4; k++)
            CHECK_MSG(isfinite(y[k]), "method %d, data %d", spec.method, i / METHODS);
        qnt_quantizer_destroy(q);
    }
}

static void bad_input(void)
{
    qnt_quantizer *q = NULL;
    double level[20] = {0, 1, 2}, scale = 1;
    float x[2] = {1, 2};
    FAILS(try_create((qnt_spec){.method = QNT_KMEANS, .bits = 9}, &q), QNT_E_INVALID, "bits");
    FAILS(try_create((qnt_spec){.method = QNT_NF4, .bits = 3}, &q), QNT_E_UNSUPPORTED,
          "3 bits with method QNT_NF4, expected 4 to 4");
    FAILS(try_create((qnt_spec){.method = QNT_POT, .bits = 5}, &q), QNT_E_UNSUPPORTED, "2 to 4");
    FAILS(try_create((qnt_spec){.method = QNT_APOT, .bits = 2}, &q), QNT_E_UNSUPPORTED, "3 to 7");
    FAILS(try_create((qnt_spec){.method = QNT_MSE}, &q), QNT_E_UNSUPPORTED, "QNT_TABLE");
    FAILS(try_create((qnt_spec){.method = QNT_NF4, .flags = QNT_SIGNED}, &q), QNT_E_UNSUPPORTED,
          "QNT_SIGNED means nothing with scheme QNT_TABLE");
    FAILS(try_create((qnt_spec){.method = QNT_NF4, .points = 1}, &q), QNT_E_INVALID, "points");

    OK(try_create((qnt_spec){.method = QNT_LEVELS, .bits = 2}, &q));
    FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, &scale, 1), QNT_E_STATE, "levels");
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 2), NULL));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "levels");
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 1), QNT_E_INVALID, "2 to 4");
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 5), QNT_E_INVALID, "2 to 4");
    level[1] = 0;
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 3), QNT_E_INVALID, "increase");
    level[1] = NAN;
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 3), QNT_E_INVALID, "increase");
    level[1] = 1, level[2] = INFINITY;
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 3), QNT_E_INVALID, "finite");
    level[2] = 1e39; /* not as a float */
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 3), QNT_E_INVALID, "finite");
    level[2] = 2;
    OK(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 3));
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, &scale, 1));
    scale = -1;
    FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, &scale, 1), QNT_E_INVALID, "scale");
    level[0] = 3; /* what is refused leaves what was there */
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 3), QNT_E_INVALID, "increase");
    double kept[4];
    size_t count;
    OK(qnt_quantizer_get(c, q, QNT_P_LEVELS, kept, 4, &count));
    CHECK(kept[0] == 0 && kept[1] == 1 && kept[2] == 2);
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, kept, 4, &count));
    CHECK(kept[0] == 1);
    level[0] = 0;
    FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, &scale, 1), QNT_E_INVALID, "cannot be set");
    OK(qnt_quantizer_fit(c, q));
    qnt_quantizer_destroy(q);

    OK(try_create((qnt_spec){.method = QNT_NF4}, &q));
    FAILS(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, 3), QNT_E_UNSUPPORTED, "QNT_LEVELS");
    qnt_tensor *view = TENSOR(x, QNT_FLOAT, 32, 2);
    FAILS(qnt_quantizer_apply(c, q, view, view), QNT_E_STATE, "");
    qnt_quantizer_destroy(q);
}

/* Fewer values than levels, some of them close together: snapped levels may fall on one integer,
 * and still every value finds its nearest. */
static void few_values(void)
{
    static float x[16], y[16];
    for (int i = 0; i < ROUNDS(2000); i++) {
        int n = (int)random_in(1, 16), method = methods[random_in(0, 2)];
        double level[256], scale, error = 0, energy = 1e-30;
        fill(x, 16, i % 3);
        qnt_quantizer *q = create((qnt_spec){.method = method, .bits = (int32_t)random_in(1, 5)});
        fit(q, x, NULL, 1, n);
        size_t levels = get(q, QNT_P_LEVELS, level, 256);
        get(q, QNT_P_SCALE, &scale, 1);
        OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, n), TENSOR(y, QNT_FLOAT, 32, n)));
        for (int e = 0; e < n; e++) {
            double nearest = INFINITY;
            for (size_t k = 0; k < levels; k++)
                nearest =
                    fmin(nearest, fabs((double)x[e] - (double)((float)scale * (float)level[k])));
            CHECK_MSG(fabs((double)x[e] - (double)y[e]) <= nearest, "%g became %g", (double)x[e],
                      (double)y[e]);
            error += ((double)x[e] - (double)y[e]) * ((double)x[e] - (double)y[e]);
            energy += (double)x[e] * (double)x[e];
        }
        if (method == QNT_KMEANS && (int)levels >= n)
            CHECK_MSG(error / energy < 1e-4, "%g", error / energy);
        qnt_quantizer_destroy(q);
    }
}

/* The caller's thresholds: codes count those below x, infinities and repetitions included. */
static void thresholds(void)
{
    static float x[N], y[N];
    static uint8_t code[N], blob[1 << 16];
    for (int i = 0; i < ROUNDS(60); i++) {
        int bits = (int)random_in(1, 8), levels = (int)random_in(2, 1 << bits),
            each = (1 << bits) - 1;
        int rows = (int)random_in(1, 4), own = (int)random_in(0, 1);
        double level[256], threshold[4 * 255], got[4 * 255], scale = 0.5 + random_unit();
        qnt_quantizer *q = NULL, *copy = NULL;
        OK(try_create(
            (qnt_spec){
                .method = QNT_LEVELS, .bits = bits, .grain = QNT_PER_AXIS, .flags = QNT_THRESHOLDS},
            &q));
        for (int k = 0; k < levels; k++) level[k] = 3 * k - levels;
        for (int g = 0; g < rows; g++) {
            for (int k = 0; k < each; k++) {
                double *t = &threshold[g * each + k];
                bool repeat = k > 0 && random_in(0, 5) == 0;
                *t = k == 0 ? -2 : repeat ? t[-1] : t[-1] + (double)(float)(0.1 * random_unit());
                *t = (double)(float)*t;
                if (k == 0 && random_in(0, 3) == 0)
                    *t = -INFINITY, t[1 < each] = k + 1 < each ? 0 : *t;
                if (k > 0 && t[-1] == -INFINITY) *t = -2;
                if (k == each - 1 && random_in(0, 3) == 0) *t = INFINITY;
            }
        }
        size_t count = (size_t)(own ? rows * each : each);
        FAILS(qnt_quantizer_set(c, q, QNT_P_THRESHOLDS, threshold, count), QNT_E_STATE,
              "QNT_P_SCALE");
        OK(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, (size_t)levels));
        double scales[4] = {scale, scale, scale, scale};
        OK(qnt_quantizer_set(c, q, QNT_P_SCALE, scales, (size_t)rows));
        fill(x, N, 0);
        x[0] = INFINITY, x[1] = -INFINITY, x[2] = (float)threshold[0], x[3] = NAN;
        qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, rows, N / 4),
                   *tc = TENSOR(code, QNT_UINT, 8, rows, N / 4);
        FAILS(qnt_quantizer_encode(c, q, tx, tc), QNT_E_STATE, "");
        OK(qnt_quantizer_set(c, q, QNT_P_THRESHOLDS, threshold, count));
        CHECK(get(q, QNT_P_THRESHOLDS, got, 4 * 255) == (size_t)(rows * each));
        OK(qnt_quantizer_encode(c, q, tx, tc));
        OK(qnt_quantizer_decode(c, q, tc, TENSOR(y, QNT_FLOAT, 32, rows, N / 4)));
        for (int e = 0; e < rows * (N / 4); e++) {
            int g = e / (N / 4), expected = 0;
            if (e == 3) continue;
            for (int k = 0; k < levels - 1; k++)
                expected += (double)x[e] > threshold[own ? g * each + k : k];
            CHECK_MSG(code[e] == expected, "%g gave code %d, expected %d", (double)x[e], code[e],
                      expected);
            CHECK(y[e] == (float)scale * (float)level[code[e]]);
        }
        size_t bytes;
        static float z[N];
        OK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes));
        OK(qnt_quantizer_load(c, blob, bytes, &copy));
        OK(qnt_quantizer_apply(c, copy, tx, TENSOR(z, QNT_FLOAT, 32, rows, N / 4)));
        CHECK(!memcmp(y, z, (size_t)(rows * (N / 4)) * sizeof *y));
        FAILS(qnt_quantizer_set(c, q, QNT_P_THRESHOLDS, threshold, (size_t)(2 * rows * each + 1)),
              QNT_E_INVALID, "count");
        if (each > 1) {
            threshold[0] = -2, threshold[1] = -3;
            FAILS(qnt_quantizer_set(c, q, QNT_P_THRESHOLDS, threshold, count), QNT_E_INVALID,
                  "decrease");
            threshold[1] = NAN;
            FAILS(qnt_quantizer_set(c, q, QNT_P_THRESHOLDS, threshold, count), QNT_E_INVALID,
                  "decrease");
        }
        OK(qnt_quantizer_observe(c, q, TENSOR(z, QNT_FLOAT, 32, rows, N / 4), NULL));
        FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "QNT_P_THRESHOLDS");
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy);
    }
    qnt_quantizer *q = NULL;
    FAILS(try_create((qnt_spec){.method = QNT_KMEANS, .flags = QNT_THRESHOLDS}, &q), QNT_E_INVALID,
          "QNT_LEVELS");
    FAILS(
        qnt_quantizer_create(c, &(qnt_spec){.size = sizeof(qnt_spec), .flags = QNT_THRESHOLDS}, &q),
        QNT_E_UNSUPPORTED, "QNT_THRESHOLDS means nothing");
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(nearest);
    RUN(best);
    RUN(order_of_methods);
    RUN(grains);
    RUN(literal);
    RUN(blobs);
    RUN(many_zeros);
    RUN(degenerate);
    RUN(few_values);
    RUN(thresholds);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
