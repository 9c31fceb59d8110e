/* Three digits in a byte, and sums over them, 64 bytes at a time; the sum of a byte's digits is
 * looked up. */
#include <immintrin.h>

#include "../lowbit_products.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* The product with three ones is the sum. */
static const uint8_t sums[64] __attribute__((aligned(64))) = PRODUCTS_64(21);

INLINE __mmask64 first(size_t n)
{
    return n < 64 ? ((__mmask64)1 << n) - 1 : ~(__mmask64)0;
}

void qnt__pack_lowbit_avx512vbmi(const uint8_t *codes, size_t step, size_t n, size_t triples,
                                 uint8_t *to, size_t to_step)
{
    for (size_t i = 0; i < n; i++, codes += step, to += to_step) {
        for (size_t t = 0; t < triples; t += 64) {
            __mmask64 some = first(triples - t);
            __m512i a = _mm512_maskz_loadu_epi8(some, codes + t);
            __m512i b = _mm512_maskz_loadu_epi8(some, codes + triples + t);
            __m512i c = _mm512_maskz_loadu_epi8(some, codes + 2 * triples + t);
            a = _mm512_or_si512(_mm512_or_si512(a, _mm512_slli_epi16(b, 2)),
                                _mm512_slli_epi16(c, 4));
            _mm512_mask_storeu_epi8(to + t, some, a);
        }
    }
}

void qnt__digits_lowbit_avx512vbmi(const uint8_t *x, size_t n, size_t step, size_t triples,
                                   int32_t *sum)
{
    const __m512i table = _mm512_load_si512(sums), none = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i++, x += step) {
        __m512i all = none;
        for (size_t t = 0; t < triples; t += 64) {
            __m512i bytes = _mm512_maskz_loadu_epi8(first(triples - t), x + t);
            __m512i part = _mm512_permutexvar_epi8(bytes, table);
            all = _mm512_add_epi64(all, _mm512_sad_epu8(part, none));
        }
        sum[i] = (int32_t)_mm512_reduce_add_epi64(all);
    }
}
