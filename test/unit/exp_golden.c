/*
 * Exponential codes against numbers found without this library: errors of the published and of the
 * best form on the quantiles of four densities, beside uniform grids, powers of two and the best
 * levels there are. Then what must hold for any data: codes that order and mirror values, ends that
 * are levels, errors that fall with bits and with freedom.
 */
#include "check.h"
#include "quantizer/levels.h"

enum { MANY = 100000, FEW = 40000, MOST_BITS = 7 };
/* Of rows that search for a least error; what they show of an emulated CPU a third of them shows. */
#define EACH_ROW (check_quick ? 3u : 1u)
enum density { GAUSS, LAPLACE, HALF_GAUSS, HALF_LAPLACE, UNIFORM };

static qnt_context *c;
static float x[MANY];

static qnt_quantizer *create(qnt_spec spec)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec;
    CHECK_MSG(qnt_quantizer_create(c, &spec, &q) == QNT_OK, "%s", check_reason);
    return q;
}

static qnt_quantizer *fitted(int bits, int flags, int64_t n)
{
    qnt_quantizer *q =
        create((qnt_spec){.scheme = QNT_EXP, .method = QNT_TEQ, .bits = bits, .flags = flags});
    CHECK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, n), NULL) == QNT_OK);
    CHECK_MSG(qnt_quantizer_fit(c, q) == QNT_OK, "%s", check_reason);
    return q;
}

static double get(const qnt_quantizer *q, int param)
{
    double v = NAN;
    size_t count;
    CHECK_MSG(qnt_quantizer_get(c, q, param, &v, 1, &count) == QNT_OK, "%s", check_reason);
    return v;
}

static void set(qnt_quantizer *q, int param, double v)
{
    CHECK_MSG(qnt_quantizer_set(c, q, param, &v, 1) == QNT_OK, "%s", check_reason);
}

static qnt_error error_of(const qnt_quantizer *q, int64_t n)
{
    qnt_error e = {.size = sizeof e};
    CHECK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, n), NULL, &e) == QNT_OK);
    return e;
}

/* For p >= 1 / 2, by Newton's method from above: the tail is convex there. */
static double gauss_quantile(double p)
{
    double v = 6, step = 1;
    while (fabs(step) > 1e-13) {
        double density = exp(-v * v / 2) / sqrt(2 * acos(-1));
        step = (erfc(v / sqrt(2)) / 2 - (1 - p)) / density;
        v += fmax(step, -0.5);
    }
    return v;
}

/* x = the n quantiles at the middles of equal shares. */
static void quantiles(enum density density, int n)
{
    for (int i = 0; i < n; i++) {
        double p = (i + 0.5) / n, upper = fmax(p, 1 - p), sign = p < 0.5 ? -1 : 1;
        double v = density == GAUSS          ? sign * gauss_quantile(upper)
                   : density == LAPLACE      ? -sign * log(2 * (1 - upper))
                   : density == HALF_LAPLACE ? -log(1 - p)
                   : density == HALF_GAUSS   ? gauss_quantile((1 + p) / 2)
                                             : 2 * p - 1;
        x[i] = (float)v;
    }
}

/* The quantiles of magnitudes, with either sign. */
static void mirrored_quantiles(enum density half)
{
    quantiles(half, FEW / 2);
    for (int i = 0; i < FEW / 2; i++) x[FEW / 2 + i] = -x[i];
}

