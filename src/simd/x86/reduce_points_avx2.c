/* Adding up the points of outputs, eight outputs at a time. */
#include <immintrin.h>

#include "../slots.h"

void qnt__reduce_points_avx2(const struct qnt__reduce_points *r)
{
    for (size_t i = 0; i < r->m; i++) {
        int32_t *acc = r->acc + i * r->ld;
        size_t j = 0;
        for (; j + 8 <= r->n; j += 8) {
            const __m256i coef = _mm256_loadu_si256((const void *)(r->coef + j));
            __m256i sum = _mm256_loadu_si256((const void *)(acc + j));
            _mm256_storeu_si256((void *)(acc + j), _mm256_mullo_epi32(coef, sum));
        }
        for (; j < r->n; j++) acc[j] = (int32_t)((uint32_t)r->coef[j] * (uint32_t)acc[j]);
        qnt__add_extra_points(r, acc);
    }
}
