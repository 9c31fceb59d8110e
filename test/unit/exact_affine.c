/* The exact scale with real offset: against all monotone code sequences, and the chain of grids. */
#include "quantizer/levels.h"
#include "solve.h"

static int by_value(const void *p, const void *q)
{
    double a = *(const double *)p, b = *(const double *)q;
    return (a > b) - (a < b);
}

/* Weighted squared distance of values to the regression on their codes. */
static double regression(const double (*v)[2], const int *code, size_t n)
{
    double w = 0.0, x = 0.0, q = 0.0, xx = 0.0, xq = 0.0, qq = 0.0;
    for (size_t i = 0; i < n; i++) {
        w += v[i][1];
        x += v[i][1] * v[i][0];
        q += v[i][1] * code[i];
    }
    if (!(w > 0.0)) return 0.0;
    for (size_t i = 0; i < n; i++) {
        double dx = v[i][0] - x / w, dq = code[i] - q / w;
        xx += v[i][1] * dx * dx;
        xq += v[i][1] * dx * dq;
        qq += v[i][1] * dq * dq;
    }
    return xq > 0.0 ? xx - xq / qq * xq : xx;
}

/* An optimum has codes that ascend with the values. */
static double exhaust(const float *x, const double *h, size_t n, int steps)
{
    double v[16][2], least = INFINITY;
    int code[16] = {0};
    for (size_t i = 0; i < n; i++) {
        v[i][0] = (double)x[i];
        v[i][1] = h ? h[i] : 1.0;
    }
    qsort(v, n, sizeof v[0], by_value);
    for (;;) {
        least = fmin(least, regression((const double(*)[2])v, code, n));
        size_t i = n;
        while (i > 0 && code[i - 1] == steps) i--;
        if (i == 0) return least;
        int next = code[i - 1] + 1;
        for (; i <= n; i++) code[i - 1] = next;
    }
}

static double variance(const float *x, const double *h, size_t n)
{
    double w = 0.0, m = 0.0, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        w += h ? h[i] : 1.0;
        m += (h ? h[i] : 1.0) * (double)x[i];
    }
    for (size_t i = 0; i < n && w > 0.0; i++) {
        sum += (h ? h[i] : 1.0) * ((double)x[i] - m / w) * ((double)x[i] - m / w);
    }
    return sum;
}

static void exhaustive(void)
{
    static const int shapes[][2] = {{1, 14}, {2, 12}, {3, 10}, {7, 7}, {15, 5}, {31, 4}};
    for (int round = 0; round < ROUNDS(600); round++) {
        int steps = shapes[round % 6][0], low = -(int)random_in(0, steps);
        size_t n = (size_t)random_in(1, shapes[round % 6][1]);
        float x[16];
        double weights[16], *h = round % 4 == 0 ? weights : NULL;
        fill(x, h, n, (int)random_in(0, KINDS - 1));
        struct qnt__exact fit = solve_affine(x, h, n, low, low + steps, 0.0);
        double least = exhaust(x, h, n, steps), all = variance(x, h, n), moment = energy(x, h, n);
        /* float32 scale and offset cost up to u^2 of the second moment each */
        CHECK_MSG(fabs(fit.error - least) <= 1e-12 * all + 4e-14 * moment,
                  "L=%d n=%zu: %.17g, least %.17g", steps, n, fit.error, least);
        CHECK_MSG(fit.bound <= fit.error && fit.bound >= least - 1e-12 * all &&
                      fit.bound <= least + 1e-14 * all,
                  "L=%d: bound %.17g, least %.17g", steps, fit.bound, least);
        CHECK(fabs(error_of(x, h, n, &fit.affine) - fit.error) <= 1e-10 * fit.error + 1e-300);
        CHECK(fit.affine.scale > 0.0f && fit.affine.low == (float)low && fit.affine.zero == 0);
    }
}

/* Least error of as many free levels. */
static double free_levels(const float *x, size_t n, int steps)
{
    void *space = aligned_alloc(64, (qnt__sort_bytes(n) + 63) / 64 * 64);
    void *more = aligned_alloc(64, (qnt__kmeans_bytes(n, steps + 1) + 63) / 64 * 64);
    struct qnt__sorted sorted;
    double level[32];
    qnt__sort(x, NULL, n, QNT__SIGNED, space, &sorted);
    double error = qnt__kmeans(&sorted, steps + 1, more, level);
    free(space), free(more);
    return error;
}

