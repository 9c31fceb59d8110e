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
 *   16 bits: 2 k to a cell; int16 word 2 c + j is k = 2 cell + j, j = 0, 1.
 *   5, 6, 7 bits, of places in tables only: 16 k in two 4-bit cells of the four low bits, then one
 *           of 2 or 3 bits of those above, or of 5 bits the four masks alone.
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
    QNT__GEMM_ROWS = 96,  /* most rows of one call of gemm_s8 and gemm_levels: kernels prepare weights */
    QNT__BLOCK_ROWS = 12, /* most rows of one call of another GEMM slot */
    QNT__BLOCK_PANELS = 4, /* most panels of one call of a GEMM slot */
    QNT__WORD_BITS = 16    /* of cells that hold integers of their own */
};

/* k in one cell. bits is 2 to 8, or QNT__WORD_BITS. */
static inline size_t qnt__cell_depth(int bits)
{
    return bits == QNT__WORD_BITS ? 2 : bits == 8 ? 4 : bits == 4 ? 8 : 16;
}

/* Are a cell's fields in two cells, the four low bits and those above? */
static inline int qnt__cell_is_wide(int bits)
{
    return bits > 4 && bits < 8;
}

/* Where the bits above the fourth of a wide cell are. */
enum { QNT__CELL_HIGH = 128 };

/* Bytes of one cell. */
static inline size_t qnt__cell_bytes(int bits)
{
    if (qnt__cell_is_wide(bits)) return QNT__CELL_HIGH + 32 * (size_t)(bits - 4);
    return bits == 3 ? 96 : 64;
}

/* The bit of column c and of k in four masks. */
static inline int qnt__cell_mask_bit(const uint8_t *masks, size_t c, size_t k)
{
    size_t at = 4 * c + k % 4;
    return masks[8 * (k / 4) + at / 8] >> at % 8 & 1;
}

/* What a field below 5 bits holds. */
static inline int qnt__cell_narrow_field(const uint8_t *cell, int bits, size_t c, size_t k)
{
    size_t at = 4 * c + k % 4, field = k / 4;
    if (bits == 1) return qnt__cell_mask_bit(cell, c, k);
    if (bits == 4) return cell[at] >> 4 * field & 15;
    int low = cell[at] >> 2 * field & 3;
    return bits == 2 ? low : low | qnt__cell_mask_bit(cell + 64, c, k) << 2;
}

/* The signed code of column c and of k within a cell. */
static inline int qnt__cell_code(const uint8_t *cell, int bits, size_t c, size_t k)
{
    if (bits == 8) return (int8_t)cell[4 * c + k % 4];
    const int bias = 1 << (bits - 1);
    if (!qnt__cell_is_wide(bits)) return qnt__cell_narrow_field(cell, bits, c, k) - bias;
    int low = qnt__cell_narrow_field(cell + 64 * (k / 8), 4, c, k % 8);
    int high = qnt__cell_narrow_field(cell + QNT__CELL_HIGH, bits - 4, c, k);
    return (low | high << 4) - bias;
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

/* Bit i of the index of table t of six codes (slots_bits.h): the bit of a word, or 64 for none. */
static inline size_t qnt__bits_six(size_t t, size_t i)
{
    if (t < 8) return 8 * t + i;
    size_t byte = 3 * (t - 8) + i / 2;
    return byte < 8 ? 8 * byte + 6 + i % 2 : 64;
}

#endif
