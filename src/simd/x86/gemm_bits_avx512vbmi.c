/* Differing bits of planes with VPTERNLOGQ and VPOPCNTQ: five instructions for two words of eight
 * columns. */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { MAJORITY = 0xd4, HALVES = QNT__PANEL / 8 };

/* In place: gcc 12 copies accumulators around for the intrinsic. */
#define ADD(sum, x) __asm__("vpaddq %1, %0, %0" : "+v"(sum) : "v"(x))

INLINE __m512i broadcast(const uint64_t *word)
{
    return _mm512_set1_epi64((long long)*word);
}

/* One pair of words: carries += population of its carries; parities become those after it, which
 * have registers of their own so that none is copied. */
INLINE void count_pair(const uint64_t *a, size_t a_row, const uint64_t *b, size_t b_panel, int rows,
                       int halves, __m512i carries[2][2 * HALVES],
                       __m512i before[2][2 * HALVES], __m512i after[2][2 * HALVES])
{
    UNROLL for (int i = 0; i < rows; i++)
    {
        __m512i a0 = broadcast(a + (size_t)i * a_row), a1 = broadcast(a + (size_t)i * a_row + 1);
        UNROLL for (int h = 0; h < halves; h++)
        {
            const uint64_t *at = b + (size_t)(h / HALVES) * b_panel + h % HALVES * 8;
            __m512i x = _mm512_xor_si512(_mm512_loadu_si512(at), a0);
            after[i][h] = _mm512_xor_si512(_mm512_loadu_si512(at + QNT__PANEL), a1);
            x = _mm512_ternarylogic_epi64(x, before[i][h], after[i][h], MAJORITY);
            x = _mm512_popcnt_epi64(x);
            ADD(carries[i][h], x);
        }
    }
}

/* rows x 8 * halves results over all planes. */
INLINE void tile(const struct qnt__gemm_bits *g, size_t row, size_t panel, int rows, int panels)
{
    const int halves = panels * HALVES;
    __m512i sum[2][2 * HALVES];
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int h = 0; h < halves; h++) sum[i][h] = _mm512_setzero_si512();
    }
    for (size_t j = g->planes; j-- > 0;) {
        const uint64_t *a = g->a + row * g->a_row + j * g->a_plane, *b = g->b + panel * g->b_panel;
        __m512i carries[2][2 * HALVES], parity[2][2 * HALVES];
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int h = 0; h < halves; h++) carries[i][h] = parity[i][h] =
                _mm512_setzero_si512();
        }
        size_t w = 0;
        for (; w + 4 <= g->words; w += 4, b += 4 * QNT__PANEL) {
            __m512i between[2][2 * HALVES];
            count_pair(a + w, g->a_row, b, g->b_panel, rows, halves, carries, parity, between);
            count_pair(a + w + 2, g->a_row, b + 2 * QNT__PANEL, g->b_panel, rows, halves, carries,
                       between, parity);
        }
        if (w < g->words) {
            __m512i last[2][2 * HALVES];
            count_pair(a + w, g->a_row, b, g->b_panel, rows, halves, carries, parity, last);
            UNROLL for (int i = 0; i < rows; i++)
            {
                UNROLL for (int h = 0; h < halves; h++) parity[i][h] = last[i][h];
            }
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            UNROLL for (int h = 0; h < halves; h++)
            {
                __m512i twice = _mm512_add_epi64(sum[i][h], carries[i][h]);
                sum[i][h] = _mm512_add_epi64(_mm512_add_epi64(twice, twice),
                                             _mm512_popcnt_epi64(parity[i][h]));
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int h = 0; h < halves; h++)
        {
            int32_t *to = g->acc + (row + (size_t)i) * g->ld + panel * QNT__PANEL + h * 8;
            __m512i shifted = _mm512_sll_epi64(sum[i][h], _mm_cvtsi32_si128(g->shift));
            _mm256_storeu_si256((void *)to, _mm512_cvtepi64_epi32(shifted));
        }
    }
}

INLINE void all_rows(const struct qnt__gemm_bits *g, size_t panel, int panels)
{
    size_t row = 0;
    for (; row + 2 <= g->m; row += 2) tile(g, row, panel, 2, panels);
    if (row < g->m) tile(g, row, panel, 1, panels);
}

void qnt__gemm_bits_avx512vbmi(const struct qnt__gemm_bits *g)
{
    size_t panel = 0;
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, panel, 2);
    if (panel < g->panels) all_rows(g, panel, 1);
}
