/*
 * Ranks among up to 15 thresholds by bytes, 32 at a time.
 *
 * A float has a key of 16 bits, x times a pace rounded to an integer, clamped. Keys never fall as x grows,
 * so x is above the thresholds with smaller keys and not above those with larger ones. Where both are the
 * same, and where a float has no key, floats have to be compared. Thresholds may share a key, as those next
 * to 0 do where levels are powers; below, keys are those that differ.
 *
 * The one key that is worth comparing with is found by the top of the float's. If no two keys have the same
 * 4 bits there, these are its place; so it is where levels are even, if need be after a number has been
 * added to all keys. Otherwise, if no two have the same high byte, the place is how many have smaller ones:
 * those with smaller tops and, of two with the same top, the first; the second is left to be compared with.
 * Where more have the same top, a binary search of bytes finds how many.
 */
#ifndef QNT__SIMD_X86_KEYS_AVX2_H
#define QNT__SIMD_X86_KEYS_AVX2_H

#include <math.h>
#include <string.h>

#include "../slots.h"
#include "codes_avx2.h"

enum by { BY_TOP, BY_SHIFTED_TOP, BY_SPLIT, BY_SEARCH }; /* the slower, the more serve */

struct keys {
    __m256 pace;
    enum by by;
    __m256i shift;     /* what is added to keys */
    __m256i probe[4];  /* high bytes that a step of the search meets, by the number that it has found */
    __m256i split, smaller; /* by top: high byte of the first of two keys; how many have smaller tops */
    __m256i low, high; /* by place, bytes of the key to compare with */
    __m256i below;     /* by place, how many keys are below if that one is not */
    __m256i code;      /* by how many keys are below */
};

/* What 32 floats left to be told, 0 in a byte of `apart` or INT32_MIN in `least`. */
struct doubt {
    __m256i apart, least;
};

#define SAME _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* `of` in both lanes, in the order of `from`. */
INLINE __m256i table_of(const int8_t of[16], __m128i from)
{
    __m128i bytes = _mm_loadu_si128((const void *)of);
    return _mm256_broadcastsi128_si256(_mm_shuffle_epi8(bytes, from));
}

/* A place: the key to compare with, and how many are below if that one is not. */
struct place {
    int key, below;
};

/* Place `number` of a search; there is none to compare with where all are below. */
INLINE struct place place_of_search(const int16_t key[15], int count, int number)
{
    return number < count ? (struct place){key[number], number} : (struct place){INT16_MIN, count - 1};
}

/* The place of keys with these 4 bits. Where there is none to compare with, keys are above one that is just
 * too small for the place; in the lowest place, which has none, below one just too large. */
INLINE struct place place_of_top(const int16_t key[15], int count, int top)
{
    int below = 0;
    while (below < count && key[below] >> 12 < top) below++;
    if (below < count && key[below] >> 12 == top) return (struct place){key[below], below};
    return top == -8 ? (struct place){-7 * 4096, 0} : (struct place){top * 4096 - 1, below - 1};
}

INLINE void make_places(const int16_t key[15], int count, struct keys *k)
{
    int8_t low[16], high[16], below[16];
    for (int i = 0; i < 16; i++) {
        const struct place p = k->by <= BY_SHIFTED_TOP ? place_of_top(key, count, i < 8 ? i : i - 16)
                                                       : place_of_search(key, count, i);
        low[i] = (int8_t)(p.key & 255), high[i] = (int8_t)(p.key >> 8), below[i] = (int8_t)p.below;
    }
    k->low = table_of(low, SAME), k->high = table_of(high, SAME), k->below = table_of(below, SAME);
}

