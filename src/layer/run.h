/*
 * One run of a layer: the tensors, where things are in the workspace, and the steps.
 *
 * 1. stage:   the input becomes padded rows of bytes (or floats) in the workspace, unless the
 * kernels can read it where it is;
 * 2. product: blocks of up to 48 output rows times up to 4 panels, each followed by
 * 3. epilogue, which writes y.
 */
#ifndef QNT__LAYER_RUN_H
#define QNT__LAYER_RUN_H

#include "kernel/bits.h"
#include "kernel/geometry.h"
#include "layer.h"
#include "tensor/view.h"

enum {
    QNT__CHUNK = 1024,     /* elements converted at a time */
    QNT__IMAGE_SLACK = 64, /* elements behind the staged input: cells of the last tap reach there */
    QNT__TILE = QNT__GEMM_ROWS * QNT__BLOCK_PANELS * QNT__PANEL
};

/* Byte offsets from the aligned start of the workspace. */
struct qnt__places {
    size_t image;   /* staged input */
    size_t ready;   /* rows of it that kernels want prepared */
    size_t affine;  /* struct qnt__affine of each dynamic row or image */
    size_t taps;    /* ptrdiff_t[tap_count] */
    size_t rows;    /* of QNT__PLANES: rows in the form of the path */
    size_t sums;    /* and an int32 for each */
    size_t pixels;  /* of winograd.c: filtered */
    size_t scratch; /* one piece for each worker */
    size_t each;    /* bytes of one of them */
    size_t bytes;   /* of all, slack for alignment included */
};

/* Byte offsets in the scratch of a worker. */
struct qnt__scratch {
    size_t acc;     /* int32 or float sums of one block */
    size_t tile;    /* finished floats or codes of one block */
    size_t codes;   /* encoded floats of one block */
    size_t floats;  /* QNT__CHUNK floats */
    size_t bytes;   /* QNT__CHUNK bytes */
    size_t weights; /* decoded panels, floats or bytes */
    size_t ready;   /* rows of one block, prepared */
    size_t sums;    /* of the columns of panels of words that are multiplied as bytes, double */
    size_t end;
};

/* How QNT__PLANES runs: the path, rows that are prepared together, which of them are at hand. */
struct qnt__planes {
    enum qnt__bits_path path;
    size_t words, row_bytes, slab;
    struct qnt__bits_share own;     /* with tables of six each worker has a slab */
    size_t acc, part, codes, cells; /* byte offsets in the scratch of a worker */
    size_t group, first, end;
};

/* A sum below 127.5 2^32 follows from its residues modulo 2^32 and 255. */
#define QNT__RESIDUE_LIMIT (127 * ((uint64_t)1 << 32))

enum { QNT__WORDS_DEPTH = 512 /* most k of which products of words are added up in int32 */ };

/* How QNT__WORDS runs (stage_words.c). */
struct qnt__words {
    bool bytes;          /* of words are multiplied (words_bytes.c); then */
    size_t weight_parts; /* 1, or 2 where a byte does not hold this side's integers */
    size_t input_parts;
    int8_t part[2][256]; /* of table_words: low bytes less 128 and high ones, or all of them */
    int32_t zero;        /* what is added to levels of inputs so that one byte holds them */
    bool both;           /* sides exceed a byte; then */
    bool residues;       /* x is itself, with its residues modulo 255 behind the image, and part[0] has
                            those of table_words, of the least magnitude; or */
    int parts;           /* 2, a high and a low number */
    bool few;            /* rows: weights that are codes become words where they are multiplied */
    size_t depth;        /* most k of one part of a sum */
    size_t image;        /* elements of a staged image */
};

/* How input codes, or floats, become the bytes of integer levels; of QNT__WORDS they stay codes. */
struct qnt__input_levels {
    uint8_t by_code[256], by_rank[256];
    struct qnt__thresholds thresholds;
};

/* How a convolution runs by minimal filtering (winograd.c), if it does. */
struct qnt__winograd_plan {
    bool serves;
    size_t panels;      /* multiplied together */
    size_t rows, tile;  /* of tiles, filtered together; words of a tile */
    size_t place;       /* sums of one place of tiles that are multiplied together */
    size_t chunks;      /* of so many rows */
    size_t blocks;      /* of panels, of all groups; */
    size_t parts;       /* tasks of each, which share its tiles */
    size_t bytes;       /* of filtered pixels */
    size_t lines, taps, cells, products, sums, results; /* byte offsets in the scratch of a worker */
};

struct qnt__run {
    const qnt_context *context;
    const qnt_layer *layer;
    struct qnt__view x;     /* QNT_CONV: [B,H,W,C] whatever the layout; QNT_DENSE: as given */
    struct qnt__view y;     /* QNT_CONV: [B,OH,OW,O]; QNT_DENSE: as given */
    struct qnt__geometry g; /* QNT_DENSE: one image of one row, a pixel for each row of x */
    size_t rows;            /* output pixels of all images */
    size_t element;         /* bytes of a staged element: 1, of QNT__WORDS 2 or 1, of QNT__DECODE 4 */
    size_t ready;           /* bytes of a row that is prepared for all columns; 0: none is */
    bool ready_late;        /* by the product, block by block, because no other columns wait for it */
    size_t decode_panels;   /* panels that are decoded, or unpacked, together; 0: none are */
    struct qnt__places places;
    struct qnt__scratch scratch;
    struct qnt__planes planes;
    struct qnt__winograd_plan winograd;
    uint8_t *space; /* aligned workspace */

