/*
 * Reading the packed cells of ../layout.h into NEON registers.
 *
 * A field holds 4 k of 16 columns; quarter q of it is one register, columns 4 q to 4 q + 3. Fields
 * below 8 bits come out as they are stored, code + 2^(bits - 1).
 */
#ifndef QNT__SIMD_ARM_FIELDS_H
#define QNT__SIMD_ARM_FIELDS_H

#include <arm_neon.h>
#include <string.h>

#include "../layout.h"

/* Kernels are written once for all bits and row counts: constants must reach their inner loops. */
#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* GCC would load far ahead, more than there are registers for. */
#define IN_ORDER __asm__ volatile("" ::: "memory")

/* Fields of one cell. */
INLINE int field_count(int bits)
{
    return bits == 8 ? 1 : bits == 4 ? 2 : 4;
}

/* The third bits of 16 codes, spread from 16 mask bits to 4 or 0 in each byte. */
INLINE uint8x16_t third_bits(const uint8_t *mask)
{
    static const uint8_t bit_of_byte[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                            1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t both = vcombine_u8(vld1_dup_u8(mask), vld1_dup_u8(mask + 1));
    return vandq_u8(vtstq_u8(both, vld1q_u8(bit_of_byte)), vdupq_n_u8(4));
}

/* Quarter q of field f; f, q and bits are constants at every call. */
INLINE uint8x16_t load_field(const uint8_t *cell, int bits, int f, int q)
{
    uint8x16_t raw = vld1q_u8(cell + 16 * q);
    if (bits == 8) return raw;
    if (bits == 4) return f == 0 ? vandq_u8(raw, vdupq_n_u8(15)) : vshrq_n_u8(raw, 4);
    uint8x16_t shifted = f == 0 ? raw
                       : f == 1 ? vshrq_n_u8(raw, 2)
                       : f == 2 ? vshrq_n_u8(raw, 4)
                                : vshrq_n_u8(raw, 6);
    uint8x16_t low = f == 3 ? shifted : vandq_u8(shifted, vdupq_n_u8(3));
    return bits == 2 ? low : vorrq_u8(low, third_bits(cell + 64 + 8 * f + 2 * q));
}

/* 4 bytes of a row, repeated. */
INLINE uint8x16_t load_quad(const void *a)
{
    uint32_t quad;
    memcpy(&quad, a, sizeof quad);
    return vreinterpretq_u8_u32(vdupq_n_u32(quad));
}

#endif
