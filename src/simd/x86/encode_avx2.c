/* Encoding floats by the affine scheme, all of one group (encode_avx2.h). */
#include "encode_avx2.h"

static struct group load_group(const struct qnt__affine *q)
{
    const float doubt = qnt__doubt((int32_t)q->high - (int32_t)q->low);
    const struct qnt__quotient by = qnt__quotient_of(q->scale, q->low, doubt);
    return (struct group){_mm256_set1_ps(q->scale),   _mm256_set1_ps(q->offset),
                          _mm256_set1_ps(q->low),     _mm256_set1_ps(q->high),
                          _mm256_set1_ps(by.inverse), _mm256_set1_ps(by.shift)};
}

/* Codes before the next 32 bytes, at most n. */
static size_t before_vector(const void *codes, size_t size, size_t n)
{
    size_t count = (0 - (uintptr_t)codes) % 32 / size;
    return count < n ? count : n;
}

/* Streaming saves reading the lines that are about to be overwritten. */
#define ENCODE(width, type)                                                                        \
    INLINE void encode_##width(const struct qnt__affine *q, bool real, const float *x, size_t n,   \
                               type *codes)                                                        \
    {                                                                                              \
        const struct group g = load_group(q), all[4] = {g, g, g, g};                               \
        const int32_t low = (int32_t)q->low, range = (int32_t)q->high - low;                       \
        const struct ends e = ends_of(q->zero + low, range);                                       \
        const bool stream = q->stream;                                                             \
        size_t i = stream ? before_vector(codes, sizeof *codes, n) : 0;                            \
        qnt__encode_##width##_c(q, x, i, codes);                                                   \
        for (; i + 32 <= n; i += 32) {                                                             \
            encode_32_##width(all, &e, real, x + i, QNT__AHEAD, codes + i, stream);                \
        }                                                                                          \
        qnt__encode_##width##_c(q, x + i, n - i, codes + i);                                       \
    }                                                                                              \
                                                                                                   \
    void qnt__encode_##width##_avx2(const struct qnt__affine *q, const float *x, size_t n,         \
                                    type *codes)                                                   \
    {                                                                                              \
        if (q->offset != 0.0f)                                                                     \
            encode_##width(q, true, x, n, codes);                                                  \
        else                                                                                       \
            encode_##width(q, false, x, n, codes);                                                 \
    }

ENCODE(8, uint8_t)
ENCODE(16, uint16_t)
