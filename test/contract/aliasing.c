/*
 * Inputs and outputs that share memory: refused before anything is written wherever the contract
 * says disjoint, whether they share all of it or one byte; neighbours are served.
 */
#include "recipes.h"

static qnt_context *context;

enum { ARENA = 1 << 16, MIDDLE = ARENA / 2, MOST_INPUTS = 4 };

static _Alignas(64) uint8_t arena[ARENA], copy[ARENA];

struct subject {
    const char *name;
    qnt_status (*run)(void *self, qnt_tensor *const *in, qnt_tensor *out);
    void *self;
    qnt_tensor *in[MOST_INPUTS];
    qnt_tensor *out;
    bool in_place; /* the same memory is allowed */
};

static bool arena_untouched(void)
{
    return !memcmp(arena, copy, ARENA);
}

/* Input i and the output are placed in the arena, the output `distance` bytes further on. */
static qnt_status run_placed(const struct subject *s, int i, ptrdiff_t distance)
{
    qnt_tensor in = *s->in[i], out = *s->out;
    qnt_tensor *views[MOST_INPUTS];
    memcpy(views, s->in, sizeof views);
    views[i] = &in;
    in.data = arena + MIDDLE;
    out.data = arena + MIDDLE + distance;
    fill_bytes(arena, ARENA);
    memcpy(in.data, s->in[i]->data, view_bytes(context, &in));
    memcpy(copy, arena, ARENA);
    check_reason[0] = 0;
    return s->run(s->self, views, &out);
}

static void check_overlap(const struct subject *s, int i, ptrdiff_t distance)
{
    qnt_status status = run_placed(s, i, distance);
    if (s->in_place && distance == 0) {
        CHECK_MSG(status == QNT_OK, "%s in place: %s", s->name, check_reason);
        return;
    }
    CHECK_MSG(status == QNT_E_INVALID, "%s, input %d, output at %+td: %s", s->name, i, distance,
              qnt_status_name(status));
    CHECK_MSG(strstr(check_reason, "overlaps"), "%s, input %d: \"%s\"", s->name, i, check_reason);
    CHECK_MSG(arena_untouched(), "%s, input %d, output at %+td: written", s->name, i, distance);
}

static void check_subject(const struct subject *s)
{
    ptrdiff_t out = (ptrdiff_t)view_bytes(context, s->out);
    for (int i = 0; i < MOST_INPUTS && s->in[i]; i++) {
        ptrdiff_t in = (ptrdiff_t)view_bytes(context, s->in[i]);
        check_overlap(s, i, 0);
        check_overlap(s, i, in - 1);
        check_overlap(s, i, 1 - out);
        for (int side = 0; side < 2; side++) {
            qnt_status status = run_placed(s, i, side ? in : -out);
            CHECK_MSG(status == QNT_OK, "%s, input %d, neighbours: %s", s->name, i, check_reason);
        }
    }
}

/* ---- quantizers ---- */

static qnt_status encode(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_quantizer_encode(context, self, in[0], out);
}

static qnt_status decode(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_quantizer_decode(context, self, in[0], out);
}

static qnt_status apply(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_quantizer_apply(context, self, in[0], out);
}

static void quantizers(void)
{
    float x[60], y[60];
    uint8_t codes[60] = {1, 2, 3}; /* something to decode */
    fill_floats(x, 60);
    qnt_quantizer *q = byte_quantizer(context);
    qnt_tensor *floats = TENSOR(x, QNT_FLOAT, 32, 3, 20);
    qnt_tensor *bytes = TENSOR(codes, QNT_UINT, 8, 3, 20);
    qnt_tensor *result = TENSOR(y, QNT_FLOAT, 32, 3, 20);
    check_subject(&(struct subject){"encode", encode, q, {floats}, bytes, false});
    check_subject(&(struct subject){"decode", decode, q, {bytes}, result, false});
    check_subject(&(struct subject){"apply", apply, q, {floats}, result, true});
    qnt_quantizer_destroy(q);
}

/* ---- kernels ---- */

static qnt_status gemm(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_gemm_s8(context, in[0], 0, in[1], in[2], out);
}

static qnt_status gemm_table(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_gemm_table(context, in[0], in[1], in[2], in[3], out);
}

static qnt_status gemm_exp(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_gemm_exp(context, in[0], self, in[1], self, out);
}

static qnt_status dot_exp(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_dot_exp(context, 3, in[0], in[1], out);
}

