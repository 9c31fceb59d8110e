/*
 * What a layer holds: numbers (struct qnt__layer_head) and arrays in one 64-byte aligned block,
 * whose size and sections follow from the numbers alone. A blob is a head and that block; borrowing
 * points `data` into the blob.
 */
#ifndef QNT__LAYER_LAYER_H
#define QNT__LAYER_LAYER_H

#include <stdbool.h>

#include "base/arith.h"
#include "context/context.h"
#include "qnt/layer.h"
#include "simd/layout.h"

/* How the sums over k are formed. A property of the quantizers and weights, never of the CPU. */
enum {
    QNT__DECODE = 0,    /* floats or decoded codes, weights decoded into the workspace: gemm_f32 */
    QNT__INTEGER = 1,   /* unsigned bytes times panels, exact: gemm_s8 */
    QNT__BLOCKS = 2,    /* signed bytes times panels, a scale for each block of k: gemm_blocks */
    QNT__DEPTHWISE = 3, /* one channel to a group: depthwise_s8 */
    QNT__PLANES = 4,    /* codes times planes of signs, exact: kernel/bits.h */
    QNT__WORDS = 5      /* int16 times int16, a scale for each block of k: gemm_s16 (words_run.c) */
};

enum { QNT__IN_FLOAT = 0, QNT__IN_STATIC = 1, QNT__IN_DYNAMIC = 2 };

/* A format of input or output codes. */
struct qnt__layer_codes {
    int32_t kind;  /* QNT__IN_ value; of outputs QNT__IN_FLOAT or QNT__IN_STATIC */
    int32_t bits;  /* 1..8 */
    int32_t flags; /* of qnt_spec; signed and symmetric where codes stand for levels */
    int32_t zero;
    float scale;
    float offset; /* with QNT_REAL_OFFSET: of outputs, of inputs with QNT__DECODE only */
};

struct qnt__layer_head {
    int32_t kind, layout, activation, flags; /* of qnt_layer_spec */
    float low, high;                         /* of the activation; infinite where it has no bound */
    int32_t groups, group_shift;             /* defaults filled in, as in all of these */
    int32_t stride[2], dilation[2], pad[4];
    struct qnt__layer_codes input, output;
    int32_t arithmetic;  /* QNT__DECODE ... */
    int32_t weight_bits; /* as asked for; of integer levels what they need (divide.c); planes */
    int32_t cell_bits;   /* of a panel: 2 to 8, or 16; of depthwise weights 8, of planes 1 */
    int32_t arrays;      /* QNT__HAS_ bits */
    int64_t outputs;     /* N or O */
    int64_t channels;    /* K, or input channels of one group */
    int64_t kernel[2];   /* 1 x 1 of QNT_DENSE */
    int64_t block;       /* k that share a scale; 0: all of them */
    int64_t panels;      /* of one group, with QNT__HAS_POINTS; else 0 */
};

enum {
    QNT__TABLE = 128,    /* most entries of a table of integers */
    QNT__TABLE_BITS = 7, /* wider codes become the integers themselves */
    QNT__NARROW_BITS = 4 /* of codes that kernels look up where they multiply */
};

/* How floats become codes of a codebook: by their rank among ascending thresholds. */
struct qnt__book {
    float threshold[256]; /* infinite from the last one on */
    uint8_t code[256];    /* by rank; of outputs, the rank of NaN is `zero` */
};

/* Optional arrays. */
enum {
    QNT__HAS_ZERO = 1,
    QNT__HAS_OFFSET = 2,
    QNT__HAS_BIAS = 4,
    QNT__HAS_SUM = 8,
    QNT__HAS_LEVELS = 16,            /* codes are places in one table of levels, QNT__DECODE only */
    QNT__HAS_OWN_LEVELS = 32,        /* or in a table for each scale */
    QNT__HAS_INPUT_LEVELS = 64, /* input codes are places in a table: of integers; of floats, and a
                                   book of their thresholds, with QNT__DECODE */
    QNT__HAS_INPUT_THRESHOLDS = 128, /* integers change at given places, not half way between */
    QNT__HAS_TABLE = 256, /* codes are places in one table of integers; exact arithmetic, or words */
    QNT__HAS_OWN_TABLES = 512,  /* or in a table for each column */
    QNT__HAS_OUTPUT_BOOK = 1024, /* output codes are those of a codebook */
    QNT__HAS_BLOCK_TABLES = 2048, /* codes are places in a table of integers for each scale */
    QNT__HAS_POINTS = 4096, /* columns of panels are points of outputs (points.c), QNT__INTEGER only */
    QNT__HAS_TABLES = QNT__HAS_TABLE | QNT__HAS_OWN_TABLES | QNT__HAS_BLOCK_TABLES
};

