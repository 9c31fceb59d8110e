/* Looking up levels with VPERMB: a table of 64 bytes is one register. */
#include "look_up_avx512vbmi.h"

#include "../slots.h"

void qnt__look_up_8_avx512vbmi(const uint8_t *table, int bits, const uint8_t *codes, size_t n,
                               uint8_t *levels)
{
    struct table t = load_table(table, bits);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        _mm512_storeu_si512(levels + i, look_up(&t, _mm512_loadu_si512(codes + i)));
    }
    if (i == n) return;
    __mmask64 mask = (1ull << (n - i)) - 1;
    __m512i x = _mm512_maskz_loadu_epi8(mask, codes + i);
    _mm512_mask_storeu_epi8(levels + i, mask, look_up(&t, x));
}

/* A table of up to 32 words is one register too. */
static void look_up_words(__m512i table, const uint8_t *codes, size_t n, int16_t *levels)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m512i x = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)(codes + i)));
        _mm512_storeu_si512(levels + i, _mm512_permutexvar_epi16(x, table));
    }
    if (i == n) return;
    const __mmask32 rest = first_words(n - i);
    __m512i x = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(rest, codes + i));
    _mm512_mask_storeu_epi16(levels + i, rest, _mm512_permutexvar_epi16(x, table));
}

void qnt__look_up_16_avx512vbmi(const int16_t *table, int bits, const uint8_t *codes, size_t n,
                                int16_t *levels)
{
    if (bits <= 5) {
        look_up_words(load_words(table, (size_t)1 << bits), codes, n, levels);
        return;
    }
    struct table low, high;
    split_table(table, bits, &low, &high);
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    for (size_t i = 0; i < n; i += 64) {
        size_t left = n - i;
        __m512i x = _mm512_maskz_loadu_epi8(left < 64 ? (1ull << left) - 1 : ~0ull, codes + i);
        __m512i a = look_up(&low, x), b = look_up(&high, x);
        __m512i even = _mm512_unpacklo_epi8(a, b), odd = _mm512_unpackhi_epi8(a, b);
        __mmask32 mask = left < 32 ? (1u << left) - 1 : ~0u;
        _mm512_mask_storeu_epi16(levels + i, mask, _mm512_permutex2var_epi64(even, first, odd));
        if (left <= 32) continue;
        mask = left < 64 ? (1u << (left - 32)) - 1 : ~0u;
        _mm512_mask_storeu_epi16(levels + i + 32, mask, _mm512_permutex2var_epi64(even, second, odd));
    }
}
