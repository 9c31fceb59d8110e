/* Looking up the fields of packed cells with VPSHUFB. */
#ifndef QNT__SIMD_X86_EXPAND_AVX2_H
#define QNT__SIMD_X86_EXPAND_AVX2_H

#include "narrow_avx2.h"

INLINE __m256i load_levels(const int8_t *levels, int bits)
{
    int8_t all[16] = {0};
    memcpy(all, levels, (size_t)1 << bits);
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)all));
}

INLINE void expand_cells(const uint8_t *cell, size_t cells, int bits, const int8_t *levels,
                         uint8_t *to)
{
    const __m256i table = load_levels(levels, bits);
    const int fields = bits == 4 ? 2 : 4;
    for (size_t e = 0; e < cells; e++, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < fields; f++, to += 64)
        {
            UNROLL for (int half = 0; half < 2; half++)
            {
                __m256i level = _mm256_shuffle_epi8(table, half_field(cell, bits, f, half));
                _mm256_storeu_si256((void *)(to + 32 * half), level);
            }
        }
    }
}

#endif
