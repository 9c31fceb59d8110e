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

static inline __m512 scaled_sum(const struct qnt__finish *f, const struct columns *c, size_t i,
                                __m512i v)
{
    if (f->a_zero) {
        v = _mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(f->a_zero[i]), c->w_sum));
    }
    if (f->w_zero) {
        v = _mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(f->a_sum[i]), c->w_zero));
    }
    __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(v), c->multiplier);
    if (f->row_scale) x = _mm512_mul_ps(x, _mm512_set1_ps(f->row_scale[i]));
    return _mm512_add_ps(x, c->bias);
}

/* Both operands in this order let NaN pass, as the definition does. */
static inline __m512 clamp(__m512 x, __m512 low, __m512 high)
{
    return _mm512_min_ps(high, _mm512_max_ps(low, x));
}

/* Can a sum times these columns become NaN? It takes an infinity or NaN in them, or one that overflowed
 * times a row scale of 0. */
static inline int may_be_nan(const struct qnt__finish *f, const struct columns *c)
{
    enum { OTHER = 0x99 }; /* VFPCLASSPS: NaN and infinities */
    return f->row_scale != NULL ||
           (_mm512_fpclass_ps_mask(c->multiplier, OTHER) | _mm512_fpclass_ps_mask(c->bias, OTHER)) != 0;
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
                __m512 x = scaled_sum(&f, &c, i, _mm512_loadu_si512(acc));
                if (f.accumulate) x = _mm512_add_ps(x, _mm512_loadu_ps(y));
                _mm512_storeu_ps(y, clamp(x, low, high));
            } else {
                __m512 x = scaled_sum(&f, &c, i, _mm512_maskz_loadu_epi32(mask, acc));
                if (f.accumulate) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, y));
                _mm512_mask_storeu_ps(y, mask, clamp(x, low, high));
            }
        }
    }
}

struct ends {
    __m512 low, high;
    __m512i zero;
};

/* Codes of sixteen sums of row i; nan: they may be NaN. */
static inline __m512i codes_16(const struct qnt__finish *f, const struct columns *c,
                               const struct ends *e, size_t i, __m512i acc, int nan)
{
    __m512 x = scaled_sum(f, c, i, acc);
    if (nan) x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    return _mm512_add_epi32(_mm512_cvtps_epi32(clamp(x, e->low, e->high)), e->zero);
}

#define FINISH_CODES(name, width, type, put_some)                                                  \
    /* Columns j..j + 63 of all rows. */                                                           \
    INLINE void name##_64(const struct qnt__finish *f, const struct ends *e, size_t j)             \
    {                                                                                              \
        struct columns c[4];                                                                       \
        const int32_t *acc = f->acc + j;                                                           \
        type *y = (type *)f->y + j;                                                                \
        int nan = 0;                                                                               \
        UNROLL for (size_t k = 0; k < 4; k++) {                                                    \
            c[k] = load_columns(f, j + 16 * k, 0xffff);                                            \
            nan |= may_be_nan(f, &c[k]);                                                           \
        }                                                                                          \
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {                            \
            __m512i code[4];                                                                       \
            UNROLL for (size_t k = 0; k < 4; k++) {                                                \
                if (f->stream) prefetch(acc + 16 * k);                                             \
                code[k] = codes_16(f, &c[k], e, i, _mm512_loadu_si512(acc + 16 * k), nan);         \
            }                                                                                      \
            put_64_codes_##width(code, y, f->stream);                                              \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void qnt__##name##_avx512vnni(const struct qnt__finish *finish)                                \
    {                                                                                              \
        const struct qnt__finish f = *finish; /* stores through y cannot change a copy */          \
        const struct ends e = {_mm512_set1_ps(f.low), _mm512_set1_ps(f.high),                      \
                               _mm512_set1_epi32(f.zero)};                                         \
        size_t j = 0;                                                                              \
        for (; j + 64 <= f.n; j += 64) name##_64(&f, &e, j);                                       \
        for (; j < f.n; j += 16) {                                                                 \
            const __mmask16 some = first_lanes(f.n - j);                                           \
            const struct columns c = load_columns(&f, j, some);                                    \
            const int nan = may_be_nan(&f, &c);                                                    \
            const int32_t *acc = f.acc + j;                                                        \
            type *y = (type *)f.y + j;                                                             \
            for (size_t i = 0; i < f.m; i++, acc += f.ld, y += f.y_ld) {                           \
                __m512i v = _mm512_maskz_loadu_epi32(some, acc);                                   \
                put_some(y, some, codes_16(&f, &c, &e, i, v, nan));                                \
            }                                                                                      \
        }                                                                                          \
    }

FINISH_CODES(finish_codes, 8, uint8_t, _mm512_mask_cvtepi32_storeu_epi8)
FINISH_CODES(finish_codes_16, 16, uint16_t, _mm512_mask_cvtepi32_storeu_epi16)

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
