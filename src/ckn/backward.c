/*
 * Derivatives of a loss through a kernel map. The contract is in qnt/ckn.h.
 *
 * With the columns t_j = n_j kappa(u_j) of all places j, pooling P and Y = A T P, of which G is the
 * derivative (Mairal 2016, section 3.2, in the form of one layer):
 *
 *     B = G (T P)^T,  Q = A G P^T
 *     by anchors:  X~ (Q * kappa'(U))^T + 2 Z (C * kappa'(Z^T Z)),  C: of the inverse root, from B
 *     by patches:  x~ <q, kappa> + (I - x~ x~^T) Z (q * kappa'(u)),  x~ = x / n
 *
 * Images are summed in slices that do not depend on the number of workers, all in double.
 */
#include <math.h>
#include <string.h>

#include "base/carve.h"
#include "base/exponential.h"
#include "base/try.h"
#include "ckn.h"
#include "simd/layout.h"
#include "tensor/range.h"

enum { SLICES = 8 };

/* What all images share. */
struct backward {
    const qnt_context *context;
    const qnt_ckn *ckn;
    struct qnt__view x, dy, dx, danchors;
    struct qnt__ckn_shape shape;
    size_t images;
    int64_t height, width; /* of an image */
    bool wants_x, wants_anchors, wants_sigma;
    size_t slices;
    float tap[QNT__CKN_TAPS];
    float *unit;        /* anchors as they are kept, [filters][depth] */
    double *projection; /* A, [filters][filters] */
    double *gram;       /* and the kernel of anchors, with room for its derivative behind it */
    struct slice *slice;
};

/* What a slice of the images adds to the sums, and its memory for one image. */
struct slice {
    double *anchor, *b; /* [filters][depth], [filters][filters] */
    double alpha;       /* the derivative by 1 / sigma^2 */
    float *image, *patch, *g;
    int8_t *code;
    double *gimage, *gpatch, *unit, *seen;
    double *t, *q;           /* [places][filters] */
    double *pooled, *gplace; /* [pooled places][filters] */
};

/* ---- one patch ---- */

struct patch {
    double norm;
    int64_t top, left;
};

/* Cuts a patch: its direction, and the direction that the kernel sees, which may be rounded. */
static struct patch look(const struct backward *w, struct slice *s, size_t place)
{
    const qnt_ckn *c = w->ckn;
    struct patch p = {.top = (int64_t)(place / w->shape.width) - c->spec.pad,
                      .left = (int64_t)(place % w->shape.width) - c->spec.pad};
    int32_t square = 0;
    qnt__ckn_cut(&c->spec, s->image, w->height, w->width, p.top, p.left, s->patch);
    float norm;
    qnt__ckn_measure(&w->context->simd, c, s->patch, 1, &norm);
    p.norm = (double)norm;
    if (!(p.norm > 0.0)) return p;
    if (c->spec.patch_bits != QNT__CKN_FLOATS)
        square = qnt__ckn_round(s->patch, c->depth, c->spec.patch_bits, s->code);
    const double length = sqrt((double)square);
    for (size_t k = 0; k < c->depth; k++) {
        s->unit[k] = (double)s->patch[k] / p.norm;
        s->seen[k] = square ? (double)s->code[k] / length : s->unit[k];
    }
    return p;
}

static double cosine(const struct backward *w, const struct slice *s, size_t anchor)
{
    const float *z = w->unit + anchor * w->ckn->depth;
    double sum = 0.0;
    for (size_t k = 0; k < w->ckn->depth; k++) sum += (double)z[k] * s->seen[k];
    return sum < -1.0 ? -1.0 : sum > 1.0 ? 1.0 : sum;
}

/* The derivative by a patch, spread over the pixels that it covers. */
static void spread(const struct backward *w, struct slice *s, const struct patch *p)
{
    const qnt_ckn_spec *spec = &w->ckn->spec;
    const size_t depth = w->ckn->depth, channels = (size_t)spec->channels;
    const double *g = s->gpatch;
    double mean = 0.0;
    for (size_t k = 0; spec->centre && k < depth; k++) mean += g[k] / (double)depth;
    for (int64_t y = p->top; y < p->top + spec->kernel; y++) {
        for (int64_t x = p->left; x < p->left + spec->kernel; x++, g += channels) {
            if (y < 0 || y >= w->height || x < 0 || x >= w->width) continue;
            double *to = s->gimage + (size_t)(y * w->width + x) * channels;
            for (size_t k = 0; k < channels; k++) to[k] += g[k] - mean;
        }
    }
}

