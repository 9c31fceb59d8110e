/* Conversions between float32, float16 and bfloat16, sixteen at a time. */
#include <immintrin.h>

#include "../slots.h"

static inline __mmask16 rest_of(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline __m256i load(const uint16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline void store(uint16_t *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

static inline __m256i f16_of(__m512 x)
{
    const __mmask16 all = 0xffff; /* gcc's macro without a mask warns at -O0 */
    return _mm512_maskz_cvtps_ph(all, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline __m512 of_bf16(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

/* Half to even; NaN keeps its high half and becomes quiet. VCVTNEPS2BF16 would flush subnormals. */
static inline __m256i bf16_of(__m512 x)
{
    const __m512i one = _mm512_set1_epi32(1), below_half = _mm512_set1_epi32(0x7fff);
    __m512i u = _mm512_castps_si512(x), high = _mm512_srli_epi32(u, 16);
    __m512i up = _mm512_add_epi32(_mm512_and_si512(high, one), below_half);
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(u, up), 16);
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(rounded);
}

void qnt__widen_f16_avx512vnni(const uint16_t *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) _mm512_storeu_ps(y + i, _mm512_cvtph_ps(load(x + i)));
    if (i == n) return;
    __mmask16 rest = rest_of(n - i);
    _mm512_mask_storeu_ps(y + i, rest, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(rest, x + i)));
}

void qnt__narrow_f16_avx512vnni(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) store(y + i, f16_of(_mm512_loadu_ps(x + i)));
    if (i == n) return;
    __mmask16 rest = rest_of(n - i);
    _mm256_mask_storeu_epi16(y + i, rest, f16_of(_mm512_maskz_loadu_ps(rest, x + i)));
}

void qnt__widen_bf16_avx512vnni(const uint16_t *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) _mm512_storeu_ps(y + i, of_bf16(load(x + i)));
    if (i == n) return;
    __mmask16 rest = rest_of(n - i);
    _mm512_mask_storeu_ps(y + i, rest, of_bf16(_mm256_maskz_loadu_epi16(rest, x + i)));
}

void qnt__narrow_bf16_avx512vnni(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) store(y + i, bf16_of(_mm512_loadu_ps(x + i)));
    if (i == n) return;
    __mmask16 rest = rest_of(n - i);
    _mm256_mask_storeu_epi16(y + i, rest, bf16_of(_mm512_maskz_loadu_ps(rest, x + i)));
}
