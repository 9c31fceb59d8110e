/*
 * Bad arguments to packed convolutions, trainers, multi-bit weights in training and kernel maps: every
 * damage to every tensor, and tensors that other calls of the same object have fixed the shape of.
 */
#include "damage.h"

static _Alignas(64) uint8_t workspace[1 << 20];

/* ---- packed convolutions ---- */

enum { SIDE = 5, CHANNELS = 8, OUTPUTS = 6, GROUPS = 2, TRIPLES = 2 /* of 4 channels */ };

static const int32_t border[4] = {1, 1, 1, 1};
static const qnt_conv geometry = {.size = sizeof geometry, .groups = GROUPS, .group_shift = 1};
static const qnt_lowbit digits = {
    .size = sizeof digits, .step = 2, .zero = -3, .channels = CHANNELS / GROUPS};

static qnt_status describe_pixels(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    check_tensor v;
    (void)self;
    v.t = (qnt_tensor){.shape = v.shape, .strides = v.strides};
    return qnt_pack_pixels_view(c, t[0], GROUPS, border, &v.t);
}

static qnt_status pack_pixels(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_pack_pixels(c, t[0], GROUPS, border, t[1]);
}

static qnt_status describe_taps(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    check_tensor v;
    (void)self;
    v.t = (qnt_tensor){.shape = v.shape, .strides = v.strides};
    return qnt_pack_taps_view(c, t[0], GROUPS, &v.t);
}

static qnt_status pack_taps(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_pack_taps(c, t[0], GROUPS, t[1]);
}

static qnt_status convolve(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_conv_lowbit(c, &geometry, self, t[0], t[1], t[2], t[3]);
}

static qnt_status convolve_to_sums(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_conv_lowbit(c, &geometry, self, t[0], t[1], NULL, t[2]);
}

static int32_t digit_of(void *user, int64_t channel, int32_t sum)
{
    (void)user, (void)channel;
    return sum < -9 ? 0 : sum < 4 ? 1 : sum < 20 ? 2 : 3;
}

static qnt_status find(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    (void)self;
    return qnt_find_thresholds(c, digit_of, NULL, -100, 100, t[0], t[1]);
}

static const qnt_lowbit_spec request = {.size = sizeof request, .step = 2, .zero = -3};

static qnt_status create(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    qnt_lowbit_layer *layer = NULL;
    qnt_status status =
        qnt_lowbit_layer_create(c, &geometry, &request, t[0], t[1], t[2], self, &layer);
    CHECK(!layer == (status != QNT_OK));
    qnt_lowbit_layer_destroy(layer);
    return status;
}

static qnt_status create_of_thresholds(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    qnt_lowbit_layer *layer = NULL;
    (void)self;
    qnt_status status =
        qnt_lowbit_layer_of_thresholds(c, &geometry, &request, t[0], t[1], t[2], &layer);
    CHECK(!layer == (status != QNT_OK));
    qnt_lowbit_layer_destroy(layer);
    return status;
}

static qnt_status describe(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    check_tensor v;
    v.t = (qnt_tensor){.shape = v.shape, .strides = v.strides};
    return qnt_lowbit_layer_view(c, self, t[0], &v.t);
}

static qnt_status plan(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    size_t bytes;
    return qnt_lowbit_layer_workspace(c, self, t[0], &bytes);
}

static qnt_status run(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_lowbit_layer_run(c, self, t[0], t[1], t[2], t[3], workspace, sizeof workspace);
}

