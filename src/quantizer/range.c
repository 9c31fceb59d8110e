/* Parameters from the values at hand. No libm and no table: this is on the run path of layers. */
#include "range.h"

#include <string.h>

#include "base/numeric.h"
#include "quantizer.h"

/* (high - low) / steps where the difference may leave float32. */
static float step_of(float low, float high, float steps)
{
    float width = high - low, largest = 3.402823466e38f;
    float step = width <= largest ? width / steps : high / steps - low / steps;
    if (!(step <= largest)) step = largest; /* one step only, from end to end of float32 */
    return step > 0.0f ? step : 1.0f;
}

struct qnt__affine qnt__affine_of_range(const qnt_spec *spec, const float range[2])
{
    float low = range[0] < 0.0f ? range[0] : 0.0f, high = range[1] > 0.0f ? range[1] : 0.0f;
    int32_t first = qnt__code_low(spec), last = qnt__code_high(spec);
    struct qnt__affine q = {0};

    if (spec->flags & QNT_SYMMETRIC) {
        q.zero = spec->flags & QNT_SIGNED ? 0 : 1 << (spec->bits - 1);
        int32_t steps = last > q.zero ? last - q.zero : 1; /* one signed bit has no code above 0 */
        q.scale = step_of(0.0f, -low > high ? -low : high, (float)steps);
    } else {
        q.scale = step_of(low, high, (float)(last - first));
        float zero = (float)first - low / q.scale;
        q.zero = qnt__round_even(qnt__clamp_f32(zero, (float)first, (float)last));
    }
    q.low = (float)(first - q.zero);
    q.high = (float)(last - q.zero);
    return q;
}

float qnt__magnitude_largest(const float range[2])
{
    float low = range[0] < 0.0f ? -range[0] : 0.0f, high = range[1] > 0.0f ? range[1] : 0.0f;
    return low > high ? low : high;
}

/* 2^(e - 23) in double, which has no denormals here. */
static double unit_of(float largest)
{
    uint64_t bits;
    double wide = (double)largest, unit;
    memcpy(&bits, &wide, sizeof bits);
    bits = ((bits >> 52) - 23) << 52;
    memcpy(&unit, &bits, sizeof unit);
    return unit;
}

double qnt__magnitude_sum(float largest, const float *x, size_t n)
{
    if (!(largest > 0.0f)) return 0.0;
    const double in_units = 1.0 / unit_of(largest);
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        float size = x[i] < 0.0f ? -x[i] : x[i];
        sum += (int32_t)((double)(size <= largest ? size : 0.0f) * in_units);
    }
    return (double)sum;
}

float qnt__magnitude_mean(float largest, double sum, size_t n)
{
    return n > 0 && largest > 0.0f ? (float)(sum / (double)n * unit_of(largest)) : 0.0f;
}
