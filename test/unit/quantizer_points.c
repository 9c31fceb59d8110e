/*
 * The points scheme: nearest sums, more points and more freedom, budgets, tolerances, published
 * forms, integer coefficients in layers, blobs, bad input; and the solver of multipoint against a
 * full search.
 */
#include "check.h"
#include "quantizer/multipoint.h"

enum { ROWS = 24, COLUMNS = 48, N = ROWS * COLUMNS };

static qnt_context *c;
static float x[N], y[N], z[N], h[N];
static uint8_t code[N], packed[N];

static qnt_quantizer *create(qnt_spec spec)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec;
    spec.scheme = QNT_POINTS;
    CHECK_MSG(qnt_quantizer_create(c, &spec, &q) == QNT_OK, "%s", check_reason);
    return q;
}

static size_t get(const qnt_quantizer *q, int param, double *values, size_t room)
{
    size_t count = 0;
    CHECK_MSG(qnt_quantizer_get(c, q, param, values, room, &count) == QNT_OK, "%s", check_reason);
    return count;
}

static void set(qnt_quantizer *q, int param, double value)
{
    CHECK_MSG(qnt_quantizer_set(c, q, param, &value, 1) == QNT_OK, "%s", check_reason);
}

static void fit(qnt_quantizer *q, bool weighted)
{
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
                             weighted ? TENSOR(h, QNT_FLOAT, 32, ROWS, COLUMNS) : NULL));
    OK(qnt_quantizer_fit(c, q));
}

static double total(const qnt_quantizer *q, int param)
{
    double values[N], sum = 0;
    size_t count = get(q, param, values, N);
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum;
}

static void fill(void)
{
    for (int i = 0; i < N; i++) {
        x[i] = (float)(random_gauss() * (1 + i / COLUMNS % 5));
        h[i] = (float)random_in(0, 3);
    }
}

static qnt_spec random_spec(int i)
{
    qnt_spec spec = {
        .method = i % 2 ? QNT_MULTIPOINT : QNT_BASES, .bits = 1, .grain = QNT_PER_AXIS};
    if (i % 2) spec.bits = 2 + i / 2 % 3;
    spec.points = (int32_t)random_in(1, spec.method == QNT_BASES ? 4 : 8 / spec.bits);
    spec.flags = i / 6 % 2 ? QNT_LITERAL : 0;
    if (i / 12 % 2) spec.grain = QNT_PER_BLOCK, spec.axis = 1, spec.block = 20;
    return spec;
}

/* Values are those of the coefficients, and of all of them the nearest. */
static void nearest(void)
{
    for (int i = 0; i < ROUNDS(72); i++) {
        qnt_spec spec = random_spec(i);
        qnt_quantizer *q = create(spec);
        static double coef[N * 8], scale[N];
        fill();
        fit(q, i % 3 == 0);
        get(q, QNT_P_COEF, coef, N * 8);
        get(q, QNT_P_SCALE, scale, N);
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS);
        OK(qnt_quantizer_encode(c, q, in, TENSOR(code, QNT_UINT, 8, ROWS, COLUMNS)));
        OK(qnt_quantizer_decode(c, q, TENSOR(code, QNT_UINT, 8, ROWS, COLUMNS),
                                TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)));
        OK(qnt_quantizer_apply(c, q, in, TENSOR(z, QNT_FLOAT, 32, ROWS, COLUMNS)));
        CHECK(!memcmp(y, z, sizeof y));
        int bits = spec.bits * spec.points, blocks = spec.block ? 3 : 1;
        if (bits < 8) {
            OK(qnt_quantizer_encode(c, q, in, TENSOR(packed, QNT_UINT, bits, ROWS, COLUMNS)));
            OK(qnt_quantizer_decode(c, q, TENSOR(packed, QNT_UINT, bits, ROWS, COLUMNS),
                                    TENSOR(z, QNT_FLOAT, 32, ROWS, COLUMNS)));
            CHECK(!memcmp(y, z, sizeof y));
        }
        for (int k = 0; k < N; k += 7) {
            int g = k / COLUMNS * blocks + (spec.block ? k % COLUMNS / 20 : 0);
            double least = INFINITY, mine = 0;
            for (int l = 0; l < 1 << bits; l++) {
                double sum = 0;
                bool lowest = false;
                for (int p = 0; p < spec.points; p++) {
                    int raw = l >> (p * spec.bits) & ((1 << spec.bits) - 1),
                        half = 1 << (spec.bits - 1);
                    int digit = spec.method == QNT_BASES ? 2 * raw - 1
                                : raw >= half            ? raw - 2 * half
                                                         : raw;
                    lowest |= spec.method == QNT_MULTIPOINT && raw == half;
                    sum += digit * coef[g * spec.points + p];
                }
                double value = (double)((float)scale[g] * (float)sum);
                if (l == code[k]) mine = value;
                if (lowest && (spec.flags & QNT_LITERAL)) continue;
                least = fmin(least, fabs(value - (double)x[k]));
            }
            CHECK_MSG((double)y[k] == mine, "code %d decodes to %g, expected %g", code[k],
                      (double)y[k], mine);
            CHECK_MSG(fabs(mine - (double)x[k]) <= least * (1 + 1e-6), "%g became %g", (double)x[k],
                      mine);
        }
        qnt_quantizer_destroy(q);
    }
}

