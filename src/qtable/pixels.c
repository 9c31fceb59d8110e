/*
 * Pixels to coefficients and back. Reading goes by tiles of whole units of coding: pixels become
 * rows of samples, the picture's edges are repeated to whole units, and blocks are cut from these
 * rows.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "levels.h"

static qnt_status check_pixels(const qnt_context *context, const qnt_image *image,
                               const uint8_t *pixels, size_t stride)
{
    if (!image) return qnt__fail(context, QNT_E_INVALID, "image is NULL");
    if (!pixels) return qnt__fail(context, QNT_E_INVALID, "pixels is NULL");
    size_t least = (size_t)image->spec.width * (size_t)image->spec.components;
    if (stride < least) {
        return qnt__fail(context, QNT_E_SHAPE, "stride is %zu, expected at least %zu bytes", stride,
                         least);
    }
    return QNT_OK;
}

/* ---- pixels to coefficients ---- */

enum { TILE = 256 /* pixels of a row at a time, a multiple of 16 */, ROWS = 16 };

/* Samples of every plane for some units of coding side by side. */
struct tile {
    size_t left, top, width, height; /* of the picture's pixels it covers */
    size_t padded;                   /* width of whole units */
    uint8_t sample[QNT__MOST_PLANES][ROWS][TILE];
    uint8_t full[2][2][TILE]; /* two rows of both colours before they are halved */
};

/* Fills up to `to` samples with the last one. */
static void repeat(uint8_t *row, size_t from, size_t to)
{
    memset(row + from, row[from - 1], to - from);
}

/* Row y of the tile, which exists, to Y and the given rows of both colours. */
static void split_row(const struct qnt__simd *simd, struct tile *t, const uint8_t *pixels,
                      size_t stride, size_t y, uint8_t *cb, uint8_t *cr)
{
    const uint8_t *rgb = pixels + (t->top + y) * stride + 3 * t->left;
    simd->split_rgb(rgb, t->width, t->sample[0][y], cb, cr);
    repeat(t->sample[0][y], t->width, t->padded);
    repeat(cb, t->width, t->padded);
    repeat(cr, t->width, t->padded);
}

/* Rows 2 y and 2 y + 1 with colours of half the resolution; a last row alone stands for both. */
static void split_two(const struct qnt__simd *simd, struct tile *t, const uint8_t *pixels,
                      size_t stride, size_t y)
{
    size_t second = 2 * y + 1 < t->height;
    for (size_t i = 0; i <= second; i++) {
        split_row(simd, t, pixels, stride, 2 * y + i, t->full[0][i], t->full[1][i]);
    }
    for (int c = 0; c < 2; c++) {
        simd->halve_u8(t->full[c][0], t->full[c][second], t->padded / 2, t->sample[c + 1][y]);
    }
}

/* Below the picture the last row is repeated: of Y and of fine colours that of the pixels, of
 * halved ones that of the means. */
static void repeat_rows(struct tile *t, int32_t p, size_t from, size_t to)
{
    for (size_t y = from; y < to; y++) memcpy(t->sample[p][y], t->sample[p][from - 1], t->padded);
}

static void read_tile(const struct qnt__simd *simd, const qnt_image *image, const uint8_t *pixels,
                      size_t stride, struct tile *t)
{
    size_t unit = image->planes == 3 ? (size_t)image->plane[1].shrink : 1;
    size_t high = qnt__ceil_div(t->height, unit);
    for (size_t y = 0; y < high; y++) {
        if (unit == 2) {
            split_two(simd, t, pixels, stride, y);
        } else if (image->planes == 3) {
            split_row(simd, t, pixels, stride, y, t->sample[1][y], t->sample[2][y]);
        } else {
            memcpy(t->sample[0][y], pixels + (t->top + y) * stride + t->left, t->width);
            repeat(t->sample[0][y], t->width, t->padded);
        }
    }
    repeat_rows(t, 0, t->height, 8 * unit);
    for (int32_t p = 1; p < image->planes; p++) repeat_rows(t, p, high, 8);
}

/* The blocks of one plane that lie in the tile and hold samples. */
static void transform_tile(const struct qnt__simd *simd, const struct qnt__plane *plane,
                           const struct tile *t, int32_t p)
{
    size_t side = 8 * (size_t)plane->shrink, x = t->left / side, y = t->top / side;
    size_t blocks = qnt__ceil_div(t->width, side), high = qnt__ceil_div(t->height, side);
    for (size_t i = 0; i < high; i++) {
        size_t at = 64 * ((y + i) * plane->across + x);
        const uint8_t *samples = t->sample[p][8 * i];
        if (plane->fine)
            simd->dct_f32(samples, TILE, blocks, plane->fine + at);
        else
            simd->dct_s16(samples, TILE, blocks, plane->coefficient + at);
    }
}

