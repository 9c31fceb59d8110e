/*
 * Integers of some rows and panels, by any of the ways to multiply bit planes (bits.h) but seven products
 * for eight, whoever asks for them: a product or a layer. Rows are handed on, a few at a time where the way
 * allows it, as soon as their sums are whole: these are in the first-level cache then, and storing results
 * goes on while the next rows are multiplied.
 */
#ifndef QNT__KERNEL_BITS_SUMS_H
#define QNT__KERNEL_BITS_SUMS_H

#include "base/arith.h"
#include "bits.h"
#include "simd/layout.h"

enum {
    QNT__BITS_ADDER_ROWS = 4,   /* of adders that are finished together */
    QNT__BITS_CELL_WORDS = 32,  /* of planes that are bytes at a time */
    QNT__BITS_CELL_BYTES = 1024 /* of a word of a panel as bytes */
};

/* Integers of some rows and columns. */
struct qnt__bits_piece {
    int32_t *acc; /* [m][ld], which may be changed */
    size_t ld;
    size_t row, apart, m; /* rows from `row` on */
    size_t column, n;
    const int32_t *excess; /* of columns, of seven products; or NULL: 0 */
};

/*
 * The sum over planes p of b, from the first one on, of 2^p times what the way finds of it; S is the sum
 * of a row's codes, T of those where the plane's bit is 1, D of the planes' bits that differ
 * (gemm_bits_block.c):
 *
 *     counting 2^shift D, one plane    tables 2 T    adders, bytes 2 T - S
 */
struct qnt__bits_sums {
    const struct qnt__simd *simd;
    enum qnt__bits_path path;
    const uint8_t *rows; /* in the form of the path */
    size_t row_bytes, m;
    const int32_t *codes; /* S of each, for adders */
    size_t a_planes, words;
    const uint64_t *b; /* the first plane of the first panel */
    size_t b_panel;    /* words from one panel to the next */
    size_t panels, n;  /* and columns */
    size_t planes;
    size_t ahead; /* a hint: words from b to the planes that are multiplied next; or 0 */
    int shift;
    int32_t *acc, *part;         /* qnt__bits_acc() each; part only for tables of several planes */
    uint8_t *cells;              /* qnt__bits_cells() */
    size_t ld;                   /* of acc */
    struct qnt__results results; /* what becomes of the sums, row by row: a hint */
    void (*take)(void *state, const struct qnt__bits_piece *piece);
    void *state;
};

/* Words of a plane of a panel, its ones included. */
static inline size_t qnt__bits_plane_words(size_t words)
{
    return (words + 1) * QNT__PANEL;
}

/* `ahead` of planes from plane i of b_planes on: the next plane, or those of the next panels if there
 * are any. */
static inline size_t qnt__bits_ahead(const struct qnt__bits_sums *s, size_t i, size_t b_planes,
                                     bool last)
{
    const size_t plane = qnt__bits_plane_words(s->words);
    if (i + s->planes < b_planes) return s->planes * plane;
    return last ? 0 : s->panels * s->b_panel - i * plane;
}

/* int32 of a number of rows that `acc` needs, and bytes of `cells`. */
size_t qnt__bits_acc(enum qnt__bits_path path, size_t rows, size_t words, size_t columns);
size_t qnt__bits_cells(enum qnt__bits_path path, size_t rows, size_t words, size_t a_planes,
                       size_t planes);

/* Arguments of slots: one plane of b. */
struct qnt__gemm_bits qnt__bits_counting(const struct qnt__bits_sums *s);
struct qnt__look_up_bits qnt__bits_looking_up(const struct qnt__bits_sums *s);

/* Forms all sums and hands them on. */
void qnt__bits_form(const struct qnt__bits_sums *s);

/* The ways that finish a few rows at a time: gemm_bits_adders.c, gemm_bits_bytes.c. */
void qnt__bits_form_by_adders(const struct qnt__bits_sums *s);
void qnt__bits_form_of_bytes(const struct qnt__bits_sums *s);

/* Results of rows from one on. */
static inline struct qnt__results qnt__bits_results_from(const struct qnt__bits_sums *s, size_t row)
{
    struct qnt__results r = s->results;
    if (r.at) r.at += row * r.pitch;
    return r;
}

#endif