/* Table 1.7: the published form with its range pinned to the smallest and the largest magnitude. */
static void published(void)
{
    static const struct {
        enum density density;
        int bits;
        double base, rmae, sqnr;
    } rows[] = {{GAUSS, 2, 3.009, .45286, 6.43},
                {GAUSS, 3, 1.448, .15541, 16.05},
                {GAUSS, 4, 1.173, .06642, 23.45},
                {GAUSS, 5, 1.0773, .03098, 30.08},
                {GAUSS, 6, 1.0366, .01499, 36.38},
                {GAUSS, 7, 1.0176, .00738, 42.56},
                {LAPLACE, 3, 1.754, .19937, 13.94},
                {LAPLACE, 4, 1.274, .08495, 21.38},
                {LAPLACE, 5, 1.1202, .03960, 28.01},
                {LAPLACE, 6, 1.0565, .01916, 34.31},
                {LAPLACE, 7, 1.0274, .00943, 40.47},
                {HALF_GAUSS, 3, 1.460, .15748, 15.92},
                {HALF_GAUSS, 4, 1.178, .06730, 23.32},
                {HALF_GAUSS, 5, 1.0795, .03139, 29.94},
                {UNIFORM, 3, 1, .08333, 0},
                {UNIFORM, 4, 1, .03571, 0},
                {UNIFORM, 5, 1, .01667, 0}};
    double base[2][MOST_BITS + 1] = {{0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i == 0 || rows[i].density != rows[i - 1].density) quantiles(rows[i].density, MANY);
        qnt_quantizer *q = fitted(rows[i].bits, QNT_SIGNED | QNT_LITERAL, MANY);
        qnt_error e = error_of(q, MANY);
        double b = get(q, QNT_P_BASE);
        CHECK_MSG(fabs(b / rows[i].base - 1) < 0.01, "row %zu: base %g, expected %g", i, b,
                  rows[i].base);
        CHECK_MSG(fabs(e.rmae - rows[i].rmae) < 1e-4, "row %zu: error %g, expected %g", i, e.rmae,
                  rows[i].rmae);
        CHECK_MSG(rows[i].sqnr == 0 || fabs(e.sqnr_db - rows[i].sqnr) < 0.05,
                  "row %zu: %g dB, expected %g", i, e.sqnr_db, rows[i].sqnr);
        CHECK(e.clipped == 0);
        if (rows[i].density <= LAPLACE) base[rows[i].density][rows[i].bits] = b;
        qnt_quantizer_destroy(q);
    }
    for (int bits = 3; bits <= MOST_BITS; bits++) CHECK(base[LAPLACE][bits] > base[GAUSS][bits]);
}

/* A grid of `levels` steps on each side of 0. */
static qnt_error grid_error(int bits, double largest, int64_t n)
{
    qnt_quantizer *q = create((qnt_spec){
        .method = QNT_FIXED, .bits = bits + 1, .flags = QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW});
    set(q, QNT_P_SCALE, largest / ((1 << bits) - 1));
    qnt_error e = error_of(q, n);
    qnt_quantizer_destroy(q);
    return e;
}

/* The same table: uniform grids up to the largest value, and up to the best share of it in percent. */
static void uniform_grids(void)
{
    static const double rmae[2][5] = {{.19772, .09227, .04465, .02197, .01090},
                                      {.38946, .18956, .09258, .04565, .02266}};
    static const double sqnr[2][5] = {{14.79, 21.41, 27.72, 33.88, 39.97},
                                      {9.81, 16.17, 22.42, 28.57, 34.65}};
    static const double clipped[2][5] = {{.10668, .05609, .02969, .01572, .00830},
                                         {.14986, .08364, .04660, .02581, .01420}};
    for (int density = GAUSS; density <= LAPLACE; density++) {
        quantiles((enum density)density, MANY);
        for (int bits = 3; bits <= MOST_BITS; bits += (int)EACH_ROW) {
            qnt_error e = grid_error(bits, (double)x[MANY - 1], MANY);
            CHECK_MSG(fabs(e.rmae - rmae[density][bits - 3]) < 2e-5 &&
                          fabs(e.sqnr_db - sqnr[density][bits - 3]) < 0.006,
                      "density %d, %d bits: %g, %g dB", density, bits, e.rmae, e.sqnr_db);
            double least = INFINITY;
            for (int percent = 20; percent <= 100; percent++) {
                least = fmin(least, grid_error(bits, (double)x[MANY - 1] * percent / 100, MANY).rmae);
            }
            CHECK_MSG(fabs(least - clipped[density][bits - 3]) < 2e-5, "density %d, %d bits: %g", density,
                      bits, least);
        }
    }
}

