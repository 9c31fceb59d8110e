/*
 * Minimal filtering: 16 words or 8 sums at a time. Filters are linear and all but one give 0 for what is
 * the same everywhere, so bytes are filtered as they are and the centre is taken off one point only.
 *
 * The last step of a run of pixels meets the one before where n is no multiple: it computes the same again.
 */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { POINTS = QNT__WINOGRAD_POINTS, WORDS = 16, SUMS = 8, NINTH = 0x38e38e39 };

/* ---- pixels ---- */

/* 16 or 8 elements as words. */
INLINE __m256i load(const void *from, bool bytes, size_t width)
{
    if (bytes && width == WORDS) return _mm256_cvtepu8_epi16(_mm_loadu_si128(from));
    if (bytes) return _mm256_castsi128_si256(_mm_cvtepu8_epi16(_mm_loadl_epi64(from)));
    if (width == WORDS) return _mm256_loadu_si256(from);
    return _mm256_castsi128_si256(_mm_loadu_si128(from));
}

INLINE void store(int16_t *to, __m256i words, size_t width)
{
    if (width == WORDS) _mm256_storeu_si256((void *)to, words);
    else _mm_storeu_si128((void *)to, _mm256_castsi256_si128(words));
}

INLINE void filter_pixels(const __m256i *d, int results, __m256i *p)
{
    if (results == 2) {
        p[0] = _mm256_sub_epi16(d[0], d[2]);
        p[1] = _mm256_add_epi16(d[1], d[2]);
        p[2] = _mm256_sub_epi16(d[2], d[1]);
        p[3] = _mm256_sub_epi16(d[3], d[1]);
        return;
    }
    const __m256i even = _mm256_sub_epi16(d[4], _mm256_slli_epi16(d[2], 2));
    const __m256i odd = _mm256_sub_epi16(d[3], _mm256_slli_epi16(d[1], 2));
    const __m256i even2 = _mm256_sub_epi16(d[4], d[2]), half2 = _mm256_sub_epi16(d[3], d[1]);
    const __m256i odd2 = _mm256_add_epi16(half2, half2);
    p[0] = _mm256_add_epi16(even2, _mm256_slli_epi16(_mm256_sub_epi16(d[0], d[2]), 2));
    p[1] = _mm256_add_epi16(even, odd);
    p[2] = _mm256_sub_epi16(even, odd);
    p[3] = _mm256_sub_epi16(_mm256_sub_epi16(d[5], d[3]), _mm256_add_epi16(odd2, odd2));
    p[4] = _mm256_add_epi16(even2, odd2);
    p[5] = _mm256_sub_epi16(even2, odd2);
}

INLINE void filter_runs(const struct qnt__winograd_pass *w, bool bytes, int results, size_t width)
{
    const size_t element = bytes ? 1 : 2, last = w->n - width;
    const size_t in_ld = w->in_ld * element, out_ld = w->out_ld;
    const __m256i centre = _mm256_set1_epi16((results == 2 ? -2 : 6) * QNT__WINOGRAD_CENTRE);
    const uint8_t *in = w->in;
    int16_t *out = w->out;
    for (size_t r = 0; r < w->count; r++, in += w->in_step * element, out += w->out_step) {
        for (size_t c = 0;; c = c + width < last ? c + width : last) {
            __m256i d[POINTS], p[POINTS];
            UNROLL for (int i = 0; i < results + 2; i++) {
                d[i] = load(in + c * element + (size_t)i * in_ld, bytes, width);
            }
            filter_pixels(d, results, p);
            if (bytes) p[1] = _mm256_add_epi16(p[1], centre);
            UNROLL for (int i = 0; i < results + 2; i++) {
                store(out + c + (size_t)i * out_ld, p[i], width);
            }
            if (c == last) break;
        }
    }
}

INLINE void filter(const struct qnt__winograd_pass *w, bool bytes, size_t width)
{
    if (w->results == 2) filter_runs(w, bytes, 2, width);
    else filter_runs(w, bytes, 4, width);
}

void qnt__winograd_bytes_avx2(const struct qnt__winograd_pass *w)
{
    if (w->n >= WORDS) filter(w, true, WORDS);
    else if (w->n >= WORDS / 2) filter(w, true, WORDS / 2);
    else qnt__winograd_bytes_c(w);
}

void qnt__winograd_words_avx2(const struct qnt__winograd_pass *w)
{
    if (w->n >= WORDS) filter(w, false, WORDS);
    else if (w->n >= WORDS / 2) filter(w, false, WORDS / 2);
    else qnt__winograd_words_c(w);
}

/* ---- taps ---- */

INLINE void filter_taps(__m256i w0, __m256i w1, __m256i w2, __m256i three, __m256i u[POINTS])
{
    const __m256i twice1 = _mm256_add_epi16(w1, w1), even = _mm256_add_epi16(w0, w2);
    const __m256i even2 = _mm256_add_epi16(w0, _mm256_slli_epi16(w2, 2));
    u[0] = _mm256_mullo_epi16(w0, three);
    u[1] = _mm256_add_epi16(even, w1);
    u[2] = _mm256_sub_epi16(even, w1);
    u[3] = _mm256_mullo_epi16(w2, three);
    u[4] = _mm256_add_epi16(even2, twice1);
    u[5] = _mm256_sub_epi16(even2, twice1);
}

