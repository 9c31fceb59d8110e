/* Encoding floats by the affine scheme, all of one group (encode_avx2.h). */
#include "encode_avx2.h"

static struct group load_group(const struct qnt__affine *q)
{
    const struct qnt__quotient by = qnt__quotient_of(q);
    return (struct group){_mm256_set1_ps(q->scale), _mm256_set1_ps(q->offset),
                          _mm256_set1_ps(q->low), _mm256_set1_ps(q->high),
                          _mm256_set1_ps(by.inverse), _mm256_set1_ps(by.limit),
                          _mm256_set1_epi32(q->zero)};
}

/* Codes before the next 32 bytes, at most n. */
static size_t before_vector(const void *codes, size_t size, size_t n)
{
    size_t count = (0 - (uintptr_t)codes) % 32 / size;
    return count < n ? count : n;
}

/* Streaming saves reading the lines that are about to be overwritten. */
#define ENCODE(width, type)                                                                        \
    void qnt__encode_##width##_avx2(const struct qnt__affine *q, const float *x, size_t n,         \
                                    type *codes)                                                   \
    {                                                                                              \
        const struct group g = load_group(q);                                                      \
        const bool stream = q->stream;                                                             \
        __m256i code[4];                                                                           \
        size_t i = stream ? before_vector(codes, sizeof *codes, n) : 0;                            \
        qnt__encode_##width##_c(q, x, i, codes);                                                   \
        for (; i + 32 <= n; i += 32) {                                                             \
            codes_32_alike(&g, x + i, code);                                                       \
            put_32_codes_##width(code, codes + i, stream);                                         \
        }                                                                                          \
        qnt__encode_##width##_c(q, x + i, n - i, codes + i);                                       \
    }

ENCODE(8, uint8_t)
ENCODE(16, uint16_t)
