/*
 * Epilogues, eight columns at a time: what belongs to the columns stays in registers while the rows
 * pass. A missing bias counts as -0 and a missing row scale is not applied: x + -0 is x for every
 * x. The last columns go to the portable version. The arguments are not copied: finish_avx512vnni.c.
 */
#include "../slots.h"
#include "codes_avx2.h"

struct columns {
    __m256i w_sum, w_zero;
    __m256 multiplier, bias;
};

static inline __m256i load_s32(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline __m256 load_or(const float *p, size_t j, float missing)
{
    return p ? _mm256_loadu_ps(p + j) : _mm256_set1_ps(missing);
}

static inline struct columns load_columns(const struct qnt__finish *f, size_t j)
{
    __m256i none = _mm256_setzero_si256();
    return (struct columns){
        f->a_zero ? load_s32(f->w_sum + j) : none,
        f->w_zero ? load_s32(f->w_zero + j) : none,
        _mm256_loadu_ps(f->multiplier + j),
        load_or(f->bias, j, -0.0f),
    };
}

/* plain: nothing belongs to rows. */
INLINE __m256 scaled_sum(const struct qnt__finish *f, const struct columns *c, size_t i,
                         const int32_t *acc, bool plain)
{
    __m256i v = load_s32(acc);
    if (!plain && f->a_zero) {
        v = _mm256_sub_epi32(v, _mm256_mullo_epi32(_mm256_set1_epi32(f->a_zero[i]), c->w_sum));
    }
    if (!plain && f->w_zero) {
        v = _mm256_sub_epi32(v, _mm256_mullo_epi32(_mm256_set1_epi32(f->a_sum[i]), c->w_zero));
    }
    __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(v), c->multiplier);
    if (!plain && f->row_scale) x = _mm256_mul_ps(x, _mm256_set1_ps(f->row_scale[i]));
    return _mm256_add_ps(x, c->bias);
}

/* Both operands in this order let NaN pass, as the definition does. */
static inline __m256 clamp(__m256 x, __m256 low, __m256 high)
{
    return _mm256_min_ps(high, _mm256_max_ps(low, x));
}

/* The columns from j on; y_size is the size of one result. */
static struct qnt__finish columns_from(const struct qnt__finish *f, size_t j, size_t y_size)
{
    struct qnt__finish rest = *f;
    rest.acc += j;
    if (f->a_zero) rest.w_sum += j;
    if (f->w_zero) rest.w_zero += j;
    rest.multiplier += j;
    if (f->bias) rest.bias += j;
    rest.n -= j;
    rest.y = (uint8_t *)f->y + j * y_size;
    return rest;
}

void qnt__finish_s32_avx2(const struct qnt__finish *restrict f)
{
    const __m256 low = _mm256_set1_ps(f->low), high = _mm256_set1_ps(f->high);
    size_t j = 0;
    for (; j + 8 <= f->n; j += 8) {
        struct columns c = load_columns(f, j);
        const int32_t *acc = f->acc + j;
        float *y = (float *)f->y + j;
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
            __m256 x = scaled_sum(f, &c, i, acc, false);
            if (f->accumulate) x = _mm256_add_ps(x, _mm256_loadu_ps(y));
            _mm256_storeu_ps(y, clamp(x, low, high));
        }
    }
    if (j == f->n) return;
    struct qnt__finish rest = columns_from(f, j, sizeof(float));
    qnt__finish_s32_c(&rest);
}

struct ends {
    __m256 low, high;
    __m256i zero;
    bool nan; /* NaN needs care: converted, it gives 0 in the low bits, unless 0 is to be clamped */
};

/* Codes of eight sums of row i, columns j..j + 7. */
INLINE __m256i codes_8(const struct qnt__finish *f, const struct ends *e, size_t i, size_t j,
                       const int32_t *acc, bool plain)
{
    const struct columns c = load_columns(f, j);
    __m256 x = scaled_sum(f, &c, i, acc + j, plain);
    if (!plain && e->nan) x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
    return _mm256_add_epi32(_mm256_cvtps_epi32(clamp(x, e->low, e->high)), e->zero);
}

