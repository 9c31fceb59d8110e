/* Bit planes by VPMOVMSKB, counted exponent sums by looking up the population of half bytes. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* 8 counters and 3 planes leave registers for the rest. */
enum { LOW_BITS = 3, SLICED_WORDS = 2 };
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

/* Bits go to the top of their bytes one after the other. What a byte gets from its neighbour as words of
 * two bytes are shifted stays below. */
INLINE void slice_words(const uint8_t *codes, int count, int bits, uint64_t *planes, size_t words)
{
    const __m128i shift = _mm_cvtsi32_si128(8 - bits);
    __m256i x[2 * SLICED_WORDS];
    UNROLL for (int i = 0; i < 2 * count; i++)
    {
        x[i] = _mm256_sll_epi16(_mm256_loadu_si256((const void *)(codes + 32 * i)), shift);
    }
    for (int p = bits - 1; p >= 0; p--) {
        UNROLL for (int w = 0; w < count; w++)
        {
            uint32_t first = (uint32_t)_mm256_movemask_epi8(x[2 * w]);
            uint32_t second = (uint32_t)_mm256_movemask_epi8(x[2 * w + 1]);
            planes[(size_t)p * words + (size_t)w] = first | (uint64_t)second << 32;
            x[2 * w] = _mm256_add_epi8(x[2 * w], x[2 * w]);
            x[2 * w + 1] = _mm256_add_epi8(x[2 * w + 1], x[2 * w + 1]);
        }
    }
}

#include "../slices_settle.h"
#include "../slices.h"

void qnt__slice_codes_avx2(const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words)
{
    slice_all(codes, n, bits, planes, words);
}

void qnt__count_exp_avx2(const struct qnt__count_exp *c)
{
    count_slices(c);
}
