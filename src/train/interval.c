/*
 * QNT_INTERVAL and QNT_EWGS: the ends of the interval that codes cover are learned.
 *
 * t = (x - low) / (high - low) kept within [0, 1] is rounded to 2^k - 1 equal steps; activations
 * become that number, weights 2 t - 1 (Hu et al. 2022, PalQuant; Lee et al. 2021). The
 * scale of x is not restored: the layer's own scale, or its batch norm, absorbs it. Straight
 * through the rounding inside the interval; clipped elements move nothing. EWGS scales each
 * gradient by 1 + delta sign(g) (t - round(t)).
 */
#include "rows.h"

enum { LOW = 0, HIGH = 1 };

QNT__TRAIN_LEVELS(interval)
{
    return qnt__levels_of_interval(spec, level);
}

QNT__TRAIN_COUNT(interval)
{
    (void)trainer;
    return 2;
}

/* Weights: three standard deviations to both sides; activations: from the least value to three
 * standard deviations of the normal distribution of which they are the positive half. */
QNT__TRAIN_START(interval)
{
    (void)space;
    const double pi = 3.141592653589793;
    double sum = 0.0, squares = 0.0, least = (double)x[0];
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        least = fmin(least, (double)x[i]);
    }
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - sum / (double)n) * ((double)x[i] - sum / (double)n);
    double spread = n > 1 ? sqrt(squares / (double)(n - 1)) : 0.0;
    bool weights = trainer->spec.flags & QNT_SIGNED;
    theta[LOW] = weights ? -3.0 * spread : least;
    theta[HIGH] = weights ? 3.0 * spread : 3.0 * spread / sqrt(1.0 - 2.0 / pi);
}

/* The interval keeps a length. It follows from the lower end alone, which stays, so that what has it now
 * has it again. */
QNT__TRAIN_PROJECT(interval)
{
    (void)trainer;
    for (int i = LOW; i <= HIGH; i++)
        theta[i] = qnt__train_within(theta[i], -(double)FLT_MAX, (double)FLT_MAX);
    const double least = fmax(fabs(theta[LOW]) * 0x1p-20, QNT__TRAIN_LEAST);
    if (theta[HIGH] - theta[LOW] < least) theta[HIGH] = theta[LOW] + least;
}

QNT__TRAIN_SCALE(interval)
{
    return 1.0 / qnt__train_steps(&pass->trainer->spec);
}

static double place_of(const struct qnt__pass *pass, double x)
{
    return (x - pass->theta[LOW]) / (pass->theta[HIGH] - pass->theta[LOW]);
}

QNT__TRAIN_RANK(interval)
{
    return (int32_t)rint(fmin(fmax(place_of(pass, x), 0.0), 1.0) *
                         qnt__train_steps(&pass->trainer->spec));
}

QNT__TRAIN_BACKWARD(interval)
{
    const qnt_spec *spec = &pass->trainer->spec;
    const double length = pass->theta[HIGH] - pass->theta[LOW], steps = qnt__train_steps(spec);
    const double spread = spec->flags & QNT_SIGNED ? 2.0 : 1.0; /* of the values over t */
    const double delta = spec->method == QNT_EWGS ? pass->trainer->options.delta : 0.0;
    double low = 0.0, high = 0.0;
    for (size_t i = 0; i < span->n; i++) {
        double t = place_of(pass, (double)x[i]), g = spread * (double)dy[i];
        if (!(t >= 0.0 && t <= 1.0)) {
            dx[i] = 0.0f;
            continue;
        }
        g *= 1.0 + delta * (g > 0.0 ? 1.0 : g < 0.0 ? -1.0 : 0.0) * (t - rint(t * steps) / steps);
        high -= g * t / length;
        low += g * (t - 1.0) / length;
        dx[i] = (float)(g / length);
    }
    dtheta[LOW] += low;
    dtheta[HIGH] += high;
}
