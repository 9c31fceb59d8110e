/* The exact scale with integer zero point: against all zero points one by one, exhaustive
 * search, rivals. */
#include "solve.h"

/* All zero points separately, each by its own branch and bound, or by the sweep. */
static double one_by_one(const float *x, const double *h, size_t n, int steps, bool by_sweep)
{
    double least = INFINITY;
    for (int z = 0; z <= steps; z++) {
        double e = by_sweep ? sweep_range(x, h, n, -z, steps - z)
                            : solve_scale(x, h, n, -z, steps - z).error;
        least = fmin(least, e);
    }
    return least;
}

static void check_fit(const struct qnt__exact *fit, double reference, const float *x,
                      const double *h, size_t n, int steps)
{
    double all = energy(x, h, n), slack = 4e-14 * all;
    CHECK_MSG(fabs(fit->error - reference) <= slack, "L=%d: %.17g, expected %.17g", steps,
              fit->error, reference);
    CHECK_MSG(fit->bound <= fit->error && fit->bound >= reference - 2.0 * slack,
              "L=%d: %.17g %.17g", steps, fit->bound, reference);
    CHECK(fit->affine.high - fit->affine.low == (float)steps);
    CHECK(fit->affine.low <= 0.0f && fit->affine.high >= 0.0f);
    CHECK(fabs(error_of(x, h, n, &fit->affine) - fit->error) <= 1e-12 * fit->error + 1e-300);
}

static void exhaustive(void)
{
    static const int shapes[][2] = {{1, 9}, {2, 7}, {3, 7}, {7, 4}, {15, 3}};
    for (int round = 0; round < ROUNDS(300); round++) {
        int steps = shapes[round % 5][0];
        size_t n = (size_t)random_in(1, shapes[round % 5][1]);
        float x[10];
        double weights[10], *h = round % 3 == 0 ? weights : NULL, least = INFINITY;
        fill(x, h, n, (int)random_in(0, KINDS - 1));
        for (int z = 0; z <= steps; z++) least = fmin(least, exhaust_scale(x, h, n, -z, steps - z));
        struct qnt__exact fit = solve_zero(x, h, n, steps);
        check_fit(&fit, least, x, h, n, steps);
    }
}

static void against_each(void)
{
    static const int steps[] = {1, 2, 3, 7, 15, 31, 64};
    for (int round = 0; round < ROUNDS(420); round++) {
        int l = steps[round % 7];
        size_t n = (size_t)random_in(1, 90);
        float x[90];
        double weights[90], *h = round % 3 == 0 ? weights : NULL;
        fill(x, h, n, (int)random_in(0, KINDS - 1));
        struct qnt__exact fit = solve_zero(x, h, n, l);
        check_fit(&fit, one_by_one(x, h, n, l, round % 2 == 0), x, h, n, l);
    }
    for (int round = 0; round < 6; round++) {
        float x[200];
        fill(x, NULL, 200, round);
        struct qnt__exact fit = solve_zero(x, NULL, 200, 255);
        check_fit(&fit, one_by_one(x, NULL, 200, 255, false), x, NULL, 200, 255);
    }
}

/* A free zero point is never worse than a fixed one, more levels never worse than fewer. */
static void chain(void)
{
    for (int round = 0; round < ROUNDS(100); round++) {
        float x[128];
        fill(x, NULL, 128, round % KINDS);
        double tiny = 1e-13 * energy(x, NULL, 128), last = INFINITY;
        for (int steps = 1; steps <= 255; steps = 2 * steps + 1) {
            double free = solve_zero(x, NULL, 128, steps).error;
            double fixed = solve_scale(x, NULL, 128, -(steps / 2), steps - steps / 2).error;
            CHECK(free <= fixed + tiny && free <= last + tiny);
            last = free;
        }
    }
}

static void limit(void)
{
    for (int round = 0; round < ROUNDS(20); round++) {
        float x[300];
        fill(x, NULL, 300, SHIFTED);
        double least = solve_zero(x, NULL, 300, 15).error;
        for (double nodes = 1.0; nodes < 1000.0; nodes *= 4.0) {
            struct qnt__exact fit = solve_grid(x, NULL, 300, 15, 0, 15, nodes);
            CHECK(fit.visited <= nodes && fit.bound <= least && fit.error >= least * (1.0 - 1e-12));
        }
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(exhaustive);
    RUN(against_each);
    RUN(chain);
    RUN(limit);
    return DONE;
}