INLINE void put_8_codes_8(__m256i code, uint8_t *y)
{
    const __m256i none = _mm256_setzero_si256();
    const __m256i four[4] = {code, none, none, none};
    _mm_storel_epi64((__m128i *)y, _mm256_castsi256_si128(low_bytes(four)));
}

INLINE void put_8_codes_16(__m256i code, uint16_t *y)
{
    _mm_storeu_si128((__m128i *)y, _mm256_castsi256_si128(low_words(code, code)));
}

/* Row by row: what belongs to the columns comes from the cache. */
#define FINISH_CODES(name, width, type)                                                            \
    /* All but the last columns of all rows; returns how many. */                                  \
    INLINE size_t name##_rows(const struct qnt__finish *restrict f, const struct ends *e,          \
                              bool plain)                                                          \
    {                                                                                              \
        const int32_t *acc = f->acc;                                                               \
        type *y = f->y;                                                                            \
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {                            \
            size_t j = 0;                                                                          \
            for (; j + 32 <= f->n; j += 32) {                                                      \
                __m256i code[4];                                                                   \
                if (f->stream) prefetch_32((const void *)(acc + j), QNT__AHEAD);                   \
                UNROLL for (size_t k = 0; k < 4; k++) {                                            \
                    code[k] = codes_8(f, e, i, j + 8 * k, acc, plain);                             \
                }                                                                                  \
                put_32_codes_##width(code, y + j, f->stream);                                      \
            }                                                                                      \
            for (; j + 8 <= f->n; j += 8) {                                                        \
                put_8_codes_##width(codes_8(f, e, i, j, acc, plain), y + j);                       \
            }                                                                                      \
        }                                                                                          \
        return f->n / 8 * 8;                                                                       \
    }                                                                                              \
                                                                                                   \
    void qnt__##name##_avx2(const struct qnt__finish *restrict f)                                  \
    {                                                                                              \
        const struct ends e = {_mm256_set1_ps(f->low), _mm256_set1_ps(f->high),                    \
                               _mm256_set1_epi32(f->zero), f->low > 0 || f->high < 0};             \
        const bool plain = !f->a_zero && !f->w_zero && !f->row_scale && !e.nan;                    \
        size_t j = plain ? name##_rows(f, &e, true) : name##_rows(f, &e, false);                   \
        if (j == f->n) return;                                                                     \
        struct qnt__finish rest = columns_from(f, j, sizeof(type));                                \
        qnt__##name##_c(&rest);                                                                    \
    }

FINISH_CODES(finish_codes, 8, uint8_t)
FINISH_CODES(finish_codes_16, 16, uint16_t)

void qnt__finish_f32_avx2(const struct qnt__finish_f32 *restrict f)
{
    const __m256 low = _mm256_set1_ps(f->low), high = _mm256_set1_ps(f->high);
    size_t j = 0;
    for (; j + 8 <= f->n; j += 8) {
        __m256 bias = load_or(f->bias, j, -0.0f);
        const float *acc = f->acc + j;
        float *y = f->y + j;
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
            __m256 x = _mm256_loadu_ps(acc);
            if (f->row_scale) x = _mm256_mul_ps(x, _mm256_set1_ps(f->row_scale[i]));
            x = _mm256_add_ps(x, bias);
            if (f->accumulate) x = _mm256_add_ps(x, _mm256_loadu_ps(y));
            _mm256_storeu_ps(y, clamp(x, low, high));
        }
    }
    if (j == f->n) return;
    struct qnt__finish_f32 rest = *f;
    rest.acc += j;
    if (f->bias) rest.bias += j;
    rest.n -= j;
    rest.y += j;
    qnt__finish_f32_c(&rest);
}
