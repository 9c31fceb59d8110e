/*
 * The packed weight layout, the same on every CPU and in every blob. doc/formats.md draws it.
 *
 * A panel holds 16 columns (output channels) and all of K. It is a row of cells; a cell is 64
 * bytes, byte 4 c + j belonging to column c:
 *
 *   8 bits: 4 k to a cell;  byte 4 c + j is k = 4 cell + j, two's complement.
 *   4 bits: 8 k to a cell;  the low nibble is k = 8 cell + j, the high one k = 8 cell + 4 + j.
 *   2 bits: 16 k to a cell; bits 2 f and 2 f + 1 are k = 16 cell + 4 f + j, f = 0..3.
 *   3 bits: 16 k in 96 bytes: a 2-bit cell of the two low bits, then four little-endian 64-bit
 *           masks; bit 4 c + j of mask f is the third bit of k = 16 cell + 4 f + j.
 *
 * Fields below 8 bits hold code + 2^(bits - 1), so that they are unsigned. K is padded, tap by tap,
 * to whole cells with the code 0; columns are padded with the code 0.
 */
#ifndef QNT__SIMD_LAYOUT_H
#define QNT__SIMD_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum {
    QNT__PANEL = 16,      /* columns of a panel */
    QNT__GEMM_ROWS = 48,  /* most rows of one call of gemm_s8 and gemm_levels: kernels prepare weights */
    QNT__BLOCK_ROWS = 12, /* most rows of one call of another GEMM slot */
    QNT__BLOCK_PANELS = 4 /* most panels of one call of a GEMM slot */
};

/* k in one cell. bits is 2, 3, 4 or 8. */
static inline size_t qnt__cell_depth(int bits)
{
    return bits == 8 ? 4 : bits == 4 ? 8 : 16;
}

/* Bytes of one cell. */
static inline size_t qnt__cell_bytes(int bits)
{
    return bits == 3 ? 96 : 64;
}

/* The signed code of column c and of k within a cell. */
static inline int qnt__cell_code(const uint8_t *cell, int bits, size_t c, size_t k)
{
    size_t at = 4 * c + k % 4, field = k / 4;
    if (bits == 8) return (int8_t)cell[at];
    if (bits == 4) return (cell[at] >> 4 * field & 15) - 8;
    int low = cell[at] >> 2 * field & 3;
    if (bits == 2) return low - 2;
    int third = cell[64 + 8 * field + at / 8] >> at % 8 & 1;
    return (low | third << 2) - 4;
}

/* Word w of a column of a panel of bit planes, before odd ones became parities (slots_bits.h): the
 * parities before and after a pair of words differ by both of them. */
static inline uint64_t qnt__bits_word(const uint64_t *column, size_t w)
{
    const uint64_t *at = column + w * QNT__PANEL;
    if (w % 2 == 0) return *at;
    return *at ^ *(at - QNT__PANEL) ^ (w > 1 ? *(at - 2 * QNT__PANEL) : 0);
}

/* Where the table of nibble n of a word is among its 16. */
static inline size_t qnt__bits_table(size_t n)
{
    return n / 8 * 8 + n % 2 * 4 + n % 8 / 2;
}

#endif
