/* Encoding floats by the affine scheme, all of one group (encode_avx2.h). */
#include "encode_avx2.h"

static struct ends ends_for(const struct qnt__affine *q)
{
    const int32_t low = (int32_t)q->low;
    return ends_of(q->zero + low, (int32_t)q->high - low);
}

static struct exact load_exact(const struct qnt__affine *q)
{
    return (struct exact){_mm256_set1_ps(q->scale), _mm256_set1_ps(q->offset),
                          _mm256_set1_ps(q->low), _mm256_set1_ps(q->high)};
}

/* Codes before the next 32 bytes, at most n, if streaming is worth it: it saves reading the lines that are
 * about to be overwritten. */
static size_t before_vector(const struct qnt__affine *q, const void *codes, size_t size, size_t n)
{
    size_t count = q->stream ? (0 - (uintptr_t)codes) % 32 / size : 0;
    return count < n ? count : n;
}

INLINE void encode_8(const struct qnt__affine *q, bool real, const float *x, size_t n, uint8_t *codes)
{
    const float doubt = qnt__doubt((int32_t)q->high - (int32_t)q->low);
    const struct qnt__quotient by = qnt__quotient_of(q->scale, q->low, doubt);
    const struct group g = {_mm256_set1_ps(q->offset), _mm256_set1_ps(by.inverse),
                            _mm256_set1_ps(by.shift)},
                       all[4] = {g, g, g, g};
    const struct ends e = ends_for(q);
    const bool stream = q->stream;
    size_t i = before_vector(q, codes, sizeof *codes, n);
    qnt__encode_8_c(q, x, i, codes);
    for (; i + 32 <= n; i += 32) {
        if (encode_32_8(all, &e, real, x + i, QNT__AHEAD, codes + i, stream)) continue;
        const struct exact exact = load_exact(q), each[4] = {exact, exact, exact, exact};
        divide_32_8(each, &e, x + i, codes + i, stream);
    }
    qnt__encode_8_c(q, x + i, n - i, codes + i);
}

void qnt__encode_8_avx2(const struct qnt__affine *q, const float *x, size_t n, uint8_t *codes)
{
    if (q->offset != 0.0f) encode_8(q, true, x, n, codes);
    else encode_8(q, false, x, n, codes);
}

void qnt__encode_16_avx2(const struct qnt__affine *q, const float *x, size_t n, uint16_t *codes)
{
    const struct exact g = load_exact(q), all[4] = {g, g, g, g};
    const struct ends e = ends_for(q);
    const bool stream = q->stream;
    size_t i = before_vector(q, codes, sizeof *codes, n);
    qnt__encode_16_c(q, x, i, codes);
    for (; i + 32 <= n; i += 32) divide_32_16(all, &e, x + i, QNT__AHEAD, codes + i, stream);
    qnt__encode_16_c(q, x + i, n - i, codes + i);
}
