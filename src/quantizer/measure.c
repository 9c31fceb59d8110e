/* The error that given parameters make, measured value by value as encoding rounds. */
#include "base/arith.h"
#include "base/numeric.h"
#include "exact.h"

enum { LANES = 4 };

/* The steps of the encode slots; level - offset is exact in double precision. Several sums, in a
 * fixed order, because one would wait for each addition. */
static double measure_side(const struct qnt__side *side, const struct qnt__affine *q)
{
    double sum[LANES] = {0};
    double scale = (double)q->scale, offset = (double)q->offset;
    for (size_t i = 0; i < side->n; i += LANES) {
        size_t count = qnt__min(LANES, side->n - i);
        for (size_t j = 0; j < count; j++) {
            float x = side->x[i + j];
            float t = qnt__clamp_f32((x - q->offset) / q->scale, q->low, q->high);
            double away = ((double)x - offset) - (double)qnt__round_even(t) * scale;
            sum[j] += (side->h ? side->h[i + j] : 1.0) * (away * away);
        }
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

double qnt__exact_measure(const struct qnt__sorted *data, const struct qnt__affine *affine)
{
    struct qnt__affine mirrored = *affine;
    mirrored.low = -affine->high;
    mirrored.high = -affine->low;
    return measure_side(&data->side[0], affine) + measure_side(&data->side[1], &mirrored);
}
