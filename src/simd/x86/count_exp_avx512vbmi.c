/* Bit planes by VPMOVB2M, exponent sums counted with VPOPCNTQ. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { LOW_BITS = 4, SLICED_WORDS = 4, LANES = 1 << LOW_BITS, MOST_SETS = 256 };
typedef __m512i vec;

INLINE vec count(vec acc, vec x)
{
    return _mm512_add_epi64(acc, _mm512_popcnt_epi64(x));
}

/* Four counters, below 2^16 in each lane, side by side in it. */
INLINE __m512i join(const vec *acc)
{
    __m512i low = _mm512_or_si512(acc[0], _mm512_slli_epi64(acc[1], 16));
    __m512i high = _mm512_or_si512(acc[2], _mm512_slli_epi64(acc[3], 16));
    return _mm512_or_si512(low, _mm512_slli_epi64(high, 32));
}

/* Neighbouring lanes hold partial sums of x and of y. */
INLINE __m512i add_pairs(__m512i x, __m512i y)
{
    return _mm512_add_epi64(_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y));
}

/* n = 4, 8 or 16, all 16 stored: a masked store is not forwarded to the load that follows it. */
INLINE void totals(const vec *acc, int n, int32_t *out)
{
    __m512i low = join(acc), high = n > 4 ? join(acc + 4) : low;
    __m512i first = add_pairs(low, high);
    __m512i second = n > 8 ? add_pairs(join(acc + 8), join(acc + 12)) : first;
    __m512i sum = _mm512_add_epi64(_mm512_shuffle_i64x2(first, second, 0x88),
                                   _mm512_shuffle_i64x2(first, second, 0xdd));
    sum = _mm512_add_epi64(sum, _mm512_shuffle_i64x2(sum, sum, 0xb1));
    sum = _mm512_shuffle_i64x2(sum, sum, 0x88); /* 128 bits of each pair */
    sum = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(sum));
    _mm512_store_si512(out, sum);
}

/* Sums in lanes of which a bit of the number is clear, differences in the others. */
INLINE __m512i butterfly(__m512i x, __m512i other, unsigned others)
{
    return _mm512_mask_sub_epi32(_mm512_add_epi32(x, other), (__mmask16)others, other, x);
}

/* Walsh-Hadamard of the first 2^bits lanes, at most of all 16. */
INLINE __m512i transform_lanes(__m512i x, int bits)
{
    x = butterfly(x, _mm512_shuffle_epi32(x, 0xb1), 0xaaaa);
    x = butterfly(x, _mm512_shuffle_epi32(x, 0x4e), 0xcccc);
    if (bits > 2) x = butterfly(x, _mm512_shuffle_i32x4(x, x, 0xb1), 0xf0f0);
    if (bits > 3) x = butterfly(x, _mm512_shuffle_i32x4(x, x, 0x4e), 0xff00);
    return x;
}

/* Subtracts n <= 16 of numbers from counters, and returns what was subtracted. */
INLINE __m512i subtract(__m512i found, int n, int32_t *counts)
{
    const __mmask16 some = (__mmask16)((1u << n) - 1);
    __m512i left = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(some, counts), found);
    _mm512_mask_storeu_epi32(counts, some, left);
    return _mm512_maskz_mov_epi32(some, found);
}

/* See tally: odd[S] = P[S] for sets of `bits` planes becomes counts, which are whole. */
static void settle(const int32_t *odd, int bits, int first, int values, int32_t *counts, int32_t *all)
{
    const int vectors = bits > LOW_BITS ? 1 << (bits - LOW_BITS) : 1, end = first + values;
    const __m128i shift = _mm_cvtsi32_si128(bits - 1);
    const __m512i zero = _mm512_setzero_si512();
    __m512i x[MOST_SETS / LANES], sum;
    int v = 0;
    do {
        x[v] = transform_lanes(_mm512_load_si512(odd + v * LANES), bits);
    } while (++v < vectors);
    for (int half = 1; half < vectors; half *= 2) {
        for (int i = 0; i < vectors; i++) {
            if (i & half) continue;
            __m512i low = x[i], high = x[i + half];
            x[i] = _mm512_add_epi32(low, high);
            x[i + half] = _mm512_sub_epi32(low, high);
        }
    }
    x[0] = _mm512_sra_epi32(x[0], shift);
    sum = first == 1 ? _mm512_alignr_epi32(zero, x[0], 1) : _mm512_alignr_epi32(zero, x[0], 2);
    sum = subtract(sum, end < LANES ? values : LANES - first, counts);
    for (v = 1; v < vectors; v++) {
        const int before = v * LANES, n = end - before < LANES ? end - before : LANES;
        x[v] = _mm512_sra_epi32(x[v], shift);
        sum = _mm512_add_epi32(sum, subtract(x[v], n, counts + before - first));
    }
    if (all) *all -= _mm512_reduce_add_epi32(sum);
}

/* Bits go to the top of their bytes one after the other. What a byte gets from its neighbour as words of
 * two bytes are shifted stays below. */
INLINE void slice_words(const uint8_t *codes, int count, int bits, uint64_t *planes, size_t words)
{
    __m512i x[SLICED_WORDS];
    UNROLL for (int w = 0; w < count; w++)
    {
        x[w] = _mm512_sll_epi16(_mm512_loadu_si512(codes + 64 * w), _mm_cvtsi32_si128(8 - bits));
    }
    for (int p = bits - 1; p >= 0; p--) {
        UNROLL for (int w = 0; w < count; w++)
        {
            planes[(size_t)p * words + (size_t)w] = _mm512_movepi8_mask(x[w]);
            x[w] = _mm512_add_epi8(x[w], x[w]);
        }
    }
}

#include "../slices.h"

void qnt__slice_codes_avx512vbmi(const uint8_t *codes, size_t n, int bits, uint64_t *planes,
                                 size_t words)
{
    slice_all(codes, n, bits, planes, words);
}

void qnt__count_exp_avx512vbmi(const struct qnt__count_exp *c)
{
    count_slices(c);
}
