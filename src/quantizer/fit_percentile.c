/* QNT_PERCENTILE: weighted quantiles. */
#include "methods.h"

#include <math.h>

static double weight_of(const struct qnt__group_data *data, size_t i)
{
    return data->weights ? data->weights[i] : 1;
}

/* The magnitude beyond which less than or exactly `outside` of the weight lies; magnitudes descend
 * from both ends of the values. */
static float magnitude_at(const struct qnt__group_data *data, double outside)
{
    size_t low = 0, high = data->n - 1;
    double passed = 0;
    while (low < high) {
        bool lower = -data->values[low] > data->values[high];
        passed += weight_of(data, lower ? low : high);
        if (passed > outside) return fabsf(data->values[lower ? low : high]);
        if (lower) low++;
        else high--;
    }
    return fabsf(data->values[low]);
}

void qnt__fit_percentile(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                         struct qnt__group_fit *fit)
{
    double total = 0, outside, passed;
    for (size_t i = 0; i < data->n; i++) total += weight_of(data, i);
    outside = total * (100 - quantizer->options.percentile) / 100;
    if (quantizer->spec.flags & QNT_SYMMETRIC) {
        float magnitude = magnitude_at(data, outside);
        qnt__fit_range(&quantizer->spec, -magnitude, magnitude, fit);
        return;
    }
    size_t low = 0, high = data->n - 1; /* half of what is left out goes to each side */
    for (passed = weight_of(data, low); passed <= outside / 2; passed += weight_of(data, low))
        low++;
    for (passed = weight_of(data, high); passed <= outside / 2; passed += weight_of(data, high)) {
        high--;
    }
    qnt__fit_range(&quantizer->spec, data->values[low], data->values[high], fit);
}
