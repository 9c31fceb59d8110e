/*
 * Ranks among thresholds, and levels by code, with VPERMPS: tables of up to 16 entries lie in one
 * register, of up to 32 in two. Larger ones are searched in a register first, over every so many
 * thresholds, then gathered.
 *
 * Long runs have their thresholds put into buckets before, if no two share one (buckets_avx512vnni.h).
 */
#include <immintrin.h>
#include <math.h>

#include "../slots.h"
#include "buckets_avx512vnni.h"

/* Without optimisation gcc's gather is a macro, which converts its mask carelessly. */
#pragma GCC diagnostic ignored "-Wsign-conversion"

enum { IN_REGISTER = 4 /* steps */, LONG = 1024 /* elements that are worth making buckets */ };

/* probe[s]: the thresholds of step s by rank so far, 2^(3 - s) - 1 further on. */
struct probes {
    __m512 step[IN_REGISTER];
};

/* A table for IN_REGISTER steps over every `stride`-th threshold. */
INLINE struct probes load_probes(const struct qnt__thresholds *t, int stride)
{
    struct probes p;
    for (int s = 0; s < IN_REGISTER; s++) {
        float at[16];
        for (int i = 0; i < 16; i++) {
            int entry = i + (8 >> s) - 1;
            at[i] = t->value[entry < 15 ? (entry + 1) * stride - 1 : 15 * stride - 1];
        }
        p.step[s] = _mm512_loadu_ps(at);
    }
    return p;
}

/* The rank among the 15 thresholds of the probes. */
INLINE __m512i coarse(const struct probes *p, __m512 x)
{
    __m512i rank = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int s = 0; s < IN_REGISTER; s++) {
        __m512 probe = _mm512_permutexvar_ps(rank, p->step[s]);
        __mmask16 above = _mm512_cmp_ps_mask(x, probe, _CMP_GT_OQ);
        rank = _mm512_mask_add_epi32(rank, above, rank, _mm512_set1_epi32(8 >> s));
    }
    return rank;
}

/* The remaining `steps` steps from the rank that the coarse ones found. */
INLINE __m512i fine(const struct qnt__thresholds *t, __m512 x, __m512i rank, int steps)
{
    rank = _mm512_slli_epi32(rank, (unsigned)steps);
    for (int half = 1 << steps >> 1; half > 0; half >>= 1) {
        __m512 probe = _mm512_i32gather_ps(rank, t->value + half - 1, 4);
        __mmask16 above = _mm512_cmp_ps_mask(x, probe, _CMP_GT_OQ);
        rank = _mm512_mask_add_epi32(rank, above, rank, _mm512_set1_epi32(half));
    }
    return rank;
}

INLINE void rank_all(const struct qnt__thresholds *t, const float *x, size_t n, uint8_t *ranks,
                     int more)
{
    const struct probes probes = load_probes(t, 1 << more);
    const __m512i nan = _mm512_set1_epi32(t->nan);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = first_lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        __m512i rank = coarse(&probes, v);
        if (more) rank = fine(t, v, rank, more);
        rank = _mm512_mask_mov_epi32(rank, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), nan);
        if (mask == 0xffff)
            _mm_storeu_si128((void *)(ranks + i), _mm512_cvtepi32_epi8(rank));
        else
            _mm512_mask_cvtepi32_storeu_epi8(ranks + i, mask, rank);
    }
}

void qnt__rank_f32_avx512vnni(const struct qnt__thresholds *t, const float *x, size_t n,
                              uint8_t *ranks)
{
    struct qnt__thresholds small;
    struct buckets buckets;
    if (n >= LONG && t->steps <= IN_REGISTER && make_buckets(t, &buckets)) {
        rank_by_buckets(&buckets, x, n, ranks);
        return;
    }
    if (t->steps < IN_REGISTER) { /* fill up with thresholds that nothing exceeds */
        small = (struct qnt__thresholds){.steps = IN_REGISTER, .nan = t->nan};
        for (int i = 0; i < 15; i++)
            small.value[i] = i < (1 << t->steps) - 1 ? t->value[i] : INFINITY;
        t = &small;
    }
    if (t->steps == IN_REGISTER)
        rank_all(t, x, n, ranks, 0);
    else
        rank_all(t, x, n, ranks, t->steps - IN_REGISTER);
}

INLINE __m512i load_codes(const uint8_t *codes, __mmask16 mask)
{
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, codes));
}

void qnt__look_up_f32_avx512vnni(const float *table, int bits, const uint8_t *codes, size_t n,
                                 float *levels)
{
    const __mmask16 few = (__mmask16)(bits < 4 ? (1u << (1 << bits)) - 1u : 0xffffu);
    const __m512 low = _mm512_maskz_loadu_ps(few, table);
    const __m512 high = bits == 5 ? _mm512_loadu_ps(table + 16) : low;
    const __m512i legal = _mm512_set1_epi32((1 << bits) - 1);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = first_lanes(n - i);
        __m512i code = _mm512_and_si512(load_codes(codes + i, mask), legal);
        __m512 y;
        if (bits <= 4)
            y = _mm512_permutexvar_ps(code, low);
        else if (bits == 5)
            y = _mm512_permutex2var_ps(low, code, high);
        else
            y = _mm512_i32gather_ps(code, table, 4);
        if (mask == 0xffff)
            _mm512_storeu_ps(levels + i, y);
        else
            _mm512_mask_storeu_ps(levels + i, mask, y);
    }
}
