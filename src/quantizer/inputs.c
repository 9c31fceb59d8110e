/* Gathering the mean outer product of a layer's inputs. See inputs.h; the contract is in
 * qnt/quantizer.h. */
#include "inputs.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "names.h"
#include "schemes.h"

enum {
    CHUNK_BYTES = 1 << 18, /* of inputs that are added together, about */
    BAND = 16              /* rows of the triangle that one task adds to */
};

/* Of the mean square. */
#define TRACE 1e-9

struct job {
    const qnt_context *context;
    struct qnt__view x; /* [..., depth] */
    struct qnt__inputs next;
    float *chunk; /* [rows][depth], finite inputs only */
    size_t rows;
};

static size_t row_at(size_t depth, size_t i)
{
    return i * depth - i * (i - 1) / 2; /* i = 0: 0 - 0 */
}

/* ---- what it is good for ---- */

static double ridge_of(const struct qnt__inputs *in)
{
    double sum = 0.0;
    for (size_t i = 0; i < in->depth; i++) sum += in->sum[row_at(in->depth, i)];
    return sum > 0.0 ? TRACE * sum / (double)in->depth : 1.0;
}

double qnt__inputs_error(const struct qnt__inputs *in, const double *r)
{
    double all = 0.0, ridge = ridge_of(in);
    for (size_t i = 0; i < in->depth; i++) {
        const double *row = in->sum + row_at(in->depth, i) - i;
        double twice = 0.0;
        for (size_t j = i + 1; j < in->depth; j++) twice += row[j] * r[j];
        all += r[i] * ((row[i] + ridge) * r[i] + 2.0 * twice);
    }
    return fmax(all, 0.0) / (double)in->count; /* rounding may leave less than nothing */
}

void qnt__inputs_diagonal(const struct qnt__inputs *in, double *h)
{
    double ridge = ridge_of(in);
    for (size_t i = 0; i < in->depth; i++)
        h[i] = (in->sum[row_at(in->depth, i)] + ridge) / (double)in->count;
}

void qnt__inputs_free(struct qnt__inputs *inputs)
{
    if (!inputs) return;
    struct qnt__memory memory = inputs->memory;
    qnt__free(&memory, inputs->sum, inputs->triangle * sizeof *inputs->sum);
    qnt__free(&memory, inputs, sizeof *inputs);
}

/* ---- gathering ---- */

/* Every sum is formed by one task, input after input: no result depends on the workers. */
static void add_band(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    const size_t depth = job->next.depth;
    for (size_t i = index * BAND; i < qnt__min(depth, (index + 1) * BAND); i++) {
        double *row = job->next.sum + row_at(depth, i) - i;
        for (size_t r = 0; r < job->rows; r++) {
            const float *x = job->chunk + r * depth;
            double xi = (double)x[i];
            if (xi == 0.0) continue; /* as after most ReLUs */
            for (size_t j = i; j < depth; j++) row[j] += xi * (double)x[j];
        }
    }
}

static bool is_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) return false;
    }
    return true;
}

static qnt_status add_all(struct job *job, size_t fits, size_t *skipped)
{
    const size_t depth = job->next.depth, all = qnt__view_rows(&job->x);
    for (size_t row = 0; row < all;) {
        QNT__TRY(qnt__progress(job->context, row, all));
        for (job->rows = 0; job->rows < fits && row < all; row++) {
            float *to = job->chunk + job->rows * depth;
            qnt__read_f32(&job->context->simd, &job->x, qnt__view_row(&job->x, row),
                          job->x.strides[job->x.ndim - 1], depth, to);
            if (is_finite(to, depth))
                job->rows++;
            else
                ++*skipped;
        }
        job->next.count += job->rows;
        QNT__TRY(qnt__parallel(job->context, add_band, job, qnt__ceil_div(depth, BAND)));
    }
    return qnt__progress(job->context, all, all);
}

