/*
 * Every public function that allocates, with an allocator that fails at the first call, the second,
 * and so on until the function succeeds: a status, a reason, nothing changed, nothing leaked. And
 * those that must not allocate do not.
 */
#include "recipes.h"
#include "steps.h"

static struct fuse fuse;
static void *made; /* by the call under test */

/* Runs call with every allocation failing in turn. undo frees what success made. */
static void burn(const char *name, qnt_status (*call)(void), void (*undo)(void))
{
    size_t blocks = fuse.blocks, bytes = fuse.bytes, at = 1;
    for (; at < 10000; at++) {
        made = &fuse;
        check_reason[0] = 0;
        fuse.calls = 0;
        fuse.fail_at = at;
        qnt_status status = call();
        fuse.fail_at = 0;
        if (fuse.calls < at) {
            CHECK_MSG(status == QNT_OK, "%s: %s", name, qnt_status_name(status));
            undo();
            break;
        }
        CHECK_MSG(status == QNT_E_NOMEM, "%s, allocation %zu: %s", name, at,
                  qnt_status_name(status));
        CHECK_MSG(strstr(check_reason, "bytes"), "%s: \"%s\"", name, check_reason);
        CHECK_MSG(!made, "%s: out is not NULL", name);
        CHECK_MSG(fuse.blocks == blocks && fuse.bytes == bytes, "%s, allocation %zu: leaks", name,
                  at);
    }
    CHECK_MSG(at > 1, "%s never allocated", name);
    CHECK_MSG(fuse.blocks == blocks && fuse.bytes == bytes, "%s: leaks", name);
}

/* ---- contexts, pools ---- */

static qnt_status create_context(void)
{
    qnt_status status = qnt_context_create(fuse_alloc, fuse_free, &fuse, (qnt_context **)&made);
    if (status != QNT_OK) snprintf(check_reason, sizeof check_reason, "bytes"); /* has no log yet */
    return status;
}

static void destroy_context(void)
{
    qnt_context_destroy(made);
}

static qnt_status create_pool(void)
{
    return qnt_pool_create(context, 3, (qnt_pool **)&made);
}

static void destroy_pool(void)
{
    qnt_pool_destroy(made);
}

static void contexts(void)
{
    burn("qnt_context_create", create_context, destroy_context);
    burn("qnt_pool_create", create_pool, destroy_pool);
}

/* ---- quantizers ---- */

static qnt_spec spec;

static qnt_status create_quantizer(void)
{
    return qnt_quantizer_create(context, &spec, (qnt_quantizer **)&made);
}

static void destroy_quantizer(void)
{
    qnt_quantizer_destroy(made);
}

static void creating(void)
{
    spec = grained(QNT_MSE, 4, QNT_SIGNED, QNT_PER_BLOCK, 1, 16);
    burn("qnt_quantizer_create", create_quantizer, destroy_quantizer);
}

/* Repeats call on one quantizer, with every allocation failing in turn, until it succeeds. */
static void burn_change(const char *name, qnt_quantizer *q, qnt_status (*call)(qnt_quantizer *q))
{
    for (size_t at = 1; at < 10000; at++) {
        struct snapshot *before = take_snapshot(context, q);
        fuse.calls = 0;
        fuse.fail_at = at;
        qnt_status status = call(q);
        fuse.fail_at = 0;
        bool burnt = fuse.calls >= at;
        CHECK_MSG(status == (burnt ? QNT_E_NOMEM : QNT_OK), "%s, allocation %zu: %s", name, at,
                  qnt_status_name(status));
        if (!burnt) {
            free(before);
            return;
        }
        CHECK_MSG(is_unchanged(context, q, before), "%s, allocation %zu: changed", name, at);
    }
    CHECK_MSG(false, "%s never succeeded", name);
}

enum { MOST_NUMBERS = 256 };

