/*
 * Slots of convolutions of 3 x 3 taps by minimal filtering, in integers and exact (Winograd, Arithmetic
 * Complexity of Computations, 1980; Lavin and Gray, CVPR 2016).
 *
 * A direction at a time, 4 or 2 results come from products at 6 or 4 points, where 3 for each would be 12
 * or 6. Both take the points 0, 1, -1 and infinity, 4 results also 2 and -2, in this order; so taps serve
 * both.
 *
 *   taps w at the points      3 w0,  w0 + w1 + w2,  w0 - w1 + w2,  3 w2,
 *                             w0 + 2 w1 + 4 w2,  w0 - 2 w1 + 4 w2
 *   pixels d, for 4 results   4 d0 - 5 d2 + d4,  -4 d1 - 4 d2 + d3 + d4,  4 d1 - 4 d2 - d3 + d4,
 *                             4 d1 - 5 d3 + d5,  -2 d1 - d2 + 2 d3 + d4,  2 d1 - d2 - 2 d3 + d4
 *             for 2 results   d0 - d2,  d1 + d2,  d2 - d1,  d3 - d1
 *   products m, 4 results     2 m0 - 4 (m1 + m2) + (m4 + m5),  -4 (m1 - m2) + 2 (m4 - m5),
 *     24 times what they are  -4 (m1 + m2) + 4 (m4 + m5),  -4 (m1 - m2) + 8 (m4 - m5) + 8 m3
 *               2 results     2 m0 + 3 (m1 + m2),  3 (m1 - m2) + 2 m3
 *     6 times what they are
 *
 * Of both directions, bytes at the points are at most 49 and 100 times as large and words hold them.
 */
#ifndef QNT__SIMD_SLOTS_WINOGRAD_H
#define QNT__SIMD_SLOTS_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    QNT__WINOGRAD_POINTS = 6,
    QNT__WINOGRAD_PLACES = 36, /* place 6 i + j: point i down, j across */
    QNT__WINOGRAD_CENTRE = 128 /* taken off bytes of pixels */
};

/* One direction of `count` runs of n neighbours. Number i of run r begins at r step + i ld, of what is read
 * and of what is written, in elements; `results` of each run, 4 or 2. */
struct qnt__winograd_pass {
    const void *in;
    void *out; /* apart from `in` */
    size_t in_ld, in_step, out_ld, out_step;
    size_t n, count; /* n of products is a multiple of 16 */
    int results;
    int shift; /* of winograd_results only, and */
    bool add;  /* whether results are added to what is there */
};

/* Both directions of the taps of a panel of 8 bits (layout.h): out[place ld + 16 k ...] is the panel of 16
 * bits of their `place`. */
struct qnt__winograd_taps {
    const uint8_t *panel; /* nine taps, down and then across, of `cells` cells each */
    size_t cells;
    int16_t *out;
    size_t ld; /* at least 64 cells */
};

#define QNT__SLOTS_WINOGRAD(X)                                                                     \
    /* pixels: bytes, less QNT__WINOGRAD_CENTRE, to words; words to words, modulo 2^16 */          \
    X(winograd_bytes, void, (const struct qnt__winograd_pass *w))                                       \
    X(winograd_words, void, (const struct qnt__winograd_pass *w))                                       \
    X(winograd_taps, void, (const struct qnt__winograd_taps *t))                                   \
    /* products: int32 to int32, modulo 2^32; */                                                   \
    X(winograd_sums, void, (const struct qnt__winograd_pass *w))                                        \
    /* the same, then y = 0x38e38e39 y, which divides by 9, and y = y >> shift, arithmetic, which  \
     * is written or added */                                                                      \
    X(winograd_results, void, (const struct qnt__winograd_pass *w))

#endif
