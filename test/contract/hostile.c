/*
 * Bad arguments to tensors, quantizers, kernels, layers and blobs: a status, a reason that names the
 * argument, nothing written, nothing leaked. First every damage to every tensor of every function, then
 * what is not a tensor.
 */
#include "damage.h"

/* ---- tensors ---- */

static qnt_status check_one(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_tensor_check(c, t[0]);
}

static qnt_status measure_one(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    uint64_t bytes;
    return qnt_tensor_bytes(c, t[0], &bytes);
}

static void tensors(void)
{
    float x[60] = {0};
    qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, 3, 20);
    abuse(&(struct subject){"check", check_one, NULL, {{"tensor", ANY_RANK | ANY_TYPE, t}}});
    abuse(&(struct subject){
        "bytes", measure_one, NULL, {{"tensor", NO_DATA | ANY_RANK | ANY_TYPE, t}}});
    FAILS(qnt_tensor_bytes(context, t, NULL), QNT_E_INVALID, "bytes is NULL");
}

/* ---- quantizers ---- */

#define VIEWS(...) ((qnt_tensor *[]){__VA_ARGS__})

static qnt_status encode(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_quantizer_encode(c, self, t[0], t[1]);
}

static qnt_status decode(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_quantizer_decode(c, self, t[0], t[1]);
}

static qnt_status apply(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_quantizer_apply(c, self, t[0], t[1]);
}

static qnt_status observe(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_quantizer_observe(c, self, t[0], t[1]);
}

static qnt_status observe_inputs(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_quantizer_observe_inputs(c, self, t[0]);
}

static qnt_status measure(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    qnt_error error = {.size = sizeof error};
    return qnt_quantizer_error(c, self, t[0], t[1], &error);
}

static qnt_status describe_codes(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    check_tensor v;
    v.t = (qnt_tensor){.shape = v.shape, .strides = v.strides};
    return qnt_quantizer_view(c, self, t[0], &v.t);
}

static void quantizers(void)
{
    float x[60], y[60], weights[60];
    uint8_t codes[60] = {0};
    fill_floats(x, 60);
    fill_floats(y, 60);
    for (int i = 0; i < 60; i++) weights[i] = 1.0f;
    qnt_tensor *floats = TENSOR(x, QNT_FLOAT, 32, 3, 20), *out = TENSOR(y, QNT_FLOAT, 32, 3, 20);
    qnt_tensor *importance = TENSOR(weights, QNT_FLOAT, 32, 3, 20);
    qnt_tensor *bytes = TENSOR(codes, QNT_UINT, 8, 3, 20);
    qnt_quantizer *q = byte_quantizer(context), *learner, *sums;
    learner = new_quantizer(context, format(QNT_MSE, 4, QNT_SIGNED));
    sums = new_quantizer(context, codebook(6, QNT_PER_AXIS, 0, 0));
    abuse(&(struct subject){"encode", encode, q, {{"x", IN, floats}, {"codes", OUT, bytes}}});
    abuse(&(struct subject){"decode", decode, q, {{"codes", IN, bytes}, {"y", OUT, out}}});
    abuse(&(struct subject){"apply", apply, q, {{"x", IN, floats}, {"y", OUT, out}}});
    abuse(&(struct subject){
        "view", describe_codes, q, {{"x", NO_DATA | ANY_RANK | ANY_TYPE, floats}}});
    abuse(&(struct subject){"observe",
                            observe,
                            learner,
                            {{"x", IN, floats}, {"importance", OPTIONAL | ANY_RANK, importance}}});
    abuse(&(struct subject){"observe_inputs", observe_inputs, sums, {{"inputs", IN, floats}}});
    abuse(&(struct subject){
        "error", measure, q, {{"x", IN, floats}, {"importance", OPTIONAL | ANY_RANK, importance}}});
    FAILS(qnt_quantizer_error(context, q, floats, NULL, NULL), QNT_E_INVALID, "out");
    FAILS(encode(context, NULL, VIEWS(floats, bytes)), QNT_E_INVALID, "quantizer is NULL");
    FAILS(decode(context, NULL, VIEWS(bytes, out)), QNT_E_INVALID, "quantizer is NULL");
    FAILS(apply(context, NULL, VIEWS(floats, out)), QNT_E_INVALID, "quantizer is NULL");
    FAILS(observe(context, NULL, VIEWS(floats, NULL)), QNT_E_INVALID, "quantizer is NULL");
    FAILS(encode(context, learner, VIEWS(floats, bytes)), QNT_E_STATE, "parameters");
    qnt_quantizer_destroy(q);
    qnt_quantizer_destroy(learner);
    qnt_quantizer_destroy(sums);
    qnt_quantizer_destroy(NULL);
}

