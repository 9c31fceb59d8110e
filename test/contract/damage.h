/*
 * Damaged tensors for the functions that take them: every damage to every tensor is refused with a status
 * and a reason that names the argument and what was expected, nothing is written, nothing is leaked.
 */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "recipes.h"

static qnt_context *context;
static struct fuse memory_held; /* by the context; nothing fails here */

enum { MOST = 5 };
/* What a tensor is for, and what of it may be anything. */
enum { IN = 0, OUT = 1, OPTIONAL = 2, NO_DATA = 4, ANY_RANK = 8, ANY_TYPE = 16 };

struct subject {
    const char *function;
    qnt_status (*run)(const qnt_context *c, void *self, qnt_tensor *const *t);
    void *self;
    struct {
        const char *name;
        int role;
        qnt_tensor *t;
    } tensors[MOST];
};

/* ---- damage to a tensor ---- */

struct damage {
    const char *name;
    qnt_status expected;
    bool (*apply)(check_tensor *v, int role); /* false: not in this case */
};

static bool on_device(check_tensor *v, int role)
{
    (void)role;
    v->t.device_type = 2;
    return true;
}

static bool negative_rank(check_tensor *v, int role)
{
    (void)role;
    v->t.ndim = -1;
    return true;
}

/* One element: fine alone, but no tensor here goes with others of that rank. */
static bool rank_zero(check_tensor *v, int role)
{
    v->t.ndim = 0;
    return !(role & ANY_RANK);
}

static bool rank_nine(check_tensor *v, int role)
{
    (void)role;
    v->t.ndim = 9;
    return true;
}

static bool two_lanes(check_tensor *v, int role)
{
    (void)role;
    v->t.dtype_lanes = 2;
    return true;
}

static bool unknown_type(check_tensor *v, int role)
{
    (void)role;
    v->t.dtype_code = 7;
    return true;
}

static bool no_bits(check_tensor *v, int role)
{
    (void)role;
    v->t.dtype_bits = 0;
    return true;
}

static bool wide_type(check_tensor *v, int role)
{
    (void)role;
    v->t.dtype_bits = 64;
    return true;
}

/* A legal type that this argument cannot have. */
static bool other_type(check_tensor *v, int role)
{
    bool sums = v->t.dtype_code == QNT_INT && v->t.dtype_bits == 32;
    v->t.dtype_code = QNT_INT;
    v->t.dtype_bits = sums ? 16 : 32;
    return !(role & ANY_TYPE);
}

static bool no_shape(check_tensor *v, int role)
{
    (void)role;
    v->t.shape = NULL;
    return v->t.ndim > 0;
}

static bool no_data(check_tensor *v, int role)
{
    v->t.data = NULL;
    return !(role & NO_DATA);
}

static bool negative_extent(check_tensor *v, int role)
{
    (void)role;
    v->shape[v->t.ndim - 1] = -1;
    return true;
}

static bool huge_extents(check_tensor *v, int role)
{
    (void)role;
    for (int d = 0; d < v->t.ndim; d++) v->shape[d] = INT64_C(1) << (v->t.ndim > 1 ? 40 : 62);
    v->t.strides = NULL;
    return true;
}

static bool huge_strides(check_tensor *v, int role)
{
    (void)role;
    v->strides[0] = INT64_MIN;
    return v->shape[0] > 1;
}

/* Every element in one place: fine to read, not to write. */
static bool shared_elements(check_tensor *v, int role)
{
    for (int d = 0; d < v->t.ndim; d++) v->strides[d] = 0;
    return role & OUT;
}

static const struct damage damages[] = {
    {"device", QNT_E_DEVICE, on_device},
    {"ndim -1", QNT_E_SHAPE, negative_rank},
    {"ndim 0", QNT_E_SHAPE, rank_zero},
    {"ndim 9", QNT_E_SHAPE, rank_nine},
    {"lanes", QNT_E_DTYPE, two_lanes},
    {"type code", QNT_E_DTYPE, unknown_type},
    {"0 bits", QNT_E_DTYPE, no_bits},
    {"64 bits", QNT_E_DTYPE, wide_type},
    {"other type", QNT_E_DTYPE, other_type},
    {"shape NULL", QNT_E_INVALID, no_shape},
    {"data NULL", QNT_E_INVALID, no_data},
    {"negative extent", QNT_E_SHAPE, negative_extent},
    {"huge extents", QNT_E_SHAPE, huge_extents},
    {"huge strides", QNT_E_SHAPE, huge_strides},
    {"shared elements", QNT_E_SHAPE, shared_elements},
};

