/* Three digits in a byte, or six, and sums over them, 64 bytes at a time; the sum of a byte's
 * digits is looked up. */
#include <immintrin.h>

#include "../lowbit_products.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

/* The product with three ones is the sum. */
static const uint8_t sums[64] __attribute__((aligned(64))) = PRODUCTS_64(21);

INLINE __mmask64 first(size_t n)
{
    return n < 64 ? ((__mmask64)1 << n) - 1 : ~(__mmask64)0;
}

/* Up to 16, 32 and 64 triples at a time: a vector that is no longer than it must be crosses fewer lines. */
INLINE void pack_16(const uint8_t *codes, size_t triples, __mmask16 some, uint8_t *to)
{
    const __m128i a = _mm_maskz_loadu_epi8(some, codes),
                  b = _mm_maskz_loadu_epi8(some, codes + triples),
                  c = _mm_maskz_loadu_epi8(some, codes + 2 * triples);
    _mm_mask_storeu_epi8(
        to, some, _mm_or_si128(_mm_or_si128(a, _mm_slli_epi16(b, 2)), _mm_slli_epi16(c, 4)));
}

INLINE void pack_32(const uint8_t *codes, size_t triples, __mmask32 some, uint8_t *to)
{
    const __m256i a = _mm256_maskz_loadu_epi8(some, codes),
                  b = _mm256_maskz_loadu_epi8(some, codes + triples),
                  c = _mm256_maskz_loadu_epi8(some, codes + 2 * triples);
    _mm256_mask_storeu_epi8(
        to, some,
        _mm256_or_si256(_mm256_or_si256(a, _mm256_slli_epi16(b, 2)), _mm256_slli_epi16(c, 4)));
}

INLINE void pack_64(const uint8_t *codes, size_t triples, __mmask64 some, uint8_t *to)
{
    const __m512i a = _mm512_maskz_loadu_epi8(some, codes),
                  b = _mm512_maskz_loadu_epi8(some, codes + triples),
                  c = _mm512_maskz_loadu_epi8(some, codes + 2 * triples);
    _mm512_mask_storeu_epi8(
        to, some,
        _mm512_or_si512(_mm512_or_si512(a, _mm512_slli_epi16(b, 2)), _mm512_slli_epi16(c, 4)));
}

void qnt__pack_lowbit_avx512vbmi(const uint8_t *codes, size_t step, size_t n, size_t triples,
                                 uint8_t *to, size_t to_step)
{
    const __mmask64 some = first(triples);
    for (size_t i = 0; i < n; i++, codes += step, to += to_step) {
        if (triples <= 16)
            pack_16(codes, triples, (__mmask16)some, to);
        else if (triples <= 32)
            pack_32(codes, triples, (__mmask32)some, to);
        else
            for (size_t t = 0; t < triples; t += 64)
                pack_64(codes + t, triples, first(triples - t), to + t);
    }
}

void qnt__digits_lowbit_avx512vbmi(const uint8_t *x, size_t n, size_t step, size_t triples,
                                   int32_t *sum)
{
    const __m512i table = _mm512_load_si512(sums), none = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i++, x += step) {
        __m512i all = none;
        for (size_t t = 0; t < triples; t += 64) {
            __m512i bytes = _mm512_maskz_loadu_epi8(first(triples - t), x + t);
            __m512i part = _mm512_permutexvar_epi8(bytes, table);
            all = _mm512_add_epi64(all, _mm512_sad_epu8(part, none));
        }
        sum[i] = (int32_t)_mm512_reduce_add_epi64(all);
    }
}

/*
 * Lanes whose digits VPERMB brings to their place, as bytes, and VPMULTISHIFTQB to bit 0; `some` have
 * one, `all` are written.
 */
struct part {
    __m512i byte, shift;
    __mmask64 some, all;
};

INLINE __m512i lanes_0_to_63(void)
{
    return _mm512_add_epi8(_mm512_set1_epi64(0x0706050403020100),
                           _mm512_set_epi64(0x3838383838383838, 0x3030303030303030,
                                            0x2828282828282828, 0x2020202020202020,
                                            0x1818181818181818, 0x1010101010101010,
                                            0x0808080808080808, 0));
}

/* Lanes from the one of channel `channel` on, where lane 0 has channel `start`. */
INLINE __mmask64 behind(size_t channel, ptrdiff_t start)
{
    const ptrdiff_t lane = (ptrdiff_t)channel - start;
    return lane <= 0 ? ~(__mmask64)0 : ~first((size_t)lane);
}

INLINE struct part find_part(ptrdiff_t start, size_t channels, size_t triples, size_t to_step)
{
    const __m512i lane = lanes_0_to_63(), less = _mm512_set1_epi8((char)(0 - triples));
    const __m512i two = _mm512_set1_epi8(2);
    const __mmask64 second = behind(triples, start), third = behind(2 * triples, start);
    struct part p = {.some = ~behind(channels, start), .all = ~behind(to_step, start)};
    __m512i byte = _mm512_add_epi8(lane, _mm512_set1_epi8((char)start));
    __m512i shift = _mm512_slli_epi16(_mm512_and_si512(lane, _mm512_set1_epi8(7)), 3);
    byte = _mm512_mask_add_epi8(byte, second, byte, less);
    shift = _mm512_mask_add_epi8(shift, second, shift, two);
    p.byte = _mm512_mask_add_epi8(byte, third, byte, less);
    p.shift = _mm512_mask_add_epi8(shift, third, shift, two);
    return p;
}

