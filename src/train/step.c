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
#include "rows.h"

enum { STEP = 0, OFFSET = 1 };

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

static int32_t codes_of(const qnt_spec *spec)
{
    return 1 << spec->bits;
}

size_t qnt__lsq_space(const qnt_trainer *trainer, size_t n)
{
    return qnt__train_best_scale_bytes(codes_of(&trainer->spec), n);
}

static double best_step(const qnt_spec *spec, const float *x, size_t n, void *space)
{
    double level[256];
    for (int32_t i = 0; i < codes_of(spec); i++) level[i] = low_of(spec) + i;
    return qnt__train_best_scale(level, codes_of(spec), x, n, space);
}

/* The step of provably least squared error. As published 2 mean |x| / sqrt(high) (Esser et al.
 * 2020), which clips what a ReLU gives, zeros counted, and is far too wide for weights of 3 bits.
 */
QNT__TRAIN_START(lsq)
{
    const qnt_spec *spec = &trainer->spec;
    double sum = 0.0;
    if (!(spec->flags & QNT_LITERAL)) {
        theta[STEP] = best_step(spec, x, n, space);
        return;
    }
    for (size_t i = 0; i < n; i++) sum += fabs((double)x[i]);
    theta[STEP] = 2.0 * sum / (double)n / sqrt(fmax(high_of(&trainer->spec), 1.0));
}

/* Weights: three standard deviations to the lowest code; activations: the least value gets the
 * lowest code, and the step is that of least squared error above it (Bhalgat et al. 2020). */
QNT__TRAIN_START(lsqplus)
{
    const qnt_spec *spec = &trainer->spec;
    double sum = 0.0, squares = 0.0;
    float least = x[0];
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        sum += v, squares += v * v;
        least = fminf(least, x[i]);
    }
    if (spec->flags & QNT_SIGNED) {
        double mean = sum / (double)n, spread = sqrt(fmax(squares / (double)n - mean * mean, 0.0));
        theta[STEP] = fmax(fabs(mean - 3.0 * spread), fabs(mean + 3.0 * spread)) / -low_of(spec);
        theta[OFFSET] = 0.0;
        return;
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)fmin((double)x[i] - (double)least, (double)FLT_MAX);
    theta[STEP] = best_step(spec, x, n, space);
    theta[OFFSET] = (double)least;
}

QNT__TRAIN_PROJECT(lsq)
{
    const double most = qnt__train_most_step(&trainer->spec), end = 0.5 * (double)FLT_MAX;
    theta[STEP] = qnt__train_within(theta[STEP], QNT__TRAIN_LEAST, most);
    if (trainer->spec.method == QNT_LSQPLUS)
        theta[OFFSET] = qnt__train_within(theta[OFFSET], -end, end);
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
