/* The methods: formulas, golden constants, published forms, degenerate data, streaming. */
#include "check.h"
#include "quantizer/methods.h"

static qnt_context *c;

static qnt_quantizer *create(int method, int bits, int flags)
{
    qnt_spec spec = {.size = sizeof spec, .method = method, .bits = bits, .flags = flags};
    qnt_quantizer *q = NULL;
    if (qnt_quantizer_create(c, &spec, &q) != QNT_OK) printf("  create: %s\n", check_reason);
    return q;
}

static double get(const qnt_quantizer *q, int param)
{
    double value = NAN;
    size_t count;
    if (qnt_quantizer_get(c, q, param, &value, 1, &count)) printf("  get: %s\n", check_reason);
    return value;
}

static void set(qnt_quantizer *q, int param, double value)
{
    CHECK(qnt_quantizer_set(c, q, param, &value, 1) == QNT_OK);
}

/* observe and fit */
static void fit(qnt_quantizer *q, const float *x, const float *h, int64_t n)
{
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, n),
                             h ? TENSOR(h, QNT_FLOAT, 32, n) : NULL));
    OK(qnt_quantizer_fit(c, q));
}

static double sqnr(const qnt_quantizer *q, const float *x, int64_t n)
{
    qnt_error e = {.size = sizeof e};
    CHECK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, n), NULL, &e) == QNT_OK);
    return e.sqnr_db;
}

static void minmax(void)
{
    for (int i = 0; i < 300; i++) {
        float x[50], low = 0, high = 0;
        double centre = random_gauss() * 3;
        for (int k = 0; k < 50; k++) {
            x[k] = (float)(random_gauss() + centre);
            low = fminf(low, x[k]);
            high = fmaxf(high, x[k]);
        }
        qnt_quantizer *q = create(QNT_MINMAX, 8, 0), *s = create(QNT_MINMAX, 4, QNT_SYMMETRIC | QNT_SIGNED);
        fit(q, x, NULL, 50);
        fit(s, x, NULL, 50);
        float scale = (high - low) / 255.0f, zero = rintf(0.0f - low / scale);
        CHECK(get(q, QNT_P_SCALE) == (double)scale && get(q, QNT_P_ZERO) == (double)zero);
        float largest = fmaxf(-low, high) / 7.0f;
        CHECK(get(s, QNT_P_SCALE) == (double)largest && get(s, QNT_P_ZERO) == 0);
        qnt_error e = {.size = sizeof e};
        OK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, 50), NULL, &e));
        CHECK(fabs(e.mse * 50 - get(q, QNT_P_ERROR)) <= 1e-3 * e.mse);
        CHECK(e.clipped == 0);
        qnt_quantizer_destroy(q);
        qnt_quantizer_destroy(s);
    }
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Integer importance is the same as repeating values; ends are order statistics. */
static void percentile(void)
{
    enum { COUNT = 1000 };
    static float x[COUNT], h[COUNT], repeated[COUNT * 4];
    for (int i = 0; i < 60; i++) {
        int n = 0;
        for (int k = 0; k < COUNT; k++) {
            x[k] = (float)(random_laplace() + 0.3);
            h[k] = (float)random_in(0, 3);
            for (int j = 0; j < (int)h[k]; j++) repeated[n++] = x[k];
        }
        double p = (double)random_in(60, 99) + (double)random_in(0, 3) * 0.25;
        int flags = i % 2 ? QNT_SYMMETRIC : 0;
        qnt_quantizer *a = create(QNT_PERCENTILE, 8, flags), *b = create(QNT_PERCENTILE, 8, flags);
        set(a, QNT_P_PERCENTILE, p);
        set(b, QNT_P_PERCENTILE, p);
        fit(a, x, h, COUNT);
        fit(b, repeated, NULL, n);
        CHECK(get(a, QNT_P_SCALE) == get(b, QNT_P_SCALE) && get(a, QNT_P_ZERO) == get(b, QNT_P_ZERO));

        for (int k = 0; flags && k < n; k++) repeated[k] = fabsf(repeated[k]);
        qsort(repeated, (size_t)n, sizeof *repeated, by_value);
        int outside = (int)floor(n * (100 - p) / (flags ? 100 : 200) + 1e-9);
        float low = flags ? 0 : fminf(repeated[outside], 0), high = repeated[n - 1 - outside];
        float scale = flags ? high / 127.0f : (high - low) / 255.0f;
        CHECK_MSG(get(a, QNT_P_SCALE) == (double)scale, "p %g: %g, expected %g", p, get(a, QNT_P_SCALE),
                  (double)scale);
        qnt_quantizer_destroy(a);
        qnt_quantizer_destroy(b);
    }
    for (int k = 0; k < 100; k++) x[k] = (float)(k + 1); /* 10 of 100 are left out, 90 is kept */
    qnt_quantizer *q = create(QNT_PERCENTILE, 8, QNT_SYMMETRIC | QNT_SIGNED);
    set(q, QNT_P_PERCENTILE, 90);
    fit(q, x, NULL, 100);
    CHECK(get(q, QNT_P_SCALE) == (double)(90.0f / 127.0f));
    qnt_quantizer_destroy(q);
}

