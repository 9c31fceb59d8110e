/*
 * QNT_N2UQ (Liu et al. 2022): thresholds are learned, levels stay uniform.
 *
 * Activations. The intervals a_1 ... a_L, L = 2^k - 1, follow each other from `start`; the code
 * counts the intervals whose middle lies below x. Its expectation, were each threshold drawn
 * uniformly from its interval, is f(x) = i - 1 + (x - d_{i-1}) / a_i within interval i, d the ends;
 * the gradients are those of f (the paper's generalised straight-through estimator), so narrow
 * intervals, where many values change codes, pass more of it.
 *
 * Weights. Scaled so that mean |w| is 2^(k-1) / (2^k - 1), which spreads them evenly over the
 * codes, then 2^k - 1 equal steps on [-1, 1], straight through inside; levels are scaled back.
 */
#include "rows.h"

enum { SCALE = 0, START = 1, LENGTHS = 2 };

QNT__TRAIN_COUNT(n2uq)
{
    const qnt_spec *spec = &trainer->spec;
    return spec->flags & QNT_SIGNED ? 0 : LENGTHS + (size_t)qnt__train_steps(spec);
}

/* What weights are multiplied by. */
QNT__TRAIN_FACTS(n2uq)
{
    double sum = 0.0, steps = (double)qnt__train_steps(&trainer->spec);
    for (size_t i = 0; i < n; i++) sum += fabs((double)x[i]);
    facts[0] = sum > 0.0 ? (steps + 1.0) / (2.0 * steps) * (double)n / sum : 0.0;
}

/* Equal intervals up to three times the root mean square, levels where they begin and end. */
QNT__TRAIN_START(n2uq)
{
    (void)space;
    const int32_t steps = qnt__train_steps(&trainer->spec);
    if (trainer->spec.flags & QNT_SIGNED) return;
    const double step = qnt__train_reach(&trainer->spec, x, n) / steps;
    theta[SCALE] = step;
    theta[START] = 0.0;
    for (int32_t i = 0; i < steps; i++) theta[LENGTHS + i] = step;
}

QNT__TRAIN_PROJECT(n2uq)
{
    if (trainer->spec.flags & QNT_SIGNED) return;
    const double end = (double)FLT_MAX;
    theta[SCALE] = qnt__train_within(theta[SCALE], QNT__TRAIN_LEAST, QNT__TRAIN_MOST);
    theta[START] = qnt__train_within(theta[START], -end, end);
    for (int32_t i = 0; i < qnt__train_steps(&trainer->spec); i++)
        theta[LENGTHS + i] = qnt__train_within(theta[LENGTHS + i], QNT__TRAIN_LEAST, end);
}

QNT__TRAIN_SCALE(n2uq)
{
    const qnt_spec *spec = &pass->trainer->spec;
    if (!(spec->flags & QNT_SIGNED)) return pass->theta[SCALE];
    return pass->facts[0] > 0.0 ? 1.0 / (pass->facts[0] * qnt__train_steps(spec)) : 1.0;
}

QNT__TRAIN_RANK(n2uq)
{
    const qnt_spec *spec = &pass->trainer->spec;
    const int32_t steps = qnt__train_steps(spec);
    if (spec->flags & QNT_SIGNED) {
        double v = fmin(fmax(pass->facts[0] * x, -1.0), 1.0);
        return (int32_t)rint((v + 1.0) / 2.0 * steps);
    }
    double end = pass->theta[START];
    for (int32_t i = 0; i < steps; i++) {
        double length = pass->theta[LENGTHS + i];
        if (!(x > end + 0.5 * length)) return i;
        end += length;
    }
    return steps;
}

static void weights_backward(const struct qnt__pass *pass, const struct qnt__span *span,
                             const float *x, const float *dy, float *dx)
{
    for (size_t i = 0; i < span->n; i++)
        dx[i] = fabs(pass->facts[0] * (double)x[i]) <= 1.0 ? dy[i] : 0.0f;
}

QNT__TRAIN_BACKWARD(n2uq)
{
    const qnt_spec *spec = &pass->trainer->spec;
    if (spec->flags & QNT_SIGNED) {
        weights_backward(pass, span, x, dy, dx);
        return;
    }
    const int32_t steps = qnt__train_steps(spec);
    const double *length = pass->theta + LENGTHS, scale = pass->theta[SCALE];
    for (size_t e = 0; e < span->n; e++) {
        double v = (double)x[e], g = (double)dy[e], begin = pass->theta[START];
        dtheta[SCALE] += g * qnt__n2uq_rank(pass, v);
        dx[e] = 0.0f;
        if (!(v > begin)) continue;
        int32_t i = 0;
        while (i < steps && v >= begin + length[i]) begin += length[i++];
        if (i == steps) continue;
        double slope = g * scale / length[i]; /* of f */
        dx[e] = (float)slope;
        dtheta[START] -= slope;
        for (int32_t j = 0; j < i; j++) dtheta[LENGTHS + j] -= slope;
        dtheta[LENGTHS + i] -= slope * (v - begin) / length[i];
    }
}