/* ---- running a subject ---- */

struct memory {
    uint8_t *copies[MOST];
    size_t bytes[MOST];
};

static struct memory remember(const struct subject *s)
{
    struct memory m = {0};
    for (int i = 0; i < MOST && s->tensors[i].t; i++) {
        m.bytes[i] = s->tensors[i].t->data ? view_bytes(context, s->tensors[i].t) : 0;
        m.copies[i] = malloc(m.bytes[i] + 1);
        memcpy(m.copies[i], s->tensors[i].t->data, m.bytes[i]);
    }
    return m;
}

static bool is_as_before(const struct subject *s, struct memory *m)
{
    bool same = true;
    for (int i = 0; i < MOST && s->tensors[i].t; i++) {
        same = same && !memcmp(m->copies[i], s->tensors[i].t->data, m->bytes[i]);
        free(m->copies[i]);
    }
    return same;
}

/* Runs with tensor i replaced; with i < 0 as it is. */
static qnt_status run_with(const qnt_context *c, const struct subject *s, int i, qnt_tensor *t)
{
    qnt_tensor *views[MOST] = {0};
    for (int j = 0; j < MOST; j++) views[j] = j == i ? t : s->tensors[j].t;
    check_reason[0] = 0;
    return s->run(c, s->self, views);
}

static void expect(const struct subject *s, int i, const char *what, qnt_tensor *t,
                   qnt_status expected)
{
    struct memory m = remember(s);
    size_t blocks = memory_held.blocks;
    qnt_status status = run_with(context, s, i, t);
    const char *name = s->tensors[i].name;
    CHECK_MSG(status == expected, "%s, %s, %s: %s, \"%s\"", s->function, name, what,
              qnt_status_name(status), check_reason);
    CHECK_MSG(strstr(check_reason, name), "%s, %s, %s: \"%s\"", s->function, name, what,
              check_reason);
    CHECK_MSG(strstr(check_reason, "expected") || strstr(check_reason, "is NULL"),
              "%s, %s, %s: \"%s\"", s->function, name, what, check_reason);
    CHECK_MSG(is_as_before(s, &m), "%s, %s, %s: written", s->function, name, what);
    CHECK_MSG(memory_held.blocks == blocks, "%s, %s, %s: leaked", s->function, name, what);
}

static check_tensor copy_of(const qnt_tensor *t)
{
    check_tensor v = {.t = *t};
    memcpy(v.shape, t->shape, (size_t)t->ndim * sizeof *t->shape);
    memcpy(v.strides, t->strides, (size_t)t->ndim * sizeof *t->strides);
    return v;
}

static UNUSED void abuse(const struct subject *s)
{
    for (int i = 0; i < MOST && s->tensors[i].t; i++) {
        int role = s->tensors[i].role;
        if (!(role & OPTIONAL)) expect(s, i, "NULL", NULL, QNT_E_INVALID);
        for (size_t d = 0; d < sizeof damages / sizeof *damages; d++) {
            check_tensor v = copy_of(s->tensors[i].t);
            v.t.shape = v.shape;
            v.t.strides = v.strides;
            if (!damages[d].apply(&v, role)) continue;
            expect(s, i, damages[d].name, &v.t, damages[d].expected);
        }
    }
    struct memory m = remember(s);
    CHECK_MSG(run_with(NULL, s, -1, NULL) == QNT_E_INVALID, "%s: context NULL", s->function);
    CHECK_MSG(is_as_before(s, &m), "%s, context NULL: written", s->function);
    qnt_status status = run_with(context, s, -1, NULL);
    CHECK_MSG(status == QNT_OK, "%s, undamaged: %s", s->function, check_reason);
}

/* Whatever was made here has been destroyed, and what was refused has left nothing behind. */
static UNUSED void nothing_leaked(void)
{
    qnt_context_destroy(context);
    CHECK_MSG(memory_held.blocks == 0 && memory_held.bytes == 0, "%zu blocks, %zu bytes",
              memory_held.blocks, memory_held.bytes);
}

#endif
