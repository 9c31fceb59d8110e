/* Slots of level tables: finding and looking up levels, and products of codes that stay packed. */
#ifndef QNT__SIMD_SLOTS_LEVELS_H
#define QNT__SIMD_SLOTS_LEVELS_H

#include <stddef.h>
#include <stdint.h>

#include "results.h"

struct qnt__gemm;

/*
 * m rows of int16 times `panels` panels of int16: acc[i][16 p + c] = sum over k of
 * rows[i][k] * weight[p][k][c], modulo 2^32. A panel is a row of cells of 16 columns and two k;
 * word 2 c + j of cell e belongs to column c and k = 2 e + j.
 */
struct qnt__gemm_s16 {
    const int16_t *const *rows; /* m pointers */
    const int16_t *weight;      /* first panel */
    int32_t *acc;               /* written, [m][ld] */
    size_t m;                   /* 1..QNT__BLOCK_ROWS */
    size_t panels;              /* 1..QNT__BLOCK_PANELS */
    size_t depth;               /* a multiple of 2, at least 2 */
    size_t panel_words;         /* from a panel to the next, at least 16 depth */
    size_t ld;                  /* of acc, in elements, at least 16 panels */
    struct qnt__results results; /* what becomes of acc, row by row: a hint */
};

/* Thresholds between 2 to 256 levels: the rank of x is the number of thresholds that are smaller.
 */
struct qnt__thresholds {
    int32_t steps; /* of a binary search, 1..8 */
    int32_t nan;   /* the rank of NaN, below 2^steps */
    /* ascending up to value[2^steps - 2]; +inf where there are fewer thresholds */
    float value[256];
};

/*
 * Cells of 2 to 7 bits (layout.h) become cells of 8: field u of column c is levels[c step + u].
 * Each cell gives a cell of 64 bytes for each four of its k.
 */
struct qnt__expand {
    const uint8_t *cell;
    size_t cells;
    int bits;             /* 2 to 7 */
    const int8_t *levels; /* one table of 2^bits, or 16 tables */
    size_t step;          /* 0, or the larger of 16 and 2^bits: a table for each column */
    uint8_t *out;
};

/*
 * Rows of codes, packed from the low bits of a byte on, become cells of 8 bits: byte 4 c + j of cell
 * 8 / bits * e + f is the level of field f of byte 4 e + j of row c; behind the last row, that of 0.
 */
struct qnt__level_cells {
    const uint8_t *rows;
    size_t columns, ld;    /* 1..16 rows, and bytes from one to the next */
    size_t quads;          /* of the bytes of a row: e < quads */
    int bits;              /* of a code: 2, 4, 8 */
    int level_bits;        /* bits; less where all codes are below 2^level_bits, if bits is 8 */
    const uint8_t *levels; /* [2^level_bits] */
    uint8_t *out;
};

/* Cells of 2 to 8 bits become cells of 16: field u of a cell, of 8 bits a byte, stands for words[u]. */
struct qnt__expand_words {
    const uint8_t *cell;
    size_t cells;
    int bits;
    int field_bits;       /* bits; less where all fields are below 2^field_bits */
    const int16_t *words; /* [2^field_bits] */
    int16_t *out;         /* 16 for each k */
};

/*
 * Codes of a panel's cells become floats, k by k: out[k - first][c], first <= k < end, is
 *     levels ? levels[c step + place] * scale[c] : float(code - zero[c]) * scale[c] (+ offset[c])
 * with place = code + 2^(level_bits - 1), modulo 2^level_bits. Missing (NULL) arrays leave their
 * term out.
 */
struct qnt__decode_cells {
    const uint8_t *cell; /* that of k = 0 */
    size_t first, end;
    int bits;            /* 2, 3, 4, 8 */
    const float *scale;  /* [16] */
    const int32_t *zero; /* [16] or NULL */
    const float *offset; /* [16] or NULL; NULL where there are levels */
    const float *levels; /* a table of 2^level_bits, or 16 of them, or NULL */
    size_t step;         /* 0, or 2^level_bits: a table for each column */
    int level_bits;      /* 1..8, at most bits */
    float *out;          /* [end - first][16] */
};

