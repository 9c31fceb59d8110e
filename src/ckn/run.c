/*
 * Running a kernel map. The contract is in qnt/ckn.h.
 *
 * For each image: it is copied as floats with zeros around it; blocks of up to 12 patches of some
 * lines, which are as many as make few blocks of less, are cut out, measured and, if asked for,
 * rounded; their products with the anchors become cosines, and these kernel values times the norm.
 * Lines are pooled to the right as they come and added to the lines of the result that they reach;
 * at the end the projection.
 */
#include <math.h>
#include <string.h>

#include "base/carve.h"
#include "base/try.h"
#include "ckn.h"
#include "kernel/bits.h"
#include "kernel/panels.h"
#include "simd/layout.h"

enum {
    ALIGN = QNT__CARVE_ALIGN,
    ROWS = QNT__BLOCK_ROWS,
    CODE_ROWS = QNT__GEMM_ROWS,
    COLUMNS = QNT__BLOCK_PANELS * QNT__PANEL,
    PATCHES = 4 * ROWS /* of the lines that are mapped at once, at least */
};

/* Byte offsets in the memory of a worker. */
struct places {
    size_t image;  /* float [padded_height][padded_width][channels] */
    size_t patch;  /* float [ROWS][depth] */
    size_t codes;  /* of rounded patches: uint8 [CODE_ROWS][code_depth], or bits: uint64
                      [ROWS][words] */
    size_t values; /* float [lines][width][columns]: kernel values */
    size_t pooled; /* float [out_height][out_width][filters] */
    size_t end;
};

struct run {
    const qnt_context *context;
    const qnt_ckn *ckn;
    struct qnt__view x, y;
    struct qnt__ckn_shape shape;
    size_t padded_height, padded_width, channels;
    size_t columns; /* filters rounded up to whole panels */
    size_t lines;   /* that are mapped at once */
    float one[COLUMNS];
    int32_t zero[CODE_ROWS]; /* of integer products: 128, or 1 if they are counted, */
    int32_t all[COLUMNS]; /* and then the depth in each column */
    float tap[QNT__CKN_TAPS];
    struct places places;
    uint8_t *space;
};

static qnt_status plan(struct run *r, size_t *bytes)
{
    const qnt_ckn *c = r->ckn;
    QNT__TRY(qnt__ckn_shape(r->context, c, &r->x, &r->shape));
    r->columns = c->panels * QNT__PANEL;
    r->padded_height = r->shape.height + (size_t)c->spec.kernel - 1;
    r->padded_width = r->shape.width + (size_t)c->spec.kernel - 1;
    r->channels = (size_t)c->spec.channels;
    r->lines = qnt__min((PATCHES - 1) / r->shape.width + 1, r->shape.height);
    size_t image, line, map, all,
        code_bytes = qnt__max(c->code_depth, 8 * qnt__bits_words(c->depth));
    bool fits = qnt__mul(r->padded_height, r->padded_width, &image) &&
                qnt__mul(image, r->channels, &image) &&
                qnt__mul(r->shape.width, r->columns, &line) && qnt__mul(line, r->lines, &line) &&
                qnt__mul(r->shape.out_height, r->shape.out_width, &map) &&
                qnt__mul(map, (size_t)c->spec.filters, &map);
    struct places *p = &r->places;
    p->end = 0;
    fits = fits && qnt__append(&p->end, image, 4, &p->image) &&
           qnt__append(&p->end, ROWS * c->depth, 4, &p->patch) &&
           qnt__append(&p->end, CODE_ROWS * code_bytes, 1, &p->codes) &&
           qnt__append(&p->end, line, 4, &p->values) && qnt__append(&p->end, map, 4, &p->pooled) &&
           qnt__mul(p->end, r->context->workers, &all) && qnt__add(all, ALIGN, bytes) &&
           *bytes <= PTRDIFF_MAX;
    if (fits) return QNT_OK;
    return qnt__fail(r->context, QNT_E_SHAPE, "x: the workspace of this shape overflows");
}

/* ---- some lines of one image ---- */

/* The image as floats, with zeros around it. */
static void open_image(const struct run *r, float *to, size_t image)
{
    const struct qnt__simd *simd = &r->context->simd;
    const struct qnt__view *x = &r->x;
    const size_t pad = (size_t)r->ckn->spec.pad, line = r->padded_width * r->channels;
    const size_t height = (size_t)x->shape[1], width = (size_t)x->shape[2];
    const bool runs = x->strides[3] == 1 && x->strides[2] == x->shape[3];
    memset(to, 0, r->padded_height * line * sizeof *to);
    for (size_t i = 0; i < height; i++) {
        float *row = to + (pad + i) * line + pad * r->channels;
        int64_t at = (int64_t)image * x->strides[0] + (int64_t)i * x->strides[1];
        if (runs) {
            qnt__read_f32(simd, x, at, 1, width * r->channels, row);
            continue;
        }
        for (size_t j = 0; j < width; j++, at += x->strides[2], row += r->channels)
            qnt__read_f32(simd, x, at, x->strides[3], r->channels, row);
    }
}

