/* Encoding, decoding and both at once. The contract is in qnt/quantizer.h. */
#include "base/arith.h"
#include "base/try.h"
#include "chunk.h"
#include "codebook.h"
#include "dynamic.h"
#include "grouping.h"
#include "schemes.h"
#include "tensor/range.h"

/* Streaming pays for runs that cover whole lines. */
enum { STREAM_RUN = 512 };

/* Elements whose codes are in a buffer before they are packed: few, so that reading and writing overlap;
 * where rows share what is computed for their groups more, these in bytes. */
enum { PART = 4096, ROWS = 32768 };

/* One call: x becomes codes, codes become y, or x becomes y. */
struct job {
    const qnt_context *context;
    const qnt_quantizer *quantizer;
    struct qnt__grouping grouping;
    struct qnt__view x, codes, y; /* flattened; count 0 if unused */
    size_t pieces;
    size_t code_bytes; /* 1 or 2 */
    bool stream;     /* write past the caches */
    bool runs;       /* all views lie in one run each, in the form that kernels take */
    const struct qnt__ranks *ranks; /* of the only group, or NULL */
};

/* Where the groups of all rows are the same, rows repeat. */
static struct qnt__segment segment_of(const struct job *job, const struct qnt__chunk *chunk)
{
    return (struct qnt__segment){
        .run = chunk->run,
        .period = chunk->run == 1 ? chunk->pitch : SIZE_MAX,
        .ranks = job->ranks,
    };
}

static void encode_chunk(const struct job *job, const struct qnt__chunk *chunk, const float *x,
                         void *codes, bool stream)
{
    const qnt_quantizer *q = job->quantizer;
    struct qnt__segment segment = segment_of(job, chunk);
    for (size_t at = 0; qnt__chunk_segment(&job->grouping, chunk, at, &segment.group, &segment.n);
         at += segment.n) {
        segment.stream = stream && segment.n >= STREAM_RUN;
        q->scheme->encode(&job->context->simd, q, &segment, x + at,
                          (uint8_t *)codes + at * job->code_bytes);
    }
}

static void decode_chunk(const struct job *job, const struct qnt__chunk *chunk, const void *codes,
                         float *y, bool stream)
{
    const qnt_quantizer *q = job->quantizer;
    struct qnt__segment segment = segment_of(job, chunk);
    for (size_t at = 0; qnt__chunk_segment(&job->grouping, chunk, at, &segment.group, &segment.n);
         at += segment.n) {
        segment.stream = stream && segment.n >= STREAM_RUN;
        q->scheme->decode(&job->context->simd, q, &segment,
                          (const uint8_t *)codes + at * job->code_bytes, y + at);
    }
}

/* The part of a view in one run that begins at an element. */
static void *run_at(const struct qnt__view *view, size_t first)
{
    return view->data + first * (view->bits / 8u);
}

/* Codes become packed; whole bytes of them may go past the caches. */
static void pack(const struct job *job, size_t first, size_t n, const uint8_t *codes)
{
    const struct qnt__simd *simd = &job->context->simd;
    const size_t bit = first * job->codes.bits, whole = bit % 8 == 0 ? n / 8 * 8 : 0;
    if (whole) {
        simd->pack_codes(codes, whole, job->codes.bits, job->stream, job->codes.data + bit / 8);
    }
    qnt__write_codes(simd, &job->codes, (int64_t)(first + whole), 1, n - whole, codes + whole);
}

/* Can codes of the segment go straight to where they are packed? Few are not worth it. */
static bool packs_straight(const struct qnt__segment *s)
{
    if (s->n < STREAM_RUN || s->n % 8) return false;
    return s->run == 1 ? s->period >= s->n || s->period % 8 == 0
                       : s->run >= s->n || s->run % 8 == 0;
}

/* Packs what can go straight from the beginning of a chunk on; returns how many elements. */
static size_t pack_straight(const struct job *job, const struct qnt__chunk *chunk)
{
    const qnt_quantizer *q = job->quantizer;
    struct qnt__segment segment = segment_of(job, chunk);
    segment.stream = job->stream;
    size_t at = 0, n;
    while (qnt__chunk_segment(&job->grouping, chunk, at, &segment.group, &n)) {
        const size_t first = chunk->first + at;
        segment.n = n / 8 * 8;
        if (first % 8 || !packs_straight(&segment)) break;
        q->scheme->pack(&job->context->simd, q, &segment, run_at(&job->x, first),
                        job->codes.data + first / 8 * job->codes.bits);
        at += segment.n;
        if (segment.n < n) break;
    }
    return at;
}

/* How much of a chunk to do next: whole rows where rows repeat their groups, eight of them if there is
 * room, so that packed codes begin with whole bytes; or a part of a row. */
