/* Conversions between float32, float16 and bfloat16, eight at a time. */
#include <immintrin.h>

#include "../slots.h"

static inline __m128i load(const uint16_t *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline void store(uint16_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)p, v);
}

/* Half to even; NaN keeps its high half and becomes quiet. */
static inline __m128i bf16_of(__m256 x)
{
    const __m256i one = _mm256_set1_epi32(1), below_half = _mm256_set1_epi32(0x7fff);
    __m256i u = _mm256_castps_si256(x), high = _mm256_srli_epi32(u, 16);
    __m256i up = _mm256_add_epi32(_mm256_and_si256(high, one), below_half);
    __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, up), 16);
    __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    rounded = _mm256_blendv_epi8(rounded, quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
}

void qnt__widen_f16_avx2(const uint16_t *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(y + i, _mm256_cvtph_ps(load(x + i)));
    qnt__widen_f16_c(x + i, n - i, y + i);
}

void qnt__narrow_f16_avx2(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        store(y + i, _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    }
    qnt__narrow_f16_c(x + i, n - i, y + i);
}

void qnt__widen_bf16_avx2(const uint16_t *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(load(x + i)), 16);
        _mm256_storeu_ps(y + i, _mm256_castsi256_ps(wide));
    }
    qnt__widen_bf16_c(x + i, n - i, y + i);
}

void qnt__narrow_bf16_avx2(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) store(y + i, bf16_of(_mm256_loadu_ps(x + i)));
    qnt__narrow_bf16_c(x + i, n - i, y + i);
}
