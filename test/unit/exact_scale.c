/* The exact scale: against exhaustive search, against the sweep, against every rival; its
 * symmetries. */
#include "solve.h"

enum { MANY = 600 };

/* The float32 scale may cost u^2 of the energy; the rest is rounding noise, of the reference
 * too. */
static double tolerance(double all)
{
    return 4e-14 * all;
}

static void check_fit(const struct qnt__exact *fit, double reference, const float *x,
                      const double *h, size_t n, const char *what)
{
    double all = energy(x, h, n);
    CHECK_MSG(fabs(fit->error - reference) <= tolerance(all), "%s: %.17g, expected %.17g of %g",
              what, fit->error, reference, all);
    CHECK_MSG(fit->bound <= fit->error, "%s: bound %.17g above %.17g", what, fit->bound,
              fit->error);
    CHECK_MSG(fit->bound >= reference - 3.0 * tolerance(all), "%s: bound %.17g, least %.17g", what,
              fit->bound, reference);
    double measured = error_of(x, h, n, &fit->affine);
    CHECK_MSG(fabs(measured - fit->error) <= 1e-12 * measured + 1e-300, "%s: says %.17g, is %.17g",
              what, fit->error, measured);
    CHECK(fit->affine.scale > 0.0f && isfinite(fit->affine.scale) && fit->affine.offset == 0.0f);
}

static void exhaustive(void)
{
    static const int grids[][3] = {{-1, 1, 8}, {-2, 1, 7}, {-3, 3, 5}, {-4, 3, 5}, {0, 3, 7},
                                   {0, 1, 9},  {-1, 0, 9}, {-7, 7, 4}, {-3, 0, 7}, {0, 7, 5}};
    for (int round = 0; round < ROUNDS(1200); round++) {
        const int *g = grids[round % 10];
        size_t n = (size_t)random_in(1, g[2]);
        float x[10];
        double weights[10], *h = round % 3 == 0 ? weights : NULL;
        fill(x, h, n, (int)random_in(0, KINDS - 1));
        struct qnt__exact fit = solve_scale(x, h, n, g[0], g[1]);
        check_fit(&fit, exhaust_scale(x, h, n, g[0], g[1]), x, h, n, "exhaustive");
    }
}

static void against_sweep(void)
{
    static const int grids[][2] = {{-1, 1},  {-2, 1},   {-7, 7},     {-8, 7},  {0, 15},
                                   {-15, 0}, {-31, 32}, {-127, 127}, {0, 255}, {-3, 60}};
    for (int round = 0; round < MANY; round++) {
        const int *g = grids[round % 10];
        size_t n = (size_t)random_in(1, round % 7 == 0 ? 400 : 60);
        float x[400];
        double weights[400], *h = round % 3 == 0 ? weights : NULL;
        fill(x, h, n, (int)random_in(0, KINDS - 1));
        struct qnt__exact fit = solve_scale(x, h, n, g[0], g[1]);
        check_fit(&fit, sweep_range(x, h, n, g[0], g[1]), x, h, n, "sweep");
    }
}

/* Stationary: re-rounding with the scale and fitting the scale to the codes changes nothing. */
static void stationary(void)
{
    for (int round = 0; round < ROUNDS(100); round++) {
        float x[300];
        fill(x, NULL, 300, round % 2);
        struct qnt__exact fit = solve_scale(x, NULL, 300, -7, 7);
        double a = 0.0, b = 0.0;
        for (int i = 0; i < 300; i++) {
            float t = x[i] / fit.affine.scale;
            double c = (double)nearbyintf(t < -7.0f ? -7.0f : t > 7.0f ? 7.0f : t);
            a += (double)x[i] * c;
            b += c * c;
        }
        CHECK_MSG(fabs((double)fit.affine.scale - a / b) <= 0x1p-23 * a / b,
                  "%.9g, stationary %.17g", (double)fit.affine.scale, a / b);
    }
}

static double clip_error(const float *x, size_t n, int q, double s)
{
    struct qnt__affine affine = {.scale = (float)s, .low = (float)-q, .high = (float)q};
    return error_of(x, NULL, n, &affine);
}

