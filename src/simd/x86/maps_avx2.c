/* Kernel maps, as maps_avx512vnni.c: sums with a row in a lane, codes by products that are
 * proven right. */
#include <immintrin.h>
#include <math.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* base/exponential.h */
INLINE __m256 exponential(__m256 x)
{
    const __m256 magic = _mm256_set1_ps(12582912.0f);
    __m256 there = _mm256_cmp_ps(x, _mm256_set1_ps(-87.0f), _CMP_GT_OQ);
    __m256 n =
        _mm256_sub_ps(_mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), magic), magic);
    __m256 r = _mm256_sub_ps(x, _mm256_mul_ps(n, _mm256_set1_ps(0.693359375f)));
    r = _mm256_sub_ps(r, _mm256_mul_ps(n, _mm256_set1_ps(-2.12194440e-4f)));
    __m256 p = _mm256_set1_ps(1.0f / 720.0f);
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(1.0f / 120.0f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(1.0f / 24.0f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(1.0f / 6.0f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(0.5f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(1.0f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(1.0f));
    __m256i power = _mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127));
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(power, 23)));
    return _mm256_and_ps(there, p);
}

void qnt__kernel_values_avx2(const struct qnt__kernel_values *k)
{
    const __m256 slope = _mm256_set1_ps(k->slope), zero = _mm256_setzero_ps();
    for (size_t i = 0; i < k->m; i++) {
        const __m256 norm = _mm256_set1_ps(k->norm[i]);
        for (size_t j = 0; j < k->n; j += 8) {
            __m256 t =
                _mm256_sub_ps(_mm256_loadu_ps(k->x + i * k->ld + j), _mm256_loadu_ps(k->shift + j));
            t = _mm256_min_ps(zero, _mm256_mul_ps(slope, t)); /* NaN passes */
            t = _mm256_mul_ps(_mm256_loadu_ps(k->factor + j), exponential(t));
            _mm256_storeu_ps(k->y + i * k->y_ld + j, _mm256_mul_ps(norm, t));
        }
    }
}

/* Four numbers of the rows r and r + 4. */
INLINE __m256 load_rows(const float *const row[8], int r, size_t k)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row[r] + k)),
                                _mm_loadu_ps(row[r + 4] + k), 1);
}

INLINE __m256 add(__m256 sum, __m256d x, bool squares)
{
    __m256 v = _mm256_castpd_ps(x);
    return _mm256_add_ps(sum, squares ? _mm256_mul_ps(v, v) : v);
}

INLINE void sum_rows(const float *x, size_t ld, size_t m, size_t depth, bool squares, float *sums)
{
    const float *row[8];
    float sum[8];
    __m256 s = _mm256_setzero_ps();
    size_t k = 0;
    for (size_t i = 0; i < 8; i++) row[i] = x + (i < m ? i : m - 1) * ld;
    for (; k + 4 <= depth; k += 4) {
        __m256 a = load_rows(row, 0, k), b = load_rows(row, 1, k);
        __m256 c = load_rows(row, 2, k), d = load_rows(row, 3, k);
        __m256d ab = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
        __m256d cd = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
        s = add(s, _mm256_unpacklo_pd(ab, cd), squares);
        s = add(s, _mm256_unpackhi_pd(ab, cd), squares);
        ab = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
        cd = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
        s = add(s, _mm256_unpacklo_pd(ab, cd), squares);
        s = add(s, _mm256_unpackhi_pd(ab, cd), squares);
    }
    _mm256_storeu_ps(sum, s);
    for (size_t i = 0; i < m; i++) {
        for (size_t t = k; t < depth; t++) sum[i] += squares ? row[i][t] * row[i][t] : row[i][t];
        sums[i] = sum[i];
    }
}

void qnt__sums_f32_avx2(const float *x, size_t ld, size_t m, size_t depth, bool squares,
                        float *sums)
{
    for (size_t i = 0; i < m; i += 8) {
        size_t some = m - i < 8 ? m - i : 8;
        if (squares)
            sum_rows(x + i * ld, ld, some, depth, true, sums + i);
        else
            sum_rows(x + i * ld, ld, some, depth, false, sums + i);
    }
}

