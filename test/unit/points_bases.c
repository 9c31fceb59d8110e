/* Bases of signs: the order of the ways, importances, degenerate vectors, and N(0, 1). */
#include "quantizer/bases.h"
#include "quantizer/sorted.h"
#include "check.h"

enum { N = 4096 };

static float x[N];
static double h[N];
static uint8_t code[N];

static double solve(size_t n, const double *w, int32_t most, enum qnt__bases_how how)
{
    double coef[QNT__BASES_MAX];
    int32_t count = qnt__bases(x, w, n, most, how, 15, coef, code);
    CHECK(count >= 0 && count <= most);
    for (int32_t p = 0; p < count; p++) CHECK(coef[p] >= (p ? coef[p - 1] : 0.0));
    return qnt__bases_error(x, w, n, count, coef, code);
}

static void ordered(void)
{
    for (int round = 0; round < ROUNDS(60); round++) {
        size_t n = (size_t)random_in(1, 300);
        for (size_t i = 0; i < n; i++) {
            x[i] = (float)random_laplace();
            h[i] = random_in(0, 4) ? random_unit() : 0.0;
        }
        double before = INFINITY;
        for (int32_t most = 0; most <= 8; most++) {
            double greedy = solve(n, h, most, QNT__BASES_GREEDY);
            double refined = solve(n, h, most, QNT__BASES_REFINED);
            double turns = solve(n, h, most, QNT__BASES_ALTERNATING);
            CHECK(greedy <= before * (1.0 + 1e-9));
            CHECK(refined <= greedy * (1.0 + 1e-9) && turns <= refined * (1.0 + 1e-9));
            before = greedy;
        }
    }
}

/* What refitted coefficients leave is orthogonal to every base; zeros have the sign +. */
static void orthogonal(void)
{
    for (int round = 0; round < ROUNDS(60); round++) {
        size_t n = (size_t)random_in(2, 300);
        double coef[QNT__BASES_MAX], dot[QNT__BASES_MAX] = {0}, size = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = random_in(0, 5) ? (float)random_gauss() : 0.0f;
            h[i] = round % 2 ? 0.1 + random_unit() : 1.0;
            size += h[i] * fabs((double)x[i]);
        }
        int32_t count =
            qnt__bases(x, h, n, (int32_t)random_in(1, 5), QNT__BASES_REFINED, 0, coef, code);
        for (size_t i = 0; i < n; i++) {
            double rest = (double)x[i];
            for (int32_t p = 0; p < count; p++) rest -= code[i] >> p & 1 ? coef[p] : -coef[p];
            for (int32_t p = 0; p < count; p++) dot[p] += h[i] * (code[i] >> p & 1 ? rest : -rest);
        }
        for (int32_t p = 0; p < count; p++)
            CHECK_MSG(fabs(dot[p]) <= 1e-6 * size, "base %d of %d: %g of %g", p, count, dot[p],
                      size);
        if (qnt__bases(x, h, n, 1, QNT__BASES_GREEDY, 0, coef, code) == 1) {
            for (size_t i = 0; i < n; i++) CHECK(code[i] == (x[i] >= 0));
        }
    }
}

static void degenerate(void)
{
    double coef[QNT__BASES_MAX];
    memset(x, 0, sizeof x);
    CHECK(qnt__bases(x, NULL, 64, 4, QNT__BASES_ALTERNATING, 15, coef, code) == 0);
    for (int i = 0; i < 64; i++) x[i] = i % 3 ? 2.0f : -2.0f;
    CHECK(qnt__bases(x, NULL, 64, 4, QNT__BASES_ALTERNATING, 15, coef, code) == 1);
    CHECK(coef[0] == 2.0 && code[0] == 0 && code[1] == 1);
    memset(h, 0, sizeof h);
    CHECK(qnt__bases(x, h, 64, 4, QNT__BASES_ALTERNATING, 15, coef, code) == 0);
    CHECK(qnt__bases(x, NULL, 0, 4, QNT__BASES_ALTERNATING, 15, coef, code) == 0);
}

/* The least error of any codes of n values: every code, best coefficients by normal equations. */
static double exhaustive(size_t n, const double *w, int bases)
{
    double least = INFINITY;
    for (unsigned signs = 0; signs < 1u << (n * (size_t)bases); signs++) {
        double a = 0, b[2] = {0}, mass = 0, energy = 0;
        for (size_t i = 0; i < n; i++) {
            double s = signs >> i & 1u ? 1 : -1, t = signs >> (n + i) & 1u ? 1 : -1;
            a += w[i] * s * t, mass += w[i], energy += w[i] * (double)x[i] * (double)x[i];
            b[0] += w[i] * s * (double)x[i], b[1] += w[i] * t * (double)x[i];
        }
        double saved = b[0] * b[0] / mass, other = mass * mass - a * a;
        if (bases == 2 && other > 1e-9 * mass * mass)
            saved = (mass * (b[0] * b[0] + b[1] * b[1]) - 2 * a * b[0] * b[1]) / other;
        least = fmin(least, energy - saved);
    }
    return least;
}

