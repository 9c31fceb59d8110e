/* Bit planes and counted exponent sums: 64 codes for each test, VPOPCNTQ. */
#include <immintrin.h>

typedef __m512i vec;
enum { VECTORS = 8 };

static int count_signed(const vec *high, const vec *plus, const vec *minus)
{
    __m512i sum = _mm512_setzero_si512(), less = sum;
    for (int i = 0; i < VECTORS; i++) {
        sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(high[i] & plus[i]));
        less = _mm512_add_epi64(less, _mm512_popcnt_epi64(high[i] & minus[i]));
    }
    return (int)_mm512_reduce_add_epi64(_mm512_sub_epi64(sum, less));
}

#include "../slices.h"

void qnt__slice_codes_avx512vbmi(const uint8_t *codes, size_t n, int bits, uint64_t *planes,
                                 size_t words)
{
    for (size_t w = 0; w < words; w++) {
        size_t left = 64 * w < n ? n - 64 * w : 0;
        __mmask64 mask = left >= 64 ? ~0ull : (1ull << left) - 1;
        __m512i x = _mm512_maskz_loadu_epi8(mask, left ? codes + 64 * w : codes);
        for (int p = 0; p < bits; p++) {
            planes[(size_t)p * words + w] = _mm512_test_epi8_mask(x, _mm512_set1_epi8((char)(1 << p)));
        }
    }
}

void qnt__count_exp_avx512vbmi(const struct qnt__count_exp *c)
{
    count_slices(c);
}
