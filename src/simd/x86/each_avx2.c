/* Encoding and decoding neighbours of different groups: eight of them at a time, or run after run.
 */
#include <immintrin.h>

#include "../quotient.h"
#include "../runs.h"

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

struct element {
    __m256 scale, offset, low, high;
    __m256i zero;
};

static inline struct element load_elements(const struct qnt__affine_each *q, size_t i)
{
    __m256i zero = zeros(q, i);
    return (struct element){
        .scale = _mm256_loadu_ps(q->scale + i),
        .offset = offsets(q, i),
        .low = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_set1_epi32(q->first), zero)),
        .high = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_set1_epi32(q->last), zero)),
        .zero = zero,
    };
}

/* A NaN stays one. */
static inline __m256 clamp(const struct element *e, __m256 t)
{
    return _mm256_min_ps(e->high, _mm256_max_ps(e->low, t));
}

static inline __m256i divide(const struct element *e, __m256 x)
{
    x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    __m256 t = _mm256_div_ps(_mm256_sub_ps(x, e->offset), e->scale);
    return _mm256_add_epi32(_mm256_cvtps_epi32(clamp(e, t)), e->zero);
}

/*
 * A product with an approximation of 1 / scale instead (quotient.h). VRCPPS errs by 1.5 * 2^-12 at
 * most, a step of Newton's iteration leaves 1.2 * 2^-23 and what rounding adds, so p and t differ
 * by less than 2^-20 |t|. Inverses that are not positive and normal are not trusted.
 */
static inline __m256i encode(const struct qnt__affine_each *q, size_t i, const float *p)
{
    const __m256 shift = _mm256_set1_ps(QNT__TO_INTEGER), sign = _mm256_set1_ps(-0.0f);
    const struct element e = load_elements(q, i);
    __m256 x = _mm256_loadu_ps(p + i), inverse = _mm256_rcp_ps(e.scale);
    __m256 step = _mm256_sub_ps(_mm256_set1_ps(2.0f), _mm256_mul_ps(e.scale, inverse));
    inverse = _mm256_mul_ps(inverse, step);
    __m256 t = clamp(&e, _mm256_mul_ps(_mm256_sub_ps(x, e.offset), inverse));
    __m256 sum = _mm256_add_ps(t, shift);
    __m256 apart = _mm256_andnot_ps(sign, _mm256_sub_ps(t, _mm256_sub_ps(sum, shift)));
    __m256 share = _mm256_mul_ps(_mm256_andnot_ps(sign, t), _mm256_set1_ps(0x1p-19f));
    __m256 near = _mm256_cmp_ps(apart, _mm256_sub_ps(_mm256_set1_ps(0.5f), share), _CMP_LT_OQ);
    near = _mm256_and_ps(near, _mm256_cmp_ps(inverse, _mm256_set1_ps(FLT_MIN), _CMP_GE_OQ));
    near = _mm256_and_ps(near, _mm256_cmp_ps(inverse, _mm256_set1_ps(FLT_MAX), _CMP_LE_OQ));
    if (__builtin_expect(_mm256_movemask_ps(near) != 0xff, 0)) return divide(&e, x);
    return _mm256_add_epi32(_mm256_castps_si256(sum), e.zero);
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
    QNT__BY_ROWS(qnt__encode_each_8_avx2, q, x, n, codes)
    if (q->run > 1) {
        QNT__BY_RUNS(qnt__encode_8_avx2, q, x, n, codes)
        return;
    }
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
    QNT__BY_ROWS(qnt__encode_each_16_avx2, q, x, n, codes)
    if (q->run > 1) {
        QNT__BY_RUNS(qnt__encode_16_avx2, q, x, n, codes)
        return;
    }
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm_storeu_si128((__m128i *)(codes + i), words(encode(q, i, x)));
    struct qnt__affine_each rest = from(q, i);
    qnt__encode_each_16_c(&rest, x + i, n - i, codes + i);
}

#define DECODE(name, single, type, widen, load)                                                    \
    void qnt__##name##_avx2(const struct qnt__affine_each *q, const type *codes, size_t n,         \
                            float *y)                                                              \
    {                                                                                              \
        QNT__BY_ROWS(qnt__##name##_avx2, q, codes, n, y)                                           \
        if (q->run > 1) {                                                                          \
            QNT__BY_RUNS(single, q, codes, n, y)                                                   \
            return;                                                                                \
        }                                                                                          \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8) {                                                               \
            _mm256_storeu_ps(y + i, decode(q, i, widen(load((const void *)(codes + i)))));         \
        }                                                                                          \
        struct qnt__affine_each rest = from(q, i);                                                 \
        qnt__##name##_c(&rest, codes + i, n - i, y + i);                                           \
    }

DECODE(decode_each_s8, qnt__decode_s8_avx2, int8_t, _mm256_cvtepi8_epi32, _mm_loadl_epi64)
DECODE(decode_each_u8, qnt__decode_u8_avx2, uint8_t, _mm256_cvtepu8_epi32, _mm_loadl_epi64)
DECODE(decode_each_s16, qnt__decode_s16_avx2, int16_t, _mm256_cvtepi16_epi32, _mm_loadu_si128)
DECODE(decode_each_u16, qnt__decode_u16_avx2, uint16_t, _mm256_cvtepu16_epi32, _mm_loadu_si128)
