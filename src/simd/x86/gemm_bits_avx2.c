/* Differing bits of planes with AVX2: the populations of nibbles come from VPSHUFB, added as bytes.
 */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { QUARTERS = QNT__PANEL / 4, RUN = 31 /* pairs whose populations bytes hold: 8 each */ };

INLINE __m256i nibbles(__m256i x)
{
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i low = _mm256_set1_epi8(15);
    __m256i a = _mm256_shuffle_epi8(table, _mm256_and_si256(x, low));
    return _mm256_add_epi8(
        a, _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

INLINE __m256i sum_bytes(__m256i x)
{
    return _mm256_sad_epu8(x, _mm256_setzero_si256());
}

/* Differing bits of one row's plane and two of the four vectors of a panel. */
INLINE void count(const uint64_t *a, const uint64_t *b, size_t words, __m256i out[2])
{
    __m256i parity[2], carries[2];
    UNROLL for (int h = 0; h < 2; h++) parity[h] = carries[h] = _mm256_setzero_si256();
    for (size_t w = 0; w < words;) {
        size_t end = words - w > 2 * RUN ? w + 2 * RUN : words;
        __m256i bytes[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (; w < end; w += 2, b += 2 * QNT__PANEL) {
            __m256i a0 = _mm256_set1_epi64x((long long)a[w]),
                    a1 = _mm256_set1_epi64x((long long)a[w + 1]);
            UNROLL for (int h = 0; h < 2; h++)
            {
                __m256i x = _mm256_xor_si256(_mm256_loadu_si256((const void *)(b + 4 * h)), a0);
                __m256i s = _mm256_xor_si256(
                    _mm256_loadu_si256((const void *)(b + 4 * h + QNT__PANEL)), a1);
                __m256i odd = _mm256_xor_si256(x, parity[h]);
                __m256i c = _mm256_or_si256(_mm256_andnot_si256(s, odd),
                                            _mm256_andnot_si256(odd, parity[h]));
                bytes[h] = _mm256_add_epi8(bytes[h], nibbles(c));
                parity[h] = s;
            }
        }
        UNROLL for (int h = 0; h < 2; h++) carries[h] =
            _mm256_add_epi64(carries[h], sum_bytes(bytes[h]));
    }
    UNROLL for (int h = 0; h < 2; h++)
    {
        __m256i twice = _mm256_add_epi64(carries[h], carries[h]);
        out[h] = _mm256_add_epi64(twice, sum_bytes(nibbles(parity[h])));
    }
}

/* The low halves of four numbers. */
INLINE __m128i low_halves(__m256i x)
{
    const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(x, even));
}

void qnt__gemm_bits_avx2(const struct qnt__gemm_bits *g)
{
    for (size_t p = 0; p < g->panels; p++) {
        for (size_t q = 0; q < QUARTERS; q += 2) {
            const uint64_t *b = g->b + p * g->b_panel + 4 * q;
            for (size_t i = 0; i < g->m; i++) {
                const uint64_t *a = g->a + i * g->a_row;
                __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, found[2];
                for (size_t j = g->planes; j-- > 0;) {
                    count(a + j * g->a_plane, b, g->words, found);
                    UNROLL for (int h = 0; h < 2; h++)
                    {
                        sum[h] = _mm256_add_epi64(_mm256_add_epi64(sum[h], sum[h]), found[h]);
                    }
                }
                int32_t *to = g->acc + i * g->ld + p * QNT__PANEL + 4 * q;
                UNROLL for (int h = 0; h < 2; h++) _mm_storeu_si128(
                    (void *)(to + 4 * h),
                    low_halves(_mm256_sll_epi64(sum[h], _mm_cvtsi32_si128(g->shift))));
            }
        }
    }
}

/* ---- blocks ---- */

/* Words of a block, of one row and eight columns, from word `first` on: differing bits, or those in
 * common with numbers. Words in pairs are parities; `before` and x are the odd and the even one before,
 * of differences or of the columns. */
INLINE void count_block(const uint64_t *a, const uint64_t *b, size_t first, size_t words,
                        bool numbers, __m256i before[2], __m256i x[2], __m256i sum[2])
{
    __m256i bytes[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    sum[0] = sum[1] = _mm256_setzero_si256();
    for (size_t w = first; w < first + words; w++) {
        __m256i row = _mm256_set1_epi64x((long long)a[w]);
        UNROLL for (int h = 0; h < 2; h++)
        {
            const uint64_t *at = b + w * QNT__PANEL + 4 * h;
            __m256i d = _mm256_loadu_si256((const void *)at);
            if (!numbers) d = _mm256_xor_si256(d, row);
            if (w % 2) {
                x[h] = _mm256_xor_si256(_mm256_xor_si256(d, x[h]), before[h]);
                before[h] = d;
            } else {
                x[h] = d;
            }
            bytes[h] =
                _mm256_add_epi8(bytes[h], nibbles(numbers ? _mm256_and_si256(x[h], row) : x[h]));
        }
        if ((w - first) % RUN < RUN - 1 && w + 1 < first + words) continue;
        UNROLL for (int h = 0; h < 2; h++)
        {
            sum[h] = _mm256_add_epi64(sum[h], sum_bytes(bytes[h]));
            bytes[h] = _mm256_setzero_si256();
        }
    }
}

/* One row and eight columns from column c of a panel on. Minus 0 leaves what is added to it. */
INLINE void row_of_blocks(const struct qnt__count_blocks *f, size_t i, size_t panel, size_t c,
                          bool numbers)
{
    const struct qnt__gemm_bits *g = &f->bits;
    const uint64_t *a = g->a + i * g->a_row, *b = g->b + panel * g->b_panel + c;
    const float *coef = f->coef + panel * QNT__PANEL + c;
    float *to = f->y + i * f->y_ld + panel * QNT__PANEL + c;
    __m256 y = f->add ? _mm256_loadu_ps(to) : _mm256_set1_ps(-0.0f);
    __m256i before[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i x[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, sum[2];
    for (size_t t = 0; t < f->blocks; t++, coef += f->coef_ld) {
        count_block(a, b, t * f->block, f->block, numbers, before, x, sum);
        const __m256i less =
            _mm256_set1_epi32(numbers ? f->sums[i * f->blocks + t] : (int)(64 * f->block));
        __m256i d = _mm256_set_m128i(low_halves(sum[1]), low_halves(sum[0]));
        __m256i v = _mm256_sub_epi32(_mm256_add_epi32(d, d), less);
        __m256 k = _mm256_mul_ps(_mm256_loadu_ps(coef), _mm256_set1_ps(f->by));
        y = _mm256_add_ps(y, _mm256_mul_ps(_mm256_cvtepi32_ps(v), k));
    }
    _mm256_storeu_ps(to, y);
}

INLINE void all_blocks(const struct qnt__count_blocks *f, bool numbers)
{
    for (size_t p = 0; p < f->bits.panels; p++) {
        for (size_t c = 0; c < QNT__PANEL; c += 8)
            for (size_t i = 0; i < f->bits.m; i++) row_of_blocks(f, i, p, c, numbers);
    }
}

void qnt__count_blocks_avx2(const struct qnt__count_blocks *f)
{
    if (f->sums)
        all_blocks(f, true);
    else
        all_blocks(f, false);
}
