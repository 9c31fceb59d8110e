/* QNT_MINMAX: the range of the values. */
#include "methods.h"

#include <float.h>
#include <math.h>

#include "range.h"

void qnt__fit_range(const qnt_spec *spec, float low, float high, struct qnt__group_fit *fit)
{
    float range[2] = {low, high};
    if (!(spec->flags & QNT_REAL_OFFSET)) {
        struct qnt__affine q = qnt__affine_of_range(spec, range);
        fit->scale = q.scale;
        fit->zero = q.zero;
        return;
    }
    int32_t first = qnt__code_low(spec), last = qnt__code_high(spec);
    double step = ((double)high - low) / (last - first);
    fit->scale = (float)fmin(step, FLT_MAX);
    if (fit->scale > 0) {
        double offset = low - first * (double)fit->scale;
        fit->offset = (float)fmin(fmax(offset, -FLT_MAX), FLT_MAX);
    } else { /* constant: a code near 0 stands for it */
        fit->scale = 1;
        fit->offset = low - (first > 0 ? (float)first : 0.0f);
    }
}

void qnt__fit_minmax(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                     struct qnt__group_fit *fit)
{
    qnt__fit_range(&quantizer->spec, data->moments->min, data->moments->max, fit);
}
