/* Solvers for codebooks: scales against every assignment of codes, k-means against every partition,
 * Lloyd's iteration, densities against published tables. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "quantizer/levels.h"

enum { MOST = 40 };

static void fill(float *x, double *h, size_t n)
{
    int kind = (int)random_in(0, 4);
    for (size_t i = 0; i < n; i++) {
        double v = kind == 0 ? random_unit() : random_laplace();
        if (kind == 2) v = floor(4 * v) / 4; /* ties and zeros */
        if (kind == 3) v = fabs(v);
        if (kind == 4) v += 100;
        x[i] = (float)v;
        h[i] = random_in(0, 6) ? 0.1 + random_unit() : 0.0;
    }
}

static void sort_into(const float *x, const double *h, size_t n, void **space,
                      struct qnt__sorted *out)
{
    *space = aligned_alloc(64, (qnt__sort_bytes(n) + 63) / 64 * 64);
    qnt__sort(x, h, n, QNT__SIGNED, *space, out);
}

static double error_at(const float *x, const double *h, size_t n, const double *level,
                       int32_t count, double s, double *best_scale)
{
    double a = 0, b = 0, error = 0;
    for (size_t i = 0; i < n; i++) {
        double least = INFINITY, nearest = 0;
        for (int32_t k = 0; k < count; k++) {
            double away = (double)x[i] - s * level[k];
            if (away * away < least) least = away * away, nearest = level[k];
        }
        error += h[i] * least;
        a += h[i] * (double)x[i] * nearest;
        b += h[i] * nearest * nearest;
    }
    *best_scale = b > 0 ? a / b : 0;
    return error;
}

