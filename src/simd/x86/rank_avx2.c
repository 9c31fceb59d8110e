/*
 * Ranks among thresholds, and levels by code, with VPERMPS. Of 15 thresholds the four steps of a binary
 * search can meet 1, 2, 4 and 8, so each step has its own register of 8 entries. Larger tables are
 * searched in registers first, over every so many thresholds, then gathered. Long runs are ranked by bytes
 * where these keep thresholds apart (keys_avx2.h).
 */
#include <math.h>
#include <string.h>

#include "../pack_ranks.h"
#include "../slots.h"
#include "codes_avx2.h"
#include "pack_keys_avx2.h"

enum { IN_REGISTERS = 4 /* steps */ };

/* Entry `index` (0..15) of a table in two registers. */
INLINE __m256 look_up_16(__m256 low, __m256 high, __m256i index)
{
    __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)); /* bit 3 becomes the sign */
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index),
                            _mm256_permutevar8x32_ps(high, index), upper);
}

/* For each step the thresholds that it may meet, by the rank that the steps before have found. */
struct steps {
    __m256 of[IN_REGISTERS];
};

INLINE struct steps steps_of(const float few[15])
{
    struct steps steps;
    for (int k = 0; k < IN_REGISTERS; k++) {
        const int half = 8 >> k;
        float of[8];
        for (int i = 0; i < 8; i++) of[i] = few[(2 * (i & ((1 << k) - 1)) + 1) * half - 1];
        steps.of[k] = _mm256_loadu_ps(of);
    }
    return steps;
}

/* The rank among 15 thresholds. */
INLINE __m256i coarse(const struct steps *steps, __m256 x)
{
    __m256i rank = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int k = 0; k < IN_REGISTERS; k++) {
        __m256 probe = k ? _mm256_permutevar8x32_ps(steps->of[k], rank) : steps->of[0];
        __m256 above = _mm256_cmp_ps(x, probe, _CMP_GT_OQ); /* -1 */
        rank = _mm256_sub_epi32(_mm256_add_epi32(rank, rank), _mm256_castps_si256(above));
    }
    return rank;
}

/* The remaining `steps` steps from the rank that the coarse ones found. */
INLINE __m256i fine(const struct qnt__thresholds *t, __m256 x, __m256i rank, int steps)
{
    rank = _mm256_slli_epi32(rank, steps);
    for (int half = 1 << steps >> 1; half > 0; half >>= 1) {
        __m256 probe = _mm256_i32gather_ps(t->value + half - 1, rank, 4);
        __m256 above = _mm256_cmp_ps(x, probe, _CMP_GT_OQ);
        __m256i step = _mm256_and_si256(_mm256_castps_si256(above), _mm256_set1_epi32(half));
        rank = _mm256_add_epi32(rank, step);
    }
    return rank;
}

/* The low bytes of eight numbers. */
INLINE void store_bytes(uint8_t *to, __m256i v)
{
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((void *)to, _mm_packus_epi16(words, words));
}

/* The ranks of eight numbers, `more` steps below those in registers. */
INLINE __m256i ranks_8(const struct qnt__thresholds *t, const struct steps *steps, int more, const float *x)
{
    const __m256 v = _mm256_loadu_ps(x), unordered = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
    __m256i rank = coarse(steps, v);
    if (more) rank = fine(t, v, rank, more);
    return _mm256_blendv_epi8(rank, _mm256_set1_epi32(t->nan), _mm256_castps_si256(unordered));
}

INLINE void search_32(const struct qnt__thresholds *t, const struct steps *steps, int more,
                      const float *x, uint8_t *ranks)
{
    prefetch_32(x, QNT__AHEAD);
    __m256i a = ranks_8(t, steps, more, x), b = ranks_8(t, steps, more, x + 8);
    __m256i c = ranks_8(t, steps, more, x + 16), d = ranks_8(t, steps, more, x + 24);
    put_32(ranks, join_bytes(a, b, c, d), false);
}