/* The same for what changes an object, whose numbers `tell` writes and counts: they stay. */
static void burn_call(const char *name, qnt_status (*call)(void), size_t (*tell)(double *values))
{
    double before[MOST_NUMBERS], now[MOST_NUMBERS];
    size_t count = tell(before);
    for (size_t at = 1; at < 1000; at++) {
        size_t blocks = fuse.blocks;
        fuse.calls = 0;
        fuse.fail_at = at;
        qnt_status status = call();
        fuse.fail_at = 0;
        bool burnt = fuse.calls >= at;
        CHECK_MSG(status == (burnt ? QNT_E_NOMEM : QNT_OK), "%s, allocation %zu: %s", name, at,
                  qnt_status_name(status));
        CHECK_MSG(fuse.blocks == blocks, "%s, allocation %zu: leaks", name, at);
        if (!burnt) return;
        CHECK_MSG(tell(now) == count && !memcmp(now, before, count * sizeof *now),
                  "%s, allocation %zu: changed", name, at);
    }
    CHECK_MSG(false, "%s never succeeded", name);
}

static double scales[24];

static qnt_status set_scales(qnt_quantizer *q)
{
    return qnt_quantizer_set(context, q, QNT_P_SCALE, scales, 24);
}

static void setting(void)
{
    size_t blocks = fuse.blocks;
    for (int i = 0; i < 24; i++) scales[i] = 1 + i;
    qnt_quantizer *q = new_quantizer(context, grained(QNT_FIXED, 8, 0, QNT_PER_AXIS, 0, 0));
    burn_change("qnt_quantizer_set", q, set_scales);
    qnt_quantizer_destroy(q);
    CHECK(fuse.blocks == blocks);
}

enum { BATCH = 4 * 6 * 40 };
static float batch[BATCH];

/* Three batches, so that histograms follow the exact samples; then the fit. */
static void burn_calibration(const qnt_spec *s, bool weighted)
{
    static float weights[BATCH];
    size_t blocks = fuse.blocks, bytes = fuse.bytes;
    for (int i = 0; i < BATCH; i++) weights[i] = (float)random_unit();
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 4, 6, 40);
    importance_view = weighted ? TENSOR(weights, QNT_FLOAT, 32, 4, 6, 40) : NULL;
    qnt_quantizer *q = new_quantizer(context, *s), *reference = new_quantizer(context, *s);
    qnt_quantizer *both[2] = {q, reference};
    for (int i = 0; i < 2; i++) {
        qnt_status status = qnt_quantizer_set(context, both[i], QNT_P_SAMPLES, &(double){1500}, 1);
        CHECK(status == QNT_OK || status == QNT_E_UNSUPPORTED);
    }
    for (int i = 0; i < 3; i++) {
        fill_floats(batch, BATCH);
        for (int j = 0; j < BATCH; j++) batch[j] *= (float)(1 << i);
        MUST(observe(reference));
        burn_change("qnt_quantizer_observe", q, observe);
    }
    MUST(fit(reference));
    burn_change("qnt_quantizer_fit", q, fit);
    CHECK_MSG(is_unchanged(context, q, take_snapshot(context, reference)),
              "failures left a trace: method %d, grain %d", s->method, s->grain);
    qnt_quantizer_destroy(q);
    qnt_quantizer_destroy(reference);
    CHECK_MSG(fuse.blocks == blocks && fuse.bytes == bytes, "method %d leaks", s->method);
}

static const int methods[] = {QNT_MINMAX, QNT_PERCENTILE, QNT_ENTROPY, QNT_ANALYTIC, QNT_MSE};

static void calibration(void)
{
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        for (int grain = QNT_PER_TENSOR; grain <= QNT_PER_BLOCK; grain++) {
            int flags = grain == QNT_PER_AXIS ? QNT_SIGNED | QNT_SYMMETRIC : 0;
            bool blocks = grain == QNT_PER_BLOCK;
            qnt_spec s = grained(methods[m], 4, flags, grain, blocks ? 2 : 1, blocks ? 20 : 0);
            burn_calibration(&s, methods[m] != QNT_ENTROPY);
        }
    }
    qnt_spec real = format(QNT_MSE, 3, QNT_REAL_OFFSET);
    burn_calibration(&real, true);
    for (int i = 0; i < CODEBOOKS; i++) {
        qnt_spec s = codebook(i, i % 2 ? QNT_PER_AXIS : QNT_PER_TENSOR, i % 2, 0);
        burn_calibration(&s, true);
    }
}

