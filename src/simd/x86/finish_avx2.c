/*
 * Epilogues, eight columns at a time: what belongs to the columns stays in registers while the rows
 * pass. A missing bias counts as -0 and a missing row scale is not applied: x + -0 is x for every
 * x. The last columns go to the portable version. The arguments are not copied: finish_avx512vnni.c.
 */
#include "../slots.h"
#include "codes_avx2.h"

/* What a result is made of. Loops over rows are compiled for the usual parts, without branches: none of
 * those that belong to rows, or a zero point that all rows share, which is multiplied once for all. */
enum parts { PLAIN, ONE_A_ZERO, ANY };

struct columns {
    __m256i w_sum, w_zero; /* w_sum: with ONE_A_ZERO times it */
    __m256 multiplier, bias;
};

static inline enum parts parts_of(const struct qnt__finish *f)
{
    if (f->w_zero || f->row_scale) return ANY;
    if (!f->a_zero) return PLAIN;
    for (size_t i = 1; i < f->m; i++) {
        if (f->a_zero[i] != f->a_zero[0]) return ANY;
    }
    return f->m > 0 ? ONE_A_ZERO : ANY;
}

static inline __m256i load_s32(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline __m256 load_or(const float *p, size_t j, float missing)
{
    return p ? _mm256_loadu_ps(p + j) : _mm256_set1_ps(missing);
}

/* What ONE_A_ZERO takes off the sums of columns j..j + 7. */
static inline __m256i zero_share(const struct qnt__finish *f, size_t j)
{
    return _mm256_mullo_epi32(_mm256_set1_epi32(f->a_zero[0]), load_s32(f->w_sum + j));
}

/* w_sum is set by the caller where there is ONE_A_ZERO. */
INLINE struct columns load_columns(const struct qnt__finish *f, enum parts parts, size_t j)
{
    __m256i none = _mm256_setzero_si256();
    return (struct columns){
        parts == ANY && f->a_zero ? load_s32(f->w_sum + j) : none,
        parts == ANY && f->w_zero ? load_s32(f->w_zero + j) : none,
        _mm256_loadu_ps(f->multiplier + j),
        load_or(f->bias, j, -0.0f),
    };
}

INLINE __m256 scaled_sum(const struct qnt__finish *f, enum parts parts, const struct columns *c, size_t i,
                         const int32_t *acc)
{
    __m256i v = load_s32(acc);
    if (parts == ONE_A_ZERO) v = _mm256_sub_epi32(v, c->w_sum);
    if (parts == ANY && f->a_zero) {
        v = _mm256_sub_epi32(v, _mm256_mullo_epi32(_mm256_set1_epi32(f->a_zero[i]), c->w_sum));
    }
    if (parts == ANY && f->w_zero) {
        v = _mm256_sub_epi32(v, _mm256_mullo_epi32(_mm256_set1_epi32(f->a_sum[i]), c->w_zero));
    }
    __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(v), c->multiplier);
    if (parts == ANY && f->row_scale) x = _mm256_mul_ps(x, _mm256_set1_ps(f->row_scale[i]));
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

INLINE void floats_8(const struct qnt__finish *restrict f, enum parts parts, size_t j)
{
    const __m256 low = _mm256_set1_ps(f->low), high = _mm256_set1_ps(f->high);
    struct columns c = load_columns(f, parts, j);
    if (parts == ONE_A_ZERO) c.w_sum = zero_share(f, j);
    const int32_t *acc = f->acc + j;
    float *y = (float *)f->y + j;
    for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {
        __m256 x = scaled_sum(f, parts, &c, i, acc);
        if (f->accumulate) x = _mm256_add_ps(x, _mm256_loadu_ps(y));
        _mm256_storeu_ps(y, clamp(x, low, high));
    }
}

void qnt__finish_s32_avx2(const struct qnt__finish *restrict f)
{
    const enum parts parts = parts_of(f);
    size_t j = 0;
    for (; j + 8 <= f->n; j += 8) {
        if (parts == PLAIN) floats_8(f, PLAIN, j);
        else if (parts == ONE_A_ZERO) floats_8(f, ONE_A_ZERO, j);
        else floats_8(f, ANY, j);
    }
    if (j == f->n) return;
    struct qnt__finish rest = columns_from(f, j, sizeof(float));
    qnt__finish_s32_c(&rest);
}

enum { STRIP = 64 };

struct ends {
    __m256 low, high;
    __m256i zero;
    bool nan; /* NaN needs care: converted, it gives 0 in the low bits, unless 0 is to be clamped */
};

/* Some columns, first..end - 1, whole eights, and with ONE_A_ZERO what it takes off their sums. */
struct strip {
    size_t first, end;
    int32_t share[STRIP];
};

/* Codes of eight sums of row i, columns j..j + 7. */
INLINE __m256i codes_8(const struct qnt__finish *f, const struct ends *e, const struct strip *s,
                       enum parts parts, size_t i, size_t j, const int32_t *acc)
{
    struct columns c = load_columns(f, parts, j);
    if (parts == ONE_A_ZERO) c.w_sum = load_s32(s->share + (j - s->first));
    __m256 x = scaled_sum(f, parts, &c, i, acc + j);
    if (parts == ANY && e->nan) x = _mm256_and_ps(x, _mm256_cmp_ps(x, x, _CMP_ORD_Q));
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
    /* The columns of a strip of all rows. */                                                      \
    INLINE void name##_rows(const struct qnt__finish *restrict f, const struct ends *e,            \
                            const struct strip *s, enum parts parts)                               \
    {                                                                                              \
        const int32_t *acc = f->acc;                                                               \
        type *y = f->y;                                                                            \
        for (size_t i = 0; i < f->m; i++, acc += f->ld, y += f->y_ld) {                            \
            size_t j = s->first;                                                                   \
            for (; j + 32 <= s->end; j += 32) {                                                    \
                __m256i code[4];                                                                   \
                if (f->stream) prefetch_32((const void *)(acc + j), QNT__AHEAD);                   \
                UNROLL for (size_t k = 0; k < 4; k++) {                                            \
                    code[k] = codes_8(f, e, s, parts, i, j + 8 * k, acc);                          \
                }                                                                                  \
                put_32_codes_##width(code, y + j, f->stream);                                      \
            }                                                                                      \
            for (; j < s->end; j += 8) {                                                           \
                put_8_codes_##width(codes_8(f, e, s, parts, i, j, acc), y + j);                    \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void qnt__##name##_avx2(const struct qnt__finish *restrict f)                                  \
    {                                                                                              \
        const struct ends e = {_mm256_set1_ps(f->low), _mm256_set1_ps(f->high),                    \
                               _mm256_set1_epi32(f->zero), f->low > 0 || f->high < 0};             \
        const enum parts parts = e.nan ? ANY : parts_of(f);                                        \
        const size_t end = f->n / 8 * 8;                                                           \
        struct strip s;                                                                            \
        for (s.first = 0; s.first < end; s.first = s.end) {                                        \
            s.end = parts == ONE_A_ZERO && end - s.first > STRIP ? s.first + STRIP : end;          \
            if (parts == PLAIN) name##_rows(f, &e, &s, PLAIN);                                     \
            else if (parts == ANY) name##_rows(f, &e, &s, ANY);                                    \
            else {                                                                                 \
                for (size_t j = s.first; j < s.end; j += 8) {                                      \
                    _mm256_storeu_si256((void *)(s.share + (j - s.first)), zero_share(f, j));      \
                }                                                                                  \
                name##_rows(f, &e, &s, ONE_A_ZERO);                                                \
            }                                                                                      \
        }                                                                                          \
        if (end == f->n) return;                                                                   \
        struct qnt__finish rest = columns_from(f, end, sizeof(type));                              \
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