/* Steps of the best uniform quantizers of unit densities, computed independently (Max's tables agree). */
static void analytic_constants(void)
{
    static const struct { int bits; double gauss_sym, gauss_mid, laplace_sym, laplace_mid; } table[] = {
        {2, 1.224006, 0.995687, 2.000000, 1.537806}, {3, 0.650770, 0.586019, 1.162134, 1.033696},
        {4, 0.353411, 0.335201, 0.688559, 0.651946}, {5, 0.193249, 0.188139, 0.406536, 0.395964},
        {6, 0.105488, 0.104063, 0.237374, 0.234308}, {8, 0.030870, 0.030762, 0.077816, 0.077562}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        double reach[QNT__SHARED], top = (1 << (table[i].bits - 1)) - 1;
        qnt_quantizer *s = create(QNT_ANALYTIC, table[i].bits, QNT_SYMMETRIC | QNT_SIGNED);
        qnt_quantizer *a = create(QNT_ANALYTIC, table[i].bits, QNT_SIGNED);
        qnt__prepare_analytic(s, reach);
        CHECK_MSG(fabs(reach[0] / top - table[i].gauss_sym) < 6e-7, "%d bits: %.8f", table[i].bits,
                  reach[0] / top);
        CHECK_MSG(fabs(reach[1] / top - table[i].laplace_sym) < 6e-7, "%d bits: %.8f", table[i].bits,
                  reach[1] / top);
        qnt__prepare_analytic(a, reach);
        CHECK(fabs(reach[0] / (top + 0.5) - table[i].gauss_mid) < 6e-7);
        CHECK(fabs(reach[1] / (top + 0.5) - table[i].laplace_mid) < 6e-7);
        qnt_quantizer_destroy(s);
        qnt_quantizer_destroy(a);
    }
    static const double gauss[] = {1.71, 2.15, 2.56, 2.94, 3.29, 3.62, 3.92};
    static const double laplace[] = {2.83, 3.89, 5.03, 6.20, 7.41, 8.64, 9.89};
    for (int bits = 2; bits <= 8; bits++) {
        double reach[QNT__SHARED];
        qnt_quantizer *q = create(QNT_ANALYTIC, bits, QNT_LITERAL);
        qnt__prepare_analytic(q, reach);
        CHECK_MSG(fabs(reach[0] - gauss[bits - 2]) < 0.011, "%d bits: %g", bits, reach[0]);
        CHECK_MSG(fabs(reach[1] - laplace[bits - 2]) < 0.011, "%d bits: %g", bits, reach[1]);
        if (bits < 8) CHECK(fabs(reach[3] - laplace[bits - 1]) < 0.011);
        qnt_quantizer_destroy(q);
    }
}