static void inputs(void)
{
    size_t blocks = fuse.blocks, bytes = fuse.bytes;
    double extra = 5;
    qnt_quantizer *q = new_quantizer(context, codebook(6, QNT_PER_AXIS, 0, 0));
    fill_floats(batch, BATCH);
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 24, 40);
    importance_view = NULL;
    MUST(observe(q));
    for (int i = 0; i < 2; i++) burn_change("qnt_quantizer_observe_inputs", q, observe_inputs);
    MUST(qnt_quantizer_set(context, q, QNT_P_EXTRA, &extra, 1));
    burn_change("qnt_quantizer_fit", q, fit);
    qnt_quantizer_destroy(q);
    CHECK(fuse.blocks == blocks && fuse.bytes == bytes);
}

static void searching(void)
{
    size_t blocks = fuse.blocks;
    qnt_quantizer *q = exp_quantizer(context);
    fill_floats(batch, BATCH);
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 4, 6, 40);
    importance_view = NULL;
    MUST(observe(q));
    MUST(fit(q));
    burn_change("qnt_teq_search", q, search);
    qnt_quantizer_destroy(q);
    CHECK(fuse.blocks == blocks);
}

static void pairs(void)
{
    size_t blocks = fuse.blocks;
    qnt_quantizer *both[2];
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 4, 6, 40);
    importance_view = NULL;
    for (int i = 0; i < 2; i++) {
        both[i] = exp_quantizer(context);
        fill_floats(batch, BATCH);
        MUST(observe(both[i]));
    }
    partner = both[1];
    burn_change("qnt_quantizer_fit_pair", both[0], fit_first);
    burn_change("qnt_quantizer_fit_pair", both[0], fit_second);
    MUST(fit(both[1]));
    partner = both[0];
    burn_change("qnt_quantizer_fit_pair", both[1], fit_first);
    burn_change("qnt_quantizer_fit_pair", both[1], fit_second);
    for (int i = 0; i < 2; i++) qnt_quantizer_destroy(both[i]);
    CHECK(fuse.blocks == blocks);
}

/* What keeps nothing, but needs memory meanwhile. */
static qnt_quantizer *user;

static qnt_status measure_error(void)
{
    qnt_error error = {.size = sizeof error};
    made = NULL;
    return qnt_quantizer_error(context, user, batch_view, NULL, &error);
}

static qnt_status apply_dynamic(void)
{
    made = NULL;
    return qnt_quantizer_apply(context, user, batch_view, batch_view);
}

static void nothing(void)
{
}

static void passing(void)
{
    fill_floats(batch, BATCH);
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 4, 6, 40);
    user = byte_quantizer(context);
    burn("qnt_quantizer_error", measure_error, nothing);
    qnt_quantizer_destroy(user);
    user = dynamic_quantizer(context);
    burn("qnt_quantizer_apply", apply_dynamic, nothing);
    qnt_quantizer_destroy(user);
}

/* ---- layers and blobs ---- */

static const struct recipe *recipe;
static struct parts *parts;
static _Alignas(64) uint8_t blob[1 << 16];
static size_t blob_bytes;
static int32_t load_flags;

static qnt_status create_layer(void)
{
    return make_layer(context, recipe, parts, (qnt_layer **)&made);
}

static qnt_status load_layer(void)
{
    return qnt_layer_load(context, blob, blob_bytes, load_flags, (qnt_layer **)&made);
}

static void destroy_layer(void)
{
    qnt_layer_destroy(made);
}

static qnt_status load_quantizer(void)
{
    return qnt_quantizer_load(context, blob, blob_bytes, (qnt_quantizer **)&made);
}

static void layers(void)
{
    for (recipe = recipes; recipe < recipes + RECIPES; recipe++) {
        parts = open_parts(context, recipe);
        burn(recipe->name, create_layer, destroy_layer);
        close_parts(parts);
    }
}

