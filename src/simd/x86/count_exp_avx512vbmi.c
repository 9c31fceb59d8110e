/* Bit planes and counted exponent sums: 64 codes for each test, VPOPCNTQ. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef __m512i vec;

INLINE vec pick(vec m, vec high, vec low, int v)
{
    switch (v) { /* the truth table must be a literal */
    case 0: return _mm512_ternarylogic_epi64(m, high, low, 0x10);
    case 1: return _mm512_ternarylogic_epi64(m, high, low, 0x20);
    case 2: return _mm512_ternarylogic_epi64(m, high, low, 0x40);
    default: return _mm512_ternarylogic_epi64(m, high, low, 0x80);
    }
}

INLINE vec count(vec acc, vec plus, vec minus)
{
    acc = _mm512_add_epi64(acc, _mm512_popcnt_epi64(plus));
    return _mm512_sub_epi64(acc, _mm512_popcnt_epi64(minus));
}

INLINE int32_t total(vec acc)
{
    return (int32_t)_mm512_reduce_add_epi64(acc);
}

INLINE void slice_word(const uint8_t *codes, int bits, uint64_t *planes, size_t words)
{
    __m512i x = _mm512_loadu_si512(codes);
    for (int p = 0; p < bits; p++) {
        planes[(size_t)p * words] = _mm512_test_epi8_mask(x, _mm512_set1_epi8((char)(1 << p)));
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
