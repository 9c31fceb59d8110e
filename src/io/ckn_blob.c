/* Kernel maps as blobs: what their results depend on, anchors and A; the rest is made again. The
 * contract is in qnt/io.h, the layout in doc/blobs.md. */
#include <math.h>

#include "base/carve.h"
#include "base/try.h"
#include "ckn/ckn.h"
#include "format.h"
#include "simd/layout.h"
#include "stream.h"

/* The numbers, in the order of version 1. */
static void exchange_spec(struct qnt__stream *s, qnt_ckn_spec *spec)
{
    int32_t *const first[] = {&spec->channels,   &spec->kernel,    &spec->pad,
                              &spec->filters,    &spec->subsample, &spec->anchor_bits,
                              &spec->patch_bits, &spec->centre,    &spec->flags};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) qnt__stream_i32(s, first[i]);
    qnt__stream_f32(s, &spec->sigma);
    qnt__stream_f32(s, &spec->regulariser);
    qnt__stream_u64(s, &spec->seed);
}

static size_t numbers_bytes(void)
{
    struct qnt__stream count = {0};
    exchange_spec(&count, &(qnt_ckn_spec){0});
    return count.at;
}

/* Floats of A, or weights instead. */
static size_t last_floats(const qnt_ckn *ckn)
{
    const bool literal = ckn->spec.flags & QNT_LITERAL;
    return ckn->panels * QNT__PANEL * (literal ? 1 : (size_t)ckn->spec.filters);
}

static float *last(const qnt_ckn *ckn)
{
    return ckn->eta ? ckn->eta : ckn->projection;
}

/* Bytes of the data; false if they overflow. */
static bool data_bytes(const qnt_ckn *ckn, size_t *bytes)
{
    size_t at;
    *bytes = 0;
    bool codes = ckn->spec.anchor_bits != QNT__CKN_FLOATS;
    return qnt__append(bytes, codes ? qnt__ckn_code_bytes(ckn) : 0, 1, &at) &&
           qnt__append(bytes, codes ? 0 : ckn->panels * QNT__PANEL * ckn->depth, 4, &at) &&
           qnt__append(bytes, last_floats(ckn), 4, &at);
}

/* The data: anchors, as panels of codes or of floats; A, or weights. False if padding is not 0. */
static bool exchange_data(struct qnt__stream *s, qnt_ckn *ckn)
{
    const size_t floats = ckn->panels * QNT__PANEL * ckn->depth;
    if (ckn->code_panel) {
        for (size_t i = 0; i < qnt__ckn_code_bytes(ckn); i++)
            ckn->code_panel[i] = (uint8_t)qnt__stream_bits(s, ckn->code_panel[i], 1);
    } else {
        for (size_t i = 0; i < floats; i++) qnt__stream_f32(s, &ckn->anchor_panel[i]);
    }
    bool clean = qnt__stream_pad(s, QNT__BLOB_ALIGN);
    for (size_t i = 0; i < last_floats(ckn); i++) qnt__stream_f32(s, &last(ckn)[i]);
    return qnt__stream_pad(s, QNT__BLOB_ALIGN) && clean;
}

