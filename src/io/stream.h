/*
 * Numbers as little-endian bytes, in both directions.
 *
 * One function per struct lists its numbers once; the same list counts, writes and reads them, so
 * that the directions cannot differ.
 */
#ifndef QNT__IO_STREAM_H
#define QNT__IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Writes if `out` is set, reads if `in` is, else counts. The caller knows that the bytes are
 * there. */
struct qnt__stream {
    uint8_t *out;
    const uint8_t *in;
    size_t at;
};

static inline uint64_t qnt__stream_bits(struct qnt__stream *s, uint64_t bits, size_t bytes)
{
    if (s->out) {
        for (size_t i = 0; i < bytes; i++) s->out[s->at + i] = (uint8_t)(bits >> 8 * i);
    } else if (s->in) {
        bits = 0;
        for (size_t i = 0; i < bytes; i++) bits |= (uint64_t)s->in[s->at + i] << 8 * i;
    }
    s->at += bytes;
    return bits;
}

static inline void qnt__stream_i32(struct qnt__stream *s, int32_t *x)
{
    *x = (int32_t)(uint32_t)qnt__stream_bits(s, (uint32_t)*x, 4);
}

static inline void qnt__stream_i64(struct qnt__stream *s, int64_t *x)
{
    *x = (int64_t)qnt__stream_bits(s, (uint64_t)*x, 8);
}

static inline void qnt__stream_u64(struct qnt__stream *s, uint64_t *x)
{
    *x = qnt__stream_bits(s, *x, 8);
}

static inline void qnt__stream_f32(struct qnt__stream *s, float *x)
{
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    bits = (uint32_t)qnt__stream_bits(s, bits, 4);
    memcpy(x, &bits, sizeof bits);
}

static inline void qnt__stream_f64(struct qnt__stream *s, double *x)
{
    uint64_t bits;
    memcpy(&bits, x, sizeof bits);
    bits = qnt__stream_bits(s, bits, 8);
    memcpy(x, &bits, sizeof bits);
}

/* Goes on to the next multiple of `align`; false if what is skipped is read and not 0. */
static inline bool qnt__stream_pad(struct qnt__stream *s, size_t align)
{
    bool clean = true;
    while (s->at % align != 0) clean = qnt__stream_bits(s, 0, 1) == 0 && clean;
    return clean;
}

#endif
