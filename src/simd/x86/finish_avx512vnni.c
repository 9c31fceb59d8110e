/*
 * Epilogues, sixteen columns at a time: what belongs to the columns stays in registers while the
 * rows pass. A missing bias counts as -0 and a missing row scale is not applied: x + -0 is x for
 * every x.
 *
 * Nothing copies the arguments: whole registers cannot be loaded from the small stores just before until
 * these have left the store buffer, behind the sums. `restrict` says that y does not change them.
 */
#include "../slots.h"
#include "codes_avx512vnni.h"

/* What a result is made of. Loops over rows are compiled for the usual sets of parts, without branches. */
enum { A_ZERO = 1, ONE_A_ZERO = 2, W_ZERO = 4, ROW_SCALE = 8, MAYBE_NAN = 16, NARROWING_CLAMPS = 32 };

struct columns {
    __m512i w_sum, w_zero; /* w_sum: with ONE_A_ZERO times it */
    __m512 multiplier, bias;
};

/* A multiplication of 32 bits is the slowest step of all: it is done once where all rows have one zero
 * point. */
static inline int parts_of(const struct qnt__finish *f)
{
    int parts = (f->w_zero ? W_ZERO : 0) | (f->row_scale ? ROW_SCALE : 0);
    if (!f->a_zero) return parts;
    for (size_t i = 0; i < f->m; i++) {
        if (f->a_zero[i] != f->a_zero[0]) return parts | A_ZERO;
    }
    return parts | ONE_A_ZERO;
}

static inline __m512 load_or(const float *p, size_t j, __mmask16 mask, float missing)
{
    return p ? _mm512_maskz_loadu_ps(mask, p + j) : _mm512_set1_ps(missing);
}

static inline struct columns load_columns(const struct qnt__finish *f, int parts, size_t j,
                                          __mmask16 mask)
{
    __m512i none = _mm512_setzero_si512();
    struct columns c = {
        f->a_zero ? _mm512_maskz_loadu_epi32(mask, f->w_sum + j) : none,
        f->w_zero ? _mm512_maskz_loadu_epi32(mask, f->w_zero + j) : none,
        _mm512_maskz_loadu_ps(mask, f->multiplier + j),
        load_or(f->bias, j, mask, -0.0f),
    };
    if (parts & ONE_A_ZERO) {
        c.w_sum = _mm512_mullo_epi32(_mm512_set1_epi32(f->m ? f->a_zero[0] : 0), c.w_sum);
    }
    return c;
}

static inline __m512 scaled_sum(const struct qnt__finish *f, int parts, const struct columns *c, size_t i,
                                __m512i v)
{
    if (parts & ONE_A_ZERO) v = _mm512_sub_epi32(v, c->w_sum);
    if (parts & A_ZERO) {
        v = _mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(f->a_zero[i]), c->w_sum));
    }
    if (parts & W_ZERO) {
        v = _mm512_sub_epi32(v, _mm512_mullo_epi32(_mm512_set1_epi32(f->a_sum[i]), c->w_zero));
    }
    __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(v), c->multiplier);
    if (parts & ROW_SCALE) x = _mm512_mul_ps(x, _mm512_set1_ps(f->row_scale[i]));
    x = _mm512_add_ps(x, c->bias);
    if (parts & MAYBE_NAN) x = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
    return x;
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
    __mmask16 other = _mm512_fpclass_ps_mask(c->multiplier, OTHER) | _mm512_fpclass_ps_mask(c->bias, OTHER);
    return f->row_scale != NULL || other != 0 ? MAYBE_NAN : 0;
}

INLINE void floats_16(const struct qnt__finish *restrict f, int parts, size_t j)
{
    const __mmask16 mask = first_lanes(f->n - j);
    const __m512 low = _mm512_set1_ps(f->low), high = _mm512_set1_ps(f->high);
    const struct columns c = load_columns(f, parts, j, mask);
    const int32_t *acc = f->acc + j;
    float *y = (float *)f->y + j;
    for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
        if (mask == 0xffff) {
            __m512 x = scaled_sum(f, parts, &c, i, _mm512_loadu_si512(acc));
            if (f->accumulate) x = _mm512_add_ps(x, _mm512_loadu_ps(y));
            _mm512_storeu_ps(y, clamp(x, low, high));
        } else {
            __m512 x = scaled_sum(f, parts, &c, i, _mm512_maskz_loadu_epi32(mask, acc));
            if (f->accumulate) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, y));
            _mm512_mask_storeu_ps(y, mask, clamp(x, low, high));
        }
    }
}

