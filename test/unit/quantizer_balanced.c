/* QNT_BALANCED: even bins, golden thresholds, ties, the published rounding, degenerate groups. */
#include "check.h"

enum { MOST = 1 << 16 };

static qnt_context *c;
static float x[MOST], y[MOST];
static uint8_t code[MOST];

static qnt_quantizer *balanced(int bits, int flags, int64_t n, const float *h)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_TABLE,
                     .method = QNT_BALANCED,
                     .bits = bits,
                     .flags = flags};
    CHECK_MSG(qnt_quantizer_create(c, &spec, &q) == QNT_OK, "%s", check_reason);
    CHECK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, n),
                                h ? TENSOR(h, QNT_FLOAT, 32, n) : NULL) == QNT_OK);
    CHECK_MSG(qnt_quantizer_fit(c, q) == QNT_OK, "%s", check_reason);
    CHECK(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, n), TENSOR(code, QNT_UINT, 8, n)) ==
          QNT_OK);
    CHECK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, n), TENSOR(y, QNT_FLOAT, 32, n)) ==
          QNT_OK);
    return q;
}

static double number(const qnt_quantizer *q, int param, int i)
{
    double values[256] = {0};
    size_t count = 0;
    CHECK(qnt_quantizer_get(c, q, param, values, 256, &count) == QNT_OK);
    return values[i];
}

/* n quantiles of the normal distribution at the middles of equal shares, by bisection of erf. */
static void normal_quantiles(int n)
{
    for (int i = 0; i < n; i++) {
        double low = -9, high = 9;
        for (int k = 0; k < 60; k++) {
            double middle = (low + high) / 2;
            if (0.5 * (1 + erf(middle / sqrt(2))) < (i + 0.5) / n)
                low = middle;
            else
                high = middle;
        }
        x[i] = (float)low;
    }
}

/* Medians: bins of equal weight, levels at equal distances, and nearly the errors of the best
 * scale. */
static void even_bins(void)
{
    static const double most[] = {0, 0.40, 0.17, 0.095, 0.075};
    for (int bits = 1; bits <= 8; bits++) {
        int n = 256 * (int)random_in(4, 60), count = 1 << bits, seen[256] = {0};
        double error = 0, energy = 0;
        for (int i = 0; i < n; i++) x[i] = (float)random_gauss();
        qnt_quantizer *q = balanced(bits, 0, n, NULL);
        double scale = number(q, QNT_P_SCALE, 0);
        for (int i = 0; i < n; i++) {
            seen[code[i]]++;
            CHECK(y[i] == (float)scale * (float)(2 * code[i] - (count - 1)));
            error += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
            energy += (double)x[i] * (double)x[i];
        }
        for (int k = 0; k < count; k++)
            CHECK_MSG(seen[k] == n / count, "%d of %d", seen[k], n / count);
        if (bits <= 4) CHECK_MSG(error / energy < most[bits], "%d bits: %g", bits, error / energy);
        qnt_quantizer_destroy(q);
    }
}

/* Means: thresholds and shares of the normal distribution. */
static void golden(void)
{
    static const double threshold[5][8] = {{0},
                                           {0},
                                           {0, .7979},
                                           {0, .3783, .7979, 1.3658},
                                           {0, .1869, .3783, .5795, .7979, 1.0532, 1.3658, 1.8253}};
    static const double share[5][8] = {{0},
                                       {0},
                                       {.2875, .2125},
                                       {.1474, .1402, .1265, .0860},
                                       {.0741, .0733, .0715, .0687, .0664, .0601, .0520, .0340}};
    const int n = 60000;
    normal_quantiles(n);
    for (int bits = 2; bits <= 4; bits++) {
        int half = 1 << (bits - 1), seen[16] = {0};
        qnt_quantizer *q = balanced(bits, QNT_LITERAL, n, NULL);
        for (int i = 0; i < n; i++) seen[code[i]]++;
        for (int k = 0; k < half; k++) {
            double up = number(q, QNT_P_THRESHOLDS, half - 1 + k);
            CHECK_MSG(fabs(up - threshold[bits][k]) < 5e-4, "threshold %g, expected %g", up,
                      threshold[bits][k]);
            CHECK_MSG(fabs((double)seen[half + k] / n - share[bits][k]) < 8e-4,
                      "share %g, expected %g", (double)seen[half + k] / n, share[bits][k]);
        }
        double scale = number(q, QNT_P_SCALE, 0);
        CHECK(fabs(scale * ((1 << bits) - 1) - (double)x[n - 1]) < 1e-6);
        qnt_quantizer_destroy(q);
    }
}

/* Equal values have equal codes, few values their own, and the published rounding moves the least
 * of a bin down. */
