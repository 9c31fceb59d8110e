/* Weights and sums of products of words: 64 codes, or eight sums, at a time. */
#include <immintrin.h>

#include "../expand_words.h"

#define INLINE static inline __attribute__((always_inline))

static void pair_codes(const uint8_t *cells, size_t n, uint8_t *pairs)
{
    for (size_t e = 0; e < n; e++, cells += 64, pairs += 64) {
        __m512i cell = _mm512_loadu_si512(cells);
        _mm256_storeu_si256((void *)pairs, _mm512_cvtepi32_epi16(cell));
        _mm256_storeu_si256((void *)(pairs + 32), _mm512_cvtepi32_epi16(_mm512_srli_epi32(cell, 16)));
    }
}

QNT__EXPAND_WORDS(avx512vnni, qnt__expand_levels_avx512vnni, pair_codes, qnt__look_up_16_avx2)

void qnt__split_words_avx512vnni(int16_t *words, size_t n, int16_t *high)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m512i w = _mm512_loadu_si512(words + i), low = _mm512_slli_epi16(w, 8);
        __m512i carry = _mm512_srli_epi16(low, 15);
        _mm512_storeu_si512(high + i, _mm512_add_epi16(_mm512_srai_epi16(w, 8), carry));
        _mm512_storeu_si512(words + i, _mm512_srai_epi16(low, 8));
    }
    qnt__split_words_c(words + i, n - i, high + i);
}

void qnt__bytes_of_words_avx512vnni(const int16_t *words, size_t n, uint8_t *low, uint8_t *high)
{
    const __m512i top = _mm512_set1_epi16(INT16_MIN);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m512i w = _mm512_xor_si512(_mm512_loadu_si512(words + i), top);
        _mm256_storeu_si256((void *)(low + i), _mm512_cvtepi16_epi8(w));
        _mm256_storeu_si256((void *)(high + i), _mm512_cvtepi16_epi8(_mm512_srli_epi16(w, 8)));
    }
    qnt__bytes_of_words_c(words + i, n - i, low + i, high + i);
}

/* The last lanes that count, of eight. */
static inline __mmask8 lanes(size_t left)
{
    return (__mmask8)(left < 8 ? (1u << left) - 1 : 255);
}

void qnt__add_parts_f64_avx512vnni(double *sum, const int32_t *part, size_t n, double factor)
{
    const __m512d f = _mm512_set1_pd(factor);
    for (size_t i = 0; i < n; i += 8) {
        const __mmask8 m = lanes(n - i);
        __m512d term = _mm512_mul_pd(f, _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(m, part + i)));
        _mm512_mask_storeu_pd(sum + i, m, _mm512_add_pd(_mm512_maskz_loadu_pd(m, sum + i), term));
    }
}

void qnt__residues_255_avx512vnni(const int16_t *words, size_t n, uint8_t *residues)
{
    const __m512i all = _mm512_set1_epi16(255), most = _mm512_set1_epi16(254);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m512i w = _mm512_loadu_si512(words + i);
        __m512i r =
            _mm512_add_epi16(_mm512_srai_epi16(w, 8), _mm512_and_si512(w, all)); /* 256 is 1 */
        r = _mm512_mask_add_epi16(r, _mm512_movepi16_mask(r), r, all);
        r = _mm512_mask_sub_epi16(r, _mm512_cmpgt_epi16_mask(r, most), r, all);
        _mm256_storeu_si256((void *)(residues + i), _mm512_cvtepi16_epi8(r));
    }
    qnt__residues_255_c(words + i, n - i, residues + i);
}

void qnt__add_residues_f64_avx512vnni(double *sum, const int32_t *low, const int32_t *residue,
                                      size_t n)
{
    const __m512d one = _mm512_set1_pd(1.0 / 255.0), all = _mm512_set1_pd(255.0);
    const __m512d high = _mm512_set1_pd(4294967296.0);
    for (size_t i = 0; i < n; i += 8) {
        const __mmask8 m = lanes(n - i);
        __m512d s = _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(m, low + i));
        __m512d q = _mm512_sub_pd(_mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(m, residue + i)), s);
        __m512d times = _mm512_roundscale_pd(_mm512_mul_pd(q, one), _MM_FROUND_TO_NEAREST_INT);
        q = _mm512_sub_pd(q, _mm512_mul_pd(times, all));
        s = _mm512_add_pd(s, _mm512_mul_pd(q, high));
        _mm512_mask_storeu_pd(sum + i, m, _mm512_add_pd(_mm512_maskz_loadu_pd(m, sum + i), s));
    }
}

void qnt__scale_sums_f64_avx512vnni(double *sum, const float *scale, size_t n, float *y)
{
    for (size_t i = 0; i < n; i += 8) {
        const __mmask8 m = lanes(n - i);
        __m256 rounded = _mm512_cvtpd_ps(_mm512_maskz_loadu_pd(m, sum + i));
        __m256 product = _mm256_mul_ps(rounded, _mm256_maskz_loadu_ps(m, scale + i));
        _mm256_mask_storeu_ps(y + i, m, _mm256_add_ps(_mm256_maskz_loadu_ps(m, y + i), product));
        _mm512_mask_storeu_pd(sum + i, m, _mm512_setzero_pd());
    }
}

INLINE void join_eight(const struct qnt__join_words *j, size_t i, __mmask8 m, size_t parts, float *y)
{
    __m512d column = _mm512_maskz_loadu_pd(m, j->column + i);
    __m512d sum = _mm512_sub_pd(_mm512_set1_pd(j->row), _mm512_mul_pd(_mm512_set1_pd(j->zero), column));
    for (size_t p = 0; p < parts; p++) {
        __m512d part = _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(m, j->acc[p] + i));
        sum = _mm512_add_pd(sum, _mm512_mul_pd(_mm512_set1_pd(j->factor[p]), part));
    }
    __m256 product = _mm256_mul_ps(_mm512_cvtpd_ps(sum), _mm256_maskz_loadu_ps(m, j->scale + i));
    _mm256_mask_storeu_ps(y + i, m, _mm256_add_ps(_mm256_setzero_ps(), product));
}

INLINE void join_words(const struct qnt__join_words *words, size_t n, float *y, size_t parts)
{
    const struct qnt__join_words j = *words; /* y does not change it */
    size_t i = 0;
    for (; i + 8 <= n; i += 8) join_eight(&j, i, 255, parts, y);
    if (i < n) join_eight(&j, i, lanes(n - i), parts, y);
}

void qnt__join_words_avx512vnni(const struct qnt__join_words *j, size_t n, float *y)
{
    if (j->parts == 2) join_words(j, n, y, 2);
    else join_words(j, n, y, j->parts);
}