/* q: the derivative by this place's kernel values t. A patch of zeros has no direction and none. */
static void back_patch(const struct backward *w, struct slice *s, size_t place)
{
    const qnt_ckn *c = w->ckn;
    const size_t depth = c->depth, filters = (size_t)c->spec.filters;
    const double *q = s->q + place * filters, alpha = (double)c->alpha;
    struct patch p = look(w, s, place);
    if (!(p.norm > 0.0)) return;
    double by_norm = 0.0, along = 0.0;
    memset(s->gpatch, 0, depth * sizeof *s->gpatch);
    for (size_t l = 0; l < filters; l++) {
        const float *z = w->unit + l * depth;
        double *anchor = s->anchor + l * depth;
        double t = s->t[place * filters + l], by_cosine = q[l] * alpha * t;
        by_norm += q[l] * t / p.norm;
        if (w->wants_sigma) s->alpha += q[l] * t * (cosine(w, s, l) - 1.0);
        for (size_t k = 0; k < depth; k++) {
            anchor[k] += by_cosine * s->seen[k];
            s->gpatch[k] += by_cosine / p.norm * (double)z[k];
        }
    }
    if (!w->wants_x) return;
    for (size_t k = 0; k < depth; k++) along += s->gpatch[k] * s->unit[k];
    for (size_t k = 0; k < depth; k++) s->gpatch[k] += (by_norm - along) * s->unit[k];
    spread(w, s, &p);
}

/* ---- one image ---- */

/* Pooling, from [places] to [pooled places], or backwards. */
static void pool(const struct backward *w, double *places, double *pooled, bool back)
{
    const int64_t s = w->ckn->spec.subsample, reach = qnt__ckn_reach(w->ckn);
    const int64_t height = (int64_t)w->shape.height, width = (int64_t)w->shape.width;
    const size_t filters = (size_t)w->ckn->spec.filters;
    for (size_t at = 0; at < w->shape.out_height * w->shape.out_width; at++) {
        int64_t y = (int64_t)(at / w->shape.out_width) * s,
                x = (int64_t)(at % w->shape.out_width) * s;
        for (int64_t i = -reach; i <= reach; i++) {
            for (int64_t j = -reach; j <= reach; j++) {
                if (y + i < 0 || y + i >= height || x + j < 0 || x + j >= width) continue;
                double weight = (double)(w->tap[i + reach] * w->tap[j + reach]);
                double *a = pooled + at * filters,
                       *b = places + (size_t)((y + i) * width + x + j) * filters;
                for (size_t l = 0; l < filters; l++) {
                    if (back) b[l] += weight * a[l];
                    else a[l] += weight * b[l];
                }
            }
        }
    }
}

/* B, and the derivative by the pooled values, from the derivative g by the results. */
static void back_projection(const struct backward *w, struct slice *s)
{
    const size_t filters = (size_t)w->ckn->spec.filters;
    for (size_t at = 0; at < w->shape.out_height * w->shape.out_width; at++) {
        const float *g = s->g + at * filters;
        const double *t = s->pooled + at * filters;
        double *to = s->gplace + at * filters;
        for (size_t i = 0; i < filters; i++) {
            for (size_t j = 0; j < filters; j++) {
                s->b[i * filters + j] += (double)g[i] * t[j];
                to[j] += (double)g[i] * w->projection[i * filters + j];
            }
        }
    }
}

static void back_image(const struct backward *w, struct slice *s, size_t image)
{
    const qnt_ckn *c = w->ckn;
    const size_t filters = (size_t)c->spec.filters, places = w->shape.height * w->shape.width,
                 pooled = w->shape.out_height * w->shape.out_width,
                 floats = (size_t)(w->height * w->width) * (size_t)c->spec.channels;
    for (size_t i = 0; i < floats; i++) {
        float buffer;
        s->image[i] = *qnt__range_f32(&w->context->simd, &w->x, image * floats + i, 1, &buffer);
    }
    for (size_t i = 0; i < pooled * filters; i++) {
        float buffer;
        s->g[i] =
            *qnt__range_f32(&w->context->simd, &w->dy, image * pooled * filters + i, 1, &buffer);
    }
    memset(s->gimage, 0, floats * sizeof *s->gimage);
    memset(s->q, 0, places * filters * sizeof *s->q);
    memset(s->pooled, 0, pooled * filters * sizeof *s->pooled);
    memset(s->gplace, 0, pooled * filters * sizeof *s->gplace);
    for (size_t i = 0; i < places; i++) {
        double norm = look(w, s, i).norm;
        for (size_t l = 0; l < filters; l++) {
            double u = norm > 0.0 ? cosine(w, s, l) : 0.0;
            s->t[i * filters + l] = norm * qnt__exp_f64((double)c->alpha * (u - 1.0));
        }
    }
    pool(w, s->t, s->pooled, false);
    back_projection(w, s);
    pool(w, s->q, s->gplace, true);
    for (size_t i = 0; i < places; i++) back_patch(w, s, i);
    for (size_t i = 0; w->wants_x && i < floats; i++) {
        float x = (float)s->gimage[i];
        qnt__range_write_f32(&w->context->simd, &w->dx, image * floats + i, 1, &x);
    }
}

