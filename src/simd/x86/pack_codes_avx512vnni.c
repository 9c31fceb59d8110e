/*
 * Packing codes of 1 to 7 bits, 64 at a time.
 *
 * Multiply-adds join neighbours: 2 codes in a 16-bit word, 4 in a 32-bit word; a shift makes it 8
 * in a 64-bit word, which are `bits` whole bytes. A byte shuffle closes the gap between two such
 * words, a word shuffle those between the four pairs. Unpacking goes the other way.
 */
#include "../slots.h"
#include "codes_avx512vnni.h"

static inline __m512i everywhere(__m128i v)
{
    return _mm512_broadcast_i32x4(v);
}

/* Of each 128-bit lane with words of `bits` bytes: the bytes of both, then zeros. */
static __m128i close_gap(int bits)
{
    uint8_t from[16];
    for (int k = 0; k < 16; k++) {
        from[k] = (uint8_t)(k < bits ? k : k < 2 * bits ? 8 + k - bits : 0x80);
    }
    return _mm_loadu_si128((const __m128i *)from);
}

/* Word k of the packed bytes is word k mod bits of lane k / bits. */
static __m512i join_lanes(int bits)
{
    uint16_t from[32];
    for (int k = 0; k < 32; k++) from[k] = (uint16_t)(k / bits % 4 * 8 + k % bits);
    return _mm512_loadu_si512(from);
}

/* Word k of lane l is packed word l bits + k, of which VPERMW takes five bits; what exceeds the
 * lane's share does not matter. Rows are short, so both tables come from arithmetic in registers.
 */
static __m512i part_lanes(int bits)
{
    const __m512i lane = _mm512_setr_epi64(0, 0, 0x1000100010001, 0x1000100010001, 0x2000200020002,
                                           0x2000200020002, 0x3000300030003, 0x3000300030003);
    const __m512i k =
        _mm512_set4_epi64(0x7000600050004, 0x3000200010000, 0x7000600050004, 0x3000200010000);
    return _mm512_add_epi16(_mm512_mullo_epi16(lane, _mm512_set1_epi16((short)bits)), k);
}

/* The bytes that hold the four codes of each 32-bit word q, which begin at bit 4 bits q; bits that
 * belong to none are cut off later. */
static __m128i open_gaps(int bits)
{
    __m128i half = _mm_mullo_epi32(_mm_setr_epi32(0, 1, 2, 3), _mm_set1_epi32(bits));
    __m128i first = _mm_mullo_epi32(_mm_srli_epi32(half, 1), _mm_set1_epi32(0x01010101));
    return _mm_add_epi32(first, _mm_set1_epi32(0x03020100));
}

static inline __mmask64 first_bytes(size_t n)
{
    return n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

struct packing {
    __m512i mask, pairs, gap, lanes;
    __m512i fours;
    __m128i eight; /* shift that joins two 32-bit words */
};

static inline __m512i pack(const struct packing *p, __m512i codes)
{
    codes = _mm512_and_si512(codes, p->mask);
    __m512i two = _mm512_maddubs_epi16(p->pairs, codes); /* 128 fits the unsigned operand only */
    __m512i four = _mm512_madd_epi16(two, p->fours);
    __m512i high = _mm512_sll_epi64(_mm512_srli_epi64(four, 32), p->eight);
    __m512i low = _mm512_and_si512(four, _mm512_set1_epi64(0xffffffff));
    __m512i lane = _mm512_shuffle_epi8(_mm512_or_si512(low, high), p->gap);
    return _mm512_permutexvar_epi16(p->lanes, lane);
}

/* 128 codes of 4 bits. */
static inline __m512i pack_4(const struct packing *p, const uint8_t *codes)
{
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i a = _mm512_and_si512(_mm512_loadu_si512(codes), p->mask);
    __m512i b = _mm512_and_si512(_mm512_loadu_si512(codes + 64), p->mask);
    a = _mm512_maddubs_epi16(p->pairs, a);
    b = _mm512_maddubs_epi16(p->pairs, b);
    return _mm512_permutexvar_epi64(order, _mm512_packus_epi16(a, b));
}

/* 256 codes of 2 bits. */
static inline __m512i pack_2(const struct packing *p, const uint8_t *codes)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i four[4];
    for (int k = 0; k < 4; k++) {
        __m512i v = _mm512_and_si512(_mm512_loadu_si512(codes + 64 * k), p->mask);
        four[k] = _mm512_madd_epi16(_mm512_maddubs_epi16(p->pairs, v), p->fours);
    }
    __m512i ab = _mm512_packus_epi32(four[0], four[1]), cd = _mm512_packus_epi32(four[2], four[3]);
    return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(ab, cd));
}

/* 64 codes of any width, and the rest. */
static void pack_any(struct packing *p, const uint8_t *codes, size_t n, int bits, uint8_t *packed)
{
    const __mmask8 words = (__mmask8)((1u << bits) - 1);
    size_t i = 0;
    p->gap = everywhere(close_gap(bits));
    p->lanes = join_lanes(bits);
    p->eight = _mm_cvtsi32_si128(4 * bits);
    for (; i + 64 <= n; i += 64, packed += 8 * bits) {
        _mm512_mask_storeu_epi64(packed, words, pack(p, _mm512_loadu_si512(codes + i)));
    }
    if (i == n) return;
    size_t left = n - i, bytes = (left * (size_t)bits + 7) / 8;
    __m512i rest = _mm512_maskz_loadu_epi8(first_bytes(left), codes + i);
    _mm512_mask_storeu_epi8(packed, first_bytes(bytes), pack(p, rest));
}