/* Levels low..high that grow by a factor, and 0: nearest rounding. */
static qnt_error free_error(int bits, double high, double low, double base, int64_t n)
{
    qnt_quantizer *q = create(
        (qnt_spec){.scheme = QNT_EXP, .method = QNT_FIXED, .bits = bits, .flags = QNT_SIGNED});
    double alpha = (high - low) / (pow(base, (1 << bits) - 2) - 1);
    set(q, QNT_P_BASE, base);
    set(q, QNT_P_ALPHA, alpha);
    set(q, QNT_P_BETA, low - alpha);
    qnt_error e = error_of(q, n);
    qnt_quantizer_destroy(q);
    return e;
}

/* Table 1.7 again: the same ends and a base of its own, rounded to the nearest level. Levels of up
 * to four bits are snapped to int8, which the table's are not, hence the room in the limits. */
static void nearest(void)
{
    static const struct {
        enum density density;
        int bits;
        double base, rmae, sqnr;
    } rows[] = {{GAUSS, 2, 3.338, .42078, 7.16},     {GAUSS, 3, 1.460, .15407, 16.13},
                {GAUSS, 4, 1.1735, .06632, 23.46},   {GAUSS, 5, 1.0773, .03097, 30.08},
                {LAPLACE, 3, 1.779, .19542, 14.12},  {LAPLACE, 4, 1.2768, .08464, 21.40},
                {LAPLACE, 5, 1.1202, .03957, 28.02}, {LAPLACE, 6, 1.0565, .01915, 34.32}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i == 0 || rows[i].density != rows[i - 1].density) quantiles(rows[i].density, MANY);
        double low = fabs((double)x[MANY / 2]), high = (double)x[MANY - 1];
        qnt_error e = free_error(rows[i].bits, high, low, rows[i].base, MANY);
        CHECK_MSG(fabs(e.rmae / rows[i].rmae - 1) < 0.008 && fabs(e.sqnr_db - rows[i].sqnr) < 0.1,
                  "row %zu: %g, %g dB", i, e.rmae, e.sqnr_db);
        double less = 1 + 0.8 * (rows[i].base - 1), more = 1 + 1.2 * (rows[i].base - 1);
        CHECK_MSG(e.rmae < free_error(rows[i].bits, high, low, less, MANY).rmae &&
                      e.rmae < free_error(rows[i].bits, high, low, more, MANY).rmae,
                  "row %zu: base %g is not the best", i, rows[i].base);
    }
}

/* The least error of a logarithm of that base, over a grid of largest levels. */
static double logarithm_error(int bits, double base)
{
    double least = INFINITY;
    for (int percent = 10; percent <= 150; percent += 2) {
        double high = (double)x[FEW / 2 - 1] * percent / 100;
        least =
            fmin(least, free_error(bits, high, high * pow(base, 2 - (1 << bits)), base, FEW).rmae);
    }
    return least;
}

/* The best `count` levels whatsoever, in dB. */
static double best_levels(int32_t count)
{
    double level[QNT__LEVELS], energy = 0;
    struct qnt__sorted sorted;
    void *space = malloc(qnt__sort_bytes(FEW)), *scratch = malloc(qnt__kmeans_bytes(FEW, count));
    qnt__sort(x, NULL, FEW, QNT__SIGNED, space, &sorted);
    double error = qnt__kmeans(&sorted, count, scratch, level);
    for (int i = 0; i < FEW; i++) energy += (double)x[i] * (double)x[i];
    free(space), free(scratch);
    return 10 * log10(energy / error);
}

/* Levels low..high that grow by a factor, as multiples of high / 127 of both signs, and 0; infinite if two
 * of them meet. */
static double snapped_error(int bits, double high, double low, double base)
{
    const int levels = (1 << bits) - 1;
    double level[256], power = 1, alpha = (high - low) / (pow(base, levels - 1) - 1), step = high / 127;
    level[levels] = 0;
    for (int i = 1; i <= levels; i++, power *= base) {
        level[levels + i] = rint((low - alpha + alpha * power) / step);
        level[levels - i] = -level[levels + i];
        if (level[levels + i] <= level[levels + i - 1]) return INFINITY;
    }
    level[2 * levels + 1] = 32767; /* of no use */
    qnt_quantizer *q = create((qnt_spec){.scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = bits + 1});
    CHECK(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, (size_t)(2 << bits)) == QNT_OK);
    set(q, QNT_P_SCALE, step);
    double rmae = error_of(q, FEW).rmae;
    qnt_quantizer_destroy(q);
    return rmae;
}

