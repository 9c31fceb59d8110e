/*
 * Schemes: what a code means. One row of the table in schemes.c, one file for each scheme.
 *
 * Everything that is not a matter of one scheme - walking over tensors, gathering statistics, fitting
 * group by group, measuring errors, blobs - is written once and asks the scheme for the rest. A scheme
 * keeps its numbers in the arrays of the handle: scale, zero and offset, and `own` and `shared`, of
 * which it says how many it needs.
 */
#ifndef QNT__QUANTIZER_SCHEMES_H
#define QNT__QUANTIZER_SCHEMES_H

#include "quantizer.h"

/* Neighbours; element i belongs to group + i mod period / run. */
struct qnt__segment {
    size_t group, n;
    size_t run;    /* at least n unless the scheme serves many groups */
    size_t period; /* at least n unless run is 1 */
    bool stream;   /* a hint: the result is larger than the caches */
    const struct qnt__ranks *ranks; /* of schemes with codebooks: the group's if known, or NULL */
};

struct qnt__scheme {
    const char *name;
    int32_t flags;        /* of qnt_spec that it knows */
    int32_t default_bits; /* what bits 0 means */
    bool many_groups;     /* codecs serve segments of several groups */

    /* Bits, flags, points and method of a request; grain and unknown flags are checked before. */
    qnt_status (*check)(const qnt_context *context, const qnt_spec *spec);
    /* Bits of one code, 1 to 8 or 16, and whether it is a signed number. */
    int32_t (*code_bits)(const qnt_spec *spec);
    bool (*code_signed)(const qnt_spec *spec);
    /* Floats that the scheme keeps for each group, and for the whole quantizer; NULL: none. */
    size_t (*own)(const qnt_spec *spec);
    size_t (*shared)(const qnt_spec *spec);
    /* Gives `own` and `shared`, all 0, their values before anything is set or fitted; NULL: 0. Not
     * called where `shared` is kept. */
    void (*reset)(qnt_quantizer *quantizer);

    /* Of schemes with codebooks (codebook.h), which serve the functions below: the value of every code of
     * a group, and the codes in ascending order of their values, leaving out those that encoding does
     * not use; returns how many, at least 1. */
    void (*values)(const qnt_quantizer *quantizer, size_t group, float value[256]);
    int32_t (*order)(const qnt_quantizer *quantizer, const float value[256], uint8_t code[256]);
    /* Replaces the thresholds of the nearest value, set before, where codes change elsewhere; NULL:
     * nowhere. */
    void (*thresholds)(const qnt_quantizer *quantizer, size_t group, const uint8_t *code, int32_t count,
                       struct qnt__thresholds *out);
    /* Integers whose products with scale[group] are the values, by code; false if they do not all lie
     * in int16, or if there are none. */
    bool (*integers)(const qnt_quantizer *quantizer, size_t group, int16_t level[256]);

    /* Codes are bytes, or uint16_t if code_bits is 16. */
    void (*encode)(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                   const struct qnt__segment *segment, const float *x, void *codes);
    /* The same for codes of 1 to 7 bits, packed (the slot pack_codes); n is a multiple of 8, so are run,
     * unless it is 1 or at least n, and period, unless it is at least n. */
    void (*pack)(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                 const struct qnt__segment *segment, const float *x, uint8_t *packed);
    void (*decode)(const struct qnt__simd *simd, const qnt_quantizer *quantizer,
                   const struct qnt__segment *segment, const void *codes, float *y);
    /* Smallest and largest value of a group that can be decoded, and the distances of these two from
     * their neighbours. */
    void (*ends)(const qnt_quantizer *quantizer, size_t group, double value[2], double step[2]);
    /* sum h (x - decoded)^2 over n finite values, h NULL: all 1. */
    double (*measure)(const qnt_quantizer *quantizer, size_t group, const float *x, const double *h,
                      size_t n);
    /* Stored bits of a group beyond its codes. */
    double (*overhead)(const qnt_quantizer *quantizer, size_t group);
    /* Stored bits of one code of the group; NULL: code_bits. */
    double (*stored)(const qnt_quantizer *quantizer, size_t group);

    /* How many values one of the format's parameters has now; refuses those it does not know. */
    qnt_status (*count)(const qnt_context *context, const qnt_quantizer *quantizer, int32_t param,
                        size_t *count);
    double (*value)(const qnt_quantizer *quantizer, int32_t param, size_t i);
    /* Checks and takes values; on failure nothing changes. */
    qnt_status (*set)(const qnt_context *context, qnt_quantizer *quantizer, int32_t param,
                      const double *values, size_t count);
    /* Are all numbers of group g of a loaded quantizer legal? Called for group 0 at least. */
    qnt_status (*verify)(const qnt_context *context, const qnt_quantizer *quantizer, size_t g);
};

/* The row of a scheme; NULL if the number is unknown. */
const struct qnt__scheme *qnt__scheme_of(int32_t scheme);

/* affine.c, exp.c, points.c, table.c */
extern const struct qnt__scheme qnt__affine_scheme, qnt__exp_scheme, qnt__points_scheme,
    qnt__table_scheme;

#endif
