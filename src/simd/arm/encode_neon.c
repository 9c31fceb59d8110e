/* Encoding floats by the affine scheme, all of one group (encode_neon.h). */
#include "encode_neon.h"

static struct group load_group(const struct qnt__affine *q)
{
    const float doubt = qnt__doubt((int32_t)q->high - (int32_t)q->low);
    const struct qnt__quotient by = qnt__quotient_of(q->scale, q->low, doubt);
    return (struct group){vdupq_n_f32(q->scale), vdupq_n_f32(q->offset),  vdupq_n_f32(q->low),
                          vdupq_n_f32(q->high),  vdupq_n_f32(by.inverse), vdupq_n_f32(by.shift)};
}

#define ENCODE(width, type)                                                                        \
    void qnt__encode_##width##_neon(const struct qnt__affine *q, const float *x, size_t n,         \
                                    type *codes)                                                   \
    {                                                                                              \
        const struct group g = load_group(q), all[4] = {g, g, g, g};                               \
        const int32_t low = (int32_t)q->low, range = (int32_t)q->high - low;                       \
        const struct ends e = ends_of(q->zero + low, range);                                       \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) encode_16_##width(all, &e, x + i, codes + i);                 \
        qnt__encode_##width##_c(q, x + i, n - i, codes + i);                                       \
    }

ENCODE(8, uint8_t)
ENCODE(16, uint16_t)