/* Free levels <= affine <= integer zero point (<= fixed zero point, exact_zero.c); more levels are never
 * worse. */
static void chain(void)
{
    for (int round = 0; round < ROUNDS(60); round++) {
        float x[128];
        size_t n = (size_t)random_in(2, 128);
        fill(x, NULL, n, round % KINDS);
        double tiny = 1e-13 * energy(x, NULL, n), last = INFINITY;
        for (int steps = 1; steps <= 31; steps = 2 * steps + 1) {
            struct qnt__exact fit = solve_affine(x, NULL, n, 0, steps, 0.0);
            struct qnt__exact integer = solve_zero(x, NULL, n, steps);
            CHECK_MSG(fit.error <= integer.error + tiny, "L=%d: %.17g, integer %.17g", steps,
                      fit.error, integer.error);
            double table = free_levels(x, n, steps);
            CHECK_MSG(table <= fit.error + tiny, "L=%d: %.17g, levels %.17g", steps, fit.error,
                      table);
            CHECK_MSG(fit.error <= last + 10.0 * tiny && fit.bound <= fit.error,
                      "L=%d n=%zu: %.17g after %.17g, bound %.17g", steps, n, fit.error, last,
                      fit.bound);
            CHECK(fit.bound >= fit.error * (1.0 - 1e-6) - tiny);
            last = fit.error;
        }
    }
}

/* Shifting and scaling the data shifts and scales the answer. */
static void equivariance(void)
{
    for (int round = 0; round < ROUNDS(60); round++) {
        float x[40], y[40];
        fill(x, NULL, 40, round % 5);
        for (int i = 0; i < 40; i++) x[i] = (float)nearbyint(x[i] * 4096.0f) / 4096.0f;
        for (int i = 0; i < 40; i++) y[i] = 3.0f - 2.0f * x[i];
        double a = solve_affine(x, NULL, 40, 0, 7, 0.0).error,
               b = solve_affine(y, NULL, 40, -4, 3, 0.0).error;
        CHECK_MSG(fabs(4.0 * a - b) <= 1e-12 * energy(y, NULL, 40), "%.17g %.17g", 4.0 * a, b);
    }
}

static void extremes(void)
{
    static const float same[4] = {0.1f, 0.1f, 0.1f, 0.1f};
    struct qnt__exact fit = solve_affine(same, NULL, 4, -8, 7, 0.0);
    CHECK(fit.error == 0.0 && fit.affine.offset == 0.1f && fit.affine.scale > 0.0f);
    for (int k = 0; k < 4; k++) {
        static const float size[] = {1e30f, 1e-30f, 1e-42f, 3e38f};
        float x[32];
        for (int i = 0; i < 32; i++) x[i] = size[k] * (float)random_unit();
        fit = solve_affine(x, NULL, 32, 0, 15, 0.0);
        CHECK(fit.affine.scale > 0.0f && isfinite(fit.affine.scale) && isfinite(fit.affine.offset));
        CHECK_MSG(fit.bound <= fit.error && fit.error < 0.02 * variance(x, NULL, 32),
                  "%g: %g of %g", (double)size[k], fit.error, variance(x, NULL, 32));
    }
    float far[64]; /* a mean far outside the range */
    for (int i = 0; i < 64; i++) far[i] = 1000.0f + (float)random_unit();
    fit = solve_affine(far, NULL, 64, 0, 7, 0.0);
    CHECK(fit.error < 0.02 * variance(far, NULL, 64) && fit.bound > 0.99 * fit.error);
}

static void limit(void)
{
    for (int round = 0; round < ROUNDS(20); round++) {
        float x[200];
        fill(x, NULL, 200, round % 4);
        double least = solve_affine(x, NULL, 200, 0, 7, 0.0).error;
        for (double nodes = 1.0; nodes < 300.0; nodes *= 4.0) {
            struct qnt__exact fit = solve_affine(x, NULL, 200, 0, 7, nodes);
            CHECK(fit.visited <= nodes && fit.bound <= least && fit.error >= least * (1.0 - 1e-9));
        }
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(exhaustive);
    RUN(chain);
    RUN(equivariance);
    RUN(extremes);
    RUN(limit);
    return DONE;
}
