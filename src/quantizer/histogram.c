/* Histograms whose bins are powers of two wide. */
#include "histogram.h"

#include <math.h>

enum { FINEST = 40, LEAST_EXPONENT = -149 /* of any float32 */ };

static double floor_scaled(float x, int exponent)
{
    return floor(ldexp((double)x, -exponent));
}

struct qnt__grid qnt__grid_of(const struct qnt__moments *moments, size_t bins)
{
    float low = moments->min, high = moments->max;
    float largest = -low > high ? -low : high;
    int exponent = LEAST_EXPONENT;
    if (largest > 0 && ilogbf(largest) - FINEST > exponent) exponent = ilogbf(largest) - FINEST;
    while (floor_scaled(high, exponent) - floor_scaled(low, exponent) >= (double)bins) exponent++;
    return (struct qnt__grid){exponent, (int64_t)floor_scaled(low, exponent), ldexp(1, -exponent)};
}

/* floor(k / 2^shift) */
static int64_t shifted(int64_t k, int shift)
{
    if (shift > 62) return k < 0 ? -1 : 0;
    int64_t divisor = (int64_t)1 << shift, quotient = k / divisor;
    return quotient - (k % divisor < 0);
}

void qnt__bins_merge(const struct qnt__grid *from_grid, const struct qnt__bin *from, size_t bins,
                     const struct qnt__grid *grid, struct qnt__bin *bin)
{
    int shift = grid->exponent - from_grid->exponent;
    for (size_t i = 0; i < bins; i++) {
        if (from[i].weight == 0) continue;
        struct qnt__bin *to = &bin[shifted(from_grid->first + (int64_t)i, shift) - grid->first];
        to->weight += from[i].weight;
        to->sum += from[i].sum;
    }
}
