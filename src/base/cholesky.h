/* Cholesky's factors of symmetric positive matrices, for the equations of least squares and of
 * likelihoods. Every sum runs in the order of its index, so results are the same bits everywhere. */
#ifndef QNT__BASE_CHOLESKY_H
#define QNT__BASE_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* A = L L^T. Of `a` with rows of `stride` numbers only the lower half is read; L takes its place.
 * False, with `a` undefined, if A is not positive. */
bool qnt__cholesky(double *a, size_t stride, size_t n);

/* y = L^-1 y */
void qnt__solve_lower(const double *l, size_t stride, double *y, size_t n);

/* y = L^-T y */
void qnt__solve_upper(const double *l, size_t stride, double *y, size_t n);

/* y = A^-1 y; `a` is lost. False, with y as it was, if A is not positive. */
bool qnt__solve_positive(double *a, size_t stride, double *y, size_t n);

#endif
