/*
 * Transforms. In integers a lane is a line of a block: two blocks side by side, one for each half of a
 * register; each product of the definition's odd and even part is a sum of two or four terms (the
 * factors of one input added up), which VPMADDWD makes in pairs. In float32 a register is a row.
 */
#include <immintrin.h>

#include "../dct.h"
#include "../dct_factors.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- integers ---- */

INLINE __m256i pair(int16_t a, int16_t b)
{
    return _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)b << 16 | (uint16_t)a));
}

/* Turns two 8x8 blocks of words. */
INLINE void turn(__m256i x[8])
{
    __m256i a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_epi16(x[2 * i], x[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(x[2 * i], x[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        b[4 * i] = _mm256_unpacklo_epi32(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_unpackhi_epi32(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi32(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_unpackhi_epi32(a[4 * i + 1], a[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        x[2 * i] = _mm256_unpacklo_epi64(b[i], b[i + 4]);
        x[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[i + 4]);
    }
}

/* (sum of the products, rounded) >> shift; pairs of words in, words out */
INLINE __m256i sum2(__m256i low, __m256i high, __m256i factors, int shift)
{
    const __m256i half = _mm256_set1_epi32(1 << (shift - 1));
    low = _mm256_add_epi32(_mm256_madd_epi16(low, factors), half);
    high = _mm256_add_epi32(_mm256_madd_epi16(high, factors), half);
    return _mm256_packs_epi32(_mm256_srai_epi32(low, shift), _mm256_srai_epi32(high, shift));
}

INLINE __m256i sum4(const __m256i d[4], __m256i factors01, __m256i factors23, int shift)
{
    const __m256i half = _mm256_set1_epi32(1 << (shift - 1));
    __m256i low =
        _mm256_add_epi32(_mm256_madd_epi16(d[0], factors01), _mm256_madd_epi16(d[2], factors23));
    __m256i high =
        _mm256_add_epi32(_mm256_madd_epi16(d[1], factors01), _mm256_madd_epi16(d[3], factors23));
    low = _mm256_srai_epi32(_mm256_add_epi32(low, half), shift);
    high = _mm256_srai_epi32(_mm256_add_epi32(high, half), shift);
    return _mm256_packs_epi32(low, high);
}

/* One line of eight in every lane. */
INLINE void lines(__m256i x[8], int first)
{
    const int shift = first ? FIRST_SHIFT : SECOND_SHIFT;
    const __m256i two = _mm256_set1_epi16(2);
    __m256i s[4], d[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        s[i] = _mm256_add_epi16(x[i], x[7 - i]);
        d[i] = _mm256_sub_epi16(x[3 - i], x[4 + i]);
    }
    __m256i a = _mm256_add_epi16(s[0], s[3]), b = _mm256_add_epi16(s[1], s[2]);
    __m256i c = _mm256_sub_epi16(s[1], s[2]), e = _mm256_sub_epi16(s[0], s[3]);
    __m256i sum = _mm256_add_epi16(a, b), difference = _mm256_sub_epi16(a, b);
    x[0] = first ? _mm256_slli_epi16(sum, 2) : _mm256_srai_epi16(_mm256_add_epi16(sum, two), 2);
    x[4] = first ? _mm256_slli_epi16(difference, 2)
                 : _mm256_srai_epi16(_mm256_add_epi16(difference, two), 2);
    __m256i low = _mm256_unpacklo_epi16(c, e), high = _mm256_unpackhi_epi16(c, e);
    x[2] = sum2(low, high, pair(EVEN_2_C, EVEN_2_E), shift);
    x[6] = sum2(low, high, pair(EVEN_6_C, EVEN_6_E), shift);

    const __m256i odd[4] = {_mm256_unpacklo_epi16(d[0], d[1]), _mm256_unpackhi_epi16(d[0], d[1]),
                            _mm256_unpacklo_epi16(d[2], d[3]), _mm256_unpackhi_epi16(d[2], d[3])};
    x[7] = sum4(odd, pair(ODD_7_0, Z), pair(Z_1961, Z_899), shift);
    x[5] = sum4(odd, pair(Z, ODD_5_1), pair(Z_2562, Z_390), shift);
    x[3] = sum4(odd, pair(Z_1961, Z_2562), pair(ODD_3_2, Z), shift);
    x[1] = sum4(odd, pair(Z_899, Z_390), pair(Z, ODD_1_3), shift);
}

/* Eight bytes less 128 as words. */
INLINE __m128i load_row(const uint8_t *at)
{
    return _mm_sub_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64((const void *)at)), _mm_set1_epi16(128));
}

void qnt__dct_s16_avx2(const uint8_t *samples, size_t ld, size_t blocks, int16_t *coefficients)
{
    for (size_t b = 0; b < blocks; b += 2) {
        const size_t other = b + 1 < blocks ? b + 1 : b; /* the last one alone is done twice */
        __m256i x[8];
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            x[i] = _mm256_set_m128i(load_row(samples + i * ld + 8 * other),
                                    load_row(samples + i * ld + 8 * b));
        }
        turn(x);
        lines(x, 1);
        turn(x);
        lines(x, 0);
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            _mm_storeu_si128((void *)(coefficients + 64 * b + 8 * i), _mm256_castsi256_si128(x[i]));
            _mm_storeu_si128((void *)(coefficients + 64 * other + 8 * i),
                             _mm256_extracti128_si256(x[i], 1));
        }
    }
}

/* ---- float32 ---- */

/* One row of a product of 8x8 matrices. */
INLINE __m256 product_row(const float *a, const __m256 b[8])
{
    __m256 sum = _mm256_setzero_ps();
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_broadcast_ss(a + k), b[k]));
    }
    return sum;
}

/* y = left * (x * right) */
INLINE void product(const float x[64], const float left[8][8], const float right[8][8], __m256 y[8])
{
    __m256 matrix[8], rows[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) matrix[i] = _mm256_loadu_ps(right[i]);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) rows[i] = product_row(x + 8 * i, matrix);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) y[i] = product_row(left[i], rows);
}

