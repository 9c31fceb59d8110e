/*
 * libFuzzer target: quantizers of every scheme and method, and dense layers made of them, on views whose
 * shapes mostly go together.
 *
 * The input chooses specs, parameters, grains and layouts; one view in 32 is damaged. What is legal must
 * stay inside memory that has exactly the size of each view.
 */
#include "views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})

/* Of any scheme; mostly with a method and flags that serve it. */
static qnt_spec make_spec(struct source *s, int rank)
{
    static const int32_t methods[][8] = {
        {QNT_FIXED, QNT_MINMAX, QNT_PERCENTILE, QNT_ENTROPY, QNT_ANALYTIC, QNT_MSE, QNT_MSE,
         QNT_MSE},
        {QNT_FIXED, QNT_BASES, QNT_BASES, QNT_BASES, QNT_BASES, QNT_MULTIPOINT, QNT_MULTIPOINT,
         QNT_MULTIPOINT},
        {QNT_FIXED, QNT_TEQ, QNT_TEQ, QNT_TEQ, QNT_TEQ, QNT_TEQ, QNT_TEQ, QNT_TEQ},
        {QNT_KMEANS, QNT_LLOYD, QNT_ANALYTIC, QNT_BALANCED, QNT_LEVELS, QNT_NF4, QNT_FP4,
         QNT_APOT}};
    static const int32_t flags[][4] = {
        {0, QNT_SIGNED | QNT_SYMMETRIC, QNT_DYNAMIC, QNT_REAL_OFFSET},
        {0, QNT_LITERAL, QNT_DYNAMIC, 0},
        {0, QNT_LITERAL, QNT_SIGNED, QNT_SIGNED | QNT_LITERAL},
        {0, QNT_LITERAL, 0, QNT_THRESHOLDS}};
    const int scheme = choice(s, 4);
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = scheme,
                     .method = choice(s, 16) ? methods[scheme][choice(s, 8)] : option(s, -1, 17),
                     .bits = choice(s, scheme == QNT_EXP ? 8 : 9),
                     .flags = choice(s, 16) ? flags[scheme][choice(s, 4)] : option(s, 0, 255),
                     .grain = choice(s, 3),
                     .axis = option(s, -rank, rank - 1)};
    if (spec.grain == QNT_PER_BLOCK) spec.block = option(s, 1, 40), spec.axis = rank - 1;
    if (scheme != QNT_POINTS) return spec;
    spec.bits = spec.method == QNT_MULTIPOINT ? option(s, 2, 4) : option(s, 1, 1);
    spec.points = option(s, 1, 8 / (spec.bits > 0 && spec.bits <= 8 ? spec.bits : 1));
    return spec;
}

/* Numbers that a caller sets: ascending as a rule. */
static void set_numbers(struct source *s, const qnt_context *c, qnt_quantizer *q)
{
    static const int32_t params[] = {QNT_P_LEVELS,    QNT_P_BASE,       QNT_P_SCALE,  QNT_P_ALPHA,
                                     QNT_P_BETA,      QNT_P_COEF,       QNT_P_ZERO,   QNT_P_OFFSET,
                                     QNT_P_TOLERANCE, QNT_P_THRESHOLDS, QNT_P_BUDGET, QNT_P_EXTRA};
    for (size_t p = 0; p < sizeof params / sizeof *params; p++) {
        double values[8], next = choice(s, 8) / 2.0 - 1.0;
        if (choice(s, 3)) continue;
        for (int i = 0; i < 8; i++, next += 1 + choice(s, 9) / 4.0)
            values[i] = choice(s, 32) ? next : real(s);
        qnt_quantizer_set(c, q, params[p], values, (size_t)(1 + choice(s, p ? 3 : 8)));
    }
}

static qnt_quantizer *make_quantizer(struct source *s, const qnt_context *c, const qnt_spec *spec)
{
    const double nodes = 50, bins = 64, rounds = 3; /* keep runs short */
    qnt_quantizer *q = NULL;
    if (qnt_quantizer_create(c, spec, &q) != QNT_OK) return NULL;
    qnt_quantizer_set(c, q, QNT_P_NODES, &nodes, 1);
    qnt_quantizer_set(c, q, QNT_P_BINS, &bins, 1);
    qnt_quantizer_set(c, q, QNT_P_ROUNDS, &rounds, 1);
    if (choice(s, 2)) set_numbers(s, c, q);
    return q;
}

static int32_t lose(void *user, const qnt_quantizer *const *weights,
                    const qnt_quantizer *const *inputs, double *loss)
{
    (void)weights, (void)inputs;
    *loss = choice(user, 4) ? 0.0 : real(user);
    return !choice(user, 16);
}

/* Alone, or with one base for two, or with bits as well. */
static void fit(struct source *s, const qnt_context *c, qnt_quantizer *q, qnt_quantizer *other)
{
    qnt_teq_spec spec = {
        .size = sizeof spec, .least_bits = option(s, 0, 7), .most_bits = option(s, 0, 7)};
    const int way = choice(s, 8);
    if (way < 6) qnt_quantizer_fit(c, q);
    if (way == 6) qnt_quantizer_fit_pair(c, q, other);
    if (way == 7) qnt_teq_search(c, &q, choice(s, 2) ? &other : NULL, 1, &spec, lose, s);
}

