/*
 * A checked copy of a tensor view, and reading and writing runs of its elements.
 *
 * Everything inside the library works on struct qnt__view: extents and strides are local, so a host
 * that changes its arrays meanwhile cannot break a check that was made.
 */
#ifndef QNT__TENSOR_VIEW_H
#define QNT__TENSOR_VIEW_H

#include <stdbool.h>

#include "qnt/tensor.h"
#include "simd/slots.h"

/* Kinds of element types, for saying what an argument may be. */
enum {
    QNT__FLOATS = 1,  /* f32, f16, bf16 */
    QNT__CODES = 2,   /* integers of 1 to 8 bits */
    QNT__CODES16 = 4, /* integers of 16 bits */
    QNT__INT32 = 8,
    QNT__FLOAT32 = 16,
    QNT__ANY = 32 /* any type that libqnt knows */
};

struct qnt__view {
    uint8_t *data; /* element 0, byte_offset included */
    int64_t shape[QNT_MAX_NDIM];
    int64_t strides[QNT_MAX_NDIM]; /* in elements */
    size_t count;                  /* elements */
    int ndim;
    uint8_t code, bits; /* dtype */
};

/* Checks a view completely and copies it. `name` is the argument's name in the reason. */
qnt_status qnt__view_open(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                          int kinds, struct qnt__view *view);

/* The same for a tensor that is about to be written: no two indices may meet in one element. */
qnt_status qnt__view_open_output(const qnt_context *context, const char *name, qnt_tensor *tensor,
                                 int kinds, struct qnt__view *view);

/* Only shape and type are read; data may be NULL. */
qnt_status qnt__view_open_shape(const qnt_context *context, const char *name,
                                const qnt_tensor *tensor, int kinds, struct qnt__view *view);

/* Writes shape, compact strides, type and device into a description that the caller will fill. */
qnt_status qnt__view_describe(const qnt_context *context, const char *name, int ndim,
                              const int64_t *shape, uint8_t code, uint8_t bits, qnt_tensor *out);

/* The first and one past the last byte that the view touches; both NULL if it has no elements. */
void qnt__view_range(const struct qnt__view *view, const uint8_t **first, const uint8_t **end);

bool qnt__view_overlaps(const struct qnt__view *a, const struct qnt__view *b);

/* Refuses views that overlap in memory, unless `same` allows that they are the same elements. */
qnt_status qnt__view_apart(const qnt_context *context, const char *a_name, const struct qnt__view *a,
                           const char *b_name, const struct qnt__view *b, bool same);

/* Refuses `b` unless it has the shape of `a`. */
qnt_status qnt__view_same_shape(const qnt_context *context, const char *a_name,
                                const struct qnt__view *a, const char *b_name,
                                const struct qnt__view *b);

/* What stands before the bits in the name of an element type, e.g. "uint"; of types that were checked. */
const char *qnt__type_class(uint8_t code);

/* Refuses a view unless it holds codes of this class and width, or one of them in each byte. */
qnt_status qnt__view_has_codes(const qnt_context *context, const char *name,
                               const struct qnt__view *view, int code, int bits);

/* True if strides are those of a compact row-major array. */
bool qnt__view_is_compact(const struct qnt__view *view);

/* Element offset of the row with the given number; rows are the runs along the last axis, counted
 * in row-major order. A scalar is one row of one element. */
int64_t qnt__view_row(const struct qnt__view *view, size_t row);
size_t qnt__view_rows(const struct qnt__view *view);
size_t qnt__view_row_length(const struct qnt__view *view);

/* One element of a view of int32, or of float32, at element offset `at`; views have any alignment. */
int32_t qnt__view_s32(const struct qnt__view *view, int64_t at);
float qnt__view_f32(const struct qnt__view *view, int64_t at);

/* Reads n float elements from element offset `at` with step `step` as float32. */
void qnt__read_f32(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                   int64_t step, size_t n, float *out);

/* Writes n floats, rounding to the view's type. */
void qnt__write_f32(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                    int64_t step, size_t n, const float *in);

/* Reads n codes of 1 to 8 bits as bytes, sign-extended if the type is signed. */
void qnt__read_codes(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                     int64_t step, size_t n, uint8_t *out);

/* Writes the low bits of n bytes. Neighbouring elements that share a byte are preserved, so two
 * threads must not write into the same byte. */
void qnt__write_codes(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                      int64_t step, size_t n, const uint8_t *in);

#endif
