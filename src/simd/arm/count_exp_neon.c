/* Bit planes by weighing bits and adding pairs, counted exponent sums by CNT. */
#include <arm_neon.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef uint64x2_t vec;

INLINE vec pick(vec m, vec high, vec low, int v)
{
    m = v & 2 ? m & high : m & ~high;
    return v & 1 ? m & low : m & ~low;
}

/* In bytes: 8 counts stay within -64 and 64. */
INLINE vec count(vec acc, vec plus, vec minus)
{
    uint8x16_t more = vcntq_u8(vreinterpretq_u8_u64(plus)), less = vcntq_u8(vreinterpretq_u8_u64(minus));
    return vreinterpretq_u64_u8(vsubq_u8(vaddq_u8(vreinterpretq_u8_u64(acc), more), less));
}

INLINE int32_t total(vec acc)
{
    return vaddlvq_s8(vreinterpretq_s8_u64(acc));
}

/* 64 codes, all there. */
static void slice_word(const uint8_t *codes, int bits, uint64_t *planes, size_t words)
{
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t weight = vld1q_u8(weights), x[4], bit[4];
    for (int i = 0; i < 4; i++) x[i] = vld1q_u8(codes + 16 * i);
    for (int p = 0; p < bits; p++) {
        uint8x16_t mask = vdupq_n_u8((uint8_t)(1u << p));
        for (int i = 0; i < 4; i++) bit[i] = vandq_u8(vtstq_u8(x[i], mask), weight);
        uint8x16_t sum = vpaddq_u8(vpaddq_u8(bit[0], bit[1]), vpaddq_u8(bit[2], bit[3]));
        sum = vpaddq_u8(sum, sum);
        planes[(size_t)p * words] = vgetq_lane_u64(vreinterpretq_u64_u8(sum), 0);
    }
}

#include "../slices.h"

void qnt__slice_codes_neon(const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words)
{
    slice_all(codes, n, bits, planes, words);
}

void qnt__count_exp_neon(const struct qnt__count_exp *c)
{
    count_slices(c);
}
