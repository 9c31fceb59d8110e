/*
 * QNT_MSE for 16 bits, where branch and bound would hold 65536 thresholds per interval: rounding
 * and least squares in turn from the range of the values. A local optimum, so nothing is proven
 * (bound 0); clipping hardly pays with so many codes.
 */
#include "base/numeric.h"
#include "fit_wide.h"

enum { ROUNDS = 8 };

/* Sums of a regression of x on the level k = code - zero. */
struct sums {
    double error, h, x, k, xk, kk;
};

static struct sums sum_up(const struct qnt__group_data *data, const struct qnt__affine *q)
{
    struct sums s = {0};
    for (size_t i = 0; i < data->n; i++) {
        float t = qnt__clamp_f32((data->values[i] - q->offset) / q->scale, q->low, q->high);
        double h = data->weights ? data->weights[i] : 1.0, k = (double)qnt__round_even(t);
        double x = (double)data->values[i] - (double)q->offset, away = x - k * (double)q->scale;
        s.error += h * away * away;
        s.h += h;
        s.x += h * x;
        s.k += h * k;
        s.xk += h * x * k;
        s.kk += h * k * k;
    }
    return s;
}

void qnt__fit_wide(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                   struct qnt__group_fit *fit)
{
    const qnt_spec *spec = &quantizer->spec;
    bool real = spec->flags & QNT_REAL_OFFSET;
    qnt__fit_range(spec, data->moments->min, data->moments->max, fit);
    struct qnt__affine q = {.scale = fit->scale, .offset = fit->offset,
                            .low = (float)(qnt__code_low(spec) - fit->zero),
                            .high = (float)(qnt__code_high(spec) - fit->zero)};
    double best = 0.0;
    for (int round = 0; round < ROUNDS; round++) {
        struct sums s = sum_up(data, &q);
        if (round > 0 && s.error >= best) return;
        best = s.error;
        fit->scale = q.scale;
        fit->offset = q.offset;
        double mean = real ? s.k / s.h : 0.0, det = s.kk - mean * s.k;
        double scale = det > 0.0 ? (s.xk - mean * s.x) / det : 0.0;
        if (!(scale >= 0x1p-149 && scale <= 3e38)) return;
        if (real) q.offset = (float)((double)q.offset + s.x / s.h - scale * mean);
        q.scale = (float)scale;
    }
}
