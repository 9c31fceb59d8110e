/* qnt_pack_pixels and qnt_pack_taps: codes of at most two bits, three in a byte. Codes whose type may hold
 * more are read twice: nothing is written before all have been checked. */
#include <string.h>

#include "base/try.h"
#include "context/context.h"
#include "lowbit.h"
#include "qnt/kernel.h"
#include "simd/slots.h"
#include "tensor/view.h"

static qnt_status open_codes(const qnt_context *context, const qnt_tensor *tensor, bool shape,
                             struct qnt__view *view)
{
    QNT__TRY(shape ? qnt__view_open_shape(context, "codes", tensor, QNT__CODES, view)
                   : qnt__view_open(context, "codes", tensor, QNT__CODES, view));
    if (view->code != QNT_UINT) {
        return qnt__fail(context, QNT_E_DTYPE, "codes: signed type, expected unsigned codes");
    }
    if (view->ndim == 4) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "codes: ndim is %d, expected 4", view->ndim);
}

static qnt_status check_groups(const qnt_context *context, int32_t groups, int64_t channels)
{
    if (groups >= 1 && channels % groups == 0) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "groups is %d, expected a divisor of %lld",
                     (int)groups, (long long)channels);
}

/* Are the codes of a run of channels below 4? `wide` has room for them. */
static bool are_digits(const qnt_context *context, const struct qnt__view *codes, int64_t at,
                       size_t channels, uint8_t *wide)
{
    unsigned all = 0;
    qnt__read_codes(&context->simd, codes, at, codes->strides[3], channels, wide);
    for (size_t c = 0; c < channels; c++) all |= wide[c];
    return all <= 3;
}

/* One run of channels as packed bytes. `wide` has room for 3 T bytes. */
static void pack_channels(const qnt_context *context, const struct qnt__view *codes, int64_t at,
                          size_t channels, uint8_t *wide, uint8_t *to)
{
    const size_t triples = qnt__triples(channels);
    qnt__read_codes(&context->simd, codes, at, codes->strides[3], channels, wide);
    memset(wide + channels, 0, 3 * triples - channels);
    context->simd.pack_lowbit(wide, 0, 1, triples, to, 0);
}

static qnt_status fail_code(const qnt_context *context)
{
    return qnt__fail(context, QNT_E_INVALID, "codes: a code is above 3, expected at most two bits");
}

/* Checks that a packed tensor is compact and has the shape. */
static qnt_status open_packed(const qnt_context *context, const char *name, qnt_tensor *tensor,
                              int ndim, const int64_t *shape, struct qnt__view *view)
{
    QNT__TRY(qnt__view_open_output(context, name, tensor, QNT__CODES, view));
    bool fits = view->ndim == ndim && view->code == QNT_UINT && view->bits == 8 &&
                qnt__view_is_compact(view);
    for (int d = 0; fits && d < ndim; d++) fits = view->shape[d] == shape[d];
    if (fits) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE,
                     "%s: expected compact bytes as the _view function describes them", name);
}

/* ---- pixels ---- */

struct pixels {
    const qnt_context *context;
    struct qnt__view codes, packed;
    size_t groups, channels, triples; /* channels of a group */
    size_t top, left;
    uint8_t *wide;  /* [workers][3 T] */
    uint8_t *wrong; /* [lines of codes]: a code above 3 was met */
};

static qnt_status describe_pixels(const qnt_context *context, const struct qnt__view *codes,
                                  int32_t groups, const int32_t pad[4], int64_t shape[5])
{
    static const int32_t none[4] = {0};
    if (!pad) pad = none;
    QNT__TRY(check_groups(context, groups, codes->shape[3]));
    for (int i = 0; i < 4; i++) {
        if (pad[i] >= 0 && pad[i] <= 1 << 20) continue;
        return qnt__fail(context, QNT_E_INVALID, "pad: number %d is %d, expected 0 to 2^20", i,
                         (int)pad[i]);
    }
    shape[0] = codes->shape[0];
    for (int i = 0; i < 2; i++) {
        int64_t extent = codes->shape[1 + i];
        if (extent > INT64_MAX - pad[i] - pad[i + 2])
            return qnt__fail(context, QNT_E_SHAPE, "codes: extent of axis %d overflows", 1 + i);
        shape[1 + i] = extent + pad[i] + pad[i + 2];
    }
    shape[3] = groups;
    shape[4] = (int64_t)qnt__triples((size_t)(codes->shape[3] / groups));
    return QNT_OK;
}

