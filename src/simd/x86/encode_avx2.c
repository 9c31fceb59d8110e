/* Encoding floats by the affine scheme, eight at a time. */
#include <immintrin.h>

#include "../slots.h"

struct group {
    __m256 scale, offset, low, high;
    __m256i zero;
};

static inline struct group load_group(const struct qnt__affine *q)
{
    return (struct group){_mm256_set1_ps(q->scale), _mm256_set1_ps(q->offset),
                          _mm256_set1_ps(q->low), _mm256_set1_ps(q->high),
                          _mm256_set1_epi32(q->zero)};
}

static inline __m256i encode(const struct group *g, const float *p)
{
    __m256 x = _mm256_loadu_ps(p);
    x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    __m256 t = _mm256_div_ps(_mm256_sub_ps(x, g->offset), g->scale);
    t = _mm256_min_ps(g->high, _mm256_max_ps(g->low, t));
    return _mm256_add_epi32(_mm256_cvtps_epi32(t), g->zero);
}

/* Sixteen 16-bit words in order; packing saturates, so the high halves are cleared before. */
static inline __m256i words(const struct group *g, const float *x)
{
    const __m256i mask = _mm256_set1_epi32(0xffff);
    __m256i a = _mm256_and_si256(encode(g, x), mask), b = _mm256_and_si256(encode(g, x + 8), mask);
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), _MM_SHUFFLE(3, 1, 2, 0));
}

static inline __m128i bytes(const struct group *g, const float *x)
{
    __m256i v = _mm256_and_si256(words(g, x), _mm256_set1_epi16(0xff));
    return _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

/* Codes before the next line of 16 bytes, at most n. */
static inline size_t before_line(const void *codes, size_t size, size_t n)
{
    size_t count = (0 - (uintptr_t)codes) % 16 / size;
    return count < n ? count : n;
}

/* Streaming saves reading the lines that are about to be overwritten. */
void qnt__encode_8_avx2(const struct qnt__affine *q, const float *x, size_t n, uint8_t *codes)
{
    struct group g = load_group(q);
    size_t i = 0;
    if (q->stream) {
        i = before_line(codes, 1, n);
        qnt__encode_8_c(q, x, i, codes);
        for (; i + 16 <= n; i += 16) _mm_stream_si128((__m128i *)(codes + i), bytes(&g, x + i));
        _mm_sfence();
    }
    for (; i + 16 <= n; i += 16) _mm_storeu_si128((__m128i *)(codes + i), bytes(&g, x + i));
    qnt__encode_8_c(q, x + i, n - i, codes + i);
}

void qnt__encode_16_avx2(const struct qnt__affine *q, const float *x, size_t n, uint16_t *codes)
{
    struct group g = load_group(q);
    size_t i = 0;
    if (q->stream) {
        i = before_line(codes, 2, n);
        qnt__encode_16_c(q, x, i, codes);
        for (; i + 16 <= n; i += 16) {
            __m256i v = words(&g, x + i);
            _mm_stream_si128((__m128i *)(codes + i), _mm256_castsi256_si128(v));
            _mm_stream_si128((__m128i *)(codes + i + 8), _mm256_extracti128_si256(v, 1));
        }
        _mm_sfence();
    }
    for (; i + 16 <= n; i += 16) _mm256_storeu_si256((__m256i *)(codes + i), words(&g, x + i));
    qnt__encode_16_c(q, x + i, n - i, codes + i);
}