/* More points never cost more; alternating and joint forms are not worse than the published ones.
 */
static void order(void)
{
    for (int i = 0; i < ROUNDS(16); i++) {
        int bits = 1 + i % 4;
        double before[2] = {INFINITY, INFINITY};
        fill();
        for (int points = 1; points <= (bits == 1 ? 4 : 8 / bits); points++) {
            double error[2];
            for (int literal = 0; literal < 2; literal++) {
                qnt_spec spec = {.method = bits == 1 ? QNT_BASES : QNT_MULTIPOINT,
                                 .bits = bits,
                                 .points = points,
                                 .grain = QNT_PER_AXIS,
                                 .flags = literal ? QNT_LITERAL : 0};
                qnt_quantizer *q = create(spec);
                fit(q, i % 2);
                error[literal] = total(q, QNT_P_ERROR);
                CHECK_MSG(error[literal] <= before[literal] * (1 + 1e-9), "%d points: %g after %g",
                          points, error[literal], before[literal]);
                before[literal] = error[literal];
                qnt_quantizer_destroy(q);
            }
            double all = 0;
            for (int k = 0; k < N; k++)
                all += (i % 2 ? (double)h[k] : 1) * (double)x[k] * (double)x[k];
            CHECK_MSG(error[0] <= error[1] * 1.005 + 2e-5 * all,
                      "%d bits %d points: %g, published %g", bits, points, error[0], error[1]);
        }
    }
}

/* Budgets are kept, spent almost whole, better than evenly; points go where the error is. */
static void budgets(void)
{
    for (int i = 0; i < ROUNDS(20); i++) {
        qnt_spec spec = {.method = QNT_BASES, .points = 4, .grain = QNT_PER_AXIS};
        double budget = 1.5 + 0.25 * (i % 8), count[ROWS], scale = 32.0 / COLUMNS, spent = 0;
        qnt_quantizer *q = create(spec), *even = NULL;
        qnt_error e = {.size = sizeof e};
        fill();
        set(q, QNT_P_BUDGET, budget);
        fit(q, false);
        get(q, QNT_P_COUNT, count, ROWS);
        for (int g = 0; g < ROWS; g++) spent += count[g] * (1 + scale) / ROWS;
        CHECK_MSG(spent <= budget + 1e-9 && spent > budget - 4 * (1 + scale) / ROWS,
                  "spent %g of %g", spent, budget);
        OK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), NULL, &e));
        CHECK(e.bits >= spent);
        spec.points = (int32_t)floor(budget / (1 + scale));
        if (spec.points > 0) {
            even = create(spec);
            fit(even, false);
            CHECK(total(q, QNT_P_ERROR) <= total(even, QNT_P_ERROR));
            qnt_quantizer_destroy(even);
        }
        qnt_quantizer_destroy(q);

        spec = (qnt_spec){.method = QNT_MULTIPOINT, .bits = 3, .points = 2, .grain = QNT_PER_AXIS};
        q = create(spec);
        set(q, QNT_P_TOLERANCE, 0.02);
        fit(q, false);
        double error[ROWS];
        get(q, QNT_P_ERROR, error, ROWS);
        get(q, QNT_P_COUNT, count, ROWS);
        for (int g = 0; g < ROWS; g++) {
            double energy = 0;
            for (int k = 0; k < COLUMNS; k++)
                energy += (double)x[g * COLUMNS + k] * (double)x[g * COLUMNS + k];
            CHECK_MSG(count[g] == 2 || error[g] <= 0.02 * energy * (1 + 1e-6), "row %d", g);
        }
        qnt_quantizer_destroy(q);
    }
}

/* Errors of all rows when each has so many points. */
static void errors_of(qnt_spec spec, int points, bool weighted, double error[ROWS])
{
    spec.points = points;
    qnt_quantizer *q = create(spec);
    fit(q, weighted);
    get(q, QNT_P_ERROR, error, ROWS);
    qnt_quantizer_destroy(q);
}

static int descending(const void *p, const void *q)
{
    double a = *(const double *)p, b = *(const double *)q;
    return (a < b) - (a > b);
}