qnt_status qnt_pack_pixels_view(const qnt_context *context, const qnt_tensor *codes, int32_t groups,
                                const int32_t pad[4], qnt_tensor *pixels)
{
    struct qnt__view view;
    int64_t shape[5];
    if (!context) return QNT_E_INVALID;
    QNT__TRY(open_codes(context, codes, true, &view));
    QNT__TRY(describe_pixels(context, &view, groups, pad, shape));
    return qnt__view_describe(context, "pixels", 5, shape, QNT_UINT, 8, pixels);
}

/* One line of the image. */
static void check_line(void *task, size_t index, size_t worker)
{
    const struct pixels *p = task;
    const struct qnt__view *x = &p->codes;
    const size_t height = (size_t)x->shape[1];
    const int64_t line =
        (int64_t)(index / height) * x->strides[0] + (int64_t)(index % height) * x->strides[1];
    uint8_t *wide = p->wide + worker * 3 * p->triples;
    bool good = true;
    for (int64_t w = 0; w < x->shape[2]; w++) {
        for (size_t g = 0; g < p->groups; g++) {
            int64_t first = line + w * x->strides[2] + (int64_t)(g * p->channels) * x->strides[3];
            good = are_digits(p->context, x, first, p->channels, wide) && good;
        }
    }
    p->wrong[index] = !good;
}

static qnt_status check_pixels(struct pixels *p, size_t lines)
{
    if (p->codes.bits <= 2) return QNT_OK;
    QNT__TRY(qnt__parallel(p->context, check_line, p, lines));
    for (size_t i = 0; i < lines; i++) {
        if (p->wrong[i]) return fail_code(p->context);
    }
    return QNT_OK;
}

/* One line of the padded image. */
static void pack_line(void *task, size_t index, size_t worker)
{
    const struct pixels *p = task;
    const struct qnt__view *x = &p->codes;
    const size_t height = (size_t)p->packed.shape[1], width = (size_t)p->packed.shape[2];
    const size_t pixel = p->groups * p->triples, image = index / height, line = index % height;
    uint8_t *to = p->packed.data + index * width * pixel, *wide = p->wide + worker * 3 * p->triples;
    memset(to, 0, width * pixel);
    if (line < p->top || line - p->top >= (size_t)x->shape[1]) return;
    to += p->left * pixel;
    for (int64_t w = 0; w < x->shape[2]; w++) {
        int64_t at = (int64_t)image * x->strides[0] + (int64_t)(line - p->top) * x->strides[1] +
                     w * x->strides[2];
        for (size_t g = 0; g < p->groups; g++, to += p->triples) {
            int64_t first = at + (int64_t)(g * p->channels) * x->strides[3];
            pack_channels(p->context, x, first, p->channels, wide, to);
        }
    }
}

qnt_status qnt_pack_pixels(const qnt_context *context, const qnt_tensor *codes, int32_t groups,
                           const int32_t pad[4], qnt_tensor *pixels)
{
    struct pixels p = {.context = context};
    int64_t shape[5];
    size_t bytes = 0, wide = 0;
    void *block;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(open_codes(context, codes, false, &p.codes));
    QNT__TRY(describe_pixels(context, &p.codes, groups, pad, shape));
    QNT__TRY(open_packed(context, "pixels", pixels, 5, shape, &p.packed));
    QNT__TRY(qnt__view_apart(context, "codes", &p.codes, "pixels", &p.packed, false));
    if (p.packed.count == 0) return QNT_OK;
    p.groups = (size_t)groups;
    p.channels = (size_t)p.codes.shape[3] / p.groups;
    p.triples = qnt__triples(p.channels);
    p.top = pad ? (size_t)pad[0] : 0;
    p.left = pad ? (size_t)pad[1] : 0;
    const size_t lines = (size_t)(shape[0] * p.codes.shape[1]); /* elements exist, so they fit */
    bool fits = qnt__mul(3 * p.triples, context->workers, &wide) && qnt__add(wide, lines, &bytes);
    QNT__TRY(qnt__allocate(context, &context->memory, fits ? bytes : SIZE_MAX, &block));
    p.wide = block;
    p.wrong = p.wide + wide;
    qnt_status status = check_pixels(&p, lines);
    if (status == QNT_OK)
        status = qnt__parallel(context, pack_line, &p, (size_t)(shape[0] * shape[1]));
    qnt__free(&context->memory, block, bytes);
    return status;
}