/* 64 columns of a row are next to each other in one page, which rows seldom share. */
INLINE void floats_64(const struct qnt__finish *restrict f, int parts, size_t j)
{
    const __m512 low = _mm512_set1_ps(f->low), high = _mm512_set1_ps(f->high);
    struct columns c[4];
    const int32_t *acc = f->acc + j;
    float *y = (float *)f->y + j;
    UNROLL for (size_t p = 0; p < 4; p++) c[p] = load_columns(f, parts, j + 16 * p, 0xffff);
    for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
        UNROLL for (size_t p = 0; p < 4; p++)
        {
            __m512 x = scaled_sum(f, parts, &c[p], i, _mm512_loadu_si512(acc + 16 * p));
            if (f->accumulate) x = _mm512_add_ps(x, _mm512_loadu_ps(y + 16 * p));
            _mm512_storeu_ps(y + 16 * p, clamp(x, low, high));
        }
    }
}

INLINE void floats(const struct qnt__finish *restrict f, int parts)
{
    size_t j = 0;
    for (; j + 64 <= f->n; j += 64) floats_64(f, parts, j);
    for (; j < f->n; j += 16) floats_16(f, parts, j);
}

void qnt__finish_s32_avx512vnni(const struct qnt__finish *restrict f)
{
    const int parts = parts_of(f);
    if (parts == 0)
        floats(f, 0);
    else if (parts == ONE_A_ZERO)
        floats(f, ONE_A_ZERO);
    else if (parts == W_ZERO)
        floats(f, W_ZERO);
    else
        floats(f, parts);
}

/* Codes of sixteen sums of row i. */
INLINE __m512i codes_of(const struct qnt__finish *restrict f, int parts, const struct columns *c, size_t i,
                        __m512i acc)
{
    const __m512 low = _mm512_set1_ps(f->low), high = _mm512_set1_ps(f->high);
    __m512 x = clamp(scaled_sum(f, parts, c, i, acc), low, high);
    return _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(f->zero));
}

#define CODES_16(name, width, type)                                                                \
    /* Columns j..j + 15, or to the last, of all rows. */                                          \
    static void name(const struct qnt__finish *restrict f, int parts, size_t j)                    \
    {                                                                                              \
        const __mmask16 mask = first_lanes(f->n - j);                                              \
        const struct columns c = load_columns(f, parts, j, mask);                                  \
        const int32_t *acc = f->acc + j;                                                           \
        type *y = (type *)f->y + j;                                                                \
        parts |= may_be_nan(f, &c);                                                                \
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {                            \
            const __m512i v = _mm512_maskz_loadu_epi32(mask, acc);                                 \
            put_some_##width(codes_of(f, parts, &c, i, v), y, mask);                               \
        }                                                                                          \
    }

CODES_16(bytes_16, 8, uint8_t)
CODES_16(words_16, 16, uint16_t)

/* The columns of 64 codes, and whether these may be NaN. */
INLINE int load_64(const struct qnt__finish *restrict f, int parts, size_t j, struct columns c[4])
{
    UNROLL for (size_t p = 0; p < 4; p++) {
        c[p] = load_columns(f, parts, j + 16 * p, 0xffff);
        parts |= may_be_nan(f, &c[p]);
    }
    return parts;
}

/* Rounding keeps the order, so the clamp may follow it. The one to `low` then comes with narrowing to
 * unsigned bytes, if the codes are at most 256 neighbours and low is taken off before. */
static inline int fits_bytes(const struct qnt__finish *f)
{
    int low = _mm_cvtss_si32(_mm_set_ss(f->low)), high = _mm_cvtss_si32(_mm_set_ss(f->high));
    return low >= INT16_MIN && high <= INT16_MAX && low <= high && high - low <= UINT8_MAX;
}

/* Are codes all of 0..255, and does no sum leave int32 with these columns? Then narrowing is all the clamp:
 * 2^31 a quarter and 2^29 are far from 2^31 whatever rounding adds. */
static inline int narrowing_clamps(const struct qnt__finish *f, const struct columns c[4])
{
    const __m512 most = _mm512_set1_ps(0.25f), most_bias = _mm512_set1_ps(0x1p29f);
    __mmask16 is_small = 0xffff;
    if (f->zero != 0 || f->row_scale || f->low != 0 || f->high != UINT8_MAX) return 0;
    UNROLL for (size_t p = 0; p < 4; p++) { /* NaN compares false */
        is_small &= _mm512_cmp_ps_mask(_mm512_abs_ps(c[p].multiplier), most, _CMP_LE_OQ);
        is_small &= _mm512_cmp_ps_mask(_mm512_abs_ps(c[p].bias), most_bias, _CMP_LE_OQ);
    }
    return is_small == 0xffff ? NARROWING_CLAMPS : 0;
}

