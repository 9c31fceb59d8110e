/* qnt_pack_bits: codes as bit planes in panels of 16 columns. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "bits.h"
#include "qnt/kernel.h"
#include "simd/layout.h"

enum { CHUNK = 4096, CHUNK_WORDS = CHUNK / 64, PLANES = QNT__BITS_PLANES };

size_t qnt__bits_words(size_t k)
{
    return qnt__round_up(qnt__max(qnt__ceil_div(k, 64), 1), 2);
}

qnt_status qnt__bits_open(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                          struct qnt__view *view)
{
    QNT__TRY(qnt__view_open(context, name, tensor, QNT__CODES, view));
    if (view->code != QNT_UINT) {
        return qnt__fail(context, QNT_E_DTYPE, "%s: signed type, expected unsigned codes", name);
    }
    if (view->ndim == 2) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "%s: ndim is %d, expected 2", name, view->ndim);
}

static uint64_t population(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return x * 0x0101010101010101u >> 56;
}

/* What words of a row's planes leave to those that follow. */
struct sliced {
    uint64_t parity[PLANES], set[PLANES];
};

/* The planes of n codes, `words` words of them from word `first` on; as qnt__bits_slice(). */
static void slice_chunk(const struct qnt__simd *simd, const uint8_t *codes, size_t n, int bits,
                        size_t first, size_t words, size_t plane, size_t step, uint64_t *to,
                        struct sliced *before)
{
    uint64_t sliced[PLANES * CHUNK_WORDS];
    simd->slice_codes(codes, n, bits, sliced, words);
    for (size_t p = 0; p < (size_t)bits; p++) {
        for (size_t w = 0; w < words; w++) {
            uint64_t own = sliced[p * words + w];
            before->parity[p] ^= own;
            to[(p * plane + first + w) * step] = w % 2 ? before->parity[p] : own;
            before->set[p] += population(own);
        }
    }
}

static void store_counts(const struct sliced *s, int bits, size_t words, size_t plane, size_t step,
                         uint64_t *to)
{
    for (size_t p = 0; p < (size_t)bits && plane > words; p++)
        to[(p * plane + words) * step] = s->set[p];
}

void qnt__bits_slice(const qnt_context *context, const struct qnt__view *codes, size_t row,
                     size_t words, size_t plane, size_t step, uint64_t *to)
{
    const struct qnt__simd *simd = &context->simd;
    const size_t k = (size_t)codes->shape[1];
    const int64_t along = codes->strides[1], at = (int64_t)row * codes->strides[0];
    struct sliced s = {.set = {0}};
    uint8_t bytes[CHUNK];
    for (size_t first = 0; first < words; first += CHUNK_WORDS) {
        size_t part = qnt__min(words - first, CHUNK_WORDS), from = 64 * first;
        size_t n = from < k ? qnt__min(k - from, 64 * part) : 0;
        if (n) qnt__read_codes(simd, codes, at + (int64_t)from * along, along, n, bytes);
        slice_chunk(simd, bytes, n, codes->bits, first, part, plane, step, to, &s);
    }
    store_counts(&s, codes->bits, words, plane, step, to);
}

void qnt__bits_slice_bytes(const struct qnt__simd *simd, const uint8_t *codes, size_t n, int bits,
                           size_t words, size_t plane, size_t step, uint64_t *to)
{
    struct sliced s = {.set = {0}};
    for (size_t first = 0; first < words; first += CHUNK_WORDS) {
        size_t part = qnt__min(words - first, CHUNK_WORDS), from = qnt__min(64 * first, n);
        size_t length = qnt__min(n - from, 64 * part);
        slice_chunk(simd, codes + from, length, bits, first, part, plane, step, to, &s);
    }
    store_counts(&s, bits, words, plane, step, to);
}

struct job {
    const qnt_context *context;
    struct qnt__view codes, planes;
    size_t words;
};

static void describe(const struct qnt__view *codes, int64_t shape[4])
{
    shape[0] = (int64_t)qnt__ceil_div((size_t)codes->shape[0], QNT__PANEL);
    shape[1] = codes->bits;
    shape[2] = (int64_t)qnt__bits_words((size_t)codes->shape[1]) + 1;
    shape[3] = 8 * QNT__PANEL;
}

qnt_status qnt_pack_bits_view(const qnt_context *context, const qnt_tensor *codes,
                              qnt_tensor *planes)
{
    struct qnt__view view;
    int64_t shape[4];
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__bits_open(context, "codes", codes, &view));
    describe(&view, shape);
    return qnt__view_describe(context, "planes", 4, shape, QNT_UINT, 8, planes);
}

static void pack_panel(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct job *job = task;
    const size_t bytes = job->codes.bits * (job->words + 1) * 8 * QNT__PANEL,
                 first = index * QNT__PANEL;
    uint8_t *panel = job->planes.data + index * bytes;
    size_t columns = qnt__min((size_t)job->codes.shape[0] - first, QNT__PANEL);
    if (columns < QNT__PANEL) memset(panel, 0, bytes);
    for (size_t c = 0; c < columns; c++) {
        qnt__bits_slice(job->context, &job->codes, first + c, job->words, job->words + 1,
                        QNT__PANEL, (uint64_t *)panel + c);
    }
}

qnt_status qnt_pack_bits(const qnt_context *context, const qnt_tensor *codes, qnt_tensor *planes)
{
    struct job job = {.context = context};
    int64_t shape[4];
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__bits_open(context, "codes", codes, &job.codes));
    QNT__TRY(qnt__view_open_output(context, "planes", planes, QNT__CODES, &job.planes));
    describe(&job.codes, shape);
    const struct qnt__view *v = &job.planes;
    bool same = v->ndim == 4 && v->code == QNT_UINT && v->bits == 8 && qnt__view_is_compact(v);
    for (int d = 0; d < 4 && same; d++) same = v->shape[d] == shape[d];
    if (!same || (uintptr_t)v->data % sizeof(uint64_t) != 0) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "planes: expected compact bytes [%lld, %lld, %lld, %lld] aligned to 8, as "
                         "qnt_pack_bits_view tells",
                         (long long)shape[0], (long long)shape[1], (long long)shape[2],
                         (long long)shape[3]);
    }
    if (qnt__view_overlaps(&job.planes, &job.codes)) {
        return qnt__fail(context, QNT_E_INVALID, "planes overlaps codes, expected disjoint memory");
    }
    job.words = (size_t)shape[2] - 1;
    return qnt__parallel(context, pack_panel, &job, (size_t)shape[0]);
}