/* Max-abs, a grid of 1000 scales, OCTAV's fixed point and alternation are never better. */
static void rivals(void)
{
    for (int round = 0; round < ROUNDS(60); round++) {
        enum { N = 256 };
        float x[N];
        int q = (int[]){1, 3, 7, 31, 127}[round % 5];
        fill(x, NULL, N, round % 4);
        struct qnt__exact fit = solve_scale(x, NULL, N, -q, q);
        double max = 0.0, rival = INFINITY, s = 0.0, t;
        /* Comparisons instead of fmin and fmax: GCC 12 for AArch64 cannot compile these. */
        for (int i = 0; i < N; i++) {
            if (fabs((double)x[i]) > max) max = fabs((double)x[i]);
        }
        for (int i = 1; i <= 1000; i++) {
            double error = clip_error(x, N, q, 2.0 * max * i / 1000.0 / q);
            if (error < rival) rival = error;
        }
        rival = fmin(rival, clip_error(x, N, q, max / q));
        for (int step = 0; step < 60; step++) { /* OCTAV */
            double beyond = 0.0, outside = 0.0, inside = 0.0;
            for (int i = 0; i < N; i++) {
                double m = fabs((double)x[i]);
                if (m > s) beyond += m, outside += 1.0;
                else inside += 1.0;
            }
            t = beyond / (inside / (12.0 * q * q) + outside);
            if (!(outside > 0.0)) break;
            s = t;
        }
        rival = fmin(rival, clip_error(x, N, q, s / q));
        s = max / q;
        for (int step = 0; step < 60; step++) { /* alternation */
            double a = 0.0, b = 0.0;
            for (int i = 0; i < N; i++) {
                double c = fmin(fmax(nearbyint((double)x[i] / s), -q), q);
                a += (double)x[i] * c;
                b += c * c;
            }
            s = a / b;
        }
        rival = fmin(rival, clip_error(x, N, q, s));
        CHECK_MSG(fit.error <= rival + 1e-14 * energy(x, NULL, N), "Q=%d: %.17g, rival %.17g", q,
                  fit.error, rival);
    }
}

static void symmetries(void)
{
    for (int round = 0; round < ROUNDS(200); round++) {
        enum { N = 50 };
        float x[N], y[N];
        double h[N], g[N];
        fill(x, h, N, round % KINDS);
        struct qnt__exact fit = solve_scale(x, h, N, -7, 7), other;
        double tiny = 1e-13 * energy(x, h, N);
        for (int i = 0; i < N; i++) y[i] = x[i] * 0.25f;
        other = solve_scale(y, h, N, -7, 7);
        CHECK(other.affine.scale == fit.affine.scale * 0.25f);
        CHECK(fabs(other.error * 16.0 - fit.error) <= tiny);
        for (int i = 0; i < N; i++) y[i] = round % 2 ? -x[i] : x[N - 1 - i], g[i] = h[N - 1 - i];
        other = solve_scale(y, round % 2 ? h : g, N, -7, 7);
        CHECK(fabs(other.error - fit.error) <= tiny);
        for (int i = 0; i < N; i++) g[i] = h[i] * 8.0;
        other = solve_scale(x, g, N, -7, 7);
        CHECK(other.affine.scale == fit.affine.scale &&
              fabs(other.error / 8.0 - fit.error) <= tiny);
        for (int i = 0; i < N; i++) y[i] = -x[i];
        fit = solve_scale(x, h, N, -8, 7);
        other = solve_scale(y, h, N, -7, 8);
        CHECK(fabs(other.error - fit.error) <= tiny);
        other = solve_scale(x, h, N, -8, 8);
        CHECK(other.error <= fit.error + tiny);
    }
}

/* Weight 0 counts as absent, weight 2 as twice. */
static void weights(void)
{
    for (int round = 0; round < ROUNDS(100); round++) {
        float x[40], y[80];
        double h[40];
        size_t m = 0;
        fill(x, NULL, 40, round % KINDS);
        for (int i = 0; i < 40; i++) {
            h[i] = (double)random_in(0, 2);
            for (int c = 0; c < (int)h[i]; c++) y[m++] = x[i];
        }
        if (m == 0) continue;
        double a = solve_scale(x, h, 40, -7, 7).error, b = solve_scale(y, NULL, m, -7, 7).error;
        CHECK_MSG(fabs(a - b) <= 1e-13 * energy(y, NULL, m), "%.17g %.17g", a, b);
    }
}

