/* What the fuzzers of calls share: numbers from the input, a bounded allocator, and views of any
 * content or of a wanted shape. */
#ifndef VIEWS_H
#define VIEWS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "qnt.h"

#define UNUSED __attribute__((unused))

enum { ARENA = 1 << 16, MEMORY = 1 << 24 };

/* Views may ask for any amount of memory; a host's allocator refuses at some point. An early one
 * keeps every unit short: what a call fills, it allocates. */
static UNUSED void *bounded_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    if (size > MEMORY) return NULL;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static UNUSED void bounded_free(void *user, void *block, size_t size)
{
    (void)user;
    (void)size;
    free(block);
}

/* Numbers from the input; 0 when it is used up. */
struct source {
    const uint8_t *data;
    size_t size, at;
};

static UNUSED uint64_t take(struct source *s, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (s->at < s->size) x |= (uint64_t)s->data[s->at++] << 8 * i;
    }
    return x;
}

/* Mostly small, sometimes anything. */
static UNUSED int64_t number(struct source *s)
{
    uint8_t kind = (uint8_t)take(s, 1);
    if (kind < 200) return kind % 20;
    if (kind < 240) return -(int64_t)(kind % 20);
    return (int64_t)take(s, 8);
}

static UNUSED int choice(struct source *s, int n)
{
    return (int)(take(s, 1) % (uint64_t)n);
}

/* Mostly small and legal, sometimes anything. */
static UNUSED int32_t option(struct source *s, int low, int high)
{
    uint8_t kind = (uint8_t)take(s, 1);
    return kind < 240 ? low + kind % (high - low + 1) : (int32_t)take(s, 4);
}

struct view {
    qnt_tensor t;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    uint8_t *arena;
};

/* A view in the middle of its own arena. If it is legal, but reaches beyond or would take long,
 * it loses its elements. */
static UNUSED void make_view(struct source *s, const qnt_context *context, struct view *v)
{
    static const uint8_t codes[] = {QNT_FLOAT, QNT_FLOAT, QNT_BFLOAT, QNT_INT, QNT_UINT, 7};
    static const uint8_t bits[] = {32, 32, 16, 8, 4, 3, 1, 16};
    v->arena = calloc(ARENA, 1);
    v->t = (qnt_tensor){.data = v->arena + ARENA / 2,
                        .device_type = take(s, 1) < 250 ? 1 : 2,
                        .ndim = (int32_t)(take(s, 1) % 11) - 1,
                        .dtype_code = codes[take(s, 1) % 6],
                        .dtype_bits = bits[take(s, 1) % 8],
                        .dtype_lanes = 1,
                        .shape = v->shape,
                        .strides = take(s, 1) % 2 ? v->strides : NULL,
                        .byte_offset = take(s, 1) % 9};
    for (int d = 0; d < QNT_MAX_NDIM; d++) {
        v->shape[d] = number(s);
        v->strides[d] = number(s);
    }
    for (size_t i = ARENA / 2; i < ARENA / 2 + 256; i++) v->arena[i] = (uint8_t)take(s, 1);
    uint64_t reach;
    if (qnt_tensor_bytes(context, &v->t, &reach) != QNT_OK) return;
    double elements = 1.0; /* strides may be 0 */
    for (int d = 0; d < v->t.ndim; d++) elements *= (double)v->shape[d];
    if (reach > ARENA / 2 - 16 || elements > 5000.0) v->shape[0] = 0;
}

/* A view of the wanted type and shape in memory of exactly its size: compact, or with gaps and
 * reversed axes. Now and then one field is something else; whatever is legal then stays inside. */
static UNUSED void shape_view(struct source *s, struct view *v, int code, int bits, int ndim,
                              const int64_t *shape)
{
    int64_t room = 1, before = 0;
    bool gaps = take(s, 1) % 4 == 0;
    v->t = (qnt_tensor){.device_type = 1,
                        .ndim = ndim,
                        .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits,
                        .dtype_lanes = 1,
                        .shape = v->shape,
                        .strides = v->strides};
    for (int d = ndim - 1; d >= 0; d--) {
        int64_t step = room * (gaps ? 1 + (int64_t)take(s, 1) % 2 : 1);
        bool backward = gaps && take(s, 1) % 2;
        v->shape[d] = shape[d];
        v->strides[d] = backward ? -step : step;
        if (backward && shape[d] > 0) before += step * (shape[d] - 1);
        room = step * (shape[d] > 1 ? shape[d] : 1);
    }
    before = (before + 7) / 8 * 8; /* whole bytes */
    size_t bytes = (size_t)((before + room) * bits + 7) / 8;
    v->arena = malloc(bytes ? bytes : 1);
    for (size_t i = 0; i < bytes; i++)
        v->arena[i] = (uint8_t)(s->at < s->size ? take(s, 1) : i * 37);
    v->t.data = v->arena;
    v->t.byte_offset = (uint64_t)(before * bits / 8);
    if (take(s, 1) % 32 != 31) return; /* 0: the input is used up */
    int d = (int)(take(s, 1) % QNT_MAX_NDIM); /* nothing legal may grow */
    switch (take(s, 1) % 6) {
    case 0: v->t.ndim = take(s, 1) % 2 ? ndim - 1 : QNT_MAX_NDIM + 1; break;
    case 1: v->t.data = NULL; break;
    case 2: v->t.dtype_code = (uint8_t)(take(s, 1) % 6); break;
    case 3: v->shape[d] = d < ndim && v->shape[d] > 0 ? v->shape[d] - 1 : -1; break;
    case 4: v->shape[d] = INT64_MIN + (int64_t)take(s, 1); break;
    case 5: v->t.device_type = 3; break;
    }
}

/* Elements of its memory that a view of shape_view() spans. */
static UNUSED size_t span_of(const struct view *v)
{
    size_t n = 1;
    for (int d = 0; d < QNT_MAX_NDIM && d < v->t.ndim; d++) {
        int64_t step = v->strides[d] < 0 ? -v->strides[d] : v->strides[d];
        if (v->shape[d] > 0) n += (size_t)(step * (v->shape[d] - 1));
    }
    return n;
}

static UNUSED double real(struct source *s)
{
    uint64_t pattern = take(s, 2) << 48;
    double x;
    memcpy(&x, &pattern, sizeof x);
    return x;
}

/* Mostly finite floats, else whatever the input says. */
static UNUSED void float_view(struct source *s, struct view *v, int ndim, const int64_t *shape)
{
    shape_view(s, v, QNT_FLOAT, 32, ndim, shape);
    if (v->t.ndim != ndim || !choice(s, 8)) return;
    const size_t n = span_of(v);
    for (size_t i = 0; i < n; i++) {
        float x = (float)(int8_t)v->arena[4 * i] / 16.0f;
        memcpy(v->arena + 4 * i, &x, sizeof x);
    }
}

#endif