/* A budget of bits buys second points, exactly as many as it pays for, where they save most. */
static void budgets_of_points(void)
{
    for (int i = 0; i < ROUNDS(24); i++) {
        qnt_spec spec = {.method = QNT_MULTIPOINT,
                         .bits = 2 + i % 3,
                         .points = 2,
                         .grain = QNT_PER_AXIS,
                         .flags = i / 6 % 2 ? QNT_LITERAL : 0};
        double one[ROWS], two[ROWS], gain[ROWS], count[ROWS], expected = 0;
        double each = spec.bits * COLUMNS + 32; /* bits of one point of a row */
        int extra = (int)random_in(0, ROWS), spent = -ROWS;
        qnt_quantizer *q = create(spec);
        fill();
        for (int k = 0; k < N; k++) h[k] += 0.5f; /* elements of importance 0 would not count */
        set(q, QNT_P_BUDGET, ((ROWS + extra) * each + (extra < ROWS ? each * 0.9 : 0)) / N);
        fit(q, i % 2);
        get(q, QNT_P_COUNT, count, ROWS);
        errors_of(spec, 1, i % 2, one), errors_of(spec, 2, i % 2, two);
        for (int g = 0; g < ROWS; g++) {
            spent += (int)count[g];
            gain[g] = one[g] - two[g];
            expected += one[g];
        }
        CHECK_MSG(spent == extra, "%d second points, expected %d", spent, extra);
        qsort(gain, ROWS, sizeof *gain, descending);
        for (int g = 0; g < extra; g++) expected -= gain[g];
        CHECK_MSG(fabs(total(q, QNT_P_ERROR) / expected - 1) < 1e-9, "costs %g, expected %g",
                  total(q, QNT_P_ERROR), expected);
        qnt_quantizer_destroy(q);
    }
}

/* One base is the mean magnitude; rows of zeros need none; published bases refit what was found. */
static void known(void)
{
    double coef[4], count[1], scale[1];
    qnt_quantizer *q = create((qnt_spec){.method = QNT_BASES, .points = 1, .flags = QNT_LITERAL});
    double mean = 0;
    fill();
    for (int i = 0; i < N; i++) mean += fabs((double)x[i]) / N;
    fit(q, false);
    get(q, QNT_P_COEF, coef, 4);
    CHECK_MSG(fabs(coef[0] / mean - 1) < 1e-6, "%g, mean magnitude %g", coef[0], mean);
    qnt_quantizer_destroy(q);

    memset(x, 0, sizeof x);
    q = create((qnt_spec){.method = QNT_BASES, .points = 3});
    fit(q, false);
    get(q, QNT_P_COUNT, count, 1);
    CHECK(count[0] == 0);
    OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, N), TENSOR(y, QNT_FLOAT, 32, N)));
    for (int i = 0; i < N; i++) CHECK(y[i] == 0);
    qnt_quantizer_destroy(q);

    fill();
    q = create((qnt_spec){.method = QNT_MULTIPOINT, .bits = 4, .points = 2});
    fit(q, false);
    get(q, QNT_P_COEF, coef, 4);
    get(q, QNT_P_SCALE, scale, 1);
    qnt_error e = {.size = sizeof e};
    OK(qnt_quantizer_error(c, q, TENSOR(x, QNT_FLOAT, 32, N), NULL, &e));
    CHECK_MSG(e.sqnr_db > 36, "%g dB", e.sqnr_db); /* two radix points of 4 bits: a grid of +-112 */
    qnt_quantizer_destroy(q);
}

/* Greedy points of short vectors: no better first point exists on a fine grid of scales. */
static void first_point(void)
{
    for (int i = 0; i < ROUNDS(100); i++) {
        int bits = 2 + i % 3, limit = (1 << (bits - 1)) - 1;
        size_t n = (size_t)random_in(1, 12);
        double coef[QNT__POINTS_MAX] = {0}, error = 0;
        void *space = aligned_alloc(64, (qnt__multipoint_bytes(n, bits, 2) + 63) / 64 * 64);
        for (size_t k = 0; k < n; k++) x[k] = (float)random_gauss();
        qnt__multipoint_greedy(x, NULL, n, bits, 2, space, coef);
        for (int t = -1; t < 4000; t++) {
            double s = t < 0 ? coef[0] : 0.001 * (t + 1), sum = 0;
            for (size_t k = 0; k < n; k++) {
                double q = fmax(fmin(rint((double)x[k] / s), limit), -limit);
                sum += ((double)x[k] - s * q) * ((double)x[k] - s * q);
            }
            if (t < 0) error = sum;
            CHECK_MSG(error <= sum * (1 + 1e-6) + 1e-12, "scale %g costs %g, found %g", s, sum,
                      error);
        }
        free(space);
    }
}

/* One point is the best symmetric grid of its bits; two of 4 bits are not worse than the best scale of the
 * 225 levels that two digits of base 15 can write. */
