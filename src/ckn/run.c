/*
 * Running a kernel map. The contract is in qnt/ckn.h.
 *
 * For each image: blocks of up to 12 patches of one line are cut out, measured and, if asked for,
 * rounded; their products with the anchors become cosines, and these kernel values times the norm.
 * Lines are pooled to the right as they come and added to the lines of the result that they reach;
 * at the end the projection.
 */
#include <math.h>
#include <string.h>

#include "base/carve.h"
#include "base/try.h"
#include "ckn.h"
#include "exp.h"
#include "kernel/panels.h"
#include "simd/layout.h"

enum { ALIGN = QNT__CARVE_ALIGN, ROWS = QNT__BLOCK_ROWS, COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL };

/* Byte offsets in the memory of a worker. */
struct places {
    size_t patch;  /* float [ROWS][depth] */
    size_t codes;  /* uint8 [ROWS][code_depth] */
    size_t values; /* float [width][columns]: kernel values of one line */
    size_t pooled; /* float [out_height][out_width][filters] */
    size_t end;
};

struct run {
    const qnt_context *context;
    const qnt_ckn *ckn;
    struct qnt__view x, y;
    struct qnt__ckn_shape shape;
    size_t columns; /* filters rounded up to whole panels */
    float tap[QNT__CKN_TAPS];
    struct places places;
    uint8_t *space;
};

static qnt_status plan(struct run *r, size_t *bytes)
{
    const qnt_ckn *c = r->ckn;
    QNT__TRY(qnt__ckn_shape(r->context, c, &r->x, &r->shape));
    r->columns = c->panels * QNT__PANEL;
    size_t line, map, all;
    bool fits = qnt__mul(r->shape.width, r->columns, &line) &&
                qnt__mul(r->shape.out_height, r->shape.out_width, &map) &&
                qnt__mul(map, (size_t)c->spec.filters, &map);
    struct places *p = &r->places;
    p->end = 0;
    fits = fits && qnt__append(&p->end, ROWS * c->depth, 4, &p->patch) &&
           qnt__append(&p->end, ROWS * c->code_depth, 1, &p->codes) &&
           qnt__append(&p->end, line, 4, &p->values) && qnt__append(&p->end, map, 4, &p->pooled) &&
           qnt__mul(p->end, r->context->workers, &all) && qnt__add(all, ALIGN, bytes) &&
           *bytes <= PTRDIFF_MAX;
    if (fits) return QNT_OK;
    return qnt__fail(r->context, QNT_E_SHAPE, "x: the workspace of this shape overflows");
}

/* ---- one line of one image ---- */

static void cut_patch(const struct run *r, size_t image, size_t row, size_t column, float *patch)
{
    const qnt_ckn_spec *s = &r->ckn->spec;
    const struct qnt__view *x = &r->x;
    const size_t channels = (size_t)s->channels;
    for (int32_t i = 0; i < s->kernel; i++) {
        int64_t down = (int64_t)row + i - s->pad;
        for (int32_t j = 0; j < s->kernel; j++, patch += channels) {
            int64_t right = (int64_t)column + j - s->pad;
            if (down < 0 || down >= x->shape[1] || right < 0 || right >= x->shape[2]) {
                memset(patch, 0, channels * sizeof *patch);
                continue;
            }
            int64_t at =
                (int64_t)image * x->strides[0] + down * x->strides[1] + right * x->strides[2];
            qnt__read_f32(&r->context->simd, x, at, x->strides[3], channels, patch);
        }
    }
}

/* |x| exp(alpha (u - 1)) of cosines u = dot * inverse of m patches and one chunk of columns. */
static void to_kernel(const qnt_ckn *c, const float *dot, size_t m, size_t n, const float *inverse,
                      const float *norm, size_t ld, float *values)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            float u = dot[i * COLUMNS + j] * inverse[i];
            u = u < -1.0f ? -1.0f : u > 1.0f ? 1.0f : u;
            values[i * ld + j] = norm[i] * qnt__exp_f32(c->alpha * (u - 1.0f));
        }
    }
}