static float *draw(int kind, int n)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int i = 0; i < n; i++) {
        double g = random_gauss();
        switch (kind) {
        case 0: x[i] = (float)g; break;
        case 1: x[i] = (float)random_laplace(); break;
        case 2: x[i] = (float)(g / sqrt(-2 * log(1 - random_unit()))); break; /* heavy tails */
        case 3: x[i] = (float)fmax(g, 0); break;
        case 4: x[i] = (float)(random_laplace() + 1); break;
        case 5: x[i] = (float)(random_unit() * 2 - 1); break;
        default: x[i] = (float)fmax(random_laplace(), 0); break;
        }
    }
    return x;
}

/* The right density is chosen, and its clip is as good as the best of a scan. */
static void analytic_fit(void)
{
    enum { COUNT = 20000 };
    for (int kind = 0; kind < 7; kind++) {
        if (kind == 2 || kind == 5) continue;
        float *x = draw(kind, COUNT);
        for (int bits = 3; bits <= 8; bits++) {
            bool symmetric = kind < 2 && bits % 2;
            qnt_quantizer *q = create(QNT_ANALYTIC, bits, symmetric ? QNT_SYMMETRIC | QNT_SIGNED : 0);
            fit(q, x, NULL, COUNT);
            double mine = sqnr(q, x, COUNT), scale = get(q, QNT_P_SCALE), zero = get(q, QNT_P_ZERO);
            double best = 0;
            qnt_quantizer *other = create(QNT_FIXED, bits, symmetric ? QNT_SYMMETRIC | QNT_SIGNED : 0);
            for (double f = 0.6; f < 1.6; f *= 1.02) {
                for (int dz = -1; dz <= 1; dz++) {
                    double z = zero + dz * !symmetric;
                    if (z < 0 && !symmetric) continue;
                    set(other, QNT_P_SCALE, scale * f);
                    set(other, QNT_P_ZERO, z);
                    best = fmax(best, sqnr(other, x, COUNT));
                }
            }
            CHECK_MSG(mine > best - 0.6, "kind %d, %d bits: %.3f dB, best %.3f dB", kind, bits, mine,
                      best);
            qnt_quantizer_destroy(q);
            qnt_quantizer_destroy(other);
        }
        free(x);
    }
    float *x = draw(1, COUNT);
    qnt_quantizer *q = create(QNT_ANALYTIC, 4, QNT_SYMMETRIC | QNT_SIGNED);
    fit(q, x, NULL, COUNT);
    double automatic = get(q, QNT_P_SCALE);
    set(q, QNT_P_DISTRIBUTION, 2);
    OK(qnt_quantizer_fit(c, q));
    CHECK(get(q, QNT_P_SCALE) == automatic);
    set(q, QNT_P_DISTRIBUTION, 1);
    OK(qnt_quantizer_fit(c, q));
    CHECK(get(q, QNT_P_SCALE) < automatic);
    qnt_quantizer_destroy(q);
    free(x);
}

/* The published search word by word, for signed 8-bit symmetric codes. */
static double published_entropy(const float *x, int n)
{
    enum { B = 2048, LEVELS = 128 };
    static double h[B], p[B], q[B];
    double largest = 0, best = INFINITY, clip = 0;
    for (int i = 0; i < n; i++) largest = fmax(largest, fabs((double)x[i]));
    for (int i = 0; i < B; i++) h[i] = 0;
    for (int i = 0; i < n; i++) {
        int bin = (int)(fabs((double)x[i]) / (largest / B));
        h[bin < B ? bin : B - 1]++;
    }
    for (int m = LEVELS; m <= B; m++) {
        double outliers = 0, sum = 0, kl = 0;
        for (int i = m; i < B; i++) outliers += h[i];
        for (int i = 0; i < m; i++) p[i] = h[i], q[i] = 0;
        p[m - 1] += outliers;
        for (int k = 0; k < LEVELS; k++) {
            int from = k * (m / LEVELS), to = k == LEVELS - 1 ? m : from + m / LEVELS, filled = 0;
            double weight = 0;
            for (int i = from; i < to; i++) weight += h[i], filled += h[i] > 0;
            for (int i = from; i < to; i++) q[i] = h[i] > 0 ? weight / filled : 0;
            sum += weight;
        }
        for (int i = 0; i < m; i++) {
            if (p[i] > 0) kl += q[i] > 0 ? p[i] / n * log(p[i] / n / (q[i] / sum)) : INFINITY;
        }
        if (kl < best - 1e-12) {
            best = kl;
            clip = (m + 0.5) * largest / B;
        }
    }
    return clip;
}

