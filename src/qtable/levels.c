/*
 * Levels take a product and two shifts each, less than it costs to write them to memory and to read
 * them again. So quantizing a picture only notes its tables.
 */
#include "levels.h"

#include <string.h>

#include "base/arith.h"

/* Blocks without samples repeat the mean of the block coded before them, which costs least. */
static void fill(int16_t *level, int16_t mean)
{
    memset(level, 0, 64 * sizeof *level);
    level[0] = mean;
}

static void quantize(const struct qnt__simd *simd, const qnt_image *image, int32_t p, size_t x,
                     size_t y, size_t n, int16_t *out)
{
    const struct qnt__plane *plane = &image->plane[p];
    size_t row = qnt__min(y, plane->high - 1), at = 64 * (row * plane->across + x);
    size_t there = qnt__min(n, plane->wide - x);
    if (plane->fine)
        simd->quantize_f32(&image->steps[p], plane->fine + at, there, out);
    else
        simd->quantize_s16(&image->steps[p], plane->coefficient + at, there, out);
    for (size_t b = there; b < n; b++) fill(out + 64 * b, out[64 * (b - 1)]);
    if (row == y) return;
    size_t unit = (size_t)image->plane[1].shrink; /* below: the last block above in the same unit */
    for (size_t b = 0; b < n; b += unit) {
        int16_t mean = out[64 * (b + unit - 1)];
        for (size_t i = 0; i < unit; i++) fill(out + 64 * (b + i), mean);
    }
}

const int16_t *qnt__levels_of(const struct qnt__simd *simd, const qnt_image *image, int32_t p,
                              size_t x, size_t y, size_t n, int16_t *space)
{
    const struct qnt__plane *plane = &image->plane[p];
    if (image->seen) return plane->level + 64 * (y * plane->across + x);
    quantize(simd, image, p, x, y, n, space);
    return space;
}

void qnt__levels_keep(const struct qnt__simd *simd, qnt_image *image)
{
    for (int32_t p = 0; p < image->planes; p++) {
        const struct qnt__plane *plane = &image->plane[p];
        for (size_t y = 0; y < plane->down; y++) {
            int16_t *row = plane->level + 64 * y * plane->across;
            quantize(simd, image, p, 0, y, plane->across, row);
        }
    }
}
