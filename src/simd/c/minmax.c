/* Portable definition of the range of the finite values. */
#include "../slots.h"
#include "base/numeric.h"

void qnt__minmax_c(const float *x, size_t n, float range[2])
{
    float infinity = qnt__f32_of_bits(0x7f800000u), low = infinity, high = -infinity;
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] > -infinity && x[i] < infinity)) continue;
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    range[0] = low + 0.0f; /* -0 becomes +0, so that the order of values does not show */
    range[1] = high + 0.0f;
}