qnt_status qnt_image_read(const qnt_context *context, qnt_image *image, const uint8_t *pixels,
                          size_t stride)
{
    if (!context) return QNT_E_INVALID;
    QNT__TRY(check_pixels(context, image, pixels, stride));
    const size_t width = (size_t)image->spec.width, height = (size_t)image->spec.height;
    const size_t rows = image->planes == 3 ? 8 * (size_t)image->plane[1].shrink : 8; /* of a unit */
    struct tile tile;
    for (tile.top = 0; tile.top < height; tile.top += rows) {
        tile.height = qnt__min(height - tile.top, rows);
        for (tile.left = 0; tile.left < width; tile.left += TILE) {
            tile.width = qnt__min(width - tile.left, TILE);
            tile.padded = qnt__round_up(tile.width, rows);
            read_tile(&context->simd, image, pixels, stride, &tile);
            for (int32_t p = 0; p < image->planes; p++) {
                transform_tile(&context->simd, &image->plane[p], &tile, p);
            }
        }
    }
    for (int32_t p = 0; image->seen && p < image->planes; p++) {
        const struct qnt__plane *plane = &image->plane[p];
        memset(plane->level, 0, 64 * plane->across * plane->down * sizeof *plane->level);
    }
    image->read = true;
    image->quantized = false;
    return QNT_OK;
}

/* ---- back ---- */

static uint8_t byte_of(float x)
{
    x = x < 0.0f ? 0.0f : x;
    x = x > 255.0f ? 255.0f : x;
    return (uint8_t)(x + 0.5f);
}

static void put_pixel(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, uint8_t *rgb)
{
    float blue = (float)*cb - 128.0f, red = (float)*cr - 128.0f, grey = (float)*y;
    float green = 0.344136f * blue;
    green = green + 0.714136f * red;
    rgb[0] = byte_of(grey + 1.402f * red);
    rgb[1] = byte_of(grey - green);
    rgb[2] = byte_of(grey + 1.772f * blue);
}

/* The 8x8 pixels at block (bx, by) of the first plane. */
static void write_block(const struct qnt__simd *simd, const qnt_image *image, uint8_t *pixels,
                        size_t stride, size_t bx, size_t by)
{
    uint8_t samples[QNT__MOST_PLANES][64];
    for (int32_t p = 0; p < image->planes; p++) {
        size_t shrink = (size_t)image->plane[p].shrink;
        int16_t space[64];
        const int16_t *level = qnt__levels_of(simd, image, p, bx / shrink, by / shrink, 1, space);
        simd->restore_u8(&image->steps[p], level, 1, samples[p]);
    }
    size_t width = qnt__min((size_t)image->spec.width - 8 * bx, 8);
    size_t height = qnt__min((size_t)image->spec.height - 8 * by, 8);
    size_t shrink = image->planes == 3 ? (size_t)image->plane[1].shrink : 1;
    for (size_t y = 0; y < height; y++) {
        uint8_t *row = pixels + (8 * by + y) * stride;
        for (size_t x = 0; x < width; x++) {
            if (image->planes == 1) {
                row[8 * bx + x] = samples[0][8 * y + x];
                continue;
            }
            size_t cx = (8 * bx + x) / shrink % 8, cy = (8 * by + y) / shrink % 8;
            put_pixel(&samples[0][8 * y + x], &samples[1][8 * cy + cx], &samples[2][8 * cy + cx],
                      row + 3 * (8 * bx + x));
        }
    }
}

qnt_status qnt_image_write(const qnt_context *context, const qnt_image *image, uint8_t *pixels,
                           size_t stride)
{
    if (!context) return QNT_E_INVALID;
    QNT__TRY(check_pixels(context, image, pixels, stride));
    if (!image->quantized)
        return qnt__fail(context, QNT_E_STATE, "the image has not been quantized");
    for (size_t by = 0; by < image->plane[0].high; by++) {
        for (size_t bx = 0; bx < image->plane[0].wide; bx++) {
            write_block(&context->simd, image, pixels, stride, bx, by);
        }
    }
    return QNT_OK;
}

qnt_status qnt_psnr(const qnt_context *context, const uint8_t *a, size_t a_stride, const uint8_t *b,
                    size_t b_stride, size_t width, size_t height, double *psnr)
{
    if (!context) return QNT_E_INVALID;
    if (!a || !b || !psnr) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", !a ? "a" : !b ? "b" : "psnr");
    }
    if (width < 1 || height < 1 || a_stride < width || b_stride < width) {
        return qnt__fail(context, QNT_E_SHAPE,
                         "%zu x %zu bytes with strides %zu and %zu, expected at least 1 x 1 and "
                         "strides of the width",
                         width, height, a_stride, b_stride);
    }
    uint64_t sum = 0; /* of at most 2^48 bytes */
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            int32_t d = a[y * a_stride + x] - b[y * b_stride + x];
            sum += (uint64_t)(d * d);
        }
    }
    double mean = (double)sum / ((double)width * (double)height);
    *psnr = sum ? 10.0 * log10(255.0 * 255.0 / mean) : (double)INFINITY;
    return QNT_OK;
}
