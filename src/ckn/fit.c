/* Learning anchors from images that a callback gives. The contract is in qnt/ckn.h. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/random.h"
#include "base/try.h"
#include "ckn.h"

enum { FIRST_DATA = sizeof(qnt_ckn_data), ROUNDS = 100, REPORT = 256 /* images */ };

static const float least_norm = 1e-3f;

struct fit {
    const qnt_context *context;
    const qnt_ckn *ckn;
    qnt_ckn_data data;
    size_t pixels; /* floats of an image */
    float *image;
    float *patch; /* [most][depth] */
    size_t most, count;
    uint64_t state;
};

/* Makes a patch a unit vector; false if there is too little of it. */
static bool normalise(const struct fit *f, float *patch)
{
    const size_t depth = f->ckn->depth;
    double sum = 0.0, square = 0.0;
    for (size_t k = 0; k < depth; k++) sum += (double)patch[k];
    double mean = f->ckn->spec.centre ? sum / (double)depth : 0.0;
    for (size_t k = 0; k < depth; k++)
        square += ((double)patch[k] - mean) * ((double)patch[k] - mean);
    double norm = sqrt(square);
    if (!(norm >= (double)least_norm && isfinite(norm))) return false;
    for (size_t k = 0; k < depth; k++) patch[k] = (float)(((double)patch[k] - mean) / norm);
    return true;
}

/* Patches are spread evenly over the images. */
static qnt_status read_images(struct fit *f)
{
    const qnt_ckn_spec *s = &f->ckn->spec;
    const uint64_t down = (uint64_t)(f->data.height + 2 * s->pad - s->kernel) + 1;
    const uint64_t right = (uint64_t)(f->data.width + 2 * s->pad - s->kernel) + 1;
    uint64_t taken = 0;
    for (uint64_t i = 0; i < f->data.images; i++) {
        double share = (double)(i + 1) / (double)f->data.images;
        uint64_t until =
            i + 1 == f->data.images ? f->data.patches : (uint64_t)(share * (double)f->data.patches);
        if (until == taken) continue;
        if (f->data.read(f->data.user, i, f->image)) {
            return qnt__fail(f->context, QNT_E_CANCELLED, "data: read failed at image %llu",
                             (unsigned long long)i);
        }
        for (; taken < until; taken++) {
            int64_t top = (int64_t)(qnt__random(&f->state) % down) - s->pad;
            int64_t left = (int64_t)(qnt__random(&f->state) % right) - s->pad;
            float *patch = f->patch + f->count * f->ckn->depth;
            qnt__ckn_cut(s, f->image, f->data.height, f->data.width, top, left, patch);
            if (normalise(f, patch)) f->count++;
        }
        if (i % REPORT == 0) QNT__TRY(qnt__progress(f->context, i, 2 * f->data.images));
    }
    return QNT_OK;
}

static qnt_status learn(struct fit *f, qnt_ckn *next)
{
    const size_t filters = (size_t)next->spec.filters,
                 bytes = filters * qnt__ckn_numbers(next) * sizeof(double);
    void *anchor;
    if (f->count < filters) {
        return qnt__fail(
            f->context, QNT_E_STATE,
            "data: %zu patches have a norm of at least %g, expected as many as anchors, %zu",
            f->count, (double)least_norm, filters);
    }
    const bool literal = next->spec.flags & QNT_LITERAL;
    const uint64_t seed = next->spec.seed;
    if (literal && next->spec.sigma == 0.0f) {
        float sigma;
        QNT__TRY(qnt__expansion_sigma(f->context, f->patch, f->count, next->depth, seed, &sigma));
        qnt__ckn_set_sigma(next, sigma);
    }
    QNT__TRY(qnt__allocate(f->context, &f->context->memory, bytes, &anchor));
    qnt_status status = qnt__spherical_kmeans(f->context, f->patch, f->count, next->depth, filters,
                                              f->data.rounds, seed, anchor);
    if (status == QNT_OK && literal) {
        double sigma = (double)next->spec.sigma;
        status = qnt__expansion_learn(f->context, f->patch, f->count, next->depth, filters,
                                      1.0 / (sigma * sigma), seed, anchor);
    }
    if (status == QNT_OK) status = qnt__ckn_take(f->context, anchor, next);
    qnt__free(&f->context->memory, anchor, bytes);
    return status;
}

static qnt_status check_data(const qnt_context *context, const qnt_ckn *ckn, qnt_ckn_data *d)
{
    const int32_t least = ckn->spec.kernel - 2 * ckn->spec.pad;
    if (d->rounds == 0) d->rounds = ROUNDS;
    if (!d->read) return qnt__fail(context, QNT_E_INVALID, "data: read is NULL");
    if (d->height < 1 || d->width < 1 || d->height < least || d->width < least) {
        return qnt__fail(context, QNT_E_INVALID,
                         "data: images of %d x %d, expected at least one patch", (int)d->height,
                         (int)d->width);
    }
    if (d->rounds < 0 || d->images < 1 || d->patches < (uint64_t)ckn->spec.filters) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "data: %d rounds, %llu images, %llu patches; expected at least 1, 1 and %d",
            (int)d->rounds, (unsigned long long)d->images, (unsigned long long)d->patches,
            (int)ckn->spec.filters);
    }
    return QNT_OK;
}

qnt_status qnt_ckn_fit(const qnt_context *context, qnt_ckn *ckn, const qnt_ckn_data *data)
{
    struct fit f = {.context = context, .ckn = ckn};
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    QNT__TRY(qnt__sized_read(context, "data", data, FIRST_DATA, sizeof f.data, &f.data));
    QNT__TRY(check_data(context, ckn, &f.data));
    size_t image, patches, bytes = 0;
    void *block;
    f.most = (size_t)f.data.patches;
    bool fits = f.most == f.data.patches &&
                qnt__mul((size_t)f.data.height, (size_t)f.data.width, &f.pixels) &&
                qnt__mul(f.pixels, (size_t)ckn->spec.channels, &f.pixels) &&
                qnt__mul(f.pixels, sizeof(float), &image) &&
                qnt__mul(f.most, ckn->depth, &patches) &&
                qnt__mul(patches, sizeof(float), &patches) && qnt__add(image, patches, &bytes);
    QNT__TRY(qnt__allocate(context, &context->memory, fits ? bytes : SIZE_MAX, &block));
    f.image = block;
    f.patch = f.image + f.pixels;
    f.state = ckn->spec.seed * 2 + 0x9e3779b97f4a7c15u;
    qnt_ckn next = *ckn;
    qnt_status status = read_images(&f);
    if (status == QNT_OK) status = learn(&f, &next);
    if (status == QNT_OK) qnt__ckn_replace(ckn, &next);
    qnt__free(&context->memory, block, bytes);
    return status;
}