static void cut_patch(const struct run *r, const float *image, size_t row, size_t column,
                      float *patch)
{
    const size_t kernel = (size_t)r->ckn->spec.kernel, run = kernel * r->channels;
    for (size_t i = 0; i < kernel; i++, patch += run) {
        const float *from = image + ((row + i) * r->padded_width + column) * r->channels;
        memcpy(patch, from, run * sizeof *patch);
    }
}

/* From cosines of m patches and some panels to |x| exp(alpha (u - 1)), or with the expansion's
 * |x~| = 1 to |x| sqrt(eta) exp(-|x~ - w|^2 / sigma^2). */
static void to_kernel(const struct run *r, const float *cosine, size_t m, size_t panel,
                      size_t panels, const float *norm, float *values)
{
    const qnt_ckn *c = r->ckn;
    const size_t first = panel * QNT__PANEL;
    struct qnt__kernel_values k = {.x = cosine,
                                   .norm = norm,
                                   .shift = c->eta ? c->shift + first : r->one,
                                   .factor = c->eta ? c->factor + first : r->one,
                                   .slope = c->eta ? 2.0f * c->alpha : c->alpha,
                                   .m = m,
                                   .n = panels * QNT__PANEL,
                                   .ld = COLUMNS,
                                   .y_ld = r->columns,
                                   .y = values + first};
    r->context->simd.kernel_values(&k);
}

static void float_products(const struct run *r, const float *patch, size_t m, const float *norm,
                           float *values)
{
    const qnt_ckn *c = r->ckn;
    const float *rows[ROWS], most = c->eta ? INFINITY : 1.0f;
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
        struct qnt__finish_f32 f = {.acc = dot,
                                    .row_scale = inverse,
                                    .m = m,
                                    .n = panels * QNT__PANEL,
                                    .ld = COLUMNS,
                                    .low = -most,
                                    .high = most,
                                    .y = dot,
                                    .y_ld = COLUMNS};
        r->context->simd.gemm_f32(&g);
        r->context->simd.finish_f32(&f);
        to_kernel(r, dot, m, p, panels, norm, values);
    }
}

/* Codes + 128 of m patches, or signs as bits; 1 / norm of the codes. */
static void round_patches(const struct run *r, const float *patch, uint8_t *codes, size_t m,
                          float *inverse)
{
    const qnt_ckn *c = r->ckn;
    const struct qnt__simd *simd = &r->context->simd;
    const float top = (float)((1 << (c->spec.patch_bits - 1)) - 1);
    for (size_t i = 0; i < m; i++, patch += c->depth) {
        int32_t square = (int32_t)c->depth;
        uint8_t *row = codes + i * c->code_depth;
        if (c->bit_panel) {
            simd->signs_f32(patch, c->depth, (uint64_t *)codes + i * c->words, c->words);
        } else if (c->spec.patch_bits == 1) {
            for (size_t k = 0; k < c->depth; k++) row[k] = patch[k] >= 0.0f ? 129 : 127;
        } else {
            square = simd->round_f32(patch, c->depth, top, 128, row);
        }
        if (!c->bit_panel) memset(row + c->depth, 128, c->code_depth - c->depth);
        inverse[i] = square > 0 ? 1.0f / sqrtf((float)square) : 0.0f;
    }
}

/* Sums of (code + 128) * anchor, or twice the number of equal signs, of some panels. */
static void multiply_codes(const struct run *r, const uint8_t *codes, size_t m, size_t panel,
                           size_t panels, int32_t *acc)
{
    const qnt_ckn *c = r->ckn;
    const uint8_t *rows[CODE_ROWS];
    const ptrdiff_t none = 0;
    const size_t panel_bytes = qnt__panel_bytes(1, c->depth, c->code_bits);
    const size_t panel_words = c->words * QNT__PANEL;
    struct qnt__gemm g = {.rows = rows,
                          .taps = &none,
                          .acc = acc,
                          .m = m,
                          .panels = panels,
                          .weight = c->code_panel + panel * panel_bytes,
                          .tap_count = 1,
                          .depth = c->code_depth,
                          .panel_bytes = panel_bytes,
                          .ld = COLUMNS,
                          .bits = c->code_bits};
    for (size_t i = 0; i < m; i++) rows[i] = codes + i * c->code_depth;
    if (!c->bit_panel) {
        r->context->simd.gemm_s8(&g);
        return;
    }
    struct qnt__gemm_bits b = {.a = (const void *)codes,
                               .a_row = c->words,
                               .b = c->bit_panel + panel * panel_words,
                               .b_panel = panel_words,
                               .acc = acc,
                               .m = m,
                               .panels = panels,
                               .planes = 1,
                               .words = c->words,
                               .shift = 1,
                               .ld = COLUMNS};
    r->context->simd.gemm_bits(&b);
}

