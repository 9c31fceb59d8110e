/*
 * Packing codes of 1 to 7 bits, 32 at a time.
 *
 * Multiply-adds join neighbours: 2 codes in a 16-bit word, 4 in a 32-bit word; a shift makes it 8
 * in a 64-bit word, which are `bits` whole bytes. A byte shuffle closes the gap between two such
 * words: 16 codes in 2 bits bytes of each lane. Unpacking goes the other way. Loads and stores of a
 * lane cover 16 bytes, so the last ones go to the portable version.
 */
#include <immintrin.h>

#include "../slots.h"

/* Of each 128-bit lane with words of `bits` bytes: the bytes of both, then zeros. */
static __m256i close_gap(int bits)
{
    uint8_t from[16];
    for (int k = 0; k < 16; k++) {
        from[k] = (uint8_t)(k < bits ? k : k < 2 * bits ? 8 + k - bits : 0x80);
    }
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)from));
}

/* The bytes that hold the four codes of each 32-bit word; four codes begin at bit 4 bits q. */
static __m256i open_gaps(int bits)
{
    uint8_t from[16];
    for (int k = 0; k < 16; k++) {
        int byte = k / 4 * 4 * bits / 8 + k % 4;
        from[k] = (uint8_t)(byte < 2 * bits ? byte : 0x80);
    }
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)from));
}

void qnt__pack_codes_avx2(const uint8_t *codes, size_t n, int bits, bool stream, uint8_t *packed)
{
    const __m256i mask = _mm256_set1_epi8((char)((1 << bits) - 1)), gap = close_gap(bits);
    const __m256i pairs = _mm256_set1_epi16((short)(1 | 256 << bits));
    const __m256i fours = _mm256_set1_epi32(1 | 65536 << 2 * bits);
    const __m128i join = _mm_cvtsi32_si128(4 * bits);
    const size_t lane_bytes = 2 * (size_t)bits, total = (n * (size_t)bits + 7) / 8;
    size_t i = 0, done = 0;
    for (; i + 32 <= n && done + lane_bytes + 16 <= total; i += 32, done += 2 * lane_bytes) {
        __m256i v = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(codes + i)), mask);
        __m256i two = _mm256_maddubs_epi16(pairs, v); /* 128 fits the unsigned operand only */
        __m256i four = _mm256_madd_epi16(two, fours);
        __m256i high = _mm256_sll_epi64(_mm256_srli_epi64(four, 32), join);
        __m256i low = _mm256_and_si256(four, _mm256_set1_epi64x(0xffffffff));
        v = _mm256_shuffle_epi8(_mm256_or_si256(low, high), gap);
        _mm_storeu_si128((__m128i *)(packed + done), _mm256_castsi256_si128(v));
        _mm_storeu_si128((__m128i *)(packed + done + lane_bytes), _mm256_extracti128_si256(v, 1));
    }
    qnt__pack_codes_c(codes + i, n - i, bits, stream, packed + done);
}

/* Bytes from where packed codes are read to where they are prefetched: callers unpack a few thousand codes,
 * then decode them, and meanwhile memory can bring the next ones. */
enum { AHEAD = 2048 };

static inline __m256i load_lanes(const uint8_t *low, const uint8_t *high)
{
    __m128i v = _mm_loadu_si128((const __m128i *)low);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(v),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

void qnt__unpack_codes_avx2(const uint8_t *packed, size_t n, int bits, int sign, uint8_t *codes)
{
    const int one = (1 << bits) - 1, two = (1 << 2 * bits) - 1;
    const __m256i gaps = open_gaps(bits);
    const __m256i start = _mm256_set1_epi64x((long long)(4 * bits % 8) << 32);
    const __m256i two_low = _mm256_set1_epi32(two), one_low = _mm256_set1_epi16((short)one);
    const __m256i two_high = _mm256_slli_epi32(two_low, 16),
                  one_high = _mm256_slli_epi16(one_low, 8);
    const __m256i top = _mm256_set1_epi8((char)(sign ? 1 << (bits - 1) : 0));
    const __m128i two_shift = _mm_cvtsi32_si128(16 - 2 * bits);
    const __m128i one_shift = _mm_cvtsi32_si128(8 - bits);
    const size_t lane_bytes = 2 * (size_t)bits, total = (n * (size_t)bits + 7) / 8;
    size_t i = 0, done = 0;
    for (; i + 32 <= n && done + lane_bytes + 16 <= total; i += 32, done += 2 * lane_bytes) {
        _mm_prefetch((const void *)((uintptr_t)packed + done + AHEAD), _MM_HINT_T0);
        __m256i v = load_lanes(packed + done, packed + done + lane_bytes);
        v = _mm256_srlv_epi32(_mm256_shuffle_epi8(v, gaps), start);
        __m256i high = _mm256_and_si256(_mm256_sll_epi32(v, two_shift), two_high);
        v = _mm256_or_si256(_mm256_and_si256(v, two_low), high);
        high = _mm256_and_si256(_mm256_sll_epi16(v, one_shift), one_high);
        v = _mm256_or_si256(_mm256_and_si256(v, one_low), high);
        v = _mm256_sub_epi8(_mm256_xor_si256(v, top), top);
        _mm256_storeu_si256((__m256i *)(codes + i), v);
    }
    qnt__unpack_codes_c(packed + done, n - i, bits, sign, codes + i);
}
