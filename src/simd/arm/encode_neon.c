/* Encoding floats by the affine scheme, all of one group (encode_neon.h). */
#include "encode_neon.h"

static struct group load_group(const struct qnt__affine *q)
{
    const struct qnt__quotient by = qnt__quotient_of(q);
    return (struct group){vdupq_n_f32(q->scale), vdupq_n_f32(q->offset), vdupq_n_f32(q->low),
                          vdupq_n_f32(q->high), vdupq_n_f32(by.inverse), vdupq_n_f32(by.limit),
                          vdupq_n_s32(q->zero)};
}

#define ENCODE(width, type)                                                                        \
    void qnt__encode_##width##_neon(const struct qnt__affine *q, const float *x, size_t n,         \
                                    type *codes)                                                   \
    {                                                                                              \
        const struct group g = load_group(q);                                                      \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) {                                                             \
            put_16_codes_##width(codes_16_alike(&g, x + i), codes + i);                            \
        }                                                                                          \
        qnt__encode_##width##_c(q, x + i, n - i, codes + i);                                       \
    }

ENCODE(8, uint8_t)
ENCODE(16, uint16_t)
