/* Dividing a block of memory that the caller gave among several objects. */
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

#endif
