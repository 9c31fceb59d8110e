/* Packed codes into the order of cells, eight units at a time: see the portable version. */
#include <immintrin.h>

#include "../slots.h"

static inline __m256i swap_4(__m256i x)
{
    __m256i t = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi32(x, 4)),
                                 _mm256_set1_epi32(0x00f000f0));
    return _mm256_xor_si256(_mm256_xor_si256(x, t), _mm256_slli_epi32(t, 4));
}

static inline __m256i swap_6(__m256i x)
{
    __m256i t = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi32(x, 6)),
                                 _mm256_set1_epi32(0x00cc00cc));
    return _mm256_xor_si256(_mm256_xor_si256(x, t), _mm256_slli_epi32(t, 6));
}

static inline __m256i swap_12(__m256i x)
{
    __m256i t = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi32(x, 12)),
                                 _mm256_set1_epi32(0x0000f0f0));
    return _mm256_xor_si256(_mm256_xor_si256(x, t), _mm256_slli_epi32(t, 12));
}

void qnt__order_fields_avx2(uint8_t *units, size_t n, int bits)
{
    const __m256i middle = _mm256_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15, 0,
                                            2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    for (; n >= 8; n -= 8, units += 32) {
        __m256i x = _mm256_loadu_si256((const void *)units);
        x = bits == 4 ? swap_4(_mm256_shuffle_epi8(x, middle)) : swap_12(swap_6(x));
        _mm256_storeu_si256((void *)units, x);
    }
    qnt__order_fields_c(units, n, bits);
}