INLINE void search(const struct qnt__thresholds *t, const struct steps *steps, int more, const float *x,
                   size_t n, uint8_t *ranks)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32) search_32(t, steps, more, x + i, ranks + i);
    for (; i + 8 <= n; i += 8) store_bytes(ranks + i, ranks_8(t, steps, more, x + i));
    qnt__rank_f32_c(t, x + i, n - i, ranks + i);
}

static __attribute__((noinline)) void search_doubtful(const struct qnt__thresholds *t, const float *x,
                                                      uint8_t *ranks)
{
    float few[16];
    load_few(t, 1, few);
    const struct steps steps = steps_of(few);
    search_32(t, &steps, 0, x, ranks);
}

INLINE void rank_by_keys(const struct qnt__thresholds *t, const struct keys *keys, enum by by,
                         const float *x, size_t n, uint8_t *ranks)
{
    const struct keys k = *keys; /* no store can change it */
    for (size_t i = 0; i + 32 <= n; i += 32) {
        struct doubt doubt;
        put_32(ranks + i, order_bytes(codes_by_keys(&k, by, x + i, &doubt)), false);
        if (!is_certain(doubt)) search_doubtful(t, x + i, ranks + i);
    }
}

void qnt__rank_f32_avx2(const struct qnt__thresholds *t, const float *x, size_t n, uint8_t *ranks)
{
    static const uint8_t same[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int more = t->steps > IN_REGISTERS ? t->steps - IN_REGISTERS : 0;
    size_t i = 0;
    struct keys keys;
    if (open_keys(t, n, same, &keys)) {
        if (keys.by == BY_TOP) rank_by_keys(t, &keys, BY_TOP, x, n, ranks);
        else if (keys.by == BY_SHIFTED_TOP) rank_by_keys(t, &keys, BY_SHIFTED_TOP, x, n, ranks);
        else if (keys.by == BY_SPLIT) rank_by_keys(t, &keys, BY_SPLIT, x, n, ranks);
        else rank_by_keys(t, &keys, BY_SEARCH, x, n, ranks);
        i = n / 32 * 32;
    }
    float few[16];
    load_few(t, 1u << more, few);
    const struct steps steps = steps_of(few);
    if (more) search(t, &steps, more, x + i, n - i, ranks + i);
    else search(t, &steps, 0, x + i, n - i, ranks + i);
}

/* ---- ranks as packed codes ---- */

static QNT__PACK_RANKS(pack_by_ranks, avx2, avx2)

void qnt__pack_ranks_avx2(const struct qnt__thresholds *t, const uint8_t *code, const float *x, size_t n,
                          int bits, bool stream, uint8_t *packed)
{
    struct pack_keys keys;
    size_t i = 0;
    if (open_pack_keys(t, code, n, bits, &keys)) {
        i = n / 64 * 64;
        if (keys.keys.by == BY_TOP) pack_by_keys(&keys, BY_TOP, x, i, stream, packed);
        else if (keys.keys.by == BY_SHIFTED_TOP) pack_by_keys(&keys, BY_SHIFTED_TOP, x, i, stream, packed);
        else if (keys.keys.by == BY_SPLIT) pack_by_keys(&keys, BY_SPLIT, x, i, stream, packed);
        else pack_by_keys(&keys, BY_SEARCH, x, i, stream, packed);
    }
    pack_by_ranks(t, code, x + i, n - i, bits, stream, packed + i / 8 * (size_t)bits);
}

void qnt__look_up_f32_avx2(const float *table, int bits, const uint8_t *codes, size_t n,
                           float *levels)
{
    float few[16] = {0};
    memcpy(few, table, sizeof(float) << (bits < 4 ? bits : 4));
    const __m256 low = _mm256_loadu_ps(few), high = _mm256_loadu_ps(few + 8);
    const __m256i legal = _mm256_set1_epi32((1 << bits) - 1);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(codes + i)));
        code = _mm256_and_si256(code, legal);
        _mm256_storeu_ps(levels + i, bits <= 4 ? look_up_16(low, high, code)
                                               : _mm256_i32gather_ps(table, code, 4));
    }
    qnt__look_up_f32_c(table, bits, codes + i, n - i, levels + i);
}