INLINE void make_probes(const int16_t key[15], int count, struct keys *k)
{
    int8_t high[16];
    for (int i = 0; i < 16; i++) high[i] = (int8_t)(i < count ? key[i] >> 8 : 127);
    k->probe[0] = table_of(high, _mm_set1_epi8(7));
    k->probe[1] = table_of(high, _mm_setr_epi8(3, 11, 3, 11, 3, 11, 3, 11, 3, 11, 3, 11, 3, 11, 3, 11));
    k->probe[2] = table_of(high, _mm_setr_epi8(1, 5, 9, 13, 1, 5, 9, 13, 1, 5, 9, 13, 1, 5, 9, 13));
    k->probe[3] = table_of(high, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14));
}

INLINE void make_splits(const int16_t key[15], int count, struct keys *k)
{
    int8_t split[16], smaller[16];
    for (int i = 0; i < 16; i++) {
        const int top = i < 8 ? i : i - 16;
        int first = 0;
        while (first < count && key[first] >> 12 < top) first++;
        const bool two = first + 1 < count && key[first + 1] >> 12 == top;
        split[i] = (int8_t)(two ? key[first] >> 8 : 127), smaller[i] = (int8_t)first;
    }
    k->split = table_of(split, SAME), k->smaller = table_of(smaller, SAME);
}

INLINE bool have_high_bytes(const int16_t key[15], int count)
{
    for (int i = 1; i < count; i++) {
        if (key[i] >> 8 == key[i - 1] >> 8) return false;
    }
    return true;
}

/* The most keys that have the same top after so much has been added. */
INLINE int most_of_a_top(const int16_t key[15], int count, int shift)
{
    int most = 1;
    for (int i = 1, same = 1; i < count; i++) {
        same = (key[i] + shift) >> 12 == (key[i - 1] + shift) >> 12 ? same + 1 : 1;
        most = same > most ? same : most;
    }
    return most;
}

/* The fastest way, and what to add to the keys for it. */
INLINE enum by choose(const int16_t key[15], int count, int *shift)
{
    enum { STEP = 256, MOST = 2048 };
    const int most = most_of_a_top(key, count, *shift = 0);
    if (most == 1) return BY_TOP;
    for (*shift = STEP; *shift <= MOST; *shift += STEP) {
        if (most_of_a_top(key, count, *shift) == 1) return BY_SHIFTED_TOP;
        if (most_of_a_top(key, count, -*shift) == 1) {
            *shift = -*shift;
            return BY_SHIFTED_TOP;
        }
    }
    *shift = 0;
    return most == 2 ? BY_SPLIT : BY_SEARCH;
}

/* False if two keys have the same high byte, or if thresholds are not of a size that keys can have. The
 * last of 16 and all that follow the largest threshold are +inf. */
static bool make_keys(const float value[16], const uint8_t code[16], struct keys *k)
{
    enum { MOST = 30500 }; /* with any shift high bytes are inside of -128 and 127, which none has */
    int16_t key[15];
    int8_t codes[16] = {0};
    int thresholds = 0, count = 0;
    while (value[thresholds] < INFINITY) thresholds++;
    if (thresholds == 0) return false;
    const float most = -value[0] > value[thresholds - 1] ? -value[0] : value[thresholds - 1];
    if (!(most >= 0x1p-100f && most <= 0x1p100f)) return false;
    const float pace = MOST / most;
    codes[0] = (int8_t)code[0];
    for (int i = 0; i < thresholds; i++) {
        const int next = _mm_cvtss_si32(_mm_set_ss(value[i] * pace));
        if (count == 0 || next != key[count - 1]) key[count++] = (int16_t)next;
        codes[count] = (int8_t)code[i + 1];
    }
    if (!have_high_bytes(key, count)) return false;
    int shift;
    k->by = choose(key, count, &shift);
    for (int i = 0; i < count; i++) key[i] = (int16_t)(key[i] + shift);
    k->pace = _mm256_set1_ps(pace), k->shift = _mm256_set1_epi16((short)shift);
    k->code = table_of(codes, SAME);
    make_splits(key, count, k);
    if (k->by == BY_SEARCH) make_probes(key, count, k);
    make_places(key, count, k);
    return true;
}

