/* The logistic function, S(u) = 1 / (1 + exp(-u)), without overflow or cancellation. */
#ifndef QNT__TRAIN_SIGMOID_H
#define QNT__TRAIN_SIGMOID_H

#include <math.h>

static inline double qnt__sigmoid(double u)
{
    double e = exp(-fabs(u));
    return u >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

/* log S(u) */
static inline double qnt__log_sigmoid(double u)
{
    return fmin(u, 0.0) - log1p(exp(-fabs(u)));
}

#endif
