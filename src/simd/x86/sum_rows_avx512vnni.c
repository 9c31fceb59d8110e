/* Row sums with PSADBW, 64 bytes at a time; the tail is a masked load. */
#include <immintrin.h>

#include "../slots.h"

void qnt__sum_rows_avx512vnni(const uint8_t *const *rows, size_t m, const ptrdiff_t *taps,
                              size_t tap_count, size_t depth, int32_t *sums)
{
    const __m512i zero = _mm512_setzero_si512();
    for (size_t i = 0; i < m; i++) {
        __m512i sum = zero;
        for (size_t t = 0; t < tap_count; t++) {
            const uint8_t *x = rows[i] + taps[t];
            for (size_t k = 0; k < depth; k += 64) {
                __mmask64 inside = depth - k >= 64 ? ~0ull : (1ull << (depth - k)) - 1;
                __m512i bytes = _mm512_maskz_loadu_epi8(inside, x + k);
                sum = _mm512_add_epi64(sum, _mm512_sad_epu8(bytes, zero));
            }
        }
        sums[i] = (int32_t)(uint32_t)(uint64_t)_mm512_reduce_add_epi64(sum);
    }
}
