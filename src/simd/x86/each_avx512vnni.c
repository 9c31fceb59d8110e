/* Encoding and decoding with parameters for every element, sixteen at a time. */
#include <immintrin.h>

#include "../slots.h"

static inline __m512i zeros(const struct qnt__affine_each *q, size_t i, __mmask16 some)
{
    return q->zero ? _mm512_maskz_loadu_epi32(some, q->zero + i) : _mm512_setzero_si512();
}

static inline __m512 offsets(const struct qnt__affine_each *q, size_t i, __mmask16 some)
{
    return q->offset ? _mm512_maskz_loadu_ps(some, q->offset + i) : _mm512_setzero_ps();
}

static inline __m512i encode(const struct qnt__affine_each *q, size_t i, __mmask16 some, __m512 x)
{
    const __m512i first = _mm512_set1_epi32(q->first), last = _mm512_set1_epi32(q->last);
    __m512i zero = zeros(q, i, some);
    __m512 low = _mm512_cvtepi32_ps(_mm512_sub_epi32(first, zero));
    __m512 high = _mm512_cvtepi32_ps(_mm512_sub_epi32(last, zero));
    x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    __m512 t = _mm512_sub_ps(x, offsets(q, i, some));
    t = _mm512_maskz_div_ps(some, t, _mm512_maskz_loadu_ps(some, q->scale + i));
    t = _mm512_min_ps(high, _mm512_max_ps(low, t));
    return _mm512_add_epi32(_mm512_cvtps_epi32(t), zero);
}

static inline __m512 decode(const struct qnt__affine_each *q, size_t i, __mmask16 some,
                            __m512i code)
{
    __m512i zero = zeros(q, i, some);
    __m512 t = _mm512_cvtepi32_ps(_mm512_sub_epi32(code, zero));
    t = _mm512_mul_ps(t, _mm512_maskz_loadu_ps(some, q->scale + i));
    return _mm512_add_ps(t, offsets(q, i, some));
}

#define ENCODE(name, type, vector, narrow, store, store_some)                                      \
    void qnt__##name##_avx512vnni(const struct qnt__affine_each *each, const float *x, size_t n,   \
                                  type *codes)                                                     \
    {                                                                                              \
        const struct qnt__affine_each copy = *each, *q = &copy; /* no store can change it */       \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) {                                                             \
            __m512i code = encode(q, i, 0xffff, _mm512_loadu_ps(x + i));                           \
            store((vector *)(codes + i), narrow(code));                                            \
        }                                                                                          \
        __mmask16 some = (__mmask16)((1u << (n - i)) - 1);                                         \
        store_some(codes + i, some, encode(q, i, some, _mm512_maskz_loadu_ps(some, x + i)));       \
    }

#define DECODE(name, type, widen, load, load_some)                                                 \
    void qnt__##name##_avx512vnni(const struct qnt__affine_each *each, const type *codes,          \
                                  size_t n, float *y)                                              \
    {                                                                                              \
        const struct qnt__affine_each copy = *each, *q = &copy; /* no store can change it */       \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) {                                                             \
            __m512i code = widen(load((const void *)(codes + i)));                                 \
            _mm512_storeu_ps(y + i, decode(q, i, 0xffff, code));                                   \
        }                                                                                          \
        __mmask16 some = (__mmask16)((1u << (n - i)) - 1);                                         \
        __m512i code = widen(load_some(some, codes + i));                                          \
        _mm512_mask_storeu_ps(y + i, some, decode(q, i, some, code));                              \
    }

ENCODE(encode_each_8, uint8_t, __m128i, _mm512_cvtepi32_epi8, _mm_storeu_si128,
       _mm512_mask_cvtepi32_storeu_epi8)
ENCODE(encode_each_16, uint16_t, __m256i, _mm512_cvtepi32_epi16, _mm256_storeu_si256,
       _mm512_mask_cvtepi32_storeu_epi16)
DECODE(decode_each_s8, int8_t, _mm512_cvtepi8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(decode_each_u8, uint8_t, _mm512_cvtepu8_epi32, _mm_loadu_si128, _mm_maskz_loadu_epi8)
DECODE(decode_each_s16, int16_t, _mm512_cvtepi16_epi32, _mm256_loadu_si256,
       _mm256_maskz_loadu_epi16)
DECODE(decode_each_u16, uint16_t, _mm512_cvtepu16_epi32, _mm256_loadu_si256,
       _mm256_maskz_loadu_epi16)
