/*
 * Exact integer products of weights below 8 bits with VPMADDUBSW: their pair sums are small enough to
 * be added in 16 bits for a while, 8 quads of k for 4 bits, 16 for 3, 32 for 2 (|x w| <= 255 *
 * 2^(bits - 1), two products to a lane and quad); then VPMADDWD widens the sums. Half the work of
 * wide_avx2.h.
 */
#ifndef QNT__SIMD_X86_NARROW_AVX2_H
#define QNT__SIMD_X86_NARROW_AVX2_H

#include "wide_avx2.h"

/* sum0 += x * w0, sum1 += x * w1 for a broadcast quad x; which of the two is unsigned is up to `order`. */
#define NARROW_ADD(sum0, sum1, quad, w0, w1, order)                                                \
    do {                                                                                           \
        __m256i x_, product_;                                                                      \
        __asm__("vpbroadcastd %4, %2\n\t" order                                                    \
                : "+&x"(sum0), "+&x"(sum1), "=&x"(x_), "=&x"(product_)                             \
                : "m"(quad), "x"(w0), "x"(w1));                                                    \
    } while (0)
#define X_UNSIGNED                                                                                 \
    "vpmaddubsw %5, %2, %3\n\tvpaddw %3, %0, %0\n\tvpmaddubsw %6, %2, %2\n\tvpaddw %2, %1, %1"
#define W_UNSIGNED                                                                                 \
    "vpmaddubsw %2, %5, %3\n\tvpaddw %3, %0, %0\n\tvpmaddubsw %2, %6, %2\n\tvpaddw %2, %1, %1"

/* A chunk of one panel as bytes, one for each code. */
struct narrow {
    __m256i w[QUADS][2]; /* [quad][columns 0..7, 8..15] */
};

/* The third bits of 32 bytes: each byte has that of its place, or 0. */
INLINE __m256i third_places(const uint8_t *mask)
{
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                            2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i select = _mm256_set1_epi64x((long long)0x8040201008040201u);
    int32_t bits;
    memcpy(&bits, mask, sizeof bits);
    __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), spread);
    return _mm256_and_si256(bytes, select);
}

/* The same as 4 or 0. */
INLINE __m256i third_bits(const uint8_t *mask)
{
    __m256i clear = _mm256_cmpeq_epi8(third_places(mask), _mm256_setzero_si256());
    return _mm256_andnot_si256(clear, _mm256_set1_epi8(4));
}

/* Field f of half a cell (8 columns) as unsigned bytes; bits below 8. */
INLINE __m256i half_field(const uint8_t *cell, int bits, int f, int half)
{
    const int width = bits == 4 ? 4 : 2;
    __m256i w = _mm256_loadu_si256((const void *)(cell + 32 * half));
    switch (width * f) { /* the count must be a literal */
    case 2: w = _mm256_srli_epi16(w, 2); break;
    case 4: w = _mm256_srli_epi16(w, 4); break;
    case 6: w = _mm256_srli_epi16(w, 6); break;
    default: break;
    }
    w = _mm256_and_si256(w, _mm256_set1_epi8((char)((1 << width) - 1)));
    if (bits == 3) w = _mm256_or_si256(w, third_bits(cell + 64 + 8 * f + 4 * half));
    return w;
}

/* Quads that may be added in 16 bits. */
INLINE size_t narrow_run(int bits)
{
    return bits == 4 ? 8 : bits == 3 ? 16 : 32;
}

/* Unpacks cells to bytes: code + 2^(bits - 1) - bias. */
INLINE void narrow_cells(const uint8_t *cell, size_t cells, int bits, int bias, struct narrow *to)
{
    const int fields = bits == 4 ? 2 : 4;
    const __m256i less = _mm256_set1_epi8((char)bias);
    __m256i(*w)[2] = to->w;
    for (size_t e = 0; e < cells; e++, cell += qnt__cell_bytes(bits)) {
        UNROLL for (int f = 0; f < fields; f++, w++) {
            (*w)[0] = _mm256_sub_epi8(half_field(cell, bits, f, 0), less);
            (*w)[1] = _mm256_sub_epi8(half_field(cell, bits, f, 1), less);
        }
    }
}

