/* Words of bit planes in registers: as they were before odd ones became parities, by halves of k. */
#ifndef QNT__SIMD_PLANE_WORDS_AVX512VBMI_H
#define QNT__SIMD_PLANE_WORDS_AVX512VBMI_H

#include <immintrin.h>

#include "../layout.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum { AND_OR = 0xea /* VPTERNLOG: a & b | c */ };

/* Words of eight columns, two of them at a time, from stored ones; `parity` is the last odd one. */
struct pair {
    __m512i even, odd;
};

INLINE struct pair load_pair(const uint64_t *b, __m512i *parity)
{
    struct pair p = {_mm512_loadu_si512(b), _mm512_loadu_si512(b + QNT__PANEL)};
    __m512i stored = p.odd;
    p.odd = _mm512_ternarylogic_epi64(stored, p.even, *parity, 0x96);
    *parity = stored;
    return p;
}

/* Stored words before `first`, of eight columns. */
INLINE __m512i parity_before(const uint64_t *b, size_t first)
{
    return first ? _mm512_loadu_si512(b + (first - 1) * QNT__PANEL) : _mm512_setzero_si512();
}

/* The 32 bits of one half of a word, of 16 columns from those of eight and eight. */
INLINE __m512i lanes_of(__m512i low, __m512i high, int half)
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_epi32(
        low, half ? _mm512_add_epi32(even, _mm512_set1_epi32(1)) : even, high);
}

#endif
