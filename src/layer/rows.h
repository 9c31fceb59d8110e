/* Blocks of output rows and their input. */
#ifndef QNT__LAYER_ROWS_H
#define QNT__LAYER_ROWS_H

#include "run.h"

/* One block: output rows first_row + i row_step, and the part of the kernel that matters to them;
 * the rest meets nothing but padding, in all of these rows. */
struct qnt__rows {
    const uint8_t *at[QNT__PREPARED_ROWS]; /* input, at the first tap and k that matter */
    int32_t zero[QNT__PREPARED_ROWS];
    float scale[QNT__PREPARED_ROWS];
    size_t m, first_row, row_step;
    size_t first_tap, taps;
    size_t first_k, depth; /* of each tap, whole cells */
};

/* Where the input of an output row begins, if all of it exists, and the image it belongs to. */
const uint8_t *qnt__row_input(const struct qnt__run *run, size_t row, size_t *image);

/* Most rows of a block of integers: as many as kernels want at a time. */
size_t qnt__rows_most(const struct qnt__run *run);

/* A walk over the output rows of one task, block by block. */
struct qnt__walk {
    const struct qnt__run *run;
    ptrdiff_t slice; /* bytes to the group's input channels */
    size_t most;     /* rows of a block */
    size_t row, end; /* what is left */
    bool zones;      /* column by column at the edges: see qnt__rows_zones() */
    size_t band;     /* zones: lines that meet the same kernel rows; 0: a new band begins */
    size_t band_end; /* without zones: first row that may meet others than these: */
    size_t first_tap, taps;
    size_t x, line, inner; /* zones: place within the band; columns from x on: */
    size_t wide, first_k, depth;
};

/* True if blocks should meet the same kernel columns as well as the same kernel rows. Then a task
 * has whole lines. */
bool qnt__rows_zones(const struct qnt__run *run);

/* True if no block reads padding, so that there need not be any. */
bool qnt__rows_inside(const struct qnt__run *run);

/* The walk over rows first..end-1. */
struct qnt__walk qnt__rows_walk(const struct qnt__run *run, ptrdiff_t slice, size_t first,
                                size_t end);

/* Panels of words, or of codes that stand for them. */
struct qnt__packed {
    const int16_t *words;    /* or NULL */
    const uint8_t *residues; /* of them, panels of bytes, or NULL */
    const uint8_t *cells;
    size_t panel_bytes; /* of codes */
};

/* y[m][QNT__BLOCK_PANELS * 16] = the rows times panels of words; scale is that of the first panel.
 * `expanded` has room for words of one part. */
void qnt__words_multiply(const struct qnt__run *run, const struct qnt__rows *rows,
                         const struct qnt__packed *weight, size_t panels, const float *scale,
                         int16_t *expanded, float *y);

/* The same for panels of the bytes of words, those of low bytes first, and sums of their columns. */
void qnt__words_multiply_bytes(const struct qnt__run *run, const struct qnt__rows *rows,
                               const uint8_t *weight, size_t panels, const float *scale,
                               const double *column_sum, float *y);

/* Makes these panels of places, and the sums. */
void qnt__words_expand_bytes(const struct qnt__run *run, size_t first, size_t panels,
                             uint8_t *weight, double *column_sum);

/* The next block; false at the end. */
bool qnt__rows_next(struct qnt__walk *walk, struct qnt__rows *rows);

#endif