/* total += 16 sums of the unsigned fields of n cells times one row, added in 16 bits. */
INLINE void narrow_row_run(const uint8_t *cell, int n, int bits, const uint8_t *x, int x_signed,
                           __m256i total[2])
{
    const int fields = bits == 4 ? 2 : 4;
    __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    UNROLL for (int e = 0; e < n; e++, cell += qnt__cell_bytes(bits)) {
        ask_ahead(cell);
        UNROLL for (int f = 0; f < fields; f++, x += 4) {
            int32_t four;
            memcpy(&four, x, sizeof four);
            const __m256i quad = _mm256_set1_epi32(four);
            UNROLL for (int h = 0; h < 2; h++) {
                __m256i field = half_field(cell, bits, f, h);
                __m256i product = x_signed ? _mm256_maddubs_epi16(field, quad)
                                           : _mm256_maddubs_epi16(quad, field);
                sum[h] = _mm256_add_epi16(sum[h], product);
            }
        }
    }
    UNROLL for (int h = 0; h < 2; h++) {
        __m256i wide = _mm256_madd_epi16(sum[h], _mm256_set1_epi16(1));
        total[h] = _mm256_add_epi32(total[h], wide);
    }
}

/* The same for any number of cells. A lane takes a quad's |x field| twice, 255 or 128 times the largest
 * field: 4 bits fit 4 or 8 times, fewer bits more often. */
INLINE void narrow_row(const uint8_t *cell, size_t cells, int bits, const uint8_t *x, int x_signed,
                       __m256i total[2])
{
    const size_t run = bits > 2 && !x_signed ? 2 : 4;
    for (; cells >= run; cells -= run) {
        narrow_row_run(cell, (int)run, bits, x, x_signed, total);
        cell += run * qnt__cell_bytes(bits);
        x += run * qnt__cell_depth(bits);
    }
    for (; cells > 0; cells--) {
        narrow_row_run(cell, 1, bits, x, x_signed, total);
        cell += qnt__cell_bytes(bits);
        x += qnt__cell_depth(bits);
    }
}

/* acc (=, or += if add) rows x 16 sums over `quads` quads of the rows x. */
INLINE void narrow_tile(const struct narrow *c, const uint8_t *const *x, int rows, size_t quads,
                        size_t run, int x_signed, int add, int32_t *acc, size_t ld)
{
    const __m256i ones = _mm256_set1_epi16(1);
    for (size_t q = 0; q < quads; add = 1) {
        size_t end = quads - q < run ? quads : q + run;
        __m256i sum[MAX_ROWS][2];
        UNROLL for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = _mm256_setzero_si256();
        for (; q < end; q++) {
            __m256i w0 = c->w[q][0], w1 = c->w[q][1];
            UNROLL for (int i = 0; i < rows; i++) {
                const int32_t *quad = (const void *)(x[i] + 4 * q);
                if (x_signed) NARROW_ADD(sum[i][0], sum[i][1], *quad, w0, w1, W_UNSIGNED);
                else NARROW_ADD(sum[i][0], sum[i][1], *quad, w0, w1, X_UNSIGNED);
            }
        }
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int h = 0; h < 2; h++) {
                __m256i *to = (void *)(acc + (size_t)i * ld + 8 * h);
                __m256i total = _mm256_madd_epi16(sum[i][h], ones);
                if (add) total = _mm256_add_epi32(total, _mm256_loadu_si256(to));
                _mm256_storeu_si256(to, total);
            }
        }
    }
}

/* All rows of a chunk, in pieces as even as possible; the rows begin `at` bytes on. */
INLINE void narrow_rows(const struct narrow *c, const uint8_t *const *rows, ptrdiff_t at, size_t m,
                        size_t quads, size_t run, int x_signed, int add, int32_t *acc, size_t ld)
{
    for (size_t row = 0; row < m;) {
        size_t left = m - row, n = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : MAX_ROWS;
        const uint8_t *x[MAX_ROWS];
        int32_t *to = acc + row * ld;
        for (size_t i = 0; i < n; i++) x[i] = rows[row + i] + at;
        switch (n) {
        case 1: narrow_tile(c, x, 1, quads, run, x_signed, add, to, ld); break;
        case 2: narrow_tile(c, x, 2, quads, run, x_signed, add, to, ld); break;
        case 3: narrow_tile(c, x, 3, quads, run, x_signed, add, to, ld); break;
        case 4: narrow_tile(c, x, 4, quads, run, x_signed, add, to, ld); break;
        case 5: narrow_tile(c, x, 5, quads, run, x_signed, add, to, ld); break;
        default: narrow_tile(c, x, 6, quads, run, x_signed, add, to, ld); break;
        }
        row += n;
    }
}

#endif
