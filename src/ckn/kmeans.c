/*
 * Spherical k-means: unit vectors go to the centre of largest inner product, centres to the
 * normalised mean of theirs. An empty centre takes the vector that is worst served.
 */
#include <math.h>
#include <string.h>

#include "base/carve.h"
#include "base/random.h"
#include "base/try.h"
#include "ckn.h"
#include "simd/layout.h"

enum { PIECE = 1024 /* vectors of one task */, COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL };

static const double enough = 1e-6; /* relative gain of the mean similarity */

struct job {
    const float *x;
    size_t n, depth, count;
    double *centre; /* [count][depth] */
    float *rounded; /* the same as float32 panels, [panels][depth][16] */
    size_t panels;
    const struct qnt__simd *simd;
    uint32_t *owner; /* [n] */
    float *likeness; /* [n], to the owner */
};

/* The nearest centres of m vectors from number `first`. */
static void assign_block(const struct job *job, size_t first, size_t m)
{
    const float *rows[QNT__BLOCK_ROWS];
    const ptrdiff_t none = 0;
    float sum[QNT__BLOCK_ROWS * COLUMNS];
    for (size_t i = 0; i < m; i++) rows[i] = job->x + (first + i) * job->depth;
    for (size_t p = 0; p < job->panels; p += QNT__BLOCK_PANELS) {
        const size_t panels = qnt__min(QNT__BLOCK_PANELS, job->panels - p), column = p * QNT__PANEL;
        const struct qnt__gemm_f32 g = {.rows = rows,
                                        .taps = &none,
                                        .y = sum,
                                        .m = m,
                                        .panels = panels,
                                        .weight = job->rounded + column * job->depth,
                                        .tap_count = 1,
                                        .depth = job->depth,
                                        .ld = COLUMNS};
        job->simd->gemm_f32(&g);
        for (size_t i = 0; i < m; i++) {
            for (size_t c = 0; c < qnt__min(panels * QNT__PANEL, job->count - column); c++) {
                float likeness = sum[i * COLUMNS + c];
                if (column + c > 0 && !(likeness > job->likeness[first + i])) continue;
                job->likeness[first + i] = likeness;
                job->owner[first + i] = (uint32_t)(column + c);
            }
        }
    }
}

static void assign(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    const size_t end = qnt__min(job->n, (index + 1) * PIECE);
    for (size_t i = index * PIECE; i < end; i += QNT__BLOCK_ROWS)
        assign_block(job, i, qnt__min(QNT__BLOCK_ROWS, end - i));
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
        float *panel = job->rounded + c / QNT__PANEL * job->depth * QNT__PANEL + c % QNT__PANEL;
        for (size_t k = 0; k < job->depth; k++)
            panel[k * QNT__PANEL] = (float)job->centre[c * job->depth + k];
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
    size_t end = 0, at[3] = {0};
    void *block;
    job.simd = &context->simd;
    job.panels = qnt__ceil_div(count, QNT__PANEL);
    bool fits = n <= UINT32_MAX &&
                qnt__append(&end, job.panels * QNT__PANEL * depth, sizeof(float), &at[0]) &&
                qnt__append(&end, n, sizeof(float), &at[1]) &&
                qnt__append(&end, n, sizeof(uint32_t), &at[2]);
    QNT__TRY(qnt__allocate(context, &context->memory, fits ? end : SIZE_MAX, &block));
    memset(block, 0, at[1]); /* columns without a centre */
    job.rounded = block;
    job.likeness = (float *)((uint8_t *)block + at[1]);
    job.owner = (uint32_t *)((uint8_t *)block + at[2]);
    choose_first(&job, seed);
    qnt_status status = iterate(context, &job, rounds);
    qnt__free(&context->memory, block, end);
    return status;
}
