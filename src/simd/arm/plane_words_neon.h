/* Words of bit planes in registers, as they were before odd ones became parities. */
#ifndef QNT__SIMD_PLANE_WORDS_NEON_H
#define QNT__SIMD_PLANE_WORDS_NEON_H

#include <arm_neon.h>

#include "../layout.h"

/* Two columns of word w, as it was before odd ones became parities. */
static inline uint64x2_t load_word(const uint64_t *column, size_t w)
{
    const uint64_t *at = column + w * QNT__PANEL;
    uint64x2_t x = vld1q_u64(at);
    if (w % 2 == 0) return x;
    x = veorq_u64(x, vld1q_u64(at - QNT__PANEL));
    return w > 1 ? veorq_u64(x, vld1q_u64(at - 2 * QNT__PANEL)) : x;
}

#endif