static void run_slice(void *task, size_t index, size_t worker)
{
    (void)worker;
    const struct backward *w = task;
    for (size_t i = w->images * index / w->slices; i < w->images * (index + 1) / w->slices; i++)
        back_image(w, &w->slice[index], i);
}

/* ---- sums ---- */

static void add_slices(const struct backward *w)
{
    const size_t filters = (size_t)w->ckn->spec.filters;
    struct slice *sum = &w->slice[0];
    for (size_t i = 1; i < w->slices; i++) {
        const struct slice *s = &w->slice[i];
        for (size_t k = 0; k < filters * w->ckn->depth; k++) sum->anchor[k] += s->anchor[k];
        for (size_t k = 0; k < filters * filters; k++) sum->b[k] += s->b[k];
        sum->alpha += s->alpha;
    }
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* What A itself contributes; then the tangent to the sphere, since anchors are normalised. */
static void back_root(const struct backward *w)
{
    const qnt_ckn *c = w->ckn;
    const size_t n = (size_t)c->spec.filters, depth = c->depth;
    struct slice *sum = &w->slice[0];
    double *k = w->gram, *b = k + n * n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) b[i * n + j] = 0.5 * (sum->b[i * n + j] + sum->b[j * n + i]);
    qnt__ckn_gram(c, w->unit, k);
    qnt__inverse_root_gradient(k, n, (double)c->spec.regulariser, b, b + n * n);
    qnt__ckn_gram(c, w->unit, k);
    for (size_t i = 0; i < n; i++) {
        const float *zi = w->unit + i * depth;
        double *to = sum->anchor + i * depth, along = 0.0;
        for (size_t j = 0; j < n; j++) {
            const float *zj = w->unit + j * depth;
            double by_kernel = b[i * n + j] * k[i * n + j];
            sum->alpha += by_kernel * (dot(zi, zj, depth) - 1.0);
            for (size_t e = 0; e < depth; e++)
                to[e] += 2.0 * (double)c->alpha * by_kernel * (double)zj[e];
        }
        for (size_t e = 0; e < depth; e++) along += to[e] * (double)zi[e];
        for (size_t e = 0; e < depth; e++) to[e] -= along * (double)zi[e];
    }
}

/* ---- memory ---- */

/* One array: where its pointer is kept, and how long it is. */
struct array {
    void *place;
    size_t count, size;
};

/* Bytes behind `end`, or, with a block, the arrays' places in it. False if they overflow. */
static bool place_arrays(const struct array *array, size_t n, size_t *end, uint8_t *block)
{
    for (size_t i = 0; i < n; i++) {
        size_t at;
        if (!qnt__append(end, array[i].count, array[i].size, &at)) return false;
        void *to = block ? block + at : NULL;
        memcpy(array[i].place, &to, sizeof to);
    }
    return true;
}

static bool place_all(struct backward *w, size_t *end, uint8_t *block)
{
    const size_t n = (size_t)w->ckn->spec.filters, depth = w->ckn->depth;
    size_t places, pooled, floats;
    if (!qnt__mul(w->shape.height, w->shape.width, &places) || !qnt__mul(places, n, &places) ||
        !qnt__mul((size_t)w->height, (size_t)w->width, &floats) ||
        !qnt__mul(floats, (size_t)w->ckn->spec.channels, &floats)) {
        return false;
    }
    pooled = w->shape.out_height * w->shape.out_width * n;
    const struct array shared[] = {{&w->unit, n * depth, sizeof(float)},
                                   {&w->projection, n * n, sizeof(double)},
                                   {&w->gram, 5 * n * n, sizeof(double)},
                                   {&w->slice, w->slices, sizeof(struct slice)}};
    bool fits = place_arrays(shared, sizeof shared / sizeof *shared, end, block);
    struct slice unused;
    for (size_t i = 0; fits && i < w->slices; i++) {
        struct slice *s = block ? &w->slice[i] : &unused;
        const struct array own[] = {
            {&s->anchor, n * depth, sizeof(double)}, {&s->b, n * n, sizeof(double)},
            {&s->image, floats, sizeof(float)},      {&s->patch, depth, sizeof(float)},
            {&s->g, pooled, sizeof(float)},          {&s->code, depth, 1},
            {&s->gimage, floats, sizeof(double)},    {&s->gpatch, depth, sizeof(double)},
            {&s->unit, depth, sizeof(double)},       {&s->seen, depth, sizeof(double)},
            {&s->t, places, sizeof(double)},         {&s->q, places, sizeof(double)},
            {&s->pooled, pooled, sizeof(double)},    {&s->gplace, pooled, sizeof(double)}};
        fits = place_arrays(own, sizeof own / sizeof *own, end, block);
    }
    return fits;
}

