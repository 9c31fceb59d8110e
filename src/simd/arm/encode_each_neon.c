/*
 * Encoding neighbours of different groups by the affine scheme: row by row a strip of groups that the rows
 * have in common, or a strip of runs, 16 elements at a time; single elements at the end of a run.
 */
#include "../runs.h"
#include "../strip.h"
#include "encode_neon.h"

/* Four groups from number `at`. */
static void load_four(const struct qnt__affine_each *q, size_t at, struct qnt__strip *s, size_t i)
{
    const float32x4_t shift = vdupq_n_f32(0.5f + qnt__doubt(q->last - q->first));
    int32x4_t zero = q->zero ? vld1q_s32(q->zero + at) : vdupq_n_s32(0);
    float32x4_t scale = vld1q_f32(q->scale + at);
    float32x4_t low = vcvtq_f32_s32(vsubq_s32(vdupq_n_s32(q->first), zero));
    float32x4_t high = vcvtq_f32_s32(vsubq_s32(vdupq_n_s32(q->last), zero));
    float32x4_t inverse = vdivq_f32(vdupq_n_f32(1.0f), scale);
    uint32x4_t normal = vandq_u32(vcgeq_f32(inverse, vdupq_n_f32(FLT_MIN)),
                                  vcleq_f32(inverse, vdupq_n_f32(FLT_MAX)));
    vst1q_f32(s->scale + i, scale);
    vst1q_f32(s->offset + i, q->offset ? vld1q_f32(q->offset + at) : vdupq_n_f32(0.0f));
    vst1q_f32(s->low + i, low);
    vst1q_f32(s->high + i, high);
    vst1q_f32(s->inverse + i, vbslq_f32(normal, inverse, vdupq_n_f32(NAN)));
    vst1q_f32(s->shift + i, vsubq_f32(shift, low));
}

static void load_strip(const struct qnt__affine_each *q, size_t first, size_t count,
                       struct qnt__strip *s)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) load_four(q, first + i, s, i);
    for (; i < count; i++) qnt__strip_set(q, first + i, s, i);
}

/* Groups i..i + 3, one for each element. */
INLINE struct group groups_at(const struct qnt__strip *s, size_t i)
{
    return (struct group){vld1q_f32(s->scale + i),   vld1q_f32(s->offset + i),
                          vld1q_f32(s->low + i),     vld1q_f32(s->high + i),
                          vld1q_f32(s->inverse + i), vld1q_f32(s->shift + i)};
}

/* Group i for all elements. */
INLINE struct group group_at(const struct qnt__strip *s, size_t i)
{
    return (struct group){vdupq_n_f32(s->scale[i]),   vdupq_n_f32(s->offset[i]),
                          vdupq_n_f32(s->low[i]),     vdupq_n_f32(s->high[i]),
                          vdupq_n_f32(s->inverse[i]), vdupq_n_f32(s->shift[i])};
}

#define ENCODE_STRIP(width, type)                                                                  \
    static void encode_row_##width(const struct qnt__strip *s, const struct ends *e,               \
                                   const float *x, size_t n, type *codes)                          \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) {                                                             \
            const struct group g[4] = {groups_at(s, i), groups_at(s, i + 4), groups_at(s, i + 8),  \
                                       groups_at(s, i + 12)};                                      \
            encode_16_##width(g, e, x + i, codes + i);                                             \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            const struct qnt__affine one = qnt__strip_get(s, i);                                   \
            qnt__encode_##width##_c(&one, x + i, 1, codes + i);                                    \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void encode_run_##width(const struct qnt__strip *s, const struct ends *e, size_t at,    \
                                   const float *x, size_t n, type *codes)                          \
    {                                                                                              \
        const struct group g = group_at(s, at), all[4] = {g, g, g, g};                             \
        const struct qnt__affine rest = qnt__strip_get(s, at);                                     \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) encode_16_##width(all, e, x + i, codes + i);                  \
        if (i < n) qnt__encode_##width##_c(&rest, x + i, n - i, codes + i);                        \
    }                                                                                              \
                                                                                                   \
    static void encode_strip_##width(const struct qnt__strip *s, size_t run, const float *x,       \
                                     size_t n, type *codes, bool stream)                           \
    {                                                                                              \
        const struct ends e = ends_of(s->first, s->last - s->first);                               \
        (void)stream;                                                                              \
        if (run == 1) {                                                                            \
            encode_row_##width(s, &e, x, n, codes);                                                \
            return;                                                                                \
        }                                                                                          \
        for (size_t g = 0, i = 0; i < n; g++, i += run) {                                          \
            encode_run_##width(s, &e, g, x + i, n - i < run ? n - i : run, codes + i);             \
        }                                                                                          \
    }

ENCODE_STRIP(8, uint8_t)
ENCODE_STRIP(16, uint16_t)
QNT__ENCODE_EACH(neon, 8, uint8_t)
QNT__ENCODE_EACH(neon, 16, uint16_t)
QNT__PACK_EACH(qnt__pack_each_neon, neon)
