/* Greedy peeling, refitting, and alternating between codes and coefficients. */
#include "bases.h"

#include <math.h>
#include <string.h>

#include "base/cholesky.h"

static double weight(const double *h, size_t i)
{
    return h ? h[i] : 1.0;
}

static double sign(unsigned code, int32_t p)
{
    return code >> p & 1u ? 1.0 : -1.0;
}

static double level(unsigned code, int32_t count, const double *coef)
{
    double y = 0.0;
    for (int32_t p = 0; p < count; p++) y += sign(code, p) * coef[p];
    return y;
}

double qnt__bases_error(const float *x, const double *h, size_t n, int32_t count,
                        const double *coef, const uint8_t *code)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double away = (double)x[i] - level(code[i], count, coef);
        sum += weight(h, i) * away * away;
    }
    return sum;
}

/* Solves the normal equations; a small ridge keeps equal bases harmless. */
static void refit(const float *x, const double *h, size_t n, int32_t count, double *coef,
                  const uint8_t *code)
{
    double a[QNT__BASES_MAX][QNT__BASES_MAX] = {{0.0}}, b[QNT__BASES_MAX] = {0.0};
    for (size_t i = 0; i < n; i++) {
        for (int32_t p = 0; p < count; p++) {
            double s = weight(h, i) * sign(code[i], p);
            b[p] += s * (double)x[i];
            for (int32_t q = 0; q <= p; q++) a[p][q] += s * sign(code[i], q);
        }
    }
    for (int32_t p = 0; p < count; p++) a[p][p] *= 1.0 + 1e-12;
    if (!qnt__solve_positive(a[0], QNT__BASES_MAX, b, (size_t)count))
        return; /* the caller keeps what it had */
    memcpy(coef, b, (size_t)count * sizeof *coef);
}

/* One base after the other; a base is the sign of what is left, which cannot lie in their span. */
static int32_t peel(const float *x, const double *h, size_t n, int32_t most, int refined,
                    double *coef, uint8_t *code)
{
    double energy = 0.0, mass = 0.0;
    for (size_t i = 0; i < n; i++) {
        energy += weight(h, i) * (double)x[i] * (double)x[i];
        mass += weight(h, i);
    }
    memset(code, 0, n);
    memset(coef, 0, QNT__BASES_MAX * sizeof *coef); /* another try may have taken more of them */
    for (int32_t p = 0; p < most; p++) {
        double left = qnt__bases_error(x, h, n, p, coef, code);
        if (!(left > 1e-12 * energy)) return p;
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) {
            double r = (double)x[i] - level(code[i], p, coef);
            if (r >= 0.0) code[i] = (uint8_t)(code[i] | 1u << p);
            sum += weight(h, i) * fabs(r);
        }
        coef[p] = sum / mass;
        if (refined) refit(x, h, n, p + 1, coef, code);
    }
    return most;
}

/* The nearest level of each element by binary search over the sorted sums. */
static void nearest(const float *x, size_t n, int32_t count, const double *coef, uint8_t *code)
{
    double y[1 << QNT__BASES_MAX];
    uint8_t name[1 << QNT__BASES_MAX];
    unsigned levels = 1u << count;
    for (unsigned c = 0; c < levels; c++) {
        double v = level(c, count, coef);
        unsigned at = c;
        for (; at > 0 && y[at - 1] > v; at--) {
            y[at] = y[at - 1];
            name[at] = name[at - 1];
        }
        y[at] = v;
        name[at] = (uint8_t)c;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned low = 0, high = levels - 1;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if ((double)x[i] > 0.5 * (y[middle] + y[middle + 1])) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        code[i] = name[low];
    }
}

static void alternate(const float *x, const double *h, size_t n, int32_t count, int32_t rounds,
                      double *coef, uint8_t *code)
{
    double error = qnt__bases_error(x, h, n, count, coef, code);
    for (int32_t round = 0; round < rounds; round++) {
        double fresh[QNT__BASES_MAX], before = error;
        nearest(x, n, count, coef, code);
        memcpy(fresh, coef, sizeof fresh);
        refit(x, h, n, count, fresh, code);
        double least = qnt__bases_error(x, h, n, count, coef, code);
        error = qnt__bases_error(x, h, n, count, fresh, code);
        if (error < least) {
            memcpy(coef, fresh, sizeof fresh);
        } else {
            error = least;
        }
        if (!(error < before * (1.0 - 1e-9))) break;
    }
}

/* Flips negative bases, and orders them; the sums stay what they are. */
static void tidy(size_t n, int32_t count, double *coef, uint8_t *code)
{
    int32_t from[QNT__BASES_MAX];
    double old[QNT__BASES_MAX];
    for (int32_t p = 0; p < count; p++) {
        int32_t at = p;
        old[p] = coef[p];
        for (; at > 0 && fabs(old[from[at - 1]]) > fabs(old[p]); at--) from[at] = from[at - 1];
        from[at] = p;
    }
    for (int32_t p = 0; p < count; p++) coef[p] = fabs(old[from[p]]);
    for (size_t i = 0; i < n; i++) {
        unsigned c = 0;
        for (int32_t p = 0; p < count; p++) {
            unsigned bit = (unsigned)code[i] >> from[p] & 1u;
            c |= (old[from[p]] < 0.0 ? 1u - bit : bit) << p;
        }
        code[i] = (uint8_t)c;
    }
}

int32_t qnt__bases(const float *x, const double *h, size_t n, int32_t most, enum qnt__bases_how how,
                   int32_t rounds, double coef[QNT__BASES_MAX], uint8_t *code)
{
    if (most > QNT__BASES_MAX) most = QNT__BASES_MAX;
    if ((size_t)most > (n + 1) / 2) most = (int32_t)((n + 1) / 2);
    int32_t count = peel(x, h, n, most, 0, coef, code);
    if (how != QNT__BASES_GREEDY) {
        double greedy = qnt__bases_error(x, h, n, count, coef, code);
        count = peel(x, h, n, most, 1, coef, code);
        if (qnt__bases_error(x, h, n, count, coef, code) > greedy) {
            count = peel(x, h, n, most, 0, coef, code);
        }
    }
    if (how == QNT__BASES_ALTERNATING) alternate(x, h, n, count, rounds, coef, code);
    tidy(n, count, coef, code);
    return count;
}