static void encode(struct source *s, const qnt_context *c, const qnt_quantizer *q, struct view *x)
{
    struct view codes, y;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    qnt_tensor wanted = {.shape = shape, .strides = strides};
    if (qnt_quantizer_view(c, q, &x->t, &wanted) != QNT_OK) return;
    const int bits = choice(s, 2) && wanted.dtype_bits < 8 ? 8 : wanted.dtype_bits;
    shape_view(s, &codes, wanted.dtype_code, bits, wanted.ndim, shape);
    shape_view(s, &y, choice(s, 4) ? QNT_FLOAT : QNT_BFLOAT, choice(s, 4) ? 32 : 16, wanted.ndim,
               shape);
    qnt_quantizer_decode(c, q, &codes.t, &y.t); /* any codes */
    qnt_quantizer_encode(c, q, &x->t, &codes.t);
    qnt_quantizer_decode(c, q, &codes.t, &y.t);
    qnt_quantizer_apply(c, q, &x->t, choice(s, 2) ? &x->t : &y.t);
    qnt_error error = {.size = sizeof error};
    qnt_quantizer_error(c, q, &x->t, NULL, &error);
    free(codes.arena), free(y.arena);
}

/* Saved, loaded and run: a dense layer. */
static void run(struct source *s, const qnt_context *c, const qnt_layer *layer, const qnt_tensor *x,
                const qnt_tensor *y)
{
    static _Alignas(64) uint8_t blob[1 << 16];
    qnt_layer *copy = NULL;
    qnt_tensor out = *y;
    size_t bytes;
    if (qnt_layer_workspace(c, layer, x, &bytes) != QNT_OK || bytes > 1 << 22) return;
    void *workspace = malloc(bytes ? bytes : 1);
    qnt_layer_run(c, layer, x, &out, workspace, bytes - (choice(s, 16) ? 0 : bytes > 0));
    size_t length;
    if (qnt_layer_save(c, layer, blob, sizeof blob, &length) == QNT_OK &&
        qnt_layer_load(c, blob, length, choice(s, 2) ? QNT_BORROW : 0, &copy) == QNT_OK)
        qnt_layer_run(c, copy, x, &out, workspace, bytes);
    qnt_layer_destroy(copy);
    free(workspace);
}

static void multiply(struct source *s, const qnt_context *c, struct view *x, struct view *w,
                     qnt_quantizer *const q[3])
{
    const qnt_layer_spec spec = {.size = sizeof spec,
                                 .activation = option(s, 0, 2),
                                 .flags = choice(s, 8) ? 0 : QNT_ACCUMULATE,
                                 .low = -1,
                                 .high = 2};
    const qnt_quantizer *output = choice(s, 3) ? NULL : q[2];
    struct view bias, y;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    qnt_tensor wanted = {.shape = shape, .strides = strides};
    qnt_layer *layer = NULL;
    float_view(s, &bias, 1, SHAPE(w->shape[0]));
    if (qnt_layer_create(c, &spec, &w->t, q[1], choice(s, 2) ? &bias.t : NULL,
                         choice(s, 3) ? q[0] : NULL, output, &layer) == QNT_OK &&
        qnt_layer_view(c, layer, &x->t, &wanted) == QNT_OK) {
        shape_view(s, &y, wanted.dtype_code, wanted.dtype_bits, wanted.ndim, shape);
        run(s, c, layer, &x->t, &y.t);
        free(y.arena);
    }
    qnt_layer_destroy(layer);
    free(bias.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {data, size, 0};
    struct view v[3];
    qnt_quantizer *q[3];
    qnt_context *c;
    if (qnt_context_create(bounded_alloc, bounded_free, NULL, &c) != QNT_OK) return 0;
    qnt_context_set_cpu(c, take(&s, 1));
    const int64_t m = 1 + choice(&s, 4), n = 1 + choice(&s, 9), k = 1 + choice(&s, 40);
    qnt_spec spec = make_spec(&s, 2);
    for (int i = 0; i < 3; i++) { /* pairs are of one kind */
        q[i] = make_quantizer(&s, c, &spec);
        if (choice(&s, 2)) spec = make_spec(&s, 2);
    }
    float_view(&s, &v[0], 2, SHAPE(m, k));
    float_view(&s, &v[1], 2, SHAPE(n, k));
    float_view(&s, &v[2], 2, SHAPE(choice(&s, 2), k)); /* importance of columns, or of nothing */
    for (size_t i = 0; choice(&s, 8) != 7 && v[2].t.ndim == 2 && i < span_of(&v[2]); i++)
        v[2].arena[4 * i + 3] &= 0x7f;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 3; i++) {
            if (!q[i]) continue;
            qnt_quantizer_observe(c, q[i], &v[i == 1].t, choice(&s, 4) == 3 ? &v[2].t : NULL);
            if (choice(&s, 4) == 3) qnt_quantizer_observe_inputs(c, q[i], &v[0].t);
            fit(&s, c, q[i], q[!i]);
            encode(&s, c, q[i], &v[i == 1]);
        }
        multiply(&s, c, &v[0], &v[1], q);
    }
    for (int i = 0; i < 3; i++) qnt_quantizer_destroy(q[i]), free(v[i].arena);
    qnt_context_destroy(c);
    return 0;
}