/* One field of a spec at a time. */
static void specs(void)
{
    qnt_quantizer *q = NULL;
    const qnt_spec good = format(QNT_MINMAX, 8, 0);
    struct {
        qnt_spec spec;
        qnt_status status;
        const char *text;
    } bad[] = {
        {good, QNT_E_INVALID, "size"},   {good, QNT_E_INVALID, "scheme"},
        {good, QNT_E_INVALID, "method"}, {good, QNT_E_INVALID, "bits"},
        {good, QNT_E_INVALID, "bits"},   {good, QNT_E_INVALID, "flags"},
        {good, QNT_E_INVALID, "grain"},  {good, QNT_E_INVALID, "block"},
        {good, QNT_E_INVALID, "axis"},   {good, QNT_E_INVALID, "points"},
    };
    bad[0].spec.size = 3;
    bad[1].spec.scheme = 99;
    bad[2].spec.method = -1;
    bad[3].spec.bits = 9;
    bad[4].spec.bits = -4;
    bad[5].spec.flags = 1 << 20;
    bad[6].spec.grain = 3;
    bad[7].spec.grain = QNT_PER_BLOCK;
    bad[8].spec.grain = QNT_PER_AXIS, bad[8].spec.axis = 8;
    bad[9].spec.points = 1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        q = (void *)&bad;
        FAILS(qnt_quantizer_create(context, &bad[i].spec, &q), bad[i].status, bad[i].text);
        CHECK_MSG(!q, "spec %zu: out is not NULL", i);
    }
    struct { qnt_spec known; int32_t news[4]; } newer = {good, {0, 0, 7, 0}};
    newer.known.size = sizeof newer;
    FAILS(qnt_quantizer_create(context, &newer.known, &q), QNT_E_VERSION, "spec");
    FAILS(qnt_quantizer_create(context, NULL, &q), QNT_E_INVALID, "spec is NULL");
    FAILS(qnt_quantizer_create(context, &good, NULL), QNT_E_INVALID, "out is NULL");
    CHECK(qnt_quantizer_create(NULL, &good, &q) == QNT_E_INVALID && !q);
}

