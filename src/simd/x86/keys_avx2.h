/*
 * Ranks among up to 15 thresholds by bytes, 32 at a time.
 *
 * A float has a key of 16 bits, x times a pace rounded to an integer, clamped. Keys never fall as x grows,
 * so x is above the thresholds with smaller keys and not above those with larger ones. Thresholds may share
 * a key, as those next to 0 do where levels are powers. If other keys have different high bytes, a binary
 * search of bytes finds how many keys are smaller by these; one more is, if it has the same high byte and a
 * smaller low one. Where both are the same, and where a float has no key, floats have to be compared.
 */
#ifndef QNT__SIMD_X86_KEYS_AVX2_H
#define QNT__SIMD_X86_KEYS_AVX2_H

#include <math.h>
#include <string.h>

#include "../slots.h"
#include "codes_avx2.h"

struct keys {
    __m256 pace;
    __m256i probe[4];  /* high bytes that a step of the search meets, by the number that it has found */
    __m256i high, low; /* by that number, of the smallest key that is not below; low bytes less 128 */
    __m256i rank;      /* by the number of keys below: of thresholds */
};

/* `of` in both lanes, in the order of `from`. */
INLINE __m256i table_of(const int8_t of[16], __m128i from)
{
    __m128i bytes = _mm_loadu_si128((const void *)of);
    return _mm256_broadcastsi128_si256(_mm_shuffle_epi8(bytes, from));
}

/* False if two keys have the same high byte, or if thresholds are not of a size that keys can have. The
 * last of 16 and all that follow the largest threshold are +inf. */
static bool make_keys(const float value[16], struct keys *k)
{
    enum { MOST = 32000 }; /* high bytes are inside of -128 and 127, which no threshold has */
    int8_t probe[16], high[16], low[16], rank[16] = {0};
    int count = 0, different = 0, last = 0;
    while (value[count] < INFINITY) count++;
    if (count == 0) return false;
    const float most = -value[0] > value[count - 1] ? -value[0] : value[count - 1];
    if (!(most >= 0x1p-100f && most <= 0x1p100f)) return false;
    const float pace = MOST / most;
    memset(probe, 127, sizeof probe), memset(high, -128, sizeof high), memset(low, -128, sizeof low);
    for (int i = 0; i < count; i++) {
        const int key = _mm_cvtss_si32(_mm_set_ss(value[i] * pace));
        if (different == 0 || key != last) {
            if (different > 0 && key >> 8 == last >> 8) return false;
            probe[different] = high[different] = (int8_t)(key >> 8);
            low[different++] = (int8_t)((key & 255) - 128);
            last = key;
        }
        rank[different] = (int8_t)(i + 1);
    }
    const __m128i same = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    k->pace = _mm256_set1_ps(pace);
    k->probe[0] = table_of(probe, _mm_set1_epi8(7));
    k->probe[1] = table_of(probe, _mm_setr_epi8(3, 11, 3, 11, 3, 11, 3, 11, 3, 11, 3, 11, 3, 11, 3, 11));
    k->probe[2] = table_of(probe, _mm_setr_epi8(1, 5, 9, 13, 1, 5, 9, 13, 1, 5, 9, 13, 1, 5, 9, 13));
    k->probe[3] = table_of(probe, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14));
    k->high = table_of(high, same), k->low = table_of(low, same), k->rank = table_of(rank, same);
    return true;
}

/* False if there is a doubt. */
INLINE bool rank_32(const struct keys *k, const float *x, uint8_t *ranks)
{
    const __m256i byte = _mm256_set1_epi16(255), none = _mm256_set1_epi32(INT32_MIN);
    __m256i key[4];
    prefetch_32(x, QNT__AHEAD);
    UNROLL for (int i = 0; i < 4; i++) {
        key[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), k->pace));
    }
    __m256i least = _mm256_min_epi32(_mm256_min_epi32(key[0], key[1]), _mm256_min_epi32(key[2], key[3]));
    __m256i a = _mm256_packs_epi32(key[0], key[1]), b = _mm256_packs_epi32(key[2], key[3]);
    __m256i high = _mm256_packs_epi16(_mm256_srai_epi16(a, 8), _mm256_srai_epi16(b, 8));
    __m256i low = _mm256_packus_epi16(_mm256_and_si256(a, byte), _mm256_and_si256(b, byte));
    low = _mm256_xor_si256(low, _mm256_set1_epi8(-128));

    __m256i below = _mm256_abs_epi8(_mm256_cmpgt_epi8(high, k->probe[0])); /* keys */
    UNROLL for (int s = 1; s < 4; s++) {
        __m256i above = _mm256_cmpgt_epi8(high, _mm256_shuffle_epi8(k->probe[s], below));
        below = _mm256_sub_epi8(_mm256_add_epi8(below, below), above);
    }
    __m256i same = _mm256_cmpeq_epi8(high, _mm256_shuffle_epi8(k->high, below));
    __m256i next = _mm256_shuffle_epi8(k->low, below);
    below = _mm256_sub_epi8(below, _mm256_and_si256(same, _mm256_cmpgt_epi8(low, next)));
    put_32(ranks, order_bytes(_mm256_shuffle_epi8(k->rank, below)), false);
    same = _mm256_and_si256(same, _mm256_cmpeq_epi8(low, next));
    same = _mm256_or_si256(same, _mm256_cmpeq_epi32(least, none));
    return __builtin_expect(!_mm256_movemask_epi8(same), 1);
}

#endif
