/* Random numbers, and tables drawn at random: sorted, and uniform in a box. */
#include <math.h>

#include "base/random.h"
#include "search.h"
#include "simd/dct.h"

double qnt__random_unit(uint64_t *state)
{
    return (double)(qnt__random(state) >> 11) * 0x1p-53;
}

int32_t qnt__random_in(uint64_t *state, int32_t low, int32_t high)
{
    return low + (int32_t)(qnt__random_unit(state) * ((double)high - (double)low + 1.0));
}

double qnt__random_gauss(uint64_t *state)
{
    double radius = sqrt(-2.0 * log(1.0 - qnt__random_unit(state)));
    return radius * cos(6.283185307179586 * qnt__random_unit(state));
}

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Half-normal values in ascending order; the largest becomes 1. */
static void draw_profile(uint64_t *state, double profile[64])
{
    for (int k = 0; k < 64; k++) {
        double x = fabs(qnt__random_gauss(state));
        int at = k;
        for (; at > 0 && profile[at - 1] > x; at--) profile[at] = profile[at - 1];
        profile[at] = x;
    }
    double largest = profile[63] > 0.0 ? profile[63] : 1.0;
    for (int k = 0; k < 64; k++) profile[k] /= largest;
}

/* Li, De Sa, Sampson 2020: the three tables of a trial share range and scale. */
void qnt__propose_sorted(qnt_search *search)
{
    double profile[3][64];
    int32_t tables = search->spec.tables;
    for (int32_t t = 0; t < tables; t++) draw_profile(&search->random, profile[t]);
    double low = qnt__random_in(&search->random, 0, 34);
    double high = qnt__random_in(&search->random, 50, 149);
    double scale = search->spec.scale_low + (search->spec.scale_high - search->spec.scale_low) *
                                                qnt__random_unit(&search->random);
    for (int32_t t = 0; t < 3; t++) {
        for (int k = 0; k < 64; k++) {
            double step =
                within(rint(profile[t < tables ? t : 0][k] * (high - low) + low), low, high);
            step = within(rint(step * scale), 1.0, 255.0);
            search->pending[t].step[qnt__zigzag[k]] = (uint16_t)step;
        }
    }
}

void qnt__propose_bounded(qnt_search *search, qnt_qtable *out)
{
    for (int i = 0; i < 64; i++) {
        out->step[i] =
            (uint16_t)qnt__random_in(&search->random, search->low.step[i], search->high.step[i]);
    }
}
