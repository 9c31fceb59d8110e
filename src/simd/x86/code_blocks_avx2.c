/*
 * Coding blocks, eight symbols at a time: levels with a symbol are listed one by one, those of some
 * blocks after each other; their sizes and low bits, and a gather for the codes, are side by side.
 * Four symbols next to each other mostly fit in a word and are joined before they are appended.
 */
#include <immintrin.h>

#include "../code_blocks.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

/* Bits of magnitudes, from the exponents of float32. */
INLINE __m256i sizes(__m256i v)
{
    __m256i exponent = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_abs_epi32(v)));
    exponent = _mm256_sub_epi32(_mm256_srli_epi32(exponent, 23), _mm256_set1_epi32(126));
    return _mm256_max_epi32(exponent, _mm256_setzero_si256()); /* 0 has exponent 0 */
}

/* Eight codes with the bits behind them; the first of each pair in the low half of a 64-bit lane. */
INLINE void put_codes(struct qnt__code_writer *w, __m256i value, __m256i length)
{
    const __m256i half = _mm256_set1_epi64x(0xffffffff);
    __m256i second = _mm256_srli_epi64(length, 32);
    length = _mm256_add_epi64(_mm256_and_si256(length, half), second);
    value = _mm256_or_si256(_mm256_sllv_epi64(_mm256_and_si256(value, half), second),
                            _mm256_srli_epi64(value, 32));
    __m256i next = _mm256_bsrli_epi128(length, 8), sum = _mm256_add_epi64(length, next);
    uint64_t values[4], lengths[4];
    _mm256_storeu_si256((void *)lengths, sum);
    if (__builtin_expect(lengths[0] > 56 || lengths[2] > 56, 0)) {
        _mm256_storeu_si256((void *)values, value);
        _mm256_storeu_si256((void *)lengths, length);
        for (int i = 0; i < 4; i++) qnt__code_put(w, values[i], lengths[i]);
        return;
    }
    value = _mm256_or_si256(_mm256_sllv_epi64(value, next), _mm256_bsrli_epi128(value, 8));
    _mm256_storeu_si256((void *)values, value);
    qnt__code_put(w, values[0], lengths[0]);
    qnt__code_put(w, values[2], lengths[2]);
}

static void count_bytes(struct qnt__code_writer *w)
{
    const __m256i ones = _mm256_set1_epi8(-1);
    uint64_t full = 0;
    size_t i = 0;
    for (; i + 32 <= w->at; i += 32) {
        __m256i bytes = _mm256_loadu_si256((const void *)(w->buffer + i));
        bytes = _mm256_cmpeq_epi8(bytes, ones);
        full += (uint64_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(bytes));
    }
    for (; i < w->at; i++) full += w->buffer[i] == 0xff;
    qnt__code_count(w, full);
}

static void put_list(struct qnt__code_writer *w, const struct qnt__block_codes *codes,
                     struct qnt__symbols *list)
{
    const __m256i one = _mm256_set1_epi32(1), number = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm_storeu_si128((void *)(list->level + list->n), _mm_setzero_si128());
    _mm_storeu_si128((void *)(list->code + list->n), _mm_setzero_si128());
    for (size_t i = 0; i < list->n; i += LANES) {
        __m256i there = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(list->n - i)), number);
        __m256i v = _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)(list->level + i)));
        __m256i entry = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(list->code + i)));
        __m256i size = sizes(v), low = _mm256_add_epi32(v, _mm256_srai_epi32(v, 31));
        low = _mm256_and_si256(low, _mm256_sub_epi32(_mm256_sllv_epi32(one, size), one));
        entry = _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), (const int *)codes,
                                            _mm256_add_epi32(entry, size), there, 4);
        put_codes(w, _mm256_or_si256(_mm256_srli_epi32(entry, 5), low),
                  _mm256_and_si256(entry, _mm256_set1_epi32(31)));
        if (w->at > QNT__CODE_BUFFER) count_bytes(w);
    }
    list->n = 0;
}

void qnt__code_blocks_avx2(const struct qnt__block_codes *codes,
                           const struct qnt__coded_block *blocks, size_t n,
                           struct qnt__bit_stream *stream)
{
    qnt__code_lists(codes, blocks, n, stream, put_list, count_bytes);
}
