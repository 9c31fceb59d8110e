/* Shared by the files that stage matrices and images. */
#ifndef QNT__LAYER_STAGE_H
#define QNT__LAYER_STAGE_H

#include "run.h"

/* What is known of a row or image with parameters of its own. The range comes first; if signs are
 * asked for, a second pass adds up magnitudes. */
struct qnt__measured {
    float range[2];
    bool sums; /* the second pass */
    float largest;
    double sum;
};

/* Adds n elements of x from offset `at`. */
void qnt__stage_measure(const struct qnt__run *run, uint8_t *scratch, int64_t at, int64_t step,
                        size_t n, struct qnt__measured *m);

/* Is a second pass needed? Then it begins. */
bool qnt__stage_again(const struct qnt__run *run, struct qnt__measured *m);

/* Parameters of n elements, as the kernels see them. */
struct qnt__affine qnt__stage_dynamic(const struct qnt__run *run, const struct qnt__measured *m,
                                      size_t n);

/* Brings n elements of x into the form that the arithmetic wants; q encodes floats. */
void qnt__stage_elements(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                         int64_t at, int64_t step, size_t n, uint8_t *out);

/* Bytes of affine codes; q encodes floats. */
void qnt__stage_bytes(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q, int64_t at,
                      int64_t step, size_t n, uint8_t *out);

/* Words of QNT__WORDS; whole images of them are split into high and low ones where the product wants that
 * (stage_words.c). */
void qnt__stage_words(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q, int64_t at,
                      int64_t step, size_t n, int16_t *out);
qnt_status qnt__stage_words_split(struct qnt__run *run);

/* Bytes, or codes of words, where input codes stand for integer levels (stage_levels.c). */
void qnt__stage_levels_open(struct qnt__run *run);
void qnt__stage_levels(const struct qnt__run *run, uint8_t *scratch, int64_t at, int64_t step, size_t n,
                       uint8_t *out);

/* The same for QNT__DECODE: values of codes, or of floats that are encoded first (stage_decoded.c). The
 * first is called where codes are places in a table. */
void qnt__stage_decoded_open(struct qnt__run *run);
void qnt__stage_decoded(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                        int64_t at, int64_t step, size_t n, float *out);

/* A run of float32 elements of x that needs no copy, or NULL. */
const float *qnt__stage_floats_at(const struct qnt__view *x, int64_t at, int64_t step);

/* Stages everything, or, if it may, lets the kernels read x where it is. */
qnt_status qnt__stage_matrix(struct qnt__run *run, bool may_stay);
qnt_status qnt__stage_images(struct qnt__run *run, bool may_stay);

#endif