static const int32_t window[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

/* The first n of eight lanes. */
INLINE __m256i first(size_t n)
{
    return _mm256_loadu_si256((const void *)(window + 8 - (n < 8 ? n : 8)));
}

INLINE __m256 magnitude(__m256 x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

INLINE float largest_of(__m256 x)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}

/* Eight codes. `inverse` is top / most, or NaN: divide always. */
INLINE __m256i round_codes(__m256 x, __m256 inverse, __m256 most, __m256 top)
{
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    __m256 t = _mm256_mul_ps(x, inverse), code = _mm256_round_ps(t, NEAREST);
    __m256 rest = magnitude(_mm256_sub_ps(t, code));
    __m256 sure = _mm256_cmp_ps(rest, _mm256_set1_ps(0.4999f), _CMP_LT_OQ);
    if (__builtin_expect(_mm256_movemask_ps(sure) != 0xff, 0)) {
        code = _mm256_round_ps(_mm256_mul_ps(_mm256_div_ps(x, most), top), NEAREST);
    }
    return _mm256_cvtps_epi32(code);
}

/* The low bytes of eight numbers, the first n of which are stored. */
INLINE void store_codes(__m256i code, size_t n, uint8_t *to)
{
    __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
    uint64_t bytes = (uint64_t)_mm_cvtsi128_si64(
        _mm_packus_epi16(_mm_and_si128(words, _mm_set1_epi16(255)), words));
    __builtin_memcpy(to, &bytes, 8 < n ? 8 : n);
}

int32_t qnt__round_f32_avx2(const float *x, size_t n, float top, int32_t zero, uint8_t *codes)
{
    __m256 largest = _mm256_setzero_ps();
    __m256i squares = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += 8) {
        largest = _mm256_max_ps(largest, magnitude(_mm256_maskload_ps(x + i, first(n - i))));
    }
    const float most = largest_of(largest);
    if (!(most > 0.0f)) {
        __builtin_memset(codes, zero, n);
        return 0;
    }
    const __m256 inverse = _mm256_set1_ps(most > 1e-30f ? top / most : NAN);
    for (size_t i = 0; i < n; i += 8) {
        __m256 v = _mm256_maskload_ps(x + i, first(n - i));
        __m256i code = round_codes(v, inverse, _mm256_set1_ps(most), _mm256_set1_ps(top));
        __m256i size = _mm256_abs_epi32(code); /* below 2^15 */
        squares = _mm256_add_epi32(squares, _mm256_madd_epi16(size, size));
        store_codes(_mm256_add_epi32(code, _mm256_set1_epi32(zero)), n - i, codes + i);
    }
    __m128i s =
        _mm_add_epi32(_mm256_castsi256_si128(squares), _mm256_extracti128_si256(squares, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

void qnt__signs_f32_avx2(const float *x, size_t n, uint64_t *bits, size_t words)
{
    uint64_t parity = 0;
    for (size_t w = 0; w < words; w++) {
        uint64_t own = 0;
        for (size_t i = 64 * w; i < 64 * w + 64 && i < n; i += 8) {
            __m256i there = first(n - i);
            __m256 v = _mm256_maskload_ps(x + i, there);
            v = _mm256_and_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GE_OQ),
                              _mm256_castsi256_ps(there));
            own |= (uint64_t)(uint32_t)_mm256_movemask_ps(v) << i % 64;
        }
        parity ^= own;
        bits[w] = w % 2 ? parity : own;
    }
}

void qnt__add_rows_f32_avx2(const float *x, size_t ld, const float *weight, size_t rows, size_t n,
                            float *y)
{
    for (size_t j = 0; j < n; j += 8) {
        const __m256i there = first(n - j);
        __m256 sum = _mm256_maskload_ps(y + j, there);
        for (size_t i = 0; i < rows; i++) {
            __m256 v = _mm256_maskload_ps(x + i * ld + j, there);
            sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(weight[i]), v));
        }
        _mm256_maskstore_ps(y + j, there, sum);
    }
}
