/* Sixteen rows become cells: blocks of 16 x 16 units of four bytes are transposed in registers. */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Pairs of rows, then pairs of pairs within 128 bits, then those across them, twice. */
INLINE void transpose(__m512i v[16])
{
    __m512i t[16];
    UNROLL for (int i = 0; i < 16; i += 2)
    {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4)
    {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

void qnt__interleave_rows_avx512vnni(const void *rows, size_t columns, size_t ld, size_t quads,
                                     void *cells)
{
    const uint8_t *from = rows;
    uint8_t *to = cells;
    for (size_t e = 0; e < quads; e += QNT__PANEL, from += 64, to += 64 * QNT__PANEL) {
        const size_t left = quads - e < QNT__PANEL ? quads - e : QNT__PANEL;
        const __mmask16 some = (__mmask16)((1u << left) - 1);
        __m512i v[16];
        UNROLL for (int c = 0; c < 16; c++)
        {
            __mmask16 here = (size_t)c < columns ? some : 0;
            v[c] = _mm512_maskz_loadu_epi32(here, from + (here ? (size_t)c * ld : 0));
        }
        transpose(v);
        if (left == QNT__PANEL) {
            UNROLL for (int i = 0; i < 16; i++) _mm512_storeu_si512(to + 64 * i, v[i]);
        } else {
            UNROLL for (int i = 0; i < 16; i++)
            {
                if ((size_t)i < left) _mm512_storeu_si512(to + 64 * i, v[i]);
            }
        }
    }
}
