/* Weights as sums of bases of signs, trained with the loss: what alq.c, alq_step.c, alq_prune.c
 * and alq_state.c share. */
#ifndef QNT__TRAIN_ALQ_H
#define QNT__TRAIN_ALQ_H

#include "quantizer/bases.h"
#include "trainer.h"

#define QNT__ALQ_RATE 1e6 /* the highest */

/* AMSGrad's moments of n numbers: mean, mean square, and the largest of these so far. */
struct qnt__alq_moments {
    double *m, *v, *top; /* of n numbers */
    double steps;
};

struct qnt_alq {
    struct qnt__memory memory;
    qnt_spec spec;
    size_t count, groups, each;   /* weights; groups of `each`, the last of a row may be shorter */
    size_t row;                   /* weights of one row of blocks */
    double rate;                  /* of the last step */
    float *weight;                /* [count], the sums */
    double *master;               /* [count], moved by QNT_ALQ_STRAIGHT only */
    uint8_t *code;                /* [count], bit i: the sign of base i */
    double *alpha;                /* [groups][QNT__BASES_MAX], those that are come first, then 0 */
    int32_t *bases;               /* [groups] */
    struct qnt__alq_moments w, a; /* of weights; of [groups][QNT__BASES_MAX] coordinates */
    size_t bytes;
};

/* Neighbouring weights that share coordinates. */
struct qnt__alq_group {
    size_t first, n, number;
};

static inline double qnt__alq_sign(uint8_t code, int32_t base)
{
    return code >> base & 1 ? 1.0 : -1.0;
}

struct qnt__alq_group qnt__alq_group(const qnt_alq *q, size_t number);

/* The weights of a group from its codes and coordinates. */
void qnt__alq_rebuild(qnt_alq *q, struct qnt__alq_group g);

/* Takes a base out of a group; what is known of the others moves down. */
void qnt__alq_drop(qnt_alq *q, struct qnt__alq_group g, int32_t base);

/* Positive coordinates only, whose sums float32 can hold: all of them become smaller if it cannot; a
 * negative one changes sign with its base; one that is 0 as a float32, as which it is used, goes. */
void qnt__alq_tidy(qnt_alq *q, struct qnt__alq_group g);

/* Slope and curve of the modelled loss at number i. */
double qnt__alq_slope(const struct qnt__alq_moments *s, size_t i, double rate);
double qnt__alq_curve(const struct qnt__alq_moments *s, size_t i);

/* Sums over several layers: weights, and bits of their codes. */
void qnt__alq_count(qnt_alq *const *alq, size_t n, double *weights, double *bits);

/* Are there a context and layers, each of them once? */
qnt_status qnt__alq_check(const qnt_context *context, qnt_alq *const *alq, size_t n);

#endif