static void parameters(void)
{
    qnt_quantizer *q = byte_quantizer(context);
    struct snapshot *before = take_snapshot(context, q);
    double v[2] = {1, 1};
    size_t count = 77;
    FAILS(qnt_quantizer_get(context, NULL, QNT_P_SCALE, v, 1, &count), QNT_E_INVALID, "quantizer");
    FAILS(qnt_quantizer_get(context, q, QNT_P_SCALE, v, 1, NULL), QNT_E_INVALID, "count");
    FAILS(qnt_quantizer_get(context, q, QNT_P_SCALE, v, 0, &count), QNT_E_SPACE, "capacity");
    FAILS(qnt_quantizer_get(context, q, 999, v, 1, &count), QNT_E_INVALID, "param");
    FAILS(qnt_quantizer_set(context, NULL, QNT_P_SCALE, v, 1), QNT_E_INVALID, "quantizer");
    FAILS(qnt_quantizer_set(context, q, QNT_P_SCALE, NULL, 1), QNT_E_INVALID, "values");
    FAILS(qnt_quantizer_set(context, q, QNT_P_SCALE, v, 0), QNT_E_INVALID, "count");
    FAILS(qnt_quantizer_set(context, q, QNT_P_SCALE, v, 2), QNT_E_INVALID, "count");
    FAILS(qnt_quantizer_set(context, q, 999, v, 1), QNT_E_INVALID, "param");
    FAILS(qnt_quantizer_set(context, q, QNT_P_LOW, v, 1), QNT_E_INVALID, "param");
    const double bad_scales[] = {0, -1, INFINITY, NAN, 1e300, 1e-300};
    for (size_t i = 0; i < sizeof bad_scales / sizeof *bad_scales; i++) {
        FAILS(qnt_quantizer_set(context, q, QNT_P_SCALE, &bad_scales[i], 1), QNT_E_INVALID,
              "values");
    }
    const double bad_zeros[] = {-1, 256, 0.5, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad_zeros / sizeof *bad_zeros; i++) {
        FAILS(qnt_quantizer_set(context, q, QNT_P_ZERO, &bad_zeros[i], 1), QNT_E_INVALID, "values");
    }
    FAILS(qnt_quantizer_fit(context, NULL), QNT_E_INVALID, "quantizer");
    FAILS(qnt_quantizer_spec(context, q, NULL), QNT_E_INVALID, "spec");
    CHECK(count == 77 && v[0] == 1);
    CHECK(is_unchanged(context, q, before));
    qnt_quantizer_destroy(q);
}

/* ---- kernels ---- */

static qnt_status gemm(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_gemm_s8(c, t[0], 0, t[1], t[2], t[3]);
}

static qnt_status gemm_table(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_gemm_table(c, t[0], t[1], t[2], t[3], t[4]);
}

static qnt_status gemm_exp(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_gemm_exp(c, t[0], self, t[1], self, t[2]);
}

static qnt_status dot_exp(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_dot_exp(c, 3, t[0], t[1], t[2]);
}

static qnt_status gemm_bits(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_gemm_bits(c, t[0], t[1], t[2], t[3], t[4]);
}

static qnt_status pack_bits(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_pack_bits(c, t[0], t[1]);
}

static qnt_status describe_planes(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    check_tensor v;
    (void)self;
    v.t = (qnt_tensor){.shape = v.shape, .strides = v.strides};
    return qnt_pack_bits_view(c, t[0], &v.t);
}

static qnt_status convolve(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_conv_s8(c, self, t[0], 0, t[1], t[2]);
}

static qnt_status shuffle(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_shuffle_cyclic(c, t[0], 1, 4, 1, t[1]);
}

static qnt_status requantize(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_requantize(c, t[0], t[1], t[2], 0, -8, 7, t[3]);
}

