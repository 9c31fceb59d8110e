/* Elements by their number in row-major order. */
#include "range.h"

#include <string.h>

#include "base/arith.h"

void qnt__view_flatten(struct qnt__view *view)
{
    if (view->count == 0) return;
    int kept = 0;
    for (int d = 0; d < view->ndim; d++) {
        int64_t extent = view->shape[d], stride = view->strides[d];
        if (extent == 1) continue;
        if (kept > 0 && view->strides[kept - 1] == stride * extent) {
            view->shape[kept - 1] *= extent;
            view->strides[kept - 1] = stride;
        } else {
            view->shape[kept] = extent;
            view->strides[kept++] = stride;
        }
    }
    view->ndim = kept;
}

/* A stretch of a range within one row. */
struct stretch {
    int64_t at, step; /* in elements */
    size_t n;
};

static struct stretch stretch_of(const struct qnt__view *view, size_t first, size_t n)
{
    if (view->ndim == 0) return (struct stretch){0, 1, 1};
    size_t length = qnt__view_row_length(view), column = first % length;
    int64_t step = view->strides[view->ndim - 1];
    return (struct stretch){qnt__view_row(view, first / length) + (int64_t)column * step, step,
                            qnt__min(n, length - column)};
}

/* Address of a range that lies in one piece, of whole bytes and aligned to its type, else NULL. */
static uint8_t *place(const struct qnt__view *view, size_t first, size_t n, uint8_t bits)
{
    if (view->bits != bits) return NULL;
    struct stretch s = stretch_of(view, first, n);
    uint8_t *p = view->data + s.at * (bits / 8);
    return s.n == n && (s.step == 1 || n == 1) && (uintptr_t)p % (bits / 8u) == 0 ? p : NULL;
}

float *qnt__range_f32_place(const struct qnt__view *view, size_t first, size_t n)
{
    return (void *)place(view, first, n, 32);
}

void *qnt__range_codes_place(const struct qnt__view *view, size_t first, size_t n)
{
    return view->bits == 16 ? place(view, first, n, 16) : place(view, first, n, 8);
}

const float *qnt__range_f32(const struct qnt__simd *simd, const struct qnt__view *view,
                            size_t first, size_t n, float *buffer)
{
    const float *here = qnt__range_f32_place(view, first, n);
    if (here) return here;
    for (size_t done = 0; done < n;) {
        struct stretch s = stretch_of(view, first + done, n - done);
        qnt__read_f32(simd, view, s.at, s.step, s.n, buffer + done);
        done += s.n;
    }
    return buffer;
}

void qnt__range_write_f32(const struct qnt__simd *simd, const struct qnt__view *view, size_t first,
                          size_t n, const float *in)
{
    for (size_t done = 0; done < n;) {
        struct stretch s = stretch_of(view, first + done, n - done);
        qnt__write_f32(simd, view, s.at, s.step, s.n, in + done);
        done += s.n;
    }
}

static void copy_16(const uint8_t *from, int64_t from_step, uint8_t *to, int64_t to_step, size_t n)
{
    for (size_t i = 0; i < n; i++, from += from_step, to += to_step) memcpy(to, from, 2);
}

const void *qnt__range_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                             size_t first, size_t n, void *buffer)
{
    const void *here = qnt__range_codes_place(view, first, n);
    if (here) return here;
    size_t size = view->bits == 16 ? 2 : 1;
    uint8_t *out = buffer;
    for (size_t done = 0; done < n;) {
        struct stretch s = stretch_of(view, first + done, n - done);
        if (size == 2) copy_16(view->data + 2 * s.at, 2 * s.step, out + 2 * done, 2, s.n);
        else qnt__read_codes(simd, view, s.at, s.step, s.n, out + done);
        done += s.n;
    }
    return buffer;
}

void qnt__range_write_codes(const struct qnt__simd *simd, const struct qnt__view *view,
                            size_t first, size_t n, const void *in)
{
    const uint8_t *from = in;
    for (size_t done = 0; done < n;) {
        struct stretch s = stretch_of(view, first + done, n - done);
        if (view->bits == 16) copy_16(from + 2 * done, 2, view->data + 2 * s.at, 2 * s.step, s.n);
        else qnt__write_codes(simd, view, s.at, s.step, s.n, from + done);
        done += s.n;
    }
}