static void grids(void)
{
    for (int i = 0; i < ROUNDS(30); i++) {
        static double one[ROWS], grid[ROWS], scale[ROWS], coef[ROWS * 2], level[225];
        int bits = 2 + i % 3;
        qnt_spec spec = {.method = QNT_MULTIPOINT, .bits = bits, .grain = QNT_PER_AXIS};
        qnt_spec best = {.size = sizeof best,
                         .method = QNT_MSE,
                         .bits = bits,
                         .flags = QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW,
                         .grain = QNT_PER_AXIS};
        qnt_quantizer *mse = NULL, *q;
        bool weighted = i % 2;
        fill();
        OK(qnt_quantizer_create(c, &best, &mse));
        fit(mse, weighted);
        get(mse, QNT_P_ERROR, grid, ROWS);
        get(mse, QNT_P_SCALE, scale, ROWS);
        errors_of(spec, 1, weighted, one); /* has the lowest digit as well */
        for (int g = 0; g < ROWS; g++)
            CHECK_MSG(one[g] <= grid[g] * (1 + 1e-5), "row %d: %g, grid %g", g, one[g], grid[g]);
        spec.flags = QNT_LITERAL, spec.points = 1;
        q = create(spec);
        fit(q, weighted);
        get(q, QNT_P_COEF, coef, ROWS);
        get(q, QNT_P_ERROR, one, ROWS);
        for (int g = 0; g < ROWS; g++)
            CHECK_MSG(coef[g] == scale[g] && fabs(one[g] / grid[g] - 1) < 1e-5, "row %d: %g, %g", g,
                      coef[g], scale[g]);
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(mse);

        spec.flags = 0, spec.bits = 4;
        errors_of(spec, 2, weighted, one);
        best = (qnt_spec){.size = sizeof best,
                          .scheme = QNT_TABLE,
                          .method = QNT_LEVELS,
                          .bits = 8,
                          .grain = QNT_PER_AXIS};
        for (int k = 0; k < 225; k++) level[k] = k - 112;
        OK(qnt_quantizer_create(c, &best, &mse));
        OK(qnt_quantizer_set(c, mse, QNT_P_LEVELS, level, 225));
        fit(mse, weighted);
        get(mse, QNT_P_ERROR, grid, ROWS);
        for (int g = 0; g < ROWS; g++)
            CHECK_MSG(one[g] <= grid[g] * (1 + 1e-4), "row %d: two points %g, 225 levels %g", g,
                      one[g], grid[g]);
        qnt_quantizer_destroy(mse);
    }
}

/* In groups of few values, too, points of 2 and 3 bits are not worse than the published ones, but for what
 * integer coefficients cost; all together they are much better. */
static void short_groups(void)
{
    double all[2] = {0};
    for (int i = 0; i < ROUNDS(40); i++) {
        static double error[2][N];
        const int64_t n = (int64_t[]){9, 16, 25, 64}[i % 4], rows = N / n;
        qnt_spec spec = {
            .method = QNT_MULTIPOINT, .bits = 2 + i / 4 % 2, .points = 2, .grain = QNT_PER_AXIS};
        for (int k = 0; k < N; k++) x[k] = (float)(i % 3 ? random_gauss() : random_laplace());
        for (int literal = 0; literal < 2; literal++) {
            spec.flags = literal ? QNT_LITERAL : 0;
            qnt_quantizer *q = create(spec);
            OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, rows, n), NULL));
            OK(qnt_quantizer_fit(c, q));
            get(q, QNT_P_ERROR, error[literal], N);
            qnt_quantizer_destroy(q);
        }
        for (int64_t g = 0; g < rows; g++) {
            double energy = 0;
            for (int64_t k = 0; k < n; k++) energy += pow((double)x[g * n + k], 2);
            CHECK_MSG(error[0][g] <= error[1][g] * 1.02 + 5e-4 * energy,
                      "%d bits, %d values: %g, published %g", spec.bits, (int)n, error[0][g],
                      error[1][g]);
            all[0] += error[0][g] / energy, all[1] += error[1][g] / energy;
        }
    }
    CHECK_MSG(all[0] < 0.5 * all[1], "%g, published %g", all[0], all[1]);
}

/* Digits of the radix write every whole number up to their limit, each in one way. */
static void radix_digits(void)
{
    for (int bits = 2; bits <= 4; bits++) {
        for (int points = 1; points <= 8 / bits; points++) {
            void *space =
                aligned_alloc(64, (qnt__multipoint_bytes(40, bits, points) + 63) / 64 * 64);
            int digit = (1 << (bits - 1)) - 1, base = 2 * digit + 1, limit = 0, seen[256] = {0};
            double coef[QNT__POINTS_MAX] = {0};
            for (int p = 0; p < points; p++) limit = limit * base + digit;
            for (int k = 0; k < 40; k++) x[k] = (float)random_gauss();
            qnt__multipoint_radix(x, NULL, 40, bits, points, space, coef);
            free(space);
            for (uint32_t l = 0; l < 1u << (bits * points); l++) {
                bool lowest = false;
                for (int p = 0; p < points; p++)
                    lowest |= qnt__multipoint_digit(l, bits, p) < -digit;
                if (lowest) continue;
                double number = qnt__multipoint_value(l, bits, points, coef) / coef[0];
                CHECK_MSG(fabs(number - rint(number)) < 1e-9 && fabs(number) < limit + 0.5,
                          "%g of %d", number, limit);
                if (fabs(number) < limit + 0.5) seen[(int)rint(number) + limit]++;
            }
            for (int t = 0; t <= 2 * limit; t++)
                CHECK_MSG(seen[t] == 1, "%d bits, %d points: %d in %d ways", bits, points,
                          t - limit, seen[t]);
        }
    }
}

/* Each greedy point takes at least the share 1 / d of what is left, and leaves no more than rounding all of
 * it in steps of the largest magnitude over Q would. */
