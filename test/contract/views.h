/*
 * The same elements in other memory: between guard pages, with gaps, reversed, transposed,
 * misaligned. What an operation does must not depend on that, and bytes between elements survive.
 */
#ifndef VIEWS_H
#define VIEWS_H

#include "fixtures.h"

/* COMPACT views end at, or begin after, a page that cannot be touched. */
enum { AT_END, AT_BEGIN, GAPS, REVERSED, TRANSPOSED, MISALIGNED, LAYOUTS };

static UNUSED const char *const layout_names[LAYOUTS] = {
    "at end", "at begin", "gaps", "reversed", "transposed", "misaligned"};

/* A view and the guarded memory below it. */
struct arranged {
    check_tensor v;
    guarded memory;
    size_t bytes;
    uint8_t *before; /* copy for comparison */
};

/* ---- single elements, as raw bits ---- */

static UNUSED uint32_t get_element(const qnt_tensor *t, int64_t at)
{
    int64_t first = at * t->dtype_bits;
    uint32_t value = 0;
    for (int b = 0; b < t->dtype_bits; b++) {
        int64_t position = first + b, bit = position & 7;
        const uint8_t *byte = (const uint8_t *)t->data + t->byte_offset + (position - bit) / 8;
        value |= (uint32_t)(*byte >> bit & 1) << b;
    }
    return value;
}

static UNUSED void put_element(const qnt_tensor *t, int64_t at, uint32_t value)
{
    int64_t first = at * t->dtype_bits;
    for (int b = 0; b < t->dtype_bits; b++) {
        int64_t position = first + b, bit = position & 7;
        uint8_t *byte = (uint8_t *)t->data + t->byte_offset + (position - bit) / 8;
        *byte = (uint8_t)((*byte & ~(1u << bit)) | (value >> b & 1u) << bit);
    }
}

/* Offset of element number i in row-major order. */
static UNUSED int64_t element_offset(const qnt_tensor *t, size_t i)
{
    int64_t at = 0;
    for (int d = t->ndim - 1; d >= 0; d--) {
        at += (int64_t)(i % (size_t)t->shape[d]) * t->strides[d];
        i /= (size_t)t->shape[d];
    }
    return at;
}

static UNUSED void copy_elements(const qnt_tensor *from, const qnt_tensor *to)
{
    size_t count = product(from->shape, from->ndim);
    for (size_t i = 0; i < count; i++) {
        put_element(to, element_offset(to, i), get_element(from, element_offset(from, i)));
    }
}

static UNUSED bool same_elements(const qnt_tensor *a, const qnt_tensor *b)
{
    size_t count = product(a->shape, a->ndim);
    for (size_t i = 0; i < count; i++) {
        uint32_t x = get_element(a, element_offset(a, i)), y = get_element(b, element_offset(b, i));
        if (x != y) return false;
    }
    return true;
}

/* ---- arranging ---- */

static UNUSED void choose_strides(struct arranged *a, int layout)
{
    qnt_tensor *t = &a->v.t;
    int64_t step = layout == GAPS ? 2 : 1;
    for (int i = 0; i < t->ndim; i++) {
        int d = layout == TRANSPOSED ? i : t->ndim - 1 - i;
        a->v.strides[d] = layout == REVERSED ? -step : step;
        step = step * a->v.shape[d] + (layout == GAPS ? 3 : 0);
    }
}