static void ties(void)
{
    static const float four[] = {-3, 0.5f, 2, 7}, eight[] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int flags = 0; flags <= QNT_LITERAL; flags += QNT_LITERAL) {
        memcpy(x, four, sizeof four);
        qnt_quantizer *q = balanced(2, flags, 4, NULL);
        for (int i = 0; i < 4; i++) CHECK_MSG(code[i] == i, "%d", code[i]);
        qnt_quantizer_destroy(q);
    }
    memcpy(x, eight, sizeof eight);
    qnt_quantizer *q = balanced(1, 0, 8, NULL);
    for (int i = 0; i < 8; i++) CHECK(code[i] == (i >= 4));
    qnt_quantizer_destroy(q);
    q = balanced(1, QNT_LITERAL, 8, NULL);
    for (int i = 0; i < 8; i++) CHECK(code[i] == (i >= 5)); /* 5 is the least of its bin */
    qnt_quantizer_destroy(q);
    for (int turn = 0; turn < ROUNDS(60); turn++) {
        int n = (int)random_in(1, 200), kinds = (int)random_in(1, 9), bits = (int)random_in(1, 6);
        for (int i = 0; i < n; i++) x[i] = (float)(random_in(0, kinds) - kinds / 2);
        q = balanced(bits, turn % 2 ? QNT_LITERAL : 0, n, NULL);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < i; k++) {
                CHECK(x[i] != x[k] || code[i] == code[k]);
                CHECK(x[i] < x[k] || code[i] >= code[k]);
            }
        qnt_quantizer_destroy(q);
    }
}

/* An element of weight 3 counts like three of weight 1; nothing to divide is a legal quantizer. */
static void weights(void)
{
    static float h[300], thrice[300];
    for (int i = 0; i < 100; i++) x[i] = (float)random_gauss(), h[i] = (float)random_in(1, 3);
    int n = 0;
    for (int i = 0; i < 100; i++)
        for (int k = 0; k < (int)h[i]; k++) thrice[n++] = x[i];
    qnt_quantizer *q = balanced(3, QNT_LITERAL, 100, h);
    double expected[7], scale = number(q, QNT_P_SCALE, 0);
    for (int i = 0; i < 7; i++) expected[i] = number(q, QNT_P_THRESHOLDS, i);
    qnt_quantizer_destroy(q);
    memcpy(x, thrice, sizeof thrice);
    q = balanced(3, QNT_LITERAL, n, NULL);
    CHECK(scale == number(q, QNT_P_SCALE, 0));
    for (int i = 0; i < 7; i++) CHECK(fabs(expected[i] - number(q, QNT_P_THRESHOLDS, i)) < 1e-5);
    qnt_quantizer_destroy(q);
    static const float odd[] = {0, 5, -2, 1e-40f};
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 50; k++) x[k] = odd[i];
        q = balanced(4, 0, 50, NULL);
        CHECK(number(q, QNT_P_SCALE, 0) > 0);
        for (int k = 1; k < 50; k++) CHECK(code[k] == code[0]);
        qnt_quantizer_destroy(q);
    }
    qnt_spec spec = {.size = sizeof spec, .scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = 9};
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "bits");
    spec.bits = 4, spec.scheme = QNT_AFFINE;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_UNSUPPORTED, "QNT_BALANCED");
}

/* Algorithms 1 and 2 as they are printed: masks, means, and rounding to the nearest with halves
 * down. */
static void equalize(const double *w, const bool *in, int n, int level, double *out)
{
    static const double infinity = INFINITY;
    double sum = 0, count = 0, least = infinity, most = -infinity;
    bool low[64] = {false}, high[64] = {false};
    double low_out[64] = {0}, high_out[64] = {0};
    for (int i = 0; i < n; i++) {
        if (!in[i]) continue;
        sum += w[i], count++, least = fmin(least, w[i]), most = fmax(most, w[i]);
    }
    for (int i = 0; i < n; i++) out[i] = in[i] && level == 0 ? (w[i] - least) / (most - least) : 0;
    if (level == 0) return;
    for (int i = 0; i < n; i++) low[i] = in[i] && w[i] < sum / count, high[i] = in[i] && !low[i];
    equalize(w, low, n, level - 1, low_out);
    equalize(w, high, n, level - 1, high_out);
    for (int i = 0; i < n; i++) {
        if (low[i]) out[i] = low_out[i] / 2;
        if (high[i]) out[i] = high_out[i] / 2 + 0.5;
    }
}

