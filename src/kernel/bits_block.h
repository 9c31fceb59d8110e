/*
 * A block of a product of bit planes: some rows and columns, of which integers are formed by one of the
 * ways and floats made at once. gemm_bits_run.c cuts products into blocks, gemm_bits_block.c runs one.
 */
#ifndef QNT__KERNEL_BITS_BLOCK_H
#define QNT__KERNEL_BITS_BLOCK_H

#include "bits_sums.h"

enum {
    QNT__BITS_NARROW = QNT__BLOCK_PANELS * QNT__PANEL,
    QNT__BITS_COLUMNS = QNT__ADDER_PANELS * QNT__PANEL, /* most of a block */
    QNT__BITS_TILE = QNT__BLOCK_ROWS * QNT__SIX_PANELS * QNT__PANEL
};

/* A product on one of its paths, and the memory that its tasks share. */
struct qnt__bits_job {
    const struct qnt__bits_product *g;
    enum qnt__bits_path path;
    bool combine;  /* planes in integers, in columns where coefficients double */
    uint8_t *rows; /* of the slab, row_bytes each */
    int32_t *sums; /* of the codes of each, [blocks], for tables */
    size_t row_bytes;
    size_t first, end; /* the slab */
    size_t task_rows, task_columns;
    size_t parts; /* of the columns, where tasks prepare rows themselves */
    int32_t *acc; /* [workers][acc_count]; from part_at on for one more plane, or planes as bytes */
    size_t acc_count, part_at;
    float *coef; /* [workers][coef_count], of the columns of a task: [planes][blocks][QNT__BITS_NARROW] */
    size_t coef_count;
};

/* Up to 1,024 rows of bytes and 64 columns, 256 rows for adders and 512, 48 of another form and 64 or
 * 256. */
struct qnt__bits_block {
    const struct qnt__bits_job *job;
    const uint8_t *rows; /* from row `base` on, and the sums of their codes */
    const int32_t *sums;
    size_t base;
    size_t row, m, column, n;
    size_t doubling; /* columns of it with integers of all planes */
    bool doubles[QNT__BITS_COLUMNS];
    float coef[QNT__BITS_PLANES][QNT__BITS_COLUMNS];  /* of the planes of b */
    float *block_coef;                                /* of planes and blocks, where there are several */
    int32_t ones[QNT__BITS_PLANES][QNT__BITS_COLUMNS]; /* their numbers of ones, for counting */
    int32_t *acc, *part;                              /* integers of the path; of one more plane */
    uint8_t *cells;                                   /* planes as bytes */
    int32_t w_sum[QNT__BITS_COLUMNS];                 /* the epilogue's constant of columns */
    int32_t one[QNT__TABLE_ROWS];                     /* and of rows, for counting */
    uint32_t tile[2][QNT__BITS_TILE];                 /* results that do not go to c as they are */
};

/* Words from a plane of b to the same one of the next panel. */
static inline size_t qnt__bits_panel_words(const struct qnt__bits_product *g)
{
    return g->b_planes * (g->words + 1) * QNT__PANEL;
}

/* Plane i of b, of the block's first panel. */
static inline const uint64_t *qnt__bits_plane(const struct qnt__bits_block *b, size_t i)
{
    const struct qnt__bits_product *g = b->job->g;
    const uint64_t *all = (const void *)g->b.data;
    return all + b->column / QNT__PANEL * qnt__bits_panel_words(g) +
           i * (g->words + 1) * QNT__PANEL;
}

static inline size_t qnt__bits_panels(const struct qnt__bits_block *b)
{
    return qnt__ceil_div(b->n, QNT__PANEL);
}

/* May slots write the result where it belongs? They take rows of aligned numbers. */
static inline bool qnt__bits_in_rows(const struct qnt__view *c)
{
    return c->strides[1] == 1 && c->strides[0] >= 0 && (uintptr_t)c->data % sizeof(float) == 0;
}

/* A row in the form of the path. */
static inline const uint8_t *qnt__bits_row(const struct qnt__bits_block *b, size_t row)
{
    return b->rows + (b->row - b->base + row) * b->job->row_bytes;
}

/* What becomes of integers of `planes` planes of b from `plane` on; a_coef is 1 of numbers. */
struct qnt__bits_result {
    size_t plane, planes;
    float a_coef;
    bool accumulate;
    uint32_t *y; /* of the block */
    size_t ld;
};

/* Where results of a piece go. */
static inline struct qnt__results qnt__bits_results(const struct qnt__bits_result *to,
                                                    const struct qnt__bits_piece *piece)
{
    return (struct qnt__results){(const void *)(to->y + piece->row * to->ld + piece->column),
                                 piece->apart * to->ld * sizeof *to->y, piece->n * sizeof *to->y};
}

/* y = or += integers of a piece, as they are or times coefficients. */
void qnt__bits_finish(struct qnt__bits_block *b, const struct qnt__bits_result *to,
                      const struct qnt__bits_piece *piece);

/* Products of bytes, seven for eight, of all rows of a block; int32 that they need, for rows of a block. */
void qnt__bits_strassen_memory(const struct qnt__bits_product *g, size_t rows, size_t *acc,
                               size_t *cells);
void qnt__bits_multiply_strassen(struct qnt__bits_block *b, const struct qnt__bits_result *to);

/* Runs a block whose rows have the form of the path, and whose columns' coefficients are loaded. */
void qnt__bits_run_block(struct qnt__bits_block *b);

#endif