/* Table 1.8: the best levels on the grid of int8, found from the best ones off it by turns along the range,
 * the lowest level and the base. */
static void snapped(void)
{
    static const struct {
        enum density density;
        int bits;
        double place[3], rmae; /* of the free levels; of the snapped ones, 0: there are none */
    } rows[] = {{HALF_GAUSS, 2, {.402, .4658, 1.371}, .20240},
                {HALF_GAUSS, 3, {.520, .2316, 1.194}, .09989},
                {HALF_GAUSS, 4, {.609, .1152, 1.094}, .05042},
                {HALF_GAUSS, 5, {.685, .0573, 1.051}, .02593},
                {HALF_GAUSS, 6, {.742, .0285, 1.026}, .01366},
                {HALF_LAPLACE, 2, {.265, .6161, 1.705}, .25000},
                {HALF_LAPLACE, 3, {.378, .2664, 1.318}, .12574},
                {HALF_LAPLACE, 4, {.490, .1324, 1.170}, .06413},
                {HALF_LAPLACE, 5, {.585, .0658, 1.085}, .03353},
                {HALF_LAPLACE, 6, {.659, .0327, 1.043}, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i += EACH_ROW) {
        mirrored_quantiles(rows[i].density);
        double most = (double)x[FEW / 2 - 1], place[3], best;
        memcpy(place, rows[i].place, sizeof place);
        best = snapped_error(rows[i].bits, place[0] * most, place[1], place[2]);
        for (int turn = 0; turn < 2; turn++) {
            for (int p = 0; p < 3; p++) {
                const double from = place[p];
                for (int step = -12; step <= 12; step++) {
                    double at[3] = {place[0], place[1], place[2]};
                    at[p] = p == 2 ? 1 + (from - 1) * (1 + 0.01 * step) : from * (1 + 0.01 * step);
                    double e = snapped_error(rows[i].bits, at[0] * most, at[1], at[2]);
                    if (e < best) best = e, place[p] = at[p];
                }
            }
        }
        if (rows[i].rmae == 0)
            CHECK_MSG(isinf(best), "row %zu: %g", i, best);
        else
            CHECK_MSG(fabs(best / rows[i].rmae - 1) < 0.006, "row %zu: %g", i, best);
    }
}

/* Table 1.8: free ranges and zero as a level, between the best levels there are and what is
 * simpler. */
static void free_ranges(void)
{
    static const struct {
        enum density density;
        int bits;
        double high, low, base, rmae, sqnr; /* of least rmae */
        double best_sqnr;                   /* of least squares */
        double base_alone, alone;           /* of least rmae with beta 0 */
        double two, root_two;               /* rmae with bases 2 and sqrt(2) */
        double grid_rmae, grid_sqnr;        /* best uniform grid */
        double lloyd_sqnr;                  /* of levels of least rmae: the best have more */
    } rows[] = {{HALF_GAUSS, 2, .402, .4658, 1.371, .20240, 12.94, 13.56, 1.856, .20527, .20735,
                 .24042, .20731, 13.29, 13.57},
                {HALF_GAUSS, 3, .520, .2316, 1.194, .10014, 18.63, 19.60, 1.397, .10640, .16994,
                 .10654, .10667, 18.90, 19.70},
                {HALF_GAUSS, 4, .609, .1152, 1.094, .05057, 24.03, 25.47, 1.203, .05689, .16934,
                 .08638, .05608, 24.34, 25.76},
                {HALF_GAUSS, 5, .685, .0573, 1.051, .02577, 29.30, 31.28, 1.110, .03081, .16934,
                 .08621, .02969, 29.75, 31.79},
                {HALF_GAUSS, 6, .742, .0285, 1.026, .01316, 34.05, 37.11, 1.062, .01679, .16934,
                 .08621, .01572, 35.20, 37.56},
                {HALF_LAPLACE, 2, .265, .6161, 1.705, .25029, 10.51, 11.67, 2.145, .25182, .25348,
                 .31843, .27018, 10.81, 11.68},
                {HALF_LAPLACE, 3, .378, .2664, 1.318, .12606, 15.55, 17.55, 1.520, .13084, .17155,
                 .13692, .14983, 15.64, 17.65},
                {HALF_LAPLACE, 4, .490, .1324, 1.170, .06426, 20.66, 23.35, 1.258, .06956, .16990,
                 .08708, .08363, 20.47, 23.67},
                {HALF_LAPLACE, 5, .585, .0658, 1.085, .03293, 25.50, 29.19, 1.138, .03739, .16990,
                 .08619, .04659, 25.38, 29.64},
                {HALF_LAPLACE, 6, .659, .0327, 1.043, .01689, 29.67, 35.12, 1.072, .02014, .16990,
                 .08619, .02580, 30.46, 34.75}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i += EACH_ROW) {
        const int bits = rows[i].bits;
        mirrored_quantiles(rows[i].density);
        double most = (double)x[FEW / 2 - 1];
        qnt_error e = free_error(bits, rows[i].high * most, rows[i].low, rows[i].base, FEW);
        CHECK_MSG(fabs(e.rmae / rows[i].rmae - 1) < 0.005 && fabs(e.sqnr_db - rows[i].sqnr) < 0.03,
                  "row %zu: %g, %g dB", i, e.rmae, e.sqnr_db);
        double root_two = logarithm_error(bits, sqrt(2)),
               two = bits > 5 ? 0 : logarithm_error(bits, 2);
        CHECK_MSG(fabs(root_two / rows[i].root_two - 1) < 0.015, "row %zu: %g", i, root_two);
        CHECK_MSG(bits > 5 || fabs(two / rows[i].two - 1) < 0.006, "row %zu: %g", i, two);
        double alone = logarithm_error(bits, rows[i].base_alone);
        CHECK_MSG(fabs(alone / rows[i].alone - 1) < 0.02, "row %zu: %g", i, alone);
        CHECK_MSG(alone < logarithm_error(bits, 1 + 0.75 * (rows[i].base_alone - 1)) &&
                      alone < logarithm_error(bits, 1 + 1.25 * (rows[i].base_alone - 1)),
                  "row %zu: base %g is not the best", i, rows[i].base_alone);
        double least = INFINITY;
        for (int percent = 15; percent <= 100; percent++) {
            least = fmin(least, grid_error(bits, most * percent / 100, FEW).rmae);
        }
        qnt_quantizer *q = fitted(bits, QNT_SIGNED, FEW);
        qnt_error best = error_of(q, FEW);
        qnt_quantizer_destroy(q);
        q = create((qnt_spec){
            .method = QNT_MSE, .bits = bits + 1, .flags = QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW});
        OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, FEW), NULL));
        OK(qnt_quantizer_fit(c, q));
        qnt_error grid = error_of(q, FEW);
        qnt_quantizer_destroy(q);
        CHECK_MSG(fabs(least / rows[i].grid_rmae - 1) < 1e-3, "row %zu: %g", i, least);
        CHECK_MSG(fabs(grid.sqnr_db - rows[i].grid_sqnr) < 0.01, "row %zu: %g dB", i, grid.sqnr_db);
        CHECK_MSG(best.sqnr_db > rows[i].best_sqnr - 0.06 &&
                      best.sqnr_db < rows[i].best_sqnr + 0.03 && best.rmae > 0.995 * rows[i].rmae,
                  "row %zu: %g, %g dB", i, best.rmae, best.sqnr_db);
        double lloyd = best_levels((2 << bits) - 1);
        CHECK_MSG(lloyd > rows[i].lloyd_sqnr - 0.01 && lloyd > best.sqnr_db - 1e-3 &&
                      (bits > 5 || lloyd < rows[i].lloyd_sqnr + 0.12),
                  "row %zu: %g dB", i, lloyd);
    }
}

