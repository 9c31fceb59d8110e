/* A line of the result of a convolution of packed digits while it is made. */
#ifndef QNT__KERNEL_LOWBIT_LINE_H
#define QNT__KERNEL_LOWBIT_LINE_H

#include "base/carve.h"
#include "lowbit_conv.h"

/* Outputs first to first + outputs - 1 of a line, and room for them. */
struct qnt__lowbit_line {
    size_t image, row, first, outputs;
    int32_t *box;  /* [width] */
    int32_t *sum;  /* [width][outputs], on the way to floats */
    uint8_t *code; /* [width][groups of the result in this part][3 T] */
    size_t pixel;  /* bytes of a pixel in `code` */
};

/* Where n outputs of a pixel become codes next to each other; NULL: nowhere, they are in several groups. */
uint8_t *qnt__lowbit_find_codes(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                                size_t column, size_t output, size_t n);

/* What becomes of m pixels from `column` on: outputs `output` to output + n - 1, ld apart. */
void qnt__lowbit_keep_sums(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                           const int32_t *acc, size_t ld, size_t column, size_t m, size_t output,
                           size_t n);
void qnt__lowbit_keep_codes(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                            const uint8_t *codes, size_t ld, size_t column, size_t m, size_t output,
                            size_t n);

/* The line's sums to floats, and to codes; its codes to the packed result; and around all lines. */
void qnt__lowbit_run_floats(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l);
void qnt__lowbit_pack_line(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l);
void qnt__lowbit_clear_border(const struct qnt__lowbit_conv *c);

#endif