static size_t part_of(const struct qnt__chunk *chunk, size_t done, size_t most)
{
    size_t left = chunk->count - done, rows = most / chunk->pitch;
    if (chunk->rows == 1) return qnt__min(left, most);
    if (rows == 0) return qnt__min(most, chunk->pitch - done % chunk->pitch);
    return qnt__min(left, (rows < 8 ? rows : rows / 8 * 8) * chunk->pitch);
}

/* The stages that a call needs, for a chunk of views in one run. Only packed codes that do not go straight
 * need a buffer. */
static void convert_run(const struct job *job, const struct qnt__chunk *chunk)
{
    const struct qnt__simd *simd = &job->context->simd;
    bool packed = !job->codes.count || job->codes.bits < 8;
    bool share = chunk->rows > 1 && job->x.count; /* decoding computes nothing for a group */
    size_t most = !packed ? chunk->count : share ? ROWS / job->code_bytes : PART;
    struct qnt__chunk part = *chunk;
    uint16_t buffer[ROWS / 2];
    size_t done = packed && job->x.count && job->codes.count ? pack_straight(job, chunk) : 0;

    for (; done < chunk->count; done += part.count) {
        part.first = chunk->first + done;
        part.count = part_of(chunk, done, most);
        void *codes = packed ? buffer : run_at(&job->codes, part.first);
        if (job->x.count) {
            const float *x = run_at(&job->x, part.first);
            encode_chunk(job, &part, x, codes, job->stream && !packed);
            if (packed && job->codes.count) pack(job, part.first, part.count, codes);
        } else if (packed) {
            qnt__read_codes(simd, &job->codes, (int64_t)part.first, 1, part.count, codes);
        }
        if (job->y.count) {
            decode_chunk(job, &part, codes, run_at(&job->y, part.first), job->stream);
        }
    }
}

/* The same for any views: what does not lie right goes through buffers. */
static void convert_chunk(const struct job *job, const struct qnt__chunk *chunk)
{
    const struct qnt__simd *simd = &job->context->simd;
    float floats[QNT__CHUNK];
    uint16_t narrow[QNT__CHUNK];
    const void *codes = narrow;
    if (job->x.count) {
        const float *x = qnt__chunk_f32(simd, &job->x, chunk, floats);
        void *to = job->codes.count ? qnt__chunk_codes_place(&job->codes, chunk, narrow) : narrow;
        encode_chunk(job, chunk, x, to, false);
        if (job->codes.count) qnt__chunk_write_codes(simd, &job->codes, chunk, to);
    } else {
        codes = qnt__chunk_codes(simd, &job->codes, chunk, narrow);
    }
    if (job->y.count) {
        float *y = qnt__chunk_f32_place(&job->y, chunk, floats);
        decode_chunk(job, chunk, codes, y, false);
        qnt__chunk_write_f32(simd, &job->y, chunk, y);
    }
}

static void run_piece(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    struct qnt__piece piece = qnt__element_piece(&job->grouping, index);
    struct qnt__chunk chunk = {.unbuffered = job->runs,
                               .many_groups = job->quantizer->scheme->many_groups};
    while (qnt__piece_next(&job->grouping, &piece, &chunk)) {
        if (job->runs && !chunk.transposed) convert_run(job, &chunk);
        else convert_chunk(job, &chunk);
    }
    if (job->stream) job->context->simd.stream_end();
}

static void run_serially(void *task, size_t index, size_t worker)
{
    struct job *job = task;
    (void)index;
    for (size_t i = 0; i < job->pieces; i++) run_piece(task, i, worker);
}

static size_t moved_bytes(const struct job *job)
{
    return job->x.count / 8 * job->x.bits + job->codes.count / 8 * job->codes.bits +
           job->y.count / 8 * job->y.bits;
}

/* Does the flattened view lie in one run, as kernels take it? True if it is not used. */
static bool is_run(const struct qnt__view *view)
{
    if (view->count == 0) return true;
    bool whole = view->ndim == 0 || (view->ndim == 1 && view->strides[0] == 1);
    bool half = view->code == QNT_BFLOAT || (view->code == QNT_FLOAT && view->bits == 16);
    return whole && !half && (uintptr_t)view->data % qnt__max(view->bits / 8u, 1) == 0;
}

/* Packed codes that are not compact may share a byte between any two elements: one worker only. */
static qnt_status run(struct job *job)
{
    const struct qnt__view *codes = &job->codes;
    job->code_bytes = qnt__code_bits(job->quantizer) == 16 ? 2 : 1;
    bool shares_bytes = codes->count && codes->bits < 8 && !qnt__view_is_compact(codes);
    job->stream = job->codes.count && moved_bytes(job) >= QNT__STREAM_BYTES;
    qnt__view_flatten(&job->x);
    qnt__view_flatten(&job->codes);
    qnt__view_flatten(&job->y);
    job->runs = is_run(&job->x) && is_run(&job->codes) && is_run(&job->y);
    job->pieces = qnt__element_pieces(&job->grouping);
    struct qnt__ranks ranks;
    if (job->x.count && job->quantizer->scheme->values && job->quantizer->groups == 1) {
        qnt__codebook_ranks(job->quantizer, 0, &ranks);
        job->ranks = &ranks;
    }
    return shares_bytes ? qnt__parallel(job->context, run_serially, job, 1)
                        : qnt__parallel(job->context, run_piece, job, job->pieces);
}

