/* Reading and writing runs of elements of any type and stride. */
#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"
#include "view.h"

size_t qnt__view_row_length(const struct qnt__view *view)
{
    return view->ndim == 0 ? 1 : (size_t)view->shape[view->ndim - 1];
}

size_t qnt__view_rows(const struct qnt__view *view)
{
    return view->count == 0 ? 0 : view->count / qnt__view_row_length(view);
}

int64_t qnt__view_row(const struct qnt__view *view, size_t row)
{
    int64_t at = 0;
    for (int d = view->ndim - 2; d >= 0; d--) {
        size_t extent = (size_t)view->shape[d];
        at += (int64_t)(row % extent) * view->strides[d];
        row /= extent;
    }
    return at;
}

int32_t qnt__view_s32(const struct qnt__view *view, int64_t at)
{
    int32_t x;
    memcpy(&x, view->data + 4 * at, sizeof x);
    return x;
}

float qnt__view_f32(const struct qnt__view *view, int64_t at)
{
    float x;
    memcpy(&x, view->data + 4 * at, sizeof x);
    return x;
}

static uint16_t load_16(const uint8_t *p)
{
    uint16_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

static float load_f32(const struct qnt__view *view, int64_t at)
{
    const uint8_t *p = view->data + at * (view->bits / 8);
    if (view->bits == 32) {
        float x;
        memcpy(&x, p, sizeof x);
        return x;
    }
    return view->code == QNT_FLOAT ? qnt__f32_of_f16(load_16(p)) : qnt__f32_of_bf16(load_16(p));
}

static void store_f32(const struct qnt__view *view, int64_t at, float x)
{
    uint8_t *p = view->data + at * (view->bits / 8);
    if (view->bits == 32) {
        memcpy(p, &x, sizeof x);
    } else {
        uint16_t u = view->code == QNT_FLOAT ? qnt__f16_of_f32(x) : qnt__bf16_of_f32(x);
        memcpy(p, &u, sizeof u);
    }
}

/* Slots take pointers to their element type; a run that is not aligned to it takes the slow road,
 * since C has no misaligned pointers. */
static bool is_aligned(const void *p, size_t alignment)
{
    return (uintptr_t)p % alignment == 0;
}

void qnt__read_f32(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                   int64_t step, size_t n, float *out)
{
    const uint8_t *p = view->data + at * (view->bits / 8);
    if (step == 1 && view->bits == 32) {
        memcpy(out, p, n * sizeof *out);
    } else if (step == 1 && is_aligned(p, 2)) {
        (view->code == QNT_FLOAT ? simd->widen_f16 : simd->widen_bf16)((const void *)p, n, out);
    } else {
        for (size_t i = 0; i < n; i++) out[i] = load_f32(view, at + (int64_t)i * step);
    }
}

void qnt__write_f32(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                    int64_t step, size_t n, const float *in)
{
    uint8_t *p = view->data + at * (view->bits / 8);
    if (step == 1 && view->bits == 32) {
        memcpy(p, in, n * sizeof *in);
    } else if (step == 1 && is_aligned(p, 2)) {
        (view->code == QNT_FLOAT ? simd->narrow_f16 : simd->narrow_bf16)(in, n, (void *)p);
    } else {
        for (size_t i = 0; i < n; i++) store_f32(view, at + (int64_t)i * step, in[i]);
    }
}

/* Bit position of an element as byte and bit within it; element offsets may be negative. */
static uint8_t *locate(const struct qnt__view *view, int64_t at, int *bit)
{
    int64_t position = at * view->bits;
    *bit = (int)(position & 7);
    return view->data + (position - *bit) / 8;
}

static uint8_t load_code(const struct qnt__view *view, int64_t at)
{
    int bit;
    const uint8_t *p = locate(view, at, &bit);
    uint32_t held = p[0];
    if (bit + view->bits > 8) held |= (uint32_t)p[1] << 8;
    uint32_t mask = (1u << view->bits) - 1u;
    uint32_t top = view->code == QNT_INT ? 1u << (view->bits - 1) : 0u;
    return (uint8_t)(((held >> bit & mask) ^ top) - top);
}

static void store_code(const struct qnt__view *view, int64_t at, uint8_t code)
{
    int bit;
    uint8_t *p = locate(view, at, &bit);
    uint32_t mask = ((1u << view->bits) - 1u) << bit, value = ((uint32_t)code << bit) & mask;
    p[0] = (uint8_t)((p[0] & ~mask) | value);
    if (bit + view->bits > 8) p[1] = (uint8_t)((p[1] & ~(mask >> 8)) | value >> 8);
}

void qnt__read_codes(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                     int64_t step, size_t n, uint8_t *out)
{
    int bit;
    const uint8_t *p = locate(view, at, &bit);
    if (step == 1 && view->bits == 8) {
        memcpy(out, p, n);
    } else if (step == 1 && bit == 0) {
        simd->unpack_codes(p, n, view->bits, view->code == QNT_INT, out);
    } else {
        for (size_t i = 0; i < n; i++) out[i] = load_code(view, at + (int64_t)i * step);
    }
}

void qnt__write_codes(const struct qnt__simd *simd, const struct qnt__view *view, int64_t at,
                      int64_t step, size_t n, const uint8_t *in)
{
    int bit;
    uint8_t *p = locate(view, at, &bit);
    if (step == 1 && view->bits == 8) {
        memcpy(p, in, n);
        return;
    }
    size_t whole = step == 1 && bit == 0 ? n / 8 * 8 : 0; /* eight codes fill whole bytes */
    if (whole > 0) simd->pack_codes(in, whole, view->bits, false, p);
    for (size_t i = whole; i < n; i++) store_code(view, at + (int64_t)i * step, in[i]);
}