/*
 * Shape of the weights as the kernels see them. One group's columns fill whole panels, so that
 * column j of group g is number g * group_columns + j of every array; columns without an output are
 * 0. Where weights are points, panels have more columns than there are outputs.
 */
struct qnt__layer_shape {
    size_t inputs;        /* K of one output: kernel elements times channels */
    size_t tap_count;     /* runs of k that are contiguous in the input */
    size_t depth;         /* k of one tap, at least 1; of merged groups all of their channels */
    size_t panel_depth;   /* depth rounded up to whole cells, or to whole blocks */
    size_t tap_parts;     /* kernel columns of a tap, if each is whole cells, else 1 */
    size_t merged;        /* groups that run as one: 16 of depthwise words, else 1 */
    size_t group_outputs; /* outputs of one group, or of those that run as one */
    size_t group_panels;
    size_t panels;        /* of all groups */
    size_t group_columns; /* outputs of one group, in whole panels */
    size_t columns;       /* of all groups */
    size_t blocks;        /* scales of one column */
    size_t panel_bytes;
};

/* Do epilogues form floats, whatever becomes of them? */
static inline bool qnt__layer_finishes_floats(const struct qnt__layer_head *h)
{
    return h->output.kind == QNT__IN_FLOAT || (h->arrays & QNT__HAS_OUTPUT_BOOK);
}

/* Are sums whole numbers of all of k that int32 holds? */
static inline bool qnt__layer_sums_integers(const struct qnt__layer_head *h)
{
    return h->arithmetic != QNT__DECODE && h->arithmetic != QNT__BLOCKS &&
           h->arithmetic != QNT__WORDS;
}

/* Bits of input codes that are 0 for -1 and 1 for +1. */
static inline bool qnt__layer_takes_signs(const struct qnt__layer_head *h)
{
    return h->arithmetic == QNT__PLANES && (h->arrays & QNT__HAS_INPUT_LEVELS);
}

struct qnt_layer {
    struct qnt__memory memory;
    struct qnt__layer_head head;
    struct qnt__layer_shape shape; /* follows from the head */
    bool borrowed;                 /* data belongs to somebody else */
    size_t bytes;                  /* of data, a multiple of 64 */
    const uint8_t *data;   /* all that follows, each section 64-byte aligned, in this order */
    const uint8_t *weight; /* panels; depthwise: int8 [taps][columns]; planes: qnt_pack_bits() */
    const float *scale;    /* [panel][block][16]: the multiplier, or a scale for each block */
    const int32_t *zero;   /* [panel][block][16] or NULL: the code of the weight 0 */
    const int8_t *zero8;   /* the same in bytes, QNT__BLOCKS only */
    const float *offset;   /* [panel][block][16] or NULL: value of code 0, QNT__DECODE only */
    const int32_t *sum;    /* [columns] or NULL: sum over k of code - zero */
    const float *fsum;     /* the same times scale, QNT__BLOCKS with dynamic zero points */
    const float *bias;     /* [columns] or NULL */
    const float *levels;   /* [2^weight_bits], or that for each scale, or NULL: the value over the
                              scale of code + 2^(weight_bits - 1) */
    const int8_t *input_levels;    /* [256] or NULL: by input code, 2^bits of them */
    const float *input_thresholds; /* [256] or NULL: the code is the number of those below x */
    const int8_t *tables;          /* [qnt__layer_table], or that for each column or scale, or NULL:
                                      by field of a cell */
    const int16_t *input_words; /* of QNT__WORDS, instead of input_levels: [256], 0 from 2^bits on */
    const int16_t *table_words; /* and instead of tables: [256] */
    const float *input_values;  /* of QNT__DECODE, instead of input_levels: [256]; dynamic: -1, 1 */
    const struct qnt__book *input_book; /* and instead of input_thresholds */
    const struct qnt__book *output_book; /* or NULL */
    const int32_t *coef; /* [planes][columns] or NULL, QNT__PLANES: twice the weights of planes; of points
                            [panel][16] */
    const int32_t *start;  /* of points [group][block + 1], else NULL: the first output of each block of
                              QNT__BLOCK_PANELS panels, then all outputs of the group */
    const uint8_t *output; /* and [panel][16]: the output within the block that a column behind the first
                              points belongs to */

