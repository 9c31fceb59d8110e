/* Cholesky's factors, row by row, and the two triangular systems that they leave. */
#include "base/cholesky.h"

#include <math.h>

bool qnt__cholesky(double *a, size_t stride, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * stride;
        for (size_t j = 0; j <= i; j++) {
            const double *other = a + j * stride;
            double sum = row[j];
            for (size_t k = 0; k < j; k++) sum -= row[k] * other[k];
            if (i == j && !(sum > 0.0)) return false;
            row[j] = i == j ? sqrt(sum) : sum / other[j];
        }
    }
    return true;
}

void qnt__solve_lower(const double *l, size_t stride, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double *row = l + i * stride;
        double sum = y[i];
        for (size_t k = 0; k < i; k++) sum -= row[k] * y[k];
        y[i] = sum / row[i];
    }
}

void qnt__solve_upper(const double *l, size_t stride, double *y, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        double sum = y[i];
        for (size_t k = i + 1; k < n; k++) sum -= l[k * stride + i] * y[k];
        y[i] = sum / l[i * stride + i];
    }
}

bool qnt__solve_positive(double *a, size_t stride, double *y, size_t n)
{
    if (!qnt__cholesky(a, stride, n)) return false;
    qnt__solve_lower(a, stride, y, n);
    qnt__solve_upper(a, stride, y, n);
    return true;
}