static void load_anchors(struct backward *w)
{
    const qnt_ckn *c = w->ckn;
    const size_t n = (size_t)c->spec.filters;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < c->depth; k++) w->unit[i * c->depth + k] = qnt__ckn_anchor(c, i, k);
        for (size_t j = 0; j < n; j++) {
            const float *panel = c->projection + j / QNT__PANEL * n * QNT__PANEL;
            w->projection[i * n + j] = (double)panel[i * QNT__PANEL + j % QNT__PANEL];
        }
    }
}

/* ---- the call ---- */

static qnt_status open(struct backward *w, const qnt_tensor *x, const qnt_tensor *dy,
                       qnt_tensor *dx, qnt_tensor *danchors)
{
    const qnt_context *context = w->context;
    const qnt_ckn *c = w->ckn;
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS, &w->x));
    QNT__TRY(qnt__ckn_shape(context, c, &w->x, &w->shape));
    QNT__TRY(qnt__view_open(context, "dy", dy, QNT__FLOATS, &w->dy));
    QNT__TRY(qnt__ckn_check_result(context, "dy", c, &w->x, &w->shape, &w->dy));
    if (dx) {
        QNT__TRY(qnt__view_open_output(context, "dx", dx, QNT__FLOATS, &w->dx));
        bool fits = w->dx.ndim == 4;
        for (int d = 0; fits && d < 4; d++) fits = w->dx.shape[d] == w->x.shape[d];
        if (!fits) return qnt__fail(context, QNT_E_SHAPE, "dx: expected the shape of x");
        QNT__TRY(qnt__view_apart(context, "x", &w->x, "dx", &w->dx, false));
        QNT__TRY(qnt__view_apart(context, "dy", &w->dy, "dx", &w->dx, false));
    }
    if (danchors) {
        QNT__TRY(qnt__view_open_output(context, "danchors", danchors, QNT__FLOATS, &w->danchors));
        QNT__TRY(qnt__ckn_check_anchors(context, "danchors", c, &w->danchors));
        QNT__TRY(qnt__view_apart(context, "x", &w->x, "danchors", &w->danchors, false));
        QNT__TRY(qnt__view_apart(context, "dy", &w->dy, "danchors", &w->danchors, false));
        if (dx) QNT__TRY(qnt__view_apart(context, "dx", &w->dx, "danchors", &w->danchors, false));
    }
    w->images = (size_t)w->x.shape[0];
    w->height = w->x.shape[1], w->width = w->x.shape[2];
    qnt__view_flatten(&w->x), qnt__view_flatten(&w->dy);
    if (dx) qnt__view_flatten(&w->dx);
    if (danchors) qnt__view_flatten(&w->danchors);
    w->wants_x = dx, w->wants_anchors = danchors;
    return QNT_OK;
}

static void write_sums(const struct backward *w, double *dsigma)
{
    const size_t depth = w->ckn->depth, n = (size_t)w->ckn->spec.filters * depth;
    const double sigma = (double)w->ckn->spec.sigma;
    add_slices(w);
    back_root(w);
    for (size_t i = 0; w->wants_anchors && i < n; i++) {
        float x = (float)w->slice[0].anchor[i];
        qnt__range_write_f32(&w->context->simd, &w->danchors, i, 1, &x);
    }
    if (dsigma) *dsigma = w->slice[0].alpha * -2.0 / (sigma * sigma * sigma);
}

qnt_status qnt_ckn_backward(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                            const qnt_tensor *dy, qnt_tensor *dx, qnt_tensor *danchors,
                            double *dsigma)
{
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    if (!ckn->block) {
        return qnt__fail(context, QNT_E_STATE, "ckn has no anchors yet; fit it or set them");
    }
    if (ckn->spec.flags & QNT_LITERAL) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "ckn has QNT_LITERAL; that map learns without labels only");
    }
    struct backward w = {.context = context, .ckn = ckn, .wants_sigma = dsigma};
    QNT__TRY(open(&w, x, dy, dx, danchors));
    size_t bytes = 0, end = 0;
    void *block;
    w.slices = qnt__max((size_t)1, qnt__min(w.images, SLICES));
    if (!place_all(&w, &bytes, NULL)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &block));
    place_all(&w, &end, memset(block, 0, bytes));
    load_anchors(&w);
    qnt__ckn_taps(ckn, w.tap);
    qnt_status status = qnt__parallel(context, run_slice, &w, w.slices);
    if (status == QNT_OK && (danchors || dsigma)) write_sums(&w, dsigma);
    qnt__free(&context->memory, block, bytes);
    return status;
}
