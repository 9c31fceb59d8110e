/* Minimal filtering of convolutions of 3 x 3 taps (slots_winograd.h): 32 words or 16 sums at a time. */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { POINTS = QNT__WINOGRAD_POINTS, WORDS = 32, SUMS = 16, NINTH = 0x38e38e39 };

/* Filters are linear, and all but the second give 0 for what is the same everywhere: the centre is taken
 * off there only. */
INLINE void filter_pixels(const __m512i d[POINTS], int results, int centre, __m512i p[POINTS])
{
    if (results == 2) {
        p[0] = _mm512_sub_epi16(d[0], d[2]);
        p[1] = _mm512_add_epi16(d[1], d[2]);
        if (centre) p[1] = _mm512_sub_epi16(p[1], _mm512_set1_epi16((short)(2 * centre)));
        p[2] = _mm512_sub_epi16(d[2], d[1]);
        p[3] = _mm512_sub_epi16(d[3], d[1]);
        return;
    }
    const __m512i even4 = _mm512_sub_epi16(d[4], _mm512_slli_epi16(d[2], 2)),
                  odd4 = _mm512_sub_epi16(d[3], _mm512_slli_epi16(d[1], 2)),
                  even = _mm512_sub_epi16(d[4], d[2]), odd = _mm512_sub_epi16(d[3], d[1]),
                  odd2 = _mm512_add_epi16(odd, odd);
    p[0] = _mm512_add_epi16(_mm512_slli_epi16(_mm512_sub_epi16(d[0], d[2]), 2), even);
    p[1] = _mm512_add_epi16(even4, odd4);
    if (centre) p[1] = _mm512_add_epi16(p[1], _mm512_set1_epi16((short)(6 * centre)));
    p[2] = _mm512_sub_epi16(even4, odd4);
    p[3] = _mm512_sub_epi16(_mm512_sub_epi16(d[5], d[3]), _mm512_add_epi16(odd2, odd2));
    p[4] = _mm512_add_epi16(even, odd2);
    p[5] = _mm512_sub_epi16(even, odd2);
}

INLINE __m512i load_words(const uint8_t *from, __mmask32 mask, bool bytes)
{
    if (bytes) return _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(mask, from));
    return _mm512_maskz_loadu_epi16(mask, from);
}

/* Whole registers, then the rest of a run. */
INLINE void filter_runs(const struct qnt__winograd_pass *w, bool bytes, int results)
{
    const size_t element = bytes ? 1 : 2;
    const uint8_t *in = w->in;
    int16_t *out = w->out;
    for (size_t r = 0; r < w->count; r++, in += w->in_step * element, out += w->out_step) {
        for (size_t c = 0; c < w->n; c += WORDS) {
            const size_t left = w->n - c;
            const __mmask32 mask = left < WORDS ? (__mmask32)((1u << left) - 1) : ~(__mmask32)0;
            __m512i d[POINTS], p[POINTS];
            UNROLL for (int i = 0; i < results + 2; i++)
                d[i] = load_words(in + (c + (size_t)i * w->in_ld) * element, mask, bytes);
            filter_pixels(d, results, bytes ? QNT__WINOGRAD_CENTRE : 0, p);
            UNROLL for (int i = 0; i < results + 2; i++)
                _mm512_mask_storeu_epi16(out + (size_t)i * w->out_ld + c, mask, p[i]);
        }
    }
}

void qnt__winograd_bytes_avx512vnni(const struct qnt__winograd_pass *w)
{
    if (w->results == 4) filter_runs(w, true, 4);
    else filter_runs(w, true, 2);
}

void qnt__winograd_words_avx512vnni(const struct qnt__winograd_pass *w)
{
    if (w->results == 4) filter_runs(w, false, 4);
    else filter_runs(w, false, 2);
}

INLINE void filter_taps(__m512i w0, __m512i w1, __m512i w2, __m512i u[POINTS])
{
    const __m512i sum = _mm512_add_epi16(w0, w2), twice = _mm512_add_epi16(w1, w1),
                  sum4 = _mm512_add_epi16(w0, _mm512_slli_epi16(w2, 2));
    u[0] = _mm512_add_epi16(w0, _mm512_add_epi16(w0, w0));
    u[1] = _mm512_add_epi16(sum, w1);
    u[2] = _mm512_sub_epi16(sum, w1);
    u[3] = _mm512_add_epi16(w2, _mm512_add_epi16(w2, w2));
    u[4] = _mm512_add_epi16(sum4, twice);
    u[5] = _mm512_sub_epi16(sum4, twice);
}

