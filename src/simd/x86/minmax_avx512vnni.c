/* Range of the finite values, 32 floats at a time. */
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
    struct range a = start, b = start;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        include(&a, _mm512_loadu_ps(x + i));
        include(&b, _mm512_loadu_ps(x + i + 16));
    }
    if (i + 16 <= n) {
        include(&a, _mm512_loadu_ps(x + i));
        i += 16;
    }
    __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    include(&b, _mm512_mask_loadu_ps(infinity, rest, x + i));
    range[0] = _mm512_reduce_min_ps(_mm512_min_ps(a.low, b.low)) + 0.0f;
    range[1] = _mm512_reduce_max_ps(_mm512_max_ps(a.high, b.high)) + 0.0f;
}