static void kernels(void)
{
    int8_t a[240], b[240], table[256] = {0};
    int32_t c[240] = {0}, zeros[20] = {0};
    float scale[48] = {1};
    static _Alignas(64) uint8_t planes[2 * 3 * 128];
    fill_bytes(a, sizeof a);
    fill_bytes(b, sizeof b);
    qnt_conv conv = {.size = sizeof conv};
    abuse(&(struct subject){"gemm", gemm, NULL,
                            {{"a", IN, TENSOR(a, QNT_INT, 8, 6, 30)},
                             {"b", IN, TENSOR(b, QNT_INT, 8, 8, 30)},
                             {"b_zero", OPTIONAL, TENSOR(zeros, QNT_INT, 32, 8)},
                             {"c", OUT, TENSOR(c, QNT_INT, 32, 6, 8)}}});
    qnt_exp exp = {.size = sizeof exp, .exponent_bits = 7, .base = 1.25, .alpha = 1.0};
    abuse(&(struct subject){"gemm_table", gemm_table, NULL,
                            {{"a", IN, TENSOR(a, QNT_UINT, 8, 6, 30)},
                             {"a_table", IN, TENSOR(table, QNT_INT, 8, 256)},
                             {"b", IN, TENSOR(b, QNT_UINT, 8, 8, 30)},
                             {"b_table", IN, TENSOR(table, QNT_INT, 8, 256)},
                             {"c", OUT, TENSOR(c, QNT_INT, 32, 6, 8)}}});
    abuse(&(struct subject){"gemm_exp", gemm_exp, &exp,
                            {{"a", IN, TENSOR(a, QNT_UINT, 8, 6, 30)},
                             {"b", IN, TENSOR(b, QNT_UINT, 8, 8, 30)},
                             {"c", OUT, TENSOR(scale, QNT_FLOAT, 32, 6, 8)}}});
    abuse(&(struct subject){"gemm_bits",
                            gemm_bits,
                            NULL,
                            {{"a", IN, TENSOR(a, QNT_UINT, 2, 6, 100)},
                             {"a_coef", OPTIONAL, TENSOR(scale, QNT_FLOAT, 32, 2)},
                             {"b", IN, TENSOR(planes, QNT_UINT, 8, 1, 2, 3, 128)},
                             {"b_coef", IN, TENSOR(scale, QNT_FLOAT, 32, 8, 2)},
                             {"c", OUT, TENSOR(c, QNT_FLOAT, 32, 6, 8)}}});
    abuse(&(struct subject){"pack_bits",
                            pack_bits,
                            NULL,
                            {{"codes", IN, TENSOR(a, QNT_UINT, 2, 6, 100)},
                             {"planes", OUT, TENSOR(planes, QNT_UINT, 8, 1, 2, 3, 128)}}});
    abuse(&(struct subject){"pack_bits_view",
                            describe_planes,
                            NULL,
                            {{"codes", NO_DATA, TENSOR(a, QNT_UINT, 2, 6, 100)}}});
    abuse(&(struct subject){"dot_exp", dot_exp, NULL,
                            {{"a", IN, TENSOR(a, QNT_UINT, 4, 100)},
                             {"b", IN, TENSOR(b, QNT_UINT, 4, 100)},
                             {"counts", OUT, TENSOR(c, QNT_INT, 32, 28)}}});
    abuse(&(struct subject){"conv", convolve, &conv,
                            {{"x", IN, TENSOR(a, QNT_INT, 8, 2, 5, 4, 3)},
                             {"w", IN, TENSOR(b, QNT_INT, 8, 2, 3, 3, 3)},
                             {"y", OUT, TENSOR(c, QNT_INT, 32, 2, 3, 2, 2)}}});
    abuse(&(struct subject){"shuffle", shuffle, NULL,
                            {{"x", IN, TENSOR(a, QNT_INT, 8, 5, 20)},
                             {"y", OUT, TENSOR(b, QNT_INT, 8, 5, 20)}}});
    abuse(&(struct subject){"requantize", requantize, NULL,
                            {{"acc", IN, TENSOR(c, QNT_INT, 32, 5, 20)},
                             {"bias", OPTIONAL, TENSOR(zeros, QNT_INT, 32, 20)},
                             {"scale", IN, TENSOR(scale, QNT_FLOAT, 32, 20)},
                             {"y", OUT, TENSOR(a, QNT_INT, 8, 5, 20)}}});
}

/* ---- layers ---- */

static qnt_status create(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    const struct parts *p = self;
    qnt_layer_spec spec = {.size = sizeof spec};
    qnt_layer *layer = NULL;
    qnt_status status =
        qnt_layer_create(c, &spec, t[0], p->weight_q, t[1], p->input_q, p->output_q, &layer);
    CHECK(!layer == (status != QNT_OK));
    qnt_layer_destroy(layer);
    return status;
}

static qnt_status describe(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    check_tensor v;
    v.t = (qnt_tensor){.shape = v.shape, .strides = v.strides};
    return qnt_layer_view(c, self, t[0], &v.t);
}

static qnt_status plan(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    size_t bytes;
    return qnt_layer_workspace(c, self, t[0], &bytes);
}

static _Alignas(64) uint8_t workspace[1 << 20];

static qnt_status run(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_layer_run(c, self, t[0], t[1], workspace, sizeof workspace);
}