/* ---- taps ---- */

static qnt_status describe_taps(const qnt_context *context, const struct qnt__view *codes,
                                int32_t groups, int64_t shape[6])
{
    QNT__TRY(check_groups(context, groups, codes->shape[0]));
    shape[0] = groups;
    shape[1] = (int64_t)qnt__ceil_div((size_t)(codes->shape[0] / groups), QNT__LOWBIT_COLUMNS);
    shape[2] = (int64_t)qnt__triples((size_t)codes->shape[3]);
    shape[3] = codes->shape[1];
    shape[4] = codes->shape[2];
    shape[5] = QNT__LOWBIT_COLUMNS;
    return QNT_OK;
}

qnt_status qnt_pack_taps_view(const qnt_context *context, const qnt_tensor *codes, int32_t groups,
                              qnt_tensor *taps)
{
    struct qnt__view view;
    int64_t shape[6];
    if (!context) return QNT_E_INVALID;
    QNT__TRY(open_codes(context, codes, true, &view));
    QNT__TRY(describe_taps(context, &view, groups, shape));
    return qnt__view_describe(context, "taps", 6, shape, QNT_UINT, 8, taps);
}

/* Where one tap of an output channel begins. */
static int64_t tap_of(const struct qnt__view *w, size_t o, size_t tap)
{
    const size_t kw = (size_t)w->shape[2];
    return (int64_t)o * w->strides[0] + (int64_t)(tap / kw) * w->strides[1] +
           (int64_t)(tap % kw) * w->strides[2];
}

static qnt_status check_taps(const qnt_context *context, const struct qnt__view *w, uint8_t *wide)
{
    if (w->bits <= 2) return QNT_OK;
    const size_t taps = (size_t)(w->shape[1] * w->shape[2]);
    for (size_t i = 0; i < (size_t)w->shape[0] * taps; i++) {
        if (!are_digits(context, w, tap_of(w, i / taps, i % taps), (size_t)w->shape[3], wide))
            return fail_code(context);
    }
    return QNT_OK;
}

/* One output channel's digits of one tap go to every 64th byte of its block. */
static void pack_output(const qnt_context *context, const struct qnt__view *w, size_t groups,
                        size_t o, uint8_t *wide, uint8_t *packed, uint8_t *data)
{
    const size_t outputs = (size_t)w->shape[0] / groups, channels = (size_t)w->shape[3];
    const size_t triples = qnt__triples(channels), taps = (size_t)(w->shape[1] * w->shape[2]);
    const size_t blocks = qnt__ceil_div(outputs, QNT__LOWBIT_COLUMNS), column = o % outputs;
    uint8_t *block = data + ((o / outputs) * blocks + column / QNT__LOWBIT_COLUMNS) * triples *
                                taps * QNT__LOWBIT_COLUMNS;
    for (size_t tap = 0; tap < taps; tap++) {
        pack_channels(context, w, tap_of(w, o, tap), channels, wide, packed);
        for (size_t t = 0; t < triples; t++)
            block[(t * taps + tap) * QNT__LOWBIT_COLUMNS + column % QNT__LOWBIT_COLUMNS] =
                packed[t];
    }
}

qnt_status qnt_pack_taps(const qnt_context *context, const qnt_tensor *codes, int32_t groups,
                         qnt_tensor *taps)
{
    struct qnt__view w, packed;
    int64_t shape[6];
    void *block;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(open_codes(context, codes, false, &w));
    QNT__TRY(describe_taps(context, &w, groups, shape));
    QNT__TRY(open_packed(context, "taps", taps, 6, shape, &packed));
    QNT__TRY(qnt__view_apart(context, "codes", &w, "taps", &packed, false));
    if (packed.count == 0) return QNT_OK;
    size_t triples = qnt__triples((size_t)w.shape[3]);
    QNT__TRY(qnt__allocate(context, &context->memory, 4 * triples, &block));
    uint8_t *wide = block;
    qnt_status status = check_taps(context, &w, wide);
    if (status == QNT_OK) {
        memset(packed.data, 0, packed.count);
        for (size_t o = 0; o < (size_t)w.shape[0]; o++)
            pack_output(context, &w, (size_t)groups, o, wide, wide + 3 * triples, packed.data);
    }
    qnt__free(&context->memory, block, 4 * triples);
    return status;
}
