/*
 * Coding blocks, sixteen symbols at a time: levels in diagonal order, those with a symbol pressed
 * together, their runs and sizes, and a gather for the codes. Four symbols next to each other
 * mostly fit in a word and are joined before they are appended.
 */
#include <immintrin.h>

#include "../code_blocks.h"
#include "../dct.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* Bits of magnitudes, from the exponents of float32. */
INLINE __m512i sizes(__m512i v)
{
    __m512i exponent = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_abs_epi32(v)));
    exponent = _mm512_sub_epi32(_mm512_srli_epi32(exponent, 23), _mm512_set1_epi32(126));
    return _mm512_max_epi32(exponent, _mm512_setzero_si512()); /* 0 has exponent 0 */
}

/* The first n lanes, of more than there may be. */
INLINE __mmask32 first(size_t n)
{
    return n < 32 ? (1u << n) - 1 : ~0u;
}

/* Sixteen codes with the bits behind them, of which n are there; the first of each pair in the
 * low half of a 64-bit lane. */
INLINE void put_codes(struct qnt__code_writer *w, __m512i value, __m512i length, size_t n)
{
    uint64_t values[8], lengths[8];
    const __m512i half = _mm512_set1_epi64(0xffffffff);
    __m512i second = _mm512_srli_epi64(length, 32);
    length = _mm512_add_epi64(_mm512_and_si512(length, half), second);
    value = _mm512_or_si512(_mm512_sllv_epi64(_mm512_and_si512(value, half), second),
                            _mm512_srli_epi64(value, 32));
    __m512i next = _mm512_bsrli_epi128(length, 8), sum = _mm512_add_epi64(length, next);
    if (__builtin_expect(_mm512_mask_cmpgt_epi64_mask(0x55, sum, _mm512_set1_epi64(56)), 0)) {
        _mm512_storeu_si512(values, value);
        _mm512_storeu_si512(lengths, length);
        for (size_t i = 0; i < 8 && 2 * i < n; i++) qnt__code_put(w, values[i], lengths[i]);
        return;
    }
    value = _mm512_or_si512(_mm512_sllv_epi64(value, next), _mm512_bsrli_epi128(value, 8));
    _mm512_storeu_si512(values, value);
    _mm512_storeu_si512(lengths, sum);
    for (size_t i = 0; i < 8 && 2 * i < n; i += 2) qnt__code_put(w, values[i], lengths[i]);
}

/* Sixteen levels, of which n are there and the others are 0, and the step to each from the place
 * before. */
INLINE void put_symbols(struct qnt__code_writer *w, const struct qnt__block_codes *codes,
                        __m256i level, __m128i step, size_t n)
{
    const __mmask16 there = (__mmask16)first(n);
    const __m512i one = _mm512_set1_epi32(1);
    __m512i v = _mm512_cvtepi16_epi32(level), size = sizes(v);
    __m512i low = _mm512_add_epi32(v, _mm512_srai_epi32(v, 31));
    low = _mm512_and_epi32(low, _mm512_sub_epi32(_mm512_sllv_epi32(one, size), one));
    /* a step is a run and 1, but 0 for the mean: its codes lie 16 before the others */
    __m512i entry = _mm512_add_epi32(_mm512_slli_epi32(_mm512_cvtepu8_epi32(step), 4), size);
    entry = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), there, entry, codes->entry, 4);
    put_codes(w, _mm512_or_epi32(_mm512_srli_epi32(entry, 5), low),
              _mm512_and_epi32(entry, _mm512_set1_epi32(31)), n);
}

/* What moves places about. */
struct moves {
    __m512i place;  /* 0 to 63 */
    __m512i source; /* their places in rows */
    __m512i before; /* -1 to 62 */
};

INLINE struct moves load_moves(void)
{
    __m512i place = _mm512_setzero_si512();
    for (int i = 1; i < 64; i *= 2) { /* bit by bit */
        uint64_t set = ~(uint64_t)0 / (((uint64_t)1 << i) + 1) << i;
        place = _mm512_mask_add_epi8(place, set, place, _mm512_set1_epi8((char)i));
    }
    return (struct moves){place, _mm512_loadu_si512(qnt__zigzag),
                          _mm512_sub_epi8(place, _mm512_set1_epi8(1))};
}

INLINE void code(struct qnt__code_writer *w, const struct moves *moves,
                 const struct qnt__block_codes *codes, const struct qnt__coded_block *block)
{
    const uint64_t places = qnt__symbol_places(block->places);
    const size_t n = (size_t)_mm_popcnt_u64(places);
    __m512i a = _mm512_loadu_si512(block->level), b = _mm512_loadu_si512(block->level + 32);
    __m512i place = _mm512_maskz_compress_epi8(places, moves->place);
    __m512i source = _mm512_maskz_compress_epi8(places, moves->source);
    __m512i step = _mm512_maskz_permutexvar_epi8(~(__mmask64)1, moves->before, place);
    step = _mm512_sub_epi8(place, step);

    __m512i words = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(source));
    __m512i level = _mm512_maskz_permutex2var_epi16(first(n), a, words, b);
    level = _mm512_mask_set1_epi16(level, 1, (short)block->difference);
    put_symbols(w, codes, _mm512_castsi512_si256(level), _mm512_castsi512_si128(step), n);
    if (n <= 16) return;
    put_symbols(w, codes, _mm512_extracti64x4_epi64(level, 1), _mm512_extracti32x4_epi32(step, 1),
                n - 16);
    if (n <= 32) return;
    words = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(source, 1));
    level = _mm512_maskz_permutex2var_epi16(first(n - 32), a, words, b);
    put_symbols(w, codes, _mm512_castsi512_si256(level), _mm512_extracti32x4_epi32(step, 2),
                n - 32);
    if (n <= 48) return;
    put_symbols(w, codes, _mm512_extracti64x4_epi64(level, 1), _mm512_extracti32x4_epi32(step, 3),
                n - 48);
}

static void count_bytes(struct qnt__code_writer *w)
{
    const __m512i ones = _mm512_set1_epi8(-1);
    uint64_t full = 0;
    for (size_t i = 0; i < w->at; i += 64) {
        size_t left = w->at - i;
        __mmask64 there = left < 64 ? ((uint64_t)1 << left) - 1 : ~(uint64_t)0;
        __m512i bytes = _mm512_maskz_loadu_epi8(there, w->buffer + i);
        full += (uint64_t)_mm_popcnt_u64(_mm512_cmpeq_epi8_mask(bytes, ones));
    }
    qnt__code_count(w, full);
}

void qnt__code_blocks_avx512vbmi(const struct qnt__block_codes *codes,
                                 const struct qnt__coded_block *blocks, size_t n,
                                 struct qnt__bit_stream *stream)
{
    const struct moves moves = load_moves();
    struct qnt__code_writer w;
    qnt__code_begin(&w, stream);
    for (size_t b = 0; b < n; b++) {
        code(&w, &moves, &codes[blocks[b].kind], &blocks[b]);
        if (w.at > QNT__CODE_BUFFER) count_bytes(&w);
    }
    count_bytes(&w);
    qnt__code_end(&w, stream);
}
