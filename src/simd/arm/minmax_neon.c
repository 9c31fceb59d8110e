/* Range of the finite values. */
#include <arm_neon.h>

#include "../slots.h"
#include "base/numeric.h"

void qnt__minmax_neon(const float *x, size_t n, float range[2])
{
    const float infinity = qnt__f32_of_bits(0x7f800000u);
    float32x4_t above = vdupq_n_f32(infinity), below = vdupq_n_f32(-infinity);
    float32x4_t low = above, high = below;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        float32x4_t v = vld1q_f32(x + i);
        uint32x4_t finite = vcaltq_f32(v, above);
        low = vminq_f32(low, vbslq_f32(finite, v, above));
        high = vmaxq_f32(high, vbslq_f32(finite, v, below));
    }
    qnt__minmax_c(x + i, n - i, range);
    float lowest = vminvq_f32(low), highest = vmaxvq_f32(high);
    range[0] = (lowest < range[0] ? lowest : range[0]) + 0.0f; /* -0 becomes +0 */
    range[1] = (highest > range[1] ? highest : range[1]) + 0.0f;
}
