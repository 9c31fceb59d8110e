/* Kernel-map layers: making and ending them, their anchors, and the exact kernel. The contract is
 * in qnt/ckn.h. */
#include "ckn.h"

#include <math.h>
#include <stddef.h>

#include "base/arith.h"
#include "base/exponential.h"
#include "base/try.h"
#include "kernel/bits.h"
#include "kernel/panels.h"
#include "simd/layout.h"
#include "tensor/range.h"

enum { FIRST_SPEC = offsetof(qnt_ckn_spec, flags), MOST_DEPTH = 1 << 20, MOST_CODES = 1 << 16 };

static qnt_status check_range(const qnt_context *context, const char *name, int64_t value,
                              int64_t least, int64_t most)
{
    if (value >= least && value <= most) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "spec: %s is %lld, expected %lld to %lld", name,
                     (long long)value, (long long)least, (long long)most);
}

/* The expansion of 2014 is floats only, and learns its width if nobody gives one. */
static qnt_status check_flags(const qnt_context *context, const qnt_ckn_spec *s)
{
    if (s->flags & ~QNT_LITERAL) {
        return qnt__fail(context, QNT_E_INVALID, "spec: flags is 0x%x, expected 0 or QNT_LITERAL",
                         (unsigned)s->flags);
    }
    if (!s->flags || (s->anchor_bits == QNT__CKN_FLOATS && s->patch_bits == QNT__CKN_FLOATS))
        return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID,
                     "spec: anchor_bits is %d with QNT_LITERAL, expected 32 for both",
                     (int)s->anchor_bits);
}

static qnt_status check_bits(const qnt_context *context, const qnt_ckn_spec *s)
{
    if (s->anchor_bits != QNT__CKN_FLOATS)
        QNT__TRY(check_range(context, "anchor_bits", s->anchor_bits, 1, 8));
    if (s->patch_bits == QNT__CKN_FLOATS) return QNT_OK;
    QNT__TRY(check_range(context, "patch_bits", s->patch_bits, 1, 8));
    if (s->anchor_bits != QNT__CKN_FLOATS) return QNT_OK;
    return qnt__fail(
        context, QNT_E_INVALID,
        "spec: patch_bits is %d with anchors of 32 bits, expected 32, or anchors of at most 8",
        (int)s->patch_bits);
}

static qnt_status check_spec(const qnt_context *context, const qnt_ckn_spec *s)
{
    QNT__TRY(check_range(context, "channels", s->channels, 1, MOST_DEPTH));
    QNT__TRY(check_range(context, "kernel", s->kernel, 1, 31));
    QNT__TRY(check_range(context, "pad", s->pad, 0, s->kernel - 1));
    QNT__TRY(check_range(context, "filters", s->filters, 1, 1024));
    QNT__TRY(check_range(context, "subsample", s->subsample, 1, 64));
    QNT__TRY(check_range(context, "centre", s->centre, 0, 1));
    QNT__TRY(check_range(context, "reserved", s->reserved, 0, 0));
    QNT__TRY(check_range(context, "elements of a patch",
                         (int64_t)s->channels * s->kernel * s->kernel, 1, MOST_DEPTH));
    QNT__TRY(check_range(context, "reserved2", s->reserved2, 0, 0));
    QNT__TRY(check_bits(context, s));
    QNT__TRY(check_flags(context, s));
    if (s->anchor_bits != QNT__CKN_FLOATS) { /* 127 * 255 * 65536 < 2^31: sums of codes are exact */
        QNT__TRY(check_range(context, "elements of a patch of codes",
                             (int64_t)s->channels * s->kernel * s->kernel, 1, MOST_CODES));
    }
    bool found_later = s->flags && s->sigma == 0.0f;
    if (!found_later && !(s->sigma >= 0.05f && s->sigma <= 100.0f)) {
        return qnt__fail(context, QNT_E_INVALID, "spec: sigma is %g, expected 0.05 to 100",
                         (double)s->sigma);
    }
    if (s->regulariser <= 1.0f) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "spec: regulariser is %g, expected at most 1",
                     (double)s->regulariser);
}

void qnt__ckn_set_sigma(qnt_ckn *ckn, float sigma)
{
    ckn->spec.sigma = sigma;
    ckn->alpha = sigma > 0.0f ? 1.0f / (sigma * sigma) : 0.0f;
}

