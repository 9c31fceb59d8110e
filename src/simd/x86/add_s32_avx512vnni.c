/* Adding weighted sums, sixteen at a time. */
#include <immintrin.h>

#include "../slots.h"

void qnt__add_s32_avx512vnni(const int32_t *sum, const int32_t *part, size_t n, int shift, int32_t *out)
{
    const __m128i by = _mm_cvtsi32_si128(shift);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512i more = _mm512_sll_epi32(_mm512_loadu_si512(part + i), by);
        _mm512_storeu_si512(out + i, _mm512_add_epi32(more, _mm512_loadu_si512(sum + i)));
    }
    if (i == n) return;
    const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    __m512i more = _mm512_sll_epi32(_mm512_maskz_loadu_epi32(rest, part + i), by);
    more = _mm512_add_epi32(more, _mm512_maskz_loadu_epi32(rest, sum + i));
    _mm512_mask_storeu_epi32(out + i, rest, more);
}
