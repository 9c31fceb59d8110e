/*
 * Codebooks: what schemes without arithmetic of their own have in common. A scheme that tells the
 * value of every code of a group gets everything else from here: encoding to the nearest value,
 * decoding, errors.
 *
 * Between two neighbouring values lies one threshold, the largest float32 that is not nearer to the
 * upper one. So the code is that of the nearest value, exactly; the lower of two that are equally
 * near. NaN becomes the code of the value nearest to 0.
 */
#ifndef QNT__QUANTIZER_CODEBOOK_H
#define QNT__QUANTIZER_CODEBOOK_H

#include "schemes.h"

enum { QNT__BOOK = 256 /* most codes */ };

/* The rows of struct qnt__scheme for schemes with `values`. */
void qnt__codebook_encode(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                          const struct qnt__segment *segment, const float *x, void *codes);
void qnt__codebook_pack(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                        const struct qnt__segment *segment, const float *x, uint8_t *packed);
void qnt__codebook_decode(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                          const struct qnt__segment *segment, const void *codes, float *y);
void qnt__codebook_ends(const qnt_quantizer *quantizer, size_t group, double value[2],
                        double step[2]);
double qnt__codebook_measure(const qnt_quantizer *quantizer, size_t group, const float *x,
                             const double *h, size_t n);

/* How a group is encoded: the code of x is code[rank of x]. */
struct qnt__ranks {
    struct qnt__thresholds thresholds;
    uint8_t code[QNT__BOOK];
    int32_t count;
    bool ascending; /* code[i] = i */
};

void qnt__codebook_ranks(const qnt_quantizer *quantizer, size_t group, struct qnt__ranks *out);

/* The integers of a group (schemes.h); false if they do not all lie in int8, or in int16, or if there
 * are none. */
bool qnt__codebook_bytes(const qnt_quantizer *quantizer, size_t group, int8_t level[QNT__BOOK]);
bool qnt__codebook_words(const qnt_quantizer *quantizer, size_t group, int16_t level[QNT__BOOK]);

/* Do codes change where the group's own thresholds say (table.c: `own`), not half way between
 * values? */
bool qnt__has_thresholds(const qnt_spec *spec);

/* The thresholds between `count` ascending finite values, 1 to 256. */
void qnt__thresholds_between(const float *ascending, int32_t count, struct qnt__thresholds *out);

/* sum h (x - nearest value)^2, h NULL: all 1. */
double qnt__measure_values(const float *ascending, int32_t count, const float *x, const double *h,
                           size_t n);

/* rest = x - nearest value. */
void qnt__rest_of_values(const float *ascending, int32_t count, const float *x, size_t n,
                         double *rest);

#endif
