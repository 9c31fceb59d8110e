/* Small systems of equations of least squares, with a ridge. */
#include "solve.h"

#include "base/cholesky.h"

static const double ridge = 1e-9;

bool qnt__solve(double *a, double *y, int32_t n)
{
    const size_t count = (size_t)n;
    double trace = 0.0;
    for (size_t i = 0; i < count; i++) trace += a[i * count + i];
    for (size_t i = 0; i < count; i++) a[i * count + i] += ridge * trace;
    return qnt__solve_positive(a, count, y, count);
}
