/* The error that given parameters make, value by value. See measure.h. */
#include "measure.h"

#include "base/arith.h"
#include "base/numeric.h"

enum { LANES = 4 };

/* Several sums, in a fixed order, because one would wait for each addition. */
double qnt__measure(const struct qnt__affine *q, const float *x, const double *h, size_t n)
{
    double sum[LANES] = {0};
    double scale = (double)q->scale, offset = (double)q->offset;
    for (size_t i = 0; i < n; i += LANES) {
        size_t count = qnt__min(LANES, n - i);
        for (size_t j = 0; j < count; j++) {
            float t = qnt__clamp_f32((x[i + j] - q->offset) / q->scale, q->low, q->high);
            double level = (double)qnt__round_even(t) * scale; /* exact: 16 + 24 bits */
            double away = ((double)x[i + j] - offset) - level;
            sum[j] += (h ? h[i + j] : 1.0) * (away * away);
        }
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}
