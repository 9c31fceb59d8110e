/* What the coding of blocks has in common on all levels: which places of a block have a symbol. */
#ifndef QNT__SIMD_CODE_BLOCKS_H
#define QNT__SIMD_CODE_BLOCKS_H

#include <stdint.h>

/*
 * From places with a level (bit k: the k-th of the diagonal order) to places with a symbol. The
 * mean always has one; so has the last of sixteen zeros in a row before a level, and the place
 * after the last level: both are then symbols of a level of size 0 behind a run, F0 and 00 of ITU-T
 * T.81, like all others.
 */
static inline uint64_t qnt__symbol_places(uint64_t places)
{
    places |= 1;
    const uint64_t last = (uint64_t)1 << 63 >> __builtin_clzll(places);
    for (;;) {
        uint64_t zeros = ~places & (last - 1);
        zeros &= zeros >> 1;
        zeros &= zeros >> 2;
        zeros &= zeros >> 4;
        zeros &= zeros >> 8; /* where sixteen begin */
        if (__builtin_expect(!zeros, 1)) return places | last << 1;
        places |= (zeros & (~zeros + 1)) << 15;
    }
}

#endif