qnt_status qnt_ckn_save(const qnt_context *context, const qnt_ckn *ckn, void *data, size_t capacity,
                        size_t *length)
{
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    if (!ckn->block) {
        return qnt__fail(context, QNT_E_STATE, "ckn has no anchors yet; fit it or set them");
    }
    qnt_ckn c = *ckn; /* writing changes nothing, but is the same code as reading */
    uint8_t *numbers, *arrays;
    size_t bytes;
    if (!data_bytes(&c, &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__blob_begin(context, QNT_BLOB_CKN, numbers_bytes(), bytes, data, capacity, length,
                             &numbers, &arrays));
    if (!data) return QNT_OK;
    exchange_spec(&(struct qnt__stream){.out = numbers}, &c.spec);
    exchange_data(&(struct qnt__stream){.out = arrays}, &c);
    qnt__blob_seal(data, *length);
    return QNT_OK;
}

/* ---- reading ---- */

/* A spec as qnt_ckn_create keeps it: with no defaults left to fill in. */
static qnt_status read_spec(const qnt_context *context, const struct qnt__blob *blob,
                            qnt_ckn *draft)
{
    qnt_ckn_spec kept = {.size = sizeof kept}, asked;
    size_t bytes;
    if (blob->numbers_bytes != numbers_bytes()) {
        return qnt__fail(context, QNT_E_FORMAT, "data: %zu bytes of numbers, expected %zu",
                         blob->numbers_bytes, numbers_bytes());
    }
    exchange_spec(&(struct qnt__stream){.in = blob->numbers}, &kept);
    asked = kept;
    if (kept.regulariser == 0.0f) asked.regulariser = -1.0f;
    QNT__TRY(qnt__blob_damage(qnt__ckn_describe(context, &asked, draft)));
    if (kept.sigma == 0.0f || memcmp(&draft->spec, &kept, sizeof kept) != 0) {
        return qnt__fail(context, QNT_E_FORMAT, "data: a default is left in the numbers");
    }
    if (data_bytes(draft, &bytes) && bytes == blob->data_bytes) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT,
                     "data: %zu bytes of arrays do not hold %d anchors of %zu elements",
                     blob->data_bytes, (int)kept.filters, draft->depth);
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static bool weights_hold(const qnt_ckn *c)
{
    for (size_t i = 0; c->eta && i < (size_t)c->spec.filters; i++)
        if (!(c->eta[i] >= 0.0f)) return false;
    return true;
}

/* Codes of their bits, and 0 where there is no anchor or no element. */
static bool codes_hold(const qnt_ckn *c)
{
    const size_t deep = qnt__cell_depth(c->code_bits), filters = (size_t)c->spec.filters;
    const int32_t bits = c->spec.anchor_bits, top = bits == 1 ? 1 : (1 << (bits - 1)) - 1;
    for (size_t a = 0; a < c->panels * QNT__PANEL; a++) {
        for (size_t k = 0; k < (c->depth + deep - 1) / deep * deep; k++) {
            int code = qnt__ckn_code(c, a, k);
            bool inside = a < filters && k < c->depth;
            if (!inside && code != 0) return false;
            if (code < -top || code > top || (inside && bits == 1 && code == 0)) return false;
        }
    }
    return true;
}

static qnt_status fill(const qnt_context *context, const struct qnt__blob *blob, qnt_ckn *draft)
{
    const char *damage = NULL;
    bool clean = exchange_data(&(struct qnt__stream){.in = blob->data}, draft);
    const size_t floats = draft->panels * QNT__PANEL * draft->depth;
    if (!clean) damage = "bytes between arrays are not 0";
    else if (!all_finite(last(draft), last_floats(draft))) damage = "A or a weight is not finite";
    else if (!weights_hold(draft)) damage = "a weight is below 0";
    else if (draft->anchor_panel && !all_finite(draft->anchor_panel, floats))
        damage = "an anchor is not finite";
    else if (draft->code_panel && !codes_hold(draft)) damage = "a code is none of its bits";
    else if (!qnt__ckn_derive(draft)) damage = "an anchor is 0";
    return damage ? qnt__fail(context, QNT_E_FORMAT, "data: %s", damage) : QNT_OK;
}

qnt_status qnt_ckn_load(const qnt_context *context, const void *data, size_t size, qnt_ckn **out)
{
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    struct qnt__blob blob;
    qnt_ckn draft;
    QNT__TRY(qnt__blob_open(context, data, size, QNT_BLOB_CKN, &blob));
    QNT__TRY(read_spec(context, &blob, &draft));
    QNT__TRY(qnt__ckn_open_block(context, &draft));
    qnt_status status = fill(context, &blob, &draft);
    if (status == QNT_OK) status = qnt__ckn_handle(context, &draft, out);
    if (status != QNT_OK) qnt__free(&draft.memory, draft.block, draft.bytes);
    return status;
}