/* Planes, coefficients of the planes, a, coefficients of a's signs. */
static qnt_status gemm_bits(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_gemm_bits(context, in[2], in[3], in[0], in[1], out);
}

static qnt_status convolve(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_conv_s8(context, self, in[0], 0, in[1], out);
}

static qnt_status shuffle(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_shuffle_cyclic(context, in[0], 1, 4, 1, out);
}

static qnt_status requantize(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_requantize(context, in[0], in[1], in[2], 0, -8, 7, out);
}

static void kernels(void)
{
    int8_t a[240], b[240];
    int32_t c[240], zeros[20] = {0};
    float scale[20];
    static _Alignas(64) uint8_t planes[3 * 128];
    fill_bytes(a, sizeof a);
    fill_bytes(b, sizeof b);
    for (int i = 0; i < 20; i++) scale[i] = 0.01f;
    for (int i = 0; i < 240; i++) c[i] = (int32_t)random_in(-900, 900);
    qnt_conv conv = {.size = sizeof conv};
    check_subject(&(struct subject){
        "gemm", gemm, NULL,
        {TENSOR(a, QNT_INT, 8, 6, 30), TENSOR(b, QNT_INT, 8, 8, 30), TENSOR(zeros, QNT_INT, 32, 8)},
        TENSOR(c, QNT_INT, 32, 6, 8), false});
    qnt_exp exp = {.size = sizeof exp, .exponent_bits = 7, .base = 1.25, .alpha = 1.0};
    check_subject(&(struct subject){
        "gemm_table", gemm_table, NULL,
        {TENSOR(a, QNT_UINT, 4, 6, 30), TENSOR(b, QNT_INT, 8, 16), TENSOR(b, QNT_UINT, 4, 8, 30),
         TENSOR(a, QNT_INT, 8, 16)},
        TENSOR(c, QNT_INT, 32, 6, 8), false});
    check_subject(&(struct subject){
        "gemm_exp", gemm_exp, &exp, {TENSOR(a, QNT_UINT, 8, 6, 30), TENSOR(b, QNT_UINT, 8, 8, 30)},
        TENSOR(c, QNT_FLOAT, 32, 6, 8), false});
    check_subject(&(struct subject){
        "gemm_bits",
        gemm_bits,
        NULL,
        {TENSOR(planes, QNT_UINT, 8, 1, 1, 3, 128), TENSOR(scale, QNT_FLOAT, 32, 8, 1),
         TENSOR(a, QNT_UINT, 2, 6, 100), TENSOR(scale, QNT_FLOAT, 32, 2)},
        TENSOR(c, QNT_FLOAT, 32, 6, 8),
        false});
    check_subject(
        &(struct subject){"gemm_bits, blocks",
                          gemm_bits,
                          NULL,
                          {TENSOR(planes, QNT_UINT, 8, 1, 1, 3, 128),
                           TENSOR(scale, QNT_FLOAT, 32, 8, 2, 1), TENSOR(a, QNT_UINT, 2, 6, 128)},
                          TENSOR(c, QNT_FLOAT, 32, 6, 8),
                          false});
    check_subject(&(struct subject){
        "dot_exp", dot_exp, NULL, {TENSOR(a, QNT_UINT, 4, 100), TENSOR(b, QNT_UINT, 4, 100)},
        TENSOR(c, QNT_INT, 32, 28), false});
    check_subject(&(struct subject){
        "conv", convolve, &conv,
        {TENSOR(a, QNT_INT, 8, 1, 5, 4, 3), TENSOR(b, QNT_INT, 8, 2, 3, 3, 3)},
        TENSOR(c, QNT_INT, 32, 1, 3, 2, 2), false});
    check_subject(&(struct subject){"shuffle", shuffle, NULL, {TENSOR(a, QNT_INT, 8, 5, 20)},
                                    TENSOR(b, QNT_INT, 8, 5, 20), false});
    check_subject(&(struct subject){
        "requantize", requantize, NULL,
        {TENSOR(c, QNT_INT, 32, 5, 20), TENSOR(zeros, QNT_INT, 32, 20),
         TENSOR(scale, QNT_FLOAT, 32, 20)},
        TENSOR(a, QNT_INT, 8, 5, 20), false});
}

/* ---- layers ---- */

static qnt_status run_layer(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    static uint8_t workspace[1 << 20];
    size_t bytes;
    MUST(qnt_layer_workspace(context, self, in[0], &bytes));
    if (bytes > sizeof workspace) return QNT_E_SPACE;
    return qnt_layer_run(context, self, in[0], out, workspace, bytes);
}