static void packed_convolutions(void)
{
    uint8_t codes[SIDE * SIDE * CHANNELS], taps_codes[OUTPUTS * 9 * CHANNELS / GROUPS];
    static uint8_t pixels[(SIDE + 2) * (SIDE + 2) * GROUPS * TRIPLES],
        taps[GROUPS * TRIPLES * 9 * 64], packed[SIDE * SIDE * GROUPS];
    static int32_t thresholds[OUTPUTS * 3], sums[SIDE * SIDE * OUTPUTS];
    static float identity[SIDE * SIDE * OUTPUTS], y[SIDE * SIDE * OUTPUTS], scale[OUTPUTS],
        shift[OUTPUTS];
    uint8_t falling[OUTPUTS] = {0};
    for (size_t i = 0; i < sizeof codes; i++) codes[i] = (uint8_t)random_in(0, 3);
    for (size_t i = 0; i < sizeof taps_codes; i++) taps_codes[i] = (uint8_t)random_in(0, 3);
    for (int i = 0; i < OUTPUTS; i++) scale[i] = 0.05f, shift[i] = 1.0f;
    for (int i = 0; i < OUTPUTS * 3; i++) thresholds[i] = i % 3 * 10 - 10;

    qnt_tensor *image = TENSOR(codes, QNT_UINT, 8, 1, SIDE, SIDE, CHANNELS);
    qnt_tensor *weight = TENSOR(taps_codes, QNT_UINT, 8, OUTPUTS, 3, 3, CHANNELS / GROUPS);
    qnt_tensor *in = TENSOR(pixels, QNT_UINT, 8, 1, SIDE + 2, SIDE + 2, GROUPS, TRIPLES);
    qnt_tensor *kernel = TENSOR(taps, QNT_UINT, 8, GROUPS, 1, TRIPLES, 3, 3, 64);
    qnt_tensor *out = TENSOR(packed, QNT_UINT, 8, 1, SIDE, SIDE, GROUPS, 1);
    qnt_tensor *limits = TENSOR(thresholds, QNT_INT, 32, OUTPUTS, 3);
    qnt_tensor *falls = TENSOR(falling, QNT_UINT, 8, OUTPUTS);

    abuse(
        &(struct subject){"pack_pixels_view", describe_pixels, NULL, {{"codes", NO_DATA, image}}});
    abuse(&(struct subject){
        "pack_pixels", pack_pixels, NULL, {{"codes", IN, image}, {"pixels", OUT, in}}});
    abuse(&(struct subject){"pack_taps_view", describe_taps, NULL, {{"codes", NO_DATA, weight}}});
    abuse(&(struct subject){
        "pack_taps", pack_taps, NULL, {{"codes", IN, weight}, {"taps", OUT, kernel}}});
    abuse(&(struct subject){"conv_lowbit, sums",
                            convolve_to_sums,
                            (void *)(uintptr_t)&digits,
                            {{"pixels", IN, in},
                             {"taps", IN, kernel},
                             {"y", OUT, TENSOR(sums, QNT_INT, 32, 1, SIDE, SIDE, OUTPUTS)}}});
    abuse(&(struct subject){"conv_lowbit",
                            convolve,
                            (void *)(uintptr_t)&digits,
                            {{"pixels", IN, in},
                             {"taps", IN, kernel},
                             {"thresholds", OPTIONAL, limits},
                             {"y", OUT, out}}});
    abuse(&(struct subject){"find_thresholds",
                            find,
                            NULL,
                            {{"thresholds", OUT, limits}, {"falling", OUT | OPTIONAL, falls}}});

    float real[4] = {0, 1, 2, 3};
    qnt_quantizer *q =
        fitted_quantizer(context, format(QNT_MINMAX, 2, 0), TENSOR(real, QNT_FLOAT, 32, 4));
    abuse(&(struct subject){"lowbit_layer_create",
                            create,
                            q,
                            {{"weight", IN, weight},
                             {"scale", IN, TENSOR(scale, QNT_FLOAT, 32, OUTPUTS)},
                             {"shift", OPTIONAL, TENSOR(shift, QNT_FLOAT, 32, OUTPUTS)}}});
    abuse(&(struct subject){
        "lowbit_layer_of_thresholds",
        create_of_thresholds,
        NULL,
        {{"weight", IN, weight}, {"thresholds", IN, limits}, {"falling", OPTIONAL, falls}}});
    qnt_lowbit_layer *layer = NULL;
    MUST(qnt_lowbit_layer_create(context, &geometry, &request, weight,
                                 TENSOR(scale, QNT_FLOAT, 32, OUTPUTS),
                                 TENSOR(shift, QNT_FLOAT, 32, OUTPUTS), q, &layer));
    abuse(&(struct subject){"lowbit_layer_view", describe, layer, {{"pixels", NO_DATA, in}}});
    abuse(&(struct subject){"lowbit_layer_workspace", plan, layer, {{"pixels", NO_DATA, in}}});
    abuse(&(struct subject){
        "lowbit_layer_run",
        run,
        layer,
        {{"pixels", IN, in},
         {"identity", OPTIONAL, TENSOR(identity, QNT_FLOAT, 32, 1, SIDE, SIDE, OUTPUTS)},
         {"y", OUT | OPTIONAL, TENSOR(y, QNT_FLOAT, 32, 1, SIDE, SIDE, OUTPUTS)},
         {"packed", OUT | OPTIONAL, out}}});
    qnt_lowbit_layer_destroy(layer);
    qnt_quantizer_destroy(q);
}