    size_t winograd_depth; /* channels whose sums minimal filtering may form together; 0: no such layer */
    int32_t *left_out; /* [tap, part][columns] or NULL: what `sum` gains without this part of the kernel;
                          not of data, see part_sums.c */
    size_t left_out_bytes;
};

/* Outputs of a group that a block of panels has. */
struct qnt__layer_outputs {
    size_t first, count;
};

/* Blocks of panels of one group. */
static inline size_t qnt__layer_blocks(const struct qnt__layer_shape *s)
{
    return qnt__ceil_div(s->group_panels, QNT__BLOCK_PANELS);
}

/* The outputs of `panels` panels of a group from one on; of points this is the first one of a block. */
static inline struct qnt__layer_outputs qnt__layer_outputs(const qnt_layer *layer, size_t group,
                                                           size_t panel, size_t panels)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t first = panel * QNT__PANEL;
    if (!layer->start) {
        return (struct qnt__layer_outputs){first, qnt__min(s->group_outputs - first, panels * QNT__PANEL)};
    }
    const int32_t *start =
        layer->start + group * (qnt__layer_blocks(s) + 1) + panel / QNT__BLOCK_PANELS;
    return (struct qnt__layer_outputs){(size_t)start[0], (size_t)(start[1] - start[0])};
}

/* Sums of all columns of a block of panels become those of its outputs, m rows of QNT__BLOCK_PANELS panels;
 * nothing is done where columns are outputs. */
void qnt__layer_reduce(const struct qnt__simd *simd, const qnt_layer *layer, size_t group, size_t panel,
                       size_t panels, size_t m, int32_t *acc);

/* Checks every number of a head, which may come from a hostile blob, and derives the shape and the
 * bytes of data. Failures have the given status. */
qnt_status qnt__layer_measure(const qnt_context *context, qnt_status status,
                              const struct qnt__layer_head *head, struct qnt__layer_shape *shape,
                              size_t *bytes);

/* Finds left_out, from the weights, if padding has a code other than 0. */
qnt_status qnt__layer_sum_parts(const qnt_context *context, qnt_layer *layer);

/* Finds out whether the layer may run by minimal filtering, and how. */
void qnt__winograd_measure(qnt_layer *layer);

/* May weights be places in tables of integers? */
bool qnt__layer_may_pack(const struct qnt__layer_head *head);

/* Entries of one of them. */
static inline size_t qnt__layer_table(const struct qnt__layer_head *head)
{
    return (size_t)1 << (head->cell_bits < QNT__NARROW_BITS ? QNT__NARROW_BITS : head->cell_bits);
}

/* Is there more than one? */
static inline bool qnt__layer_has_own_tables(const struct qnt__layer_head *head)
{
    return head->arrays & (QNT__HAS_OWN_TABLES | QNT__HAS_BLOCK_TABLES);
}

/* The first table of block b of a panel. */
static inline const int8_t *qnt__layer_tables(const qnt_layer *layer, size_t panel, size_t b)
{
    if (!qnt__layer_has_own_tables(&layer->head)) return layer->tables;
    if (layer->head.arrays & QNT__HAS_BLOCK_TABLES) panel = panel * layer->shape.blocks + b;
    return layer->tables + panel * QNT__PANEL * qnt__layer_table(&layer->head);
}

/* Checks what a hostile blob could have besides wrong numbers: combinations and array contents that
 * running does not expect. QNT_E_FORMAT if so. */
qnt_status qnt__layer_verify(const qnt_context *context, const qnt_layer *layer);

/* Are all floats finite that weights, sums and results are multiplied with or added to? */
bool qnt__layer_is_finite(const qnt_layer *layer);

/* Points the sections into data; head and shape are set. */
void qnt__layer_attach(qnt_layer *layer, const uint8_t *data, size_t bytes);

#endif