static qnt_status check_sigma(const qnt_context *context, const qnt_ckn *ckn)
{
    if (ckn->spec.sigma > 0.0f) return QNT_OK;
    return qnt__fail(context, QNT_E_STATE,
                     "sigma is not known yet; fit ckn, or give it in the spec");
}

qnt_status qnt__ckn_describe(const qnt_context *context, const qnt_ckn_spec *spec, qnt_ckn *out)
{
    *out = (qnt_ckn){.memory = context->memory};
    qnt_ckn_spec *s = &out->spec;
    QNT__TRY(qnt__sized_read(context, "spec", spec, FIRST_SPEC, sizeof *s, s));
    s->size = sizeof *s;
    if (s->subsample == 0) s->subsample = 1;
    if (s->anchor_bits == 0) s->anchor_bits = QNT__CKN_FLOATS;
    if (s->patch_bits == 0) s->patch_bits = QNT__CKN_FLOATS;
    if (s->sigma == 0.0f && !(s->flags & QNT_LITERAL)) s->sigma = 0.6f;
    if (s->regulariser == 0.0f) s->regulariser = 0.01f;
    QNT__TRY(check_spec(context, s));
    if (!(s->regulariser >= 0.0f)) s->regulariser = 0.0f;
    qnt__ckn_set_sigma(out, s->sigma);
    out->depth = (size_t)s->channels * (size_t)s->kernel * (size_t)s->kernel;
    out->code_bits = qnt__panel_bits(s->anchor_bits > 8 ? 8 : s->anchor_bits);
    out->code_depth = qnt__panel_depth(out->depth, out->code_bits);
    out->words = qnt__bits_words(out->depth);
    out->panels = qnt__ceil_div((size_t)s->filters, QNT__PANEL);
    return QNT_OK;
}

qnt_status qnt__ckn_handle(const qnt_context *context, const qnt_ckn *draft, qnt_ckn **out)
{
    void *handle;
    QNT__TRY(qnt__allocate(context, &draft->memory, sizeof *draft, &handle));
    *out = handle;
    **out = *draft;
    return QNT_OK;
}

qnt_status qnt_ckn_create(const qnt_context *context, const qnt_ckn_spec *spec, qnt_ckn **out)
{
    qnt_ckn draft;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__ckn_describe(context, spec, &draft));
    return qnt__ckn_handle(context, &draft, out);
}

qnt_status qnt_ckn_describe(const qnt_context *context, const qnt_ckn *ckn, qnt_ckn_spec *spec)
{
    qnt_ckn_spec known;
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    QNT__TRY(qnt__sized_read(context, "spec", spec, FIRST_SPEC, sizeof known, &known));
    qnt__sized_write(spec, &ckn->spec, sizeof known);
    return QNT_OK;
}

void qnt_ckn_destroy(qnt_ckn *ckn)
{
    if (!ckn) return;
    struct qnt__memory memory = ckn->memory;
    qnt__free(&memory, ckn->block, ckn->bytes);
    qnt__free(&memory, ckn, sizeof *ckn);
}

/* ---- anchors ---- */

qnt_status qnt__ckn_check_anchors(const qnt_context *context, const char *name, const qnt_ckn *ckn,
                                  const struct qnt__view *v)
{
    if (v->ndim == 2 && v->shape[0] == ckn->spec.filters &&
        (size_t)v->shape[1] == qnt__ckn_numbers(ckn)) {
        return QNT_OK;
    }
    return qnt__fail(context, QNT_E_SHAPE, "%s: expected shape %d x %zu", name,
                     (int)ckn->spec.filters, qnt__ckn_numbers(ckn));
}

/* Reads and checks anchors; each must have a norm, and a weight none below 0. */
static qnt_status read_anchors(const qnt_context *context, const qnt_ckn *ckn, struct qnt__view *v,
                               double *anchor)
{
    const size_t numbers = qnt__ckn_numbers(ckn);
    qnt__view_flatten(v);
    for (size_t c = 0; c < (size_t)ckn->spec.filters; c++) {
        double square = 0.0;
        for (size_t k = 0; k < numbers; k++) {
            float buffer;
            double x = (double)*qnt__range_f32(&context->simd, v, c * numbers + k, 1, &buffer);
            anchor[c * numbers + k] = x;
            if (k < ckn->depth) square += x * x;
            if (k < ckn->depth || (x >= 0.0 && isfinite(x))) continue;
            return qnt__fail(context, QNT_E_INVALID,
                             "anchors: number %zu has the weight %g, expected a finite one from 0",
                             c, x);
        }
        if (square > 0.0 && isfinite(square)) continue;
        return qnt__fail(
            context, QNT_E_INVALID,
            "anchors: number %zu has the squared norm %g, expected a finite one above 0", c,
            square);
    }
    return QNT_OK;
}

