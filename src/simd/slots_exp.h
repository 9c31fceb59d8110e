/* Slots of exponential codes: bit planes, and counting the sums of exponents with them. */
#ifndef QNT__SIMD_SLOTS_EXP_H
#define QNT__SIMD_SLOTS_EXP_H

#include <stddef.h>
#include <stdint.h>

/* Counters that may be left out: those that a beta of 0 multiplies. */
enum { QNT__COUNT_OF_A = 1, QNT__COUNT_OF_B = 2 };

/*
 * Counts of the products of two vectors of exponential codes (qnt/kernel.h). Plane p of a vector
 * holds bit p of its codes, element 64 w + i in bit i of word w; planes 0 to bits - 1 are the
 * field, plane `bits` the sign. A field 0 is the number zero.
 *
 * For each element with both fields f and g above 0 and s = -1 where the signs differ, otherwise 1:
 *     counts[f + g - 2] += s;                    2 L - 1 counters, L = 2^bits - 1
 *     counts[2 L - 1 + f - 1] += s;              L     if parts has QNT__COUNT_OF_A
 *     counts[3 L - 1 + g - 1] += s;              L     if parts has QNT__COUNT_OF_B
 *     counts[4 L - 1] += s;                      1     if parts has QNT__COUNT_OF_A
 */
struct qnt__count_exp {
    const uint64_t *a, *b; /* [bits + 1][words] */
    size_t words;          /* of a plane */
    int bits;              /* of a field, 2..7 */
    int parts;             /* what is counted besides sums */
    int32_t *counts;       /* added to, [4 L] */
};

#define QNT__SLOTS_EXP(X)                                                                          \
    /* planes[p][w]: bit p < bits of n bytes as above; elements from n on are 0; 64 words >= n */   \
    X(slice_codes, void,                                                                           \
      (const uint8_t *codes, size_t n, int bits, uint64_t *planes, size_t words))                  \
    X(count_exp, void, (const struct qnt__count_exp *c))

#endif