static void code_products(const struct run *r, const uint8_t *codes, size_t m, const float *inverse,
                          const float *norm, float *values)
{
    const qnt_ckn *c = r->ckn;
    int32_t acc[CODE_ROWS * COLUMNS];
    float cosine[CODE_ROWS * COLUMNS];
    for (size_t p = 0; p < c->panels; p += QNT__BLOCK_PANELS) {
        size_t panels = qnt__min(QNT__BLOCK_PANELS, c->panels - p), first = p * QNT__PANEL;
        struct qnt__finish f = {.acc = acc,
                                .a_zero = r->zero,
                                .w_sum = c->bit_panel ? r->all : c->code_sum + first,
                                .multiplier = c->code_inverse + first,
                                .row_scale = inverse,
                                .m = m,
                                .n = panels * QNT__PANEL,
                                .ld = COLUMNS,
                                .low = -1.0f,
                                .high = 1.0f,
                                .y = cosine,
                                .y_ld = COLUMNS};
        multiply_codes(r, codes, m, p, panels, acc);
        r->context->simd.finish_s32(&f);
        to_kernel(r, cosine, m, p, panels, norm, values);
    }
}

/* Products with packed anchors take many rows: unpacking them is shared by all. */
static void map_lines(const struct run *r, uint8_t *mine, size_t row, size_t lines)
{
    const qnt_ckn *c = r->ckn;
    const bool floats = c->spec.patch_bits == QNT__CKN_FLOATS;
    const float *image = (const float *)(mine + r->places.image);
    float *patch = (float *)(mine + r->places.patch), norm[CODE_ROWS], inverse[CODE_ROWS];
    float *values = (float *)(mine + r->places.values);
    uint8_t *codes = mine + r->places.codes;
    const size_t width = r->shape.width, all = lines * width;
    const size_t most = floats || c->bit_panel ? ROWS : CODE_ROWS;
    for (size_t x = 0; x < all; x += most) {
        const size_t m = qnt__min(most, all - x);
        for (size_t i = 0; i < m; i += ROWS) {
            const size_t n = qnt__min(ROWS, m - i);
            for (size_t k = 0; k < n; k++) {
                const size_t at = x + i + k;
                cut_patch(r, image, row + at / width, at % width, patch + k * c->depth);
            }
            qnt__ckn_measure(&r->context->simd, c, patch, n, norm + i);
            if (!floats) round_patches(r, patch, codes + i * c->code_depth, n, inverse + i);
        }
        float *to = values + x * r->columns;
        if (floats)
            float_products(r, patch, m, norm, to);
        else
            code_products(r, codes, m, inverse, norm, to);
    }
}

/* ---- pooling and projection ---- */

/* Adds the values of a line, pooled to the right, to the lines of the result that it reaches. */
static void pool_line(const struct run *r, uint8_t *mine, size_t row, const float *values)
{
    const int64_t s = r->ckn->spec.subsample, reach = qnt__ckn_reach(r->ckn);
    const int64_t width = (int64_t)r->shape.width;
    const size_t filters = (size_t)r->ckn->spec.filters;
    float *pooled = (float *)(mine + r->places.pooled), weight[QNT__CKN_TAPS];
    for (size_t y = 0; y < r->shape.out_height; y++) {
        int64_t down = (int64_t)row - (int64_t)y * s;
        if (down < -reach || down > reach) continue;
        for (int64_t i = 0; i <= 2 * reach; i++) weight[i] = r->tap[down + reach] * r->tap[i];
        for (size_t x = 0; x < r->shape.out_width; x++) {
            int64_t left = (int64_t)x * s - reach, right = (int64_t)x * s + reach + 1;
            int64_t first = left < 0 ? 0 : left, end = right > width ? width : right;
            r->context->simd.add_rows_f32(values + (size_t)first * r->columns, r->columns,
                                          weight + (first - left), (size_t)(end - first), filters,
                                          pooled + (y * r->shape.out_width + x) * filters);
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
    const float *values = (float *)(mine + r->places.values);
    size_t floats = r->shape.out_height * r->shape.out_width * (size_t)r->ckn->spec.filters;
    memset(mine + r->places.pooled, 0, floats * sizeof(float));
    open_image(r, (float *)(mine + r->places.image), image);
    for (size_t row = 0; row < r->shape.height; row += r->lines) {
        const size_t lines = qnt__min(r->lines, r->shape.height - row);
        map_lines(r, mine, row, lines);
        for (size_t i = 0; i < lines; i++)
            pool_line(r, mine, row + i, values + i * r->shape.width * r->columns);
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
    for (size_t i = 0; i < COLUMNS; i++) r.one[i] = 1.0f, r.all[i] = (int32_t)ckn->depth;
    for (size_t i = 0; i < CODE_ROWS; i++) r.zero[i] = ckn->bit_panel ? 1 : 128;
    uint8_t *start = workspace;
    r.space = start + (ALIGN - (uintptr_t)start % ALIGN) % ALIGN;
    return qnt__parallel(context, run_image, &r, (size_t)r.x.shape[0]);
}
