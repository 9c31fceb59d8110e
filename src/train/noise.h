/* Noise as a function of seed, step and element: no state, so that any order and any thread draws
 * the same, and backward draws what forward drew. */
#ifndef QNT__TRAIN_NOISE_H
#define QNT__TRAIN_NOISE_H

#include <stdint.h>

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that mixes all bits. */
static inline uint64_t qnt__mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Uniform in (0, 1), never an end. `draw` tells draws of one element apart. */
static inline double qnt__noise(uint64_t seed, uint64_t step, uint64_t element, uint32_t draw)
{
    const uint64_t golden = 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    uint64_t key = qnt__mix(seed + golden) + qnt__mix(step + 2 * golden);
    uint64_t bits = qnt__mix(qnt__mix(key + element * golden) + (draw + 1) * golden);
    return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

#endif
