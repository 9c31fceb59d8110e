/* Adding up the points of outputs, sixteen outputs at a time. */
#include <immintrin.h>

#include "../slots.h"

void qnt__reduce_points_avx512vnni(const struct qnt__reduce_points *r)
{
    for (size_t i = 0; i < r->m; i++) {
        int32_t *acc = r->acc + i * r->ld;
        for (size_t j = 0; j < r->n; j += 16) {
            const size_t left = r->n - j;
            const __mmask16 mask = (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
            const __m512i coef = _mm512_maskz_loadu_epi32(mask, r->coef + j);
            __m512i sum = _mm512_maskz_loadu_epi32(mask, acc + j);
            _mm512_mask_storeu_epi32(acc + j, mask, _mm512_mullo_epi32(coef, sum));
        }
        qnt__add_extra_points(r, acc);
    }
}