static int compare(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

/* The least error: between any two neighbouring scales at which some code changes, codes are
 * constant. */
static double least_error(const float *x, const double *h, size_t n, const double *level,
                          int32_t count)
{
    static double at[MOST * 20 + 2];
    size_t changes = 0;
    double least = 0, scale;
    for (size_t i = 0; i < n; i++) least += h[i] * (double)x[i] * (double)x[i];
    for (size_t i = 0; i < n; i++) {
        for (int32_t k = 1; k < count; k++) {
            double s = 2 * (double)x[i] / (level[k - 1] + level[k]);
            if (s > 0 && isfinite(s)) at[changes++] = s;
        }
    }
    at[changes++] = 1e-9;
    at[changes++] = 1e9;
    qsort(at, changes, sizeof *at, compare);
    for (size_t i = 0; i + 1 < changes; i++) {
        error_at(x, h, n, level, count, 0.5 * (at[i] + at[i + 1]), &scale);
        double error = scale > 0 ? error_at(x, h, n, level, count, scale, &scale) : INFINITY;
        if (error < least) least = error;
    }
    return least;
}

static void exact_scale(void)
{
    for (int round = 0; round < ROUNDS(300); round++) {
        float x[MOST];
        double h[MOST], level[20], energy = 0, scale;
        size_t n = (size_t)random_in(1, MOST);
        int32_t count = (int32_t)random_in(1, 20);
        struct qnt__sorted sorted;
        struct qnt__scale_fit fit;
        void *space, *scratch = aligned_alloc(64, qnt__exact_levels_bytes(count));
        fill(x, h, n);
        level[0] = round % 3 ? -1 - random_unit() : round % 2 ? 0 : 0.5;
        for (int32_t k = 1; k < count; k++) level[k] = level[k - 1] + 0.05 + 0.3 * random_unit();
        sort_into(x, h, n, &space, &sorted);
        qnt__exact_levels(&sorted, level, count, 0, scratch, &fit);
        for (size_t i = 0; i < n; i++) energy += h[i] * (double)x[i] * (double)x[i];
        double least = least_error(x, h, n, level, count), noise = 1e-12 * energy;
        double measured = error_at(x, h, n, level, count, fit.scale, &scale);
        if (!(energy > 0)) { /* no scale is the best where no level is 0 */
            CHECK(fit.scale == 1 && fit.bound == 0);
            free(space), free(scratch);
            continue;
        }
        CHECK_MSG(fabs(fit.error - least) <= noise, "n %zu levels %d: %.17g, least %.17g", n, count,
                  fit.error, least);
        CHECK_MSG(measured <= fit.error + noise, "measured %.17g, said %.17g", measured, fit.error);
        CHECK_MSG(fit.bound <= fit.error && fit.bound >= least - noise, "bound %.17g of %.17g",
                  fit.bound, least);
        CHECK(fit.scale > 0 && isfinite(fit.scale));
        free(space), free(scratch);
    }
}

/* Least error of values i.. in k runs, trying every partition. */
static double best_partition(const float *x, const double *h, size_t n, int k)
{
    double least = INFINITY, w = 0, m = 0, q = 0;
    if (n == 0) return 0;
    if (k == 0) return INFINITY;
    for (size_t i = 0; i < n; i++) {
        w += h[i], m += h[i] * (double)x[i], q += h[i] * (double)x[i] * (double)x[i];
        double rest = best_partition(x + i + 1, h + i + 1, n - i - 1, k - 1);
        least = fmin(least, (w > 0 ? q - m * m / w : 0) + rest);
    }
    return least;
}

static void kmeans(void)
{
    for (int round = 0; round < ROUNDS(300); round++) {
        float x[14];
        double h[14], level[QNT__LEVELS], energy = 0, scale;
        size_t n = (size_t)random_in(1, 14);
        int32_t count = (int32_t)random_in(1, 5);
        struct qnt__sorted sorted;
        void *space, *scratch = aligned_alloc(64, qnt__kmeans_bytes(n, count));
        fill(x, h, n);
        for (size_t i = 0; i < n; i++) h[i] += 0.01;
        sort_into(x, h, n, &space, &sorted);
        double error = qnt__kmeans(&sorted, count, scratch, level);
        for (size_t i = 0; i < n; i++) energy += h[i] * (double)x[i] * (double)x[i];
        double least = best_partition(sorted.side[0].x, sorted.side[0].h, n, count);
        double measured = error_at(x, h, n, level, count, 1, &scale);
        CHECK_MSG(fabs(error - least) <= 1e-12 * energy && measured <= error + 1e-12 * energy,
                  "n %zu k %d: said %.17g, is %.17g, least %.17g", n, count, error, measured,
                  least);
        for (int32_t k = 1; k < count; k++) CHECK(level[k] >= level[k - 1]);
        double improved = qnt__lloyd(&sorted, count, 50, level);
        CHECK_MSG(improved >= least - 1e-12 * energy, "Lloyd's iteration improved %.17g to %.17g",
                  error, improved);
        free(space), free(scratch);
    }
}

/* Another level never costs more; as many levels as there are different values cost nothing. */
static void enough_levels(void)
{
    for (int round = 0; round < ROUNDS(100); round++) {
        float x[MOST];
        double h[MOST], level[QNT__LEVELS], energy = 0, before = INFINITY;
        size_t n = (size_t)random_in(1, MOST), different = 0;
        struct qnt__sorted sorted;
        fill(x, h, n);
        for (size_t i = 0; i < n; i++) {
            if (round % 2) x[i] = (float)random_in(-6, 6); /* many are equal */
            bool seen = false;
            for (size_t j = 0; j < i; j++) seen |= x[j] == x[i];
            different += !seen;
            h[i] += 0.01;
            energy += h[i] * (double)x[i] * (double)x[i];
        }
        void *space, *scratch = aligned_alloc(64, (qnt__kmeans_bytes(n, MOST) + 63) / 64 * 64);
        sort_into(x, h, n, &space, &sorted);
        for (int32_t count = 1; count <= (int32_t)different + 2; count++) {
            double error = qnt__kmeans(&sorted, count, scratch, level);
            CHECK_MSG(error <= before + 1e-12 * energy, "%d levels: %g after %g", count, error,
                      before);
            CHECK_MSG((size_t)count < different || error <= 1e-12 * energy, "%d levels of %zu: %g",
                      count, different, error);
            before = error;
        }
        free(space), free(scratch);
    }
}

/* More values than cells: merged, then improved; not worse than Lloyd's iteration from quantiles.
 */
static void many_values(void)
{
    size_t n = check_quick ? 20000 : 60000;
    float *x = malloc(n * sizeof *x);
    double level[16], start[16], energy = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)random_laplace();
        energy += (double)x[i] * (double)x[i];
    }
    struct qnt__sorted sorted;
    void *space, *scratch = aligned_alloc(64, qnt__kmeans_bytes(n, 16));
    sort_into(x, NULL, n, &space, &sorted);
    for (int k = 0; k < 16; k++) start[k] = (double)sorted.side[0].x[(2 * (size_t)k + 1) * n / 32];
    double found = qnt__kmeans(&sorted, 16, scratch, level), before = INFINITY;
    for (int round = 0; round < 200; round++) {
        double error = qnt__lloyd(&sorted, 16, 1, start);
        CHECK_MSG(error <= before * (1 + 1e-12), "round %d: %g after %g", round, error, before);
        before = error;
    }
    CHECK_MSG(found <= before * (1 + 1e-6), "%.9g, Lloyd %.9g", found, before);
    CHECK_MSG(fabs(found / energy - 0.0153725) < 0.0009, "NMSE %g",
              found / energy); /* of the density */
    free(x), free(space), free(scratch);
}

