/*
 * Measuring what quantizing costs. The contract is in qnt/quantizer.h.
 *
 * Sums are taken piece by piece, then over the pieces in order, so the number of workers does not
 * show.
 */
#include <math.h>

#include "base/arith.h"
#include "base/try.h"
#include "chunk.h"
#include "dynamic.h"
#include "importance.h"
#include "schemes.h"
#include "tensor/range.h"

enum { FIRST_ERROR = sizeof(qnt_error) /* its size in release 1.0 */ };

/* Sums over elements whose x is finite. */
struct sums {
    double count, clipped;
    double weight, x_square, y_square, product, square, x_abs, abs, largest;
    double illegal; /* weights */
};

struct job {
    const qnt_context *context;
    const qnt_quantizer *quantizer;
    struct qnt__grouping grouping;
    struct qnt__view x, importance; /* flattened */
    struct sums *sums;              /* [pieces] */
    size_t pieces;
};

static void add(struct sums *s, double x, double y, double h)
{
    double d = fabs(x - y);
    s->count++;
    s->weight += h;
    s->x_square += h * x * x;
    s->y_square += h * y * y;
    s->product += h * x * y;
    s->square += h * d * d;
    s->x_abs += h * fabs(x);
    s->abs += h * d;
    if (h > 0 && d > s->largest) s->largest = d;
}

static void add_segment(const struct job *job, size_t group, const float *x, const float *h,
                        size_t n, struct sums *s)
{
    const struct qnt__scheme *scheme = job->quantizer->scheme;
    const struct qnt__segment segment = {.group = group, .n = n, .run = n};
    float y[QNT__CHUNK];
    uint16_t codes[QNT__CHUNK];
    double value[2], step[2];
    scheme->ends(job->quantizer, group, value, step);
    double low = value[0] - 0.5 * step[0], high = value[1] + 0.5 * step[1];
    scheme->encode(&job->context->simd, job->quantizer, &segment, x, codes);
    scheme->decode(&job->context->simd, job->quantizer, &segment, codes, y);
    for (size_t i = 0; i < n; i++) {
        float weight = h ? h[i] : 1.0f;
        if (!qnt__importance_is_legal(weight)) s->illegal++;
        if (!isfinite(x[i])) continue;
        add(s, (double)x[i], (double)y[i], (double)weight);
        s->clipped += (double)x[i] < low || (double)x[i] > high;
    }
}

static void measure_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    struct job *job = task;
    const struct qnt__simd *simd = &job->context->simd;
    struct qnt__piece piece = qnt__element_piece(&job->grouping, index);
    struct qnt__chunk chunk = {0};
    struct sums sums = {0};
    size_t group, n;
    float x_buffer[QNT__CHUNK], h_buffer[QNT__CHUNK];

    while (qnt__piece_next(&job->grouping, &piece, &chunk)) {
        const float *x = qnt__chunk_f32(simd, &job->x, &chunk, x_buffer), *h = NULL;
        if (job->importance.count) h = qnt__chunk_f32(simd, &job->importance, &chunk, h_buffer);
        for (size_t at = 0; qnt__chunk_segment(&job->grouping, &chunk, at, &group, &n); at += n) {
            add_segment(job, group, x + at, h ? h + at : NULL, n, &sums);
        }
    }
    job->sums[index] = sums;
}

static struct sums total_of(const struct job *job)
{
    struct sums t = {0};
    for (size_t i = 0; i < job->pieces; i++) {
        const struct sums *s = &job->sums[i];
        t.count += s->count;
        t.clipped += s->clipped;
        t.weight += s->weight;
        t.x_square += s->x_square;
        t.y_square += s->y_square;
        t.product += s->product;
        t.square += s->square;
        t.x_abs += s->x_abs;
        t.abs += s->abs;
        t.illegal += s->illegal;
        if (s->largest > t.largest) t.largest = s->largest;
    }
    return t;
}

/* 0 / 0 is 0: nothing was lost of nothing. */
static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* Mean bits of an element: its code and its share of what the groups keep. */
static double bits_of(const struct job *job)
{
    const qnt_quantizer *q = job->quantizer;
    const struct qnt__grouping *grouping = &job->grouping;
    double total = 32.0 * (double)q->shared_count, count = (double)job->x.count;
    if (job->x.count == 0) return 0;
    for (size_t g = 0; g < grouping->groups; g++) {
        double each = q->scheme->stored ? q->scheme->stored(q, g) : qnt__code_bits(q);
        total += q->scheme->overhead(q, g) + each * (double)qnt__group_size(grouping, g);
    }
    return total / count;
}

static qnt_error summary_of(const struct job *job, const struct sums *t)
{
    double angle = sqrt(t->x_square) * sqrt(t->y_square);
    qnt_error e = {.count = (uint64_t)t->count,
                   .mse = ratio(t->square, t->weight),
                   .sqnr_db = t->square > 0 ? 10 * log10(t->x_square / t->square) : INFINITY,
                   .rmae = ratio(t->abs, t->x_abs),
                   .cosine = angle > 0 ? t->product / angle : t->x_square == t->y_square,
                   .largest = t->largest,
                   .clipped = ratio(t->clipped, t->count)};
    e.bits = bits_of(job);
    return e;
}

static qnt_status run(struct job *job, qnt_error *out)
{
    void *sums;
    size_t bytes = job->pieces * sizeof *job->sums; /* far fewer than elements */
    QNT__TRY(qnt__allocate(job->context, &job->context->memory, bytes, &sums));
    job->sums = sums;
    qnt_status status = qnt__parallel(job->context, measure_piece, job, job->pieces);
    struct sums total = {0};
    if (status == QNT_OK) total = total_of(job);
    qnt__free(&job->context->memory, sums, bytes);
    QNT__TRY(status);
    if (total.illegal > 0) return qnt__importance_refuse(job->context);
    qnt_error summary = summary_of(job, &total);
    qnt__sized_write(out, &summary, sizeof summary);
    return QNT_OK;
}

qnt_status qnt_quantizer_error(const qnt_context *context, const qnt_quantizer *quantizer,
                               const qnt_tensor *x, const qnt_tensor *importance, qnt_error *out)
{
    struct job job = {.context = context, .quantizer = quantizer};
    qnt_error unused;
    if (!context) return QNT_E_INVALID;
    bool dynamic = quantizer && (quantizer->spec.flags & QNT_DYNAMIC);
    if (!dynamic) QNT__TRY(qnt__quantizer_ready(context, quantizer));
    QNT__TRY(qnt__sized_read(context, "out", out, FIRST_ERROR, sizeof unused, &unused));
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS, &job.x));
    QNT__TRY(qnt__importance_open(context, importance, &job.x, &job.importance));
    QNT__TRY(qnt__grouping_of(context, "x", &quantizer->spec, job.x.ndim, job.x.shape,
                              &job.grouping));
    if (!dynamic && job.grouping.groups != quantizer->groups) {
        return qnt__fail(context, QNT_E_SHAPE, "x has %zu groups, but the quantizer has %zu",
                         job.grouping.groups, quantizer->groups);
    }
    qnt__view_flatten(&job.x);
    qnt__view_flatten(&job.importance);
    job.pieces = qnt__element_pieces(&job.grouping);
    if (!dynamic) return run(&job, out);

    qnt_quantizer found;
    QNT__TRY(qnt__dynamic_open(context, quantizer, &job.grouping, &job.x, &found));
    job.quantizer = &found;
    qnt_status status = run(&job, out);
    qnt__parameters_free(&found);
    return status;
}
