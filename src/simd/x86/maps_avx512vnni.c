/*
 * Kernel maps. Sums run along k, so a lane is a row: four numbers of sixteen rows are turned at a
 * time. Codes are products with top / most where the distance to the next tie proves that the
 * quotient rounds alike: four roundings of at most 2^-24 move a number below 128 by less than 4e-5.
 */
#include <immintrin.h>
#include <math.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* base/exponential.h */
INLINE __m512 exponential(__m512 x)
{
    const __m512 magic = _mm512_set1_ps(12582912.0f);
    __mmask16 there = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.0f), _CMP_GT_OQ);
    __m512 n =
        _mm512_sub_ps(_mm512_add_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), magic), magic);
    __m512 r = _mm512_sub_ps(x, _mm512_mul_ps(n, _mm512_set1_ps(0.693359375f)));
    r = _mm512_sub_ps(r, _mm512_mul_ps(n, _mm512_set1_ps(-2.12194440e-4f)));
    __m512 p = _mm512_set1_ps(1.0f / 720.0f);
    p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(1.0f / 120.0f));
    p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(1.0f / 24.0f));
    p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(1.0f / 6.0f));
    p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(0.5f));
    p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(1.0f));
    p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(1.0f));
    __m512i power = _mm512_add_epi32(_mm512_cvttps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_maskz_mul_ps(there, p, _mm512_castsi512_ps(_mm512_slli_epi32(power, 23)));
}

void qnt__kernel_values_avx512vnni(const struct qnt__kernel_values *k)
{
    const __m512 slope = _mm512_set1_ps(k->slope), zero = _mm512_setzero_ps();
    for (size_t i = 0; i < k->m; i++) {
        const __m512 norm = _mm512_set1_ps(k->norm[i]);
        for (size_t j = 0; j < k->n; j += 16) {
            __m512 t =
                _mm512_sub_ps(_mm512_loadu_ps(k->x + i * k->ld + j), _mm512_loadu_ps(k->shift + j));
            t = _mm512_min_ps(zero, _mm512_mul_ps(slope, t)); /* NaN passes */
            t = _mm512_mul_ps(_mm512_loadu_ps(k->factor + j), exponential(t));
            _mm512_storeu_ps(k->y + i * k->y_ld + j, _mm512_mul_ps(norm, t));
        }
    }
}

/* Four numbers of the rows r, r + 4, r + 8, r + 12. */
INLINE __m512 load_rows(const float *const row[16], int r, size_t k)
{
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps(row[r] + k));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(row[r + 4] + k), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(row[r + 8] + k), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(row[r + 12] + k), 3);
}

INLINE __m512 add(__m512 sum, __m512 x, bool squares)
{
    return _mm512_add_ps(sum, squares ? _mm512_mul_ps(x, x) : x);
}

INLINE void sum_rows(const float *x, size_t ld, size_t m, size_t depth, bool squares, float *sums)
{
    const float *row[16];
    float sum[16];
    __m512 s = _mm512_setzero_ps();
    size_t k = 0;
    for (size_t i = 0; i < 16; i++) row[i] = x + (i < m ? i : m - 1) * ld;
    for (; k + 4 <= depth; k += 4) {
        __m512 a = load_rows(row, 0, k), b = load_rows(row, 1, k);
        __m512 c = load_rows(row, 2, k), d = load_rows(row, 3, k);
        __m512d ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        __m512d cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        s = add(s, _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), squares);
        s = add(s, _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)), squares);
        ab = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        cd = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        s = add(s, _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), squares);
        s = add(s, _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)), squares);
    }
    _mm512_storeu_ps(sum, s);
    for (size_t i = 0; i < m; i++) {
        for (size_t t = k; t < depth; t++) sum[i] += squares ? row[i][t] * row[i][t] : row[i][t];
        sums[i] = sum[i];
    }
}

void qnt__sums_f32_avx512vnni(const float *x, size_t ld, size_t m, size_t depth, bool squares,
                              float *sums)
{
    for (size_t i = 0; i < m; i += 16) {
        size_t some = m - i < 16 ? m - i : 16;
        if (squares)
            sum_rows(x + i * ld, ld, some, depth, true, sums + i);
        else
            sum_rows(x + i * ld, ld, some, depth, false, sums + i);
    }
}

INLINE __mmask16 first(size_t n)
{
    return (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu);
}

/* Sixteen codes. `inverse` is top / most, or NaN: divide always. */
INLINE __m512i round_codes(__m512 x, __m512 inverse, __m512 most, __m512 top)
{
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    __m512 t = _mm512_mul_ps(x, inverse), code = _mm512_roundscale_ps(t, NEAREST);
    __m512 rest = _mm512_abs_ps(_mm512_sub_ps(t, code));
    __mmask16 sure = _mm512_cmp_ps_mask(rest, _mm512_set1_ps(0.4999f), _CMP_LT_OQ);
    if (__builtin_expect(sure != 0xffff, 0)) {
        code = _mm512_mul_ps(_mm512_div_ps(x, most), top);
        code = _mm512_roundscale_ps(code, NEAREST);
    }
    return _mm512_cvtps_epi32(code);
}

int32_t qnt__round_f32_avx512vnni(const float *x, size_t n, float top, int32_t zero, uint8_t *codes)
{
    __m512 largest = _mm512_setzero_ps();
    __m512i squares = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += 16) {
        __m512 v = _mm512_maskz_loadu_ps(first(n - i), x + i);
        largest = _mm512_max_ps(largest, _mm512_abs_ps(v));
    }
    const float most = _mm512_reduce_max_ps(largest);
    if (!(most > 0.0f)) {
        __builtin_memset(codes, zero, n);
        return 0;
    }
    const __m512 inverse = _mm512_set1_ps(most > 1e-30f ? top / most : NAN);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 there = first(n - i);
        __m512 v = _mm512_maskz_loadu_ps(there, x + i);
        __m512i code = round_codes(v, inverse, _mm512_set1_ps(most), _mm512_set1_ps(top));
        __m512i magnitude = _mm512_abs_epi32(code); /* below 2^15 */
        squares = _mm512_dpwssd_epi32(squares, magnitude, magnitude);
        __m128i bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(code, _mm512_set1_epi32(zero)));
        _mm_mask_storeu_epi8(codes + i, there, bytes);
    }
    return _mm512_reduce_add_epi32(squares);
}

void qnt__signs_f32_avx512vnni(const float *x, size_t n, uint64_t *bits, size_t words)
{
    uint64_t parity = 0;
    for (size_t w = 0; w < words; w++) {
        uint64_t own = 0;
        for (size_t i = 64 * w; i < 64 * w + 64 && i < n; i += 16) {
            const __mmask16 there = first(n - i);
            __m512 v = _mm512_maskz_loadu_ps(there, x + i);
            own |= (uint64_t)_mm512_mask_cmp_ps_mask(there, v, _mm512_setzero_ps(), _CMP_GE_OQ)
                   << i % 64;
        }
        parity ^= own;
        bits[w] = w % 2 ? parity : own;
    }
}

void qnt__add_rows_f32_avx512vnni(const float *x, size_t ld, const float *weight, size_t rows,
                                  size_t n, float *y)
{
    for (size_t j = 0; j < n; j += 16) {
        const __mmask16 there = first(n - j);
        __m512 sum = _mm512_maskz_loadu_ps(there, y + j);
        for (size_t i = 0; i < rows; i++) {
            __m512 v = _mm512_maskz_loadu_ps(there, x + i * ld + j);
            sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_set1_ps(weight[i]), v));
        }
        _mm512_mask_storeu_ps(y + j, there, sum);
    }
}