static void extremes(void)
{
    static const float sizes[] = {1e30f, 1.0f, 1e-30f, 1e-37f, 1e-42f, 3e38f};
    for (int k = 0; k < 6; k++) {
        float x[64];
        for (int i = 0; i < 64; i++) x[i] = (float)(random_unit() * 2.0 - 1.0) * sizes[k];
        for (int q = 1; q <= 127; q = 2 * q + 1) {
            struct qnt__exact fit = solve_scale(x, NULL, 64, -q, q);
            double all = energy(x, NULL, 64), least = sweep_range(x, NULL, 64, -q, q);
            CHECK(fit.affine.scale > 0.0f && isfinite(fit.affine.scale));
            CHECK(fit.bound <= fit.error && fit.bound <= least + 1e-14 * all);
            double slack = k >= 3 && k <= 4 ? 1e-3 * all : tolerance(all); /* coarse scales */
            CHECK_MSG(fit.error <= least + slack, "size %g, Q=%d: %g %g", (double)sizes[k], q,
                      fit.error, least);
        }
    }
    static const float zeros[5] = {0};
    struct qnt__exact fit = solve_scale(zeros, NULL, 5, -7, 7);
    CHECK(fit.affine.scale == 1.0f && fit.error == 0.0 && fit.bound == 0.0);
    static const double none[5] = {0};
    static const float some[5] = {1, 2, 3, -4, 5};
    fit = solve_scale(some, none, 5, -7, 7);
    CHECK(fit.affine.scale == 1.0f && fit.error == 0.0);
    for (int q = 1; q <= 127; q++) { /* one value is exact: any code serves */
        fit = solve_scale(&some[3], NULL, 1, -q, q);
        CHECK(fit.error <= 1e-14 * 16.0);
        fit = solve_scale(&some[3], NULL, 1, 0, q); /* no code below 0: nothing helps */
        CHECK(fit.error == 16.0 && fit.bound <= 16.0 && fit.bound > 15.99);
    }
    float wide[64];
    for (int i = 0; i < 64; i++) wide[i] = (float)ldexp(1.0 + random_unit(), 4 * i - 128);
    fit = solve_scale(wide, NULL, 64, -127, 127);
    double least = sweep_range(wide, NULL, 64, -127, 127);
    CHECK(fabs(fit.error - least) <= 1e-14 * energy(wide, NULL, 64));
}

/* The best float32 scale beats the nearest to the real optimum, and all others nearby. */
static void representable(void)
{
    for (int round = 0; round < ROUNDS(200); round++) {
        float x[64];
        fill(x, NULL, 64, round % 2);
        for (int i = 0; i < 64 && round % 4 == 3; i++) x[i] *= 1e-41f;
        struct qnt__exact fit = solve_scale(x, NULL, 64, -127, 127);
        double levels[255], s;
        for (int c = 0; c < 255; c++) levels[c] = c - 127;
        sweep(x, NULL, 64, levels, 255, &s);
        double tiny = 1e-16 * energy(x, NULL, 64);
        CHECK(fit.error <= clip_error(x, 64, 127, s) + tiny);
        CHECK(fit.error <= clip_error(x, 64, 127, (double)nextafterf((float)s, 1.0f)) + tiny);
        CHECK(fit.error <= clip_error(x, 64, 127, (double)nextafterf((float)s, 0.0f)) + tiny);
    }
}

/* A node limit gives a valid bound below a valid error. */
static void node_limit(void)
{
    for (int round = 0; round < ROUNDS(40); round++) {
        float x[500];
        fill(x, NULL, 500, round % 4);
        int q = round % 2 ? 127 : 7;
        double least = solve_scale(x, NULL, 500, -q, q).error;
        for (double nodes = 1.0; nodes < 2000.0; nodes *= 3.0) {
            struct qnt__exact fit = solve_grid(x, NULL, 500, 2 * q, q, q, nodes);
            CHECK(fit.visited <= nodes);
            CHECK(fit.bound <= least && fit.error >= least - 1e-14 * energy(x, NULL, 500));
            CHECK_MSG(fit.error <= least * 1.05, "%g nodes: %.17g, least %.17g", nodes, fit.error,
                      least);
        }
    }
}

/* Gaussian populations: mean squared error by quadrature of the density, at the best step. */
static void population(void)
{
    enum { N = 1 << 20 };
    static const double nmse[3] = {0.190174, 0.0468600, 0.0128894};
    static float x[N];
    fill(x, NULL, N, GAUSS);
    for (int b = 2; b <= 4; b++) {
        int q = (1 << (b - 1)) - 1;
        struct qnt__exact fit = solve_scale(x, NULL, N, -q, q);
        double got = fit.error / energy(x, NULL, N);
        CHECK_MSG(fabs(got / nmse[b - 2] - 1.0) < 0.01, "%d bits: %g, expected %g", b, got,
                  nmse[b - 2]);
        CHECK(fit.bound > fit.error * (1.0 - 1e-9));
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(exhaustive);
    RUN(against_sweep);
    RUN(stationary);
    RUN(rivals);
    RUN(symmetries);
    RUN(weights);
    RUN(extremes);
    RUN(representable);
    RUN(node_limit);
    RUN(population);
    return DONE;
}
