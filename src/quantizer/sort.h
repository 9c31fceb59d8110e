/* Sorting values, with weights carried along. */
#ifndef QNT__QUANTIZER_SORT_H
#define QNT__QUANTIZER_SORT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of scratch for n values; SIZE_MAX if that overflows. */
size_t qnt__sort_scratch(size_t n, bool weighted);

/* Bytes of scratch for up to 256 values without weights. */
enum { QNT__SORT_256 = (256 * 4 * sizeof(size_t)) + 256 * sizeof(float) };

/* Sorts values without NaN ascending, and their weights (NULL: none) with them. Values that are equal
 * keep their order. scratch is 64-byte aligned. */
void qnt__sort_f32(float *values, double *weights, size_t n, void *scratch);

#endif
