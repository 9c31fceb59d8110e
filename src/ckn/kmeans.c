/*
 * Spherical k-means: unit vectors go to the centre of largest inner product, centres to the
 * normalised mean of theirs. An empty centre takes the vector that is worst served.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/random.h"
#include "base/try.h"
#include "ckn.h"

enum { PIECE = 1024 /* vectors of one task */ };

static const double enough = 1e-6; /* relative gain of the mean similarity */

struct job {
    const float *x;
    size_t n, depth, count;
    double *centre;  /* [count][depth] */
    float *rounded;  /* the same as float32, [depth][count] */
    uint32_t *owner; /* [n] */
    float *likeness; /* [n], to the owner */
};

static void assign(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    size_t end = qnt__min(job->n, (index + 1) * PIECE);
    float sum[1024];
    for (size_t i = index * PIECE; i < end; i++) {
        const float *x = job->x + i * job->depth;
        memset(sum, 0, job->count * sizeof *sum);
        for (size_t k = 0; k < job->depth; k++) {
            const float *z = job->rounded + k * job->count, v = x[k];
            for (size_t c = 0; c < job->count; c++) sum[c] += v * z[c];
        }
        size_t best = 0;
        for (size_t c = 1; c < job->count; c++) best = sum[c] > sum[best] ? c : best;
        job->owner[i] = (uint32_t)best;
        job->likeness[i] = sum[best];
    }
}

/* The first centres: different vectors at random (Floyd's sampling keeps them apart). */
static void choose_first(struct job *job, uint64_t seed)
{
    uint64_t state = seed * 2 + 1;
    for (size_t c = 0; c < job->count; c++) {
        size_t from = job->n - job->count + c, pick = (size_t)(qnt__random(&state) % (from + 1));
        for (size_t b = 0; b < c; b++) {
            if (job->owner[b] == pick) pick = from;
        }
        job->owner[c] = (uint32_t)pick; /* used as a list here */
        for (size_t k = 0; k < job->depth; k++)
            job->centre[c * job->depth + k] = (double)job->x[pick * job->depth + k];
    }
}

static void round_centres(struct job *job)
{
    for (size_t c = 0; c < job->count; c++) {
        for (size_t k = 0; k < job->depth; k++)
            job->rounded[k * job->count + c] = (float)job->centre[c * job->depth + k];
    }
}

/* Means of what each centre owns, normalised; in the order of the vectors, on one thread. */
static void move_centres(struct job *job)
{
    memset(job->centre, 0, job->count * job->depth * sizeof *job->centre);
    for (size_t i = 0; i < job->n; i++) {
        double *z = job->centre + job->owner[i] * job->depth;
        for (size_t k = 0; k < job->depth; k++) z[k] += (double)job->x[i * job->depth + k];
    }
    for (size_t c = 0; c < job->count; c++) {
        double *z = job->centre + c * job->depth, square = 0.0;
        for (size_t k = 0; k < job->depth; k++) square += z[k] * z[k];
        if (square > 0.0) {
            for (size_t k = 0; k < job->depth; k++) z[k] /= sqrt(square);
            continue;
        }
        size_t worst = 0;
        for (size_t i = 1; i < job->n; i++)
            worst = job->likeness[i] < job->likeness[worst] ? i : worst;
        for (size_t k = 0; k < job->depth; k++) z[k] = (double)job->x[worst * job->depth + k];
        job->likeness[worst] = 2.0f; /* used */
    }
}

static qnt_status iterate(const qnt_context *context, struct job *job, int32_t rounds)
{
    double before = -2.0;
    for (int32_t r = 0; r < rounds; r++) {
        double mean = 0.0;
        round_centres(job);
        QNT__TRY(qnt__parallel(context, assign, job, qnt__ceil_div(job->n, PIECE)));
        for (size_t i = 0; i < job->n; i++) mean += (double)job->likeness[i];
        mean /= (double)job->n;
        move_centres(job);
        if (mean - before <= enough * fabs(mean)) break;
        before = mean;
        QNT__TRY(qnt__progress(context, (uint64_t)r, (uint64_t)rounds));
    }
    return qnt__progress(context, (uint64_t)rounds, (uint64_t)rounds);
}

qnt_status qnt__spherical_kmeans(const qnt_context *context, const float *x, size_t n, size_t depth,
                                 size_t count, int32_t rounds, uint64_t seed, double *centre)
{
    struct job job = {.x = x, .n = n, .depth = depth, .count = count, .centre = centre};
    size_t each = sizeof(uint32_t) + sizeof(float), bytes, more;
    void *block;
    if (n > UINT32_MAX || !qnt__mul(n, each, &bytes) ||
        !qnt__mul(count * depth, sizeof(float), &more) || !qnt__add(bytes, more, &bytes)) {
        bytes = SIZE_MAX;
    }
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &block));
    job.likeness = block;
    job.owner = (uint32_t *)(job.likeness + n);
    job.rounded = (float *)(job.owner + n);
    choose_first(&job, seed);
    qnt_status status = iterate(context, &job, rounds);
    qnt__free(&context->memory, block, bytes);
    return status;
}
