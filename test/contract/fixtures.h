/*
 * What the contract tests share: random data, small quantizers, and a memory hook that counts and
 * fails. Whatever fails here is a broken test, so it ends the program.
 */
#ifndef FIXTURES_H
#define FIXTURES_H

#include "check.h"

#define MUST(call)                                                                                 \
    do {                                                                                           \
        qnt_status got_ = (call);                                                                  \
        if (got_ != QNT_OK) {                                                                      \
            printf("  %s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, qnt_status_name(got_),      \
                   check_reason);                                                                  \
            printf("0 passed, 1 failed, 0 skipped\n");                                             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static UNUSED void fill_floats(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)random_gauss();
}

static UNUSED void fill_bytes(void *data, size_t n)
{
    uint8_t *p = data;
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)random_u64();
}

/* ---- memory that counts, and fails once ---- */

struct fuse {
    size_t calls;   /* of alloc, so far */
    size_t fail_at; /* the call, counted from 1, that gives NULL; 0: none */
    size_t blocks;  /* allocated and not freed */
    size_t bytes;
};

static UNUSED void *fuse_alloc(void *user, size_t size, size_t align)
{
    struct fuse *fuse = user;
    if (++fuse->calls == fuse->fail_at) return NULL;
    void *block = aligned_alloc(align, (size + align - 1) / align * align);
    if (!block) exit(2);
    memset(block, 0xdb, size);
    fuse->blocks++;
    fuse->bytes += size;
    return block;
}

static UNUSED void fuse_free(void *user, void *block, size_t size)
{
    struct fuse *fuse = user;
    fuse->blocks--;
    fuse->bytes -= size;
    memset(block, 0xfd, size);
    free(block);
}

static UNUSED qnt_context *fuse_context(struct fuse *fuse)
{
    qnt_context *context = NULL;
    MUST(qnt_context_create(fuse_alloc, fuse_free, fuse, &context));
    MUST(qnt_context_set_log(context, check_log, NULL, QNT_LOG_ERROR));
    return context;
}

/* ---- quantizers ---- */

static UNUSED qnt_spec format(int method, int bits, int flags)
{
    return (qnt_spec){.size = sizeof(qnt_spec), .method = method, .bits = bits, .flags = flags};
}

static UNUSED qnt_spec grained(int method, int bits, int flags, int grain, int axis, int64_t block)
{
    qnt_spec spec = format(method, bits, flags);
    spec.grain = grain;
    spec.axis = axis;
    spec.block = block;
    return spec;
}

/* Schemes with codebook_specs, and every way in which their methods work. */
static UNUSED const qnt_spec codebook_specs[] = {
    {.scheme = QNT_TABLE, .method = QNT_KMEANS, .bits = 3},
    {.scheme = QNT_TABLE, .method = QNT_ANALYTIC, .bits = 2},
    {.scheme = QNT_TABLE, .method = QNT_NF4, .bits = 4},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3, .flags = QNT_SIGNED},
    {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = 4, .flags = QNT_SIGNED | QNT_LITERAL},
    {.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .points = 3},
    {.scheme = QNT_POINTS, .method = QNT_MULTIPOINT, .bits = 2, .points = 2},
    {.scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = 3},
    {.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .points = 1}};

enum { CODEBOOKS = sizeof codebook_specs / sizeof *codebook_specs };

static UNUSED qnt_spec codebook(int i, int grain, int axis, int64_t block)
{
    qnt_spec spec = codebook_specs[i];
    spec.size = sizeof spec;
    spec.grain = grain;
    spec.axis = axis;
    spec.block = block;
    return spec;
}

static UNUSED qnt_quantizer *new_quantizer(const qnt_context *context, qnt_spec spec)
{
    qnt_quantizer *q = NULL;
    MUST(qnt_quantizer_create(context, &spec, &q));
    return q;
}

static UNUSED qnt_quantizer *fitted_quantizer(const qnt_context *context, qnt_spec spec,
                                              const qnt_tensor *x)
{
    qnt_quantizer *q = new_quantizer(context, spec);
    MUST(qnt_quantizer_observe(context, q, x, NULL));
    MUST(qnt_quantizer_fit(context, q));
    return q;
}

static UNUSED qnt_quantizer *exp_quantizer(const qnt_context *context)
{
    qnt_spec spec = format(QNT_TEQ, 5, QNT_SIGNED);
    spec.scheme = QNT_EXP;
    return new_quantizer(context, spec);
}

static UNUSED int32_t lose_nothing(void *user, const qnt_quantizer *const *weights,
                                   const qnt_quantizer *const *inputs, double *loss)
{
    CHECK(!user && weights[0] && !inputs);
    *loss = 0;
    return 0;
}

/* Of one layer, weights only. */
static UNUSED qnt_status search_bits(const qnt_context *context, qnt_quantizer *q)
{
    qnt_teq_spec spec = {.size = sizeof spec, .least_bits = 2, .most_bits = 4};
    return qnt_teq_search(context, &q, NULL, 1, &spec, lose_nothing, NULL);
}

/* uint8 around 128: a typical activation. */
static UNUSED qnt_quantizer *byte_quantizer(const qnt_context *context)
{
    qnt_quantizer *q = new_quantizer(context, format(QNT_FIXED, 8, 0));
    MUST(qnt_quantizer_set(context, q, QNT_P_SCALE, &(double){0.03125}, 1));
    MUST(qnt_quantizer_set(context, q, QNT_P_ZERO, &(double){128}, 1));
    return q;
}

static UNUSED qnt_quantizer *dynamic_quantizer(const qnt_context *context)
{
    return new_quantizer(context,
                         format(QNT_MINMAX, 8, QNT_SIGNED | QNT_SYMMETRIC | QNT_DYNAMIC));
}

/* Everything that get() tells, to see whether a quantizer changed. */
struct snapshot {
    qnt_status status[40];
    size_t count[40];
    double values[40][64];
};

static UNUSED struct snapshot *take_snapshot(const qnt_context *context, const qnt_quantizer *q)
{
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s) exit(2);
    for (int32_t param = 0; param < 40; param++) {
        s->status[param] = qnt_quantizer_get(context, q, param, s->values[param], 64,
                                             &s->count[param]);
    }
    return s;
}

/* Compares with the present and frees. */
static UNUSED bool is_unchanged(const qnt_context *context, const qnt_quantizer *q,
                                struct snapshot *before)
{
    struct snapshot *now = take_snapshot(context, q);
    bool same = !memcmp(now, before, sizeof *now);
    free(now);
    free(before);
    return same;
}

static UNUSED size_t product(const int64_t *shape, int ndim)
{
    size_t count = 1;
    for (int d = 0; d < ndim; d++) count *= (size_t)shape[d];
    return count;
}

#endif
