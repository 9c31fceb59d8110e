/* Packed codes into the order of cells, sixteen units at a time: see the portable version. */
#include <immintrin.h>

#include "../slots.h"

enum { XOR_AND = 0x28 /* (a ^ b) & c */, XOR = 0x96 };

/* The count must be a literal. */
#define SWAP(x, by, mask)                                                                          \
    do {                                                                                           \
        __m512i t = _mm512_ternarylogic_epi32(x, _mm512_srli_epi32(x, by),                         \
                                              _mm512_set1_epi32(mask), XOR_AND);                   \
        x = _mm512_ternarylogic_epi32(x, t, _mm512_slli_epi32(t, by), XOR);                        \
    } while (0)

void qnt__order_fields_avx512vnni(uint8_t *units, size_t n, int bits)
{
    const __m512i middle =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
    for (; n >= 16; n -= 16, units += 64) {
        __m512i x = _mm512_loadu_si512(units);
        if (bits == 4) {
            x = _mm512_shuffle_epi8(x, middle);
            SWAP(x, 4, 0x00f000f0);
        } else {
            SWAP(x, 6, 0x00cc00cc);
            SWAP(x, 12, 0x0000f0f0);
        }
        _mm512_storeu_si512(units, x);
    }
    qnt__order_fields_c(units, n, bits);
}