static void entropy(void)
{
    enum { COUNT = 20000 };
    for (int kind = 0; kind < 7; kind++) {
        float *x = draw(kind, COUNT);
        qnt_quantizer *q = create(QNT_ENTROPY, 8, QNT_SYMMETRIC | QNT_SIGNED | QNT_LITERAL);
        fit(q, x, NULL, COUNT);
        double clip = published_entropy(x, COUNT);
        CHECK_MSG(fabs(get(q, QNT_P_SCALE) * 127 / clip - 1) < 1e-6, "kind %d: %g, expected %g", kind,
                  get(q, QNT_P_SCALE) * 127, clip);
        qnt_quantizer_destroy(q);

        /* against the whole range the better form gains, or loses little; it is no squared error */
        for (int bits = 2; bits <= 8; bits += 2) {
            for (int flags = 0; flags < 2; flags++) {
                int all = flags ? QNT_SYMMETRIC | QNT_SIGNED : 0;
                qnt_quantizer *e = create(QNT_ENTROPY, bits, all), *m = create(QNT_MINMAX, bits, all);
                fit(e, x, NULL, COUNT);
                fit(m, x, NULL, COUNT);
                CHECK_MSG(sqnr(e, x, COUNT) > sqnr(m, x, COUNT) - (kind == 2 ? 20 : bits < 8 ? 0.5 : 3),
                          "kind %d, %d bits, flags %d: %g dB, min-max %g dB", kind, bits, all,
                          sqnr(e, x, COUNT), sqnr(m, x, COUNT));
                CHECK(get(e, QNT_P_SCALE) <= get(m, QNT_P_SCALE) * (1 + 1e-6));
                qnt_quantizer_destroy(e);
                qnt_quantizer_destroy(m);
            }
        }
        free(x);
    }
}

/* Whatever the data: a usable scale, a zero point that is a code, a finite error, no crash. */
static void degenerate(void)
{
    static const float data[][6] = {{0, 0, 0, 0, 0, 0}, {3, 3, 3, 3, 3, 3}, {-2, -2, -2, -2, -2, -2},
                                    {1e-45f, 0, 0, 0, 0, 0}, {-1e-45f, 1e-45f, 2e-45f, 0, 0, 0},
                                    {1e-39f, -3e-39f, 0, 1e-38f, 0, 0}, {3e38f, -3e38f, 1, 0, 2, 3},
                                    {3.4e38f, 3.4e38f, 3.4e38f, 0, 1, 1}, {1e-30f, 1e30f, 0, 0, 0, 0},
                                    {1, 1.0000001f, 1, 1, 1, 1}, {-0.0f, 0, -0.0f, 0, 0, 0},
                                    {-1, 0, 1, 0, 0, 0}, {5, -0.001f, 0, 0, 0, 0}};
    static const int widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 16};
    size_t fits = 0;
    for (size_t d = 0; d < sizeof data / sizeof data[0]; d++) {
        for (int n = 1; n <= 6; n += 5) {
            for (int method = QNT_MINMAX; method <= QNT_MSE; method++) {
                for (int w = 0; w < 9; w++) {
                    for (int flags = 0; flags < 64; flags++) {
                        if (flags & QNT_DYNAMIC) continue;
                        if (method == QNT_ENTROPY && (w & 1) == 0 && widths[w] < 16) continue;
                        if (widths[w] == 16 && flags > 3) continue;
                        if (widths[w] == 16 && method == QNT_ANALYTIC && d != 1) continue; /* slow */
                        qnt_spec spec = {.size = sizeof spec, .method = method, .bits = widths[w],
                                         .flags = flags};
                        qnt_quantizer *q;
                        if (qnt_quantizer_create(c, &spec, &q) != QNT_OK) continue;
                        fit(q, data[d], NULL, n);
                        double scale = get(q, QNT_P_SCALE), error = get(q, QNT_P_ERROR);
                        CHECK_MSG(scale > 0 && isfinite((float)scale) && isfinite(error),
                                  "data %zu n %d method %d bits %d flags %d: scale %g error %g", d, n,
                                  method, widths[w], flags, scale, error);
                        if (!(flags & QNT_REAL_OFFSET)) {
                            spec.flags &= ~QNT_NARROW;
                            double zero = get(q, QNT_P_ZERO);
                            CHECK(zero >= qnt__code_low(&spec) && zero <= qnt__code_high(&spec));
                        } else {
                            CHECK(isfinite(get(q, QNT_P_OFFSET)));
                        }
                        uint16_t codes[6];
                        OK(qnt_quantizer_encode(
                            c, q, TENSOR(data[d], QNT_FLOAT, 32, n),
                            TENSOR(codes, flags & QNT_SIGNED ? QNT_INT : QNT_UINT, widths[w], n)));
                        qnt_quantizer_destroy(q);
                        fits++;
                    }
                }
            }
        }
    }
    CHECK(fits > 5000);
}

