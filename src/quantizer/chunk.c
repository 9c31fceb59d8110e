/* Moving the elements of a chunk between a tensor and a buffer. */
#include "chunk.h"

#include "tensor/range.h"

const float *qnt__chunk_f32(const struct qnt__simd *simd, const struct qnt__view *view,
                            const struct qnt__chunk *chunk, float buffer[QNT__CHUNK])
{
    if (!chunk->transposed) return qnt__range_f32(simd, view, chunk->first, chunk->count, buffer);
    float row[QNT__TILE];
    for (size_t r = 0; r < chunk->rows; r++) {
        const float *x =
            qnt__range_f32(simd, view, chunk->first + r * chunk->pitch, chunk->columns, row);
        for (size_t c = 0; c < chunk->columns; c++) buffer[c * chunk->rows + r] = x[c];
    }
    return buffer;
}

float *qnt__chunk_f32_place(const struct qnt__view *view, const struct qnt__chunk *chunk,
                            float buffer[QNT__CHUNK])
{
    if (chunk->transposed) return buffer;
    float *place = qnt__range_f32_place(view, chunk->first, chunk->count);
    return place ? place : buffer;
}

void qnt__chunk_write_f32(const struct qnt__simd *simd, const struct qnt__view *view,
                          const struct qnt__chunk *chunk, const float *from)
{
    if (!chunk->transposed) {
        if (from == qnt__range_f32_place(view, chunk->first, chunk->count)) return;
        qnt__range_write_f32(simd, view, chunk->first, chunk->count, from);
        return;
    }
    float row[QNT__TILE];
    for (size_t r = 0; r < chunk->rows; r++) {
        for (size_t c = 0; c < chunk->columns; c++) row[c] = from[c * chunk->rows + r];
        qnt__range_write_f32(simd, view, chunk->first + r * chunk->pitch, chunk->columns, row);
    }
}

const void *qnt__chunk_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                             const struct qnt__chunk *chunk, void *buffer)
{
    if (!chunk->transposed) {
        return qnt__range_codes(simd, view, chunk->first, chunk->count, buffer);
    }
    uint16_t row[QNT__TILE], *wide = buffer;
    uint8_t *narrow = buffer;
    for (size_t r = 0; r < chunk->rows; r++) {
        const void *x =
            qnt__range_codes(simd, view, chunk->first + r * chunk->pitch, chunk->columns, row);
        for (size_t c = 0; c < chunk->columns; c++) {
            size_t at = c * chunk->rows + r;
            if (view->bits == 16) wide[at] = ((const uint16_t *)x)[c];
            else narrow[at] = ((const uint8_t *)x)[c];
        }
    }
    return buffer;
}

void *qnt__chunk_codes_place(const struct qnt__view *view, const struct qnt__chunk *chunk,
                             void *buffer)
{
    if (chunk->transposed) return buffer;
    void *place = qnt__range_codes_place(view, chunk->first, chunk->count);
    return place ? place : buffer;
}

void qnt__chunk_write_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                            const struct qnt__chunk *chunk, const void *from)
{
    if (!chunk->transposed) {
        if (from == qnt__range_codes_place(view, chunk->first, chunk->count)) return;
        qnt__range_write_codes(simd, view, chunk->first, chunk->count, from);
        return;
    }
    const uint16_t *wide = from;
    const uint8_t *narrow = from;
    uint16_t row[QNT__TILE];
    for (size_t r = 0; r < chunk->rows; r++) {
        for (size_t c = 0; c < chunk->columns; c++) {
            size_t at = c * chunk->rows + r;
            if (view->bits == 16) row[c] = wide[at];
            else ((uint8_t *)row)[c] = narrow[at];
        }
        qnt__range_write_codes(simd, view, chunk->first + r * chunk->pitch, chunk->columns, row);
    }
}