/* Codes of n values, with their sign on top. */
static void encode(const qnt_quantizer *q, const float *v, int64_t n, uint8_t *out)
{
    OK(qnt_quantizer_encode(c, q, TENSOR((void *)(uintptr_t)v, QNT_FLOAT, 32, n),
                            TENSOR(out, QNT_UINT, 8, n)));
}

/* Every code but the second zero comes back from its value; codes order and mirror magnitudes. */
static void codes(void)
{
    enum { N = 600 };
    float v[N], opposite[N];
    uint8_t code[N], mirror[N];
    for (int i = 0; i < ROUNDS(48); i++) {
        int bits = 2 + i % 6, sign = 1 << bits;
        for (int k = 0; k < N; k++) x[k] = (float)random_laplace();
        qnt_quantizer *q = fitted(bits, QNT_SIGNED | (i / 6 % 2 ? QNT_LITERAL : 0), N);
        for (int k = 0; k < 2 * sign; k++) code[k] = (uint8_t)k;
        OK(qnt_quantizer_decode(c, q, TENSOR(code, QNT_UINT, 8, 2 * sign),
                                TENSOR(v, QNT_FLOAT, 32, 2 * sign)));
        encode(q, v, 2 * sign, mirror);
        for (int k = 0; k < 2 * sign; k++) {
            int first = k; /* of those with the same value: snapped levels may meet */
            while (first > 0 && v[first - 1] == v[k]) first--;
            CHECK_MSG(k == sign ? mirror[k] == 0 : v[mirror[k]] == v[k] && mirror[k] >= first,
                      "%d bits: code %d became %d", bits, k, mirror[k]);
        }
        for (int k = 0; k < N; k++) {
            v[k] = k < 2 ? 0 : (float)(random_laplace() * pow(2, 6 * random_unit() - 5));
            opposite[k] = -v[k];
        }
        encode(q, v, N, code);
        encode(q, opposite, N, mirror);
        for (int k = 0; k < N; k++) {
            int field = code[k] & (sign - 1), negative = v[k] < 0 && field ? sign : 0;
            CHECK(code[k] == (field | negative));
            CHECK_MSG(mirror[k] == (field ? code[k] ^ sign : 0), "%g: %d, %d", (double)v[k],
                      code[k], mirror[k]);
            for (int j = 0; j < k; j += 7) {
                CHECK(fabsf(v[j]) < fabsf(v[k]) ? (code[j] & (sign - 1)) <= field
                                                : (code[j] & (sign - 1)) >= field);
            }
        }
        CHECK(code[0] == 0 && mirror[0] == 0);
        qnt_quantizer_destroy(q);
    }
}

