/* Where levels are not 0: one VPERMB puts the bytes of a block in diagonal order. */
#include <immintrin.h>

#include "../dct.h"
#include "../slots.h"

void qnt__places_s16_avx512vbmi(const int16_t *levels, size_t blocks, uint64_t *places)
{
    const __m512i order = _mm512_loadu_si512(qnt__zigzag);
    for (size_t b = 0; b < blocks; b++, levels += 64) {
        __m512i low = _mm512_loadu_si512(levels), high = _mm512_loadu_si512(levels + 32);
        uint64_t bits = (uint64_t)_mm512_test_epi16_mask(high, high) << 32;
        bits |= _mm512_test_epi16_mask(low, low);
        __m512i bytes = _mm512_permutexvar_epi8(order, _mm512_movm_epi8(bits));
        places[b] = _mm512_movepi8_mask(bytes);
    }
}
