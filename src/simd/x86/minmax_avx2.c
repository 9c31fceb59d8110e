/* Range of the finite values, 32 floats at a time. */
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
    struct range r[4] = {start, start, start, start};
    float low[8], high[8];
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        for (size_t k = 0; k < 4; k++) include(&r[k], x + i + 8 * k);
    }
    for (; i + 8 <= n; i += 8) include(&r[0], x + i);
    for (size_t k = 1; k < 4; k++) {
        r[0].low = _mm256_min_ps(r[0].low, r[k].low);
        r[0].high = _mm256_max_ps(r[0].high, r[k].high);
    }
    _mm256_storeu_ps(low, r[0].low);
    _mm256_storeu_ps(high, r[0].high);
    qnt__minmax_c(x + i, n - i, range);
    for (size_t k = 0; k < 8; k++) {
        range[0] = low[k] < range[0] ? low[k] : range[0];
        range[1] = high[k] > range[1] ? high[k] : range[1];
    }
    range[0] += 0.0f;
    range[1] += 0.0f;
}
