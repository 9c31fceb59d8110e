/* Bit planes by VPMOVMSKB, counted exponent sums by looking up the population of half bytes. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { LOW_BITS = 3 }; /* 8 counters and 3 planes leave registers for the rest */
typedef __m256i vec;

/* Population of each byte. */
INLINE __m256i count_bytes(__m256i x)
{
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(x, mask));
    __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), mask));
    return _mm256_add_epi8(low, high);
}

/* In bytes: 16 counts stay within 128. */
INLINE vec count(vec acc, vec x)
{
    return _mm256_add_epi8(acc, count_bytes(x));
}

INLINE void totals(const vec *acc, int n, int32_t *out)
{
    for (int s = 0; s < n; s++) {
        __m256i sum = _mm256_sad_epu8(acc[s], _mm256_setzero_si256());
        __m128i pair = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        out[s] = (int32_t)(_mm_cvtsi128_si64(pair) + _mm_extract_epi64(pair, 1));
    }
}

/* 64 codes, all there. */
static void slice_word(const uint8_t *codes, int bits, uint64_t *planes, size_t words)
{
    __m256i low = _mm256_loadu_si256((const void *)codes);
    __m256i high = _mm256_loadu_si256((const void *)(codes + 32));
    for (int p = 0; p < bits; p++) { /* bit p moves to the top of its byte */
        __m128i shift = _mm_cvtsi32_si128(7 - p);
        uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_sll_epi16(low, shift));
        uint32_t second = (uint32_t)_mm256_movemask_epi8(_mm256_sll_epi16(high, shift));
        planes[(size_t)p * words] = first | (uint64_t)second << 32;
    }
}

#include "../slices.h"

void qnt__slice_codes_avx2(const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words)
{
    slice_all(codes, n, bits, planes, words);
}

void qnt__count_exp_avx2(const struct qnt__count_exp *c)
{
    count_slices(c);
}
