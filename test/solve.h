/*
 * For the tests of the exact solvers: calling them, and references that share no code with them.
 */
#ifndef SOLVE_H
#define SOLVE_H

#include "check.h"
#include "quantizer/exact.h"

/* ---- data ---- */

enum { GAUSS, LAPLACE, INTEGERS, OUTLIER, SHIFTED, POSITIVE, NEGATIVE, CONSTANT, KINDS };

static UNUSED void fill(float *x, double *h, size_t n, int kind)
{
    double shift = 4.0 * random_unit() - 2.0;
    for (size_t i = 0; i < n; i++) {
        double v = kind == LAPLACE ? random_laplace() : random_gauss();
        if (kind == INTEGERS) v = (double)random_in(-9, 9);
        if (kind == SHIFTED) v += shift;
        if (kind == POSITIVE) v = fabs(v);
        if (kind == NEGATIVE) v = -fabs(v);
        if (kind == CONSTANT) v = shift;
        x[i] = (float)v;
        if (h) h[i] = random_in(0, 3) ? (double)(float)(random_unit() + 0.01) : 0.0;
    }
    if (kind == OUTLIER) x[random_in(0, (int64_t)n - 1)] *= 50.0f;
}

static UNUSED double energy(const float *x, const double *h, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (h ? h[i] : 1.0) * (double)x[i] * (double)x[i];
    return sum;
}

/* ---- the solvers ---- */

/* One scale for codes low..high if first = last = -low; all zero points if first = 0, last =
 * high - low. */
static UNUSED struct qnt__exact solve_grid(const float *x, const double *h, size_t n, int32_t steps,
                                           int32_t first, int32_t last, double nodes)
{
    bool folded = first == last && 2 * first == steps;
    void *space = aligned_alloc(64, (qnt__sort_bytes(n) + 63) / 64 * 64);
    void *more = aligned_alloc(64, (qnt__exact_grid_bytes(steps, first, last) + 63) / 64 * 64);
    struct qnt__sorted sorted;
    struct qnt__exact out;
    qnt__sort(x, h, n, folded ? QNT__FOLDED : QNT__SIDES, space, &sorted);
    qnt__exact_grid(&sorted, steps, first, last, nodes, more, &out);
    free(more);
    free(space);
    return out;
}

static UNUSED struct qnt__exact solve_scale(const float *x, const double *h, size_t n, int low,
                                            int high)
{
    return solve_grid(x, h, n, high - low, -low, -low, 0.0);
}

static UNUSED struct qnt__exact solve_zero(const float *x, const double *h, size_t n, int steps)
{
    return solve_grid(x, h, n, steps, 0, steps, 0.0);
}

static UNUSED struct qnt__exact solve_affine(const float *x, const double *h, size_t n, int low,
                                             int high, double nodes)
{
    void *space = aligned_alloc(64, (qnt__sort_bytes(n) + 63) / 64 * 64);
    void *more = aligned_alloc(64, (qnt__exact_affine_bytes(low, high) + 63) / 64 * 64);
    struct qnt__sorted sorted;
    struct qnt__exact out;
    qnt__sort(x, h, n, QNT__SIGNED, space, &sorted);
    qnt__exact_affine(&sorted, low, high, NULL, nodes, more, &out);
    free(more);
    free(space);
    return out;
}

/* ---- the error of parameters, from first principles ---- */

static UNUSED double error_of(const float *x, const double *h, size_t n,
                              const struct qnt__affine *q)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        float t = (x[i] - q->offset) / q->scale;
        t = t < q->low ? q->low : t > q->high ? q->high : t;
        double y = (double)q->offset + (double)nearbyintf(t) * (double)q->scale;
        sum += (h ? h[i] : 1.0) * ((double)x[i] - y) * ((double)x[i] - y);
    }
    return sum;
}

/* ---- the full sweep over all breakpoints of any sorted code book (section "sweep" of
 * doc/exact.md) */

typedef struct sweep_event {
    double s, a, b;
} sweep_event;

static UNUSED int sweep_order(const void *p, const void *q)
{
    double a = ((const sweep_event *)p)->s, b = ((const sweep_event *)q)->s;
    return (a < b) - (a > b);
}

/* Least error over s > 0 and all codes; *scale receives its scale. levels ascend. */
static UNUSED double sweep(const float *x, const double *h, size_t n, const double *levels,
                           int count, double *scale)
{
    sweep_event *events = malloc((n * (size_t)count + 1) * sizeof *events);
    size_t m = 0;
    double a = 0.0, b = 0.0, all = energy(x, h, n), best = 0.0;
    for (size_t i = 0; i < n; i++) {
        double w = (double)x[i], v = h ? h[i] : 1.0;
        int k = 0; /* where s = infinity puts it: the level nearest to 0, on w's side if two are */
        while (k + 1 < count && (levels[k] + levels[k + 1] < 0.0 ||
                                 (levels[k] + levels[k + 1] == 0.0 && w > 0.0))) k++;
        a += v * w * levels[k];
        b += v * levels[k] * levels[k];
        for (int step = w > 0.0 ? 1 : -1; w != 0.0 && k + step >= 0 && k + step < count;
             k += step) {
            double middle = 0.5 * (levels[k] + levels[k + step]), c = levels[k],
                   d = levels[k + step];
            events[m++] = (sweep_event){w / middle, v * w * (d - c), v * (d * d - c * c)};
        }
    }
    qsort(events, m, sizeof *events, sweep_order);
    *scale = 1.0;
    for (size_t i = 0; i <= m; i++) {
        if (a > 0.0 && b > 0.0 && a / b * a > best) {
            best = a / b * a;
            *scale = a / b;
        }
        if (i == m) break;
        a += events[i].a;
        b += events[i].b;
    }
    free(events);
    return all - best;
}

static UNUSED double sweep_range(const float *x, const double *h, size_t n, int low, int high)
{
    double levels[65536], scale;
    for (int c = low; c <= high; c++) levels[c - low] = (double)c;
    return sweep(x, h, n, levels, high - low + 1, &scale);
}

/* ---- exhaustive search over all codes ---- */

/* Least error over all codes low..high of n values and the best s > 0 for each. */
static UNUSED double exhaust_scale(const float *x, const double *h, size_t n, int low, int high)
{
    int code[32];
    double all = energy(x, h, n), best = all;
    for (size_t i = 0; i < n; i++) code[i] = low;
    for (;;) {
        double a = 0.0, b = 0.0;
        for (size_t i = 0; i < n; i++) {
            double v = h ? h[i] : 1.0;
            a += v * (double)x[i] * code[i];
            b += v * code[i] * code[i];
        }
        if (a > 0.0 && all - a / b * a < best) best = all - a / b * a;
        size_t i = 0;
        while (i < n && code[i] == high) code[i++] = low;
        if (i == n) return best;
        code[i]++;
    }
}

#endif
