/*
 * Elements by their number in row-major order, whatever the strides.
 *
 * Flattening merges axes that follow each other in memory, so that a range of a compact view is one
 * run. It changes neither the order nor the place of any element.
 */
#ifndef QNT__TENSOR_RANGE_H
#define QNT__TENSOR_RANGE_H

#include "view.h"

/* Merges axes. The view serves for ranges afterwards, no longer for axes. */
void qnt__view_flatten(struct qnt__view *view);

/* n float elements from number `first`, as float32: in place if they lie so, else in buffer[n]. */
const float *qnt__range_f32(const struct qnt__simd *simd, const struct qnt__view *view,
                            size_t first, size_t n, float *buffer);

/* Where n float32 elements from number `first` may be written in place, else NULL. */
float *qnt__range_f32_place(const struct qnt__view *view, size_t first, size_t n);

/* Writes n floats from number `first`. */
void qnt__range_write_f32(const struct qnt__simd *simd, const struct qnt__view *view, size_t first,
                          size_t n, const float *in);

/* The same for codes: one byte each, or one uint16_t each if the view's type has 16 bits. */
const void *qnt__range_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                             size_t first, size_t n, void *buffer);
void *qnt__range_codes_place(const struct qnt__view *view, size_t first, size_t n);
void qnt__range_write_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                            size_t first, size_t n, const void *in);

#endif
