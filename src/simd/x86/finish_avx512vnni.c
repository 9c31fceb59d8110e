/*
 * Epilogues, sixteen columns at a time: what belongs to the columns stays in registers while the
 * rows pass. A missing bias counts as -0 and a missing row scale is not applied: x + -0 is x for
 * every x.
 */
#include "../slots.h"
#include "codes_avx512vnni.h"

struct columns {
    __m512i w_sum, w_zero;
    __m512 multiplier, bias;
};

static inline __m512 load_or(const float *p, size_t j, __mmask16 mask, float missing)
{
    return p ? _mm512_maskz_loadu_ps(mask, p + j) : _mm512_set1_ps(missing);
}

static inline struct columns load_columns(const struct qnt__finish *f, size_t j, __mmask16 mask)
{
    __m512i none = _mm512_setzero_si512();
    return (struct columns){
        f->a_zero ? _mm512_maskz_loadu_epi32(mask, f->w_sum + j) : none,
        f->w_zero ? _mm512_maskz_loadu_epi32(mask, f->w_zero + j) : none,
        _mm512_maskz_loadu_ps(mask, f->multiplier + j),
        load_or(f->bias, j, mask, -0.0f),
    };
}

/* plain: nothing belongs to rows. */
INLINE __m512 scaled_sum(const struct qnt__finish *f, const struct columns *c, size_t i, __m512i v,
                         bool plain)
{
    if (!plain && f->a_zero) {
        v = _mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(f->a_zero[i]), c->w_sum));
    }
    if (!plain && f->w_zero) {
        v = _mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(f->a_sum[i]), c->w_zero));
    }
    __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(v), c->multiplier);
    if (!plain && f->row_scale) x = _mm512_mul_ps(x, _mm512_set1_ps(f->row_scale[i]));
    return _mm512_add_ps(x, c->bias);
}

/* Both operands in this order let NaN pass, as the definition does. */
static inline __m512 clamp(__m512 x, __m512 low, __m512 high)
{
    return _mm512_min_ps(high, _mm512_max_ps(low, x));
}

void qnt__finish_s32_avx512vnni(const struct qnt__finish *finish)
{
    const struct qnt__finish f = *finish; /* stores through y cannot change a copy */
    const __m512 low = _mm512_set1_ps(f.low), high = _mm512_set1_ps(f.high);
    for (size_t j = 0; j < f.n; j += 16) {
        __mmask16 mask = first_lanes(f.n - j);
        struct columns c = load_columns(&f, j, mask);
        const int32_t *acc = f.acc + j;
        float *y = (float *)f.y + j;
        for (size_t i = 0; i < f.m; i++, acc += f.ld, y += f.y_ld) {
            if (mask == 0xffff) {
                __m512 x = scaled_sum(&f, &c, i, _mm512_loadu_si512(acc), false);
                if (f.accumulate) x = _mm512_add_ps(x, _mm512_loadu_ps(y));
                _mm512_storeu_ps(y, clamp(x, low, high));
            } else {
                __m512 x = scaled_sum(&f, &c, i, _mm512_maskz_loadu_epi32(mask, acc), false);
                if (f.accumulate) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, y));
                _mm512_mask_storeu_ps(y, mask, clamp(x, low, high));
            }
        }
    }
}

struct ends {
    __m512 low, high;
    bool nan; /* NaN needs care: converted, it gives 0 in the low bits, unless 0 is to be clamped */
};

static struct ends ends_of(const struct qnt__finish *f)
{
    return (struct ends){_mm512_set1_ps(f->low), _mm512_set1_ps(f->high), f->low > 0 || f->high < 0};
}

/* Codes less the zero point of sixteen sums of row i; the low 16 bits count. */
INLINE __m512i steps_16(const struct qnt__finish *f, const struct columns *c, const struct ends *e,
                        size_t i, __m512i acc, bool plain)
{
    __m512 x = scaled_sum(f, c, i, acc, plain);
    if (!plain && e->nan) x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    return _mm512_cvtps_epi32(clamp(x, e->low, e->high));
}

#define FINISH_CODES(name, width, type)                                                            \
    /* Columns j..j + 63 of all rows. */                                                           \
    INLINE void name##_64(const struct qnt__finish *f, const struct ends *e, size_t j, bool plain) \
    {                                                                                              \
        struct columns c[4];                                                                       \
        const int32_t *acc = f->acc + j;                                                           \
        type *y = (type *)f->y + j;                                                                \
        UNROLL for (size_t k = 0; k < 4; k++) c[k] = load_columns(f, j + 16 * k, 0xffff);          \
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {                            \
            __m512i steps[4];                                                                      \
            UNROLL for (size_t k = 0; k < 4; k++) {                                                \
                if (f->stream) prefetch(acc + 16 * k);                                             \
                __m512i v = _mm512_loadu_si512(acc + 16 * k);                                      \
                steps[k] = steps_16(f, &c[k], e, i, v, plain);                                     \
            }                                                                                      \
            put_64_steps_##width(steps, f->zero, y, f->stream);                                    \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void qnt__##name##_avx512vnni(const struct qnt__finish *finish)                                \
    {                                                                                              \
        const struct qnt__finish f = *finish; /* stores through y cannot change a copy */          \
        const struct ends e = ends_of(&f);                                                         \
        const __m512i zero = _mm512_set1_epi32(f.zero);                                            \
        size_t j = 0;                                                                              \
        if (!f.a_zero && !f.w_zero && !f.row_scale && !e.nan) {                                    \
            for (; j + 64 <= f.n; j += 64) name##_64(&f, &e, j, true);                             \
        }                                                                                          \
        for (; j + 64 <= f.n; j += 64) name##_64(&f, &e, j, false);                                \
        for (; j < f.n; j += 16) {                                                                 \
            const __mmask16 some = first_lanes(f.n - j);                                           \
            const struct columns c = load_columns(&f, j, some);                                    \
            const int32_t *acc = f.acc + j;                                                        \
            type *y = (type *)f.y + j;                                                             \
            for (size_t i = 0; i < f.m; i++, acc += f.ld, y += f.y_ld) {                           \
                __m512i v = _mm512_maskz_loadu_epi32(some, acc);                                   \
                v = steps_16(&f, &c, &e, i, v, false);                                             \
                put_some_##width(_mm512_add_epi32(v, zero), y, some);                              \
            }                                                                                      \
        }                                                                                          \
    }

FINISH_CODES(finish_codes, 8, uint8_t)
FINISH_CODES(finish_codes_16, 16, uint16_t)

void qnt__finish_f32_avx512vnni(const struct qnt__finish_f32 *finish)
{
    const struct qnt__finish_f32 f = *finish;
    const __m512 low = _mm512_set1_ps(f.low), high = _mm512_set1_ps(f.high);
    for (size_t j = 0; j < f.n; j += 16) {
        __mmask16 mask = first_lanes(f.n - j);
        __m512 bias = load_or(f.bias, j, mask, -0.0f);
        const float *acc = f.acc + j;
        float *y = f.y + j;
        for (size_t i = 0; i < f.m; i++, acc += f.ld, y += f.y_ld) {
            __m512 x = _mm512_maskz_loadu_ps(mask, acc);
            if (f.row_scale) x = _mm512_mul_ps(x, _mm512_set1_ps(f.row_scale[i]));
            x = _mm512_add_ps(x, bias);
            if (f.accumulate) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, y));
            x = clamp(x, low, high);
            if (mask == 0xffff) _mm512_storeu_ps(y, x);
            else _mm512_mask_storeu_ps(y, mask, x);
        }
    }
}