    const uint8_t *base;                        /* pixel 0 of the input as the kernels read it */
    ptrdiff_t origin;                           /* from it to the padded input, in bytes: 0, or below */
    ptrdiff_t image_step, row_step, pixel_step; /* in bytes */
    ptrdiff_t *taps;                            /* in elements */
    struct qnt__affine input;                   /* how floats are encoded, static */
    struct qnt__affine *dynamic;
    struct qnt__input_levels levels; /* if the layer has levels of input codes */
    struct qnt__words words;         /* of QNT__WORDS */
    int32_t input_zero;              /* what the kernels see as 0, static */

    bool collapsed;    /* output row r begins at r * y_step */
    bool direct;       /* epilogues can write into y */
    bool shared_bytes; /* two tasks might write into one byte of packed codes */
    int64_t y_step;
    struct qnt__affine output;
    float low, high;              /* clamp, in units of the epilogue */
    struct qnt__thresholds ranks; /* if the layer has an output_book */
};

static inline uint8_t *qnt__run_image(const struct qnt__run *run)
{
    return run->space + run->places.image;
}

/* Row `row` as prepared before the product. */
static inline uint8_t *qnt__run_ready(const struct qnt__run *run, size_t row)
{
    return run->space + run->places.ready + row * run->ready;
}

static inline uint8_t *qnt__run_scratch(const struct qnt__run *run, size_t worker)
{
    return run->space + run->places.scratch + worker * run->places.each;
}

/* Shares tasks among the workers, unless waking them takes longer than the work; results are the
 * same. */
qnt_status qnt__run_share(struct qnt__run *run, qnt_task_fn task, size_t count, size_t work);

/* Finds extents and the layout of the workspace from shape and type of x. */
qnt_status qnt__run_plan(struct qnt__run *run, const qnt_context *context, const qnt_layer *layer,
                         const struct qnt__view *x);

/* Chooses between staging and reading in place, and stages. */
qnt_status qnt__run_stage(struct qnt__run *run);

/* Adjusts static or dynamic parameters to what the kernels see: unsigned or signed bytes. */
int32_t qnt__run_zero(const struct qnt__run *run, int32_t zero);

/* The products and their epilogues. */
qnt_status qnt__run_product(struct qnt__run *run);
qnt_status qnt__run_depthwise(struct qnt__run *run);
qnt_status qnt__run_planes(struct qnt__run *run);
qnt_status qnt__run_winograd(struct qnt__run *run);

/* Finds out whether rows of bytes are prepared for all columns, and when; false if that overflows. */
bool qnt__ready_plan(struct qnt__run *run);

/* Plans QNT__PLANES and its part of the scratch; false if that overflows. */
bool qnt__planes_plan(struct qnt__run *run);

/* Finds out whether the run goes by minimal filtering, and plans its part of the scratch; false if that
 * overflows. */
bool qnt__winograd_plan(struct qnt__run *run);

/* One block of finished sums. */
struct qnt__block {
    const void *acc; /* int32 or float, [m][ld] */
    size_t m, n, ld;
    size_t first_row;      /* of the output, */
    size_t row_step;       /* and from one row to the next */
    size_t column;         /* of the layer's arrays */
    size_t output;         /* of y */
    const int32_t *a_zero; /* [m] or NULL, with */
    const int32_t *w_sum;  /* [n] */
    const int32_t *a_sum;  /* [m] or NULL, with */
    const int32_t *w_zero; /* [n] */
    const float *scale;    /* [m] or NULL */
};

/* Some rows of a block of integer sums. */
static inline struct qnt__block qnt__block_rows(const struct qnt__block *block, size_t row, size_t rows)
{
    struct qnt__block b = *block;
    b.acc = (const int32_t *)b.acc + row * b.ld;
    b.m = rows;
    b.first_row += row * b.row_step;
    if (b.a_zero) b.a_zero += row;
    if (b.a_sum) b.a_sum += row;
    if (b.scale) b.scale += row;
    return b;
}

/* Where a block's results go, if no others lie between the columns of a row. */
struct qnt__results qnt__run_results(const struct qnt__run *run, const struct qnt__block *block);

void qnt__run_epilogue(const struct qnt__run *run, uint8_t *scratch,
                       const struct qnt__block *block);

/* Plans what products of words need; run->rows is known. The second decides whether bytes of words are
 * multiplied. */
void qnt__words_plan(struct qnt__run *run);
bool qnt__words_plan_bytes(struct qnt__run *run);

/* Places of `panels` panels from the first one become panels of words. */
void qnt__widen_panels(const struct qnt__run *run, size_t first, size_t panels, int16_t *out);

/* And panels of bytes, those of a table of 256 for these words. */
void qnt__part_panels(const struct qnt__run *run, const int8_t *table, size_t first, size_t panels,
                      uint8_t *out);

/* Decodes `panels` panels from the first one into floats [panel][tap, k][16]. */
void qnt__decode_panels(const struct qnt__run *run, size_t first, size_t panels, float *out);

/* Unpacks `panels` panels of codes, or looks up places, from the first one into panels of bytes. */
void qnt__expand_panels(const struct qnt__run *run, size_t first, size_t panels, uint8_t *out);

/* Bytes of a panel of bytes. */
static inline size_t qnt__expanded_bytes(const struct qnt__layer_shape *s)
{
    return s->tap_count * s->panel_depth * QNT__PANEL;
}

#endif