/* The same of the expansion: |x| sqrt(eta) exp(-|x~ - w|^2 / sigma^2), |x~| being 1. */
static void to_expansion(const qnt_ckn *c, const float *dot, size_t m, size_t first, size_t n,
                         const float *inverse, const float *norm, size_t ld, float *values)
{
    const float *factor = c->factor + first, *shift = c->shift + first, slope = 2.0f * c->alpha;
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            float x = slope * (dot[i * COLUMNS + j] * inverse[i] - shift[j]);
            x = x > 0.0f ? 0.0f : x;
            values[i * ld + j] = norm[i] * (factor[j] * qnt__exp_f32(x));
        }
    }
}

static void float_products(const struct run *r, const float *patch, size_t m, const float *norm,
                           float *values)
{
    const qnt_ckn *c = r->ckn;
    const float *rows[ROWS];
    const ptrdiff_t none = 0;
    float dot[ROWS * COLUMNS], inverse[ROWS];
    for (size_t i = 0; i < m; i++) {
        rows[i] = patch + i * c->depth;
        inverse[i] = norm[i] > 0.0f ? 1.0f / norm[i] : 0.0f;
    }
    for (size_t p = 0; p < c->panels; p += QNT__BLOCK_PANELS) {
        size_t panels = qnt__min(QNT__BLOCK_PANELS, c->panels - p);
        struct qnt__gemm_f32 g = {.rows = rows,
                                  .taps = &none,
                                  .y = dot,
                                  .m = m,
                                  .panels = panels,
                                  .weight = c->anchor_panel + p * c->depth * QNT__PANEL,
                                  .tap_count = 1,
                                  .depth = c->depth,
                                  .ld = COLUMNS};
        r->context->simd.gemm_f32(&g);
        size_t first = p * QNT__PANEL, n = panels * QNT__PANEL;
        if (c->eta) to_expansion(c, dot, m, first, n, inverse, norm, r->columns, values + first);
        else to_kernel(c, dot, m, n, inverse, norm, r->columns, values + first);
    }
}

static void code_products(const struct run *r, const float *patch, uint8_t *codes, size_t m,
                          const float *norm, float *values)
{
    const qnt_ckn *c = r->ckn;
    const uint8_t *rows[ROWS];
    const ptrdiff_t none = 0;
    int32_t acc[ROWS * COLUMNS];
    float dot[ROWS * COLUMNS], inverse[ROWS];
    memset(codes, 128, m * c->code_depth);
    for (size_t i = 0; i < m; i++) {
        uint8_t *row = codes + i * c->code_depth;
        int32_t square =
            qnt__ckn_round(patch + i * c->depth, c->depth, c->spec.patch_bits, (int8_t *)row);
        for (size_t k = 0; k < c->depth; k++) row[k] = (uint8_t)(row[k] + 128u);
        rows[i] = row;
        inverse[i] = square > 0 ? 1.0f / sqrtf((float)square) : 0.0f;
    }
    const size_t panel_bytes = qnt__panel_bytes(1, c->depth, c->code_bits);
    for (size_t p = 0; p < c->panels; p += QNT__BLOCK_PANELS) {
        size_t panels = qnt__min(QNT__BLOCK_PANELS, c->panels - p), first = p * QNT__PANEL;
        struct qnt__gemm g = {.rows = rows,
                              .taps = &none,
                              .acc = acc,
                              .m = m,
                              .panels = panels,
                              .weight = c->code_panel + p * panel_bytes,
                              .tap_count = 1,
                              .depth = c->code_depth,
                              .panel_bytes = panel_bytes,
                              .ld = COLUMNS,
                              .bits = c->code_bits};
        r->context->simd.gemm_s8(&g);
        for (size_t i = 0; i < m; i++) {
            for (size_t j = 0; j < panels * QNT__PANEL; j++) {
                int32_t product = acc[i * COLUMNS + j] - 128 * c->code_sum[first + j];
                dot[i * COLUMNS + j] = (float)product * c->code_inverse[first + j];
            }
        }
        to_kernel(c, dot, m, panels * QNT__PANEL, inverse, norm, r->columns, values + first);
    }
}

