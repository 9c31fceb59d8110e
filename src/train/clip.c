/*
 * QNT_PACT: where activations are clipped is learned (Choi et al. 2018, eq. 1 to 3).
 *
 * Inside the clip the gradient passes to x, beyond it to the clip: the two never share an element.
 * With QNT_SIGNED the clip is on both sides, as for weights.
 */
#include "rows.h"

static double steps_of(const qnt_spec *spec)
{
    return ldexp(1.0, spec->bits - (spec->flags & QNT_SIGNED ? 1 : 0)) - 1.0;
}

QNT__TRAIN_COUNT(pact)
{
    (void)trainer;
    return 1;
}

/* As published 10; else the largest magnitude that three standard deviations reach. */
QNT__TRAIN_START(pact)
{
    (void)space;
    const qnt_spec *spec = &trainer->spec;
    theta[0] = spec->flags & QNT_LITERAL ? 10.0 : qnt__train_reach(spec, x, n);
}

QNT__TRAIN_PROJECT(pact)
{
    const qnt_spec *spec = &trainer->spec;
    const double most = qnt__train_most_step(spec) * steps_of(spec);
    theta[0] = qnt__train_within(theta[0], QNT__TRAIN_LEAST, most);
}

QNT__TRAIN_AFFINE(pact)
{
    out->scale = pass->theta[0] / steps_of(&pass->trainer->spec);
    out->narrow = pass->trainer->spec.flags & QNT_SIGNED;
}

QNT__TRAIN_BACKWARD(pact)
{
    const double clip = pass->theta[0], low = pass->trainer->spec.flags & QNT_SIGNED ? -clip : 0.0;
    double sum = 0.0;
    for (size_t i = 0; i < span->n; i++) {
        double v = (double)x[i], g = (double)dy[i];
        if (v >= clip)
            sum += g;
        else if (v <= low && low < 0.0)
            sum -= g;
        dx[i] = v >= low && v < clip ? dy[i] : 0.0f;
    }
    dtheta[0] += sum;
}