/* As published the ends of the range are levels, and only 0 is 0; otherwise 0 is a level like
 * others. */
static void ends(void)
{
    enum { N = 500 };
    for (int i = 0; i < ROUNDS(24); i++) {
        int bits = 2 + i % 6, levels = (1 << bits) - 1;
        double least = INFINITY, most = 0;
        for (int k = 0; k < N; k++) {
            x[k] = (float)(i % 2 ? random_laplace() : 0.01 + random_unit());
            least = fmin(least, fabs((double)x[k])), most = fmax(most, fabs((double)x[k]));
        }
        qnt_quantizer *q = fitted(bits, QNT_SIGNED | QNT_LITERAL, N);
        double base = get(q, QNT_P_BASE), alpha = get(q, QNT_P_ALPHA), beta = get(q, QNT_P_BETA);
        double top = alpha * pow(base, levels - 1), ulps = 1.2e-7 * (top + fabs(beta)); /* floats */
        CHECK_MSG(fabs(top + beta - most) < ulps, "%g, largest %g", top + beta, most);
        CHECK_MSG(fabs(alpha + beta - least) < ulps, "%g, smallest %g", alpha + beta, least);
        CHECK(error_of(q, N).clipped == 0);
        qnt_quantizer_destroy(q);
        q = fitted(bits, QNT_SIGNED, N);
        double low = get(q, QNT_P_ALPHA) + get(q, QNT_P_BETA);
        float near[3] = {(float)(low * 0.45), (float)(low * 0.55), (float)(low * -0.45)};
        uint8_t code[3];
        encode(q, near, 3, code);
        CHECK_MSG(code[0] == 0 && code[1] == 1 && code[2] == 0, "low %g: %d %d %d", low, code[0],
                  code[1], code[2]);
        qnt_quantizer_destroy(q);
    }
}

