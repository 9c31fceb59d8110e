/* Ridge regression with many right sides, for thousands of features. */
#ifndef RIDGE_H
#define RIDGE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * x becomes the solution of (a + penalty) x = y. a[n][n] is symmetric, only what is on and above
 * its diagonal is read; x[n][sides] is y before. factor[n][n] may be a itself. False if a + penalty
 * is not positive. Sums have one order, whatever the machine.
 */
bool ridge_solve(const double *a, size_t n, double penalty, double *factor, double *x,
                 size_t sides);

#endif