/* Nine taps of a cell of 16 bits. */
INLINE void filter_cell(const __m512i w[9], int16_t *out, size_t ld)
{
    __m512i down[3][POINTS], across[POINTS];
    UNROLL for (int j = 0; j < 3; j++) filter_taps(w[j], w[3 + j], w[6 + j], down[j]);
    UNROLL for (int i = 0; i < POINTS; i++)
    {
        filter_taps(down[0][i], down[1][i], down[2][i], across);
        UNROLL for (int j = 0; j < POINTS; j++, out += ld) _mm512_storeu_si512(out, across[j]);
    }
}

void qnt__winograd_taps_avx512vnni(const struct qnt__winograd_taps *t)
{
    /* a pair of k of each column */
    const __m512i first =
                      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                  second = _mm512_add_epi32(first, _mm512_set1_epi32(1));
    for (size_t e = 0; e < t->cells; e++) {
        __m512i low[9], high[9];
        UNROLL for (int k = 0; k < 9; k++)
        {
            const uint8_t *cell = t->panel + ((size_t)k * t->cells + e) * 64;
            const __m512i a = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)cell)),
                          b = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(cell + 32)));
            low[k] = _mm512_permutex2var_epi32(a, first, b);
            high[k] = _mm512_permutex2var_epi32(a, second, b);
        }
        filter_cell(low, t->out + e * 64, t->ld);
        filter_cell(high, t->out + e * 64 + WORDS, t->ld);
    }
}

/* How often y[i] has to be doubled after add_products(): multiplying does it as well. */
INLINE int doublings(int results, int i)
{
    return results == 2 || i == 0 ? 0 : i == 1 ? 1 : 2;
}

INLINE __m512i twice(__m512i x)
{
    return _mm512_add_epi32(x, x);
}

INLINE void add_products(const __m512i m[POINTS], int results, __m512i y[4])
{
    const __m512i sum = _mm512_add_epi32(m[1], m[2]), difference = _mm512_sub_epi32(m[1], m[2]);
    if (results == 2) {
        y[0] = _mm512_add_epi32(sum, twice(_mm512_add_epi32(m[0], sum)));
        y[1] = _mm512_add_epi32(difference, twice(_mm512_add_epi32(difference, m[3])));
        return;
    }
    const __m512i sum2 = _mm512_add_epi32(m[4], m[5]), difference2 = _mm512_sub_epi32(m[4], m[5]);
    y[0] = _mm512_add_epi32(sum2, twice(_mm512_sub_epi32(m[0], twice(sum))));
    y[1] = _mm512_sub_epi32(difference2, twice(difference));
    y[2] = _mm512_sub_epi32(sum2, sum);
    y[3] = _mm512_sub_epi32(twice(_mm512_add_epi32(difference2, m[3])), difference);
}

INLINE void add_runs(const struct qnt__winograd_pass *w, int results, bool finally, bool add)
{
    const int32_t *in = w->in;
    int32_t *out = w->out;
    const __m128i shift = _mm_cvtsi32_si128(w->shift);
    for (size_t r = 0; r < w->count; r++, in += w->in_step, out += w->out_step) {
        for (size_t c = 0; c < w->n; c += SUMS) {
            __m512i m[POINTS], y[4];
            UNROLL for (int i = 0; i < results + 2; i++) m[i] =
                _mm512_loadu_si512(in + (size_t)i * w->in_ld + c);
            add_products(m, results, y);
            UNROLL for (int i = 0; i < results; i++)
            {
                int32_t *to = out + (size_t)i * w->out_ld + c;
                const int times = doublings(results, i);
                if (finally) {
                    const uint32_t factor = (uint32_t)NINTH << times;
                    y[i] = _mm512_mullo_epi32(y[i], _mm512_set1_epi32((int32_t)factor));
                    y[i] = _mm512_sra_epi32(y[i], shift);
                } else if (times) {
                    y[i] = _mm512_slli_epi32(y[i], (unsigned)times);
                }
                if (add) y[i] = _mm512_add_epi32(y[i], _mm512_loadu_si512(to));
                _mm512_storeu_si512(to, y[i]);
            }
        }
    }
}

void qnt__winograd_sums_avx512vnni(const struct qnt__winograd_pass *w)
{
    if (w->results == 2)
        add_runs(w, 2, false, false);
    else
        add_runs(w, 4, false, false);
}

void qnt__winograd_results_avx512vnni(const struct qnt__winograd_pass *w)
{
    if (w->results == 2)
        add_runs(w, 2, true, w->add);
    else if (w->add)
        add_runs(w, 4, true, true);
    else
        add_runs(w, 4, true, false);
}
