/*
 * Coding blocks, sixteen symbols at a time: levels in diagonal order, those with a symbol pressed together,
 * their runs and sizes, and a gather for the codes. Four symbols next to each other mostly fit in a word and
 * are joined before they are appended. Bytes are written, so that bytes of ones can be counted side by side.
 */
#include <immintrin.h>

#include "../code_blocks.h"
#include "../dct.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    BUFFER = 4096,
    MOST = 64 * 32 / 8 + 16 /* bytes of a block and of the last word written */
};

/* Bytes, of which the last one is open. */
struct writer {
    uint64_t word; /* the open byte's bits at the top, zeros below */
    uint64_t used; /* how many, 0..7 */
    size_t at;     /* whole bytes */
    uint64_t stuffed, bytes; /* of buffers that were full */
    uint8_t buffer[BUFFER + MOST];
};

/* Appends at most 56 bits. */
INLINE void put(struct writer *w, uint64_t value, uint64_t length)
{
    w->used += length;
    w->word |= value << 1 << (63 - w->used); /* used may be 0 */
    uint64_t bytes = __builtin_bswap64(w->word);
    __builtin_memcpy(w->buffer + w->at, &bytes, 8);
    w->at += w->used / 8;
    w->word <<= w->used & 56;
    w->used %= 8;
}

/* The words of a block in diagonal order, 32 of each half. */
struct order {
    __m512i low, high;
};

INLINE struct order load_order(void)
{
    __m512i bytes = _mm512_loadu_si512(qnt__zigzag);
    return (struct order){_mm512_cvtepu8_epi16(_mm512_castsi512_si256(bytes)),
                          _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(bytes, 1))};
}

/* Levels with a symbol and their places, one after the other; their number. */
INLINE size_t press(const struct order *order, const struct qnt__coded_block *block, int16_t *level,
                    uint8_t *place)
{
    const uint64_t places = qnt__symbol_places(block->places);
    __m512i a = _mm512_loadu_si512(block->level), b = _mm512_loadu_si512(block->level + 32);
    __m512i low = _mm512_permutex2var_epi16(a, order->low, b);
    __m512i high = _mm512_permutex2var_epi16(a, order->high, b);
    low = _mm512_mask_set1_epi16(low, 1, (short)block->difference);
    const __m512i all = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    _mm512_storeu_si512(level, _mm512_maskz_compress_epi16((__mmask32)places, low));
    _mm512_storeu_si512(level + _mm_popcnt_u32((uint32_t)places),
                        _mm512_maskz_compress_epi16((__mmask32)(places >> 32), high));
    _mm512_storeu_si512(place, _mm512_maskz_compress_epi8(places, all));
    return (size_t)_mm_popcnt_u64(places);
}

/* Bits of magnitudes, from the exponents of float32. */
INLINE __m512i sizes(__m512i v)
{
    __m512i exponent = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_abs_epi32(v)));
    exponent = _mm512_sub_epi32(_mm512_srli_epi32(exponent, 23), _mm512_set1_epi32(126));
    return _mm512_max_epi32(exponent, _mm512_setzero_si512()); /* 0 has exponent 0 */
}

/* Codes and the bits behind them, in the low halves of 64-bit lanes the first of each pair. */
INLINE void look_up(const struct qnt__block_codes *codes, const int16_t *level,
                    const uint8_t *place, size_t n, __m512i *value, __m512i *length)
{
    const __mmask16 there = (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu);
    const __m512i one = _mm512_set1_epi32(1);
    __m512i v = _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(there, level));
    __m512i run = _mm512_sub_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)place)),
                                   _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(place - 1))));
    __m512i size = sizes(v);
    __m512i low = _mm512_add_epi32(v, _mm512_srai_epi32(v, 31));
    low = _mm512_and_epi32(low, _mm512_sub_epi32(_mm512_sllv_epi32(one, size), one));
    /* run is one too large; that of the mean is 0, and its codes lie 16 before */
    __m512i entry = _mm512_add_epi32(_mm512_slli_epi32(run, 4), size);
    entry = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), there, entry, codes->entry, 4);
    *value = _mm512_or_epi32(_mm512_srli_epi32(entry, 5), low);
    *length = _mm512_and_epi32(entry, _mm512_set1_epi32(31));
}

/* Sixteen symbols, n of which are there. */
INLINE void put_symbols(struct writer *w, __m512i value, __m512i length, size_t n)
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
        for (size_t i = 0; i < 8 && 2 * i < n; i++) put(w, values[i], lengths[i]);
        return;
    }
    value = _mm512_or_si512(_mm512_sllv_epi64(value, next), _mm512_bsrli_epi128(value, 8));
    _mm512_storeu_si512(values, value);
    _mm512_storeu_si512(lengths, sum);
    for (size_t i = 0; i < 8 && 2 * i < n; i += 2) put(w, values[i], lengths[i]);
}

static void count_bytes(struct writer *w)
{
    const __m512i ones = _mm512_set1_epi8(-1);
    for (size_t i = 0; i < w->at; i += 64) {
        size_t left = w->at - i;
        __mmask64 there = left < 64 ? ((uint64_t)1 << left) - 1 : ~(uint64_t)0;
        __m512i bytes = _mm512_maskz_loadu_epi8(there, w->buffer + i);
        w->stuffed += (uint64_t)_mm_popcnt_u64(_mm512_cmpeq_epi8_mask(bytes, ones));
    }
    w->bytes += w->at;
    w->at = 0;
}

void qnt__code_blocks_avx512vbmi(const struct qnt__block_codes *codes,
                                 const struct qnt__coded_block *blocks, size_t n,
                                 struct qnt__bit_stream *stream)
{
    const struct order order = load_order();
    int16_t level[32 + 32];
    uint8_t place[1 + 64] = {0};
    struct writer w;
    w.used = stream->bits % 8;
    w.word = (uint64_t)stream->rest << 1 << (63 - w.used);
    w.at = 0, w.stuffed = 0, w.bytes = 0;
    for (size_t b = 0; b < n; b++) {
        size_t symbols = press(&order, &blocks[b], level, place + 1);
        for (size_t i = 0; i < symbols; i += 16) {
            __m512i value, length;
            look_up(&codes[blocks[b].kind], level + i, place + 1 + i, symbols - i, &value, &length);
            put_symbols(&w, value, length, symbols - i);
        }
        if (w.at > BUFFER) count_bytes(&w);
    }
    count_bytes(&w);
    stream->bits += 8 * w.bytes + w.used - stream->bits % 8;
    stream->stuffed += w.stuffed;
    stream->rest = (uint32_t)(w.word >> 1 >> (63 - w.used));
}
