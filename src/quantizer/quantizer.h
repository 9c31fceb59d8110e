/* What a quantizer holds. Layers and blobs read it; only src/quantizer writes it. */
#ifndef QNT__QUANTIZER_QUANTIZER_H
#define QNT__QUANTIZER_QUANTIZER_H

#include <stdbool.h>

#include "context/context.h"
#include "qnt/quantizer.h"
#include "tensor/view.h"

struct qnt__statistics; /* statistics.h */
struct qnt__inputs;     /* inputs.h */
struct qnt__scheme;     /* schemes.h */

/* Options of the methods, as set through qnt_quantizer_set(). */
struct qnt__options {
    double percentile;
    double distribution;
    double samples;
    double bins;
    double nodes;
    double budget;
    double tolerance;
    double rounds;
    double extra;
};

struct qnt_quantizer {
    struct qnt__memory memory;
    qnt_spec spec; /* defaults filled in; axis as the caller gave it */
    const struct qnt__scheme *scheme;
    struct qnt__options options;
    bool ready;    /* the parameters below are set */
    bool fitted;   /* and error, bound and visited belong to them */
    bool base_set; /* by the caller, of QNT_EXP: fitting keeps it */
    size_t groups; /* 0: not known yet */
    float *scale;  /* [groups] */
    float *offset; /* [groups]; all 0 without QNT_REAL_OFFSET */
    int32_t *zero; /* [groups]; all 0 with QNT_REAL_OFFSET */
    float *own;    /* [groups][own_count], what the scheme keeps besides */
    float *shared; /* [shared_count] */
    size_t own_count, shared_count;
    double *error, *bound, *visited;    /* [groups] each; error is the start of the one block */
    struct qnt__statistics *statistics; /* NULL until the first observe */
    struct qnt__inputs *inputs;         /* NULL until inputs are observed */
};

/* Bits of one code, 1 to 8 or 16, and its type, QNT_INT or QNT_UINT. */
int qnt__code_bits(const qnt_quantizer *quantizer);
int qnt__code_type(const qnt_quantizer *quantizer);

/* Affine: lowest and highest code of a spec. */
int32_t qnt__code_low(const qnt_spec *spec);
int32_t qnt__code_high(const qnt_spec *spec);

/* One group's parameters as the encode and decode slots take them. */
struct qnt__affine qnt__affine_of(const qnt_quantizer *quantizer, size_t group);

/* How a tensor's elements fall into groups: element (i, j, k) of the tensor seen as
 * [outer][length][inner] belongs to group (i * blocks + j / block) * inner + k, or with per_axis to
 * group j; per tensor all belong to group 0. */
struct qnt__grouping {
    size_t outer, length, inner; /* extents before, along and after the axis */
    size_t block, blocks;        /* block length and blocks along the axis */
    size_t groups;
    int32_t grain;
    int axis; /* counted from the front; 0 per tensor */
};

/* Finds the grouping of a shape; tells the reason if the axis does not exist. */
qnt_status qnt__grouping_of(const qnt_context *context, const char *name, const qnt_spec *spec,
                            int ndim, const int64_t *shape, struct qnt__grouping *out);

/* The code that stands for 0 unless a method or the caller chooses another: 0, or the middle of
 * unsigned symmetric codes. */
int32_t qnt__zero_default(const qnt_spec *spec);

/* Gives the quantizer parameters for `groups` groups at their defaults: scales 1, errors 0; what it
 * shares between groups stays. Former parameters are forgotten, not freed, so that a copy of the handle
 * can be filled and then kept or not; on failure nothing changes. */
qnt_status qnt__parameters_allocate(const qnt_context *context, qnt_quantizer *quantizer,
                                    size_t groups);
void qnt__parameters_free(qnt_quantizer *quantizer);

/* Makes sure that there is memory for what is shared between groups, before their number is known. */
qnt_status qnt__parameters_shared(const qnt_context *context, qnt_quantizer *quantizer);

/* Is the value legal as a scale? One reason for all schemes. */
qnt_status qnt__scale_check(const qnt_context *context, size_t g, double value);

/* Refuses a parameter that the quantizer does not have, and one that cannot be set. */
qnt_status qnt__parameter_absent(const qnt_context *context, const qnt_quantizer *quantizer,
                                 int32_t param);
qnt_status qnt__parameter_not_set(const qnt_context *context, const qnt_quantizer *quantizer,
                                  int32_t param);

/* Checks the count of values for a parameter of all groups: one for all, or one for each; with
 * `resize`, as many as there will be groups. *groups becomes their number. */
qnt_status qnt__parameter_groups(const qnt_context *context, const qnt_quantizer *quantizer,
                                 bool resize, size_t count, size_t *groups);

/* Changes the number of groups; all parameters start again at their defaults. */
qnt_status qnt__parameters_resize(const qnt_context *context, qnt_quantizer *quantizer,
                                  size_t groups);

/* QNT_E_STATE, with advice, if there are no parameters to encode and decode with. */
qnt_status qnt__quantizer_ready(const qnt_context *context, const qnt_quantizer *quantizer);

#endif