static void greedy_progress(void)
{
    for (int i = 0; i < ROUNDS(60); i++) {
        int bits = 2 + i % 3, points = 8 / bits, limit = (1 << (bits - 1)) - 1;
        size_t n = (size_t)random_in(1, i % 4 ? 60 : N);
        double coef[QNT__POINTS_MAX] = {0}, left = 0, energy = 0;
        void *space = aligned_alloc(64, (qnt__multipoint_bytes(n, bits, points) + 63) / 64 * 64);
        for (size_t k = 0; k < n; k++) {
            x[k] = (float)(i % 2 ? random_laplace() : random_gauss());
            energy += (double)x[k] * (double)x[k];
        }
        left = energy;
        qnt__multipoint_greedy(x, NULL, n, bits, points, space, coef);
        for (int p = 0; p < points && left > 1e-9 * energy; p++) {
            double before = left, most = 0;
            left = 0;
            for (size_t k = 0; k < n; k++) {
                most = fmax(most, fabs((double)x[k]));
                double q = rint((double)x[k] / coef[p]);
                x[k] = (float)((double)x[k] - coef[p] * fmax(fmin(q, limit), -limit));
                left += (double)x[k] * (double)x[k];
            }
            CHECK_MSG(coef[p] > 0 && left < before, "point %d: %g after %g", p, left, before);
            CHECK_MSG(left <= before * (1 - 1.0 / (double)n) + 1e-9 * energy, "%g after %g", left,
                      before);
            CHECK_MSG(left <= (double)n * most * most / (4 * limit * limit) + 1e-9 * energy,
                      "%g, largest %g", left, most);
        }
        free(space);
    }
}

/* The published vector: three greedy ternary points, two of the radix, worked out by hand; the
 * least error of any digits and coefficients is below both. */
static void golden(void)
{
    static const float w[] = {0.9f, -0.4f, 0.15f, 1.3f, -2.2f, 0.05f};
    static const double greedy[] = {1.466666666667, 0.566666666667, 0.1625},
                        left[] = {1.071666666667, 0.108333333333, 0.002708333333};
    static const int digit[3][6] = {
        {1, 0, 0, 1, -1, 0}, {-1, -1, 0, 0, -1, 0}, {0, 1, 1, -1, -1, 0}};
    static _Alignas(64) uint8_t space[1 << 18];
    double coef[QNT__POINTS_MAX] = {0};
    CHECK(qnt__multipoint_bytes(6, 2, 3) <= sizeof space);
    qnt__multipoint_greedy(w, NULL, 6, 2, 3, space, coef);
    for (int p = 0; p < 3; p++) {
        double error = 0;
        for (int i = 0; i < 6; i++) {
            double rest = (double)w[i];
            for (int q = 0; q <= p; q++) rest -= greedy[q] * digit[q][i];
            error += rest * rest;
        }
        CHECK_MSG(fabs(coef[p] - greedy[p]) < 1e-6, "point %d: %.9g", p, coef[p]);
        CHECK_MSG(fabs(error - left[p]) < 1e-6, "after point %d: %.9g", p, error);
    }
    qnt__multipoint_radix(w, NULL, 6, 2, 2, space, coef);
    CHECK_MSG(fabs(coef[0] - 0.496666666667) < 1e-6 && fabs(coef[1] - 1.49) < 1e-6, "%.9g %.9g",
              coef[0], coef[1]);
}

/* The least error of two ternary points: all digits, coefficients by normal equations. */
static double two_ternary(const float *w, int n)
{
    int codes = 1;
    double least = INFINITY;
    for (int i = 0; i < n; i++) codes *= 9;
    for (int number = 0; number < codes; number++) {
        double ss = 0, st = 0, tt = 0, ws = 0, wt = 0, ww = 0;
        for (int i = 0, rest = number; i < n; i++, rest /= 9) {
            double s = rest % 3 - 1, t = rest / 3 % 3 - 1, x_i = (double)w[i];
            ss += s * s, st += s * t, tt += t * t, ws += x_i * s, wt += x_i * t, ww += x_i * x_i;
        }
        double other = ss * tt - st * st, saved = ss > 0 ? ws * ws / ss : 0;
        if (other > 1e-9) saved = (tt * ws * ws - 2 * st * ws * wt + ss * wt * wt) / other;
        least = fmin(least, ww - saved);
    }
    return least;
}

