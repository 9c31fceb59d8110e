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
    for (; row + 2 <= g->m; row += 2) {
        UNROLL for (int p = 0; p < panels; p++)
            qnt__ask_now(&g->results, row, 2, panel + (size_t)p, g->panels);
        tile(g, row, panel, 2, panels);
    }
    if (row < g->m) tile(g, row, panel, 1, panels);
}

void qnt__gemm_bits_avx512vbmi(const struct qnt__gemm_bits *g)
{
    size_t panel = 0;
    for (; panel + 2 <= g->panels; panel += 2) all_rows(g, panel, 2);
    if (panel < g->panels) all_rows(g, panel, 1);
}

/* ---- blocks ---- */

enum { TILE_ROWS = 3, EXCLUSIVE_OR = 0x96, ANY = 0xfe };

/* What becomes of rows of a panel: column q in lane 2 q, 8 + q in lane 2 q + 1. */
struct row_of_blocks {
    __m512i parity[2], sum[2];
    __m512 y;
};

/*
 * Of signs, y += float(2 D - 64 block) coef. D < 2^23 in the bits of 2^23 is the float 2^23 + D, from which
 * one fused operation makes 2 D - 64 block, exactly: nothing is rounded before the multiplication.
 */
INLINE void add_block(struct row_of_blocks *r, __m512 less, __m512 coef)
{
    const __m512i start = _mm512_castps_si512(_mm512_set1_ps(0x1p23f));
    __m512i d =
        _mm512_ternarylogic_epi64(r->sum[0], _mm512_slli_epi64(r->sum[1], 32), start, ANY);
    __m512 v = _mm512_fmadd_ps(_mm512_castsi512_ps(d), _mm512_set1_ps(2.0f), less);
    r->y = _mm512_add_ps(r->y, _mm512_mul_ps(v, coef));
}

/* Of numbers, y += float(2 D - sum) coef: the sum of a row may be odd, and 2^24 and it no float. */
INLINE void add_numbers(struct row_of_blocks *r, int32_t sum, __m512 coef)
{
    __m512i d = _mm512_or_si512(r->sum[0], _mm512_slli_epi64(r->sum[1], 32));
    __m512 less = _mm512_cvtepi32_ps(_mm512_set1_epi32(sum)),
           v = _mm512_fmsub_ps(_mm512_cvtepi32_ps(d), _mm512_set1_ps(2.0f), less);
    r->y = _mm512_add_ps(r->y, _mm512_mul_ps(v, coef));
}

/* One word of a panel: the even one of a pair, or the odd one, for which x has the even one. */
INLINE void count_word(const struct qnt__gemm_bits *g, const uint64_t *a, const uint64_t *b,
                       bool odd, int rows, __m512i x[TILE_ROWS][2],
                       struct row_of_blocks r[TILE_ROWS], bool first)
{
    UNROLL for (int h = 0; h < HALVES; h++)
    {
        __m512i stored = _mm512_loadu_si512(b + 8 * h);
        UNROLL for (int i = 0; i < rows; i++)
        {
            __m512i d = _mm512_xor_si512(stored, broadcast(a + (size_t)i * g->a_row));
            if (odd) {
                x[i][h] = _mm512_ternarylogic_epi64(x[i][h], d, r[i].parity[h], EXCLUSIVE_OR);
                r[i].parity[h] = d;
            } else {
                x[i][h] = d;
            }
            __m512i n = _mm512_popcnt_epi64(x[i][h]);
            r[i].sum[h] = first ? n : _mm512_add_epi64(r[i].sum[h], n);
        }
    }
}

/* The same of numbers: the bits in common with a word of the panel, which all rows share. Its stored
 * words are x and, of the odd one before, what would be the first row's parity. */
