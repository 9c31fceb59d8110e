/* Adding weighted sums, four at a time. */
#include <arm_neon.h>

#include "../slots.h"

void qnt__add_s32_neon(const int32_t *sum, const int32_t *part, size_t n, int shift, int32_t *out)
{
    const int32x4_t by = vdupq_n_s32(shift);
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        vst1q_s32(out + i, vaddq_s32(vld1q_s32(sum + i), vshlq_s32(vld1q_s32(part + i), by)));
    qnt__add_s32_c(sum + i, part + i, n - i, shift, out + i);
}
