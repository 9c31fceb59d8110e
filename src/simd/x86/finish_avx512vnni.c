/*
 * Epilogues, sixteen columns at a time: what belongs to the columns stays in registers while the
 * rows pass. A missing bias counts as -0 and a missing row scale is not applied: x + -0 is x for
 * every x.
 */
#include <immintrin.h>

#include "../slots.h"

#define UNROLL _Pragma("GCC unroll 8")

struct columns {
    __m512i w_sum, w_zero; /* w_sum: times a_zero, if all rows have the same */
    __m512 multiplier, bias;
};

static inline __m512 load_or(const float *p, size_t j, __mmask16 mask, float missing)
{
    return p ? _mm512_maskz_loadu_ps(mask, p + j) : _mm512_set1_ps(missing);
}

/* A multiplication of 32 bits is the slowest step of all: it is done once where all rows have one zero
 * point. */
static inline int has_one_zero(const struct qnt__finish *f)
{
    if (!f->a_zero || f->m == 0) return 0;
    for (size_t i = 1; i < f->m; i++) {
        if (f->a_zero[i] != f->a_zero[0]) return 0;
    }
    return 1;
}

static inline struct columns load_columns(const struct qnt__finish *f, int one_zero, size_t j,
                                          __mmask16 mask)
{
    __m512i none = _mm512_setzero_si512();
    struct columns c = {
        f->a_zero ? _mm512_maskz_loadu_epi32(mask, f->w_sum + j) : none,
        f->w_zero ? _mm512_maskz_loadu_epi32(mask, f->w_zero + j) : none,
        _mm512_maskz_loadu_ps(mask, f->multiplier + j),
        load_or(f->bias, j, mask, -0.0f),
    };
    if (one_zero) c.w_sum = _mm512_mullo_epi32(_mm512_set1_epi32(f->a_zero[0]), c.w_sum);
    return c;
}

static inline __m512 scaled_sum(const struct qnt__finish *f, int one_zero, const struct columns *c,
                                size_t i, __m512i v)
{
    if (one_zero) {
        v = _mm512_sub_epi32(v, c->w_sum);
    } else if (f->a_zero) {
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

static inline __mmask16 columns_left(size_t left)
{
    return (__mmask16)(left >= 16 ? 0xffffu : (1u << left) - 1u);
}

void qnt__finish_s32_avx512vnni(const struct qnt__finish *finish)
{
    const struct qnt__finish f = *finish; /* stores through y cannot change a copy */
    const __m512 low = _mm512_set1_ps(f.low), high = _mm512_set1_ps(f.high);
    const int one_zero = has_one_zero(&f);
    for (size_t j = 0; j < f.n; j += 16) {
        __mmask16 mask = columns_left(f.n - j);
        struct columns c = load_columns(&f, one_zero, j, mask);
        const int32_t *acc = f.acc + j;
        float *y = (float *)f.y + j;
        for (size_t i = 0; i < f.m; i++, acc += f.ld, y += f.y_ld) {
            if (mask == 0xffff) {
                __m512 x = scaled_sum(&f, one_zero, &c, i, _mm512_loadu_si512(acc));
                if (f.accumulate) x = _mm512_add_ps(x, _mm512_loadu_ps(y));
                _mm512_storeu_ps(y, clamp(x, low, high));
            } else {
                __m512 x = scaled_sum(&f, one_zero, &c, i, _mm512_maskz_loadu_epi32(mask, acc));
                if (f.accumulate) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, y));
                _mm512_mask_storeu_ps(y, mask, clamp(x, low, high));
            }
        }
    }
}

/* Sixteen codes in 32 bits. */
static inline __m512i form_codes(const struct qnt__finish *f, __m512 x, int nan)
{
    if (nan) x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    x = clamp(x, _mm512_set1_ps(f->low), _mm512_set1_ps(f->high));
    return _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(f->zero));
}

static inline void finish_codes_16(const struct qnt__finish *f, int one_zero, size_t j, __mmask16 mask)
{
    const struct columns c = load_columns(f, one_zero, j, mask);
    const int nan = may_be_nan(f, &c);
    const int32_t *acc = f->acc + j;
    uint8_t *y = (uint8_t *)f->y + j;
    for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
        __m512 x = scaled_sum(f, one_zero, &c, i, _mm512_maskz_loadu_epi32(mask, acc));
        __m512i codes = form_codes(f, x, nan);
        if (mask == 0xffff) _mm_storeu_si128((__m128i *)y, _mm512_cvtepi32_epi8(codes));
        else _mm512_mask_cvtepi32_storeu_epi8(y, mask, codes);
    }
}

/* Rounding keeps the order, so the clamp may follow it. The one to `low` then comes with narrowing to
 * unsigned bytes, if the codes are at most 256 neighbours and low is taken off before. */
static inline int fits_bytes(const struct qnt__finish *f)
{
    int low = _mm_cvtss_si32(_mm_set_ss(f->low)), high = _mm_cvtss_si32(_mm_set_ss(f->high));
    return low >= INT16_MIN && high <= INT16_MAX && low <= high && high - low <= UINT8_MAX;
}

static inline void finish_codes_64(const struct qnt__finish *f, int one_zero, size_t j)
{
    enum { VECTORS = 4, ALL = 0xffff };
    const int from = _mm_cvtss_si32(_mm_set_ss(f->low));
    const __m512 high = _mm512_set1_ps(f->high);
    const __m512i low = _mm512_set1_epi16((short)from), back = _mm512_set1_epi8((char)(from + f->zero));
    const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    struct columns c[VECTORS];
    int nan = 0;
    UNROLL for (size_t p = 0; p < VECTORS; p++) {
        c[p] = load_columns(f, one_zero, j + 16 * p, ALL);
        nan |= may_be_nan(f, &c[p]);
    }
    const int32_t *acc = f->acc + j;
    uint8_t *y = (uint8_t *)f->y + j;
    for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
        __m512i v[VECTORS];
        UNROLL for (size_t p = 0; p < VECTORS; p++) {
            __m512 x = scaled_sum(f, one_zero, &c[p], i, _mm512_loadu_si512(acc + 16 * p));
            if (nan) x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
            v[p] = _mm512_cvtps_epi32(_mm512_min_ps(high, x));
        }
        __m512i v01 = _mm512_subs_epi16(_mm512_packs_epi32(v[0], v[1]), low);
        __m512i v23 = _mm512_subs_epi16(_mm512_packs_epi32(v[2], v[3]), low);
        __m512i codes = _mm512_add_epi8(_mm512_packus_epi16(v01, v23), back);
        _mm512_storeu_si512(y, _mm512_permutexvar_epi32(in_order, codes));
    }
}

void qnt__finish_codes_avx512vnni(const struct qnt__finish *finish)
{
    const struct qnt__finish f = *finish;
    const int one_zero = has_one_zero(&f);
    size_t j = 0;
    if (fits_bytes(&f)) {
        for (; j + 64 <= f.n; j += 64) finish_codes_64(&f, one_zero, j);
    }
    for (; j < f.n; j += 16) finish_codes_16(&f, one_zero, j, columns_left(f.n - j));
}

void qnt__finish_f32_avx512vnni(const struct qnt__finish_f32 *finish)
{
    const struct qnt__finish_f32 f = *finish;
    const __m512 low = _mm512_set1_ps(f.low), high = _mm512_set1_ps(f.high);
    for (size_t j = 0; j < f.n; j += 16) {
        __mmask16 mask = columns_left(f.n - j);
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
