/*
 * Slots of products with rows of activations that are prepared once for all columns, for levels whose
 * instruction adds the products of two neighbours in 16 bits and saturates: AVX2 (VPMADDUBSW). Others
 * multiply rows as they are and have no use for them.
 *
 * A weight w becomes the unsigned 127 - w, an activation u the signed x = 127 - u:
 *
 *     u w = x (127 - w) + 127 w - 127 x
 *
 * and a sum of two products stays within 16 bits if its x have different signs. So where they do not, the
 * second one is negated, and its weight v = 127 - w becomes 255 - v, because
 *
 *     x v = 255 x + (-x) (255 - v)
 *
 * Which activations of a row are negated is the same for all columns: the two pairs of a quad of k choose
 * one of four forms of a cell of weights, and what -127 x and 255 x add up to is a constant of the row. An
 * x of -128, u of 255, has no negative in a byte. Where it should be negated, 254 stands for 255, and the
 * weight has to be added once again; that happens only behind a neighbour above 127.
 */
#ifndef QNT__SIMD_SLOTS_PREPARED_H
#define QNT__SIMD_SLOTS_PREPARED_H

#include <stddef.h>
#include <stdint.h>

#include "results.h"

enum {
    QNT__PREPARED_ROWS = 512,    /* most rows of one call */
    QNT__PREPARED_TOGETHER = 16, /* quads of k that are written together: those behind the last are of 0 */
    QNT__FORMS = 4,              /* of a cell, 64 bytes each; bit 0 of the number negates the first pair */
    QNT__AGAIN = 14
};

/* A row; then, for all quads, four x each, and for all quads a byte, 64 times the form of its cell. */
struct qnt__prepared_row {
    int32_t constant;             /* what all sums of the row begin with */
    uint32_t again;               /* weights to be added once again; */
    uint32_t again_k[QNT__AGAIN]; /* their k, if there are no more than these */
};

/* Quads for which a row has room. */
static inline size_t qnt__prepared_room(size_t depth)
{
    const size_t together = 4 * QNT__PREPARED_TOGETHER;
    return (depth + together - 1) / together * QNT__PREPARED_TOGETHER;
}

/* Bytes of a row of `depth` k. */
static inline size_t qnt__prepared_bytes(size_t depth)
{
    return sizeof(struct qnt__prepared_row) + qnt__prepared_room(depth) * (4 + 1);
}

/* From a quad to the byte of the first one. */
static inline size_t qnt__prepared_forms(size_t depth)
{
    return 4 * qnt__prepared_room(depth);
}

/* Is the activation at an odd k one that 254 stands for? */
static inline int qnt__stands_for_255(const uint8_t *row, size_t k)
{
    return row[k] == 255 && row[k - 1] > 127;
}

/* acc[i][16 p + c] = sum over k < depth of row[i][k] * w[p][k][c] modulo 2^32, as gemm_s8 has it with one
 * tap and 8 bits. */
struct qnt__gemm_prepared {
    const uint8_t *prepared; /* m rows, one behind the other, aligned to 4 bytes */
    const uint8_t *row;      /* the same before, of `depth` bytes, */
    ptrdiff_t row_step;      /* and from one to the next */
    const uint8_t *weight;   /* first panel */
    int32_t *acc;            /* written, [m][ld] */
    size_t m;                /* 1..QNT__PREPARED_ROWS */
    size_t panels;           /* 1..QNT__BLOCK_PANELS */
    size_t depth;            /* a multiple of 4, at least 4 */
    size_t panel_bytes;      /* from one panel to the next */
    size_t ld;               /* of acc, in elements, at least 16 panels */
    struct qnt__results results; /* what becomes of acc, row by row: a hint */
    void (*done)(void *of, size_t row, size_t rows); /* told of rows whose sums are complete, in order */
    void *of;
};

/* X(name, return type, arguments) */
#define QNT__SLOTS_PREPARED(X)                                                                     \
    /* writes qnt__prepared_bytes(depth) bytes, aligned to 4; depth is a multiple of 4 */          \
    X(prepare_row, void, (const uint8_t *row, size_t depth, uint8_t *prepared))                    \
    X(gemm_prepared, void, (const struct qnt__gemm_prepared *g))

#endif
