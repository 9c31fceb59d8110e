/* Encoding floats by the affine scheme, all of one group (encode_avx512vnni.h). */
#include "encode_avx512vnni.h"

static struct group load_group(const struct qnt__affine *q)
{
    const struct qnt__quotient by = qnt__quotient_of(q);
    return (struct group){_mm512_set1_ps(q->scale), _mm512_set1_ps(q->offset),
                          _mm512_set1_ps(q->low), _mm512_set1_ps(q->high),
                          _mm512_set1_ps(by.inverse), _mm512_set1_ps(by.limit),
                          _mm512_set1_epi32(q->zero)};
}

#define ENCODE(width, type)                                                                        \
    void qnt__encode_##width##_avx512vnni(const struct qnt__affine *q, const float *x, size_t n,   \
                                          type *codes)                                             \
    {                                                                                              \
        const struct group g = load_group(q);                                                      \
        size_t before = (0 - (uintptr_t)codes) % 64 / sizeof *codes;                               \
        if (!q->stream || n <= before) {                                                           \
            encode_group_##width(&g, x, n, codes, false);                                          \
            return;                                                                                \
        }                                                                                          \
        encode_group_##width(&g, x, before, codes, false);                                         \
        encode_group_##width(&g, x + before, n - before, codes + before, true);                    \
    }

ENCODE(8, uint8_t)
ENCODE(16, uint16_t)
