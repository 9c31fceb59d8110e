/* Every trainable quantizer, made and started in one line: what the tests of training share. */
#ifndef TRAINING_H
#define TRAINING_H

#include "check.h"
#include "train/trainer.h"

enum { N = 240, MOST_THETA = 1 << 16 };

static qnt_context *c;

struct kind {
    int method, scheme[2]; /* [1]: with QNT_SIGNED */
    int least;
};

static const struct kind kinds[] = {
    {QNT_LSQ, {QNT_AFFINE, QNT_AFFINE}, 2},   {QNT_LSQPLUS, {QNT_AFFINE, QNT_AFFINE}, 2},
    {QNT_PACT, {QNT_AFFINE, QNT_AFFINE}, 2},  {QNT_DOREFA, {QNT_AFFINE, QNT_TABLE}, 1},
    {QNT_EWGS, {QNT_TABLE, QNT_TABLE}, 1},    {QNT_INTERVAL, {QNT_TABLE, QNT_TABLE}, 1},
    {QNT_N2UQ, {QNT_TABLE, QNT_TABLE}, 1},    {QNT_STAIRCASE, {QNT_TABLE, QNT_TABLE}, 1},
    {QNT_RQ, {QNT_AFFINE, QNT_AFFINE}, 2},    {QNT_SRQ, {QNT_AFFINE, QNT_AFFINE}, 2},
    {QNT_BALANCED, {QNT_TABLE, QNT_TABLE}, 1}};

enum { KINDS = sizeof kinds / sizeof *kinds };

static inline qnt_spec spec_of(int kind, bool weights, int bits)
{
    weights |= kinds[kind].method == QNT_BALANCED; /* which trains nothing else */
    return (qnt_spec){.size = sizeof(qnt_spec),
                      .scheme = kinds[kind].scheme[weights],
                      .method = kinds[kind].method,
                      .bits = bits < kinds[kind].least ? kinds[kind].least : bits,
                      .flags = weights ? QNT_SIGNED : 0,
                      .seed = check_seed};
}

static inline qnt_trainer *create(qnt_spec spec)
{
    qnt_trainer *t = NULL;
    CHECK_MSG(qnt_trainer_create(c, &spec, &t) == QNT_OK, "%s", check_reason);
    return t;
}

static inline void set(qnt_trainer *t, int param, double value)
{
    CHECK_MSG(qnt_trainer_set(c, t, param, &value, 1) == QNT_OK, "%s", check_reason);
}

static inline size_t theta_of(const qnt_trainer *t, double *theta)
{
    size_t count = 0;
    CHECK_MSG(qnt_trainer_get(c, t, QNT_P_THETA, theta, MOST_THETA, &count) == QNT_OK, "%s",
              check_reason);
    return count;
}

/* N floats as a tensor; valid until seven others were made. */
static inline qnt_tensor *flat(float *data)
{
    static qnt_tensor pool[8];
    static int64_t shape[1] = {N};
    static int next;
    qnt_tensor *t = &pool[next++ % 8];
    *t = (qnt_tensor){.data = data,
                      .device_type = 1,
                      .ndim = 1,
                      .dtype_code = QNT_FLOAT,
                      .dtype_bits = 32,
                      .dtype_lanes = 1,
                      .shape = shape};
    return t;
}

static inline void fill(float *x, size_t n, bool weights)
{
    for (size_t i = 0; i < n; i++) {
        double v = 0.7 * random_gauss();
        x[i] = (float)(weights ? v : fmax(v + 0.3, 0.0));
    }
}

#endif
