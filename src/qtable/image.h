/* A picture as planes of 8x8 blocks. */
#ifndef QNT__QTABLE_IMAGE_H
#define QNT__QTABLE_IMAGE_H

#include <stdbool.h>

#include "context/context.h"
#include "qnt/qtable.h"

enum { QNT__MOST_PLANES = 3 };

struct qnt__plane {
    int32_t shrink;       /* pixels of the picture for one sample, each way: 1 or 2 */
    size_t wide, high;    /* blocks that hold samples */
    size_t across, down;  /* blocks with those that fill whole units of coding */
    int16_t *coefficient; /* QNT_DCT_INTEGER: eight times the coefficient */
    float *fine;          /* QNT_DCT_FLOAT */
    int16_t *level;       /* [down][across][64], 0 unless the caller has seen them */
};

struct qnt_image {
    struct qnt__memory memory;
    size_t bytes; /* of this block */
    qnt_image_spec spec;
    int32_t planes;
    bool read, quantized;
    bool seen;     /* the caller has pointers to levels, and may change them */
    size_t tables; /* of the last quantization */
    struct qnt__steps steps[QNT__MOST_PLANES];
    struct qnt__plane plane[QNT__MOST_PLANES];
};

#endif