static void layers(void)
{
    static float x[4096], y[4096];
    fill_floats(x, 4096);
    for (int i = 0; i < RECIPES; i++) {
        qnt_layer *layer = new_layer(context, &recipes[i]);
        check_tensor in, out = {0};
        qnt_tensor *input = check_view(&in, x, QNT_FLOAT, 32, recipes[i].ndim, recipes[i].x);
        qnt_tensor *result = result_view(context, layer, input, &out);
        result->data = y;
        check_subject(&(struct subject){recipes[i].name, run_layer, layer, {input}, result, false});
        qnt_layer_destroy(layer);
    }
}

/* ---- packed convolutions ---- */

static const int32_t border[4] = {1, 1, 1, 1};
static const qnt_conv geometry = {.size = sizeof geometry, .groups = 2};
static const qnt_lowbit digits = {.size = sizeof digits, .step = 2, .zero = -3, .channels = 4};

static qnt_status pack_pixels(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_pack_pixels(context, in[0], geometry.groups, border, out);
}

static qnt_status pack_taps(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_pack_taps(context, in[0], geometry.groups, out);
}

static qnt_status convolve_packed(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    (void)self;
    return qnt_conv_lowbit(context, &geometry, &digits, in[0], in[1], in[2], out);
}

static _Alignas(64) uint8_t workspace[1 << 18];

static qnt_status run_to_floats(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_lowbit_layer_run(context, self, in[0], in[1], out, NULL, workspace,
                                sizeof workspace);
}

static qnt_status run_to_digits(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_lowbit_layer_run(context, self, in[0], in[1], NULL, out, workspace,
                                sizeof workspace);
}

static void packed_convolutions(void)
{
    uint8_t codes[5 * 5 * 8], weights[6 * 9 * 4];
    static uint8_t pixels[7 * 7 * 2 * 2], taps[2 * 2 * 9 * 64], packed[5 * 5 * 2];
    int32_t thresholds[6 * 3];
    float identity[5 * 5 * 6], y[5 * 5 * 6], scale = 0.05f, real[4] = {0, 1, 2, 3};
    for (size_t i = 0; i < sizeof codes; i++) codes[i] = (uint8_t)random_in(0, 3);
    for (size_t i = 0; i < sizeof weights; i++) weights[i] = (uint8_t)random_in(0, 3);
    for (int i = 0; i < 18; i++) thresholds[i] = i % 3 * 10 - 10;
    fill_floats(identity, 5 * 5 * 6);
    qnt_tensor *image = TENSOR(codes, QNT_UINT, 8, 1, 5, 5, 8),
               *weight = TENSOR(weights, QNT_UINT, 8, 6, 3, 3, 4),
               *in = TENSOR(pixels, QNT_UINT, 8, 1, 7, 7, 2, 2),
               *kernel = TENSOR(taps, QNT_UINT, 8, 2, 1, 2, 3, 3, 64),
               *out = TENSOR(packed, QNT_UINT, 8, 1, 5, 5, 2, 1),
               *limits = TENSOR(thresholds, QNT_INT, 32, 6, 3),
               *floats = TENSOR(identity, QNT_FLOAT, 32, 1, 5, 5, 6),
               *result = TENSOR(y, QNT_FLOAT, 32, 1, 5, 5, 6);
    check_subject(&(struct subject){"pack_pixels", pack_pixels, NULL, {image}, in, false});
    check_subject(&(struct subject){"pack_taps", pack_taps, NULL, {weight}, kernel, false});
    check_subject(
        &(struct subject){"conv_lowbit", convolve_packed, NULL, {in, kernel, limits}, out, false});

    static const qnt_lowbit_spec spec = {.size = sizeof spec, .step = 2, .zero = -3};
    qnt_lowbit_layer *layer = NULL;
    qnt_quantizer *q =
        fitted_quantizer(context, format(QNT_MINMAX, 2, 0), TENSOR(real, QNT_FLOAT, 32, 4));
    MUST(qnt_lowbit_layer_create(context, &geometry, &spec, weight,
                                 TENSOR(&scale, QNT_FLOAT, 32, 1), NULL, q, &layer));
    check_subject(
        &(struct subject){"lowbit_layer, floats", run_to_floats, layer, {in}, result, false});
    check_subject(
        &(struct subject){"lowbit_layer, digits", run_to_digits, layer, {in, floats}, out, false});
    qnt_lowbit_layer_destroy(layer);
    qnt_quantizer_destroy(q);
}

