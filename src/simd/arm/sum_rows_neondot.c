/* Row sums: the dot product with ones. */
#include <arm_neon.h>

#include "../slots.h"

static uint32_t sum_run(const uint8_t *a, size_t n)
{
    uint8x16_t ones = vdupq_n_u8(1);
    uint32x4_t sum = vdupq_n_u32(0), other = sum;
    size_t k = 0;
    for (; k + 32 <= n; k += 32) {
        sum = vdotq_u32(sum, vld1q_u8(a + k), ones);
        other = vdotq_u32(other, vld1q_u8(a + k + 16), ones);
    }
    for (; k + 16 <= n; k += 16) sum = vdotq_u32(sum, vld1q_u8(a + k), ones);
    uint32_t total = vaddvq_u32(vaddq_u32(sum, other));
    for (; k < n; k++) total += a[k];
    return total;
}

void qnt__sum_rows_neondot(const uint8_t *const *rows, size_t m, const ptrdiff_t *taps,
                           size_t tap_count, size_t depth, int32_t *sums)
{
    for (size_t i = 0; i < m; i++) {
        uint32_t sum = 0; /* wraps modulo 2^32 */
        for (size_t t = 0; t < tap_count; t++) sum += sum_run(rows[i] + taps[t], depth);
        sums[i] = (int32_t)sum;
    }
}
