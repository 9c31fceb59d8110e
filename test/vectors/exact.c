/*
 * Frozen optima of one small vector, verified by trying every assignment of codes. The values are
 * exact decimals, so float32 inputs move an optimum by no more than 1e-6 of the energy.
 */
#include "solve.h"

enum { N = 6 };

static const float w[N] = {0.9f, -0.4f, 0.15f, 1.3f, -2.2f, 0.05f};

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1.0 + fabs(b));
}

static void check_codes(const float *x, const struct qnt__affine *q, const int *codes)
{
    for (int i = 0; i < N; i++) {
        float t = (x[i] - q->offset) / q->scale;
        int code = (int)nearbyintf(t < q->low ? q->low : t > q->high ? q->high : t);
        CHECK_MSG(code == codes[i], "code %d is %d, expected %d", i, code, codes[i]);
    }
}

static void fixed_zero(void)
{
    static const struct {
        int low, high;
        double scale, error;
        int codes[N];
    } rows[] = {
        {-1, 1, 1.466666666667, 1.071666666667, {1, 0, 0, 1, -1, 0}},
        {-2, 1, 1.1, 0.265, {1, 0, 0, 1, -2, 0}},
        {-3, 3, 0.7, 0.175, {1, -1, 0, 2, -3, 0}},
        {-4, 3, 0.496666666667, 0.124666666667, {2, -1, 0, 3, -4, 0}},
        {-4, 4, 0.496666666667, 0.124666666667, {2, -1, 0, 3, -4, 0}},
        {-7, 7, 0.438461538462, 0.027307692308, {2, -1, 0, 3, -5, 0}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct qnt__exact fit = solve_scale(w, NULL, N, rows[r].low, rows[r].high);
        CHECK_MSG(near((double)fit.affine.scale, rows[r].scale) && near(fit.error, rows[r].error),
                  "%d..%d: s = %.12g, E = %.12g", rows[r].low, rows[r].high,
                  (double)fit.affine.scale, fit.error);
        CHECK(fit.bound <= fit.error && fit.bound >= fit.error * (1.0 - 1e-9));
        check_codes(w, &fit.affine, rows[r].codes);
    }
}

/* The scale is positive; a negative one is the scale of -w. */
static void negative_scale(void)
{
    float x[N];
    for (int i = 0; i < N; i++) x[i] = -w[i];
    struct qnt__exact fit = solve_scale(x, NULL, N, -2, 1);
    CHECK(near((double)fit.affine.scale, 1.466666666667) && near(fit.error, 1.071666666667));
    fit = solve_scale(x, NULL, N, -4, 3);
    CHECK(near((double)fit.affine.scale, 0.7) && near(fit.error, 0.175));
}

static void integer_zero(void)
{
    struct qnt__exact fit = solve_zero(w, NULL, N, 3);
    CHECK(fit.affine.low == -2.0f && near((double)fit.affine.scale, 1.1) && near(fit.error, 0.265));
    fit = solve_zero(w, NULL, N, 7);
    CHECK(fit.affine.low == -4.0f && near((double)fit.affine.scale, 0.496666666667));
    CHECK(near(fit.error, 0.124666666667));
}

static void real_offset(void)
{
    static const double rows[][4] = {{1, 2.6, -2.2, 1.885},
                                     {3, 1.1, -2.233333333333, 0.258333333333},
                                     {7, 0.5921875, -2.796875, 0.03703125}};
    for (int r = 0; r < 3; r++) {
        int steps = (int)rows[r][0];
        struct qnt__exact fit = solve_affine(w, NULL, N, 0, steps, 0.0);
        double shift = ((double)fit.affine.offset - rows[r][2]) / (double)fit.affine.scale;
        CHECK_MSG(near((double)fit.affine.scale, rows[r][1]) && near(fit.error, rows[r][3]) &&
                      (near(shift, 0.0) || (steps == 7 && near(shift, 1.0))), /* 7 codes suffice */
                  "L = %d: s = %.12g, offset = %.12g, E = %.12g", steps, (double)fit.affine.scale,
                  (double)fit.affine.offset, fit.error);
        CHECK(fit.bound <= fit.error && fit.bound >= fit.error * (1.0 - 1e-9));
    }
}

/* The reference of the other tests, on code books of its own. */
static void reference(void)
{
    static const double fp4[] = {-6, -4, -3, -2, -1.5, -1, -.5, 0, .5, 1, 1.5, 2, 3, 4, 6};
    static const double rise[] = {-1.5, -0.5, 0.5, 1.5};
    double s;
    CHECK(near(sweep(w, NULL, N, fp4, 15, &s), 0.047399598394) && near(s, 0.346586345382));
    CHECK(near(sweep(w, NULL, N, rise, 4, &s), 0.979545454545) && near(s, 1.090909090909));
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(fixed_zero);
    RUN(negative_scale);
    RUN(integer_zero);
    RUN(real_offset);
    RUN(reference);
    return DONE;
}
