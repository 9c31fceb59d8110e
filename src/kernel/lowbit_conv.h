/*
 * A convolution of packed digits that has been checked: what qnt_conv_lowbit and layers of packed
 * digits share. A sum becomes an int32, a digit by thresholds, or a float and a digit by thresholds
 * of floats.
 */
#ifndef QNT__KERNEL_LOWBIT_CONV_H
#define QNT__KERNEL_LOWBIT_CONV_H

#include "geometry.h"
#include "simd/slots.h"
#include "tensor/view.h"

/* Thresholds of sums, block by block of 64 outputs as the slots read them; a sum has 16 bits where
 * that is proven to be enough. */
struct qnt__lowbit_limits {
    int32_t half; /* 16 bits: struct qnt__lowbit_codes; -1: 32 bits */
    void *data;   /* qnt__lowbit_limits_bytes(), aligned to 4; NULL: none */
};

/* A packed result: bytes [batch][height][width][groups][triples], border included. */
struct qnt__lowbit_packed {
    uint8_t *data; /* NULL: none */
    size_t height, width, top, left, groups, triples;
};

/* The way through floats: struct qnt__lowbit_floats for all outputs, in the order of the result. */
struct qnt__lowbit_affine {
    const float *scale, *shift; /* [outputs] */
    float limit[3];
    int first, last;
    bool transpose; /* output c of group g is channel c groups + g of the result */
};

struct qnt__lowbit_conv {
    const qnt_context *context;
    struct qnt__geometry g; /* without padding: pixels have it */
    bool sixes;             /* a byte of taps has six digits of one bit, not three */
    size_t group_outputs, blocks, triples, tap_count;
    size_t depth; /* bytes of taps for `triples` */
    int32_t step, zero;
    const uint8_t *pixels, *taps;
    struct qnt__lowbit_limits limits;
    struct qnt__lowbit_packed packed;
    const struct qnt__lowbit_affine *affine; /* NULL: sums or digits */
    const uint8_t *filters; /* of layers that may run in tiles, see lowbit_filters.h; or NULL */
    const struct qnt__view *sums;            /* int32 [B,OH,OW,O] or NULL */
    const struct qnt__view *identity, *y;    /* of affine: float32, channels adjacent; or NULL */

    /* set by qnt__lowbit_run */
    enum qnt__lowbit_form form;
    const uint8_t *x; /* pixels, or what they became */
    size_t x_bytes;   /* of a pixel's group */
    uint8_t *joined;  /* [B][H][W][groups][depth], if taps have sixes: pixels that have */
    uint8_t *high;    /* [workers]: some digit has two bits */
    size_t parts;     /* tasks for one line of the result */
    ptrdiff_t *tap;   /* [tap_count] bytes from a pixel of the result to its taps */
    size_t pair_taps; /* 0: no pairs of pixels in the last block of a group */
    uint8_t *pairs;   /* [groups][depth][pair_taps][64] */
    ptrdiff_t *pair;  /* [pair_taps] as tap */
    int32_t *digits; /* [B][H][groups][W]: sums over the digits of a pixel */
    uint8_t *line;   /* [workers][line_bytes] */
    size_t line_bytes;
};

/* Whether taps of this many channels in a group may have sixes: they need two triples. */
bool qnt__lowbit_may_join(size_t channels);

/* Checks levels and sizes, and finds blocks, triples, depth and taps; `name` is what the reason
 * names. */
qnt_status qnt__lowbit_close(struct qnt__lowbit_conv *c, const char *name);

/* The magnitude that no sum of c exceeds. */
int32_t qnt__lowbit_reach(const struct qnt__lowbit_conv *c);

/* 0 or 1 if 16 bits hold every sum of c, else -1: `half` of the limits. */
int32_t qnt__lowbit_half(const struct qnt__lowbit_conv *c);

size_t qnt__lowbit_block_bytes(int32_t half);

/* No threshold is ever reached; then, output by output: the digit of v is the number of thresholds
 * that v reaches, v >= row[k]; or, if it falls, v <= row[k]. */
void qnt__lowbit_limits_clear(const struct qnt__lowbit_conv *c);
void qnt__lowbit_limits_set(const struct qnt__lowbit_conv *c, size_t output, const int32_t row[3],
                            bool falls);

/* Whether the last block of a group has 32 outputs or fewer, so that it may take two pixels. Then
 * limits are set for both. */
bool qnt__lowbit_is_half(const struct qnt__lowbit_conv *c);

/* Taps that a pair of pixels meets; 0 if pairs do not pay. */
size_t qnt__lowbit_pair_taps(const struct qnt__lowbit_conv *c);

/* Weights and places of those taps. */
void qnt__lowbit_pair_up(const struct qnt__lowbit_conv *c, uint8_t *weight, ptrdiff_t *tap);

/* How many tasks may share a line of the result: groups of the convolution can be made apart if no group
 * of the result mixes them. */
size_t qnt__lowbit_parts(const struct qnt__lowbit_conv *c);

/* Convolutions in tiles: whether c has filters, and where these are made: when the layer is, or, of taps
 * that it keeps in another order, when it runs. */
enum qnt__lowbit_making { QNT__NO_FILTERS, QNT__FILTERS_READY, QNT__FILTERS_MADE };
enum qnt__lowbit_making qnt__lowbit_making(const struct qnt__lowbit_conv *c);

/* Bytes of filters, SIZE_MAX if they do not fit; taps, and thresholds if there are any, become filters;
 * whether c runs in tiles; a run, and the bytes it takes. */
size_t qnt__lowbit_filter_bytes(const struct qnt__lowbit_conv *c);
void qnt__lowbit_filter(const struct qnt__lowbit_conv *c, uint8_t *filters);
bool qnt__lowbit_tiles_serve(const struct qnt__lowbit_conv *c);
size_t qnt__lowbit_tiles_workspace(struct qnt__lowbit_conv *c);
qnt_status qnt__lowbit_tiles_run(struct qnt__lowbit_conv *c, void *workspace);

/* Bytes that a run takes, for any alignment of the block; SIZE_MAX if they do not fit. */
size_t qnt__lowbit_workspace(struct qnt__lowbit_conv *c);

/* Runs, with a block of that size. */
qnt_status qnt__lowbit_run(struct qnt__lowbit_conv *c, void *workspace);

#endif
