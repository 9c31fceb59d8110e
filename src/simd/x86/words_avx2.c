/* Weights and sums of products of words: 32 codes, or four sums, at a time. */
#include <immintrin.h>

#include "../expand_words.h"

static void pair_codes(const uint8_t *cells, size_t n, uint8_t *pairs)
{
    const __m256i split = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4,
                                           5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    for (size_t e = 0; e < n; e++, cells += 64, pairs += 64) {
        __m256i a = _mm256_shuffle_epi8(_mm256_loadu_si256((const void *)cells), split);
        __m256i b = _mm256_shuffle_epi8(_mm256_loadu_si256((const void *)(cells + 32)), split);
        __m256i first = _mm256_unpacklo_epi64(a, b), second = _mm256_unpackhi_epi64(a, b);
        _mm256_storeu_si256((void *)pairs, _mm256_permute4x64_epi64(first, 0xd8));
        _mm256_storeu_si256((void *)(pairs + 32), _mm256_permute4x64_epi64(second, 0xd8));
    }
}

QNT__EXPAND_WORDS(avx2, qnt__expand_levels_avx2, pair_codes, qnt__look_up_16_avx2)

void qnt__split_words_avx2(int16_t *words, size_t n, int16_t *high)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i w = _mm256_loadu_si256((const void *)(words + i)), low = _mm256_slli_epi16(w, 8);
        __m256i carry = _mm256_srli_epi16(low, 15);
        _mm256_storeu_si256((void *)(high + i), _mm256_add_epi16(_mm256_srai_epi16(w, 8), carry));
        _mm256_storeu_si256((void *)(words + i), _mm256_srai_epi16(low, 8));
    }
    qnt__split_words_c(words + i, n - i, high + i);
}

void qnt__bytes_of_words_avx2(const int16_t *words, size_t n, uint8_t *low, uint8_t *high)
{
    const __m256i all = _mm256_set1_epi16(255), top = _mm256_set1_epi16(INT16_MIN);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i a = _mm256_xor_si256(_mm256_loadu_si256((const void *)(words + i)), top);
        __m256i b = _mm256_xor_si256(_mm256_loadu_si256((const void *)(words + i + 16)), top);
        __m256i l = _mm256_packus_epi16(_mm256_and_si256(a, all), _mm256_and_si256(b, all));
        __m256i h = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
        _mm256_storeu_si256((void *)(low + i), _mm256_permute4x64_epi64(l, 0xd8));
        _mm256_storeu_si256((void *)(high + i), _mm256_permute4x64_epi64(h, 0xd8));
    }
    qnt__bytes_of_words_c(words + i, n - i, low + i, high + i);
}

void qnt__add_parts_f64_avx2(double *sum, const int32_t *part, size_t n, double factor)
{
    const __m256d f = _mm256_set1_pd(factor);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d term = _mm256_mul_pd(f, _mm256_cvtepi32_pd(_mm_loadu_si128((const void *)(part + i))));
        _mm256_storeu_pd(sum + i, _mm256_add_pd(_mm256_loadu_pd(sum + i), term));
    }
    qnt__add_parts_f64_c(sum + i, part + i, n - i, factor);
}

void qnt__residues_255_avx2(const int16_t *words, size_t n, uint8_t *residues)
{
    const __m256i all = _mm256_set1_epi16(255), most = _mm256_set1_epi16(254);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i w = _mm256_loadu_si256((const void *)(words + i));
        __m256i r =
            _mm256_add_epi16(_mm256_srai_epi16(w, 8), _mm256_and_si256(w, all)); /* 256 is 1 */
        r = _mm256_add_epi16(r, _mm256_and_si256(_mm256_srai_epi16(r, 15), all));
        r = _mm256_sub_epi16(r, _mm256_and_si256(_mm256_cmpgt_epi16(r, most), all));
        r = _mm256_permute4x64_epi64(_mm256_packus_epi16(r, r), 0x08);
        _mm_storeu_si128((void *)(residues + i), _mm256_castsi256_si128(r));
    }
    qnt__residues_255_c(words + i, n - i, residues + i);
}

static inline __m256d four_numbers(const int32_t *from)
{
    return _mm256_cvtepi32_pd(_mm_loadu_si128((const void *)from));
}

void qnt__add_residues_f64_avx2(double *sum, const int32_t *low, const int32_t *residue, size_t n)
{
    const __m256d one = _mm256_set1_pd(1.0 / 255.0), all = _mm256_set1_pd(255.0);
    const __m256d high = _mm256_set1_pd(4294967296.0);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d s = four_numbers(low + i), q = _mm256_sub_pd(four_numbers(residue + i), s);
        __m256d times = _mm256_round_pd(_mm256_mul_pd(q, one), _MM_FROUND_TO_NEAREST_INT);
        q = _mm256_sub_pd(q, _mm256_mul_pd(times, all));
        s = _mm256_add_pd(s, _mm256_mul_pd(q, high));
        _mm256_storeu_pd(sum + i, _mm256_add_pd(_mm256_loadu_pd(sum + i), s));
    }
    qnt__add_residues_f64_c(sum + i, low + i, residue + i, n - i);
}

void qnt__scale_sums_f64_avx2(double *sum, const float *scale, size_t n, float *y)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m128 rounded = _mm256_cvtpd_ps(_mm256_loadu_pd(sum + i));
        __m128 product = _mm_mul_ps(rounded, _mm_loadu_ps(scale + i));
        _mm_storeu_ps(y + i, _mm_add_ps(_mm_loadu_ps(y + i), product));
        _mm256_storeu_pd(sum + i, _mm256_setzero_pd());
    }
    qnt__scale_sums_f64_c(sum + i, scale + i, n - i, y + i);
}

static inline void join_words(const struct qnt__join_words *j, size_t n, float *y, size_t parts)
{
    const __m256d row = _mm256_set1_pd(j->row), zero = _mm256_set1_pd(j->zero);
    for (size_t i = 0; i + 4 <= n; i += 4) {
        __m256d sum = _mm256_sub_pd(row, _mm256_mul_pd(zero, _mm256_loadu_pd(j->column + i)));
        for (size_t p = 0; p < parts; p++) {
            __m256d factor = _mm256_set1_pd(j->factor[p]);
            sum = _mm256_add_pd(sum, _mm256_mul_pd(factor, four_numbers(j->acc[p] + i)));
        }
        __m128 product = _mm_mul_ps(_mm256_cvtpd_ps(sum), _mm_loadu_ps(j->scale + i));
        _mm_storeu_ps(y + i, _mm_add_ps(_mm_setzero_ps(), product));
    }
    const size_t done = n - n % 4;
    if (done == n) return;
    struct qnt__join_words rest = *j;
    for (size_t p = 0; p < parts; p++) rest.acc[p] += done;
    rest.column += done, rest.scale += done;
    qnt__join_words_c(&rest, n - done, y + done);
}

void qnt__join_words_avx2(const struct qnt__join_words *j, size_t n, float *y)
{
    if (j->parts == 2) join_words(j, n, y, 2);
    else join_words(j, n, y, j->parts);
}
