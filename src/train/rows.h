/* The functions that rows of the method table consist of, by file; trainer.h says what they do. */
#ifndef QNT__TRAIN_ROWS_H
#define QNT__TRAIN_ROWS_H

#include <float.h>
#include <math.h>

#include "trainer.h"

/* Steps between the levels of so many bits. */
static inline int32_t qnt__train_steps(const qnt_spec *spec)
{
    return (1 << spec->bits) - 1;
}

/* The nearest number that a method can use. Between such ends all products that derivatives consist
 * of are finite in double precision. To move a number there twice is to move it once, so that a
 * training goes on from its numbers as they were. */
static inline double qnt__train_within(double number, double least, double most)
{
    return fmin(fmax(number, least), most);
}

static const double QNT__TRAIN_LEAST = 0x1p-100; /* of steps and lengths */
static const double QNT__TRAIN_MOST = 0x1p110;   /* of scales of integers of 16 bits */

/* The largest step of codes: an offset beside it leaves all values finite. */
static inline double qnt__train_most_step(const qnt_spec *spec)
{
    return ldexp((double)FLT_MAX, -spec->bits - 1);
}

/* start.c: the largest magnitude, but at most three root mean squares; without QNT_SIGNED negative values
 * count as 0. */
double qnt__train_reach(const qnt_spec *spec, const float *x, size_t n);

/* start.c: the scale of ascending levels that costs the least squared error, exactly; with so many
 * bytes of memory, 64-byte aligned, SIZE_MAX: they overflow. */
double qnt__train_best_scale(const double *level, int32_t levels, const float *x, size_t n,
                             void *space);
size_t qnt__train_best_scale_bytes(int32_t levels, size_t n);

#define QNT__TRAIN_COUNT(name) size_t qnt__##name##_count(const qnt_trainer *trainer)
#define QNT__TRAIN_LEVELS(name)                                                                    \
    int32_t qnt__##name##_levels(const qnt_spec *spec, double level[256])
#define QNT__TRAIN_FACTS(name)                                                                     \
    void qnt__##name##_facts(const qnt_trainer *trainer, const float *x, size_t n,                 \
                             double facts[QNT__FACTS])
#define QNT__TRAIN_START(name)                                                                     \
    void qnt__##name##_start(const qnt_trainer *trainer, float *x, size_t n, void *space,          \
                             double *theta)
#define QNT__TRAIN_PROJECT(name)                                                                   \
    void qnt__##name##_project(const qnt_trainer *trainer, double *theta)
#define QNT__TRAIN_AFFINE(name)                                                                    \
    void qnt__##name##_affine(const struct qnt__pass *pass, struct qnt__train_affine *out)
#define QNT__TRAIN_SCALE(name) double qnt__##name##_scale(const struct qnt__pass *pass)
#define QNT__TRAIN_RANK(name) int32_t qnt__##name##_rank(const struct qnt__pass *pass, double x)
#define QNT__TRAIN_FORWARD(name)                                                                   \
    void qnt__##name##_forward(const struct qnt__pass *pass, const struct qnt__span *span,         \
                               const float *x, float *y)
#define QNT__TRAIN_BACKWARD(name)                                                                  \
    void qnt__##name##_backward(const struct qnt__pass *pass, const struct qnt__span *span,        \
                                const float *x, const float *dy, float *dx, double *dtheta)

/* step.c */
QNT__TRAIN_COUNT(lsq);
size_t qnt__lsq_space(const qnt_trainer *trainer, size_t n);
QNT__TRAIN_START(lsq);
QNT__TRAIN_START(lsqplus);
QNT__TRAIN_PROJECT(lsq);
QNT__TRAIN_AFFINE(lsq);
QNT__TRAIN_BACKWARD(lsq);

/* clip.c */
QNT__TRAIN_COUNT(pact);
QNT__TRAIN_START(pact);
QNT__TRAIN_PROJECT(pact);
QNT__TRAIN_AFFINE(pact);
QNT__TRAIN_BACKWARD(pact);

/* dorefa.c */
QNT__TRAIN_LEVELS(dorefa);
QNT__TRAIN_COUNT(dorefa);
QNT__TRAIN_FACTS(dorefa);
QNT__TRAIN_AFFINE(dorefa);
QNT__TRAIN_SCALE(dorefa);
QNT__TRAIN_RANK(dorefa);
QNT__TRAIN_BACKWARD(dorefa);
enum { QNT__DOREFA_PULL = 4 }; /* the fact that qnt__dorefa_pull() adds up to */
double qnt__dorefa_pull(const struct qnt__pass *pass, double x, double dy);

/* interval.c */
QNT__TRAIN_LEVELS(interval);
QNT__TRAIN_COUNT(interval);
QNT__TRAIN_START(interval);
QNT__TRAIN_PROJECT(interval);
QNT__TRAIN_SCALE(interval);
QNT__TRAIN_RANK(interval);
QNT__TRAIN_BACKWARD(interval);

/* balanced.c */
QNT__TRAIN_BACKWARD(balanced);

/* n2uq.c */
QNT__TRAIN_COUNT(n2uq);
QNT__TRAIN_FACTS(n2uq);
QNT__TRAIN_START(n2uq);
QNT__TRAIN_PROJECT(n2uq);
QNT__TRAIN_SCALE(n2uq);
QNT__TRAIN_RANK(n2uq);
QNT__TRAIN_BACKWARD(n2uq);

/* staircase.c */
QNT__TRAIN_LEVELS(staircase);
QNT__TRAIN_COUNT(staircase);
size_t qnt__staircase_space(const qnt_trainer *trainer, size_t n);
QNT__TRAIN_START(staircase);
QNT__TRAIN_PROJECT(staircase);
QNT__TRAIN_SCALE(staircase);
QNT__TRAIN_RANK(staircase);
QNT__TRAIN_FORWARD(staircase);
QNT__TRAIN_BACKWARD(staircase);

/* values.c */
QNT__TRAIN_COUNT(values);
QNT__TRAIN_START(values);
QNT__TRAIN_PROJECT(values);
QNT__TRAIN_SCALE(values);
QNT__TRAIN_RANK(values);
QNT__TRAIN_BACKWARD(values);
int32_t qnt__values_levels(const struct qnt__pass *pass, double level[256]);
void qnt__values_refit(const qnt_trainer *trainer, const float *x, size_t n, double *theta);

/* relaxed.c */
QNT__TRAIN_COUNT(relaxed);
size_t qnt__relaxed_space(const qnt_trainer *trainer, size_t n);
QNT__TRAIN_START(relaxed);
QNT__TRAIN_PROJECT(relaxed);
QNT__TRAIN_AFFINE(relaxed);
QNT__TRAIN_FORWARD(relaxed);
QNT__TRAIN_BACKWARD(relaxed);
void qnt__relaxed_gates(struct qnt__pass *pass);
void qnt__relaxed_penalty(const struct qnt__pass *pass, double *dtheta);

#endif
