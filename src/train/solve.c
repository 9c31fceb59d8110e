/* Cholesky's factors, and two triangular systems. */
#include "solve.h"

#include <math.h>

static const double ridge = 1e-9;

static bool factor(double *a, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        for (int32_t j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (int32_t k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
            if (i == j && !(sum > 0.0)) return false;
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    }
    return true;
}

bool qnt__solve(double *a, double *y, int32_t n)
{
    double trace = 0.0;
    for (int32_t i = 0; i < n; i++) trace += a[i * n + i];
    for (int32_t i = 0; i < n; i++) a[i * n + i] += ridge * trace;
    if (!factor(a, n)) return false;
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < i; k++) y[i] -= a[i * n + k] * y[k];
        y[i] /= a[i * n + i];
    }
    for (int32_t i = n - 1; i >= 0; i--) {
        for (int32_t k = i + 1; k < n; k++) y[i] -= a[k * n + i] * y[k];
        y[i] /= a[i * n + i];
    }
    return true;
}
