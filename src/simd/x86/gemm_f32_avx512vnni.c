/* Float matrix product in the order of k, 16 columns to a register; multiplies and adds stay
 * apart. */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

enum { MAX_ROWS = 6, MAX_PANELS = 2 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* rows x panels results; `used` <= rows of them are stored, the others repeat the last one. */
INLINE void tile(const struct qnt__gemm_f32 *g, size_t row, size_t used, size_t panel, int rows,
                 int panels)
{
    const size_t stride = g->tap_count * g->depth * QNT__PANEL;
    const float *x[MAX_ROWS], *w = g->weight + panel * stride;
    __m512 sum[MAX_ROWS][MAX_PANELS];

    UNROLL for (int i = 0; i < rows; i++) {
        x[i] = g->rows[row + ((size_t)i < used ? (size_t)i : used - 1)];
        UNROLL for (int p = 0; p < panels; p++) sum[i][p] = _mm512_setzero_ps();
    }
    for (size_t t = 0; t < g->tap_count; t++) {
        ptrdiff_t at = g->taps[t], end = at + (ptrdiff_t)g->depth;
        for (; at < end; at++, w += QNT__PANEL) {
            UNROLL for (int p = 0; p < panels; p++) {
                __m512 column = _mm512_loadu_ps(w + (size_t)p * stride);
                UNROLL for (int i = 0; i < rows; i++) {
                    __m512 product = _mm512_mul_ps(_mm512_set1_ps(x[i][at]), column);
                    sum[i][p] = _mm512_add_ps(sum[i][p], product);
                }
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        if ((size_t)i >= used) break;
        float *to = g->y + (row + (size_t)i) * g->ld + panel * QNT__PANEL;
        UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_ps(to + p * QNT__PANEL, sum[i][p]);
    }
}

INLINE void all_rows(const struct qnt__gemm_f32 *g, size_t panel, int panels)
{
    for (size_t row = 0; row < g->m; row += MAX_ROWS) {
        size_t left = g->m - row;
        if (left == 1) tile(g, row, 1, panel, 1, panels);
        else tile(g, row, left < MAX_ROWS ? left : MAX_ROWS, panel, MAX_ROWS, panels);
    }
}

void qnt__gemm_f32_avx512vnni(const struct qnt__gemm_f32 *g)
{
    size_t panel = 0;
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, panel, 2);
    if (panel < g->panels) all_rows(g, panel, 1);
}
