/*
 * QNT_DOREFA (Zhou et al. 2016): nothing is learned.
 *
 * Activations (eq. 11): x clipped to [0, 1], 2^k - 1 equal steps; the gradient passes inside.
 * Weights (eq. 9): t = tanh(w) / (2 max |tanh|) + 1/2 in [0, 1], rounded to 2^k - 1 equal steps and
 * spread over [-1, 1]; the gradient is that of t, the maximum being a constant. One bit (eq. 7 and
 * 8): the sign times mean |w|, straight through.
 */
#include <math.h>

#include "rows.h"

enum { LARGEST = 0, MEAN = 1 }; /* facts: of |tanh|, of |w| */

QNT__TRAIN_LEVELS(dorefa)
{
    return qnt__levels_of_interval(spec, level);
}

QNT__TRAIN_COUNT(dorefa)
{
    (void)trainer;
    return 0;
}

QNT__TRAIN_FACTS(dorefa)
{
    double largest = 0.0, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)x[i]));
        sum += fabs((double)x[i]);
    }
    facts[LARGEST] = tanh(largest);
    facts[MEAN] = sum / (double)n;
    (void)trainer;
}

QNT__TRAIN_AFFINE(dorefa)
{
    out->scale = 1.0 / qnt__train_steps(&pass->trainer->spec);
}

QNT__TRAIN_SCALE(dorefa)
{
    const qnt_spec *spec = &pass->trainer->spec;
    return spec->bits == 1 ? pass->facts[MEAN] : 1.0 / qnt__train_steps(spec);
}

QNT__TRAIN_RANK(dorefa)
{
    const qnt_spec *spec = &pass->trainer->spec;
    if (spec->bits == 1) return x > 0.0;
    double largest = pass->facts[LARGEST];
    double t = largest > 0.0 ? tanh(x) / (2.0 * largest) + 0.5 : 0.5;
    return (int32_t)rint(fmin(fmax(t, 0.0), 1.0) * qnt__train_steps(spec));
}

QNT__TRAIN_BACKWARD(dorefa)
{
    const qnt_spec *spec = &pass->trainer->spec;
    const bool weights = spec->flags & QNT_SIGNED;
    (void)dtheta;
    for (size_t i = 0; i < span->n; i++) {
        double v = (double)x[i], slope = v >= 0.0 && v <= 1.0;
        if (weights && spec->bits == 1)
            slope = 1.0;
        else if (weights) {
            double t = tanh(v);
            slope = pass->facts[LARGEST] > 0.0 ? (1.0 - t * t) / pass->facts[LARGEST] : 0.0;
        }
        dx[i] = (float)((double)dy[i] * slope);
    }
}