void qnt__pack_codes_avx512vnni(const uint8_t *codes, size_t n, int bits, bool stream,
                                uint8_t *packed)
{
    struct packing p = {.mask = _mm512_set1_epi8((char)((1 << bits) - 1)),
                        .pairs = _mm512_set1_epi16((short)(1 | 256 << bits)),
                        .fours = _mm512_set1_epi32(1 | 65536 << 2 * bits)};
    size_t i = 0;
    if (bits == 4) {
        for (; i + 128 <= n; i += 128, packed += 64) {
            put_64(packed, pack_4(&p, codes + i), stream);
        }
    } else if (bits == 2) {
        for (; i + 256 <= n; i += 256, packed += 64) {
            put_64(packed, pack_2(&p, codes + i), stream);
        }
    }
    if (i < n) pack_any(&p, codes + i, n - i, bits, packed);
}

/* Bytes from where packed codes are read to where they are prefetched: callers unpack a few thousand codes,
 * then decode them, and meanwhile memory can bring the next ones. */
enum { AHEAD = 2048 };

struct unpacking {
    __m512i lanes, gaps, start; /* start: bit within the first byte of each four */
    __m512i two, two_high, one, one_high, top;
    __m128i two_shift, one_shift;
};

static inline __m512i extend(__m512i top, __m512i code)
{
    return _mm512_sub_epi8(_mm512_xor_si512(code, top), top);
}

static inline __m512i unpack(const struct unpacking *u, __m512i packed)
{
    __m512i lane = _mm512_permutexvar_epi16(u->lanes, packed);
    __m512i four = _mm512_srlv_epi32(_mm512_shuffle_epi8(lane, u->gaps), u->start);
    __m512i high = _mm512_and_si512(_mm512_sll_epi32(four, u->two_shift), u->two_high);
    __m512i two = _mm512_or_si512(_mm512_and_si512(four, u->two), high);
    high = _mm512_and_si512(_mm512_sll_epi16(two, u->one_shift), u->one_high);
    __m512i one = _mm512_or_si512(_mm512_and_si512(two, u->one), high);
    return extend(u->top, one);
}

/* 128 codes of 4 bits. Interleaving works within lanes, so these are given every second quarter. */
static inline void unpack_4(__m512i top, const uint8_t *packed, uint8_t *codes)
{
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), low = _mm512_set1_epi8(15);
    prefetch_at(packed, AHEAD);
    __m512i v = _mm512_permutexvar_epi64(order, _mm512_loadu_si512(packed));
    __m512i a = _mm512_and_si512(v, low), b = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
    _mm512_storeu_si512(codes, extend(top, _mm512_unpacklo_epi8(a, b)));
    _mm512_storeu_si512(codes + 64, extend(top, _mm512_unpackhi_epi8(a, b)));
}

/* 256 codes of 2 bits. */
static inline void unpack_2(__m512i top, const uint8_t *packed, uint8_t *codes)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i low = _mm512_set1_epi8(3);
    prefetch_at(packed, AHEAD);
    __m512i v = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(packed));
    __m512i a = _mm512_and_si512(v, low), b = _mm512_and_si512(_mm512_srli_epi16(v, 2), low);
    __m512i c = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
    __m512i d = _mm512_and_si512(_mm512_srli_epi16(v, 6), low);
    for (int half = 0; half < 2; half++, codes += 128) {
        __m512i ab = half ? _mm512_unpackhi_epi8(a, b) : _mm512_unpacklo_epi8(a, b);
        __m512i cd = half ? _mm512_unpackhi_epi8(c, d) : _mm512_unpacklo_epi8(c, d);
        _mm512_storeu_si512(codes, extend(top, _mm512_unpacklo_epi16(ab, cd)));
        _mm512_storeu_si512(codes + 64, extend(top, _mm512_unpackhi_epi16(ab, cd)));
    }
}

/* 64 codes of any width, and the rest. */
static void unpack_any(const uint8_t *packed, size_t n, int bits, __m512i top, uint8_t *codes)
{
    const int one = (1 << bits) - 1, two = (1 << 2 * bits) - 1;
    const struct unpacking u = {
        part_lanes(bits),
        everywhere(open_gaps(bits)),
        _mm512_set1_epi64((long long)(4 * bits % 8) << 32),
        _mm512_set1_epi32(two),
        _mm512_set1_epi32((int)((unsigned)two << 16)),
        _mm512_set1_epi16((short)one),
        _mm512_set1_epi16((short)(one << 8)),
        top,
        _mm_cvtsi32_si128(16 - 2 * bits),
        _mm_cvtsi32_si128(8 - bits),
    };
    const __mmask8 words = (__mmask8)((1u << bits) - 1);
    size_t i = 0;
    for (; i + 64 <= n; i += 64, packed += 8 * bits) {
        prefetch_at(packed, AHEAD);
        __m512i v = _mm512_maskz_loadu_epi64(words, packed);
        _mm512_storeu_si512(codes + i, unpack(&u, v));
    }
    if (i == n) return;
    size_t left = n - i, bytes = (left * (size_t)bits + 7) / 8;
    __m512i rest = _mm512_maskz_loadu_epi8(first_bytes(bytes), packed);
    _mm512_mask_storeu_epi8(codes + i, first_bytes(left), unpack(&u, rest));
}

void qnt__unpack_codes_avx512vnni(const uint8_t *packed, size_t n, int bits, int sign,
                                  uint8_t *codes)
{
    const __m512i top = _mm512_set1_epi8((char)(sign ? 1 << (bits - 1) : 0));
    size_t i = 0;
    if (bits == 4) {
        for (; i + 128 <= n; i += 128, packed += 64) unpack_4(top, packed, codes + i);
    } else if (bits == 2) {
        for (; i + 256 <= n; i += 256, packed += 64) unpack_2(top, packed, codes + i);
    }
    if (i < n) unpack_any(packed, n - i, bits, top, codes + i);
}
