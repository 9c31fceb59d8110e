/* What a trainer holds, and what a method of training is: one row of the table in methods.c each.
 */
#ifndef QNT__TRAIN_TRAINER_H
#define QNT__TRAIN_TRAINER_H

#include <stdbool.h>

#include "context/context.h"
#include "qnt/train.h"
#include "quantizer/grouping.h"
#include "tensor/view.h"

struct qnt__train_method;

enum {
    QNT__FACTS = 5, /* numbers that a method derives from a group's values at hand */
    QNT__GATES = 10 /* of DropBits: [0] the levels -1, 0, 1; [k] what k signed bits add, up to those
                       of 8 bits without a sign */
};

struct qnt__train_options {
    double step, epoch, temperature, hard, delta, keep, anneal, penalty;
};

struct qnt_trainer {
    struct qnt__memory memory;
    qnt_spec spec; /* defaults filled in */
    const struct qnt__train_method *method;
    struct qnt__train_options options;
    int32_t levels;    /* how many the method distinguishes */
    double level[256]; /* ascending integers; the value of rank i is level[i] times the group's
                          scale */
    size_t groups;     /* 0: not started */
    size_t count;      /* numbers learned for each group */
    double *theta;     /* [groups][count] */
    qnt_quantizer *deployed; /* of theta; NULL if it depends on the tensor at hand */
};

/* One group at one step. */
struct qnt__pass {
    const qnt_trainer *trainer;
    const double *theta; /* [count] */
    double facts[QNT__FACTS];
    size_t group, size;       /* its number, and how many elements it has */
    double temperature;       /* at this step */
    double gate[QNT__GATES];  /* of DropBits, 1: kept; all 1 if nothing is dropped */
    double slope[QNT__GATES]; /* d gate / d logit; 0 where it is not learned */
    bool drops;               /* some gate is not 1 */
};

/* Neighbouring elements of one group: element i has number first + i * step in row-major order. */
struct qnt__span {
    size_t n;
    uint64_t first, step;
};

/* Codes of the AFFINE scheme. */
struct qnt__train_affine {
    double scale, offset;
    int32_t zero;
    int32_t bits; /* 0: those of the spec */
    bool narrow;
};

struct qnt__train_method {
    const char *name;
    int32_t method;
    int32_t least_bits, most_bits;
    bool fits; /* the quantizer is fitted anew to the tensor at hand, by the method of the same
                  number */
    bool weights, activations; /* with and without QNT_SIGNED */
    bool whole;                /* the tensor is one group */
    bool table[2];             /* scheme is QNT_TABLE, else QNT_AFFINE; [1]: with QNT_SIGNED */
    /* Ascending integers, at most 2^bits; NULL: the scheme is affine, or those of qnt__levels_*. */
    int32_t (*levels)(const qnt_spec *spec, double level[256]);
    /* Those of present numbers, instead; levels() then tells how many there are at most. */
    int32_t (*levels_now)(const struct qnt__pass *pass, double level[256]);
    /* Numbers that are learned for each group. */
    size_t (*count)(const qnt_trainer *trainer);
    /* Facts of a group's values, n >= 1; NULL: there are none. */
    void (*facts)(const qnt_trainer *trainer, const float *x, size_t n, double facts[QNT__FACTS]);
    /* First numbers from n >= 1 values, with `space` bytes of memory, 64-byte aligned; NULL: none
     * needed, SIZE_MAX: they overflow. */
    size_t (*space)(const qnt_trainer *trainer, size_t n);
    void (*start)(const qnt_trainer *trainer, float *x, size_t n, void *space, double *theta);
    /* From present numbers to those that n >= 1 values ask for; NULL: there are none. */
    void (*refit)(const qnt_trainer *trainer, const float *x, size_t n, double *theta);
    /* Moves numbers to the nearest legal ones. */
    void (*project)(const qnt_trainer *trainer, double *theta);
    /* How a group is deployed: affine codes, or the scale of the levels and the rank of any x,
     * which does not decrease with x. */
    void (*affine)(const struct qnt__pass *pass, struct qnt__train_affine *out);
    double (*scale)(const struct qnt__pass *pass);
    int32_t (*rank)(const struct qnt__pass *pass, double x);
    /* What forward() computes where it is not the deployed quantizer; NULL: it always is. */
    void (*forward)(const struct qnt__pass *pass, const struct qnt__span *span, const float *x,
                    float *y);
    /* Draws gates for a pass, and adds to dtheta what does not come from elements; NULL: nothing.
     */
    void (*gates)(struct qnt__pass *pass);
    void (*penalty)(const struct qnt__pass *pass, double *dtheta);
    /* The fact that depends on gradients, too, and what each element adds to it before backward()
     * sees the sum; NULL: there is none. */
    int32_t pulled;
    double (*pull)(const struct qnt__pass *pass, double x, double dy);
    /* dx[i] for each element; adds to dtheta[count]. dx may be dy. */
    void (*backward)(const struct qnt__pass *pass, const struct qnt__span *span, const float *x,
                     const float *dy, float *dx, double *dtheta);
};

