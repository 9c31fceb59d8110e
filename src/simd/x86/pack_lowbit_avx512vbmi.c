/* Three digits in a byte, or six, and sums over them, 64 bytes at a time; the sum of a byte's
 * digits is looked up. */
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

/* In a word of two triples, three bits move to bit 0 and three to bit 3. An odd one is the second
 * of a word, as if none was before it. */
INLINE __m256i join(__m512i x)
{
    const __m512i low = _mm512_set1_epi16(0x0101), middle = _mm512_set1_epi16(0x0202),
                  high = _mm512_set1_epi16(0x0404);
    __m512i w = _mm512_and_si512(x, low);
    w = _mm512_or_si512(w, _mm512_and_si512(_mm512_srli_epi16(x, 1), middle));
    w = _mm512_or_si512(w, _mm512_and_si512(_mm512_srli_epi16(x, 2), high));
    w = _mm512_or_si512(w, _mm512_srli_epi16(w, 5));
    return _mm512_cvtepi16_epi8(_mm512_and_si512(w, _mm512_set1_epi16(63)));
}

int qnt__join_lowbit_avx512vbmi(const uint8_t *x, size_t n, size_t step, size_t triples,
                                uint8_t *to, size_t to_step)
{
    const size_t whole = triples / 2 * 2;
    __m512i all = _mm512_setzero_si512();
    unsigned odd = 0;
    for (size_t i = 0; i < n; i++, x += step, to += to_step) {
        for (size_t t = 0; t < whole; t += 64) {
            __m512i part = _mm512_maskz_loadu_epi8(first(whole - t), x + t);
            all = _mm512_or_si512(all, part);
            _mm256_mask_storeu_epi8(to + t / 2, (__mmask32)first((whole - t) / 2), join(part));
        }
        if (whole == triples) continue;
        const unsigned last = x[whole];
        odd |= last;
        to[whole / 2] = qnt__lowbit_six(0, last);
    }
    return _mm512_test_epi8_mask(all, _mm512_set1_epi8(QNT__HIGH_BITS)) == 0 &&
           (odd & QNT__HIGH_BITS) == 0;
}