static void map_line(const struct run *r, uint8_t *mine, size_t image, size_t row)
{
    const qnt_ckn *c = r->ckn;
    float *patch = (float *)(mine + r->places.patch), norm[ROWS];
    float *values = (float *)(mine + r->places.values);
    for (size_t x = 0; x < r->shape.width; x += ROWS) {
        size_t m = qnt__min(ROWS, r->shape.width - x);
        for (size_t i = 0; i < m; i++) {
            cut_patch(r, image, row, x + i, patch + i * c->depth);
            norm[i] = qnt__ckn_measure(c, patch + i * c->depth);
        }
        float *to = values + x * r->columns;
        if (c->spec.patch_bits == QNT__CKN_FLOATS) float_products(r, patch, m, norm, to);
        else code_products(r, patch, mine + r->places.codes, m, norm, to);
    }
}

/* ---- pooling and projection ---- */

/* Adds a line, pooled to the right, to the lines of the result that it reaches. */
static void pool_line(const struct run *r, uint8_t *mine, size_t row)
{
    const int64_t s = r->ckn->spec.subsample, reach = qnt__ckn_reach(r->ckn);
    const size_t filters = (size_t)r->ckn->spec.filters;
    const float *values = (float *)(mine + r->places.values);
    float *pooled = (float *)(mine + r->places.pooled);
    for (size_t y = 0; y < r->shape.out_height; y++) {
        int64_t down = (int64_t)row - (int64_t)y * s;
        if (down < -reach || down > reach) continue;
        for (size_t x = 0; x < r->shape.out_width; x++) {
            float *to = pooled + (y * r->shape.out_width + x) * filters;
            for (int64_t i = -reach; i <= reach; i++) {
                int64_t column = (int64_t)x * s + i;
                if (column < 0 || column >= (int64_t)r->shape.width) continue;
                float weight = r->tap[down + reach] * r->tap[i + reach];
                const float *from = values + (size_t)column * r->columns;
                for (size_t j = 0; j < filters; j++) to[j] += weight * from[j];
            }
        }
    }
}

/* Results of m places from number `at`, columns first .. first + n - 1. */
static void write_places(const struct run *r, size_t image, size_t at, size_t m, size_t first,
                         size_t n, const float *from, size_t ld)
{
    const struct qnt__view *y = &r->y;
    for (size_t i = 0; i < m; i++) {
        int64_t place = (int64_t)image * y->strides[0] +
                        (int64_t)((at + i) / r->shape.out_width) * y->strides[1] +
                        (int64_t)((at + i) % r->shape.out_width) * y->strides[2];
        qnt__write_f32(&r->context->simd, y, place + (int64_t)first * y->strides[3], y->strides[3],
                       n, from + i * ld);
    }
}

static void project(const struct run *r, uint8_t *mine, size_t image)
{
    const qnt_ckn *c = r->ckn;
    const size_t filters = (size_t)c->spec.filters,
                 places = r->shape.out_height * r->shape.out_width;
    const float *pooled = (float *)(mine + r->places.pooled), *rows[ROWS];
    const ptrdiff_t none = 0;
    float result[ROWS * COLUMNS];
    if (!c->projection) {
        write_places(r, image, 0, places, 0, filters, pooled, filters);
        return;
    }
    for (size_t at = 0; at < places; at += ROWS) {
        size_t m = qnt__min(ROWS, places - at);
        for (size_t i = 0; i < m; i++) rows[i] = pooled + (at + i) * filters;
        for (size_t p = 0; p < c->panels; p += QNT__BLOCK_PANELS) {
            size_t panels = qnt__min(QNT__BLOCK_PANELS, c->panels - p), first = p * QNT__PANEL;
            struct qnt__gemm_f32 g = {.rows = rows,
                                      .taps = &none,
                                      .y = result,
                                      .m = m,
                                      .panels = panels,
                                      .weight = c->projection + p * filters * QNT__PANEL,
                                      .tap_count = 1,
                                      .depth = filters,
                                      .ld = COLUMNS};
            r->context->simd.gemm_f32(&g);
            write_places(r, image, at, m, first, qnt__min(panels * QNT__PANEL, filters - first),
                         result, COLUMNS);
        }
    }
}

