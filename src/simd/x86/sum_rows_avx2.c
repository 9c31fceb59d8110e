/* Row sums with VPSADBW, 32 bytes at a time. */
#include <immintrin.h>

#include "../slots.h"

static uint64_t sum_lanes(__m256i v)
{
    __m128i sum = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    sum = _mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum));
    return (uint64_t)_mm_cvtsi128_si64(sum);
}

void qnt__sum_rows_avx2(const uint8_t *const *rows, size_t m, const ptrdiff_t *taps,
                        size_t tap_count, size_t depth, int32_t *sums)
{
    const __m256i zero = _mm256_setzero_si256();
    for (size_t i = 0; i < m; i++) {
        __m256i sum = zero;
        uint64_t rest = 0;
        for (size_t t = 0; t < tap_count; t++) {
            const uint8_t *x = rows[i] + taps[t];
            size_t k = 0;
            for (; k + 32 <= depth; k += 32) {
                __m256i bytes = _mm256_loadu_si256((const void *)(x + k));
                sum = _mm256_add_epi64(sum, _mm256_sad_epu8(bytes, zero));
            }
            for (; k < depth; k++) rest += x[k];
        }
        sums[i] = (int32_t)(uint32_t)(sum_lanes(sum) + rest);
    }
}
