/* The inverse square root of a symmetric matrix by Jacobi's cyclic rotations (Golub, Van
 * Loan, 8.5), and its derivative. */
#include <math.h>
#include <string.h>

#include "ckn.h"

enum { SWEEPS = 40 };

static const double least_roots = 1e-6; /* the slope of a root at 0 is infinite */

/* One rotation that makes k[p][q] 0. */
static void rotate(double *k, double *v, size_t n, size_t p, size_t q)
{
    double apq = k[p * n + q], tau = (k[q * n + q] - k[p * n + p]) / (2.0 * apq);
    double t = (tau >= 0.0 ? 1.0 : -1.0) / (fabs(tau) + sqrt(1.0 + tau * tau));
    double c = 1.0 / sqrt(1.0 + t * t), s = t * c;
    for (size_t i = 0; i < n; i++) { /* columns */
        double a = k[i * n + p], b = k[i * n + q];
        k[i * n + p] = c * a - s * b;
        k[i * n + q] = s * a + c * b;
    }
    for (size_t i = 0; i < n; i++) { /* rows; v keeps its vectors in rows */
        double a = k[p * n + i], b = k[q * n + i], x = v[p * n + i], y = v[q * n + i];
        k[p * n + i] = c * a - s * b;
        k[q * n + i] = s * a + c * b;
        v[p * n + i] = c * x - s * y;
        v[q * n + i] = s * x + c * y;
    }
}

static bool sweep(double *k, double *v, size_t n)
{
    double off = 0.0, diagonal = 0.0;
    for (size_t p = 0; p < n; p++) {
        diagonal += k[p * n + p] * k[p * n + p];
        for (size_t q = p + 1; q < n; q++) off += k[p * n + q] * k[p * n + q];
    }
    if (off <= 1e-32 * diagonal) return false;
    for (size_t p = 0; p + 1 < n; p++) {
        for (size_t q = p + 1; q < n; q++) {
            if (fabs(k[p * n + q]) > 1e-300) rotate(k, v, n, p, q);
        }
    }
    return true;
}

/* Eigenvalues onto the diagonal of k, their vectors into the rows of v. */
static void decompose(double *k, double *v, size_t n)
{
    memset(v, 0, n * n * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i * n + i] = 1.0;
    for (int i = 0; i < SWEEPS && sweep(k, v, n); i++) continue;
}

void qnt__inverse_root(double *k, size_t n, double regulariser, double *space)
{
    double *v = space, *scaled = space + n * n;
    decompose(k, v, n);
    for (size_t e = 0; e < n; e++) {
        double root = sqrt(fmax(k[e * n + e], 0.0)) + regulariser;
        for (size_t i = 0; i < n; i++) scaled[e * n + i] = root > 0.0 ? v[e * n + i] / root : 0.0;
    }
    memset(k, 0, n * n * sizeof *k);
    for (size_t e = 0; e < n; e++) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) k[i * n + j] += scaled[e * n + i] * v[e * n + j];
        }
    }
}

/* to = v b v^T for vectors in the rows of v, or v^T b v; half: n n doubles. */
static void turn(const double *v, const double *b, size_t n, bool back, double *half, double *to)
{
    memset(half, 0, n * n * sizeof *half);
    memset(to, 0, n * n * sizeof *to);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            double x = back ? v[k * n + i] : v[i * n + k];
            for (size_t j = 0; j < n; j++) half[i * n + j] += x * b[k * n + j];
        }
    }
    for (size_t k = 0; k < n; k++) {
        for (size_t j = 0; j < n; j++) {
            double x = back ? v[k * n + j] : v[j * n + k];
            for (size_t i = 0; i < n; i++) to[i * n + j] += half[i * n + k] * x;
        }
    }
}

/* Daleckii and Krein: the divided differences of 1 / (sqrt(e) + r) are -1 over the product of both
 * denominators and the sum of both roots. */
void qnt__inverse_root_gradient(double *k, size_t n, double regulariser, double *b, double *space)
{
    double *v = space, *half = v + n * n, *turned = half + n * n;
    decompose(k, v, n);
    turn(v, b, n, false, half, turned);
    for (size_t i = 0; i < n; i++) {
        double ri = sqrt(fmax(k[i * n + i], 0.0)), si = ri + regulariser;
        for (size_t j = 0; j < n; j++) {
            double rj = sqrt(fmax(k[j * n + j], 0.0)), sj = rj + regulariser;
            double below = si * sj * fmax(ri + rj, least_roots);
            turned[i * n + j] = below > 0.0 ? -turned[i * n + j] / below : 0.0;
        }
    }
    turn(v, turned, n, true, half, b);
}
