/*
 * The sums of rows that adders leave: binary digits of 512 columns, one register each, behind them the
 * carries that wait for another one of the same weight, of the digits from DIGITS on. Bit r of byte c of a
 * digit is a column of 64, r of eight, so that swapping bits makes bytes of 64 columns of eight digits.
 */
#ifndef QNT__SIMD_X86_ADDERS_AVX512VBMI_H
#define QNT__SIMD_X86_ADDERS_AVX512VBMI_H

#include <immintrin.h>

#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

enum {
    PARTS = QNT__ADDER_PANELS / 4, /* of 64 columns */
    SELECT = 0xac                  /* where the mask is 0 the second, else the third */
};

/* Which digits have a carry that waits is a number: with each chunk of a plane, a carry is added to it. */
struct adder_rows {
    uint64_t full;  /* in the end */
    size_t digits;  /* of it, and of sums */
    size_t waiting; /* from a digit to the carry that waits for it */
    size_t bytes;   /* of a row */
};

INLINE struct adder_rows adder_rows_of(const struct qnt__gemm_adders *g)
{
    const uint64_t full = qnt__adder_carries(g->words, g->planes, g->b_planes);
    const size_t digits = qnt__adder_digits(full);
    return (struct adder_rows){full, digits, (digits - QNT__ADDER_DIGITS) * QNT__ADDER_DIGIT,
                               (2 * digits - QNT__ADDER_DIGITS) * QNT__ADDER_DIGIT};
}

/* Bits 2^step places up and down. Counts are written out: compilers differ in the type of theirs. */
INLINE __m512i bits_up(__m512i x, int step)
{
    if (step == 0) return _mm512_add_epi8(x, x);
    return step == 1 ? _mm512_slli_epi16(x, 2) : _mm512_slli_epi16(x, 4);
}

INLINE __m512i bits_down(__m512i x, int step)
{
    if (step == 0) return _mm512_srli_epi16(x, 1);
    return step == 1 ? _mm512_srli_epi16(x, 2) : _mm512_srli_epi16(x, 4);
}

/* Bit b of each byte of register r becomes bit r of register b. */
INLINE void swap_bits(__m512i x[8])
{
    static const char upper[3] = {(char)0xaa, (char)0xcc, (char)0xf0};
    UNROLL for (int step = 0; step < 3; step++)
    {
        const int s = 1 << step;
        const __m512i mask = _mm512_set1_epi8(upper[step]);
        UNROLL for (int r = 0; r < 8; r++)
        {
            if (r & s) continue;
            const __m512i a = x[r], b = x[r + s];
            x[r] = _mm512_ternarylogic_epi64(mask, a, bits_up(b, step), SELECT);
            x[r + s] = _mm512_ternarylogic_epi64(mask, bits_down(a, step), b, SELECT);
        }
    }
}

#endif