/* Mean squared error of levels +-y[0..n - 1], thresholds between neighbours, under a density of mean 0, as
 * a share of the variance; by Simpson's rule in every cell, where the integrand is smooth. */
static double density_error(bool laplace, int n, const double *y)
{
    enum { CELLS = 4000 };
    double sum = 0;
    for (int k = 0; k < n; k++) {
        double from = k ? 0.5 * (y[k - 1] + y[k]) : 0,
               to = k + 1 < n ? 0.5 * (y[k] + y[k + 1]) : 60;
        for (int i = 0; i <= CELLS; i++) {
            double x = from + (to - from) * i / CELLS;
            double f = laplace ? 0.5 * exp(-x) : exp(-0.5 * x * x) / sqrt(6.283185307179586);
            sum += (i % CELLS == 0 ? 1
                    : i % 2        ? 4
                                   : 2) *
                   (to - from) / CELLS / 3 * f * (x - y[k]) * (x - y[k]);
        }
    }
    return 2 * sum / (laplace ? 2 : 1);
}

/* The least errors that 2 to 32 levels can have, and that no level moved up or down is better. */
static void least_density_errors(void)
{
    static const double least[2][5] = {{0.36338, 0.117482, 0.0345478, 0.00950101, 0.00250467},
                                       {0.5, 0.176195, 0.0544760, 0.0153725, 0.00410218}};
    double y[16];
    for (int laplace = 0; laplace < 2; laplace++) {
        for (int bits = 1; bits <= 5; bits++) {
            int n = 1 << (bits - 1);
            qnt__density_levels(laplace, 2 * n, y);
            double error = density_error(laplace, n, y);
            CHECK_MSG(fabs(error / least[laplace][bits - 1] - 1) < 1e-5, "%s, %d levels: %.9g",
                      laplace ? "Laplace" : "Gauss", 2 * n, error);
            for (int k = 0; k < n; k++) {
                for (int way = -1; way <= 1; way += 2) {
                    double kept = y[k];
                    y[k] += 1e-3 * way;
                    CHECK_MSG(density_error(laplace, n, y) > error, "level %d of %d", k, 2 * n);
                    y[k] = kept;
                }
            }
        }
    }
}

/* Max (1960) for Gauss; Laplace by the same conditions. */
static void densities(void)
{
    static const double four[2][2] = {{0.4528, 1.5104}, {0.5936, 2.5936}};
    static const double eight[2][4] = {{0.2451, 0.7560, 1.3439, 2.1519},
                                       {0.3301, 1.1780, 2.3652, 4.3652}};
    static const double gauss[8] = {0.1284, 0.3880, 0.6568, 0.9423, 1.2562, 1.6180, 2.0690, 2.7326};
    static const double laplace[8] = {0.1753, 0.5725, 1.0305, 1.5712,
                                      2.2313, 3.0792, 4.2665, 6.2665};
    double level[128];
    qnt__density_levels(false, 16, level);
    for (int k = 0; k < 8; k++) CHECK_MSG(fabs(level[k] - gauss[k]) < 6e-5, "%d: %g", k, level[k]);
    qnt__density_levels(true, 16, level);
    for (int k = 0; k < 8; k++)
        CHECK_MSG(fabs(level[k] - laplace[k]) < 6e-5, "%d: %g", k, level[k]);
    for (int kind = 0; kind < 2; kind++) {
        qnt__density_levels(kind, 4, level);
        for (int k = 0; k < 2; k++)
            CHECK_MSG(fabs(level[k] - four[kind][k]) < 6e-5, "%g", level[k]);
        qnt__density_levels(kind, 8, level);
        for (int k = 0; k < 4; k++)
            CHECK_MSG(fabs(level[k] - eight[kind][k]) < 6e-5, "%g", level[k]);
    }
    qnt__density_levels(false, 2, level);
    CHECK(fabs(level[0] - 0.7978845608) < 1e-9); /* sqrt(2 / pi) */
    qnt__density_levels(true, 2, level);
    CHECK(fabs(level[0] - 1.0) < 1e-9);
    qnt__density_levels(false, 256, level);
    for (int k = 1; k < 128; k++) CHECK_MSG(level[k] > level[k - 1], "%d: %g", k, level[k]);
    CHECK_MSG(level[127] > 4 && level[127] < 5.5, "%g", level[127]);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(exact_scale);
    RUN(kmeans);
    RUN(enough_levels);
    RUN(many_values);
    RUN(densities);
    RUN(least_density_errors);
    return DONE;
}
