/*
 * QNT_DOREFA (Zhou et al. 2016): nothing is learned.
 *
 * Activations (eq. 11): x clipped to [0, 1], 2^k - 1 equal steps; the gradient passes inside.
 * Weights (eq. 9): t = tanh(w) / (2 M) + 1/2 in [0, 1], M = max |tanh(w)|, rounded to 2^k - 1 equal
 * steps and spread over [-1, 1]. Straight through the rounding that is tanh(w) / M, so
 *
 *     d w_i = g_i (1 - tanh^2 w_i) / M,
 *
 * and the element of the maximum moves M, and with it all others: it gets in addition
 * sign(w) (1 - M^2) P with the pull P = -sum g_i tanh(w_i) / M^2. Equal maxima share that.
 * One bit (eq. 7 and 8): the sign times mean |w|, straight through.
 */
#include <math.h>

#include "rows.h"

enum {
    LARGEST = 0,            /* M */
    MEAN = 1,               /* of |w| */
    TOP = 2,                /* the largest |w| */
    TIES = 3,               /* how many have it */
    PULL = QNT__DOREFA_PULL /* P */
};

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
    double top = 0.0, ties = 0.0, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double size = fabs((double)x[i]);
        ties = size > top ? 1.0 : ties + (size == top);
        top = fmax(top, size);
        sum += size;
    }
    facts[LARGEST] = tanh(top);
    facts[MEAN] = sum / (double)n;
    facts[TOP] = top;
    facts[TIES] = ties;
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

static bool through_tanh(const struct qnt__pass *pass)
{
    const qnt_spec *spec = &pass->trainer->spec;
    return (spec->flags & QNT_SIGNED) && spec->bits > 1;
}

double qnt__dorefa_pull(const struct qnt__pass *pass, double x, double dy)
{
    const double largest = pass->facts[LARGEST];
    return through_tanh(pass) && largest > 0.0 ? -dy * tanh(x) / (largest * largest) : 0.0;
}

static double weight_gradient(const struct qnt__pass *pass, double x, double dy)
{
    const double *f = pass->facts;
    if (!(f[LARGEST] > 0.0)) return 0.0;
    double t = tanh(x), slope = 1.0 - t * t, share = 0.0;
    if (fabs(x) == f[TOP]) share = (x > 0.0 ? f[PULL] : -f[PULL]) / f[TIES];
    return slope * (dy / f[LARGEST] + share);
}

QNT__TRAIN_BACKWARD(dorefa)
{
    const bool weights = pass->trainer->spec.flags & QNT_SIGNED, tanh_of = through_tanh(pass);
    (void)dtheta;
    for (size_t i = 0; i < span->n; i++) {
        double v = (double)x[i], g = (double)dy[i];
        if (tanh_of)
            dx[i] = (float)weight_gradient(pass, v, g);
        else
            dx[i] = weights || (v >= 0.0 && v <= 1.0) ? dy[i] : 0.0f;
    }
}
