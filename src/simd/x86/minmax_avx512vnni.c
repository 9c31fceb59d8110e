/* Range of the finite values, 64 floats at a time. */
#include <immintrin.h>

#include "../slots.h"

struct range {
    __m512 low, high;
};

static inline void include(struct range *r, __m512 x)
{
    const __m512 infinity = _mm512_castsi512_ps(_mm512_set1_epi32(0x7f800000));
    __mmask16 finite = _mm512_cmp_ps_mask(_mm512_abs_ps(x), infinity, _CMP_LT_OQ);
    r->low = _mm512_mask_min_ps(r->low, finite, r->low, x);
    r->high = _mm512_mask_max_ps(r->high, finite, r->high, x);
}

void qnt__minmax_avx512vnni(const float *x, size_t n, float range[2])
{
    const __m512 infinity = _mm512_castsi512_ps(_mm512_set1_epi32(0x7f800000));
    struct range start = {infinity, _mm512_sub_ps(_mm512_setzero_ps(), infinity)};
    struct range r[4] = {start, start, start, start};
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        for (size_t k = 0; k < 4; k++) include(&r[k], _mm512_loadu_ps(x + i + 16 * k));
    }
    for (; i + 16 <= n; i += 16) include(&r[0], _mm512_loadu_ps(x + i));
    if (i < n) {
        __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
        include(&r[1], _mm512_mask_loadu_ps(infinity, rest, x + i));
    }
    for (size_t k = 1; k < 4; k++) {
        r[0].low = _mm512_min_ps(r[0].low, r[k].low);
        r[0].high = _mm512_max_ps(r[0].high, r[k].high);
    }
    range[0] = _mm512_reduce_min_ps(r[0].low) + 0.0f;
    range[1] = _mm512_reduce_max_ps(r[0].high) + 0.0f;
}
