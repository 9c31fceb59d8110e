/* Making room for pictures; quantizing them. */
#include "levels.h"

#include <string.h>

#include "base/arith.h"
#include "base/carve.h"
#include "base/try.h"
#include "tables.h"

static qnt_status check_spec(const qnt_context *context, qnt_image_spec *spec)
{
    if (spec->width < 1 || spec->width > 65500 || spec->height < 1 || spec->height > 65500) {
        return qnt__fail(context, QNT_E_SHAPE, "the image is %d x %d, expected 1 to 65500 each way",
                         (int)spec->width, (int)spec->height);
    }
    if (spec->components == 0) spec->components = 1;
    if (spec->components != 1 && spec->components != 3) {
        return qnt__fail(context, QNT_E_INVALID, "components is %d, expected 1 or 3",
                         (int)spec->components);
    }
    if (spec->sampling != QNT_SAMPLING_420 && spec->sampling != QNT_SAMPLING_444) {
        return qnt__fail(context, QNT_E_INVALID, "sampling is %d, expected 0 (4:2:0) or 1 (4:4:4)",
                         (int)spec->sampling);
    }
    if (spec->transform != QNT_DCT_INTEGER && spec->transform != QNT_DCT_FLOAT) {
        return qnt__fail(context, QNT_E_INVALID,
                         "transform is %d, expected 0 (integer) or 1 (float)",
                         (int)spec->transform);
    }
    return QNT_OK;
}

/* A unit of coding is one block of each plane, or 2 x 2 of the first and one of the others. */
static void lay_out(qnt_image *image)
{
    const qnt_image_spec *s = &image->spec;
    int32_t unit = s->components == 3 && s->sampling == QNT_SAMPLING_420 ? 2 : 1;
    size_t units_wide = qnt__ceil_div((size_t)s->width, (size_t)(8 * unit));
    size_t units_high = qnt__ceil_div((size_t)s->height, (size_t)(8 * unit));
    image->planes = s->components;
    for (int32_t p = 0; p < image->planes; p++) {
        struct qnt__plane *plane = &image->plane[p];
        plane->shrink = p ? unit : 1;
        plane->wide = qnt__ceil_div((size_t)s->width, (size_t)(8 * plane->shrink));
        plane->high = qnt__ceil_div((size_t)s->height, (size_t)(8 * plane->shrink));
        plane->across = p ? units_wide : units_wide * (size_t)unit;
        plane->down = p ? units_high : units_high * (size_t)unit;
    }
}

/* Bytes of all arrays; places them if there is a block. */
static qnt_status place(const qnt_context *context, qnt_image *image, void *space, size_t *bytes)
{
    bool fine = image->spec.transform == QNT_DCT_FLOAT;
    size_t total = qnt__carve_bytes(1, sizeof *image);
    for (int32_t p = 0; p < image->planes; p++) {
        struct qnt__plane *plane = &image->plane[p];
        size_t values = plane->across * plane->down, sum; /* below 2^27 blocks */
        if (!qnt__mul(values, 64 * (2 + (fine ? sizeof(float) : 2)), &sum) ||
            !qnt__add(sum, 2 * QNT__CARVE_ALIGN, &sum) || !qnt__add(total, sum, &total)) {
            return qnt__fail(context, QNT_E_SHAPE, "the image does not fit in memory");
        }
        if (!space) continue;
        plane->level = qnt__carve(&space, values * 64, sizeof *plane->level);
        if (fine)
            plane->fine = qnt__carve(&space, values * 64, sizeof *plane->fine);
        else
            plane->coefficient = qnt__carve(&space, values * 64, sizeof *plane->coefficient);
    }
    *bytes = total;
    return QNT_OK;
}

qnt_status qnt_image_create(const qnt_context *context, const qnt_image_spec *spec, qnt_image **out)
{
    if (out) *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    qnt_image image = {.memory = context->memory};
    QNT__TRY(qnt__sized_read(context, "image spec", spec, sizeof *spec, sizeof *spec, &image.spec));
    QNT__TRY(check_spec(context, &image.spec));
    image.spec.size = sizeof *spec;
    lay_out(&image);
    QNT__TRY(place(context, &image, NULL, &image.bytes));
    void *block;
    QNT__TRY(qnt__allocate(context, &image.memory, image.bytes, &block));
    memset(block, 0, image.bytes);
    void *space = block;
    qnt_image *made = qnt__carve(&space, 1, sizeof image);
    *made = image;
    *out = made;
    return place(context, made, space, &image.bytes);
}

void qnt_image_destroy(qnt_image *image)
{
    if (!image) return;
    struct qnt__memory memory = image->memory;
    qnt__free(&memory, image, image->bytes);
}

qnt_status qnt_image_quantize(const qnt_context *context, qnt_image *image,
                              const qnt_qtable *tables, size_t count)
{
    if (!context) return QNT_E_INVALID;
    if (!image) return qnt__fail(context, QNT_E_INVALID, "image is NULL");
    QNT__TRY(qnt__qtables_check(context, tables, count, (size_t)image->planes));
    if (!image->read) {
        return qnt__fail(context, QNT_E_STATE, "image has no pixels; call qnt_image_read first");
    }
    image->tables = count;
    for (int32_t p = 0; p < image->planes; p++) {
        qnt__steps_prepare(&tables[qnt__min((size_t)p, count - 1)], &image->steps[p]);
    }
    if (image->seen) qnt__levels_keep(&context->simd, image);
    image->quantized = true;
    return QNT_OK;
}

qnt_status qnt_image_levels(const qnt_context *context, qnt_image *image, int32_t component,
                            int16_t **levels, size_t *wide, size_t *high)
{
    if (!context) return QNT_E_INVALID;
    if (!image || !levels || !wide || !high) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL",
                         !image    ? "image"
                         : !levels ? "levels"
                         : !wide   ? "wide"
                                   : "high");
    }
    if (component < 0 || component >= image->planes) {
        return qnt__fail(context, QNT_E_INVALID, "component is %d, expected 0 to %d",
                         (int)component, (int)image->planes - 1);
    }
    if (!image->seen && image->quantized) qnt__levels_keep(&context->simd, image);
    image->seen = true;
    *levels = image->plane[component].level;
    *wide = image->plane[component].across;
    *high = image->plane[component].down;
    return QNT_OK;
}