/* Joint points come between the optimum and the radix; each greedy point takes its share 1 / d. */
static void small_optimum(void)
{
    static _Alignas(64) uint8_t space[1 << 18];
    for (int i = 0; i < ROUNDS(60); i++) {
        int n = (int)random_in(2, 4);
        float w[4];
        double radix[QNT__POINTS_MAX] = {0}, joint[QNT__POINTS_MAX], left = 0, error[2] = {0};
        for (int k = 0; k < n; k++) w[k] = (float)random_gauss();
        for (int k = 0; k < n; k++) left += (double)w[k] * (double)w[k];
        qnt__multipoint_radix(w, NULL, (size_t)n, 2, 2, space, radix);
        memcpy(joint, radix, sizeof joint);
        qnt__multipoint_refine(w, NULL, (size_t)n, 2, 2, 30, joint);
        for (int way = 0; way < 2; way++) {
            const double *coef = way ? joint : radix;
            for (int k = 0; k < n; k++) {
                double least =
                    INFINITY; /* of symmetric digits and, for joint points, all of them */
                for (uint32_t c4 = 0; c4 < 16; c4++) {
                    double value = qnt__multipoint_value(c4, 2, 2, coef);
                    least = fmin(least, fabs((double)w[k] - value));
                }
                error[way] += least * least;
            }
        }
        CHECK_MSG(error[1] <= error[0] * (1 + 1e-6) + 1e-12, "joint %g, radix %g", error[1],
                  error[0]);
        double greedy[QNT__POINTS_MAX] = {0};
        qnt__multipoint_greedy(w, NULL, (size_t)n, 2, 2, space, greedy);
        double best = two_ternary(w, n), energy = left;
        for (int p = 0; p < 2; p++) {
            double before = left;
            left = 0;
            for (int k = 0; k < n; k++) {
                double q = greedy[p] > 0 ? fmax(fmin(rint((double)w[k] / greedy[p]), 1), -1) : 0;
                w[k] = (float)((double)w[k] - q * greedy[p]);
                left += (double)w[k] * (double)w[k];
            }
            CHECK_MSG(left <= before * (1 - 1.0 / n) + 1e-6 * energy, "%g after %g", left, before);
        }
        CHECK_MSG(left >= best - 1e-6 * energy, "greedy %g, optimum %g", left, best);
    }
}

/* The sum of a code under integer coefficients. */
static int sum_of(const qnt_spec *spec, const double *coef, int number)
{
    double sum = 0;
    for (int p = 0; p < spec->points; p++) {
        int raw = number >> (p * spec->bits) & ((1 << spec->bits) - 1),
            half = 1 << (spec->bits - 1);
        int digit = spec->method == QNT_BASES ? 2 * raw - 1 : raw >= half ? raw - 2 * half : raw;
        sum += digit * coef[p];
    }
    CHECK(sum >= -128 && sum <= 127 && sum == rint(sum));
    return (int)sum;
}

/* What all sums of a row are multiples of, 1 if there is nothing; and are the multiples below 4
 * bits? */
static int common(const qnt_spec *spec, const double *coef, bool *small)
{
    int divisor = 128;
    for (; divisor > 1; divisor--) {
        bool divides = true, any = false;
        for (int l = 0; l < 1 << (spec->bits * spec->points); l++) {
            divides &= sum_of(spec, coef, l) % divisor == 0;
            any |= sum_of(spec, coef, l) != 0;
        }
        if (divides && any) break;
    }
    for (int l = 0; l < 1 << (spec->bits * spec->points); l++) {
        int sum = sum_of(spec, coef, l) / divisor;
        *small &= sum >= -8 && sum <= 7;
    }
    return divisor;
}

/* A layer multiplies the integers: the same bytes as affine weights of these integers, in 8 bits
 * or, where all rows' integers are multiples of small ones, in 4. Scales of few bits keep products
 * of a scale and a divisor exact. */
static void layers(void)
{
    enum { M = 5 };
    int narrow = 0, rounds = ROUNDS(60);
    for (int i = 0; i < rounds; i++) {
        qnt_spec spec = random_spec(i);
        spec.flags = 0, spec.grain = QNT_PER_AXIS, spec.axis = 0, spec.block = 0;
        qnt_quantizer *q = create(spec), *w8 = NULL, *in = NULL;
        static double coef[ROWS * 8], scale[ROWS];
        static int8_t integer[N];
        static float input[M * COLUMNS];
        qnt_layer_spec ls = {.size = sizeof ls, .kind = QNT_DENSE};
        qnt_layer *layer = NULL, *same = NULL;
        fill();
        if (spec.method == QNT_BASES)
            set(q, QNT_P_BUDGET, (double)spec.points * 0.6 * (1 + 32.0 / COLUMNS));
        fit(q, false);
        get(q, QNT_P_COEF, coef, ROWS * 8);
        get(q, QNT_P_SCALE, scale, ROWS);
        bool small = true;
        int divisor[ROWS];
        for (int n = 0; n < ROWS; n++) {
            int exponent;
            double share = frexp(scale[n], &exponent);
            scale[n] = ldexp(rint(share * 256) / 256, exponent);
            divisor[n] = common(&spec, coef + n * spec.points, &small);
        }
        narrow += small;
        OK(qnt_quantizer_set(c, q, QNT_P_SCALE, scale, ROWS));
        OK(qnt_quantizer_set(c, q, QNT_P_COEF, coef, (size_t)(ROWS * spec.points)));
        for (int n = 0; n < ROWS; n++) {
            if (!small) divisor[n] = 1;
            scale[n] *= divisor[n];
        }
        OK(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS),
                                TENSOR(code, QNT_UINT, 8, ROWS, COLUMNS)));
        for (int k = 0; k < N; k++) {
            int n = k / COLUMNS;
            integer[k] = (int8_t)(sum_of(&spec, coef + n * spec.points, code[k]) / divisor[n]);
        }
        qnt_spec fixed = {.size = sizeof fixed,
                          .bits = 8,
                          .flags = QNT_SIGNED | QNT_SYMMETRIC,
                          .grain = QNT_PER_AXIS};
        qnt_spec dynamic = {.size = sizeof dynamic, .method = QNT_MINMAX, .flags = QNT_DYNAMIC};
        OK(qnt_quantizer_create(c, &fixed, &w8));
        OK(qnt_quantizer_set(c, w8, QNT_P_SCALE, scale, ROWS));
        OK(qnt_quantizer_create(c, &dynamic, &in));
        OK(qnt_layer_create(c, &ls, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), q, NULL, in, NULL,
                            &layer));
        OK(qnt_layer_create(c, &ls, TENSOR(integer, QNT_INT, 8, ROWS, COLUMNS), w8, NULL, in, NULL,
                            &same));
        for (int k = 0; k < M * COLUMNS; k++) input[k] = (float)random_gauss();
        const qnt_tensor *data = TENSOR(input, QNT_FLOAT, 32, M, COLUMNS);
        size_t bytes;
        OK(qnt_layer_workspace(c, layer, data, &bytes));
        void *space = malloc(bytes);
        OK(qnt_layer_run(c, layer, data, TENSOR(y, QNT_FLOAT, 32, M, ROWS), space, bytes));
        OK(qnt_layer_run(c, same, data, TENSOR(z, QNT_FLOAT, 32, M, ROWS), space, bytes));
        CHECK(!memcmp(y, z, M * ROWS * sizeof *y));
        free(space);
        qnt_layer_destroy(layer), qnt_layer_destroy(same);
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(w8), qnt_quantizer_destroy(in);
    }
    CHECK(rounds < 20 || (narrow > 5 && narrow < rounds - 5)); /* both occur */
}

