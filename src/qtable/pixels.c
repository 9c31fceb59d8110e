/*
 * Pixels to coefficients and back. The colours of ITU-T T.871 in 16-bit fixed point, rounded as
 * encoders do: of two halves, box means of 2 x 2 alternately round up and down along a row.
 */
#include <math.h>

#include "base/arith.h"
#include "base/try.h"
#include "image.h"
#include "transform.h"

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

/* Component p of one pixel; beyond the edges the last one is repeated. */
static int32_t sample(const qnt_image *image, const uint8_t *pixels, size_t stride, int32_t p,
                      size_t x, size_t y)
{
    x = qnt__min(x, (size_t)image->spec.width - 1);
    y = qnt__min(y, (size_t)image->spec.height - 1);
    if (image->planes == 1) return pixels[y * stride + x];
    const uint8_t *rgb = pixels + y * stride + 3 * x;
    int32_t r = rgb[0], g = rgb[1], b = rgb[2], middle = (128 << 16) + 32767;
    switch (p) {
    case 0: return (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
    case 1: return (-11059 * r - 21709 * g + 32768 * b + middle) >> 16;
    default: return (32768 * r - 27439 * g - 5329 * b + middle) >> 16;
    }
}

static void read_block(const qnt_image *image, const uint8_t *pixels, size_t stride, int32_t p,
                       size_t left, size_t top, int16_t block[64])
{
    for (size_t i = 0; i < 64; i++) {
        size_t x = left + i % 8, y = top + i / 8;
        int32_t value;
        if (image->plane[p].shrink == 1) {
            value = sample(image, pixels, stride, p, x, y);
        } else { /* to the right pixels are repeated, below means */
            y = qnt__min(y, ((size_t)image->spec.height - 1) / 2);
            value = sample(image, pixels, stride, p, 2 * x, 2 * y) +
                    sample(image, pixels, stride, p, 2 * x + 1, 2 * y) +
                    sample(image, pixels, stride, p, 2 * x, 2 * y + 1) +
                    sample(image, pixels, stride, p, 2 * x + 1, 2 * y + 1);
            value = (value + 1 + (int32_t)(x & 1)) >> 2;
        }
        block[i] = (int16_t)(value - 128);
    }
}

static void read_plane(const qnt_image *image, const uint8_t *pixels, size_t stride, int32_t p)
{
    const struct qnt__plane *plane = &image->plane[p];
    for (size_t y = 0; y < plane->high; y++) {
        for (size_t x = 0; x < plane->wide; x++) {
            size_t at = 64 * (y * plane->across + x);
            int16_t block[64];
            read_block(image, pixels, stride, p, 8 * x, 8 * y, block);
            if (plane->fine) {
                float values[64];
                for (int i = 0; i < 64; i++) values[i] = (float)block[i];
                qnt_dct_forward(values, plane->fine + at);
            } else {
                qnt__dct_integer(block);
                for (int i = 0; i < 64; i++) plane->coefficient[at + (size_t)i] = block[i];
            }
        }
    }
}

qnt_status qnt_image_read(const qnt_context *context, qnt_image *image, const uint8_t *pixels,
                          size_t stride)
{
    if (!context) return QNT_E_INVALID;
    QNT__TRY(check_pixels(context, image, pixels, stride));
    for (int32_t p = 0; p < image->planes; p++) {
        struct qnt__plane *plane = &image->plane[p];
        read_plane(image, pixels, stride, p);
        for (size_t i = 0; i < 64 * plane->across * plane->down; i++) plane->level[i] = 0;
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

static void decode_block(const qnt_image *image, int32_t p, size_t block, uint8_t samples[64])
{
    const int16_t *level = image->plane[p].level + 64 * block;
    float values[64];
    for (int i = 0; i < 64; i++) values[i] = (float)(level[i] * image->table[p].step[i]);
    qnt_dct_inverse(values, values);
    for (int i = 0; i < 64; i++) samples[i] = byte_of(values[i] + 128.0f);
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
static void write_block(const qnt_image *image, uint8_t *pixels, size_t stride, size_t bx, size_t by)
{
    uint8_t samples[QNT__MOST_PLANES][64];
    for (int32_t p = 0; p < image->planes; p++) {
        const struct qnt__plane *plane = &image->plane[p];
        size_t shrink = (size_t)plane->shrink;
        decode_block(image, p, by / shrink * plane->across + bx / shrink, samples[p]);
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
    if (!image->quantized) return qnt__fail(context, QNT_E_STATE, "the image has not been quantized");
    for (size_t by = 0; by < image->plane[0].high; by++) {
        for (size_t bx = 0; bx < image->plane[0].wide; bx++) {
            write_block(image, pixels, stride, bx, by);
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
