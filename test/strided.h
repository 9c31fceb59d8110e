/* Random layouts of a tensor, and its elements one by one: the slow way that tests compare with. */
#ifndef STRIDED_H
#define STRIDED_H

#include "check.h"

typedef struct strided {
    check_tensor view;
    uint8_t *memory;
    size_t size;
    size_t count; /* elements */
} strided;

/* Axes nest in random order with random gaps; strides may be negative, the first byte
 * misaligned. */
static UNUSED void strided_random(strided *s, int code, int bits, int ndim, const int64_t *shape)
{
    int64_t room = 1, before = 0;
    int order[QNT_MAX_NDIM];
    qnt_tensor *t = check_view(&s->view, NULL, code, bits, ndim, shape);
    bool compact = random_in(0, 3) == 0;
    s->count = 1;
    for (int d = 0; d < ndim; d++) {
        int at = (int)random_in(0, d);
        order[d] = order[at];
        order[at] = d;
        s->count *= (size_t)shape[d];
    }
    for (int k = 0; k < ndim; k++) {
        int d = compact ? ndim - 1 - k : order[k];
        int64_t step = compact || random_in(0, 1) ? room : room * 2 + random_in(0, 3);
        bool backward = !compact && random_in(0, 3) == 0;
        if (shape[d] < 1) continue;
        t->strides[d] = backward ? -step : step;
        if (backward) before += step * (shape[d] - 1);
        room = step * shape[d];
    }
    before = (before + 7) / 8 * 8; /* whole bytes */
    size_t shift = (size_t)random_in(0, 5);
    s->size = (size_t)((before + room) * bits + 7) / 8 + shift;
    s->memory = malloc(s->size ? s->size : 1);
    for (size_t i = 0; i < s->size; i++) s->memory[i] = (uint8_t)random_u64();
    t->data = s->memory;
    t->byte_offset = shift + (uint64_t)(before * bits / 8);
}

static UNUSED void strided_free(strided *s)
{
    free(s->memory);
}

/* First bit of an element, by its number in row-major order. */
static UNUSED size_t strided_bit(const strided *s, size_t element)
{
    const qnt_tensor *t = &s->view.t;
    int64_t at = 0;
    for (int d = t->ndim - 1; d >= 0; d--) {
        at += (int64_t)(element % (size_t)t->shape[d]) * t->strides[d];
        element /= (size_t)t->shape[d];
    }
    return (size_t)((int64_t)t->byte_offset * 8 + at * t->dtype_bits);
}

/* The element's bits, not sign-extended. */
static UNUSED uint32_t strided_get(const strided *s, size_t element)
{
    size_t first = strided_bit(s, element);
    uint32_t u = 0;
    for (size_t b = 0; b < s->view.t.dtype_bits; b++) {
        u |= (uint32_t)(s->memory[(first + b) / 8] >> (first + b) % 8 & 1) << b;
    }
    return u;
}

static UNUSED void strided_set(strided *s, size_t element, uint32_t u)
{
    size_t first = strided_bit(s, element);
    for (size_t b = 0; b < s->view.t.dtype_bits; b++) {
        uint8_t *byte = &s->memory[(first + b) / 8], bit = (uint8_t)(1 << (first + b) % 8);
        *byte = (uint8_t)(u >> b & 1 ? *byte | bit : *byte & ~bit);
    }
}

/* A copy with memory of its own. */
static UNUSED void strided_copy(strided *to, const strided *from)
{
    *to = *from;
    to->view.t.shape = to->view.shape;
    to->view.t.strides = to->view.strides;
    to->memory = malloc(from->size ? from->size : 1);
    memcpy(to->memory, from->memory, from->size);
    to->view.t.data = to->memory;
}

#endif
