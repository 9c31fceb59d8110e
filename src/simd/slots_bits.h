/* Slots of bit planes: products of signs by counting the bits in which they differ. */
#ifndef QNT__SIMD_SLOTS_BITS_H
#define QNT__SIMD_SLOTS_BITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Rows of bit planes against panels of 16 columns: acc[i][16 p + c] = sum over planes j of 2^j times the
 * number of bits in which plane j of row i differs from column c of panel p, times 2^shift.
 *
 * Words are stored in pairs: an even word as it is, an odd word as the parity of itself and all words
 * before it (exclusive or). The exclusive or of two operands stored so is the same of their difference: its
 * odd words are running parities, and the carry that a word and its successor leave for the next higher
 * counter is a function of three words - the parity before, the word, the parity after:
 *
 *     S = 0; for each pair: x = W ^ A; s = W' ^ A'; n += population of majority(S, x, x'), S = s
 *     differing bits = 2 n + population of S,   majority(S, x, x') = S ^ x ? ~s : S   (x' = S ^ x ^ s)
 */
struct qnt__gemm_bits {
    const uint64_t *a; /* row i, plane j: words from a + i a_row + j a_plane */
    size_t a_row, a_plane;
    const uint64_t *b; /* panel p: [words][16] from b + p b_panel */
    size_t b_panel;
    int32_t *acc;  /* written, [m][ld] */
    size_t m;      /* 1..QNT__BLOCK_ROWS */
    size_t panels; /* 1..QNT__BLOCK_PANELS */
    size_t planes; /* 1..8 */
    size_t words;  /* even, at least 2 */
    int shift;     /* 0 or 1 */
    size_t ld;     /* of acc, in elements, at least 16 panels */
};

#define QNT__SLOTS_BITS(X) X(gemm_bits, void, (const struct qnt__gemm_bits *g))

#endif
