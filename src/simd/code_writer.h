/* Coded blocks as bytes, so that bytes of ones can be counted side by side. */
#ifndef QNT__SIMD_CODE_WRITER_H
#define QNT__SIMD_CODE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "slots.h"

enum {
    QNT__CODE_BUFFER = 4096,
    QNT__CODE_MOST = 64 * 32 / 8 + 16 /* bytes of a block and of the last word written */
};

/* Bytes, of which the last one is open. */
struct qnt__code_writer {
    uint64_t word;           /* the open byte's bits at the top, zeros below */
    uint64_t used;           /* how many, 0..7 */
    size_t at;               /* whole bytes */
    uint64_t stuffed, bytes; /* of buffers that were full */
    uint8_t buffer[QNT__CODE_BUFFER + QNT__CODE_MOST];
};

static inline __attribute__((always_inline)) void
qnt__code_begin(struct qnt__code_writer *w, const struct qnt__bit_stream *stream)
{
    w->used = stream->bits % 8;
    w->word = (uint64_t)stream->rest << 1 << (63 - w->used);
    w->at = 0, w->stuffed = 0, w->bytes = 0;
}

/* Appends at most 56 bits. */
static inline __attribute__((always_inline)) void qnt__code_put(struct qnt__code_writer *w,
                                                                uint64_t value, uint64_t length)
{
    w->used += length;
    w->word |= value << 1 << (63 - w->used); /* used may be 0 */
    uint64_t bytes = __builtin_bswap64(w->word);
    __builtin_memcpy(w->buffer + w->at, &bytes, 8);
    w->at += (size_t)(w->used / 8);
    w->word <<= w->used & 56;
    w->used %= 8;
}

/* Empties the buffer, in which there are so many bytes of ones. */
static inline __attribute__((always_inline)) void qnt__code_count(struct qnt__code_writer *w,
                                                                  uint64_t full)
{
    w->stuffed += full;
    w->bytes += w->at;
    w->at = 0;
}

static inline __attribute__((always_inline)) void qnt__code_end(const struct qnt__code_writer *w,
                                                                struct qnt__bit_stream *stream)
{
    stream->bits += 8 * w->bytes + w->used - stream->bits % 8;
    stream->stuffed += w->stuffed;
    stream->rest = (uint32_t)(w->word >> 1 >> (63 - w->used));
}

#endif
