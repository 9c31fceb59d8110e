/* Patches, their norms, and the filter that pools their maps: what running, learning and training
 * share. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/exponential.h"
#include "base/try.h"
#include "ckn.h"

qnt_status qnt__ckn_shape(const qnt_context *context, const qnt_ckn *ckn, const struct qnt__view *x,
                          struct qnt__ckn_shape *shape)
{
    const qnt_ckn_spec *s = &ckn->spec;
    if (x->ndim != 4 || x->shape[3] != s->channels) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "x: ndim is %d with %lld channels, expected 4 with %d", x->ndim,
                         x->ndim == 4 ? (long long)x->shape[3] : 0LL, (int)s->channels);
    }
    for (int d = 1; d < 3; d++) {
        if (x->shape[d] >= s->kernel - 2 * s->pad && x->shape[d] >= 1) continue;
        return qnt__fail(context, QNT_E_SHAPE, "x: extent %lld of axis %d is smaller than a patch",
                         (long long)x->shape[d], d);
    }
    const size_t more = (size_t)(2 * s->pad), less = (size_t)s->kernel, step = (size_t)s->subsample;
    shape->height = (size_t)x->shape[1] + more - less + 1;
    shape->width = (size_t)x->shape[2] + more - less + 1;
    shape->out_height = (shape->height - 1) / step + 1;
    shape->out_width = (shape->width - 1) / step + 1;
    return QNT_OK;
}

qnt_status qnt__ckn_check_result(const qnt_context *context, const char *name, const qnt_ckn *ckn,
                                 const struct qnt__view *x, const struct qnt__ckn_shape *shape,
                                 const struct qnt__view *y)
{
    const int64_t expected[] = {x->shape[0], (int64_t)shape->out_height, (int64_t)shape->out_width,
                                ckn->spec.filters};
    bool fits = y->ndim == 4;
    for (int d = 0; fits && d < 4; d++) fits = y->shape[d] == expected[d];
    if (fits) return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "%s: expected shape %lld x %lld x %lld x %lld", name,
                     (long long)expected[0], (long long)expected[1], (long long)expected[2],
                     (long long)expected[3]);
}

void qnt__ckn_cut(const qnt_ckn_spec *spec, const float *image, int64_t height, int64_t width,
                  int64_t top, int64_t left, float *patch)
{
    const size_t channels = (size_t)spec->channels, bytes = channels * sizeof *patch;
    for (int64_t y = top; y < top + spec->kernel; y++) {
        for (int64_t x = left; x < left + spec->kernel; x++, patch += channels) {
            bool inside = y >= 0 && y < height && x >= 0 && x < width;
            if (inside) memcpy(patch, image + (size_t)(y * width + x) * channels, bytes);
            else memset(patch, 0, bytes);
        }
    }
}

static void subtract(float *x, size_t n, float mean)
{
    enum { STRIP = 16 }; /* a loop of fixed length, which compilers unroll */
    size_t k = 0;
    for (; k + STRIP <= n; k += STRIP)
        for (size_t i = 0; i < STRIP; i++) x[k + i] -= mean;
    for (; k < n; k++) x[k] -= mean;
}

void qnt__ckn_measure(const struct qnt__simd *simd, const qnt_ckn *ckn, float *patch, size_t m,
                      float *norm)
{
    const size_t depth = ckn->depth;
    if (ckn->spec.centre) {
        simd->sums_f32(patch, depth, m, depth, false, norm);
        for (size_t i = 0; i < m; i++) subtract(patch + i * depth, depth, norm[i] / (float)depth);
    }
    simd->sums_f32(patch, depth, m, depth, true, norm);
    for (size_t i = 0; i < m; i++) {
        if (!(norm[i] <= FLT_MAX)) {
            memset(patch + i * depth, 0, depth * sizeof *patch);
            norm[i] = 0.0f;
        }
        norm[i] = sqrtf(norm[i]);
    }
}

/* 2016 cuts the filter off at the next place; 2014 does not, where it is below 2e-4. */
int64_t qnt__ckn_reach(const qnt_ckn *ckn)
{
    const int64_t s = ckn->spec.subsample;
    return s == 1 ? 0 : ckn->spec.flags & QNT_LITERAL ? 3 * s : s;
}

/* exp(-i^2 / s^2), normalised (Mairal 2016), or times (2 / pi)^(1/4) in each direction (2014). */
void qnt__ckn_taps(const qnt_ckn *ckn, float *tap)
{
    const int32_t s = ckn->spec.subsample, reach = (int32_t)qnt__ckn_reach(ckn);
    float sum = 0.0f;
    tap[0] = 1.0f;
    if (reach == 0) return;
    for (int32_t i = -reach; i <= reach; i++)
        sum += tap[i + reach] = qnt__exp_f32(-(float)(i * i) / (float)(s * s));
    for (int32_t i = 0; i <= 2 * reach; i++)
        tap[i] = ckn->spec.flags & QNT_LITERAL ? tap[i] * 0.893243843f : tap[i] / sum;
}
