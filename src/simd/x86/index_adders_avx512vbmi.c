/* Codes as adders take them: rotations move a bit of each code to its place, which no other bit takes. */
#include <immintrin.h>

#include "../slots.h"

enum { SELECT = 0xca /* a ? b : c */ };

static inline __m256i turn(__m256i x, int by)
{
    return _mm256_rolv_epi64(x, _mm256_set1_epi64x(by));
}

void qnt__index_adders_avx512vbmi(const uint8_t *codes, size_t chunks, size_t planes, size_t plane,
                                  uint8_t *to)
{
    const __m256i first = _mm256_set1_epi8(0x10), second = _mm256_set1_epi8(0x20),
                  all = _mm256_set1_epi8(0x70);
    for (size_t c = 0; c < chunks; c++, codes += 96, to += QNT__ADDER_GROUPS) {
        const __m256i *half = (const void *)codes;
        const __m256i x = _mm256_loadu_si256(half), y = _mm256_loadu_si256(half + 1),
                      z = _mm256_loadu_si256(half + 2);
        for (size_t j = 0; j < planes; j++) {
            const int by = 4 - (int)j; /* modulo 64 */
            __m256i v = _mm256_ternarylogic_epi64(second, turn(y, by + 1), turn(z, by + 2), SELECT);
            v = _mm256_ternarylogic_epi64(first, turn(x, by), v, SELECT);
            _mm256_storeu_si256((void *)(to + j * plane), _mm256_and_si256(v, all));
        }
    }
}
