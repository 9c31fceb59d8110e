/*
 * A vector as a sum of few vectors of low-bit integers: x ~ sum over p of coef[p] q[p], digits q
 * from -Q to Q, Q = 2^(bits - 1) - 1 (Liu et al., "Post-training quantization with multiple
 * points", AAAI 2021).
 */
#ifndef QNT__QUANTIZER_MULTIPOINT_H
#define QNT__QUANTIZER_MULTIPOINT_H

#include <stddef.h>
#include <stdint.h>

enum { QNT__POINTS_MAX = 8, QNT__POINTS_BITS = 8 /* most bits of all points together */ };

/* Bytes of space for n values, 64-byte aligned; SIZE_MAX if that overflows. */
size_t qnt__multipoint_bytes(size_t n, int32_t bits, int32_t points);

/*
 * Radix: the best scale s of a grid that `points` digits of base 2 Q + 1 can write, coef[p] = s
 * base^p. Exact for such coefficients.
 */
void qnt__multipoint_radix(const float *x, const double *h, size_t n, int32_t bits, int32_t points,
                           void *space, double *coef);

/* The published way: each point is the exactly best one for what the points before it left.
 * Coefficients in the order in which they were found. */
void qnt__multipoint_greedy(const float *x, const double *h, size_t n, int32_t bits, int32_t points,
                            void *space, double *coef);

/* Codes and coefficients take turns, least squares for one and nearest sums for the other; never
 * worse. */
void qnt__multipoint_refine(const float *x, const double *h, size_t n, int32_t bits, int32_t points,
                            int32_t rounds, double *coef);

/* Digit p of a code, whose digits, two's complement, follow each other from the lowest bits up. */
int32_t qnt__multipoint_digit(uint32_t code, int32_t bits, int32_t p);

/* The value of a code. */
double qnt__multipoint_value(uint32_t code, int32_t bits, int32_t points, const double *coef);

#endif
