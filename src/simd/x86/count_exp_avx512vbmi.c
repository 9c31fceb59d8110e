/* Bit planes and counted exponent sums: 64 codes for each test, VPOPCNTQ. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { LOW_BITS = 4 };
typedef __m512i vec;

INLINE vec count(vec acc, vec x)
{
    return _mm512_add_epi64(acc, _mm512_popcnt_epi64(x));
}

/* Four counters, below 2^16 in each lane, side by side in it. */
INLINE __m512i join(const vec *acc)
{
    __m512i low = _mm512_or_si512(acc[0], _mm512_slli_epi64(acc[1], 16));
    __m512i high = _mm512_or_si512(acc[2], _mm512_slli_epi64(acc[3], 16));
    return _mm512_or_si512(low, _mm512_slli_epi64(high, 32));
}

/* Neighbouring lanes hold partial sums of x and of y. */
INLINE __m512i add_pairs(__m512i x, __m512i y)
{
    return _mm512_add_epi64(_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y));
}

/* n = 4, 8 or 16. */
INLINE void totals(const vec *acc, int n, int32_t *out)
{
    __m512i low = join(acc), high = n > 4 ? join(acc + 4) : low;
    __m512i first = add_pairs(low, high);
    __m512i second = n > 8 ? add_pairs(join(acc + 8), join(acc + 12)) : first;
    __m512i sum = _mm512_add_epi64(_mm512_shuffle_i64x2(first, second, 0x88),
                                   _mm512_shuffle_i64x2(first, second, 0xdd));
    sum = _mm512_add_epi64(sum, _mm512_shuffle_i64x2(sum, sum, 0xb1));
    sum = _mm512_shuffle_i64x2(sum, sum, 0x88); /* 128 bits of each pair */
    sum = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(sum));
    _mm512_mask_storeu_epi32(out, (__mmask16)((1u << n) - 1), sum);
}

INLINE void slice_word(const uint8_t *codes, int bits, uint64_t *planes, size_t words)
{
    __m512i x = _mm512_loadu_si512(codes);
    UNROLL for (int p = 0; p < 8; p++)
    {
        if (p < bits) {
            planes[(size_t)p * words] = _mm512_test_epi8_mask(x, _mm512_set1_epi8((char)(1 << p)));
        }
    }
}

#include "../slices.h"

void qnt__slice_codes_avx512vbmi(const uint8_t *codes, size_t n, int bits, uint64_t *planes,
                                 size_t words)
{
    slice_all(codes, n, bits, planes, words);
}

void qnt__count_exp_avx512vbmi(const struct qnt__count_exp *c)
{
    count_slices(c);
}
