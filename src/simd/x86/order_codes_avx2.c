/* Codes of a row into the order of fields, 32 at a time: see the portable version. */
#include <immintrin.h>

#include "../slots.h"

void qnt__order_codes_avx2(uint8_t *codes, size_t n, int bits)
{
    const __m128i order = bits == 4 ? _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15)
                                    : _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m256i both = _mm256_broadcastsi128_si256(order);
    for (; n >= 32; n -= 32, codes += 32) {
        const __m256i x = _mm256_loadu_si256((const void *)codes);
        _mm256_storeu_si256((void *)codes, _mm256_shuffle_epi8(x, both));
    }
    qnt__order_codes_c(codes, n, bits);
}
