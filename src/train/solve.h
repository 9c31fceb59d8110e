/* Small systems of equations of least squares. */
#ifndef QNT__TRAIN_SOLVE_H
#define QNT__TRAIN_SOLVE_H

#include <stdbool.h>
#include <stdint.h>

/* (a + ridge) x = y for a symmetric matrix [n][n] that no vector makes negative, of which only the
 * lower half is read; the ridge is a billionth of its trace. x takes the place of y, a is lost.
 * False, with y undefined, if a is 0 or not finite. */
bool qnt__solve(double *a, double *y, int32_t n);

#endif
