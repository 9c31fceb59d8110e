/*
 * A vector as a sum of few vectors of signs: x ~ sum over p of coef[p] b[p], b[p] in {-1, +1}^n.
 *
 * Bit p of a code is the sign of base p (1: positive). Everything minimizes the weighted squared
 * error sum h (x - y)^2; elements of importance 0 take codes, but no part in the fit.
 */
#ifndef QNT__QUANTIZER_BASES_H
#define QNT__QUANTIZER_BASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QNT__BASES_MAX 8

enum qnt__bases_how {
    QNT__BASES_GREEDY,      /* each base fits what the ones before it left */
    QNT__BASES_REFINED,     /* and all coefficients are fitted again after each base */
    QNT__BASES_ALTERNATING, /* and then codes and coefficients take turns */
};

/* At most `most` (0..8) bases for n finite values x with importances h >= 0 (NULL: all 1). Writes
 * ascending positive coefficients and codes, returns how many bases there are: fewer than asked
 * where the error vanishes, none for zeros, and at most half of the elements (rounded up), beyond
 * which the equations are nearly singular. Never worse than the simpler ways of the list. */
int32_t qnt__bases(const float *x, const double *h, size_t n, int32_t most, enum qnt__bases_how how,
                   int32_t rounds, double coef[QNT__BASES_MAX], uint8_t *code);

/* The two bases of least weighted squared error, exactly; space as for qnt__sort() of n values. Writes
 * ascending coefficients; false if one base, or none, does as well. */
bool qnt__bases_two(const float *x, const double *h, size_t n, void *space, double coef[2]);

/* Weighted squared error of codes under coefficients. */
double qnt__bases_error(const float *x, const double *h, size_t n, int32_t count,
                        const double *coef, const uint8_t *code);

#endif