static void blobs(void)
{
    for (recipe = recipes; recipe < recipes + RECIPES; recipe++) {
        qnt_layer *layer = new_layer(context, recipe);
        MUST(qnt_layer_save(context, layer, blob, sizeof blob, &blob_bytes));
        qnt_layer_destroy(layer);
        load_flags = 0;
        burn("qnt_layer_load", load_layer, destroy_layer);
        load_flags = QNT_BORROW;
        burn("qnt_layer_load, borrowed", load_layer, destroy_layer);
    }
    fill_floats(batch, BATCH);
    qnt_quantizer *q = fitted_quantizer(context, grained(QNT_MINMAX, 8, 0, QNT_PER_AXIS, 1, 0),
                                        TENSOR(batch, QNT_FLOAT, 32, 4, 6, 40));
    MUST(qnt_quantizer_save(context, q, blob, sizeof blob, &blob_bytes));
    qnt_quantizer_destroy(q);
    burn("qnt_quantizer_load", load_quantizer, destroy_quantizer);
}

/* ---- what must not allocate ---- */

static void quantizer_calls(void)
{
    static float y[BATCH];
    static uint8_t codes[BATCH], space[4096];
    size_t length;
    qnt_tensor *x = TENSOR(batch, QNT_FLOAT, 32, 4, 6, 40);
    fill_floats(batch, BATCH);
    qnt_quantizer *q = fitted_quantizer(context, grained(QNT_MINMAX, 3, 0, QNT_PER_AXIS, 1, 0), x);
    fuse.calls = 0;
    MUST(qnt_quantizer_encode(context, q, x, TENSOR(codes, QNT_UINT, 3, 4, 6, 40)));
    MUST(qnt_quantizer_decode(context, q, TENSOR(codes, QNT_UINT, 3, 4, 6, 40),
                              TENSOR(y, QNT_FLOAT, 32, 4, 6, 40)));
    MUST(qnt_quantizer_apply(context, q, x, TENSOR(y, QNT_FLOAT, 32, 4, 6, 40)));
    MUST(qnt_quantizer_save(context, q, space, sizeof space, &length));
    MUST(qnt_blob_probe(context, space, length, NULL, NULL, NULL));
    free(take_snapshot(context, q));
    CHECK_MSG(fuse.calls == 0, "%zu allocations", fuse.calls);
    qnt_quantizer_destroy(q);
}

static void layer_runs(void)
{
    static float x[4096], y[4096];
    static uint8_t workspace[1 << 20];
    fill_floats(x, 4096);
    for (recipe = recipes; recipe < recipes + RECIPES; recipe++) {
        qnt_layer *layer = new_layer(context, recipe);
        check_tensor in, result = {0};
        qnt_tensor *input = check_view(&in, x, QNT_FLOAT, 32, recipe->ndim, recipe->x);
        fuse.calls = 0;
        qnt_tensor *output = result_view(context, layer, input, &result);
        output->data = y;
        size_t bytes;
        MUST(qnt_layer_workspace(context, layer, input, &bytes));
        MUST(qnt_layer_run(context, layer, input, output, workspace, bytes));
        CHECK_MSG(fuse.calls == 0, "%s: %zu allocations", recipe->name, fuse.calls);
        qnt_layer_destroy(layer);
    }
}