/* ---- trainers ---- */

static qnt_status start(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_trainer_start(c, self, t[0]);
}

static qnt_status forward(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_trainer_forward(c, self, t[0], t[1]);
}

static qnt_status backward(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_trainer_backward(c, self, t[0], t[1], t[2], NULL, 0);
}

static qnt_status refit(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_trainer_refit(c, self, t[0], 0.5);
}

static qnt_status export(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    qnt_quantizer *q = NULL;
    qnt_status status = qnt_trainer_export(c, self, t[0], &q);
    CHECK(!q == (status != QNT_OK));
    qnt_quantizer_destroy(q);
    return status;
}

static void trainers(void)
{
    static const struct {
        int scheme, method, bits, flags;
        bool refits, asks_weights; /* at export */
    } methods[] = {{QNT_AFFINE, QNT_LSQ, 3, QNT_SIGNED, false, false},
                   {QNT_AFFINE, QNT_SRQ, 3, QNT_SIGNED, false, false},
                   {QNT_TABLE, QNT_STAIRCASE, 2, QNT_SIGNED, false, false},
                   {QNT_TABLE, QNT_BALANCED, 2, QNT_SIGNED, false, true},
                   {QNT_TABLE, QNT_LQ, 2, 0, true, false}};
    float x[60], dy[60], y[60] = {0}, dx[60] = {0};
    fill_floats(x, 60);
    fill_floats(dy, 60);
    qnt_tensor *values = TENSOR(x, QNT_FLOAT, 32, 3, 20), *slope = TENSOR(dy, QNT_FLOAT, 32, 3, 20);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        qnt_trainer *t = NULL;
        qnt_spec spec = format(methods[i].method, methods[i].bits, methods[i].flags);
        spec.scheme = methods[i].scheme;
        MUST(qnt_trainer_create(context, &spec, &t));
        abuse(&(struct subject){"start", start, t, {{"x", ANY_RANK, values}}});
        abuse(&(struct subject){"forward",
                                forward,
                                t,
                                {{"x", IN, values}, {"y", OUT, TENSOR(y, QNT_FLOAT, 32, 3, 20)}}});
        abuse(&(struct subject){"backward",
                                backward,
                                t,
                                {{"x", IN, values},
                                 {"dy", IN, slope},
                                 {"dx", OUT | OPTIONAL, TENSOR(dx, QNT_FLOAT, 32, 3, 20)}}});
        if (methods[i].refits)
            abuse(&(struct subject){"refit", refit, t, {{"x", ANY_RANK, values}}});
        if (methods[i].asks_weights)
            abuse(&(struct subject){"export", export, t, {{"x", ANY_RANK, values}}});
        qnt_trainer_destroy(t);
    }
}

/* ---- multi-bit weights in training ---- */

static qnt_status create_alq(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    qnt_alq *alq = NULL;
    qnt_status status = qnt_alq_create(c, self, t[0], &alq);
    CHECK(!alq == (status != QNT_OK));
    qnt_alq_destroy(alq);
    return status;
}

static qnt_status weights(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_alq_weights(c, self, t[0]);
}

static qnt_status step(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_alq_step(c, self, QNT_ALQ_GATHER, 0.01, t[0]);
}

static void multibit(void)
{
    float w[60], slope[60], read[60] = {0};
    fill_floats(w, 60);
    fill_floats(slope, 60);
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_POINTS,
                     .method = QNT_ALQ,
                     .bits = 1,
                     .points = 2,
                     .grain = QNT_PER_AXIS};
    qnt_alq *alq = NULL;
    qnt_tensor *values = TENSOR(w, QNT_FLOAT, 32, 3, 20);
    MUST(qnt_alq_create(context, &spec, values, &alq));
    abuse(&(struct subject){"alq_create", create_alq, &spec, {{"w", IN, values}}});
    abuse(&(struct subject){
        "alq_weights", weights, alq, {{"w", OUT, TENSOR(read, QNT_FLOAT, 32, 3, 20)}}});
    abuse(&(struct subject){
        "alq_step", step, alq, {{"dw", IN, TENSOR(slope, QNT_FLOAT, 32, 3, 20)}}});
    qnt_alq_destroy(alq);
}

