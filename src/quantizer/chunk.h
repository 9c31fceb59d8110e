/* Moving the elements of a chunk between a tensor and a buffer. */
#ifndef QNT__QUANTIZER_CHUNK_H
#define QNT__QUANTIZER_CHUNK_H

#include "grouping.h"

/* Views are flattened (tensor/range.h). Reading answers with the data in place where it lies so;
 * writing starts with the place to write to, which is the buffer unless the data lie so. */

const float *qnt__chunk_f32(const struct qnt__simd *simd, const struct qnt__view *view,
                            const struct qnt__chunk *chunk, float buffer[QNT__CHUNK]);
float *qnt__chunk_f32_place(const struct qnt__view *view, const struct qnt__chunk *chunk,
                            float buffer[QNT__CHUNK]);
void qnt__chunk_write_f32(const struct qnt__simd *simd, const struct qnt__view *view,
                          const struct qnt__chunk *chunk, const float *from);

/* Codes: bytes, or uint16_t if the view's type has 16 bits; the buffer has room for 2 QNT__CHUNK
 * bytes. */
const void *qnt__chunk_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                             const struct qnt__chunk *chunk, void *buffer);
void *qnt__chunk_codes_place(const struct qnt__view *view, const struct qnt__chunk *chunk,
                             void *buffer);
void qnt__chunk_write_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                            const struct qnt__chunk *chunk, const void *from);

#endif