static void layer_arguments(const struct recipe *r)
{
    static float x[4096], y[4096];
    fill_floats(x, 4096);
    qnt_layer *layer = new_layer(context, r);
    check_tensor in, out = {0};
    qnt_tensor *input = check_view(&in, x, QNT_FLOAT, 32, r->ndim, r->x);
    qnt_tensor *result = result_view(context, layer, input, &out);
    result->data = y;
    abuse(&(struct subject){"layer view", describe, layer, {{"x", NO_DATA, input}}});
    abuse(&(struct subject){"layer workspace", plan, layer, {{"x", NO_DATA, input}}});
    abuse(&(struct subject){"layer run", run, layer, {{"x", IN, input}, {"y", OUT, result}}});

    size_t bytes = 0;
    MUST(qnt_layer_workspace(context, layer, input, &bytes));
    fill_floats(y, 4096);
    static float before[4096];
    memcpy(before, y, sizeof y);
    FAILS(qnt_layer_run(context, layer, input, result, workspace, bytes - 1), QNT_E_SPACE,
          "workspace");
    FAILS(qnt_layer_run(context, layer, input, result, NULL, bytes), QNT_E_INVALID, "workspace");
    FAILS(qnt_layer_run(context, NULL, input, result, workspace, bytes), QNT_E_INVALID, "layer");
    CHECK(!memcmp(before, y, sizeof y));
    qnt_layer_destroy(layer);
}

static void layers(void)
{
    for (int i = 0; i < RECIPES; i++) layer_arguments(&recipes[i]);
    struct parts *p = open_parts(context, &recipes[0]);
    check_tensor weight = copy_of(p->weight), bias = copy_of(p->bias);
    weight.t.shape = weight.shape, weight.t.strides = weight.strides;
    bias.t.shape = bias.shape, bias.t.strides = bias.strides;
    abuse(&(struct subject){"layer create", create, p,
                            {{"weight", IN, &weight.t}, {"bias", OPTIONAL, &bias.t}}});

    qnt_layer *layer = NULL;
    qnt_layer_spec spec = {.size = sizeof spec};
#define CREATE(s, q, o) qnt_layer_create(context, s, p->weight, q, p->bias, NULL, NULL, o)
    FAILS(CREATE(NULL, p->weight_q, &layer), QNT_E_INVALID, "spec");
    FAILS(CREATE(&spec, NULL, &layer), QNT_E_INVALID, "weight_q");
    FAILS(CREATE(&spec, p->weight_q, NULL), QNT_E_INVALID, "out");
    spec.kind = 9;
    FAILS(CREATE(&spec, p->weight_q, &layer), QNT_E_INVALID, "kind");
    spec = (qnt_layer_spec){.size = sizeof spec, .activation = -1};
    FAILS(CREATE(&spec, p->weight_q, &layer), QNT_E_INVALID, "activation");
    spec = (qnt_layer_spec){.size = sizeof spec, .flags = 1 << 9};
    FAILS(CREATE(&spec, p->weight_q, &layer), QNT_E_INVALID, "flags");
    spec = (qnt_layer_spec){.size = 2};
    FAILS(CREATE(&spec, p->weight_q, &layer), QNT_E_INVALID, "size");
    close_parts(p);
    qnt_layer_destroy(NULL);
}

/* ---- no context ---- */

