/* Digits in threes: what packing and convolving share. doc/formats.md draws the layout. */
#ifndef QNT__KERNEL_LOWBIT_H
#define QNT__KERNEL_LOWBIT_H

#include "base/arith.h"

/* Bytes of `channels` digits: byte t holds channels t, t + T and t + 2 T. */
static inline size_t qnt__triples(size_t channels)
{
    return qnt__ceil_div(channels, 3);
}

#endif
