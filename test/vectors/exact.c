/*
 * Frozen optima of one small vector, verified by trying every assignment of codes. The values are
 * exact decimals, so float32 inputs move an optimum by no more than 1e-6 of the energy.
 */
#include "quantizer/levels.h"
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

/* Code books: the scale of given levels, and the reference of the other tests. */
static void code_books(void)
{
    static const double fp4[] = {-6, -4, -3, -2, -1.5, -1, -.5, 0, .5, 1, 1.5, 2, 3, 4, 6};
    static const double rise[] = {-1.5, -0.5, 0.5, 1.5};
    static const struct {
        const double *level;
        int count;
        double scale, error, values[N];
    } rows[] = {{fp4, 15, 0.346586345382, 0.047399598394, {3, -1, 0.5, 4, -6, 0}},
                {rise, 4, 1.090909090909, 0.979545454545, {0.5, -0.5, 0.5, 1.5, -1.5, 0.5}}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        void *space = aligned_alloc(64, (qnt__sort_bytes(N) + 63) / 64 * 64);
        void *more = aligned_alloc(64, (qnt__exact_levels_bytes(rows[r].count) + 63) / 64 * 64);
        struct qnt__sorted sorted;
        struct qnt__scale_fit fit;
        double s;
        qnt__sort(w, NULL, N, QNT__SIGNED, space, &sorted);
        qnt__exact_levels(&sorted, rows[r].level, rows[r].count, 0, more, &fit);
        CHECK_MSG(near(fit.scale, rows[r].scale) && near(fit.error, rows[r].error),
                  "%d levels: s = %.12g, E = %.12g", rows[r].count, fit.scale, fit.error);
        CHECK(fit.bound <= fit.error && fit.bound >= fit.error * (1.0 - 1e-9));
        for (int i = 0; i < N; i++) {
            double nearest = INFINITY;
            for (int k = 0; k < rows[r].count; k++) {
                if (fabs((double)w[i] / fit.scale - rows[r].level[k]) <
                    fabs((double)w[i] / fit.scale - nearest))
                    nearest = rows[r].level[k];
            }
            CHECK_MSG(nearest == rows[r].values[i], "value %d has level %g", i, nearest);
        }
        CHECK(near(sweep(w, NULL, N, rows[r].level, rows[r].count, &s), rows[r].error));
        CHECK(near(s, rows[r].scale));
        free(space), free(more);
    }
}

/* Free levels: the best division of the six values into two, three and four runs. */
static void free_levels(void)
{
    static const double error[] = {1.885, 0.251666666667, 0.085};
    for (int k = 2; k <= 4; k++) {
        void *space = aligned_alloc(64, (qnt__sort_bytes(N) + 63) / 64 * 64);
        void *more = aligned_alloc(64, (qnt__kmeans_bytes(N, k) + 63) / 64 * 64);
        struct qnt__sorted sorted;
        double level[4];
        qnt__sort(w, NULL, N, QNT__SIGNED, space, &sorted);
        double found = qnt__kmeans(&sorted, k, more, level);
        CHECK_MSG(near(found, error[k - 2]), "%d levels: E = %.12g", k, found);
        free(space), free(more);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(fixed_zero);
    RUN(negative_scale);
    RUN(integer_zero);
    RUN(real_offset);
    RUN(code_books);
    RUN(free_levels);
    return DONE;
}