static void run_image(void *task, size_t image, size_t worker)
{
    const struct run *r = task;
    uint8_t *mine = r->space + worker * r->places.end;
    size_t floats = r->shape.out_height * r->shape.out_width * (size_t)r->ckn->spec.filters;
    memset(mine + r->places.pooled, 0, floats * sizeof(float));
    for (size_t row = 0; row < r->shape.height; row++) {
        map_line(r, mine, image, row);
        pool_line(r, mine, row);
    }
    project(r, mine, image);
}

/* ---- the calls ---- */

static qnt_status open(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                       bool shape, struct run *r, size_t *bytes)
{
    if (!context) return QNT_E_INVALID;
    if (!ckn) return qnt__fail(context, QNT_E_INVALID, "ckn is NULL");
    *r = (struct run){.context = context, .ckn = ckn};
    QNT__TRY(shape ? qnt__view_open_shape(context, "x", x, QNT__FLOATS, &r->x)
                   : qnt__view_open(context, "x", x, QNT__FLOATS, &r->x));
    return plan(r, bytes);
}

qnt_status qnt_ckn_view(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                        qnt_tensor *y)
{
    struct run r;
    size_t bytes;
    QNT__TRY(open(context, ckn, x, true, &r, &bytes));
    int64_t shape[] = {r.x.shape[0], (int64_t)r.shape.out_height, (int64_t)r.shape.out_width,
                       ckn->spec.filters};
    return qnt__view_describe(context, "y", 4, shape, QNT_FLOAT, 32, y);
}

qnt_status qnt_ckn_workspace(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                             size_t *bytes)
{
    struct run r;
    if (!bytes) return qnt__fail(context, QNT_E_INVALID, "bytes is NULL");
    return open(context, ckn, x, true, &r, bytes);
}

static qnt_status open_result(struct run *r, qnt_tensor *y)
{
    QNT__TRY(qnt__view_open_output(r->context, "y", y, QNT__FLOATS, &r->y));
    QNT__TRY(qnt__ckn_check_result(r->context, "y", r->ckn, &r->x, &r->shape, &r->y));
    return qnt__view_apart(r->context, "x", &r->x, "y", &r->y, false);
}

qnt_status qnt_ckn_run(const qnt_context *context, const qnt_ckn *ckn, const qnt_tensor *x,
                       qnt_tensor *y, void *workspace, size_t bytes)
{
    struct run r;
    size_t needed;
    QNT__TRY(open(context, ckn, x, false, &r, &needed));
    if (!ckn->block) {
        return qnt__fail(context, QNT_E_STATE, "ckn has no anchors yet; fit it or set them");
    }
    QNT__TRY(open_result(&r, y));
    if (!workspace || bytes < needed) {
        return qnt__fail(context, QNT_E_SPACE, "workspace: %zu bytes, expected at least %zu",
                         workspace ? bytes : 0, needed);
    }
    qnt__ckn_taps(ckn, r.tap);
    uint8_t *start = workspace;
    r.space = start + (ALIGN - (uintptr_t)start % ALIGN) % ALIGN;
    return qnt__parallel(context, run_image, &r, (size_t)r.x.shape[0]);
}