INLINE void count_common(const struct qnt__gemm_bits *g, const uint64_t *a, const uint64_t *b,
                         bool odd, int rows, __m512i x[2], struct row_of_blocks r[TILE_ROWS],
                         bool first)
{
    UNROLL for (int h = 0; h < HALVES; h++)
    {
        __m512i stored = _mm512_loadu_si512(b + 8 * h), word = stored;
        if (odd) {
            word = _mm512_ternarylogic_epi64(x[h], stored, r[0].parity[h], EXCLUSIVE_OR);
            r[0].parity[h] = stored;
        } else {
            x[h] = stored;
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            __m512i n =
                _mm512_popcnt_epi64(_mm512_and_si512(word, broadcast(a + (size_t)i * g->a_row)));
            r[i].sum[h] = first ? n : _mm512_add_epi64(r[i].sum[h], n);
        }
    }
}

/* Some rows of a panel; of blocks of one word, if that is known. Minus 0 leaves what is added. */
INLINE void tile_of_blocks(const struct qnt__count_blocks *f, size_t row, size_t panel, int rows,
                           bool words, bool numbers)
{
    const struct qnt__gemm_bits *g = &f->bits;
    const uint64_t *a = g->a + row * g->a_row, *b = g->b + panel * g->b_panel;
    const float *coef = f->coef + panel * QNT__PANEL;
    float *y = f->y + row * f->y_ld + panel * QNT__PANEL;
    const __m512i turn = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15),
                  back = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    const __m512 less = _mm512_set1_ps(-0x1p24f - 64.0f * (float)f->block);
    struct row_of_blocks r[TILE_ROWS];
    UNROLL for (int i = 0; i < rows; i++)
    {
        r[i].y = _mm512_set1_ps(-0.0f);
        if (f->add)
            r[i].y = _mm512_permutexvar_ps(turn, _mm512_loadu_ps(y + (size_t)i * f->y_ld));
        UNROLL for (int h = 0; h < HALVES; h++) r[i].parity[h] = r[i].sum[h] =
            _mm512_setzero_si512();
    }
    size_t block = 0, done = 0;
    while (block < f->blocks) {
        __m512i x[TILE_ROWS][2];
        UNROLL for (int odd = 0; odd < 2; odd++, a++, b += QNT__PANEL)
        {
            if (block == f->blocks) break;
            if (numbers)
                count_common(g, a, b, odd, rows, x[0], r, words);
            else
                count_word(g, a, b, odd, rows, x, r, words);
            if (!words && ++done < f->block) continue;
            __m512 k = _mm512_permutexvar_ps(turn, _mm512_loadu_ps(coef + block * f->coef_ld));
            k = _mm512_mul_ps(k, _mm512_set1_ps(f->by));
            UNROLL for (int i = 0; i < rows; i++)
            {
                if (numbers)
                    add_numbers(&r[i], f->sums[(row + (size_t)i) * f->blocks + block], k);
                else
                    add_block(&r[i], less, k);
                UNROLL for (int h = 0; h < HALVES; h++) r[i].sum[h] = _mm512_setzero_si512();
            }
            done = 0;
            block++;
        }
    }
    UNROLL for (int i = 0; i < rows; i++) _mm512_storeu_ps(
        y + (size_t)i * f->y_ld, _mm512_permutexvar_ps(back, r[i].y));
}

INLINE void all_blocks(const struct qnt__count_blocks *f, bool words, bool numbers)
{
    for (size_t panel = 0; panel < f->bits.panels; panel++) {
        size_t row = 0;
        for (; row + TILE_ROWS <= f->bits.m; row += TILE_ROWS)
            tile_of_blocks(f, row, panel, TILE_ROWS, words, numbers);
        for (; row < f->bits.m; row++) tile_of_blocks(f, row, panel, 1, words, numbers);
    }
}

void qnt__count_blocks_avx512vbmi(const struct qnt__count_blocks *f)
{
    if (f->block == 1 && f->sums)
        all_blocks(f, true, true);
    else if (f->block == 1)
        all_blocks(f, true, false);
    else if (f->sums)
        all_blocks(f, false, true);
    else
        all_blocks(f, false, false);
}