/* More turns never cost more, the default is 30 of them, and published forms take none. */
static void rounds(void)
{
    static const double turns[] = {1, 2, 5, 30, 0};
    for (int i = 0; i < ROUNDS(12); i++) {
        qnt_spec spec = {.method = i % 2 ? QNT_MULTIPOINT : QNT_BASES,
                         .bits = i % 2 ? 3 : 1,
                         .points = i % 2 ? 2 : 4,
                         .grain = QNT_PER_AXIS,
                         .flags = i % 4 > 1 ? QNT_LITERAL : 0};
        qnt_quantizer *q = create(spec);
        double error[5];
        fill();
        OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), NULL));
        for (int t = 0; t < 5; t++) {
            set(q, QNT_P_ROUNDS, turns[t]);
            OK(qnt_quantizer_fit(c, q));
            error[t] = total(q, QNT_P_ERROR);
        }
        CHECK_MSG(error[3] == error[4], "%g, by default %g", error[3], error[4]);
        if (spec.flags & QNT_LITERAL) {
            CHECK(error[0] == error[3]);
        } else {
            CHECK_MSG(error[2] < error[0] * 0.999 && error[3] <= error[2] * 1.002,
                      "1: %g, 5: %g, 30: %g turns", error[0], error[2], error[3]);
        }
        FAILS(qnt_quantizer_set(c, q, QNT_P_ROUNDS, &(double){-1}, 1), QNT_E_INVALID,
              "whole number");
        FAILS(qnt_quantizer_set(c, q, QNT_P_ROUNDS, &(double){0.5}, 1), QNT_E_INVALID,
              "whole number");
        FAILS(qnt_quantizer_set(c, q, QNT_P_ROUNDS, &(double){NAN}, 1), QNT_E_INVALID,
              "whole number");
        qnt_quantizer_destroy(q);
    }
}

/* What a method may spend is kept with what it found, but for extra rows. */
static void kept_options(void)
{
    static const int params[] = {QNT_P_BUDGET, QNT_P_TOLERANCE, QNT_P_ROUNDS};
    static const double value[] = {5.5, 0.25, 7};
    static uint8_t blob[1 << 14];
    qnt_quantizer *copy = NULL, *q = create((qnt_spec){.method = QNT_BASES, .points = 4});
    double got;
    size_t bytes;
    fill();
    for (int i = 0; i < 3; i++) set(q, params[i], value[i]);
    set(q, QNT_P_EXTRA, 3);
    fit(q, false);
    OK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes));
    OK(qnt_quantizer_load(c, blob, bytes, &copy));
    for (int i = 0; i < 3; i++) {
        get(copy, params[i], &got, 1);
        CHECK_MSG(got == value[i], "parameter %d is %g", params[i], got);
    }
    get(copy, QNT_P_EXTRA, &got, 1);
    CHECK(got == 0);
    qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy);
}

static void blobs(void)
{
    for (int i = 0; i < 12; i++) {
        qnt_quantizer *q = create(random_spec(i)), *copy = NULL;
        size_t bytes;
        fill();
        fit(q, true);
        OK(qnt_quantizer_save(c, q, NULL, 0, &bytes));
        void *blob = malloc(bytes);
        OK(qnt_quantizer_save(c, q, blob, bytes, &bytes));
        OK(qnt_quantizer_load(c, blob, bytes, &copy));
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS);
        OK(qnt_quantizer_apply(c, q, in, TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)));
        OK(qnt_quantizer_apply(c, copy, in, TENSOR(z, QNT_FLOAT, 32, ROWS, COLUMNS)));
        CHECK(!memcmp(y, z, sizeof y));
        free(blob);
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy);
    }
}

