/*
 * Packing codes of 1 to 7 bits, 32 at a time; of 2 and 4 bits as many as fill a register.
 *
 * Multiply-adds join neighbours: 2 codes in a 16-bit word, 4 in a 32-bit word; a shift makes it 8
 * in a 64-bit word, which are `bits` whole bytes. A byte shuffle closes the gap between two such
 * words: 16 codes in 2 bits bytes of each lane. Unpacking goes the other way. Loads and stores of a
 * lane cover 16 bytes, so the last ones go to the portable version.
 */
#include "../slots.h"
#include "codes_avx2.h"

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

INLINE __m256i load_32(const void *from)
{
    return _mm256_loadu_si256(from);
}

/* 64 codes of 4 bits. 128 fits only the unsigned operand of a multiply-add, which is `pairs`. */
INLINE __m256i pack_4(__m256i mask, __m256i pairs, const uint8_t *codes)
{
    __m256i a = _mm256_maddubs_epi16(pairs, _mm256_and_si256(load_32(codes), mask));
    __m256i b = _mm256_maddubs_epi16(pairs, _mm256_and_si256(load_32(codes + 32), mask));
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), _MM_SHUFFLE(3, 1, 2, 0));
}

/* 128 codes of 2 bits. */
INLINE __m256i pack_2(__m256i mask, __m256i pairs, __m256i fours, const uint8_t *codes)
{
    __m256i four[4];
    UNROLL for (int k = 0; k < 4; k++) {
        __m256i v = _mm256_and_si256(load_32(codes + 32 * k), mask);
        four[k] = _mm256_madd_epi16(_mm256_maddubs_epi16(pairs, v), fours);
    }
    return join_bytes(four[0], four[1], four[2], four[3]);
}

void qnt__pack_codes_avx2(const uint8_t *codes, size_t n, int bits, bool stream, uint8_t *packed)
{
    const __m256i mask = _mm256_set1_epi8((char)((1 << bits) - 1)), gap = close_gap(bits);
    const __m256i pairs = _mm256_set1_epi16((short)(1 | 256 << bits));
    const __m256i fours = _mm256_set1_epi32(1 | 65536 << 2 * bits);
    const __m128i join = _mm_cvtsi32_si128(4 * bits);
    const size_t lane_bytes = 2 * (size_t)bits, total = (n * (size_t)bits + 7) / 8;
    size_t i = 0, done = 0;
    if (bits == 4) {
        for (; i + 64 <= n; i += 64, done += 32) {
            put_32(packed + done, pack_4(mask, pairs, codes + i), stream);
        }
    } else if (bits == 2) {
        for (; i + 128 <= n; i += 128, done += 32) {
            put_32(packed + done, pack_2(mask, pairs, fours, codes + i), stream);
        }
    }
    for (; i + 32 <= n && done + lane_bytes + 16 <= total; i += 32, done += 2 * lane_bytes) {
        __m256i v = _mm256_and_si256(load_32(codes + i), mask);
        __m256i four = _mm256_madd_epi16(_mm256_maddubs_epi16(pairs, v), fours);
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

INLINE void prefetch_ahead(const uint8_t *packed)
{
    _mm_prefetch((const void *)((uintptr_t)packed + AHEAD), _MM_HINT_T0);
}

INLINE __m256i extend(__m256i top, __m256i code)
{
    return _mm256_sub_epi8(_mm256_xor_si256(code, top), top);
}

/* 64 codes of 4 bits. Interleaving works within lanes, so these are given every second quarter. */
INLINE void unpack_4(__m256i top, const uint8_t *packed, uint8_t *codes)
{
    const __m256i low = _mm256_set1_epi8(15);
    prefetch_ahead(packed);
    __m256i v = _mm256_permute4x64_epi64(load_32(packed), _MM_SHUFFLE(3, 1, 2, 0));
    __m256i a = _mm256_and_si256(v, low), b = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
    put_32(codes, extend(top, _mm256_unpacklo_epi8(a, b)), false);
    put_32(codes + 32, extend(top, _mm256_unpackhi_epi8(a, b)), false);
}

/* 128 codes of 2 bits. */
INLINE void unpack_2(__m256i top, const uint8_t *packed, uint8_t *codes)
{
    const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7), low = _mm256_set1_epi8(3);
    prefetch_ahead(packed);
    __m256i v = _mm256_permutevar8x32_epi32(load_32(packed), order);
    __m256i a = _mm256_and_si256(v, low), b = _mm256_and_si256(_mm256_srli_epi16(v, 2), low);
    __m256i c = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
    __m256i d = _mm256_and_si256(_mm256_srli_epi16(v, 6), low);
    for (int half = 0; half < 2; half++, codes += 64) {
        __m256i ab = half ? _mm256_unpackhi_epi8(a, b) : _mm256_unpacklo_epi8(a, b);
        __m256i cd = half ? _mm256_unpackhi_epi8(c, d) : _mm256_unpacklo_epi8(c, d);
        put_32(codes, extend(top, _mm256_unpacklo_epi16(ab, cd)), false);
        put_32(codes + 32, extend(top, _mm256_unpackhi_epi16(ab, cd)), false);
    }
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
    if (bits == 4) {
        for (; i + 64 <= n; i += 64, done += 32) unpack_4(top, packed + done, codes + i);
    } else if (bits == 2) {
        for (; i + 128 <= n; i += 128, done += 32) unpack_2(top, packed + done, codes + i);
    }
    for (; i + 32 <= n && done + lane_bytes + 16 <= total; i += 32, done += 2 * lane_bytes) {
        prefetch_ahead(packed + done);
        __m256i v = load_lanes(packed + done, packed + done + lane_bytes);
        v = _mm256_srlv_epi32(_mm256_shuffle_epi8(v, gaps), start);
        __m256i high = _mm256_and_si256(_mm256_sll_epi32(v, two_shift), two_high);
        v = _mm256_or_si256(_mm256_and_si256(v, two_low), high);
        high = _mm256_and_si256(_mm256_sll_epi16(v, one_shift), one_high);
        v = _mm256_or_si256(_mm256_and_si256(v, one_low), high);
        put_32(codes + i, extend(top, v), false);
    }
    qnt__unpack_codes_c(packed + done, n - i, bits, sign, codes + i);
}
