/* Quantizers as blobs. The contract is in qnt/io.h, the layout in doc/blobs.md. */
#include <math.h>

#include "base/arith.h"
#include "base/try.h"
#include "format.h"
#include "quantizer/schemes.h"
#include "stream.h"

/* The numbers, in the order of version 1. */
struct numbers {
    qnt_spec spec;
    struct qnt__options options;
    int32_t ready, fitted;
    uint64_t groups;
};

static void exchange_numbers(struct qnt__stream *s, struct numbers *n)
{
    int32_t *const first[] = {&n->spec.scheme, &n->spec.method, &n->spec.bits,
                              &n->spec.flags,  &n->spec.grain,  &n->spec.axis,
                              &n->spec.points, &n->ready,       &n->fitted};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) qnt__stream_i32(s, first[i]);
    qnt__stream_i64(s, &n->spec.block);
    qnt__stream_u64(s, &n->spec.seed);
    qnt__stream_u64(s, &n->groups);
    qnt__stream_f64(s, &n->options.percentile);
    qnt__stream_f64(s, &n->options.distribution);
    qnt__stream_f64(s, &n->options.samples);
    qnt__stream_f64(s, &n->options.bins);
    qnt__stream_f64(s, &n->options.nodes);
    if (n->spec.scheme == QNT_AFFINE) return; /* the first of them, and complete */
    qnt__stream_f64(s, &n->options.budget);
    qnt__stream_f64(s, &n->options.tolerance);
    qnt__stream_f64(s, &n->options.rounds);
}

/* Bytes of the numbers of a scheme. */
static size_t numbers_bytes(int32_t scheme)
{
    struct numbers n = {.spec = {.scheme = scheme}};
    struct qnt__stream count = {0};
    exchange_numbers(&count, &n);
    return count.at;
}

/* The data: scale; zero or offset; what the scheme keeps besides; after a fit error, bound,
 * visited. False if padding is not 0. */
static bool exchange_data(struct qnt__stream *s, qnt_quantizer *q)
{
    double *const certificate[] = {q->error, q->bound, q->visited};
    size_t own = q->groups * q->own_count;
    for (size_t g = 0; g < q->groups; g++) qnt__stream_f32(s, &q->scale[g]);
    bool clean = qnt__stream_pad(s, QNT__BLOB_ALIGN);
    for (size_t g = 0; g < q->groups; g++) {
        if (q->spec.flags & QNT_REAL_OFFSET)
            qnt__stream_f32(s, &q->offset[g]);
        else
            qnt__stream_i32(s, &q->zero[g]);
    }
    clean = qnt__stream_pad(s, QNT__BLOB_ALIGN) && clean;
    for (size_t i = 0; i < own; i++) qnt__stream_f32(s, &q->own[i]);
    clean = qnt__stream_pad(s, QNT__BLOB_ALIGN) && clean;
    for (size_t i = 0; i < q->shared_count; i++) qnt__stream_f32(s, &q->shared[i]);
    clean = qnt__stream_pad(s, QNT__BLOB_ALIGN) && clean;
    for (int i = 0; q->fitted && i < 3; i++) {
        for (size_t g = 0; g < q->groups; g++) qnt__stream_f64(s, &certificate[i][g]);
        clean = qnt__stream_pad(s, QNT__BLOB_ALIGN) && clean;
    }
    return clean;
}

/* Bytes of an array of n numbers; false if they overflow. */
static bool add_array(size_t n, size_t size, size_t *bytes)
{
    size_t array;
    if (!qnt__mul(n, size, &array) || array > SIZE_MAX - QNT__BLOB_ALIGN) return false;
    return qnt__add(*bytes, qnt__round_up(array, QNT__BLOB_ALIGN), bytes);
}

/* Bytes of the data; false if they overflow. */
static bool data_bytes(const qnt_quantizer *q, uint64_t groups, bool fitted, size_t *bytes)
{
    size_t n = (size_t)groups, own;
    *bytes = 0;
    if (n != groups || !qnt__mul(n, q->own_count, &own)) return false;
    bool fits = add_array(n, 4, bytes) && add_array(n, 4, bytes) && add_array(own, 4, bytes) &&
                add_array(groups ? q->shared_count : 0, 4, bytes);
    for (int i = 0; fitted && i < 3; i++) fits = fits && add_array(n, 8, bytes);
    return fits;
}

