/* Encoding and decoding with parameters for every element, eight at a time. */
#include <immintrin.h>

#include "../slots.h"

/* The parameters from element i on. */
static inline struct qnt__affine_each from(const struct qnt__affine_each *q, size_t i)
{
    struct qnt__affine_each rest = *q;
    rest.scale += i;
    if (q->offset) rest.offset += i;
    if (q->zero) rest.zero += i;
    return rest;
}

static inline __m256i load_s32(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline __m256i zeros(const struct qnt__affine_each *q, size_t i)
{
    return q->zero ? load_s32(q->zero + i) : _mm256_setzero_si256();
}

static inline __m256 offsets(const struct qnt__affine_each *q, size_t i)
{
    return q->offset ? _mm256_loadu_ps(q->offset + i) : _mm256_setzero_ps();
}

static inline __m256i encode(const struct qnt__affine_each *q, size_t i, const float *p)
{
    __m256i zero = zeros(q, i);
    __m256 low = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_set1_epi32(q->first), zero));
    __m256 high = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_set1_epi32(q->last), zero));
    __m256 x = _mm256_loadu_ps(p + i);
    x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    __m256 t = _mm256_sub_ps(x, offsets(q, i));
    t = _mm256_div_ps(t, _mm256_loadu_ps(q->scale + i));
    t = _mm256_min_ps(high, _mm256_max_ps(low, t));
    return _mm256_add_epi32(_mm256_cvtps_epi32(t), zero);
}

static inline __m256 decode(const struct qnt__affine_each *q, size_t i, __m256i code)
{
    __m256 t = _mm256_cvtepi32_ps(_mm256_sub_epi32(code, zeros(q, i)));
    t = _mm256_mul_ps(t, _mm256_loadu_ps(q->scale + i));
    return _mm256_add_ps(t, offsets(q, i));
}

/* Eight 16-bit words in order; packing saturates, so the high halves are cleared before. */
static inline __m128i words(__m256i code)
{
    code = _mm256_and_si256(code, _mm256_set1_epi32(0xffff));
    return _mm_packus_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
}

void qnt__encode_each_8_avx2(const struct qnt__affine_each *q, const float *x, size_t n,
                             uint8_t *codes)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i v = _mm_and_si128(words(encode(q, i, x)), _mm_set1_epi16(0xff));
        _mm_storel_epi64((__m128i *)(codes + i), _mm_packus_epi16(v, v));
    }
    struct qnt__affine_each rest = from(q, i);
    qnt__encode_each_8_c(&rest, x + i, n - i, codes + i);
}

void qnt__encode_each_16_avx2(const struct qnt__affine_each *q, const float *x, size_t n,
                              uint16_t *codes)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm_storeu_si128((__m128i *)(codes + i), words(encode(q, i, x)));
    struct qnt__affine_each rest = from(q, i);
    qnt__encode_each_16_c(&rest, x + i, n - i, codes + i);
}

#define DECODE(name, type, widen, load)                                                            \
    void qnt__##name##_avx2(const struct qnt__affine_each *q, const type *codes, size_t n,         \
                            float *y)                                                              \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8) {                                                               \
            _mm256_storeu_ps(y + i, decode(q, i, widen(load((const void *)(codes + i)))));         \
        }                                                                                          \
        struct qnt__affine_each rest = from(q, i);                                                 \
        qnt__##name##_c(&rest, codes + i, n - i, y + i);                                           \
    }

DECODE(decode_each_s8, int8_t, _mm256_cvtepi8_epi32, _mm_loadl_epi64)
DECODE(decode_each_u8, uint8_t, _mm256_cvtepu8_epi32, _mm_loadl_epi64)
DECODE(decode_each_s16, int16_t, _mm256_cvtepi16_epi32, _mm_loadu_si128)
DECODE(decode_each_u16, uint16_t, _mm256_cvtepu16_epi32, _mm_loadu_si128)