/* ---- kernel maps ---- */

enum { FILTERS = 5, PATCH = 9 * 2 };

static qnt_status set_anchors(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_ckn_set(c, self, t[0]);
}

static qnt_status get_anchors(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_ckn_get(c, self, t[0]);
}

static qnt_status describe_map(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    check_tensor v;
    v.t = (qnt_tensor){.shape = v.shape, .strides = v.strides};
    return qnt_ckn_view(c, self, t[0], &v.t);
}

static qnt_status plan_map(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    size_t bytes;
    return qnt_ckn_workspace(c, self, t[0], &bytes);
}

static qnt_status run_map(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    return qnt_ckn_run(c, self, t[0], t[1], workspace, sizeof workspace);
}

static qnt_status map_backward(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    double dsigma;
    return qnt_ckn_backward(c, self, t[0], t[1], t[2], t[3], &dsigma);
}

static qnt_status compare(const qnt_context *c, void *self, qnt_tensor *const *t)
{
    double value;
    return qnt_ckn_kernel(c, self, t[0], t[1], &value);
}

static void kernel_maps(void)
{
    float anchors[FILTERS * PATCH], kept[FILTERS * PATCH] = {0}, slope[FILTERS * PATCH] = {0};
    float x[6 * 7 * 2], dx[6 * 7 * 2] = {0}, y[4 * 5 * FILTERS] = {0}, dy[4 * 5 * FILTERS];
    fill_floats(anchors, FILTERS * PATCH);
    fill_floats(x, 6 * 7 * 2);
    fill_floats(dy, 4 * 5 * FILTERS);
    qnt_ckn_spec spec = {.size = sizeof spec, .channels = 2, .kernel = 3, .filters = FILTERS};
    qnt_ckn *map = NULL;
    MUST(qnt_ckn_create(context, &spec, &map));
    qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, 1, 6, 7, 2);
    abuse(&(struct subject){"ckn_set",
                            set_anchors,
                            map,
                            {{"anchors", IN, TENSOR(anchors, QNT_FLOAT, 32, FILTERS, PATCH)}}});
    abuse(&(struct subject){"ckn_get",
                            get_anchors,
                            map,
                            {{"anchors", OUT, TENSOR(kept, QNT_FLOAT, 32, FILTERS, PATCH)}}});
    abuse(&(struct subject){"ckn_view", describe_map, map, {{"x", NO_DATA, in}}});
    abuse(&(struct subject){"ckn_workspace", plan_map, map, {{"x", NO_DATA, in}}});
    abuse(
        &(struct subject){"ckn_run",
                          run_map,
                          map,
                          {{"x", IN, in}, {"y", OUT, TENSOR(y, QNT_FLOAT, 32, 1, 4, 5, FILTERS)}}});
    abuse(&(struct subject){
        "ckn_backward",
        map_backward,
        map,
        {{"x", IN, in},
         {"dy", IN, TENSOR(dy, QNT_FLOAT, 32, 1, 4, 5, FILTERS)},
         {"dx", OUT | OPTIONAL, TENSOR(dx, QNT_FLOAT, 32, 1, 6, 7, 2)},
         {"danchors", OUT | OPTIONAL, TENSOR(slope, QNT_FLOAT, 32, FILTERS, PATCH)}}});
    abuse(&(struct subject){"ckn_kernel",
                            compare,
                            map,
                            {{"a", IN, TENSOR(anchors, QNT_FLOAT, 32, PATCH)},
                             {"b", IN, TENSOR(slope, QNT_FLOAT, 32, PATCH)}}});
    qnt_ckn_destroy(map);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    context = fuse_context(&memory_held);
    RUN(packed_convolutions);
    RUN(trainers);
    RUN(multibit);
    RUN(kernel_maps);
    RUN(nothing_leaked);
    return DONE;
}