/* One base, and two: no codes and coefficients are better. */
static void optimal(void)
{
    static _Alignas(64) uint8_t space[1 << 14];
    for (int round = 0; round < ROUNDS(60); round++) {
        size_t n = (size_t)random_in(3, 8);
        double two[2], energy = 0, error = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = random_in(0, 5) ? (float)random_laplace() : 0.0f;
            h[i] = round % 3 ? 0.1 + random_unit() : 1.0;
            energy += h[i] * (double)x[i] * (double)x[i];
        }
        double one = solve(n, h, 1, QNT__BASES_GREEDY), best = exhaustive(n, h, 1);
        CHECK_MSG(fabs(one - best) <= 1e-9 * energy, "one base costs %g, least %g", one, best);
        CHECK(qnt__sort_bytes(n) <= sizeof space);
        if (!qnt__bases_two(x, round % 3 ? h : NULL, n, space, two)) two[0] = 0, two[1] = NAN;
        best = exhaustive(n, h, 2);
        for (size_t i = 0; i < n; i++) {
            double away = fabs(fabs((double)x[i]) - two[1]) - two[0]; /* to the nearer magnitude */
            error += h[i] * away * away;
        }
        CHECK_MSG(error <= best + 1e-9 * energy || isnan(two[1]), "two bases cost %g, least %g",
                  error, best);
        CHECK_MSG(!isnan(two[1]) || one - best <= 1e-9 * energy, "none found, but %g < %g", best,
                  one);
        CHECK(solve(n, h, 2, QNT__BASES_ALTERNATING) >= best - 1e-9 * energy);
    }
}

/* The vector of the published sketches' tests: values worked out by hand. */
static void golden(void)
{
    static const float w[] = {0.9f, -0.4f, 0.15f, 1.3f, -2.2f, 0.05f};
    static _Alignas(64) uint8_t space[1 << 14];
    double coef[QNT__BASES_MAX];
    memcpy(x, w, sizeof w);
    CHECK(qnt__bases(x, NULL, 6, 1, QNT__BASES_GREEDY, 0, coef, code) == 1);
    CHECK_MSG(fabs(coef[0] - 5.0 / 6) < 1e-7, "%.9g", coef[0]); /* mean of |w| */
    CHECK(code[0] == 1 && code[1] == 0 && code[2] == 1 && code[3] == 1 && code[4] == 0);
    /* magnitudes .05 .15 .4 .9 | 1.3 2.2: the halves' means are .375 and 1.75 */
    CHECK(qnt__bases_two(x, NULL, 6, space, coef));
    CHECK_MSG(fabs(coef[0] - 0.6875) < 1e-7 && fabs(coef[1] - 1.0625) < 1e-7, "%.9g %.9g", coef[0],
              coef[1]);
}

/* Relative errors of Gaussian vectors of 4096 elements: the table of multi-bit sketches, by way and
 * rounds; one base: 1 - 2 / pi. Greedy ways vary more with the vector the more bases there are. */
static void gaussian(void)
{
    enum { DRAWS = 12 };
    static const struct {
        enum qnt__bases_how how;
        int32_t rounds;
        double error[4];
    } row[] = {{QNT__BASES_GREEDY, 0, {.3634, .1306, .0582, .0333}},
               {QNT__BASES_REFINED, 0, {.3634, .1253, .0503, .0248}},
               {QNT__BASES_ALTERNATING, 1, {.3634, .1203, .0447, .0192}},
               {QNT__BASES_ALTERNATING, 2, {.3634, .1185, .0419, .0173}},
               {QNT__BASES_ALTERNATING, 15, {.3634, .1175, .0366, .0119}}};
    double sum[5][4] = {{0}};
    for (int draw = 0; draw < DRAWS; draw++) {
        double energy = 0.0, coef[QNT__BASES_MAX];
        for (int i = 0; i < N; i++) {
            x[i] = (float)random_gauss();
            energy += (double)x[i] * (double)x[i];
        }
        for (int r = 0; r < 5; r++) {
            for (int32_t most = 1; most <= 4; most++) {
                int32_t count = qnt__bases(x, NULL, N, most, row[r].how, row[r].rounds, coef, code);
                sum[r][most - 1] += qnt__bases_error(x, NULL, N, count, coef, code) / energy;
            }
        }
    }
    for (int r = 0; r < 5; r++) {
        for (int p = 0; p < 4; p++)
            CHECK_MSG(fabs(sum[r][p] / DRAWS / row[r].error[p] - 1.0) < 0.04,
                      "row %d, %d bases: %.4f, %.4f", r, p + 1, sum[r][p] / DRAWS, row[r].error[p]);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(ordered);
    RUN(orthogonal);
    RUN(degenerate);
    RUN(optimal);
    RUN(golden);
    RUN(gaussian);
    return DONE;
}