/* methods.c: the row of a method; NULL if it does not train. */
const struct qnt__train_method *qnt__train_method_of(int32_t method);

/* Signed methods with levels at odd distances, -(L - 1), -(L - 3) ... L - 1 for L = 2^bits, and
 * plain ones, 0 ... L - 1. */
int32_t qnt__levels_of_interval(const qnt_spec *spec, double level[256]);

/* The pass of a group of `size` elements; facts NULL: there are none. */
void qnt__train_pass(const qnt_trainer *trainer, size_t group, size_t size, const double *facts,
                     struct qnt__pass *pass);

size_t qnt__train_theta_bytes(const qnt_trainer *trainer);

/* start.c: a copy of the handle with memory for theta of `groups` groups; and putting that, with
 * the quantizer of it, in the place of the present ones. The latter takes theta even if it fails.
 */
qnt_status qnt__train_next(const qnt_context *context, const qnt_trainer *trainer, size_t groups,
                           qnt_trainer *next);
qnt_status qnt__train_replace(const qnt_context *context, qnt_trainer *trainer, qnt_trainer *next);

/* Does forward() differ from the deployed quantizer now? */
bool qnt__train_is_soft(const qnt_trainer *trainer);

/* Opens x and finds its groups; QNT_E_STATE before start. */
qnt_status qnt__train_open(const qnt_context *context, const qnt_trainer *trainer,
                           const qnt_tensor *x, struct qnt__view *view,
                           struct qnt__grouping *grouping);

/* Refuses NaN and infinities; the view is flattened. */
qnt_status qnt__train_finite(const qnt_context *context, const char *name,
                             const struct qnt__view *view);

/* For a training step, which is no long work that reports and can be cancelled. */
static inline qnt_context qnt__train_quiet(const qnt_context *context)
{
    qnt_context quiet = *context;
    quiet.progress = NULL;
    return quiet;
}

/* gather.c: calls visit for each group that has values, with these in row-major order; they may be
 * overwritten. Tells progress. */
typedef void qnt__group_fn(void *user, size_t group, float *x, size_t n);
qnt_status qnt__train_gather(const qnt_context *context, const struct qnt__grouping *grouping,
                             const struct qnt__view *x, qnt__group_fn *visit, void *user);

/* Facts of all groups, [groups][QNT__FACTS], for qnt__free(); NULL if the method has none. */
qnt_status qnt__train_facts(const qnt_context *context, const qnt_trainer *trainer,
                            const struct qnt__grouping *grouping, const struct qnt__view *x,
                            double **facts);
size_t qnt__train_facts_bytes(const struct qnt__grouping *grouping);

/* deploy.c: the quantizer of the present theta; size is that of a group, facts as above. */
qnt_status qnt__train_deploy(const qnt_context *context, const qnt_trainer *trainer,
                             const double *facts, qnt_quantizer **out);

#endif