/* Two short runs, one behind the other. */
INLINE struct part find_two(size_t channels, size_t triples, size_t to_step)
{
    struct part a = find_part(0, channels, triples, to_step),
                b = find_part(-(ptrdiff_t)to_step, channels, triples, to_step);
    const __mmask64 next = ~a.all;
    b.byte = _mm512_add_epi8(b.byte, _mm512_set1_epi8((char)triples));
    return (struct part){.byte = _mm512_mask_mov_epi8(a.byte, next, b.byte),
                         .shift = _mm512_mask_mov_epi8(a.shift, next, b.shift),
                         .some = (a.some & ~next) | (b.some & next),
                         .all = first(2 * to_step)};
}

INLINE void unpack_part(const struct part *p, __m512i bytes, uint8_t *to)
{
    const __m512i digit = _mm512_maskz_set1_epi8(p->some, 3);
    _mm512_mask_storeu_epi8(to, p->all,
                            _mm512_and_si512(_mm512_multishift_epi64_epi8(p->shift, bytes), digit));
}

/* n runs of up to 64 triples, in a known number of parts. Lines of cache that take one run each are fetched
 * to be written, as they lie in the second cache. */
INLINE void unpack_short(const struct part *part, size_t parts, const uint8_t *x, size_t n,
                         size_t triples, uint8_t *to, size_t to_step)
{
    enum { AHEAD = 8 };
    const __mmask64 low = first(triples);
    for (size_t i = 0; i < n; i++, x += triples, to += to_step) {
        const __m512i bytes = _mm512_maskz_loadu_epi8(low, x);
        if (parts == 1) __builtin_prefetch(i + AHEAD < n ? to + AHEAD * to_step : to, 1);
        for (size_t p = 0; p < parts; p++)
            unpack_part(&part[p], _mm512_permutexvar_epi8(part[p].byte, bytes), to + 64 * p);
    }
}

/* And of up to 128. */
INLINE void unpack_long(const struct part *part, size_t parts, const uint8_t *x, size_t n,
                        size_t triples, uint8_t *to, size_t to_step)
{
    const __mmask64 high = first(triples - 64);
    for (size_t i = 0; i < n; i++, x += triples, to += to_step) {
        const __m512i a = _mm512_loadu_si512(x), b = _mm512_maskz_loadu_epi8(high, x + 64);
        for (size_t p = 0; p < parts; p++)
            unpack_part(&part[p], _mm512_permutex2var_epi8(a, part[p].byte, b), to + 64 * p);
    }
}

/* Longer ones word by word. */
void qnt__unpack_lowbit_avx512vbmi(const uint8_t *x, size_t n, size_t channels, uint8_t *to,
                                   size_t to_step)
{
    enum { MOST = 6 };
    const size_t triples = (channels + 2) / 3, parts = (to_step + 63) / 64;
    struct part part[MOST];
    if (parts > MOST || triples > 128) {
        qnt__unpack_lowbit_avx512vnni(x, n, channels, to, to_step);
        return;
    }
    if (to_step <= 32) {
        part[0] = find_two(channels, triples, to_step);
        unpack_short(part, 1, x, n / 2, 2 * triples, to, 2 * to_step);
        x += n / 2 * 2 * triples, to += n / 2 * 2 * to_step, n %= 2;
    }
    for (size_t p = 0; p < parts; p++)
        part[p] = find_part((ptrdiff_t)(64 * p), channels, triples, to_step);
    if (triples > 64)
        unpack_long(part, parts, x, n, triples, to, to_step);
    else if (parts == 1)
        unpack_short(part, 1, x, n, triples, to, to_step);
    else if (parts == 2)
        unpack_short(part, 2, x, n, triples, to, to_step);
    else
        unpack_short(part, parts, x, n, triples, to, to_step);
}

/* In a word of two triples, three bits move to bit 0 and three to bit 3. An odd one is the second
 * of a word, as if none was before it. */
INLINE __m256i join(__m512i x)
{
    const __m512i low = _mm512_set1_epi16(0x0101), middle = _mm512_set1_epi16(0x0202),
                  high = _mm512_set1_epi16(0x0404);
    __m512i w = _mm512_and_si512(x, low);
    w = _mm512_or_si512(w, _mm512_and_si512(_mm512_srli_epi16(x, 1), middle));
    w = _mm512_or_si512(w, _mm512_and_si512(_mm512_srli_epi16(x, 2), high));
    w = _mm512_or_si512(w, _mm512_srli_epi16(w, 5));
    return _mm512_cvtepi16_epi8(_mm512_and_si512(w, _mm512_set1_epi16(63)));
}

int qnt__join_lowbit_avx512vbmi(const uint8_t *x, size_t n, size_t step, size_t triples,
                                uint8_t *to, size_t to_step)
{
    const size_t whole = triples / 2 * 2;
    __m512i all = _mm512_setzero_si512();
    unsigned odd = 0;
    for (size_t i = 0; i < n; i++, x += step, to += to_step) {
        for (size_t t = 0; t < whole; t += 64) {
            __m512i part = _mm512_maskz_loadu_epi8(first(whole - t), x + t);
            all = _mm512_or_si512(all, part);
            _mm256_mask_storeu_epi8(to + t / 2, (__mmask32)first((whole - t) / 2), join(part));
        }
        if (whole == triples) continue;
        const unsigned last = x[whole];
        odd |= last;
        to[whole / 2] = qnt__lowbit_six(0, last);
    }
    return _mm512_test_epi8_mask(all, _mm512_set1_epi8(QNT__HIGH_BITS)) == 0 &&
           (odd & QNT__HIGH_BITS) == 0;
}
