/* Slots of kernel maps: patches to norms and codes, cosines to kernel values, pooling. */
#ifndef QNT__SIMD_SLOTS_MAPS_H
#define QNT__SIMD_SLOTS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* y[i][j] = norm[i] * (factor[j] * exp(t)), t = slope * (x[i][j] - shift[j]), t > 0 ? 0 : t;
 * exp of base/exponential.h. */
struct qnt__kernel_values {
    const float *x;              /* [m][ld] */
    const float *norm;           /* [m] */
    const float *shift, *factor; /* [n] */
    float slope;
    size_t m, n; /* n a multiple of 16 */
    size_t ld, y_ld;
    float *y; /* [m][y_ld], not x */
};

#define QNT__SLOTS_MAPS(X)                                                                         \
    X(kernel_values, void, (const struct qnt__kernel_values *k))                                   \
    /* sums[i] = sum over k < depth, in this order from +0, of x[i][k], or of its squares */       \
    X(sums_f32, void,                                                                              \
      (const float *x, size_t ld, size_t m, size_t depth, bool squares, float *sums))              \
    /* codes[i] = round_half_even(x[i] / most * top) + zero, most the largest of the finite |x|;   \
     */                                                                                            \
    /* all of them zero if there is none above 0. Top is 1 to 127, n at most 2^16. Returns the */  \
    /* sum of squares of codes less zero */                                                        \
    X(round_f32, int32_t, (const float *x, size_t n, float top, int32_t zero, uint8_t *codes))     \
    /* bit i is x[i] >= 0, as slots_bits.h stores bits; 64 words >= n, words even; bits from n */  \
    /* on are 0 */                                                                                 \
    X(signs_f32, void, (const float *x, size_t n, uint64_t *bits, size_t words))                   \
    /* y[j] = y[j] + weight[i] * x[i][j], i in ascending order; j < n */                           \
    X(add_rows_f32, void,                                                                          \
      (const float *x, size_t ld, const float *weight, size_t rows, size_t n, float *y))

#endif
