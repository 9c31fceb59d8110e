/*
 * Products with packed numbers of levels: VPERMB takes six bits of a byte as the index, so with a table
 * that repeats its levels the neighbours' bits above a field need not be cut off.
 */
#include "cells_avx512vnni.h"

struct lookup {
    __m512i low, high; /* high: of fields with their third bit set */
};

/* `period` levels over and over. */
INLINE __m512i repeat(const int8_t *levels, int period)
{
    int8_t all[64];
    for (int i = 0; i < 64; i++) all[i] = levels[i % period];
    return _mm512_loadu_si512(all);
}

INLINE struct lookup make_lookup(const int8_t *levels, int bits)
{
    struct lookup l = {.low = repeat(levels, bits == 4 ? 16 : 4)};
    l.high = bits == 3 ? repeat(levels + 4, 4) : l.low;
    return l;
}

INLINE __m512i find_levels(const struct lookup *l, const uint8_t *cell, int bits, int f)
{
    __m512i w = _mm512_loadu_si512(cell);
    switch ((bits == 4 ? 4 : 2) * f) { /* the count must be a literal */
    case 2: w = _mm512_srli_epi16(w, 2); break;
    case 4: w = _mm512_srli_epi16(w, 4); break;
    case 6: w = _mm512_srli_epi16(w, 6); break;
    default: break;
    }
    __m512i level = _mm512_permutexvar_epi8(w, l->low);
    if (bits == 3) level = _mm512_mask_permutexvar_epi8(level, third_bits(cell, f), w, l->high);
    return level;
}

#include "levels_avx512vnni.h"

void qnt__gemm_levels_avx512vbmi(const struct qnt__gemm *g, const int8_t *levels)
{
    multiply_levels(g, levels);
}
