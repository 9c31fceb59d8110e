/* Float matrix product in the order of k, 8 columns to a register; multiplies and adds stay
 * apart. */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

enum { MAX_ROWS = 6 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* rows x 16 results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm_f32 *g, size_t row, size_t used, size_t panel, int rows)
{
    const float *x[MAX_ROWS], *w = g->weight + panel * g->tap_count * g->depth * QNT__PANEL;
    __m256 sum[MAX_ROWS][2];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        sum[i][0] = sum[i][1] = _mm256_setzero_ps();
    }
    for (size_t t = 0; t < g->tap_count; t++) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at < end; at++, w += QNT__PANEL) {
            __m256 left = _mm256_loadu_ps(w), right = _mm256_loadu_ps(w + 8);
            UNROLL for (int i = 0; i < rows; i++) {
                __m256 value = _mm256_set1_ps(x[i][at]);
                sum[i][0] = _mm256_add_ps(sum[i][0], _mm256_mul_ps(value, left));
                sum[i][1] = _mm256_add_ps(sum[i][1], _mm256_mul_ps(value, right));
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        float *to = g->y + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        _mm256_storeu_ps(to, sum[i][0]);
        _mm256_storeu_ps(to + 8, sum[i][1]);
    }
}

void qnt__gemm_f32_avx2(const struct qnt__gemm_f32 *g)
{
    for (size_t panel = 0; panel < g->panels; panel++) {
        for (size_t row = 0; row < g->m; row += MAX_ROWS) {
            size_t left = g->m - row;
            if (left == 1) tile(g, row, 1, panel, 1);
            else tile(g, row, left < MAX_ROWS ? left : MAX_ROWS, panel, MAX_ROWS);
        }
    }
}