qnt_status qnt_quantizer_save(const qnt_context *context, const qnt_quantizer *quantizer,
                              void *data, size_t capacity, size_t *length)
{
    if (!context) return QNT_E_INVALID;
    if (!quantizer) return qnt__fail(context, QNT_E_INVALID, "quantizer is NULL");
    qnt_quantizer q = *quantizer; /* writing changes nothing, but is the same code as reading */
    if (!(q.spec.flags & QNT_DYNAMIC)) QNT__TRY(qnt__quantizer_ready(context, quantizer));
    struct numbers n = {.spec = q.spec,
                        .options = q.options,
                        .ready = q.ready,
                        .fitted = q.fitted,
                        .groups = q.groups};
    uint8_t *numbers, *arrays;
    size_t bytes;
    if (!data_bytes(&q, n.groups, q.fitted, &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__blob_begin(context, QNT_BLOB_QUANTIZER, numbers_bytes(q.spec.scheme), bytes, data,
                             capacity, length, &numbers, &arrays));
    if (!data) return QNT_OK;
    exchange_numbers(&(struct qnt__stream){.out = numbers}, &n);
    if (q.ready) exchange_data(&(struct qnt__stream){.out = arrays}, &q);
    qnt__blob_seal(data, *length);
    return QNT_OK;
}

static qnt_status read_numbers(const qnt_context *context, const struct qnt__blob *blob,
                               struct numbers *n)
{
    struct qnt__stream in = {.in = blob->numbers}, first = in;
    size_t expected = numbers_bytes(QNT_AFFINE);
    *n = (struct numbers){.spec = {.size = sizeof(qnt_spec)}};
    if (blob->numbers_bytes >= expected) {
        qnt__stream_i32(&first, &n->spec.scheme); /* decides how many there are */
        expected = numbers_bytes(n->spec.scheme);
    }
    if (blob->numbers_bytes != expected) {
        return qnt__fail(context, QNT_E_FORMAT, "data: %zu bytes of numbers, expected %zu",
                         blob->numbers_bytes, expected);
    }
    exchange_numbers(&in, n);
    if (n->spec.bits == 0) return qnt__fail(context, QNT_E_FORMAT, "data: bits is 0");
    bool dynamic = n->spec.flags & QNT_DYNAMIC, tensor = n->spec.grain == QNT_PER_TENSOR;
    bool counts = dynamic ? n->groups == 0 : !tensor || n->groups == 1;
    if (n->ready == !dynamic && n->fitted >= 0 && n->fitted <= n->ready && counts) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT, "data: state %d, %d with %llu groups does not occur",
                     (int)n->ready, (int)n->fitted, (unsigned long long)n->groups);
}

static qnt_status set_options(const qnt_context *context, const struct qnt__options *o,
                              qnt_quantizer *q)
{
    QNT__TRY(qnt_quantizer_set(context, q, QNT_P_PERCENTILE, &o->percentile, 1));
    QNT__TRY(qnt_quantizer_set(context, q, QNT_P_DISTRIBUTION, &o->distribution, 1));
    QNT__TRY(qnt_quantizer_set(context, q, QNT_P_SAMPLES, &o->samples, 1));
    QNT__TRY(qnt_quantizer_set(context, q, QNT_P_BINS, &o->bins, 1));
    QNT__TRY(qnt_quantizer_set(context, q, QNT_P_NODES, &o->nodes, 1));
    QNT__TRY(qnt_quantizer_set(context, q, QNT_P_BUDGET, &o->budget, 1));
    QNT__TRY(qnt_quantizer_set(context, q, QNT_P_TOLERANCE, &o->tolerance, 1));
    return qnt_quantizer_set(context, q, QNT_P_ROUNDS, &o->rounds, 1);
}

static qnt_status check_group(const qnt_context *context, const qnt_quantizer *q, size_t g)
{
    QNT__TRY(q->scheme->verify(context, q, g));
    if (q->error[g] >= 0 && q->bound[g] >= 0 && q->visited[g] >= 0) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT, "data: the certificate of group %zu is negative or NaN",
                     g);
}

static qnt_status fill(const qnt_context *context, const struct numbers *n,
                       const struct qnt__blob *blob, qnt_quantizer *q)
{
    size_t bytes;
    if (!data_bytes(q, n->groups, n->fitted, &bytes) || bytes != blob->data_bytes) {
        return qnt__fail(context, QNT_E_FORMAT, "data: %zu bytes of arrays do not hold %llu groups",
                         blob->data_bytes, (unsigned long long)n->groups);
    }
    QNT__TRY(set_options(context, &n->options, q));
    if (!n->ready) return QNT_OK;
    QNT__TRY(qnt__parameters_allocate(context, q, (size_t)n->groups));
    q->ready = true;
    q->fitted = n->fitted;
    if (!exchange_data(&(struct qnt__stream){.in = blob->data}, q)) {
        return qnt__fail(context, QNT_E_FORMAT, "data: bytes between arrays are not 0");
    }
    for (size_t g = 0; g < q->groups; g++) QNT__TRY(check_group(context, q, g));
    return QNT_OK;
}

qnt_status qnt_quantizer_load(const qnt_context *context, const void *data, size_t size,
                              qnt_quantizer **out)
{
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    struct qnt__blob blob;
    struct numbers n;
    qnt_quantizer *q;
    QNT__TRY(qnt__blob_open(context, data, size, QNT_BLOB_QUANTIZER, &blob));
    QNT__TRY(read_numbers(context, &blob, &n));
    QNT__TRY(qnt__blob_damage(qnt_quantizer_create(context, &n.spec, &q)));
    qnt_status status = qnt__blob_damage(fill(context, &n, &blob, q));
    if (status == QNT_OK)
        *out = q;
    else
        qnt_quantizer_destroy(q);
    return status;
}
