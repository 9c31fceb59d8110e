/*
 * QNT_LSQ and QNT_LSQPLUS: the step between codes is learned, and with LSQ+ the value of the lowest
 * code.
 *
 * Straight through the rounding (Esser et al. 2020, eq. 3): with v = (x - offset) / step between
 * the outermost codes low and high, dy/dx = 1 and dy/dstep = round(v) - v; beyond them dy/dx = 0
 * and dy/dstep is the code, dy/doffset 1 (Bhalgat et al. 2020). The gradient of the
 * numbers is scaled by 1 / sqrt(elements * high) so that it has the size of the weights' own (Esser
 * et al.).
 */
#include <math.h>

#include "rows.h"

enum { STEP = 0, OFFSET = 1 };

static const double least_step = 0x1p-100;

static double low_of(const qnt_spec *spec)
{
    return spec->flags & QNT_SIGNED ? -ldexp(1.0, spec->bits - 1) : 0.0;
}

static double high_of(const qnt_spec *spec)
{
    return (spec->flags & QNT_SIGNED ? ldexp(1.0, spec->bits - 1) : ldexp(1.0, spec->bits)) - 1.0;
}

QNT__TRAIN_COUNT(lsq)
{
    return trainer->spec.method == QNT_LSQPLUS ? 2 : 1;
}

/* Step 2 mean |x| / sqrt(high) (Esser et al. 2020). */
QNT__TRAIN_START(lsq)
{
    (void)space;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += fabs((double)x[i]);
    theta[STEP] = 2.0 * sum / (double)n / sqrt(fmax(high_of(&trainer->spec), 1.0));
}

/* Weights: three standard deviations to the lowest code (Bhalgat et al. 2020); activations: the
 * whole range. */
QNT__TRAIN_START(lsqplus)
{
    (void)space;
    const double low = low_of(&trainer->spec), high = high_of(&trainer->spec);
    double sum = 0.0, squares = 0.0, least = (double)x[0], most = (double)x[0];
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        sum += v, squares += v * v;
        least = fmin(least, v), most = fmax(most, v);
    }
    double mean = sum / (double)n, spread = sqrt(fmax(squares / (double)n - mean * mean, 0.0));
    if (trainer->spec.flags & QNT_SIGNED) {
        theta[STEP] = fmax(fabs(mean - 3.0 * spread), fabs(mean + 3.0 * spread)) / -low;
        theta[OFFSET] = 0.0;
    } else {
        theta[STEP] = (most - least) / (high - low);
        theta[OFFSET] = least;
    }
}

QNT__TRAIN_PROJECT(lsq)
{
    (void)trainer;
    if (theta[STEP] < least_step) theta[STEP] = least_step;
}

QNT__TRAIN_AFFINE(lsq)
{
    const qnt_spec *spec = &pass->trainer->spec;
    out->scale = pass->theta[STEP];
    if (spec->method != QNT_LSQPLUS) return;
    if (spec->flags & QNT_LITERAL) { /* offset is that of code 0 */
        out->offset = pass->theta[OFFSET];
        return;
    }
    double zero = rint(-pass->theta[OFFSET] / (double)(float)out->scale);
    out->zero = (int32_t)fmin(fmax(zero, low_of(spec)), high_of(spec));
}

QNT__TRAIN_BACKWARD(lsq)
{
    const qnt_spec *spec = &pass->trainer->spec;
    struct qnt__train_affine q = {0};
    qnt__lsq_affine(pass, &q);
    const bool offset = spec->method == QNT_LSQPLUS;
    const double low = low_of(spec) - q.zero, high = high_of(spec) - q.zero;
    const float scale = (float)q.scale, shift = (float)q.offset;
    double step_sum = 0.0, offset_sum = 0.0;
    for (size_t i = 0; i < span->n; i++) {
        double v = (double)((x[i] - shift) / scale), g = (double)dy[i];
        bool inside = v >= low && v <= high;
        if (v < low)
            step_sum += g * low;
        else if (v > high)
            step_sum += g * high;
        else if (inside)
            step_sum += g * (rint(v) - v);
        if (!inside && v == v) offset_sum += g;
        dx[i] = inside ? dy[i] : 0.0f;
    }
    double size = sqrt((double)pass->size * fmax(high_of(spec), 1.0));
    dtheta[STEP] += step_sum / size;
    if (offset) dtheta[OFFSET] += offset_sum / size;
}
