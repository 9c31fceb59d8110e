/*
 * Reading packed cells (layout.h) into 512-bit registers, for the matrix products with VPDPBUSD.
 *
 * Weights below 8 bits stay in their biased form u = code + 2^(bits - 1), which is also a positive signed
 * byte; what that adds is taken away once: sum x code = sum x u - 2^(bits - 1) sum x.
 */
#ifndef QNT__SIMD_X86_CELLS_AVX512VNNI_H
#define QNT__SIMD_X86_CELLS_AVX512VNNI_H

#include <immintrin.h>
#include <string.h>

#include "../layout.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* acc += sums of four products of unsigned bytes u and signed bytes s; gcc 12 copies accumulators around
 * for the intrinsic. */
#define DPBUSD(acc, u, s) __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u), "v"(s))

/* Keeps what follows from a pointer or an index from being held in registers: loading a cell again for each
 * of its fields is cheaper, and so is adding an index to addresses. */
#define FORGET(pointer) __asm__("" : "+r"(pointer))

/* Fields of four k in a cell. */
INLINE int cell_fields(int bits)
{
    return bits == 8 ? 1 : bits == 4 ? 2 : 4;
}

INLINE __m512i broadcast_quad(const void *x)
{
    int32_t quad;
    memcpy(&quad, x, sizeof quad);
    return _mm512_set1_epi32(quad);
}

INLINE __mmask64 third_bits(const uint8_t *cell, int f)
{
    uint64_t mask;
    memcpy(&mask, cell + 64 + 8 * f, sizeof mask);
    return mask;
}

/* Field f of a cell: biased bytes, or codes if bits is 8. */
INLINE __m512i cell_field(const uint8_t *cell, int bits, int f)
{
    __m512i w = _mm512_loadu_si512(cell);
    if (bits == 8) return w;
    int width = bits == 4 ? 4 : 2;
    switch (width * f) { /* the count must be a literal */
    case 2: w = _mm512_srli_epi16(w, 2); break;
    case 4: w = _mm512_srli_epi16(w, 4); break;
    case 6: w = _mm512_srli_epi16(w, 6); break;
    default: break;
    }
    w = _mm512_and_si512(w, _mm512_set1_epi8((char)((1 << width) - 1)));
    if (bits == 3) w = _mm512_mask_add_epi8(w, third_bits(cell, f), w, _mm512_set1_epi8(4));
    return w;
}

/* Field f of a cell of 5, 6 or 7 bits. */
INLINE __m512i wide_field(const uint8_t *cell, int bits, int f)
{
    const uint8_t *high = cell + QNT__CELL_HIGH;
    __m512i low = cell_field(cell + 64 * (f / 2), 4, f % 2);
    if (bits == 5)
        return _mm512_mask_add_epi8(low, third_bits(high - 64, f), low, _mm512_set1_epi8(16));
    return _mm512_or_si512(low, _mm512_slli_epi16(cell_field(high, bits - 4, f), 4));
}

/* For one row: odd fields are left where they are within the byte, 2^in_place_shift times too large, and
 * have accumulators of their own. */
INLINE int in_place_shift(int bits)
{
    return bits == 4 ? 4 : 2;
}

/* One row reads each weight once, so memory sets the pace; hardware alone fetches packed weights at 0.8 of
 * it. A prefetch behind the last cell does nothing. */
INLINE void prefetch_cell(const uint8_t *cell, int bits)
{
    enum { AHEAD = 1024 };
    _mm_prefetch((const void *)((uintptr_t)cell + AHEAD), _MM_HINT_T0);
    if (bits == 3) _mm_prefetch((const void *)((uintptr_t)cell + AHEAD + 64), _MM_HINT_T0);
}

/* A cell for one row, that stays in its register: with memory operands each field would load it again, and
 * one load of 64 bytes each cycle is all there is. */
INLINE __m512i load_cell(const uint8_t *cell, int bits)
{
    prefetch_cell(cell, bits);
    __m512i w = _mm512_loadu_si512(cell);
    __asm__("" : "+v"(w));
    return w;
}

INLINE __m512i cell_field_in_place(__m512i w, const uint8_t *cell, int bits, int f)
{
    if (bits == 4) return _mm512_and_si512(w, _mm512_set1_epi8((char)(f ? 0xf0 : 0x0f)));
    if (f >= 2) w = _mm512_srli_epi16(w, 4);
    w = _mm512_and_si512(w, _mm512_set1_epi8(f % 2 ? 0x0c : 0x03));
    if (bits == 2) return w;
    return _mm512_mask_add_epi8(w, third_bits(cell, f), w, _mm512_set1_epi8(f % 2 ? 0x10 : 0x04));
}

#endif