INLINE void byte_rows_64(const struct qnt__finish *restrict f, int parts, const struct columns c[4],
                         size_t j)
{
    const int from = _mm_cvtss_si32(_mm_set_ss(f->low)), is_plain = parts & NARROWING_CLAMPS;
    const __m512 high = _mm512_set1_ps(f->high);
    const __m512i low = _mm512_set1_epi16((short)from), back = _mm512_set1_epi8((char)(from + f->zero));
    const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const int32_t *acc = f->acc + j;
    uint8_t *y = (uint8_t *)f->y + j;
    for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
        __m512i v[4];
        UNROLL for (int p = 0; p < 4; p++) {
            if (f->stream) prefetch(acc + 16 * p);
            __m512 x = scaled_sum(f, parts, &c[p], i, _mm512_loadu_si512(acc + 16 * p));
            v[p] = _mm512_cvtps_epi32(is_plain ? x : _mm512_min_ps(high, x));
        }
        __m512i v01 = _mm512_packs_epi32(v[0], v[1]), v23 = _mm512_packs_epi32(v[2], v[3]);
        if (!is_plain) v01 = _mm512_subs_epi16(v01, low), v23 = _mm512_subs_epi16(v23, low);
        __m512i codes = _mm512_packus_epi16(v01, v23);
        if (!is_plain) codes = _mm512_add_epi8(codes, back);
        put_64(y, _mm512_permutexvar_epi32(in_order, codes), f->stream);
    }
}

static inline void bytes_64(const struct qnt__finish *restrict f, int parts, size_t j)
{
    struct columns c[4];
    parts = load_64(f, parts, j, c);
    if (!(parts & ~ONE_A_ZERO)) parts |= narrowing_clamps(f, c);
    switch (parts) {
    case NARROWING_CLAMPS: byte_rows_64(f, NARROWING_CLAMPS, c, j); break;
    case NARROWING_CLAMPS | ONE_A_ZERO: byte_rows_64(f, NARROWING_CLAMPS | ONE_A_ZERO, c, j); break;
    case 0: byte_rows_64(f, 0, c, j); break;
    case ONE_A_ZERO: byte_rows_64(f, ONE_A_ZERO, c, j); break;
    default: byte_rows_64(f, parts, c, j); break;
    }
}

void qnt__finish_codes_avx512vnni(const struct qnt__finish *restrict f)
{
    const int parts = parts_of(f);
    size_t j = 0;
    if (fits_bytes(f)) {
        for (; j + 64 <= f->n; j += 64) bytes_64(f, parts, j);
    }
    for (; j < f->n; j += 16) bytes_16(f, parts, j);
}

INLINE void word_rows_64(const struct qnt__finish *restrict f, int parts, const struct columns c[4],
                         size_t j)
{
    const int32_t *acc = f->acc + j;
    uint16_t *y = (uint16_t *)f->y + j;
    for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
        __m512i v[4];
        UNROLL for (int p = 0; p < 4; p++) {
            if (f->stream) prefetch(acc + 16 * p);
            v[p] = codes_of(f, parts, &c[p], i, _mm512_loadu_si512(acc + 16 * p));
        }
        put_64_codes_16(v, y, f->stream);
    }
}

static inline void words_64(const struct qnt__finish *restrict f, int parts, size_t j)
{
    struct columns c[4];
    parts = load_64(f, parts, j, c);
    if (parts == 0) word_rows_64(f, 0, c, j);
    else word_rows_64(f, parts, c, j);
}

void qnt__finish_codes_16_avx512vnni(const struct qnt__finish *restrict f)
{
    const int parts = parts_of(f);
    size_t j = 0;
    for (; j + 64 <= f->n; j += 64) words_64(f, parts, j);
    for (; j < f->n; j += 16) words_16(f, parts, j);
}

void qnt__finish_f32_avx512vnni(const struct qnt__finish_f32 *restrict f)
{
    const __m512 low = _mm512_set1_ps(f->low), high = _mm512_set1_ps(f->high);
    for (size_t j = 0; j < f->n; j += 16) {
        __mmask16 mask = first_lanes(f->n - j);
        __m512 bias = load_or(f->bias, j, mask, -0.0f);
        const float *acc = f->acc + j;
        float *y = f->y + j;
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
            __m512 x = _mm512_maskz_loadu_ps(mask, acc);
            if (f->row_scale) x = _mm512_mul_ps(x, _mm512_set1_ps(f->row_scale[i]));
            x = _mm512_add_ps(x, bias);
            if (f->accumulate) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, y));
            x = clamp(x, low, high);
            if (mask == 0xffff) _mm512_storeu_ps(y, x);
            else _mm512_mask_storeu_ps(y, mask, x);
        }
    }
}
