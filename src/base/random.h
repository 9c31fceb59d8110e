/* Random numbers for fits and searches: xorshift64* (Vigna 2016). */
#ifndef QNT__BASE_RANDOM_H
#define QNT__BASE_RANDOM_H

#include <stdint.h>

/* The state must not be 0. */
static inline uint64_t qnt__random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

#endif