qnt_status qnt_ckn_set(const qnt_context *context, qnt_ckn *ckn, const qnt_tensor *anchors)
{
    struct qnt__view v;
    void *block;
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    QNT__TRY(check_sigma(context, ckn));
    QNT__TRY(qnt__view_open(context, "anchors", anchors, QNT__FLOATS, &v));
    QNT__TRY(qnt__ckn_check_anchors(context, "anchors", ckn, &v));
    qnt_ckn next = *ckn;
    size_t bytes = (size_t)ckn->spec.filters * qnt__ckn_numbers(ckn) * sizeof(double);
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &block));
    qnt_status status = read_anchors(context, ckn, &v, block);
    if (status == QNT_OK) status = qnt__ckn_take(context, block, &next);
    if (status == QNT_OK) qnt__ckn_replace(ckn, &next);
    qnt__free(&context->memory, block, bytes);
    return status;
}

qnt_status qnt_ckn_get(const qnt_context *context, const qnt_ckn *ckn, qnt_tensor *anchors)
{
    struct qnt__view v;
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    if (!ckn->block) {
        return qnt__fail(context, QNT_E_STATE, "ckn has no anchors yet; fit it or set them");
    }
    QNT__TRY(qnt__view_open_output(context, "anchors", anchors, QNT__FLOATS, &v));
    QNT__TRY(qnt__ckn_check_anchors(context, "anchors", ckn, &v));
    qnt__view_flatten(&v);
    for (size_t c = 0, at = 0; c < (size_t)ckn->spec.filters; c++) {
        for (size_t k = 0; k < qnt__ckn_numbers(ckn); k++, at++) {
            float x = k < ckn->depth ? qnt__ckn_anchor(ckn, c, k) : ckn->eta[c];
            qnt__range_write_f32(&context->simd, &v, at, 1, &x);
        }
    }
    return QNT_OK;
}

/* ---- the kernel ---- */

/* Reads a patch; the squared norm of what is left after centring. */
static double read_patch(const qnt_context *context, const qnt_ckn *ckn, struct qnt__view *v,
                         double *mean)
{
    double sum = 0.0, square = 0.0;
    float x, buffer;
    qnt__view_flatten(v);
    for (size_t k = 0; k < ckn->depth; k++)
        sum += (double)*qnt__range_f32(&context->simd, v, k, 1, &buffer);
    *mean = ckn->spec.centre ? sum / (double)ckn->depth : 0.0;
    for (size_t k = 0; k < ckn->depth; k++) {
        x = *qnt__range_f32(&context->simd, v, k, 1, &buffer);
        square += ((double)x - *mean) * ((double)x - *mean);
    }
    return square;
}

qnt_status qnt_ckn_kernel(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *a,
                          const qnt_tensor *b, double *value)
{
    struct qnt__view va, vb;
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    if (!value) return qnt__fail(context, QNT_E_INVALID, "value is NULL");
    QNT__TRY(check_sigma(context, ckn));
    QNT__TRY(qnt__view_open(context, "a", a, QNT__FLOATS, &va));
    QNT__TRY(qnt__view_open(context, "b", b, QNT__FLOATS, &vb));
    if (va.count != ckn->depth || vb.count != ckn->depth) {
        return qnt__fail(context, QNT_E_SHAPE, "a and b have %zu and %zu elements, expected %zu",
                         va.count, vb.count, ckn->depth);
    }
    double mean_a, mean_b, product = 0.0;
    double aa = read_patch(context, ckn, &va, &mean_a), bb = read_patch(context, ckn, &vb, &mean_b);
    for (size_t k = 0; k < ckn->depth; k++) {
        float x, y;
        product += ((double)*qnt__range_f32(&context->simd, &va, k, 1, &x) - mean_a) *
                   ((double)*qnt__range_f32(&context->simd, &vb, k, 1, &y) - mean_b);
    }
    double norms = sqrt(aa) * sqrt(bb), sigma = (double)ckn->spec.sigma;
    double cosine = norms > 0.0 ? fmin(fmax(product / norms, -1.0), 1.0) : 0.0;
    *value = norms * qnt__exp_f64((cosine - 1.0) / (sigma * sigma));
    return QNT_OK;
}
