/* Encoding floats by the affine scheme, sixteen at a time. */
#include <immintrin.h>

#include "../slots.h"

struct group {
    __m512 scale, offset, low, high;
    __m512i zero;
};

static inline struct group load_group(const struct qnt__affine *q)
{
    return (struct group){_mm512_set1_ps(q->scale), _mm512_set1_ps(q->offset),
                          _mm512_set1_ps(q->low), _mm512_set1_ps(q->high),
                          _mm512_set1_epi32(q->zero)};
}

static inline __m512i encode(const struct group *g, __m512 x)
{
    x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    __m512 t = _mm512_div_ps(_mm512_sub_ps(x, g->offset), g->scale);
    t = _mm512_min_ps(g->high, _mm512_max_ps(g->low, t));
    return _mm512_add_epi32(_mm512_cvtps_epi32(t), g->zero);
}

void qnt__encode_8_avx512vnni(const struct qnt__affine *q, const float *x, size_t n, uint8_t *codes)
{
    struct group g = load_group(q);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512i code = encode(&g, _mm512_loadu_ps(x + i));
        _mm_storeu_si128((__m128i *)(codes + i), _mm512_cvtepi32_epi8(code));
    }
    if (i == n) return;
    __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    __m512i code = encode(&g, _mm512_maskz_loadu_ps(rest, x + i));
    _mm512_mask_cvtepi32_storeu_epi8(codes + i, rest, code);
}

void qnt__encode_16_avx512vnni(const struct qnt__affine *q, const float *x, size_t n,
                               uint16_t *codes)
{
    struct group g = load_group(q);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512i code = encode(&g, _mm512_loadu_ps(x + i));
        _mm256_storeu_si256((__m256i *)(codes + i), _mm512_cvtepi32_epi16(code));
    }
    if (i == n) return;
    __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    __m512i code = encode(&g, _mm512_maskz_loadu_ps(rest, x + i));
    _mm512_mask_cvtepi32_storeu_epi16(codes + i, rest, code);
}
