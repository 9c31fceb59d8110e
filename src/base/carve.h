/* Dividing a block of memory among several objects: sizes first, then places. */
#ifndef QNT__BASE_CARVE_H
#define QNT__BASE_CARVE_H

#include "arith.h"

enum { QNT__CARVE_ALIGN = 64 };

/* Bytes that qnt__carve() takes; the caller knows that they fit. */
static inline size_t qnt__carve_bytes(size_t count, size_t size)
{
    return qnt__round_up(count * size, QNT__CARVE_ALIGN);
}

/* Takes `count` objects of `size` bytes from the front of the space. */
static inline void *qnt__carve(void **space, size_t count, size_t size)
{
    void *block = *space;
    *space = (char *)block + qnt__carve_bytes(count, size);
    return block;
}

/* Adds `count` objects of `size` bytes behind `*end`; they begin at `*at`. False if they do not
 * fit. */
static inline bool qnt__append(size_t *end, size_t count, size_t size, size_t *at)
{
    size_t bytes;
    *at = *end;
    return qnt__mul(count, size, &bytes) && bytes <= SIZE_MAX - QNT__CARVE_ALIGN &&
           qnt__add(*end, qnt__round_up(bytes, QNT__CARVE_ALIGN), end);
}

#endif
