/* Sixteen rows become cells: blocks of 8 x 8 units of four bytes are transposed in registers. */
#include <immintrin.h>

#include "../layout.h"
#include "../slots.h"

static inline __m256i row(const uint8_t *from, size_t ld, size_t i)
{
    return _mm256_loadu_si256((const void *)(from + i * ld));
}

static inline void put(uint8_t *to, size_t cell, __m256i v)
{
    _mm256_storeu_si256((void *)(to + 64 * cell), v);
}

/* Eight cells of eight rows. */
static inline void transpose(const uint8_t *from, size_t ld, uint8_t *to)
{
    __m256i pair[8], four[8];
    for (size_t i = 0; i < 8; i += 2) {
        __m256i a = row(from, ld, i), b = row(from, ld, i + 1);
        pair[i] = _mm256_unpacklo_epi32(a, b), pair[i + 1] = _mm256_unpackhi_epi32(a, b);
    }
    for (size_t i = 0; i < 8; i += 4) {
        four[i] = _mm256_unpacklo_epi64(pair[i], pair[i + 2]);
        four[i + 1] = _mm256_unpackhi_epi64(pair[i], pair[i + 2]);
        four[i + 2] = _mm256_unpacklo_epi64(pair[i + 1], pair[i + 3]);
        four[i + 3] = _mm256_unpackhi_epi64(pair[i + 1], pair[i + 3]);
    }
    for (size_t i = 0; i < 4; i++) {
        put(to, i, _mm256_permute2x128_si256(four[i], four[i + 4], 0x20));
        put(to, i + 4, _mm256_permute2x128_si256(four[i], four[i + 4], 0x31));
    }
}

void qnt__interleave_rows_avx2(const void *rows, size_t columns, size_t ld, size_t quads,
                               void *cells)
{
    const uint8_t *from = rows;
    uint8_t *to = cells;
    size_t e = 0;
    for (; columns == QNT__PANEL && e + 8 <= quads; e += 8, from += 32, to += 8 * 64) {
        transpose(from, ld, to);
        transpose(from + 8 * ld, ld, to + 32);
    }
    qnt__interleave_rows_c(from, columns, ld, quads - e, to);
}