static void printed(void)
{
    for (int turn = 0; turn < ROUNDS(200); turn++) {
        enum { N = 64 };
        double w[N], equal[N], largest = 0;
        bool all[N];
        int bits = 1 + turn % 3, top = (1 << bits) - 1;
        for (int i = 0; i < N; i++) {
            x[i] = (float)random_gauss();
            w[i] = (double)x[i], all[i] = true, largest = fmax(largest, fabs(w[i]));
        }
        equalize(w, all, N, bits, equal);
        bool wide = true; /* a bin of one value has no width to divide by */
        for (int i = 0; i < N; i++) wide = wide && !isnan(equal[i]);
        qnt_quantizer *q = balanced(bits, QNT_LITERAL, N, NULL);
        for (int i = 0; wide && i < N; i++) {
            double v = (top + 1) * equal[i] - 0.5;
            double rounded = copysign(ceil(fabs(v) - 0.5), v); /* halves toward 0 */
            double want = 2 * largest * (rounded / top - 0.5);
            CHECK_MSG(fabs((double)y[i] - want) < 1e-6 * largest,
                      "%d bits: %g became %g, printed %g", bits, w[i], (double)y[i], want);
        }
        qnt_quantizer_destroy(q);
    }
}

/* Codes know neither scale nor offset of the data, and mirror with it up to values at a threshold.
 */
static void invariance(void)
{
    enum { N = 192 }; /* halves of halves are even */
    static float from[N];
    static uint8_t codes[N];
    for (int turn = 0; turn < ROUNDS(60); turn++) {
        int bits = 1 + turn % 6, flags = turn % 2 ? QNT_LITERAL : 0, top = (1 << bits) - 1;
        for (int i = 0; i < N; i++) from[i] = (float)((i * 29 % N - N / 2) * 64 + random_in(0, 60));
        memcpy(x, from, sizeof from);
        qnt_quantizer *q = balanced(bits, flags, N, NULL);
        memcpy(codes, code, N);
        qnt_quantizer_destroy(q);
        for (int i = 0; i < N; i++) x[i] = 8 * from[i] - 12345; /* exact */
        q = balanced(bits, flags, N, NULL);
        CHECK(!memcmp(code, codes, N));
        qnt_quantizer_destroy(q);
        for (int i = 0; i < N; i++) x[i] = -from[i];
        q = balanced(bits, flags, N, NULL);
        int moved = 0;
        for (int i = 0; i < N; i++) {
            moved += code[i] != top - codes[i];
            CHECK(abs(code[i] - (top - codes[i])) <= 1);
        }
        CHECK_MSG(moved <= (flags ? 2 * top : 0), "%d bits: %d codes are not mirrored", bits,
                  moved);
        qnt_quantizer_destroy(q);
    }
}

/* Of rounding without training: with the published scale worse than nothing at all, and what the
 * best scale makes of it. Bins carry nearly `bits` bits, those of a uniform grid far fewer. */
static void errors(void)
{
    static const double worse[] = {0, 13.5, 4.77, 2.86, 2.23},
                        range[] = {0, 1.596, 2.671, 3.245, 3.520},
                        error[] = {0, .363, .128, .056, .037},
                        entropy[] = {0, 1, 1.984, 2.972, 3.966}, plain[] = {0, 1, 1.03, 1.80, 2.83};
    const int n = 60000;
    const double largest = 4.41717; /* of the table's 100,000 quantiles */
    normal_quantiles(n);
    for (int bits = 1; bits <= 4; bits++) {
        double energy = 0, products = 0, squares = 0, wrong = 0, held = 0, grid = 0;
        double seen[16] = {0}, bins[16] = {0};
        int top = (1 << bits) - 1;
        qnt_quantizer *q = balanced(bits, QNT_LITERAL, n, NULL);
        for (int i = 0; i < n; i++) {
            double v = (double)x[i], level = 2 * code[i] - top;
            energy += v * v, products += v * level, squares += level * level;
            wrong += pow(v - largest * level / top, 2);
            CHECK(fabs((double)y[i] / (double)x[n - 1] - level / top) < 1e-6);
            seen[code[i]]++;
            bins[(int)rint((v / largest + 1) / 2 * top)]++;
        }
        for (int k = 0; k <= top; k++) {
            if (seen[k] > 0) held -= seen[k] / n * log2(seen[k] / n);
            if (bins[k] > 0) grid -= bins[k] / n * log2(bins[k] / n);
        }
        CHECK_MSG(fabs(wrong / energy - worse[bits]) < 0.02 * worse[bits], "%g", wrong / energy);
        CHECK_MSG(fabs(2 * products / squares * top - range[bits]) < 2e-3, "%g",
                  2 * products / squares * top);
        double least = 1 - products * products / squares / energy;
        CHECK_MSG(fabs(least - error[bits]) < 6e-4, "%g", least);
        CHECK_MSG(fabs(held - entropy[bits]) < 1e-3 && fabs(grid - plain[bits]) < 6e-3, "%g, %g",
                  held, grid);
        qnt_quantizer_destroy(q);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(even_bins);
    RUN(golden);
    RUN(ties);
    RUN(weights);
    RUN(printed);
    RUN(invariance);
    RUN(errors);
    qnt_context_destroy(c);
    return DONE;
}
