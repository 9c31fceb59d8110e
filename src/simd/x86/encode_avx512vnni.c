/* Encoding floats by the affine scheme, all of one group (encode_avx512vnni.h). */
#include "encode_avx512vnni.h"

/* 64 at a time from where whole lines of codes begin, if these are streamed. */
#define ENCODE(width, type)                                                                        \
    INLINE void encode_##width(const struct group *g, const struct ends *e, bool real,             \
                               const float *x, size_t n, type *codes, bool stream)                 \
    {                                                                                              \
        const size_t before = (0 - (uintptr_t)codes) % 64 / sizeof *codes;                         \
        if (!stream || n <= before) {                                                              \
            encode_group_##width(g, e, real, x, n, codes, false);                                  \
            return;                                                                                \
        }                                                                                          \
        encode_group_##width(g, e, real, x, before, codes, false);                                 \
        encode_group_##width(g, e, real, x + before, n - before, codes + before, true);            \
    }                                                                                              \
                                                                                                   \
    void qnt__encode_##width##_avx512vnni(const struct qnt__affine *q, const float *x, size_t n,   \
                                          type *codes)                                             \
    {                                                                                              \
        const struct group g = load_group(q);                                                      \
        const int32_t low = (int32_t)q->low, range = (int32_t)q->high - low;                       \
        const struct ends e = ends_of(q->zero + low, range);                                       \
        if (q->offset != 0.0f)                                                                     \
            encode_##width(&g, &e, true, x, n, codes, q->stream);                                  \
        else                                                                                       \
            encode_##width(&g, &e, false, x, n, codes, q->stream);                                 \
    }

static struct group load_group(const struct qnt__affine *q)
{
    const float doubt = qnt__doubt((int32_t)q->high - (int32_t)q->low);
    const struct qnt__quotient by = qnt__quotient_of(q->scale, q->low, doubt);
    return (struct group){_mm512_set1_ps(q->scale),   _mm512_set1_ps(q->offset),
                          _mm512_set1_ps(q->low),     _mm512_set1_ps(q->high),
                          _mm512_set1_ps(by.inverse), _mm512_set1_ps(by.shift)};
}

ENCODE(8, uint8_t)
ENCODE(16, uint16_t)