/* ---- trainers ---- */

static qnt_status forward(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_trainer_forward(context, self, in[0], out);
}

static float numbers[60]; /* the other input of backward */

static qnt_status backward_from_x(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_trainer_backward(context, self, in[0], TENSOR(numbers, QNT_FLOAT, 32, 3, 20), out,
                                NULL, 0);
}

static qnt_status backward_from_dy(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_trainer_backward(context, self, TENSOR(numbers, QNT_FLOAT, 32, 3, 20), in[0], out,
                                NULL, 0);
}

static void trainers(void)
{
    static const qnt_spec specs[] = {
        {.method = QNT_LSQ, .bits = 3, .flags = QNT_SIGNED},
        {.method = QNT_SRQ, .bits = 3, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_STAIRCASE, .bits = 2, .flags = QNT_SIGNED},
        {.scheme = QNT_TABLE, .method = QNT_BALANCED, .bits = 2, .flags = QNT_SIGNED}};
    float x[60], dy[60], y[60];
    fill_floats(x, 60);
    fill_floats(dy, 60);
    fill_floats(numbers, 60);
    qnt_tensor *values = TENSOR(x, QNT_FLOAT, 32, 3, 20), *slope = TENSOR(dy, QNT_FLOAT, 32, 3, 20),
               *result = TENSOR(y, QNT_FLOAT, 32, 3, 20);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        qnt_trainer *t = NULL;
        qnt_spec spec = specs[i];
        spec.size = sizeof spec;
        MUST(qnt_trainer_create(context, &spec, &t));
        MUST(qnt_trainer_start(context, t, values));
        check_subject(&(struct subject){"forward", forward, t, {values}, result, true});
        check_subject(&(struct subject){"backward, x", backward_from_x, t, {values}, result, true});
        check_subject(
            &(struct subject){"backward, dy", backward_from_dy, t, {slope}, result, true});
        qnt_trainer_destroy(t);
    }
}

/* ---- kernel maps ---- */

enum { FILTERS = 5, PATCH = 9 * 2 };

static qnt_status run_map(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_ckn_run(context, self, in[0], out, workspace, sizeof workspace);
}

static qnt_status back_to_images(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_ckn_backward(context, self, in[0], in[1], out, NULL, NULL);
}

static qnt_status back_to_anchors(void *self, qnt_tensor *const *in, qnt_tensor *out)
{
    return qnt_ckn_backward(context, self, in[0], in[1], NULL, out, NULL);
}

static void kernel_maps(void)
{
    float anchors[FILTERS * PATCH], slope[FILTERS * PATCH], x[6 * 7 * 2], dx[6 * 7 * 2],
        y[4 * 5 * FILTERS], dy[4 * 5 * FILTERS];
    fill_floats(anchors, FILTERS * PATCH);
    fill_floats(x, 6 * 7 * 2);
    fill_floats(dy, 4 * 5 * FILTERS);
    const qnt_ckn_spec spec = {.size = sizeof spec, .channels = 2, .kernel = 3, .filters = FILTERS};
    qnt_ckn *map = NULL;
    MUST(qnt_ckn_create(context, &spec, &map));
    MUST(qnt_ckn_set(context, map, TENSOR(anchors, QNT_FLOAT, 32, FILTERS, PATCH)));
    qnt_tensor *images = TENSOR(x, QNT_FLOAT, 32, 1, 6, 7, 2),
               *gradient = TENSOR(dy, QNT_FLOAT, 32, 1, 4, 5, FILTERS);
    check_subject(&(struct subject){
        "ckn_run", run_map, map, {images}, TENSOR(y, QNT_FLOAT, 32, 1, 4, 5, FILTERS), false});
    check_subject(&(struct subject){"ckn_backward, dx",
                                    back_to_images,
                                    map,
                                    {images, gradient},
                                    TENSOR(dx, QNT_FLOAT, 32, 1, 6, 7, 2),
                                    false});
    check_subject(&(struct subject){"ckn_backward, danchors",
                                    back_to_anchors,
                                    map,
                                    {images, gradient},
                                    TENSOR(slope, QNT_FLOAT, 32, FILTERS, PATCH),
                                    false});
    qnt_ckn_destroy(map);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    context = check_context();
    filter_everywhere(context);
    RUN(quantizers);
    RUN(kernels);
    RUN(layers);
    RUN(packed_convolutions);
    RUN(trainers);
    RUN(kernel_maps);
    qnt_context_destroy(context);
    return DONE;
}