static void kernels(void)
{
    uint8_t a[6 * 10], b[7 * 10];
    int32_t c[6 * 7];
    fill_bytes(a, sizeof a);
    fill_bytes(b, sizeof b);
    qnt_conv conv = {.size = sizeof conv, .pad = {1, 1, 1, 1}};
    fuse.calls = 0;
    MUST(qnt_gemm_s8(context, TENSOR(a, QNT_UINT, 8, 6, 10), 3, TENSOR(b, QNT_INT, 3, 7, 10), NULL,
                     TENSOR(c, QNT_INT, 32, 6, 7)));
    qnt_exp exp = {.size = sizeof exp, .exponent_bits = 3, .base = 1.5, .alpha = 1.0};
    MUST(qnt_gemm_exp(context, TENSOR(a, QNT_UINT, 4, 6, 10), &exp, TENSOR(b, QNT_UINT, 3, 7, 10),
                      &exp, TENSOR(c, QNT_FLOAT, 32, 6, 7)));
    MUST(qnt_dot_exp(context, 3, TENSOR(a, QNT_UINT, 4, 60), TENSOR(b, QNT_UINT, 3, 60),
                     TENSOR(c, QNT_INT, 32, 28)));
    MUST(qnt_conv_s8(context, &conv, TENSOR(a, QNT_UINT, 8, 1, 3, 5, 4), 3,
                     TENSOR(b, QNT_INT, 4, 2, 3, 3, 4), TENSOR(c, QNT_INT, 32, 1, 3, 5, 2)));
    MUST(qnt_requantize(context, TENSOR(c, QNT_INT, 32, 5, 6), NULL,
                        TENSOR((&(float){0.01f}), QNT_FLOAT, 32, 1), 0, -8, 7,
                        TENSOR(a, QNT_INT, 4, 5, 6)));
    MUST(qnt_shuffle_cyclic(context, TENSOR(b, QNT_UINT, 8, 5, 6), 1, 3, 1,
                            TENSOR(a, QNT_UINT, 8, 5, 6)));
    CHECK_MSG(fuse.calls == 0, "%zu allocations", fuse.calls);
}

/* ---- bit planes ---- */

static uint8_t bit_codes[6 * 128];
static _Alignas(8) uint8_t bit_planes[2 * 3 * 128];
static int64_t bit_blocks; /* of coefficients */

static qnt_status multiply_planes(void)
{
    static float coef[16 * 2 * 2], y[6 * 16], before[6 * 16];
    memset(y, 0x55, sizeof y), memset(before, 0x55, sizeof before);
    qnt_status status = qnt_gemm_bits(context, TENSOR(bit_codes, QNT_UINT, 3, 6, 128), NULL,
                                      TENSOR(bit_planes, QNT_UINT, 8, 1, 2, 3, 128),
                                      TENSOR(coef, QNT_FLOAT, 32, 16, bit_blocks, 2),
                                      TENSOR(y, QNT_FLOAT, 32, 6, 16));
    CHECK(status == QNT_OK || !memcmp(y, before, sizeof y));
    made = NULL;
    return status;
}

static void nothing_made(void)
{
}

static void planes(void)
{
    fill_bytes(bit_codes, sizeof bit_codes);
    for (bit_blocks = 1; bit_blocks <= 2; bit_blocks++)
        burn("qnt_gemm_bits", multiply_planes, nothing_made);
}

/* ---- level tables ---- */

static int table_bits; /* of the levels of b */

static qnt_status multiply_tables(void)
{
    static uint8_t a[6 * 10], b[7 * 10];
    static int32_t y[6 * 7], before[6 * 7];
    memset(y, 0x55, sizeof y), memset(before, 0x55, sizeof before);
    qnt_status status = qnt_gemm_table(context, TENSOR(a, QNT_UINT, 4, 6, 10), TENSOR(a, QNT_INT, 8, 16),
                                       TENSOR(b, QNT_UINT, 3, 7, 10),
                                       TENSOR(b, QNT_INT, (uint8_t)table_bits, 8),
                                       TENSOR(y, QNT_INT, 32, 6, 7));
    CHECK(status == QNT_OK || !memcmp(y, before, sizeof y));
    made = NULL;
    return status;
}

static void tables(void)
{
    for (table_bits = 8; table_bits <= 16; table_bits += 8)
        burn("qnt_gemm_table", multiply_tables, nothing_made);
}

/* ---- packed digits ---- */

static uint8_t digit_weight[6 * 9 * 4];
static qnt_lowbit_layer *digits;
static qnt_quantizer *digit_q;

static qnt_status create_digits(void)
{
    const qnt_conv conv = {.size = sizeof conv, .groups = 2};
    const qnt_lowbit_spec request = {.size = sizeof request, .step = 2, .zero = -3};
    const float scale = 0.1f;
    qnt_status status = qnt_lowbit_layer_create(
        context, &conv, &request, TENSOR(digit_weight, QNT_UINT, 8, 6, 3, 3, 4),
        TENSOR(&scale, QNT_FLOAT, 32, 1), NULL, digit_q, &digits);
    made = digits;
    return status;
}