static qnt_status check_codes(const qnt_context *context, const qnt_quantizer *quantizer,
                              const struct qnt__view *codes)
{
    return qnt__view_has_codes(context, "codes", codes, qnt__code_type(quantizer),
                               qnt__code_bits(quantizer));
}

/* Finds the groups of a shape and compares their number with the parameters'. */
static qnt_status check_groups(const char *name, const struct qnt__view *view, struct job *job)
{
    const qnt_quantizer *q = job->quantizer;
    QNT__TRY(qnt__grouping_of(job->context, name, &q->spec, view->ndim, view->shape, &job->grouping));
    if ((q->spec.flags & QNT_DYNAMIC) || job->grouping.groups == q->groups) return QNT_OK;
    return qnt__fail(job->context, QNT_E_SHAPE, "%s has %zu groups, but the quantizer has %zu", name,
                     job->grouping.groups, q->groups);
}

qnt_status qnt_quantizer_view(const qnt_context *context, const qnt_quantizer *quantizer,
                              const qnt_tensor *x, qnt_tensor *codes)
{
    struct qnt__view view;
    if (!context) return QNT_E_INVALID;
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    QNT__TRY(qnt__view_open_shape(context, "x", x, QNT__ANY, &view));
    return qnt__view_describe(context, "codes", view.ndim, view.shape,
                              (uint8_t)qnt__code_type(quantizer),
                              (uint8_t)qnt__code_bits(quantizer), codes);
}

qnt_status qnt_quantizer_encode(const qnt_context *context, const qnt_quantizer *quantizer,
                                const qnt_tensor *x, qnt_tensor *codes)
{
    struct job job = {.context = context, .quantizer = quantizer};
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS, &job.x));
    QNT__TRY(qnt__view_open_output(context, "codes", codes, QNT__CODES | QNT__CODES16, &job.codes));
    QNT__TRY(check_codes(context, quantizer, &job.codes));
    QNT__TRY(qnt__view_same_shape(context, "x", &job.x, "codes", &job.codes));
    QNT__TRY(check_groups("x", &job.x, &job));
    QNT__TRY(qnt__view_apart(context, "x", &job.x, "codes", &job.codes, false));
    return run(&job);
}

qnt_status qnt_quantizer_decode(const qnt_context *context, const qnt_quantizer *quantizer,
                                const qnt_tensor *codes, qnt_tensor *y)
{
    struct job job = {.context = context, .quantizer = quantizer};
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__quantizer_ready(context, quantizer));
    QNT__TRY(qnt__view_open(context, "codes", codes, QNT__CODES | QNT__CODES16, &job.codes));
    QNT__TRY(check_codes(context, quantizer, &job.codes));
    QNT__TRY(qnt__view_open_output(context, "y", y, QNT__FLOATS, &job.y));
    QNT__TRY(qnt__view_same_shape(context, "codes", &job.codes, "y", &job.y));
    QNT__TRY(check_groups("codes", &job.codes, &job));
    QNT__TRY(qnt__view_apart(context, "codes", &job.codes, "y", &job.y, false));
    return run(&job);
}

qnt_status qnt_quantizer_apply(const qnt_context *context, const qnt_quantizer *quantizer,
                               const qnt_tensor *x, qnt_tensor *y)
{
    struct job job = {.context = context, .quantizer = quantizer};
    if (!context) return QNT_E_INVALID;
    bool dynamic = quantizer && (quantizer->spec.flags & QNT_DYNAMIC);
    if (!dynamic) QNT__TRY(qnt__quantizer_ready(context, quantizer));
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS, &job.x));
    QNT__TRY(qnt__view_open_output(context, "y", y, QNT__FLOATS, &job.y));
    QNT__TRY(qnt__view_same_shape(context, "x", &job.x, "y", &job.y));
    QNT__TRY(check_groups("x", &job.x, &job));
    QNT__TRY(qnt__view_apart(context, "x", &job.x, "y", &job.y, true));
    if (!dynamic) return run(&job);

    qnt_quantizer found;
    QNT__TRY(qnt__dynamic_open(context, quantizer, &job.grouping, &job.x, &found));
    job.quantizer = &found;
    qnt_status status = run(&job);
    qnt__parameters_free(&found);
    return status;
}