void qnt__dct_f32_avx2(const uint8_t *samples, size_t ld, size_t blocks, float *coefficients)
{
    for (size_t b = 0; b < blocks; b++, samples += 8, coefficients += 64) {
        float x[64];
        __m256 y[8];
        for (size_t i = 0; i < 8; i++) {
            __m256i words = _mm256_cvtepi16_epi32(load_row(samples + i * ld));
            _mm256_storeu_ps(x + 8 * i, _mm256_cvtepi32_ps(words));
        }
        product(x, qnt__cosine, qnt__cosine_turned, y);
        for (int i = 0; i < 8; i++) _mm256_storeu_ps(coefficients + 8 * i, y[i]);
    }
}

/* Rounded into 0..255, as 32-bit numbers. */
INLINE __m256i bytes_of(__m256 x)
{
    x = _mm256_add_ps(x, _mm256_set1_ps(128.0f));
    x = _mm256_min_ps(_mm256_max_ps(x, _mm256_setzero_ps()), _mm256_set1_ps(255.0f));
    return _mm256_cvttps_epi32(_mm256_add_ps(x, _mm256_set1_ps(0.5f)));
}

void qnt__restore_u8_avx2(const struct qnt__steps *s, const int16_t *levels, size_t blocks,
                          uint8_t *samples)
{
    for (size_t b = 0; b < blocks; b++, levels += 64, samples += 64) {
        float x[64];
        __m256 y[8];
        for (int i = 0; i < 64; i += 8) {
            __m256i level = _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)(levels + i)));
            __m256i step = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(s->step + i)));
            _mm256_storeu_ps(x + i, _mm256_cvtepi32_ps(_mm256_mullo_epi32(level, step)));
        }
        product(x, qnt__cosine_turned, qnt__cosine, y);
        for (int i = 0; i < 8; i += 4) { /* 128-bit halves: rows i, i + 1 interleaved by packing */
            __m256i words0 = _mm256_packs_epi32(bytes_of(y[i]), bytes_of(y[i + 1]));
            __m256i words1 = _mm256_packs_epi32(bytes_of(y[i + 2]), bytes_of(y[i + 3]));
            __m256i bytes = _mm256_packus_epi16(words0, words1);
            const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            bytes = _mm256_permutevar8x32_epi32(bytes, order);
            _mm256_storeu_si256((void *)(samples + 8 * i), bytes);
        }
    }
}
