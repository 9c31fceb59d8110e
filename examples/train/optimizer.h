/* Steps of gradient descent on arrays of numbers; the arrays of state are the caller's, 0 at first.
 */
#ifndef OPTIMIZER_H
#define OPTIMIZER_H

#include <stddef.h>

/* Momentum with weight decay: v = 0.9 v + g + decay w; w -= rate v. */
void step_momentum(float *w, const float *g, float *v, size_t n, double rate, double decay);

/* Adam (Kingma, Ba 2015) at step `t` from 1 on, with decoupled weight decay (Loshchilov, Hutter
 * 2019). */
void step_adam_floats(float *w, const float *g, float *m, float *v, size_t n, int t, double rate,
                      double decay);

/* Adam at step `t` from 1 on; every number moves in steps of rate * size[i]. */
void step_adam(double *w, const double *g, double *m, double *v, const double *size, size_t n,
               int t, double rate);

/* From 1 to 0 along half a cosine (Loshchilov, Hutter 2017). */
double cosine(double share);

#endif
