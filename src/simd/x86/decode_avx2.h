/* Decoding eight codes of the affine scheme, and storing them, past the caches where that is wished. */
#ifndef QNT__SIMD_X86_DECODE_AVX2_H
#define QNT__SIMD_X86_DECODE_AVX2_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

/* Parameters of eight elements. */
struct group {
    __m256i zero;
    __m256 scale, offset;
};

static inline __m256 decode(const struct group *g, __m256i code)
{
    __m256 t = _mm256_cvtepi32_ps(_mm256_sub_epi32(code, g->zero));
    return _mm256_add_ps(_mm256_mul_ps(t, g->scale), g->offset);
}

/* Streaming saves reading the lines that are about to be overwritten, a third of the traffic. Large blocks
 * of malloc() are aligned to halves of a vector. */
static inline void put_8(float *y, __m256 v, bool stream)
{
    if (stream && (uintptr_t)y % 32 == 0) {
        _mm256_stream_ps(y, v);
    } else if (stream && (uintptr_t)y % 16 == 0) {
        _mm_stream_ps(y, _mm256_castps256_ps128(v));
        _mm_stream_ps(y + 4, _mm256_extractf128_ps(v, 1));
    } else {
        _mm256_storeu_ps(y, v);
    }
}

#endif
