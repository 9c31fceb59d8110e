/* Sums of few vectors of low-bit integers. See multipoint.h. */
#include "multipoint.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/cholesky.h"
#include "exact.h"

enum { LEVELS = 1 << QNT__POINTS_BITS };

/* All sums in ascending order, and their codes. */
struct sums {
    double value[LEVELS];
    uint8_t code[LEVELS];
    uint32_t count;
};

static int32_t digit_limit(int32_t bits)
{
    return (1 << (bits - 1)) - 1;
}

int32_t qnt__multipoint_digit(uint32_t code, int32_t bits, int32_t p)
{
    int32_t raw = (int32_t)(code >> (p * bits) & ((1u << bits) - 1u));
    return raw > digit_limit(bits) ? raw - (1 << bits) : raw;
}

/* Largest number that digits of base 2 Q + 1 write. */
static int32_t radix_limit(int32_t bits, int32_t points)
{
    int32_t base = 2 * digit_limit(bits) + 1, all = 1;
    for (int32_t p = 0; p < points; p++) all *= base;
    return (all - 1) / 2;
}

double qnt__multipoint_value(uint32_t code, int32_t bits, int32_t points, const double *coef)
{
    double sum = 0.0;
    for (int32_t p = 0; p < points; p++)
        sum += (double)qnt__multipoint_digit(code, bits, p) * coef[p];
    return sum;
}

/* ---- radix and greedy ---- */

static size_t solver_bytes(size_t n, int32_t limit)
{
    size_t sort = qnt__sort_bytes(n), bytes;
    if (sort > SIZE_MAX - 64 || !qnt__add(qnt__round_up(sort, 64),
                                          qnt__exact_grid_bytes(2 * limit, limit, limit), &bytes)) {
        return SIZE_MAX;
    }
    return bytes;
}

size_t qnt__multipoint_bytes(size_t n, int32_t bits, int32_t points)
{
    size_t rest, bytes = solver_bytes(n, radix_limit(bits, points));
    if (n > SIZE_MAX / 64 || !qnt__add(bytes, qnt__round_up(n * sizeof(float), 64), &rest))
        return SIZE_MAX;
    return rest;
}

/* The best scale of the levels -limit..limit. */
static double best_scale(const float *x, const double *h, size_t n, int32_t limit, void *space)
{
    struct qnt__sorted sorted;
    struct qnt__exact found;
    qnt__sort(x, h, n, QNT__FOLDED, space, &sorted);
    if (!(sorted.energy > 0.0)) return 0.0;
    void *rest = (char *)space + qnt__round_up(qnt__sort_bytes(n), 64);
    qnt__exact_grid(&sorted, 2 * limit, limit, limit, 0.0, rest, &found);
    return (double)found.affine.scale;
}

void qnt__multipoint_radix(const float *x, const double *h, size_t n, int32_t bits, int32_t points,
                           void *space, double *coef)
{
    double s = best_scale(x, h, n, radix_limit(bits, points), space),
           base = 2 * digit_limit(bits) + 1;
    for (int32_t p = 0; p < points; p++, s *= base) coef[p] = s;
}

void qnt__multipoint_greedy(const float *x, const double *h, size_t n, int32_t bits, int32_t points,
                            void *space, double *coef)
{
    const double limit = digit_limit(bits);
    float *rest = space;
    memcpy(rest, x, n * sizeof *rest);
    space = (char *)space + qnt__round_up(n * sizeof *rest, 64);
    for (int32_t p = 0; p < points; p++) {
        coef[p] = best_scale(rest, h, n, digit_limit(bits), space);
        for (size_t i = 0; i < n && coef[p] > 0.0; i++) {
            double q = rint((double)rest[i] / coef[p]);
            q = q > limit ? limit : q < -limit ? -limit : q;
            rest[i] = (float)((double)rest[i] - coef[p] * q);
        }
    }
}

/* ---- refinement ---- */

/* Sorted by insertion: neighbouring codes are nearly in order. */
static void list_sums(int32_t bits, int32_t points, const double *coef, struct sums *s)
{
    s->count = 1u << (bits * points);
    for (uint32_t c = 0; c < s->count; c++) {
        double v = qnt__multipoint_value(c, bits, points, coef);
        uint32_t at = c;
        for (; at > 0 && s->value[at - 1] > v; at--) {
            s->value[at] = s->value[at - 1];
            s->code[at] = s->code[at - 1];
        }
        s->value[at] = v;
        s->code[at] = (uint8_t)c;
    }
}

static uint8_t nearest(const struct sums *s, double x)
{
    uint32_t low = 0, high = s->count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (x > 0.5 * (s->value[middle] + s->value[middle + 1]))
            low = middle + 1;
        else
            high = middle;
    }
    return s->code[low];
}

/* Normal equations of the coefficients, added up over nearest sums. */
struct normal {
    double a[QNT__POINTS_MAX][QNT__POINTS_MAX], b[QNT__POINTS_MAX], error;
};

static void add_up(const float *x, const double *h, size_t n, int32_t bits, int32_t points,
                   const struct sums *s, const double *coef, struct normal *e)
{
    *e = (struct normal){.error = 0.0};
    for (size_t i = 0; i < n; i++) {
        double weight = h ? h[i] : 1.0, q[QNT__POINTS_MAX], sum = 0.0;
        uint8_t code = nearest(s, (double)x[i]);
        for (int32_t p = 0; p < points; p++) {
            q[p] = (double)qnt__multipoint_digit(code, bits, p);
            sum += q[p] * coef[p];
            e->b[p] += weight * q[p] * (double)x[i];
            for (int32_t k = 0; k <= p; k++) e->a[p][k] += weight * q[p] * q[k];
        }
        e->error += weight * ((double)x[i] - sum) * ((double)x[i] - sum);
    }
}

/* With a small ridge; false if the equations are singular. */
static bool solve(struct normal *e, int32_t points, double *out)
{
    for (int32_t p = 0; p < points; p++) e->a[p][p] *= 1.0 + 1e-12;
    if (!qnt__solve_positive(e->a[0], QNT__POINTS_MAX, e->b, (size_t)points)) return false;
    memcpy(out, e->b, (size_t)points * sizeof *out);
    return true;
}

void qnt__multipoint_refine(const float *x, const double *h, size_t n, int32_t bits, int32_t points,
                            int32_t rounds, double *coef)
{
    struct sums sums;
    struct normal now;
    double kept[QNT__POINTS_MAX], least = INFINITY;
    memcpy(kept, coef, sizeof kept);
    for (int32_t round = 0; round <= rounds; round++) {
        list_sums(bits, points, coef, &sums);
        add_up(x, h, n, bits, points, &sums, coef, &now);
        if (!(now.error < least * (1.0 - 1e-7))) break;
        least = now.error;
        memcpy(kept, coef, sizeof kept);
        if (!solve(&now, points, coef)) break;
    }
    memcpy(coef, kept, sizeof kept);
}
