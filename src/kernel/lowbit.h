/* Digits in threes: what packing and convolving share. doc/formats.md draws the layout. */
#ifndef QNT__KERNEL_LOWBIT_H
#define QNT__KERNEL_LOWBIT_H

#include <string.h>

#include "base/arith.h"

/* Bytes of `channels` digits: byte t holds channels t, t + T and t + 2 T. */
static inline size_t qnt__triples(size_t channels)
{
    return qnt__ceil_div(channels, 3);
}

/* codes[3 T], 0 beyond the channels, to T bytes; eight at a time, since no digit leaves its byte.
 */
static inline void qnt__pack_triples(const uint8_t *codes, size_t triples, uint8_t *to)
{
    size_t t = 0;
    while (t + 8 <= triples) {
        uint64_t first, second, third;
        memcpy(&first, codes + t, 8);
        memcpy(&second, codes + triples + t, 8);
        memcpy(&third, codes + 2 * triples + t, 8);
        first |= second << 2 | third << 4;
        memcpy(to + t, &first, 8);
        if (t + 8 == triples) return;
        t = qnt__min(t + 8, triples - 8); /* the last ones once more rather than one by one */
    }
    for (; t < triples; t++) {
        to[t] = (uint8_t)(codes[t] | codes[triples + t] << 2 | codes[2 * triples + t] << 4);
    }
}

#endif