static qnt_status load_digits(void)
{
    qnt_status status = qnt_lowbit_layer_load(context, blob, blob_bytes, load_flags, &digits);
    made = digits;
    return status;
}

static void destroy_digits(void)
{
    qnt_lowbit_layer_destroy(digits);
}

/* Running allocates nothing. */
static void packed_digits(void)
{
    static uint8_t x[5 * 5 * 2 * 2], y[3 * 3 * 2], workspace[1 << 17];
    const qnt_spec two_bits = {.size = sizeof two_bits, .method = QNT_FIXED, .bits = 2};
    const double step = 0.5;
    MUST(qnt_quantizer_create(context, &two_bits, &digit_q));
    MUST(qnt_quantizer_set(context, digit_q, QNT_P_SCALE, &step, 1));
    burn("qnt_lowbit_layer_create", create_digits, destroy_digits);
    MUST(create_digits());
    fuse.calls = 0;
    MUST(qnt_lowbit_layer_run(context, digits, TENSOR(x, QNT_UINT, 8, 1, 5, 5, 2, 2), NULL, NULL,
                              TENSOR(y, QNT_UINT, 8, 1, 3, 3, 2, 1), workspace, sizeof workspace));
    MUST(qnt_lowbit_layer_save(context, digits, blob, sizeof blob, &blob_bytes));
    CHECK_MSG(fuse.calls == 0, "%zu allocations", fuse.calls);
    destroy_digits();
    for (load_flags = 0; load_flags <= QNT_BORROW; load_flags += QNT_BORROW)
        burn("qnt_lowbit_layer_load", load_digits, destroy_digits);
    qnt_quantizer_destroy(digit_q);
}

/* ---- kernel maps ---- */

static qnt_ckn *map;
static float map_anchor[6 * 9];

static qnt_status create_map(void)
{
    qnt_ckn_spec s = {.size = sizeof s, .channels = 1, .kernel = 3, .filters = 6, .anchor_bits = 4};
    return qnt_ckn_create(context, &s, (qnt_ckn **)&made);
}

static void destroy_map(void)
{
    qnt_ckn_destroy(made);
}

static qnt_status set_map(void)
{
    return qnt_ckn_set(context, map, TENSOR(map_anchor, QNT_FLOAT, 32, 6, 9));
}

static int32_t read_noise(void *unused, uint64_t index, float *image)
{
    (void)unused;
    for (int i = 0; i < 64; i++) image[i] = (float)((i * 7 + (int)index * 5) % 11);
    return 0;
}

static qnt_status fit_map(void)
{
    qnt_ckn_data data = {.size = sizeof data,
                         .height = 8,
                         .width = 8,
                         .images = 5,
                         .patches = 50,
                         .read = read_noise};
    return qnt_ckn_fit(context, map, &data);
}

static uint8_t map_blob[4096];
static size_t map_length;

static qnt_status load_map(void)
{
    return qnt_ckn_load(context, map_blob, map_length, (qnt_ckn **)&made);
}

static qnt_status back_map(void)
{
    static float dx[2 * 64], dy[2 * 36 * 6], danchors[54], pixels[2 * 64];
    double dsigma;
    return qnt_ckn_backward(context, map, TENSOR(pixels, QNT_FLOAT, 32, 2, 8, 8, 1),
                            TENSOR(dy, QNT_FLOAT, 32, 2, 6, 6, 6),
                            TENSOR(dx, QNT_FLOAT, 32, 2, 8, 8, 1),
                            TENSOR(danchors, QNT_FLOAT, 32, 6, 9), &dsigma);
}

/* The longest way of learning, at a small size. */
static qnt_status fit_literal(void)
{
    qnt_ckn_spec s = {
        .size = sizeof s, .channels = 1, .kernel = 3, .filters = 2, .flags = QNT_LITERAL};
    qnt_ckn_data data = {.size = sizeof data,
                         .height = 8,
                         .width = 8,
                         .rounds = 2,
                         .images = 5,
                         .patches = 50,
                         .read = read_noise};
    qnt_status status = qnt_ckn_create(context, &s, (qnt_ckn **)&made);
    if (status == QNT_OK) status = qnt_ckn_fit(context, made, &data);
    if (status == QNT_OK) return status;
    qnt_ckn_destroy(made);
    made = NULL;
    return status;
}

