/* Range of the finite values, 16 floats at a time. */
#include <immintrin.h>

#include "../slots.h"

struct range {
    __m256 low, high;
};

static inline __m256 infinities(void)
{
    return _mm256_castsi256_ps(_mm256_set1_epi32(0x7f800000));
}

static inline void include(struct range *r, const float *p)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 x = _mm256_loadu_ps(p);
    __m256 finite = _mm256_cmp_ps(_mm256_andnot_ps(sign, x), infinities(), _CMP_LT_OQ);
    r->low = _mm256_min_ps(r->low, _mm256_blendv_ps(r->low, x, finite));
    r->high = _mm256_max_ps(r->high, _mm256_blendv_ps(r->high, x, finite));
}

void qnt__minmax_avx2(const float *x, size_t n, float range[2])
{
    struct range start = {infinities(), _mm256_sub_ps(_mm256_setzero_ps(), infinities())};
    struct range a = start, b = start;
    float low[8], high[8];
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        include(&a, x + i);
        include(&b, x + i + 8);
    }
    _mm256_storeu_ps(low, _mm256_min_ps(a.low, b.low));
    _mm256_storeu_ps(high, _mm256_max_ps(a.high, b.high));
    qnt__minmax_c(x + i, n - i, range);
    for (size_t k = 0; k < 8; k++) {
        range[0] = low[k] < range[0] ? low[k] : range[0];
        range[1] = high[k] > range[1] ? high[k] : range[1];
    }
    range[0] += 0.0f;
    range[1] += 0.0f;
}