/* Near the largest float32 sums may be infinite: then the fit says so, and else it can be loaded. */
static void largest(void)
{
    static uint8_t blob[1 << 16];
    int fitted = 0, rounds = ROUNDS(60);
    for (int i = 0; i < rounds; i++) {
        qnt_quantizer *q = create(random_spec(i)), *copy = NULL;
        size_t bytes;
        for (int k = 0; k < N; k++) x[k] = random_in(0, 1) ? 3.4e38f : -3.4e38f;
        OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), NULL));
        qnt_status status = qnt_quantizer_fit(c, q);
        fitted += status == QNT_OK;
        if (status == QNT_OK) {
            OK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes));
            CHECK_MSG(qnt_quantizer_load(c, blob, bytes, &copy) == QNT_OK, "%s", check_reason);
        } else {
            CHECK(status == QNT_E_INVALID && strstr(check_reason, "not finite"));
            CHECK(qnt_quantizer_save(c, q, blob, sizeof blob, &bytes) == QNT_E_STATE);
        }
        qnt_quantizer_destroy(q), qnt_quantizer_destroy(copy);
    }
    CHECK_MSG(rounds < 20 || fitted > 0, "%d of %d", fitted, rounds);
}

static void bad_input(void)
{
    qnt_spec spec = {.size = sizeof spec, .scheme = QNT_POINTS, .method = QNT_BASES};
    qnt_quantizer *q = NULL;
    double v[4] = {1, NAN, 0, 1};
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "points");
    spec.points = 9;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "1 to 8");
    spec.points = 2, spec.bits = 2;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "bits");
    spec.method = QNT_MULTIPOINT, spec.bits = 3, spec.points = 3;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "1 to 2");
    spec.bits = 5;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_INVALID, "2 to 4");
    spec = (qnt_spec){.size = sizeof spec, .scheme = QNT_POINTS, .method = QNT_BASES, .points = 2};
    OK(qnt_quantizer_create(c, &spec, &q));
    FAILS(qnt_quantizer_set(c, q, QNT_P_COEF, v, 2), QNT_E_STATE, "");
    FAILS(qnt_quantizer_set(c, q, QNT_P_BUDGET, &(double){-1}, 1), QNT_E_INVALID, "0 to 2^53");
    FAILS(qnt_quantizer_set(c, q, QNT_P_BUDGET, &(double){NAN}, 1), QNT_E_INVALID, "0 to 2^53");
    FAILS(qnt_quantizer_set(c, q, QNT_P_BUDGET, &(double){INFINITY}, 1), QNT_E_INVALID,
          "0 to 2^53");
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, v, 1));
    FAILS(qnt_quantizer_set(c, q, QNT_P_COEF, v, 2), QNT_E_INVALID, "finite");
    FAILS(qnt_quantizer_set(c, q, QNT_P_COEF, v + 2, 2), QNT_E_INVALID, "after a 0");
    FAILS(qnt_quantizer_set(c, q, QNT_P_COEF, v, 1), QNT_E_INVALID, "count");
    set(q, QNT_P_BUDGET, 100);
    fill();
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), NULL));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_INVALID, "QNT_P_BUDGET");
    qnt_quantizer_destroy(q);

    /* a budget below one point each, rows that are not there, more bases than elements */
    q = create((qnt_spec){.method = QNT_MULTIPOINT, .bits = 2, .points = 2, .grain = QNT_PER_AXIS});
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), NULL));
    set(q, QNT_P_BUDGET, 2.5);
    FAILS(qnt_quantizer_fit(c, q), QNT_E_INVALID, "2.66667 to 5.33333");
    qnt_quantizer_destroy(q);
    q = create((qnt_spec){.method = QNT_BASES, .points = 2, .grain = QNT_PER_AXIS});
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 0, COLUMNS), NULL));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "observed");
    qnt_quantizer_destroy(q);
    q = create((qnt_spec){
        .method = QNT_BASES, .points = 8, .grain = QNT_PER_BLOCK, .axis = 1, .block = 7});
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, 8),
                             NULL)); /* blocks of 7 and 1 */
    OK(qnt_quantizer_fit(c, q));
    double number[2 * ROWS];
    CHECK(get(q, QNT_P_COUNT, number, 2 * ROWS) == 2 * ROWS);
    for (int g = 0; g < ROWS; g++) CHECK(number[2 * g] <= 4 && number[2 * g + 1] == 1);
    qnt_quantizer_destroy(q);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(nearest);
    RUN(order);
    RUN(budgets);
    RUN(budgets_of_points);
    RUN(known);
    RUN(first_point);
    RUN(grids);
    RUN(short_groups);
    RUN(radix_digits);
    RUN(greedy_progress);
    RUN(golden);
    RUN(small_optimum);
    RUN(layers);
    RUN(rounds);
    RUN(kept_options);
    RUN(blobs);
    RUN(largest);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