/* One row of sums of products of words from those of their bytes: y[i] = +0 + (float)s * scale[i] with
 *     s = row - zero * column[i] + sum over p < parts of factor[p] * acc[p][i],
 * which are integers and of which none, nor any sum of some, exceeds 2^53. */
struct qnt__join_words {
    const int32_t *acc[4];
    double factor[4];
    size_t parts; /* 1, 2 or 4 */
    double row, zero;
    const double *column;
    const float *scale;
};

#define QNT__SLOTS_LEVELS(X)                                                                       \
    /* levels[i] = table[codes[i]]; the table has 2^bits entries (1..8 bits), codes are below      \
     * that; */                                                                                    \
    /* levels may be codes */                                                                      \
    X(look_up_8, void,                                                                             \
      (const uint8_t *table, int bits, const uint8_t *codes, size_t n, uint8_t *levels))           \
    X(look_up_16, void,                                                                            \
      (const int16_t *table, int bits, const uint8_t *codes, size_t n, int16_t *levels))           \
    /* the same for floats; codes may be anything, only their low `bits` count */                  \
    X(look_up_f32, void,                                                                           \
      (const float *table, int bits, const uint8_t *codes, size_t n, float *levels))               \
    X(rank_f32, void, (const struct qnt__thresholds *t, const float *x, size_t n, uint8_t *ranks)) \
    /* packs (pack_codes) code[rank of x], 2^steps codes */                                        \
    X(pack_ranks, void,                                                                            \
      (const struct qnt__thresholds *t, const uint8_t *code, const float *x, size_t n, int bits,   \
       bool stream, uint8_t *packed))                                                              \
    X(decode_cells, void, (const struct qnt__decode_cells *d))                                     \
    /* `columns` (1..16) rows, ld bytes apart, become cells of 64 bytes: bytes 4 c to 4 c + 3 of   \
     * cell e are bytes 4 e to 4 e + 3 of row c, or 0 */                                           \
    X(interleave_rows, void,                                                                       \
      (const void *rows, size_t columns, size_t ld, size_t quads, void *cells))                    \
    X(level_cells, void, (const struct qnt__level_cells *c))                                       \
    /* n codes, whole groups of 32 / bits (2 or 4), in the order of fields of packed ones: byte     \
     * 4 f + j of a group becomes code 8 / bits * j + f */                                         \
    X(order_codes, void, (uint8_t *codes, size_t n, int bits))                                     \
    X(gemm_s16, void, (const struct qnt__gemm_s16 *g))                                             \
    X(expand_words, void, (const struct qnt__expand_words *e))                                     \
    /* words[i] = 256 high[i] + rest, -128 <= rest < 128; the rest stays */                         \
    X(split_words, void, (int16_t *words, size_t n, int16_t *high))                                \
    /* words[i] + 2^15 = 256 high[i] + low[i] */                                                   \
    X(bytes_of_words, void, (const int16_t *words, size_t n, uint8_t *low, uint8_t *high))         \
    /* sum[i] += factor * part[i]; factor is a power of two */                                     \
    X(add_parts_f64, void, (double *sum, const int32_t *part, size_t n, double factor))            \
    /* residues[i] = words[i] modulo 255, 0 to 254 */                                              \
    X(residues_255, void, (const int16_t *words, size_t n, uint8_t *residues))                     \
    /* sum[i] += s, where s = low[i] modulo 2^32 and residue[i] modulo 255, |s| < 127.5 2^32; */   \
    /* |residue[i]| < 2^25 */                                                                      \
    X(add_residues_f64, void,                                                                      \
      (double *sum, const int32_t *low, const int32_t *residue, size_t n))                         \
    /* y[i] += (float)sum[i] * scale[i], and sum[i] = 0 */                                         \
    X(scale_sums_f64, void, (double *sum, const float *scale, size_t n, float *y))                 \
    X(join_words, void, (const struct qnt__join_words *j, size_t n, float *y))                     \
    X(expand_levels, void, (const struct qnt__expand *e))                                          \
    /* gemm_s8 for 2, 3 or 4 bits, where a field u of a cell stands for the weight levels[u] */    \
    X(gemm_levels, void, (const struct qnt__gemm *g, const int8_t *levels))

#endif
