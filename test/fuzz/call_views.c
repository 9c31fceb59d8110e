/*
 * libFuzzer target: views and specs of any content, into every function that takes them.
 *
 * The input is a little program's data: numbers for a spec, views, and parameters. Views that the
 * library accepts point into an arena large enough for what they may reach; everything else must be
 * refused before a byte is touched.
 */
#include "views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void call_layer(struct source *s, const qnt_context *context, struct view *v,
                       const qnt_quantizer *q, const qnt_quantizer *other)
{
    qnt_layer_spec spec = {.size = sizeof spec};
    int32_t *const fields[] = {
        &spec.kind,        &spec.layout,    &spec.activation, &spec.flags,       &spec.groups,
        &spec.group_shift, &spec.stride[0], &spec.stride[1],  &spec.dilation[0], &spec.dilation[1],
        &spec.pad[0],      &spec.pad[1],    &spec.pad[2],     &spec.pad[3]};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] = (int32_t)(take(s, 1) < 128 ? take(s, 1) % 2 : (uint64_t)number(s));
    }
    qnt_layer *layer;
    const qnt_quantizer *input = take(s, 1) % 2 ? other : NULL;
    const qnt_quantizer *output = take(s, 1) % 2 ? q : NULL;
    if (qnt_layer_create(context, &spec, &v[1].t, q, take(s, 1) % 2 ? &v[2].t : NULL, input, output,
                         &layer) != QNT_OK) {
        return;
    }
    size_t bytes;
    if (qnt_layer_workspace(context, layer, &v[0].t, &bytes) == QNT_OK && bytes < 1 << 22) {
        void *workspace = malloc(bytes + 1);
        qnt_layer_run(context, layer, &v[0].t, &v[3].t, workspace, bytes);
        free(workspace);
    }
    qnt_layer_destroy(layer);
}

static qnt_quantizer *make_quantizer(struct source *s, const qnt_context *context)
{
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = (int32_t)(take(s, 1) % 5),
                     .method = (int32_t)(take(s, 1) % 18),
                     .bits = (int32_t)(take(s, 1) % 18),
                     .flags = (int32_t)(take(s, 1) % 128),
                     .points = (int32_t)(take(s, 1) % 3),
                     .grain = (int32_t)(take(s, 1) % 4),
                     .axis = (int32_t)number(s) % 12};
    if (spec.grain == QNT_PER_BLOCK) spec.block = number(s);
    qnt_quantizer *q = NULL;
    if (qnt_quantizer_create(context, &spec, &q) != QNT_OK) return NULL;
    double limit = 50.0, bins = 64.0, values[4];
    qnt_quantizer_set(context, q, QNT_P_NODES, &limit, 1); /* keeps runs short */
    qnt_quantizer_set(context, q, QNT_P_BINS, &bins, 1);
    for (int i = 0; i < 4; i++) {
        uint64_t pattern = take(s, 2) << 48;
        memcpy(&values[i], &pattern, sizeof values[i]);
    }
    qnt_quantizer_set(context, q, (int32_t)take(s, 1) % 40, values, 1 + take(s, 1) % 4);
    values[0] = 0.5;
    if (spec.method == QNT_FIXED) qnt_quantizer_set(context, q, QNT_P_SCALE, values, 1);
    return q;
}

static void call_quantizer(struct source *s, const qnt_context *context, qnt_quantizer *q,
                           struct view *v)
{
    for (int turn = 0; turn < 3; turn++) { /* the other view now and then */
        const qnt_tensor *x = &v[turn % 2].t;
        qnt_quantizer_observe(context, q, x, take(s, 1) % 2 ? &v[1].t : NULL);
        qnt_quantizer_fit(context, q);
        qnt_quantizer_encode(context, q, x, &v[2].t);
        qnt_quantizer_decode(context, q, &v[2].t, &v[3].t);
        qnt_quantizer_apply(context, q, x, &v[3].t);
        qnt_quantizer_apply(context, q, &v[0].t, &v[0].t);
        qnt_error error = {.size = sizeof error};
        qnt_quantizer_error(context, q, x, take(s, 1) % 2 ? &v[1].t : NULL, &error);
    }
}

/* Stateless products of codebooks. */
static void call_products(struct source *s, const qnt_context *context, struct view *v)
{
    double numbers[3];
    for (int i = 0; i < 3; i++) {
        uint64_t pattern = take(s, 2) << 48;
        memcpy(&numbers[i], &pattern, sizeof numbers[i]);
    }
    qnt_exp exp = {.size = sizeof exp, .exponent_bits = (int32_t)(take(s, 1) % 10), .base = numbers[0],
                   .alpha = numbers[1], .beta = numbers[2]};
    qnt_gemm_table(context, &v[0].t, &v[1].t, &v[2].t, &v[1].t, &v[3].t);
    qnt_gemm_exp(context, &v[0].t, &exp, &v[1].t, &exp, &v[3].t);
    qnt_dot_exp(context, exp.exponent_bits, &v[0].t, &v[1].t, &v[3].t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {data, size, 0};
    struct view v[4];
    qnt_context *context;
    if (qnt_context_create(bounded_alloc, bounded_free, NULL, &context) != QNT_OK) return 0;
    for (int i = 0; i < 4; i++) make_view(&s, context, &v[i]);
    qnt_quantizer *q = make_quantizer(&s, context), *other = make_quantizer(&s, context);
    call_products(&s, context, v);
    if (q) call_quantizer(&s, context, q, v);
    if (q) call_layer(&s, context, v, q, other);
    qnt_quantizer_destroy(other);
    qnt_quantizer_destroy(q);
    for (int i = 0; i < 4; i++) free(v[i].arena);
    qnt_context_destroy(context);
    return 0;
}
