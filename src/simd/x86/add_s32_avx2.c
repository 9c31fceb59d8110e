/* Adding weighted sums, eight at a time. */
#include <immintrin.h>

#include "../slots.h"

void qnt__add_s32_avx2(const int32_t *sum, const int32_t *part, size_t n, int shift, int32_t *out)
{
    const __m128i by = _mm_cvtsi32_si128(shift);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i more = _mm256_sll_epi32(_mm256_loadu_si256((const void *)(part + i)), by);
        more = _mm256_add_epi32(more, _mm256_loadu_si256((const void *)(sum + i)));
        _mm256_storeu_si256((void *)(out + i), more);
    }
    qnt__add_s32_c(sum + i, part + i, n - i, shift, out + i);
}
