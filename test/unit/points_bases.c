/* Bases of signs: the order of the ways, importances, degenerate vectors, and N(0, 1). */
#include "quantizer/bases.h"
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

/* Relative errors of a Gaussian vector, one base: 1 - 2 / pi. */
static void gaussian(void)
{
    static const double most[3][4] = {
        {.3634, .1306, .0582, .0333}, {.3634, .1253, .0503, .0248}, {.3634, .1175, .0366, .0119}};
    double energy = 0.0;
    for (int i = 0; i < N; i++) {
        x[i] = (float)random_gauss();
        energy += (double)x[i] * (double)x[i];
    }
    for (int how = 0; how < 3; how++) {
        for (int32_t count = 1; count <= 4; count++) {
            double e = solve(N, NULL, count, (enum qnt__bases_how)how) / energy;
            CHECK_MSG(fabs(e / most[how][count - 1] - 1.0) < 0.12, "way %d, %d bases: %.4f", how,
                      (int)count, e);
        }
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(ordered);
    RUN(degenerate);
    RUN(gaussian);
    return DONE;
}