/* Every `stride`-th of the thresholds, then +inf. */
INLINE void load_few(const struct qnt__thresholds *t, unsigned stride, float few[16])
{
    for (unsigned i = 0; i < 16; i++) {
        const unsigned at = (i + 1) * stride - 1;
        few[i] = at < (1u << t->steps) - 1 ? t->value[at] : INFINITY;
    }
}

/* Are so many floats worth making keys, and do the thresholds have some? */
static bool open_keys(const struct qnt__thresholds *t, size_t n, const uint8_t code[16], struct keys *k)
{
    enum { LONG = 512, STEPS = 4 };
    float few[16];
    if (n < LONG || t->steps > STEPS) return false;
    load_few(t, 1, few);
    return make_keys(few, code, k);
}

INLINE __m256i find_places(const struct keys *k, enum by by, __m256i a, __m256i b)
{
    if (by <= BY_SHIFTED_TOP)
        return _mm256_packus_epi16(_mm256_srli_epi16(a, 12), _mm256_srli_epi16(b, 12));
    __m256i high = _mm256_packs_epi16(_mm256_srai_epi16(a, 8), _mm256_srai_epi16(b, 8));
    if (by == BY_SPLIT) {
        __m256i top = _mm256_and_si256(_mm256_srli_epi16(high, 4), _mm256_set1_epi8(15));
        __m256i above = _mm256_cmpgt_epi8(high, _mm256_shuffle_epi8(k->split, top));
        return _mm256_sub_epi8(_mm256_shuffle_epi8(k->smaller, top), above);
    }
    __m256i place = _mm256_abs_epi8(_mm256_cmpgt_epi8(high, k->probe[0]));
    UNROLL for (int s = 1; s < 4; s++) {
        __m256i above = _mm256_cmpgt_epi8(high, _mm256_shuffle_epi8(k->probe[s], place));
        place = _mm256_sub_epi8(_mm256_add_epi8(place, place), above);
    }
    return place;
}

/* The codes of 32 floats, lane by lane as packing twice leaves them. */
INLINE __m256i codes_by_keys(const struct keys *k, enum by by, const float *x, struct doubt *doubt)
{
    __m256i key[4];
    prefetch_32(x, QNT__AHEAD);
    UNROLL for (int i = 0; i < 4; i++) {
        key[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), k->pace));
    }
    doubt->least = _mm256_min_epi32(_mm256_min_epi32(key[0], key[1]), _mm256_min_epi32(key[2], key[3]));
    __m256i a = _mm256_packs_epi32(key[0], key[1]), b = _mm256_packs_epi32(key[2], key[3]);
    if (by == BY_SHIFTED_TOP) a = _mm256_adds_epi16(a, k->shift), b = _mm256_adds_epi16(b, k->shift);
    __m256i place = find_places(k, by, a, b);
    __m256i low = _mm256_shuffle_epi8(k->low, place), high = _mm256_shuffle_epi8(k->high, place);
    a = _mm256_subs_epi16(a, _mm256_unpacklo_epi8(low, high));
    b = _mm256_subs_epi16(b, _mm256_unpackhi_epi8(low, high));
    doubt->apart = _mm256_packs_epi16(a, b);
    __m256i above = _mm256_cmpgt_epi8(doubt->apart, _mm256_setzero_si256());
    return _mm256_shuffle_epi8(k->code, _mm256_sub_epi8(_mm256_shuffle_epi8(k->below, place), above));
}

INLINE struct doubt either(struct doubt a, struct doubt b)
{
    return (struct doubt){_mm256_min_epu8(a.apart, b.apart), _mm256_min_epi32(a.least, b.least)};
}

INLINE bool is_certain(struct doubt d)
{
    __m256i any = _mm256_or_si256(_mm256_cmpeq_epi8(d.apart, _mm256_setzero_si256()),
                                  _mm256_cmpeq_epi32(d.least, _mm256_set1_epi32(INT32_MIN)));
    return __builtin_expect(!_mm256_movemask_epi8(any), 1);
}

#endif