/* Two of the four k of eight columns: their bytes go to the upper halves of words. */
INLINE __m256i two_taps(const uint8_t *quads, __m256i places)
{
    __m256i high = _mm256_shuffle_epi8(_mm256_loadu_si256((const void *)quads), places);
    return _mm256_srai_epi16(high, 8);
}

/* Both halves of a cell of words at a time, so that a line of the cache is written at once. */
void qnt__winograd_taps_avx2(const struct qnt__winograd_taps *t)
{
    const size_t cell_bytes = qnt__cell_bytes(8), tap_bytes = t->cells * cell_bytes, ld = t->ld;
    const __m256i first = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13));
    const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi16(0x0200)); /* -1 stays */
    __m256i three = _mm256_set1_epi16(3);
    __asm__("" : "+x"(three)); /* known, it would become a shift and an addition */
    for (size_t k = 0, cells = 2 * t->cells; k < cells; k++) {
        const uint8_t *tap = t->panel + k / 2 * cell_bytes;
        const __m256i places = k % 2 ? second : first;
        int16_t *out = t->out + 2 * QNT__PANEL * k;
        __m256i down[3][2][POINTS], across[2][POINTS];
        for (size_t j = 0; j < 3; j++, tap += tap_bytes) {
            UNROLL for (size_t h = 0; h < 2; h++) {
                const uint8_t *quads = tap + 32 * h;
                filter_taps(two_taps(quads, places), two_taps(quads + 3 * tap_bytes, places),
                            two_taps(quads + 6 * tap_bytes, places), three, down[j][h]);
            }
        }
        for (size_t i = 0; i < POINTS; i++, out += POINTS * ld) {
            UNROLL for (size_t h = 0; h < 2; h++) {
                filter_taps(down[0][h][i], down[1][h][i], down[2][h][i], three, across[h]);
            }
            UNROLL for (size_t j = 0; j < POINTS; j++) {
                store(out + j * ld, across[0][j], WORDS);
                store(out + j * ld + WORDS, across[1][j], WORDS);
            }
        }
    }
}

/* ---- products ---- */

INLINE __m256i twice(__m256i x)
{
    return _mm256_add_epi32(x, x);
}

/* How often y[i] has to be doubled after add_products: multiplying does it as well. */
INLINE int doubled(int results, int i)
{
    return results == 2 ? 0 : i ? 1 + (i > 1) : 0;
}

INLINE void add_products(const __m256i *m, int results, __m256i *y)
{
    const __m256i sum = _mm256_add_epi32(m[1], m[2]), difference = _mm256_sub_epi32(m[1], m[2]);
    if (results == 2) {
        y[0] = _mm256_add_epi32(sum, twice(_mm256_add_epi32(m[0], sum)));
        y[1] = _mm256_add_epi32(difference, twice(_mm256_add_epi32(difference, m[3])));
        return;
    }
    const __m256i sum2 = _mm256_add_epi32(m[4], m[5]), difference2 = _mm256_sub_epi32(m[4], m[5]);
    y[0] = _mm256_add_epi32(sum2, twice(_mm256_sub_epi32(m[0], twice(sum))));
    y[1] = _mm256_sub_epi32(difference2, twice(difference));
    y[2] = _mm256_sub_epi32(sum2, sum);
    y[3] = _mm256_sub_epi32(twice(_mm256_add_epi32(difference2, m[3])), difference);
}

INLINE void add_runs(const struct qnt__winograd_pass *w, int results, bool finally, bool add)
{
    const size_t in_ld = w->in_ld, out_ld = w->out_ld;
    const __m256i shift = _mm256_set1_epi32(w->shift);
    const int32_t *in = w->in;
    int32_t *out = w->out;
    for (size_t r = 0; r < w->count; r++, in += w->in_step, out += w->out_step) {
        for (size_t c = 0; c < w->n; c += SUMS) {
            __m256i m[POINTS], y[4];
            UNROLL for (int i = 0; i < results + 2; i++) {
                m[i] = _mm256_loadu_si256((const void *)(in + c + (size_t)i * in_ld));
            }
            add_products(m, results, y);
            UNROLL for (int i = 0; i < results; i++) {
                __m256i_u *to = (void *)(out + c + (size_t)i * out_ld);
                const int times = doubled(results, i);
                if (finally) {
                    const uint32_t factor = (uint32_t)NINTH << times;
                    y[i] = _mm256_mullo_epi32(y[i], _mm256_set1_epi32((int32_t)factor));
                    y[i] = _mm256_srav_epi32(y[i], shift);
                } else if (times) {
                    y[i] = _mm256_slli_epi32(y[i], times);
                }
                *to = add ? _mm256_add_epi32(*to, y[i]) : y[i];
            }
        }
    }
}

void qnt__winograd_sums_avx2(const struct qnt__winograd_pass *w)
{
    if (w->results == 2) add_runs(w, 2, false, false);
    else add_runs(w, 4, false, false);
}

void qnt__winograd_results_avx2(const struct qnt__winograd_pass *w)
{
    if (w->results == 2) add_runs(w, 2, true, w->add);
    else if (w->add) add_runs(w, 4, true, true);
    else add_runs(w, 4, true, false);
}
