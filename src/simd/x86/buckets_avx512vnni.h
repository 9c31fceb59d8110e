/*
 * Ranks among up to 15 thresholds by looking up instead of searching: a float has a bucket, a bucket
 * has the rank of what lies before it and at most one threshold, and one comparison decides.
 *
 * Buckets are 32 of equal width, or 16 for each sign of equal width on the scale of the bits, that
 * is 2^0, 2^1, 2^2... to an octave. Both functions never fall as x grows (the latter for each sign
 * alone), whatever they round; so x is above all thresholds of earlier buckets and not above those
 * of later ones.
 */
#ifndef QNT__SIMD_X86_BUCKETS_AVX512VNNI_H
#define QNT__SIMD_X86_BUCKETS_AVX512VNNI_H

#include <math.h>

#include "../slots.h"
#include "codes_avx512vnni.h"

enum { BUCKETS = 32 };

struct buckets {
    bool octaves;
    __m512 begin, pace;          /* equal width: bucket = (x - begin) pace */
    __m512i shift, first;        /* octaves: bucket = (magnitude >> shift) - first */
    __m512 threshold[2];         /* of each bucket, +inf if there is none */
    __m512i rank[2];             /* the number of thresholds in earlier buckets */
    __m512i nan;
};

INLINE __m512i bucket_even(const struct buckets *b, __m512 x)
{
    const __m512 last = _mm512_set1_ps(BUCKETS - 1);
    __m512 at = _mm512_mul_ps(_mm512_sub_ps(x, b->begin), b->pace);
    return _mm512_cvttps_epi32(_mm512_min_ps(_mm512_max_ps(at, _mm512_setzero_ps()), last));
}

/* The sign is bit 4; shifted magnitudes have 16 bits at most. */
INLINE __m512i bucket_octaves(const struct buckets *b, __m512 x)
{
    enum { SIGN_OF_B_AND_C_OR_A = 0xf8 };
    const __m512i bits = _mm512_castps_si512(x);
    __m512i at = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    at = _mm512_subs_epu16(_mm512_srlv_epi32(at, b->shift), b->first);
    at = _mm512_min_epu32(at, _mm512_set1_epi32(BUCKETS / 2 - 1));
    return _mm512_ternarylogic_epi32(at, _mm512_srli_epi32(bits, 27),
                                     _mm512_set1_epi32(BUCKETS / 2), SIGN_OF_B_AND_C_OR_A);
}

INLINE __m512i bucket_of(const struct buckets *b, __m512 x, bool octaves)
{
    return octaves ? bucket_octaves(b, x) : bucket_even(b, x);
}

/* ---- making them ---- */

/* Bucket k in ascending order of what it holds. */
static int in_order(const struct buckets *b, int k)
{
    if (!b->octaves) return k;
    return k < BUCKETS / 2 ? BUCKETS - 1 - k : k - BUCKETS / 2;
}

/* Fills the tables; false if a bucket would have two of the thresholds. */
static bool fill_buckets(struct buckets *b, const float value[16], int count)
{
    float threshold[BUCKETS];
    int32_t rank[BUCKETS], bucket[16];
    int next = 0;
    _mm512_storeu_si512(bucket, bucket_of(b, _mm512_loadu_ps(value), b->octaves));
    for (int i = 1; i < count; i++) {
        if (bucket[i] == bucket[i - 1]) return false;
    }
    for (int k = 0; k < BUCKETS; k++) {
        int at = in_order(b, k);
        bool has = next < count && bucket[next] == at;
        rank[at] = next;
        threshold[at] = has ? value[next] : INFINITY;
        next += has;
    }
    for (int half = 0; half < 2; half++) {
        b->threshold[half] = _mm512_loadu_ps(threshold + 16 * half);
        b->rank[half] = _mm512_loadu_si512(rank + 16 * half);
    }
    return next == count;
}