static size_t tell_anchors(double *values)
{
    float anchor[54];
    MUST(qnt_ckn_get(context, map, TENSOR(anchor, QNT_FLOAT, 32, 6, 9)));
    for (int i = 0; i < 54; i++) values[i] = (double)anchor[i];
    return 54;
}

/* Running allocates nothing. */
static void maps(void)
{
    static float x[2 * 64], y[2 * 36 * 6];
    static uint8_t space[1 << 17];
    size_t blocks = fuse.blocks, bytes;
    fill_floats(map_anchor, 54);
    fill_floats(x, 128);
    burn("qnt_ckn_create", create_map, destroy_map);
    MUST(create_map());
    map = made;
    MUST(set_map());
    burn_call("qnt_ckn_set", set_map, tell_anchors);
    burn_call("qnt_ckn_fit", fit_map, tell_anchors);
    burn_call("qnt_ckn_backward", back_map, tell_anchors);
    MUST(qnt_ckn_save(context, map, map_blob, sizeof map_blob, &map_length));
    burn("qnt_ckn_load", load_map, destroy_map);
    burn("qnt_ckn_fit of an expansion", fit_literal, destroy_map);
    qnt_tensor *tx = TENSOR(x, QNT_FLOAT, 32, 2, 8, 8, 1);
    MUST(qnt_ckn_workspace(context, map, tx, &bytes));
    fuse.calls = 0;
    MUST(qnt_ckn_run(context, map, tx, TENSOR(y, QNT_FLOAT, 32, 2, 6, 6, 6), space, bytes));
    CHECK_MSG(fuse.calls == 0, "%zu allocations", fuse.calls);
    qnt_ckn_destroy(map);
    CHECK(fuse.blocks == blocks);
}

/* ---- trainers ---- */

static qnt_trainer *trainer;
static float train_x[60], train_y[60];

static qnt_status create_trainer(void)
{
    return qnt_trainer_create(context, &spec, (qnt_trainer **)&made);
}

static void destroy_trainer(void)
{
    qnt_trainer_destroy(made);
}

static qnt_status export_trainer(void)
{
    return qnt_trainer_export(context, trainer, TENSOR(train_x, QNT_FLOAT, 32, 3, 20),
                              (qnt_quantizer **)&made);
}

static qnt_status start_trainer(void)
{
    return qnt_trainer_start(context, trainer, TENSOR(train_x, QNT_FLOAT, 32, 3, 20));
}

static double theta[MOST_NUMBERS];
static size_t thetas;

static qnt_status set_trainer(void)
{
    return qnt_trainer_set(context, trainer, QNT_P_THETA, theta, thetas);
}

static qnt_status forward_trainer(void)
{
    return qnt_trainer_forward(context, trainer, TENSOR(train_x, QNT_FLOAT, 32, 3, 20),
                               TENSOR(train_y, QNT_FLOAT, 32, 3, 20));
}

static qnt_status backward_trainer(void)
{
    static double gradient[256];
    return qnt_trainer_backward(context, trainer, TENSOR(train_x, QNT_FLOAT, 32, 3, 20),
                                TENSOR(train_x, QNT_FLOAT, 32, 3, 20),
                                TENSOR(train_y, QNT_FLOAT, 32, 3, 20), gradient, thetas);
}

static qnt_status refit_trainer(void)
{
    return qnt_trainer_refit(context, trainer, TENSOR(train_x, QNT_FLOAT, 32, 3, 20), 0.5);
}

static size_t tell_theta(double *values)
{
    size_t count;
    MUST(qnt_trainer_get(context, trainer, QNT_P_THETA, values, MOST_NUMBERS, &count));
    return count;
}

