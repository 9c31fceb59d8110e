/* The instructions of AVX-VNNI, which multiply and add to 32-bit sums in one step, and what they need. */
#ifndef QNT__SIMD_X86_DOT_AVXVNNI_H
#define QNT__SIMD_X86_DOT_AVXVNNI_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* acc += sums of four products of unsigned bytes u and signed bytes s, or of two products of words. With
 * {vex} the assembler does not choose the instructions of AVX-512. */
#define DPBUSD(acc, u, s) __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(u), "xm"(s))
#define DPWSSD(acc, a, b) __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(acc) : "x"(a), "xm"(b))

/* Keeps one index for all rows from becoming a pointer to increment for each. */
#define FORGET(index) __asm__("" : "+r"(index))

INLINE __m256i broadcast_quad(const void *x)
{
    int32_t quad;
    memcpy(&quad, x, sizeof quad);
    return _mm256_set1_epi32(quad);
}

#endif
