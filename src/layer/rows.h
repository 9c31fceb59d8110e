/* Blocks of output rows and their input. */
#ifndef QNT__LAYER_ROWS_H
#define QNT__LAYER_ROWS_H

#include "run.h"

/* Walks over output rows. */
struct qnt__cursor {
    size_t image, y, x;
};

struct qnt__cursor qnt__cursor_at(const struct qnt__geometry *g, size_t row);

/* The input of one block. */
struct qnt__rows {
    const uint8_t *at[QNT__BLOCK_ROWS];
    int32_t zero[QNT__BLOCK_ROWS];
    float scale[QNT__BLOCK_ROWS];
    size_t m;
    size_t first_tap, taps; /* the others meet padding only, in all of these rows */
};

/* Takes up to `most` rows from the cursor on; `slice` is the bytes to the group's input channels.
 */
void qnt__rows_next(const struct qnt__run *run, ptrdiff_t slice, struct qnt__cursor *cursor,
                    size_t most, struct qnt__rows *rows);

#endif