/* Memory for a view like `t`, its elements copied; everything else is noise. */
static UNUSED void arrange(struct arranged *a, const qnt_tensor *t, int layout)
{
    *a = (struct arranged){0};
    a->v.t = *t;
    a->v.t.shape = a->v.shape;
    a->v.t.strides = a->v.strides;
    a->v.t.byte_offset = 0;
    memcpy(a->v.shape, t->shape, (size_t)t->ndim * sizeof *t->shape);
    choose_strides(a, layout);

    int64_t low = 0, high = 0;
    for (int d = 0; d < t->ndim; d++) {
        int64_t far = (a->v.shape[d] - 1) * a->v.strides[d];
        if (far < 0) low += far;
        else high += far;
    }
    /* Whole bytes below element 0, so that it starts at a byte. */
    size_t below = (size_t)((-low * t->dtype_bits + 7) / 8);
    size_t above = (size_t)(((high + 1) * t->dtype_bits + 7) / 8);
    size_t slack = layout == MISALIGNED ? 1 : 0;
    a->bytes = below + above + slack;
    a->memory = guard(a->bytes, layout != AT_BEGIN);
    fill_bytes(a->memory.data, a->bytes);
    a->v.t.data = a->memory.data + below; /* misaligned: one spare byte at the end */
    copy_elements(t, &a->v.t);
    a->before = malloc(a->bytes);
    memcpy(a->before, a->memory.data, a->bytes);
}

static UNUSED void release(struct arranged *a)
{
    unguard(&a->memory);
    free(a->before);
}

static UNUSED bool untouched(const struct arranged *a)
{
    return !memcmp(a->before, a->memory.data, a->bytes);
}

/* True if nothing but elements changed; puts the old elements back. */
static UNUSED bool gaps_untouched(struct arranged *a)
{
    qnt_tensor old = a->v.t;
    old.data = a->before + ((uint8_t *)a->v.t.data - a->memory.data);
    copy_elements(&old, &a->v.t);
    return untouched(a);
}

/* ---- one operation in many arrangements ---- */

enum { MOST_VIEWS = 4 };

struct operation {
    const char *name;
    qnt_status (*run)(void *self, qnt_tensor *const *in, qnt_tensor *out);
    void *self;
    qnt_tensor *in[MOST_VIEWS]; /* compact; NULL after the last */
    qnt_tensor *out;            /* compact, or NULL */
};

static UNUSED void exercise_once(const struct operation *o, const int *layouts)
{
    struct arranged in[MOST_VIEWS], out = {0};
    qnt_tensor *views[MOST_VIEWS] = {0};
    int count = 0;
    for (; count < MOST_VIEWS && o->in[count]; count++) {
        arrange(&in[count], o->in[count], layouts[count]);
        views[count] = &in[count].v.t;
    }
    int out_layout = layouts[MOST_VIEWS];
    if (o->out) {
        arrange(&out, o->out, out_layout);
        fill_bytes(out.memory.data, out.bytes);
        memcpy(out.before, out.memory.data, out.bytes);
    }
    qnt_status status = o->run(o->self, views, o->out ? &out.v.t : NULL);
    CHECK_MSG(status == QNT_OK, "%s: %s: %s", o->name, qnt_status_name(status), check_reason);
    for (int i = 0; i < count; i++) {
        CHECK_MSG(untouched(&in[i]), "%s: input %d, %s", o->name, i, layout_names[layouts[i]]);
        release(&in[i]);
    }
    if (!o->out) return;
    CHECK_MSG(same_elements(o->out, &out.v.t), "%s: input %s, output %s", o->name,
              layout_names[layouts[0]], layout_names[out_layout]);
    CHECK_MSG(gaps_untouched(&out), "%s: output, %s", o->name, layout_names[out_layout]);
    release(&out);
}

/* The operation on compact views gives what is expected of all others. */
static UNUSED void exercise(const struct operation *o)
{
    qnt_status status = o->run(o->self, o->in, o->out);
    CHECK_MSG(status == QNT_OK, "%s: %s: %s", o->name, qnt_status_name(status), check_reason);
    for (int round = 0; round < 3 * LAYOUTS; round++) {
        int layouts[MOST_VIEWS + 1];
        for (int i = 0; i <= MOST_VIEWS; i++) {
            /* each layout alone everywhere, then mixtures */
            layouts[i] = round < LAYOUTS ? round : (int)random_in(0, LAYOUTS - 1);
        }
        exercise_once(o, layouts);
    }
}

#endif
