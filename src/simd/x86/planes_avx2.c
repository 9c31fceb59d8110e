/* Colours as planes, sixteen pixels at a time. Factors that do not fit in 16 bits are divided between
 * two pairs of VPMADDWD: 38470 g = 2 * 19235 g, 2^15 b = 2 * 2^14 b. */
#include <immintrin.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i pair(int16_t a, int16_t b)
{
    return _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)b << 16 | (uint16_t)a));
}

/* (first a + second b + third c + fourth d + bias) >> 16 of sixteen words each, in pairs. */
INLINE __m128i mix(__m256i low0, __m256i high0, __m256i factors0, __m256i low1, __m256i high1,
                   __m256i factors1, int32_t bias)
{
    const __m256i add = _mm256_set1_epi32(bias);
    __m256i low =
        _mm256_add_epi32(_mm256_madd_epi16(low0, factors0), _mm256_madd_epi16(low1, factors1));
    __m256i high =
        _mm256_add_epi32(_mm256_madd_epi16(high0, factors0), _mm256_madd_epi16(high1, factors1));
    low = _mm256_srli_epi32(_mm256_add_epi32(low, add), 16);
    high = _mm256_srli_epi32(_mm256_add_epi32(high, add), 16);
    __m256i words = _mm256_packus_epi32(low, high); /* in order: pairs were unpacked in halves */
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

/* Byte 3 i + channel of 48, i < 16, as words. */
INLINE __m256i channel(const __m128i part[3], int which)
{
    __m128i bytes = _mm_setzero_si128();
#pragma GCC unroll 3
    for (int p = 0; p < 3; p++) {
        char at[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            int from = 3 * i + which - 16 * p;
            at[i] = (char)(from >= 0 && from < 16 ? from : -128);
        }
        bytes = _mm_or_si128(bytes, _mm_shuffle_epi8(part[p], _mm_loadu_si128((const void *)at)));
    }
    return _mm256_cvtepu8_epi16(bytes);
}

void qnt__split_rgb_avx2(const uint8_t *rgb, size_t n, uint8_t *y, uint8_t *cb, uint8_t *cr)
{
    const int32_t middle = (128 << 16) + 32767;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m128i part[3];
#pragma GCC unroll 3
        for (int p = 0; p < 3; p++) {
            part[p] = _mm_loadu_si128((const void *)(rgb + 3 * i + 16 * (size_t)p));
        }
        __m256i r = channel(part, 0), g = channel(part, 1), b = channel(part, 2);
        __m256i rg_low = _mm256_unpacklo_epi16(r, g), rg_high = _mm256_unpackhi_epi16(r, g);
        __m256i gb_low = _mm256_unpacklo_epi16(g, b), gb_high = _mm256_unpackhi_epi16(g, b);
        __m256i rb_low = _mm256_unpacklo_epi16(r, b), rb_high = _mm256_unpackhi_epi16(r, b);
        _mm_storeu_si128((void *)(y + i), mix(rg_low, rg_high, pair(19595, 19235), gb_low, gb_high,
                                              pair(19235, 7471), 32768));
        _mm_storeu_si128((void *)(cb + i), mix(rb_low, rb_high, pair(-11059, 16384), gb_low,
                                               gb_high, pair(-21709, 16384), middle));
        _mm_storeu_si128((void *)(cr + i), mix(rg_low, rg_high, pair(16384, -27439), rb_low,
                                               rb_high, pair(16384, -5329), middle));
    }
    qnt__split_rgb_c(rgb + 3 * i, n - i, y + i, cb + i, cr + i);
}

/* Sums of 16 pairs in both rows, as words. */
INLINE __m256i sums(const uint8_t *above, const uint8_t *below)
{
    const __m256i ones = _mm256_set1_epi8(1);
    __m256i a = _mm256_maddubs_epi16(_mm256_loadu_si256((const void *)above), ones);
    __m256i b = _mm256_maddubs_epi16(_mm256_loadu_si256((const void *)below), ones);
    return _mm256_add_epi16(a, b);
}

void qnt__halve_u8_avx2(const uint8_t *above, const uint8_t *below, size_t n, uint8_t *out)
{
    const __m256i bias = pair(1, 2);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i words = _mm256_add_epi16(sums(above + 2 * i, below + 2 * i), bias);
        words = _mm256_srli_epi16(words, 2);
        _mm_storeu_si128((void *)(out + i), _mm_packus_epi16(_mm256_castsi256_si128(words),
                                                             _mm256_extracti128_si256(words, 1)));
    }
    qnt__halve_u8_c(above + 2 * i, below + 2 * i, n - i, out + i);
}