/* Octaves and up to 2^6 parts of them, such that the largest magnitude is in the last bucket. */
static bool try_octaves(struct buckets *b, const float value[16], int count)
{
    const float most = -value[0] > value[count - 1] ? -value[0] : value[count - 1];
    const int32_t bits = _mm_cvtsi128_si32(_mm_castps_si128(_mm_set_ss(most)));
    b->octaves = true;
    for (int shift = 23; shift >= 17; shift--) {
        int32_t first = (bits >> shift) - (BUCKETS / 2 - 1);
        b->shift = _mm512_set1_epi32(shift);
        b->first = _mm512_set1_epi32(first > 0 ? first : 0);
        if (fill_buckets(b, value, count)) return true;
    }
    return false;
}

static bool try_even(struct buckets *b, const float value[16], int count)
{
    b->octaves = false;
    b->begin = _mm512_set1_ps(value[0]);
    b->pace = _mm512_set1_ps((BUCKETS - 1) / (value[count - 1] - value[0]));
    return fill_buckets(b, value, count);
}

/* False if no function keeps the thresholds apart. At most 15. */
static bool make_buckets(const struct qnt__thresholds *t, struct buckets *b)
{
    float value[16] = {0};
    int count = 0, all = (1 << t->steps) - 1;
    for (; count < all && t->value[count] < INFINITY; count++) {
        value[count] = t->value[count] + 0.0f; /* no -0, which has another bucket than +0 */
    }
    b->nan = _mm512_set1_epi32(t->nan);
    return count > 0 && value[0] > -INFINITY &&
           (try_even(b, value, count) || try_octaves(b, value, count));
}

/* ---- using them ---- */

INLINE __m512i rank_16(const struct buckets *b, __m512 x, bool octaves)
{
    const __m512i at = bucket_of(b, x, octaves);
    __m512 threshold = _mm512_permutex2var_ps(b->threshold[0], at, b->threshold[1]);
    __m512i rank = _mm512_permutex2var_epi32(b->rank[0], at, b->rank[1]);
    __mmask16 above = _mm512_cmp_ps_mask(x, threshold, _CMP_GT_OQ);
    return _mm512_mask_add_epi32(rank, above, rank, _mm512_set1_epi32(1));
}

INLINE __m512i without_nan(const struct buckets *b, __m512 x, __m512i rank)
{
    return _mm512_mask_mov_epi32(rank, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), b->nan);
}

INLINE void rank_all_by(const struct buckets *b, const float *x, size_t n, uint8_t *ranks,
                        bool octaves)
{
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512 v[4];
        __m512i rank[4];
        UNROLL for (int k = 0; k < 4; k++) {
            prefetch(x + i + 16 * k);
            v[k] = _mm512_loadu_ps(x + i + 16 * k);
            rank[k] = rank_16(b, v[k], octaves);
        }
        __mmask16 nan = _mm512_cmp_ps_mask(v[0], v[1], _CMP_UNORD_Q) |
                        _mm512_cmp_ps_mask(v[2], v[3], _CMP_UNORD_Q);
        if (__builtin_expect(nan, 0)) {
            UNROLL for (int k = 0; k < 4; k++) rank[k] = without_nan(b, v[k], rank[k]);
        }
        _mm512_storeu_si512(ranks + i, join_bytes(rank[0], rank[1], rank[2], rank[3]));
    }
    for (; i < n; i += 16) {
        const __mmask16 some = first_lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(some, x + i);
        __m512i rank = without_nan(b, v, rank_16(b, v, octaves));
        _mm512_mask_cvtepi32_storeu_epi8(ranks + i, some, rank);
    }
}

static void rank_by_buckets(const struct buckets *b, const float *x, size_t n, uint8_t *ranks)
{
    const struct buckets copy = *b; /* no store can change it */
    if (copy.octaves) rank_all_by(&copy, x, n, ranks, true);
    else rank_all_by(&copy, x, n, ranks, false);
}

#endif