/* Fits from histograms against fits from exact values: the loss in dB, printed with --verbose. */
static void streaming(void)
{
    static const char *const names[] = {"", "minmax", "percentile", "entropy", "analytic", "mse"};
    enum { COUNT = 40000, BATCHES = 10 };
    bool verbose = getenv("QNT_VERBOSE") != NULL;
    for (int method = check_quick ? QNT_MSE : QNT_MINMAX; method <= QNT_MSE; method++) {
        for (int bits = 4; bits <= 8; bits += 4) {
            for (int bins = 512; bins <= 4096; bins *= 8) {
                double worst = 0, sum = 0;
                int cases = 0;
                for (int kind = 0; kind < 7; kind++) {
                    for (int flags = 0; flags <= QNT_SYMMETRIC; flags += QNT_SYMMETRIC) {
                        float *x = draw(kind, COUNT);
                        qnt_quantizer *a = create(method, bits, flags | (flags ? QNT_SIGNED : 0));
                        qnt_quantizer *b = create(method, bits, flags | (flags ? QNT_SIGNED : 0));
                        set(b, QNT_P_SAMPLES, 0);
                        set(b, QNT_P_BINS, bins);
                        for (int k = 0; k < BATCHES; k++) {
                            OK(qnt_quantizer_observe(
                                c, b, TENSOR(x + k * (COUNT / BATCHES), QNT_FLOAT, 32, COUNT / BATCHES),
                                NULL));
                        }
                        fit(a, x, NULL, COUNT);
                        OK(qnt_quantizer_fit(c, b));
                        double loss = sqnr(a, x, COUNT) - sqnr(b, x, COUNT);
                        CHECK(method == QNT_MINMAX ? loss == 0 : loss < (bits < 8 ? 0.5 : 2.5));
                        if (loss > worst) worst = loss;
                        sum += loss;
                        cases++;
                        free(x);
                        qnt_quantizer_destroy(a);
                        qnt_quantizer_destroy(b);
                    }
                }
                if (verbose) {
                    printf("  %-10s %d bits, %4d bins: mean loss %.4f dB, worst %.4f dB\n", names[method],
                           bits, bins, sum / cases, worst);
                }
            }
        }
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(minmax);
    RUN(percentile);
    RUN(analytic_constants);
    RUN(analytic_fit);
    RUN(entropy);
    RUN(degenerate);
    RUN(streaming);
    qnt_context_destroy(c);
    return DONE;
}