static void no_context(void)
{
    qnt_quantizer *q = byte_quantizer(context), *loaded = (void *)&context;
    qnt_layer *layer = new_layer(context, &recipes[0]), *loaded_layer = (void *)&context;
    qnt_pool *pool = (void *)&context;
    qnt_spec spec = {.size = sizeof spec};
    double value = 1;
    size_t count = 7;
    CHECK(qnt_quantizer_spec(NULL, q, &spec) == QNT_E_INVALID);
    CHECK(qnt_quantizer_fit(NULL, q) == QNT_E_INVALID);
    CHECK(qnt_quantizer_get(NULL, q, QNT_P_SCALE, &value, 1, &count) == QNT_E_INVALID);
    CHECK(qnt_quantizer_set(NULL, q, QNT_P_SCALE, &value, 1) == QNT_E_INVALID);
    CHECK(qnt_quantizer_save(NULL, q, workspace, sizeof workspace, &count) == QNT_E_INVALID);
    CHECK(qnt_quantizer_load(NULL, workspace, 64, &loaded) == QNT_E_INVALID && !loaded);
    CHECK(qnt_layer_save(NULL, layer, workspace, sizeof workspace, &count) == QNT_E_INVALID);
    CHECK(qnt_layer_load(NULL, workspace, 64, 0, &loaded_layer) == QNT_E_INVALID && !loaded_layer);
    CHECK(qnt_blob_probe(NULL, workspace, 64, NULL, NULL, &count) == QNT_E_INVALID);
    CHECK(qnt_pool_create(NULL, 2, &pool) == QNT_E_INVALID && !pool);
    CHECK(qnt_context_set_parallel(NULL, NULL, NULL, 1) == QNT_E_INVALID);
    CHECK(qnt_context_set_log(NULL, NULL, NULL, 0) == QNT_E_INVALID);
    CHECK(qnt_context_set_progress(NULL, NULL, NULL) == QNT_E_INVALID);
    CHECK(qnt_context_set_cpu(NULL, 0) == QNT_E_INVALID);
    CHECK(qnt_context_cpu(NULL) == 0);
    CHECK(count == 7 && value == 1);
    qnt_quantizer_destroy(q);
    qnt_layer_destroy(layer);
}

/* ---- blobs ---- */

static void blobs(void)
{
    qnt_quantizer *q = byte_quantizer(context), *other = NULL;
    qnt_layer *layer = new_layer(context, &recipes[0]), *copy = NULL;
    size_t length = 0;
    FAILS(qnt_quantizer_save(context, NULL, workspace, 64, &length), QNT_E_INVALID, "quantizer");
    FAILS(qnt_quantizer_save(context, q, workspace, 4096, NULL), QNT_E_INVALID, "length");
    FAILS(qnt_quantizer_save(context, q, workspace, 63, &length), QNT_E_SPACE, "capacity");
    FAILS(qnt_layer_save(context, NULL, workspace, 64, &length), QNT_E_INVALID, "layer");
    FAILS(qnt_layer_save(context, layer, workspace, 4096, NULL), QNT_E_INVALID, "length");
    FAILS(qnt_layer_save(context, layer, workspace, 64, &length), QNT_E_SPACE, "capacity");
    FAILS(qnt_quantizer_load(context, NULL, 64, &other), QNT_E_INVALID, "data");
    FAILS(qnt_quantizer_load(context, workspace, 64, NULL), QNT_E_INVALID, "out");
    FAILS(qnt_quantizer_load(context, workspace, 0, &other), QNT_E_FORMAT, "");
    FAILS(qnt_layer_load(context, NULL, 64, 0, &copy), QNT_E_INVALID, "data");
    FAILS(qnt_layer_load(context, workspace, 64, 0, NULL), QNT_E_INVALID, "out");
    MUST(qnt_layer_save(context, layer, workspace, sizeof workspace, &length));
    FAILS(qnt_layer_load(context, workspace, length, 0x70, &copy), QNT_E_INVALID, "flags");
    FAILS(qnt_layer_load(context, workspace, length - 1, 0, &copy), QNT_E_FORMAT, "");
    FAILS(qnt_quantizer_load(context, workspace, length, &other), QNT_E_FORMAT, "");
    memmove(workspace + 1, workspace, length);
    FAILS(qnt_layer_load(context, workspace + 1, length, QNT_BORROW, &copy), QNT_E_INVALID, "data");
    CHECK(!copy && !other);
    qnt_quantizer_destroy(q);
    qnt_layer_destroy(layer);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    context = fuse_context(&memory_held);
    filter_everywhere(context);
    RUN(tensors);
    RUN(quantizers);
    RUN(specs);
    RUN(parameters);
    RUN(kernels);
    RUN(layers);
    RUN(no_context);
    RUN(blobs);
    RUN(nothing_leaked);
    return DONE;
}