/* Adds to a copy of the sums, which are swapped in at the end. */
static qnt_status gather(struct job *job, const struct qnt__inputs *now)
{
    const size_t depth = job->next.depth;
    size_t bytes, chunk_bytes = 0, fits = qnt__max(CHUNK_BYTES / sizeof(float) / depth, 1),
                  skipped = 0;
    void *block;
    if (!qnt__mul(job->next.triangle, sizeof *job->next.sum, &bytes) ||
        !qnt__mul(fits * depth, sizeof *job->chunk, &chunk_bytes)) {
        bytes = SIZE_MAX;
    }
    QNT__TRY(qnt__allocate(job->context, &job->next.memory, bytes, &block));
    job->next.sum = block;
    if (now)
        memcpy(block, now->sum, bytes);
    else
        memset(block, 0, bytes);
    qnt_status status = qnt__allocate(job->context, &job->next.memory, chunk_bytes, &block);
    if (status == QNT_OK) {
        job->chunk = block;
        status = add_all(job, fits, &skipped);
        qnt__free(&job->next.memory, block, chunk_bytes);
    }
    if (status != QNT_OK) qnt__free(&job->next.memory, job->next.sum, bytes);
    if (status == QNT_OK && skipped > 0) {
        qnt__log(job->context, QNT_LOG_WARN,
                 "inputs: %zu have elements that are NaN or infinite and were skipped", skipped);
    }
    return status;
}

/* ---- the call ---- */

static qnt_status check_quantizer(const qnt_context *context, const qnt_quantizer *q)
{
    if (!q) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    if (q->spec.scheme == QNT_POINTS && q->spec.grain == QNT_PER_AXIS) return QNT_OK;
    return qnt__fail(context, QNT_E_UNSUPPORTED,
                     "quantizer: %s %s, expected QNT_POINTS QNT_PER_AXIS", q->scheme->name,
                     qnt__grain_name(q->spec.grain));
}

static qnt_status open_inputs(struct job *job, const qnt_tensor *inputs,
                              const struct qnt__inputs *now)
{
    const struct qnt__view *x = &job->x;
    struct qnt__inputs *next = &job->next;
    QNT__TRY(qnt__view_open(job->context, "inputs", inputs, QNT__FLOATS, &job->x));
    if (x->ndim < 1 || x->shape[x->ndim - 1] < 1) {
        return qnt__fail(job->context, QNT_E_SHAPE,
                         "inputs: %d axes, expected at least one, the last with an element",
                         x->ndim);
    }
    next->depth = (size_t)x->shape[x->ndim - 1];
    if (now && now->depth != next->depth) {
        return qnt__fail(job->context, QNT_E_SHAPE,
                         "inputs have %zu elements, but %zu were observed before", next->depth,
                         now->depth);
    }
    if (!qnt__mul(next->depth, next->depth + 1, &next->triangle)) next->triangle = SIZE_MAX;
    next->triangle /= 2;
    return QNT_OK;
}

qnt_status qnt_quantizer_observe_inputs(const qnt_context *context, qnt_quantizer *quantizer,
                                        const qnt_tensor *inputs)
{
    if (!context) return QNT_E_INVALID;
    QNT__TRY(check_quantizer(context, quantizer));
    struct qnt__inputs *kept = quantizer->inputs;
    struct job job = {.context = context, .next = {.memory = quantizer->memory}};
    void *fresh = NULL;
    QNT__TRY(open_inputs(&job, inputs, kept));
    if (kept) job.next.count = kept->count;
    if (!kept) QNT__TRY(qnt__allocate(context, &quantizer->memory, sizeof *kept, &fresh));
    qnt_status status = gather(&job, kept);
    if (status != QNT_OK) {
        qnt__free(&quantizer->memory, fresh, sizeof *kept);
        return status;
    }
    if (kept) qnt__free(&kept->memory, kept->sum, kept->triangle * sizeof *kept->sum);
    quantizer->inputs = kept ? kept : fresh;
    *quantizer->inputs = job.next;
    return QNT_OK;
}