/* As the base nears 1, levels between two ends become a uniform grid: ten times as near for a tenth of the
 * distance from 1. */
static void near_one(void)
{
    const double low = 0.1, high = 1.5;
    for (int bits = 2; bits <= MOST_BITS; bits++) {
        const int levels = (1 << bits) - 1;
        double before = 0;
        for (double away = 1e-2; away > 1e-4; away /= 10) {
            qnt_quantizer *q = create((qnt_spec){
                .scheme = QNT_EXP, .method = QNT_FIXED, .bits = bits, .flags = QNT_LITERAL});
            const double alpha = (high - low) / expm1((levels - 1) * log1p(away));
            uint8_t code[128];
            float level[128];
            double worst = 0;
            set(q, QNT_P_BASE, 1 + away);
            set(q, QNT_P_ALPHA, alpha);
            set(q, QNT_P_BETA, low - alpha);
            for (int e = 0; e < levels; e++) code[e] = (uint8_t)(e + 1);
            OK(qnt_quantizer_decode(c, q, TENSOR(code, QNT_UINT, 8, levels),
                                    TENSOR(level, QNT_FLOAT, 32, levels)));
            for (int e = 0; e < levels; e++)
                worst = fmax(worst, fabs((double)level[e] - low - e * (high - low) / (levels - 1)));
            CHECK_MSG(before == 0 || (worst > 0.09 * before && worst < 0.13 * before),
                      "%d bits, %g from 1: %g after %g", bits, away, worst, before);
            before = worst;
            qnt_quantizer_destroy(q);
        }
    }
}

/* Errors of both kinds fall with bits; freedom helps; scaling by a power of two changes no code. */
static void order(void)
{
    enum { N = 3000 };
    static float scaled[N];
    static uint8_t code[N], same[N];
    for (int density = 0; density < 2; density++) {
        double before[2] = {INFINITY, INFINITY};
        for (int bits = 2; bits <= MOST_BITS; bits++) {
            for (int free = 0; free < 2; free++) {
                quantiles(density ? LAPLACE : GAUSS, N);
                for (int k = 0; k < N; k++) scaled[k] = x[k] * 0x1p-20f;
                int flags = QNT_SIGNED | (free ? 0 : QNT_LITERAL);
                qnt_quantizer *q = fitted(bits, flags, N);
                double rmae = error_of(q, N).rmae;
                CHECK_MSG(rmae < before[free], "%d bits: %g after %g", bits, rmae, before[free]);
                before[free] = rmae;
                encode(q, x, N, code);
                qnt_quantizer_destroy(q);
                memcpy(x, scaled, sizeof scaled);
                q = fitted(bits, flags, N);
                encode(q, scaled, N, same);
                CHECK(!memcmp(code, same, N));
                qnt_quantizer_destroy(q);
            }
            CHECK_MSG(before[1] <= before[0] || bits > 5, "%d bits: %g, published %g", bits,
                      before[1], before[0]);
        }
    }
}

/* What is not finite is skipped. */
static void not_finite(void)
{
    enum { N = 300 };
    double base[2];
    for (int bad = 0; bad < 2; bad++) {
        for (int k = 0; k < N; k++) x[k] = (float)(k + 1) / N;
        x[N] = NAN, x[N + 1] = INFINITY, x[N + 2] = -INFINITY;
        qnt_quantizer *q = fitted(4, QNT_SIGNED | QNT_LITERAL, N + 3 * bad);
        base[bad] = get(q, QNT_P_BASE);
        qnt_quantizer_destroy(q);
    }
    CHECK(base[0] == base[1]);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(published);
    RUN(snapped);
    RUN(uniform_grids);
    RUN(nearest);
    RUN(free_ranges);
    RUN(codes);
    RUN(ends);
    RUN(near_one);
    RUN(order);
    RUN(not_finite);
    qnt_context_destroy(c);
    return DONE;
}
