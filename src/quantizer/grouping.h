/*
 * Walking over a tensor group by group or element by element, in chunks that fit in the first
 * cache.
 *
 * A tensor is seen as a matrix; a piece is a rectangle of it, the work of one task; pieces do not
 * depend on the number of workers. A chunk is at most QNT__CHUNK elements of a piece in a buffer,
 * divided into segments of one group each. Where neighbours in memory belong to different groups,
 * the buffer holds a tile column by column, so that a segment is contiguous there too.
 */
#ifndef QNT__QUANTIZER_GROUPING_H
#define QNT__QUANTIZER_GROUPING_H

#include "quantizer.h"

enum {
    QNT__CHUNK = 4096,   /* elements of a chunk that needs a buffer */
    QNT__TILE = 64,      /* columns of a transposed chunk */
    QNT__EACH_MIN = 32   /* columns from which going row by row pays */
};

struct qnt__piece {
    size_t row, row_end, column, column_end;
    size_t pitch; /* elements from one row to the next */
};

/* Zero before the first call of qnt__piece_next but for the two wishes. */
struct qnt__chunk {
    bool unbuffered;      /* wish: chunks as long as the piece allows */
    bool many_groups;     /* wish: segments of several groups, and no tiles where rows are wide */
    size_t row, column;   /* in the matrix */
    size_t rows, columns; /* of the chunk */
    size_t pitch, first;  /* number of its first element in row-major order */
    size_t count;
    bool transposed; /* in the buffer, element (r, c) is at c rows + r */
    size_t run;      /* element i of a segment belongs to group + i / run */
};

/* The group of an element, given by its number in row-major order. */
size_t qnt__group_at(const struct qnt__grouping *grouping, size_t element);

/* How many elements a group has. */
size_t qnt__group_size(const struct qnt__grouping *grouping, size_t group);

/* Pieces that cover all elements, each once. */
size_t qnt__element_pieces(const struct qnt__grouping *grouping);
struct qnt__piece qnt__element_piece(const struct qnt__grouping *grouping, size_t index);

/* Pieces that consist of the whole groups *group..*group_end - 1, each visited in row-major
 * order. */
size_t qnt__group_pieces(const struct qnt__grouping *grouping);
struct qnt__piece qnt__group_piece(const struct qnt__grouping *grouping, size_t index,
                                   size_t *group, size_t *group_end);

/* The next chunk of a piece; false after the last. */
bool qnt__piece_next(const struct qnt__grouping *grouping, const struct qnt__piece *piece,
                     struct qnt__chunk *chunk);

/* The segment that begins at `at` in the buffer; false at the end of the chunk. Unless `at` is 0,
 * *group is that of the segment before. Without the wish for many groups it has one. */
bool qnt__chunk_segment(const struct qnt__grouping *grouping, const struct qnt__chunk *chunk,
                        size_t at, size_t *group, size_t *n);

#endif