static void trainers(void)
{
    static const qnt_spec specs[] = {
        {.method = QNT_LSQ, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_DOREFA, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_STAIRCASE, .flags = QNT_SIGNED, .bits = 2},
        {.method = QNT_SRQ, .flags = QNT_SIGNED, .bits = 3},
        {.scheme = QNT_TABLE, .method = QNT_ALQ, .bits = 2}};
    fill_floats(train_x, 60);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        size_t blocks = fuse.blocks;
        spec = specs[i];
        spec.size = sizeof spec;
        spec.grain = spec.method == QNT_ALQ ? QNT_PER_TENSOR : QNT_PER_AXIS;
        burn("qnt_trainer_create", create_trainer, destroy_trainer);
        MUST(qnt_trainer_create(context, &spec, &trainer));
        MUST(qnt_trainer_start(context, trainer, TENSOR(train_x, QNT_FLOAT, 32, 3, 20)));
        MUST(qnt_trainer_get(context, trainer, QNT_P_THETA, theta, MOST_NUMBERS, &thetas));
        burn("qnt_trainer_export", export_trainer, destroy_quantizer);
        burn_call("qnt_trainer_start", start_trainer, tell_theta);
        burn_call("qnt_trainer_set", set_trainer, tell_theta);
        burn_call("qnt_trainer_forward", forward_trainer, tell_theta);
        burn_call("qnt_trainer_backward", backward_trainer, tell_theta);
        if (spec.method == QNT_ALQ) burn_call("qnt_trainer_refit", refit_trainer, tell_theta);
        qnt_trainer_destroy(trainer);
        CHECK(fuse.blocks == blocks);
    }
}

/* ---- weights as bases, trained with the loss ---- */

static qnt_alq *bases;

static qnt_status create_bases(void)
{
    qnt_spec s = {.size = sizeof s,
                  .scheme = QNT_POINTS,
                  .method = QNT_ALQ,
                  .bits = 1,
                  .points = 3,
                  .grain = QNT_PER_AXIS};
    return qnt_alq_create(context, &s, TENSOR(train_x, QNT_FLOAT, 32, 3, 20), (qnt_alq **)&made);
}

static void destroy_bases(void)
{
    qnt_alq_destroy(made);
}

static qnt_status export_bases(void)
{
    return qnt_alq_export(context, bases, (qnt_quantizer **)&made);
}

/* Steps and pruning that fail change no weight and no bit. */
static void trained_bases(void)
{
    size_t blocks = fuse.blocks;
    float before[60], now[60];
    fill_floats(train_x, 60);
    burn("qnt_alq_create", create_bases, destroy_bases);
    MUST(create_bases());
    bases = made;
    burn("qnt_alq_export", export_bases, destroy_quantizer);
    MUST(qnt_alq_weights(context, bases, TENSOR(before, QNT_FLOAT, 32, 60)));
    for (int prune = 0; prune < 2; prune++) {
        fuse.calls = 0;
        fuse.fail_at = 1;
        qnt_status status = prune ? qnt_alq_prune(context, &bases, 1, 2, 0)
                                  : qnt_alq_step(context, bases, QNT_ALQ_BASES, 1,
                                                 TENSOR(train_x, QNT_FLOAT, 32, 60));
        fuse.fail_at = 0;
        CHECK(status == QNT_E_NOMEM);
        MUST(qnt_alq_weights(context, bases, TENSOR(now, QNT_FLOAT, 32, 60)));
        CHECK(!memcmp(before, now, sizeof now));
    }
    qnt_alq_destroy(bases);
    CHECK(fuse.blocks == blocks);
}

static void ending(void)
{
    qnt_context_destroy(context);
    CHECK(fuse.blocks == 0 && fuse.bytes == 0);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    context = fuse_context(&fuse);
    filter_everywhere(context);
    RUN(contexts);
    RUN(creating);
    RUN(setting);
    RUN(calibration);
    RUN(inputs);
    RUN(searching);
    RUN(pairs);
    RUN(passing);
    RUN(layers);
    RUN(blobs);
    RUN(quantizer_calls);
    RUN(layer_runs);
    RUN(kernels);
    RUN(planes);
    RUN(tables);
    RUN(packed_digits);
    RUN(maps);
    RUN(trainers);
    RUN(trained_bases);
    RUN(ending);
    return DONE;
}
