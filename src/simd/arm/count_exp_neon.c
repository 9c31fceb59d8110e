/* Bit planes by weighing bits and adding pairs, counted exponent sums by CNT. */
#include <arm_neon.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { LOW_BITS = 4, SLICED_WORDS = 1 };
typedef uint64x2_t vec;

/* In bytes: 16 counts stay within 128. */
INLINE vec count(vec acc, vec x)
{
    return vreinterpretq_u64_u8(
        vaddq_u8(vreinterpretq_u8_u64(acc), vcntq_u8(vreinterpretq_u8_u64(x))));
}

INLINE void totals(const vec *acc, int n, int32_t *out)
{
    for (int s = 0; s < n; s++) out[s] = vaddlvq_u8(vreinterpretq_u8_u64(acc[s]));
}

INLINE void slice_words(const uint8_t *codes, int count, int bits, uint64_t *planes, size_t words)
{
    (void)count; /* SLICED_WORDS */
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

#include "../slices_settle.h"
#include "../slices.h"

void qnt__slice_codes_neon(const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words)
{
    slice_all(codes, n, bits, planes, words);
}

void qnt__count_exp_neon(const struct qnt__count_exp *c)
{
    count_slices(c);
}
