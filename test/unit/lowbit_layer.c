/*
 * Layers of packed digits against qnt_conv_s8 and the same floats in a plain loop: all results,
 * shuffles, thresholds over every sum that can occur, falling channels, ties, extreme weights, the
 * reach of cyclic modules, bad input, scarce memory.
 */
#include "scarce.h"
#include "lowbit/layer.h"

enum { MOST = 1 << 17 };

static qnt_context *c;
static uint8_t x[MOST], w[MOST], pixels[MOST], packed[MOST], again[MOST], codes[MOST];
static int8_t values[MOST];
static int32_t sum[MOST];
static float id[MOST], y[MOST], want[MOST], scale[1024], shift[1024];
static uint8_t space[1 << 20];

struct shape {
    int64_t b, h, w, ch, o, kh, kw; /* channels and outputs of a group */
    int groups, shift, stride, dilation, pad[4];
    int64_t oh, ow;
};

static struct shape random_shape(void)
{
    struct shape s = {.b = random_in(1, 2),
                      .ch = random_in(1, random_in(0, 3) ? 9 : 70),
                      .kh = random_in(1, 3),
                      .kw = random_in(1, 3),
                      .groups = (int)random_in(1, 4),
                      .stride = (int)random_in(1, 2),
                      .dilation = (int)random_in(1, 2)};
    if (random_in(0, 3) == 0) /* may run in tiles */
        s.kh = s.kw = 3, s.stride = s.dilation = 1, s.ch = random_in(16, 40);
    s.o = random_in(1, random_in(0, 3) ? 7 : 140 / s.groups);
    s.shift = (int)random_in(0, s.groups - 1);
    for (int i = 0; i < 4; i++) s.pad[i] = (int)random_in(0, 2);
    int64_t high = (s.kh - 1) * s.dilation + 1, wide = (s.kw - 1) * s.dilation + 1;
    s.h = random_in(high, high + 3), s.w = random_in(wide, wide + 17);
    s.oh = (s.h + s.pad[0] + s.pad[2] - high) / s.stride + 1;
    s.ow = (s.w + s.pad[1] + s.pad[3] - wide) / s.stride + 1;
    return s;
}

static qnt_conv conv_of(const struct shape *s)
{
    return (qnt_conv){.size = sizeof(qnt_conv),
                      .groups = s->groups,
                      .group_shift = s->shift,
                      .stride = {s->stride, s->stride},
                      .dilation = {s->dilation, s->dilation}};
}

static void fill(uint8_t *to, size_t n, int high)
{
    for (size_t i = 0; i < n; i++) to[i] = (uint8_t)random_in(0, high);
}

/* What the quantizer of the next layer is: levels between low and high, two bits or one. */
static qnt_quantizer *quantizer_of(float low, float high, int bits)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = {
        .size = sizeof spec, .method = QNT_FIXED, .bits = bits, .flags = QNT_REAL_OFFSET};
    double step = (double)((high - low) / (float)((1 << bits) - 1)), offset = (double)low;
    CHECK_MSG(qnt_quantizer_create(c, &spec, &q) == QNT_OK, "%s", check_reason);
    CHECK(qnt_quantizer_set(c, q, QNT_P_SCALE, &step, 1) == QNT_OK);
    CHECK(qnt_quantizer_set(c, q, QNT_P_OFFSET, &offset, 1) == QNT_OK);
    return q;
}

static check_tensor pixel_view, packed_view;

static qnt_tensor *pack(check_tensor *view, uint8_t *data, const uint8_t *from, int64_t b,
                        int64_t h, int64_t wide, int64_t channels, int groups, const int *pad)
{
    int64_t shape[QNT_MAX_NDIM];
    qnt_tensor *t = check_view(view, data, QNT_UINT, 8, 0, shape);
    qnt_tensor *in = TENSOR((uint8_t *)(uintptr_t)from, QNT_UINT, 8, b, h, wide, channels);
    CHECK_MSG(qnt_pack_pixels_view(c, in, groups, pad, t) == QNT_OK, "%s", check_reason);
    t->data = data;
    CHECK_MSG(qnt_pack_pixels(c, in, groups, pad, t) == QNT_OK, "%s", check_reason);
    return t;
}

static qnt_tensor *pack_input(const struct shape *s)
{
    return pack(&pixel_view, pixels, x, s->b, s->h, s->w, s->ch * s->groups, s->groups, s->pad);
}

static qnt_tensor *weights_of(const struct shape *s)
{
    static check_tensor view;
    const int64_t shape[4] = {s->o * s->groups, s->kh, s->kw, s->ch};
    return check_view(&view, w, QNT_UINT, 8, 4, shape);
}

/* Sums by the 8-bit convolution, then floats one operation after the other, in the order of the
 * result. */
static void reference(const struct shape *s, const qnt_lowbit_spec *spec, bool with_identity)
{
    qnt_conv conv = conv_of(s);
    for (int i = 0; i < 4; i++) conv.pad[i] = s->pad[i];
    int64_t o = s->o * s->groups, n = s->b * s->oh * s->ow * o;
    for (int64_t i = 0; i < o * s->kh * s->kw * s->ch; i++)
        values[i] = (int8_t)(spec->step * w[i] + spec->zero);
    CHECK_MSG(qnt_conv_s8(c, &conv, TENSOR(x, QNT_UINT, 8, s->b, s->h, s->w, s->ch * s->groups), 0,
                          TENSOR(values, QNT_INT, 8, o, s->kh, s->kw, s->ch),
                          TENSOR(sum, QNT_INT, 32, s->b, s->oh, s->ow, o)) == QNT_OK,
              "%s", check_reason);
    for (int64_t e = 0; e < n; e++) {
        int64_t from = e % o, to = from;
        if (spec->flags & QNT_TRANSPOSE) to = from % s->o * s->groups + from / s->o;
        volatile float v = (float)sum[e] * scale[from];
        v = v + shift[from];
        if (spec->flags & QNT_RELU_FIRST && v < 0) v = 0;
        if (with_identity) v = v + id[e - from + to];
        if (spec->flags & QNT_RELU_LAST && v < 0) v = 0;
        want[e - from + to] = v;
    }
}

static qnt_lowbit_spec random_spec(const struct shape *s)
{
    static const int levels[][2] = {{2, -3}, {1, -1}, {2, -1}, {1, 0}, {-3, 2}, {5, -7}};
    const int *pick = levels[random_in(0, 5)];
    qnt_lowbit_spec spec = {.size = sizeof spec, .step = pick[0], .zero = pick[1]};
    spec.flags = (int)random_in(0, 7);
    spec.groups = (int)random_in(0, 4);
    while (spec.groups && s->o * s->groups % spec.groups) spec.groups--;
    for (int i = 0; i < 4; i++) spec.pad[i] = (int)random_in(0, 2);
    return spec;
}

/* Batch norms of all kinds: rising, falling, constant. */
static void random_norm(int64_t outputs)
{
    for (int64_t o = 0; o < outputs; o++) {
        scale[o] = random_in(0, 6) ? (float)random_in(-40, 40) * 0.01f : 0.0f;
        shift[o] = (float)random_in(-20, 20) * 0.1f;
    }
}

/* Digits of `want`, packed with the border. */
static qnt_tensor *pack_want(const struct shape *s, const qnt_lowbit_spec *spec, qnt_quantizer *q)
{
    int64_t o = s->o * s->groups;
    CHECK(qnt_quantizer_encode(c, q, TENSOR(want, QNT_FLOAT, 32, s->b, s->oh, s->ow, o),
                               TENSOR(codes, QNT_UINT, 8, s->b, s->oh, s->ow, o)) == QNT_OK);
    return pack(&packed_view, again, codes, s->b, s->oh, s->ow, o,
                spec->groups ? spec->groups : s->groups, spec->pad);
}

static void results(void)
{
    qnt_pool *pool = NULL;
    qnt_context *other = check_context();
    OK(qnt_pool_create(other, 3, &pool));
    OK(qnt_context_set_parallel(other, qnt_pool_run, pool, 3));
    for (int i = 0; i < ROUNDS(200); i++) {
        struct shape s = random_shape();
        qnt_lowbit_spec spec = random_spec(&s);
        qnt_conv conv = conv_of(&s);
        const qnt_context *runs = i % 3 ? c : other;
        const int64_t o = s.o * s.groups, n = s.b * s.oh * s.ow * o;
        const bool with_identity = random_in(0, 1);
        qnt_quantizer *q = quantizer_of((float)random_in(-3, 0), 1.5f, (int)random_in(1, 2));
        qnt_lowbit_layer *layer = NULL;
        fill(x, (size_t)(s.b * s.h * s.w * s.ch * s.groups), 3);
        fill(w, (size_t)(o * s.kh * s.kw * s.ch), 3);
        for (int64_t e = 0; e < n; e++) id[e] = (float)random_in(-30, 30) * 0.125f;
        random_norm(o);
        OK(qnt_lowbit_layer_create(c, &conv, &spec, weights_of(&s), TENSOR(scale, QNT_FLOAT, 32, o),
                                   TENSOR(shift, QNT_FLOAT, 32, o), q, &layer));
        OK(qnt_context_set_cpu(c, i % 2   ? qnt_cpu_detect()
                                  : i % 4 ? QNT_CPU_AVX2 & qnt_cpu_detect()
                                          : 0));
        qnt_tensor *px = pack_input(&s);
        size_t bytes;
        OK(qnt_lowbit_layer_workspace(runs, layer, px, &bytes));
        REQUIRE(bytes + 7 <= sizeof space);
        void *at = space + random_in(0, 7);

        /* floats and digits, with or without an identity, which may be where y goes */
        reference(&s, &spec, with_identity);
        qnt_tensor *expected = pack_want(&s, &spec, q);
        check_tensor got;
        qnt_tensor *tg = check_view(&got, packed, QNT_UINT, 8, 5, expected->shape);
        OK(qnt_lowbit_layer_view(c, layer, px, tg));
        tg->data = packed;
        uint64_t length;
        OK(qnt_tensor_bytes(c, tg, &length));
        memset(packed, 0xaa, (size_t)length);
        qnt_tensor *identity = TENSOR(id, QNT_FLOAT, 32, s.b, s.oh, s.ow, o);
        qnt_tensor *floats = TENSOR(y, QNT_FLOAT, 32, s.b, s.oh, s.ow, o);
        bool in_place = with_identity && random_in(0, 1);
        OK(qnt_lowbit_layer_run(runs, layer, px, with_identity ? identity : NULL,
                                in_place ? identity : floats, tg, at, bytes));
        CHECK_MSG(!memcmp(in_place ? id : y, want, (size_t)n * sizeof *want),
                  "groups %d outputs %d flags %d", s.groups, (int)o, spec.flags);
        CHECK_MSG(!memcmp(packed, again, (size_t)length),
                  "groups %d outputs %d flags %d identity %d", s.groups, (int)o, spec.flags,
                  with_identity);

        /* digits alone: thresholds of sums */
        reference(&s, &spec, false);
        pack_want(&s, &spec, q);
        memset(packed, 0xaa, (size_t)length);
        OK(qnt_lowbit_layer_run(runs, layer, px, NULL, NULL, tg, at, bytes));
        CHECK_MSG(!memcmp(packed, again, (size_t)length), "groups %d outputs %d step %d flags %d",
                  s.groups, (int)o, spec.step, spec.flags);
        qnt_lowbit_layer_destroy(layer);
        qnt_quantizer_destroy(q);
    }
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
    qnt_context_destroy(other);
    qnt_pool_destroy(pool);
}

/* ---- every sum ---- */

/* Half of the channels have the largest weight, half the smallest: one pixel for each pair of
 * numbers of threes makes every sum that can occur, or all those of some remainder. */
static void every_sum(void)
{
    enum { CHANNELS = 40, OUTPUTS = 67, WIDTH = 3 * CHANNELS + 1 };
    static const int levels[][2] = {{1, -1}, {2, -3}, {1, 0}, {3, -4}, {-1, 2}};
    for (int l = 0; l < 5; l++) {
        qnt_lowbit_spec spec = {.size = sizeof spec, .step = levels[l][0], .zero = levels[l][1]};
        struct shape s = {.b = 1,
                          .h = 1,
                          .w = WIDTH,
                          .ch = CHANNELS,
                          .o = OUTPUTS,
                          .kh = 1,
                          .kw = 1,
                          .groups = 1,
                          .stride = 1,
                          .dilation = 1,
                          .oh = 1,
                          .ow = WIDTH};
        const qnt_conv conv = conv_of(&s);
        for (int o = 0; o < OUTPUTS; o++)
            for (int k = 0; k < CHANNELS; k++)
                w[o * CHANNELS + k] = k < CHANNELS / 2 ? (l & 1 ? 3 : 2) : 0;
        for (int p = 0; p < WIDTH; p++) /* p units, spread over channels one after the other */
            for (int k = 0; k < CHANNELS; k++) {
                int left = p - 3 * k;
                x[p * CHANNELS + k] = (uint8_t)(left > 3 ? 3 : left < 0 ? 0 : left);
            }
        for (int o = 0; o < OUTPUTS; o++) { /* ties: multiples of a half of a level */
            scale[o] = (float)(o % 9 - 4) / (o % 2 ? 6.0f : 7.0f);
            shift[o] = (float)(o % 11 - 5) / (o % 3 ? 2.0f : 3.0f);
        }
        scale[1] = 1e30f, scale[2] = -1e30f, scale[3] = 1e-30f, shift[3] = 0.5f;
        qnt_quantizer *q = quantizer_of(-1, 2, 2);
        qnt_lowbit_layer *layer = NULL;
        OK(qnt_lowbit_layer_create(c, &conv, &spec, weights_of(&s),
                                   TENSOR(scale, QNT_FLOAT, 32, OUTPUTS),
                                   TENSOR(shift, QNT_FLOAT, 32, OUTPUTS), q, &layer));
        qnt_tensor *px = pack_input(&s);
        size_t bytes;
        OK(qnt_lowbit_layer_workspace(c, layer, px, &bytes));
        REQUIRE(bytes <= sizeof space);
        reference(&s, &spec, false);
        qnt_tensor *expected = pack_want(&s, &spec, q);
        check_tensor got;
        qnt_tensor *tg = check_view(&got, packed, QNT_UINT, 8, 5, expected->shape);
        tg->data = packed;
        OK(qnt_lowbit_layer_run(c, layer, px, NULL, NULL, tg, space, bytes));
        CHECK_MSG(!memcmp(packed, again, (size_t)(WIDTH * expected->shape[4])), "step %d zero %d",
                  spec.step, spec.zero);
        qnt_lowbit_layer_destroy(layer);
        qnt_quantizer_destroy(q);
    }
}

/* A host's own function. */
struct norm {
    float gamma[64], beta[64];
};

static int32_t digit_of(void *user, int64_t channel, int32_t v)
{
    const struct norm *n = user;
    volatile float z = (float)v / 9.0f * n->gamma[channel];
    z = z + n->beta[channel];
    return (int32_t)rintf(fminf(fmaxf(z, 0), 1) * 3);
}

static int32_t count(const int32_t row[3], bool falls, int32_t v)
{
    int32_t n = 0;
    for (int k = 0; k < 3; k++) n += falls ? v <= row[k] : v >= row[k];
    return n;
}

static void functions(void)
{
    enum { CHANNELS = 64, REACH = 3000 };
    struct norm n;
    int32_t limit[CHANNELS][3];
    uint8_t falling[CHANNELS];
    for (int o = 0; o < CHANNELS; o++) {
        n.gamma[o] = (float)random_in(-30, 30) * (o % 3 ? 0.01f : 0.5f);
        n.beta[o] = (float)random_in(-12, 12) / 6.0f; /* on ties often */
    }
    n.gamma[0] = 0, n.beta[0] = 0.5f, n.gamma[1] = 0, n.beta[1] = 9, n.gamma[2] = 1e30f;
    n.gamma[3] = -1e30f;
    OK(qnt_find_thresholds(c, digit_of, &n, -REACH, REACH, TENSOR(limit, QNT_INT, 32, CHANNELS, 3),
                           TENSOR(falling, QNT_UINT, 8, CHANNELS)));
    for (int o = 0; o < CHANNELS; o++) {
        CHECK(falling[o] == (digit_of(&n, o, REACH) < digit_of(&n, o, -REACH)));
        for (int32_t v = -REACH; v <= REACH; v++)
            CHECK_MSG(count(limit[o], falling[o], v) == digit_of(&n, o, v), "channel %d, %d", o, v);
    }
    CHECK(falling[3] && !falling[2]);

    /* A layer made of them gives the digits of a layer that has the floats; so does qnt_conv_lowbit
     * where nothing falls. */
    struct shape s = {.b = 1,
                      .h = 5,
                      .w = 9,
                      .ch = 13,
                      .o = 32,
                      .kh = 3,
                      .kw = 3,
                      .groups = 2,
                      .shift = 1,
                      .stride = 1,
                      .dilation = 1,
                      .oh = 3,
                      .ow = 7};
    const qnt_conv conv = conv_of(&s);
    const qnt_lowbit_spec spec = {.size = sizeof spec, .step = 2, .zero = -3};
    fill(x, (size_t)(45 * 26), 3), fill(w, 64 * 9 * 13, 3);
    for (int o = 0; o < 64; o++) scale[o] = shift[o] = 0;
    reference(&s, &spec, false);
    for (int e = 0; e < 21 * 64; e++) codes[e] = (uint8_t)digit_of(&n, e % 64, sum[e]);
    qnt_tensor *expected = pack(&packed_view, again, codes, 1, 3, 7, 64, 2, spec.pad);
    qnt_lowbit_layer *layer = NULL;
    OK(qnt_lowbit_layer_of_thresholds(c, &conv, &spec, weights_of(&s),
                                      TENSOR(limit, QNT_INT, 32, CHANNELS, 3),
                                      TENSOR(falling, QNT_UINT, 8, CHANNELS), &layer));
    check_tensor got;
    qnt_tensor *px = pack_input(&s),
               *tg = check_view(&got, packed, QNT_UINT, 8, 5, expected->shape);
    tg->data = packed;
    size_t bytes;
    OK(qnt_lowbit_layer_workspace(c, layer, px, &bytes));
    OK(qnt_lowbit_layer_run(c, layer, px, NULL, NULL, tg, space, bytes));
    CHECK(!memcmp(packed, again, (size_t)(21 * 2 * expected->shape[4])));
    FAILS(qnt_lowbit_layer_run(c, layer, px, NULL, TENSOR(y, QNT_FLOAT, 32, 1, 3, 7, 64), tg, space,
                               bytes),
          QNT_E_INVALID, "floats");
    qnt_lowbit_layer_destroy(layer);
}

static int32_t bump(void *user, int64_t channel, int32_t v)
{
    return *(int *)user && v == 7 && channel == 1 ? *(int *)user : v > 3;
}

static void refused_functions(void)
{
    int32_t limit[6];
    uint8_t falling[2];
    int odd = 0;
    qnt_tensor *t = TENSOR(limit, QNT_INT, 32, 2, 3), *f = TENSOR(falling, QNT_UINT, 8, 2);
    OK(qnt_find_thresholds(c, bump, &odd, -10, 10, t, NULL));
    CHECK(limit[3] == 4 && limit[4] == INT32_MAX);
    odd = 2;
    FAILS(qnt_find_thresholds(c, bump, &odd, -10, 10, t, f), QNT_E_INVALID,
          "channel 1 is not monotone");
    odd = 4;
    FAILS(qnt_find_thresholds(c, bump, &odd, -10, 10, t, f), QNT_E_INVALID, "has 4 at 7");
    odd = 0;
    FAILS(qnt_find_thresholds(c, bump, &odd, 3, 2, t, f), QNT_E_INVALID, "high");
    FAILS(qnt_find_thresholds(c, NULL, &odd, 3, 4, t, f), QNT_E_INVALID, "digit");
    FAILS(qnt_find_thresholds(c, bump, &odd, 3, 4, f, f), QNT_E_DTYPE, "thresholds");
    FAILS(qnt_find_thresholds(c, bump, &odd, 3, 4, TENSOR(limit, QNT_INT, 32, 3, 2), f),
          QNT_E_SHAPE, "O x 3");
    FAILS(qnt_find_thresholds(c, bump, &odd, 3, 4, t, TENSOR(falling, QNT_UINT, 8, 1)), QNT_E_SHAPE,
          "falling");
    FAILS(qnt_find_thresholds(c, bump, &odd, 3, 4, t, TENSOR(NULL, QNT_UINT, 8, 0)), QNT_E_SHAPE,
          "falling");
    struct norm n = {.gamma = {-1}};
    FAILS(qnt_find_thresholds(c, digit_of, &n, -9, 9, TENSOR(limit, QNT_INT, 32, 1, 3), NULL),
          QNT_E_INVALID, "falls");
    FAILS(qnt_find_thresholds(c, bump, &odd, 0, INT32_MAX, t, f), QNT_E_INVALID, "high");
    FAILS(qnt_find_thresholds(c, bump, &odd, INT32_MIN, 0, t, f), QNT_E_INVALID, "low");
    OK(qnt_find_thresholds(c, bump, &odd, INT32_MAX - 2, INT32_MAX - 1, t, f));
    CHECK(limit[0] == INT32_MIN);
}

/* All digits 3 with all weights alike, about the number of channels up to which 16 bits suffice. */
static void extremes(void)
{
    static const int levels[][2] = {{2, -3}, {1, -1}, {1, 0}};
    for (int l = 0; l < 3; l++) {
        int largest = 3 * levels[l][0] + levels[l][1], step = levels[l][0];
        int most = (INT16_MAX - 2) * step / (9 * 3 * largest); /* channels, nine taps */
        for (int ch = most - 1; ch <= most + 2; ch++) {
            for (int q = 0; q <= 3; q += 3) {
                struct shape s = {.b = 1,
                                  .h = 3,
                                  .w = 4,
                                  .ch = ch,
                                  .o = 2,
                                  .kh = 3,
                                  .kw = 3,
                                  .groups = 1,
                                  .stride = 1,
                                  .dilation = 1,
                                  .oh = 1,
                                  .ow = 2};
                const qnt_conv conv = conv_of(&s);
                qnt_lowbit_spec spec = {
                    .size = sizeof spec, .step = levels[l][0], .zero = levels[l][1]};
                memset(x, 3, (size_t)(12 * ch)), memset(w, q, (size_t)(18 * ch));
                int v = 27 * ch * (q ? largest : levels[l][1]);
                int32_t limit[2][3] = {{v - 1, v, v + 1}, {v, v + 1, INT32_MAX}};
                qnt_lowbit_layer *layer = NULL;
                OK(qnt_lowbit_layer_of_thresholds(c, &conv, &spec, weights_of(&s),
                                                  TENSOR(limit, QNT_INT, 32, 2, 3), NULL, &layer));
                qnt_tensor *px = pack_input(&s);
                size_t bytes;
                OK(qnt_lowbit_layer_workspace(c, layer, px, &bytes));
                uint8_t out[2];
                OK(qnt_lowbit_layer_run(c, layer, px, NULL, NULL,
                                        TENSOR(out, QNT_UINT, 8, 1, 1, 2, 1, 1), space, bytes));
                CHECK_MSG(out[0] == (2 | 1 << 2) && out[1] == out[0], "%d channels, digit %d: %d",
                          ch, q, out[0]);
                qnt_lowbit_layer_destroy(layer);
            }
        }
        struct qnt__lowbit_conv bound = {.g = {.groups = 1, .channels = (size_t)most},
                                         .step = step,
                                         .zero = levels[l][1],
                                         .tap_count = 9};
        CHECK(qnt__lowbit_half(&bound) == step - 1);
        bound.g.channels += 2;
        CHECK(qnt__lowbit_half(&bound) == -1);
    }
}

/* ---- PalQuant's structure ---- */

/* A grouped convolution that reads shifted groups is a dense one with the same weights in other
 * places and no weight elsewhere (digit 1 of the ternary levels is the weight 0). */
static void dense_equal(void)
{
    for (int groups = 1; groups <= 4; groups++) {
        struct shape s = {.b = 1,
                          .h = 5,
                          .w = 6,
                          .ch = 5,
                          .o = 3,
                          .kh = 3,
                          .kw = 3,
                          .groups = groups,
                          .stride = 1,
                          .dilation = 1,
                          .pad = {1, 1, 1, 1},
                          .oh = 5,
                          .ow = 6};
        s.shift = 1 % groups;
        const int64_t in = s.ch * groups, out = s.o * groups, n = 30 * out;
        const qnt_lowbit_spec spec = {.size = sizeof spec, .step = 1, .zero = -1};
        static uint8_t grouped[MOST];
        for (int64_t o = 0; o < out; o++) scale[o] = 1, shift[o] = 0;
        fill(x, (size_t)(30 * in), 3), fill(grouped, (size_t)(out * 9 * s.ch), 2);
        for (int dense = 0; dense < 2; dense++) {
            struct shape t = s;
            memcpy(w, grouped, (size_t)(out * 9 * s.ch));
            if (dense) {
                t.groups = 1, t.shift = 0, t.ch = in, t.o = out;
                memset(w, 1, (size_t)(out * 9 * in));
                for (int64_t e = 0; e < out * 9 * s.ch; e++) {
                    int64_t o = e / (9 * s.ch), tap = e / s.ch % 9,
                            from = (o / s.o + 1) % groups * s.ch + e % s.ch;
                    w[(o * 9 + tap) * in + from] = grouped[e];
                }
            }
            const qnt_conv conv = conv_of(&t);
            qnt_lowbit_layer *layer = NULL;
            OK(qnt_lowbit_layer_create(c, &conv, &spec, weights_of(&t),
                                       TENSOR(scale, QNT_FLOAT, 32, out), NULL, NULL, &layer));
            qnt_tensor *px = pack_input(&t);
            size_t bytes;
            OK(qnt_lowbit_layer_workspace(c, layer, px, &bytes));
            OK(qnt_lowbit_layer_run(c, layer, px, NULL,
                                    TENSOR(dense ? y : want, QNT_FLOAT, 32, 1, 5, 6, out), NULL,
                                    space, bytes));
            qnt_lowbit_layer_destroy(layer);
        }
        CHECK_MSG(!memcmp(y, want, (size_t)n * sizeof *y), "%d groups", groups);
    }
}

/* m(x) = x + ReLU(conv1x1(cyclic(x))), `modules` times, from digits; floats of the last one. */
static void run_modules(int groups, int each, int modules, const float *from, float *to)
{
    const int channels = groups * each;
    qnt_quantizer *q = quantizer_of(0, 300, 2);
    const qnt_conv conv = {.size = sizeof conv, .groups = groups, .group_shift = 1 % groups};
    const qnt_lowbit_spec spec = {
        .size = sizeof spec, .step = 1, .zero = 0, .flags = QNT_RELU_FIRST};
    memset(w, 1, (size_t)(channels * each));
    for (int o = 0; o < channels; o++)
        scale[o] = 120.0f, shift[o] = 0; /* each step of a digit shows */
    qnt_lowbit_layer *layer = NULL;
    OK(qnt_lowbit_layer_create(c, &conv, &spec, TENSOR(w, QNT_UINT, 8, channels, 1, 1, each),
                               TENSOR(scale, QNT_FLOAT, 32, channels), NULL, q, &layer));
    memcpy(to, from, (size_t)channels * sizeof *to);
    qnt_tensor *stream = TENSOR(to, QNT_FLOAT, 32, 1, 1, 1, channels);
    OK(qnt_quantizer_encode(c, q, stream, TENSOR(codes, QNT_UINT, 8, 1, 1, 1, channels)));
    const int none[4] = {0};
    qnt_tensor *px = pack(&pixel_view, pixels, codes, 1, 1, 1, channels, groups, none);
    check_tensor other;
    qnt_tensor *next = check_view(&other, packed, QNT_UINT, 8, 5, px->shape);
    next->data = packed;
    for (int i = 0; i < modules; i++) {
        OK(qnt_lowbit_layer_run(c, layer, px, stream, stream, next, space, sizeof space));
        qnt_tensor *was = px;
        px = next, next = was;
    }
    qnt_lowbit_layer_destroy(layer);
    qnt_quantizer_destroy(q);
}

/* After m modules a change in group j has reached groups j, j - 1, .., j - m and no other. */
static void reachability(void)
{
    enum { EACH = 4 };
    for (int groups = 1; groups <= 5; groups++) {
        for (int modules = 0; modules <= 4; modules++) {
            for (int j = 0; j < groups; j++) {
                float from[5 * EACH], plain[5 * EACH], changed[5 * EACH];
                for (int o = 0; o < groups * EACH; o++) from[o] = 0;
                run_modules(groups, EACH, modules, from, plain);
                from[j * EACH + 1] += 100;
                run_modules(groups, EACH, modules, from, changed);
                for (int g = 0; g < groups; g++) {
                    bool differs =
                        memcmp(plain + g * EACH, changed + g * EACH, EACH * sizeof(float));
                    bool reached = (j - g + groups) % groups <= modules;
                    CHECK_MSG(differs == reached, "%d groups, %d modules: group %d from %d", groups,
                              modules, g, j);
                }
            }
        }
    }
}

/* Transposing with G groups and then with C / G gives back the order. */
static void transposes(void)
{
    enum { GROUPS = 3, EACH = 4, ALL = GROUPS * EACH };
    const qnt_lowbit_spec spec = {
        .size = sizeof spec, .step = 1, .zero = 0, .flags = QNT_TRANSPOSE};
    qnt_quantizer *q = quantizer_of(0, 3, 2);
    uint8_t digits[ALL];
    fill(digits, ALL, 3);
    memcpy(codes, digits, ALL);
    const int none[4] = {0};
    for (int o = 0; o < ALL; o++) scale[o] = 1;
    for (int turn = 0; turn < 2; turn++) {
        const int groups = turn ? EACH : GROUPS, each = ALL / groups;
        const qnt_conv conv = {.size = sizeof conv, .groups = groups};
        for (int e = 0; e < ALL * each; e++) w[e] = e / each % each == e % each; /* the identity */
        qnt_lowbit_layer *layer = NULL;
        OK(qnt_lowbit_layer_create(c, &conv, &spec, TENSOR(w, QNT_UINT, 8, ALL, 1, 1, each),
                                   TENSOR(scale, QNT_FLOAT, 32, 1), NULL, q, &layer));
        qnt_tensor *px = pack(&pixel_view, pixels, codes, 1, 1, 1, ALL, groups, none);
        OK(qnt_lowbit_layer_run(c, layer, px, NULL, TENSOR(y, QNT_FLOAT, 32, 1, 1, 1, ALL), NULL,
                                space, sizeof space));
        for (int o = 0; o < ALL; o++)
            if (!turn) CHECK(y[o % EACH * GROUPS + o / EACH] == (float)digits[o]);
        for (int o = 0; o < ALL; o++) codes[o] = (uint8_t)y[o];
        qnt_lowbit_layer_destroy(layer);
    }
    CHECK(!memcmp(codes, digits, ALL));
    qnt_quantizer_destroy(q);
}

/* ---- bad input ---- */

static int32_t third_of(void *user, int64_t channel, int32_t v)
{
    (void)user;
    return v < channel ? 0 : v < 3 * channel ? 1 : 2;
}

/* Views may be anywhere; that C has no misaligned pointers shows under UBSan. */
static void any_address(void)
{
    enum { O = 21, N = 4 * O };
    static uint8_t odd[5][1 + 12 * N];
    float *const even[] = {scale, shift, id};
    qnt_conv conv = {.size = sizeof conv};
    qnt_lowbit_spec spec = {.size = sizeof spec, .step = 2, .zero = -3};
    qnt_lowbit_layer *layer = NULL;
    fill(x, 4 * 6, 3), fill(w, O * 6, 3), random_norm(O);
    for (int e = 0; e < N; e++) id[e] = (float)random_in(-30, 30) * 0.125f;
    for (int k = 0; k < 3; k++) memcpy(odd[k] + 1, even[k], (k < 2 ? O : N) * sizeof(float));
    qnt_tensor *px = pack(&pixel_view, pixels, x, 1, 2, 2, 6, 1, (const int[4]){0, 0, 0, 0});
    qnt_tensor *weight = TENSOR(w, QNT_UINT, 8, O, 1, 1, 6);
    for (int k = 0; k < 2; k++) {
        OK(qnt_lowbit_layer_create(
            c, &conv, &spec, weight, TENSOR(k ? odd[0] + 1 : (uint8_t *)scale, QNT_FLOAT, 32, O),
            TENSOR(k ? odd[1] + 1 : (uint8_t *)shift, QNT_FLOAT, 32, O), NULL, &layer));
        for (int level = 0; level < 3; level++) {
            OK(qnt_context_set_cpu(c, level == 0   ? 0
                                      : level == 1 ? QNT_CPU_AVX2 & qnt_cpu_detect()
                                                   : qnt_cpu_detect()));
            OK(qnt_lowbit_layer_run(
                c, layer, px, TENSOR(k ? odd[2] + 1 : (uint8_t *)id, QNT_FLOAT, 32, 1, 2, 2, O),
                TENSOR(k ? odd[3] + 1 : (uint8_t *)y, QNT_FLOAT, 32, 1, 2, 2, O), NULL, space,
                sizeof space));
            if (k) CHECK(!memcmp(odd[3] + 1, y, N * sizeof *y));
        }
        qnt_lowbit_layer_destroy(layer);
    }
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));

    qnt_tensor *rows = TENSOR(odd[4] + 1, QNT_INT, 32, O, 3);
    OK(qnt_find_thresholds(c, third_of, NULL, -50, 90, rows, NULL));
    OK(qnt_lowbit_layer_of_thresholds(c, &conv, &spec, weight, rows, NULL, &layer));
    qnt_lowbit_layer_destroy(layer);
}

static void bad_input(void)
{
    struct shape s = {.b = 1,
                      .h = 4,
                      .w = 5,
                      .ch = 4,
                      .o = 6,
                      .kh = 3,
                      .kw = 3,
                      .groups = 2,
                      .stride = 1,
                      .dilation = 1,
                      .oh = 2,
                      .ow = 3};
    fill(x, 160, 3), fill(w, 12 * 36, 3);
    random_norm(12);
    const qnt_conv good = conv_of(&s);
    const qnt_lowbit_spec request = {.size = sizeof request, .step = 2, .zero = -3};
    qnt_quantizer *q = quantizer_of(0, 1, 2), *wide = quantizer_of(0, 1, 3), *fresh = NULL;
    const qnt_spec spec = {.size = sizeof spec, .bits = 2};
    OK(qnt_quantizer_create(c, &spec, &fresh));
    qnt_tensor *weight = weights_of(&s), *a = TENSOR(scale, QNT_FLOAT, 32, 12),
               *b = TENSOR(shift, QNT_FLOAT, 32, 12), *px = pack_input(&s);
    qnt_lowbit_layer *layer = NULL, *none = NULL;
    OK(qnt_lowbit_layer_create(c, &good, &request, weight, a, b, q, &layer));
#define REFUSED(what, status, text)                                                                \
    do {                                                                                           \
        qnt_conv conv = good;                                                                      \
        qnt_lowbit_spec low = request;                                                             \
        what;                                                                                      \
        none = layer;                                                                              \
        FAILS(qnt_lowbit_layer_create(c, &conv, &low, weight, a, b, q, &none), status, text);      \
        CHECK(!none);                                                                              \
    } while (0)
    REFUSED(conv.groups = 5, QNT_E_SHAPE, "weight");
    REFUSED(conv.groups = -1, QNT_E_INVALID, "groups");
    REFUSED(conv.group_shift = 2, QNT_E_INVALID, "shift");
    REFUSED(conv.pad[0] = 1, QNT_E_INVALID, "pad");
    REFUSED(conv.stride[1] = -1, QNT_E_INVALID, "stride");
    REFUSED(low.step = 40000, QNT_E_INVALID, "step");
    REFUSED(low.zero = INT32_MIN, QNT_E_INVALID, "zero");
    REFUSED(low.pad[2] = -1, QNT_E_INVALID, "pad");
    REFUSED(low.flags = 8, QNT_E_INVALID, "flags");
    REFUSED(low.reserved = 1, QNT_E_INVALID, "reserved");
    REFUSED(low.groups = 5, QNT_E_INVALID, "groups");
    REFUSED(low.groups = -2, QNT_E_INVALID, "groups");
    REFUSED(low.size = 3, QNT_E_INVALID, "size");
#define CREATE(weight, a, b, q) qnt_lowbit_layer_create(c, &good, &request, weight, a, b, q, &none)
    FAILS(CREATE(NULL, a, b, q), QNT_E_INVALID, "weight");
    FAILS(CREATE(weight, NULL, b, q), QNT_E_INVALID, "scale");
    FAILS(CREATE(weight, TENSOR(scale, QNT_FLOAT, 32, 11), b, q), QNT_E_SHAPE, "scale");
    FAILS(CREATE(weight, a, TENSOR(shift, QNT_FLOAT, 32, 2), q), QNT_E_SHAPE, "shift");
    FAILS(CREATE(weight, a, TENSOR(shift, QNT_INT, 32, 12), q), QNT_E_DTYPE, "shift");
    FAILS(CREATE(TENSOR(w, QNT_INT, 8, 12, 3, 3, 4), a, b, q), QNT_E_DTYPE, "signed");
    FAILS(CREATE(TENSOR(w, QNT_UINT, 8, 12, 0, 3, 4), a, b, q), QNT_E_SHAPE, "weight");
    const qnt_spec of_signs = {.size = sizeof of_signs, .bits = 2, .flags = QNT_SIGNED};
    qnt_quantizer *negative = NULL;
    OK(qnt_quantizer_create(c, &of_signs, &negative));
    OK(qnt_quantizer_set(c, negative, QNT_P_SCALE, (double[]){1}, 1));
    FAILS(CREATE(weight, a, b, negative), QNT_E_UNSUPPORTED,
          "output_q: signed codes of QNT_AFFINE in 1 groups, expected unsigned");
    qnt_quantizer_destroy(negative);
    FAILS(CREATE(weight, a, b, wide), QNT_E_UNSUPPORTED, "code");
    FAILS(CREATE(weight, a, b, fresh), QNT_E_STATE, "");
    shift[3] = INFINITY;
    FAILS(CREATE(weight, a, b, q), QNT_E_INVALID, "not finite");
    shift[3] = 0, scale[4] = NAN;
    FAILS(CREATE(weight, a, b, q), QNT_E_INVALID, "number 4");
    scale[4] = 1, w[9] = 4;
    FAILS(CREATE(weight, a, b, q), QNT_E_INVALID, "above 3");
    w[9] = 3;
    int32_t limit[12][3] = {{0}};
    uint8_t falling[12] = {0};
    qnt_tensor *t = TENSOR(limit, QNT_INT, 32, 12, 3), *f = TENSOR(falling, QNT_UINT, 8, 12);
#define OF(spec, t, f) qnt_lowbit_layer_of_thresholds(c, &good, spec, weight, t, f, &none)
    limit[5][1] = 1;
    FAILS(OF(&request, t, f), QNT_E_INVALID, "row 5 decreases");
    limit[5][1] = -1, limit[5][2] = -1, falling[5] = 1, limit[6][2] = 1, falling[6] = 1;
    FAILS(OF(&request, t, f), QNT_E_INVALID, "row 6 falls");
    limit[6][2] = 0;
    OK(OF(&request, t, f));
    qnt_lowbit_layer_destroy(none);
    FAILS(OF(&request, TENSOR(limit, QNT_INT, 32, 12, 1), f), QNT_E_SHAPE, "thresholds");
    FAILS(OF(&request, t, TENSOR(falling, QNT_UINT, 8, 11)), QNT_E_SHAPE, "falling");
    FAILS(OF(&request, t, TENSOR(NULL, QNT_UINT, 8, 0)), QNT_E_SHAPE, "falling");
    FAILS(OF(&request, t, TENSOR(falling, QNT_INT, 8, 12)), QNT_E_DTYPE, "falling");
    falling[7] = 2;
    FAILS(OF(&request, t, f), QNT_E_INVALID, "falling: number 7 is 2");
    falling[7] = 0;
    qnt_lowbit_spec flags = request;
    flags.flags = QNT_RELU_LAST;
    FAILS(OF(&flags, t, f), QNT_E_INVALID, "flags");

    size_t bytes;
    qnt_tensor *out = TENSOR(packed, QNT_UINT, 8, 1, 2, 3, 2, 2);
    qnt_tensor *floats = TENSOR(y, QNT_FLOAT, 32, 1, 2, 3, 12);
    OK(qnt_lowbit_layer_workspace(c, layer, px, &bytes));
#define RUN_IT(px, id, y, out, bytes) qnt_lowbit_layer_run(c, layer, px, id, y, out, space, bytes)
    OK(RUN_IT(px, NULL, floats, out, bytes));
    FAILS(RUN_IT(px, NULL, floats, out, bytes - 1), QNT_E_SPACE, "workspace");
    FAILS(RUN_IT(px, NULL, NULL, NULL, bytes), QNT_E_INVALID, "NULL");
    FAILS(RUN_IT(NULL, NULL, floats, out, bytes), QNT_E_INVALID, "pixels");
    FAILS(RUN_IT(out, NULL, floats, out, bytes), QNT_E_SHAPE, "kernel");
    FAILS(RUN_IT(px, NULL, floats, px, bytes), QNT_E_SHAPE, "packed");
    FAILS(RUN_IT(px, floats, NULL, px, bytes), QNT_E_SHAPE, "packed");
    FAILS(RUN_IT(px, NULL, TENSOR(y, QNT_FLOAT, 32, 1, 2, 3, 11), out, bytes), QNT_E_SHAPE, "y:");
    FAILS(RUN_IT(px, TENSOR(y, QNT_FLOAT, 16, 1, 2, 3, 12), NULL, out, bytes), QNT_E_DTYPE,
          "identity");
    FAILS(RUN_IT(px, TENSOR(y + 1, QNT_FLOAT, 32, 1, 2, 3, 12), floats, out, bytes), QNT_E_INVALID,
          "identity");
    FAILS(RUN_IT(px, NULL, TENSOR(packed, QNT_FLOAT, 32, 1, 2, 3, 12), out, bytes), QNT_E_INVALID,
          "y");
    FAILS(qnt_lowbit_layer_run(c, NULL, px, NULL, floats, out, space, bytes), QNT_E_INVALID,
          "layer");
    /* a kernel that reaches too far for any image, and images of no size */
    qnt_conv far = good;
    far.dilation[0] = far.dilation[1] = INT32_MAX;
    OK(qnt_lowbit_layer_create(c, &far, &request, weight, a, b, q, &none));
    FAILS(qnt_lowbit_layer_workspace(c, none, px, &bytes), QNT_E_SHAPE, "kernel");
    FAILS(qnt_lowbit_layer_run(c, none, px, NULL, floats, NULL, space, bytes), QNT_E_SHAPE,
          "kernel");
    qnt_lowbit_layer_destroy(none);
    FAILS(RUN_IT(TENSOR(pixels, QNT_UINT, 8, 1, 0, 5, 2, 2), NULL, floats, NULL, bytes),
          QNT_E_SHAPE, "y");
    OK(RUN_IT(TENSOR(pixels, QNT_UINT, 8, 1, 0, 5, 2, 2), NULL,
              TENSOR(y, QNT_FLOAT, 32, 1, 0, 3, 12), NULL, bytes));
    OK(RUN_IT(TENSOR(pixels, QNT_UINT, 8, 1, 4, 0, 2, 2), NULL,
              TENSOR(y, QNT_FLOAT, 32, 1, 2, 0, 12), NULL, bytes));
    OK(RUN_IT(TENSOR(pixels, QNT_UINT, 8, 0, 4, 5, 2, 2), NULL, NULL,
              TENSOR(packed, QNT_UINT, 8, 0, 2, 3, 2, 2), bytes));
    qnt_lowbit_layer_destroy(layer);
    OK(CREATE(weight, a, NULL, NULL));
    layer = none;
    FAILS(RUN_IT(px, NULL, NULL, out, bytes), QNT_E_INVALID, "output_q");
    FAILS(qnt_lowbit_layer_view(c, layer, px, out), QNT_E_INVALID, "output_q");
    qnt_lowbit_layer_destroy(layer);
    qnt_lowbit_layer_destroy(NULL);
    qnt_quantizer_destroy(q), qnt_quantizer_destroy(wide), qnt_quantizer_destroy(fresh);
}

/* ---- memory ---- */

static qnt_status make(const qnt_context *context, const qnt_conv *conv, const qnt_tensor *weight,
                       bool of_thresholds, qnt_lowbit_layer **layer)
{
    const qnt_lowbit_spec spec = {.size = sizeof spec, .step = 2, .zero = -3};
    if (of_thresholds)
        return qnt_lowbit_layer_of_thresholds(context, conv, &spec, weight,
                                              TENSOR(sum, QNT_INT, 32, 5, 3), NULL, layer);
    return qnt_lowbit_layer_create(context, conv, &spec, weight, TENSOR(scale, QNT_FLOAT, 32, 1),
                                   NULL, NULL, layer);
}

/* The n-th allocation fails, for every n until all succeed, of layers that have filters and of those
 * that have none: when they are made, and when they are loaded. Nothing stays behind. */
static void allocation_failure(void)
{
    qnt_context *context;
    budget b = {1, 0};
    CHECK(qnt_context_create(scarce, give_back, &b, &context) == QNT_OK);
    memset(sum, 0, 15 * sizeof *sum);
    fill(w, 5 * 9 * 16, 3);
    w[0] = 3;
    scale[0] = 1;
    for (int kind = 0; kind < 8; kind++) {
        const bool filters = kind % 2, of_thresholds = kind / 2 % 2, borrows = kind / 4;
        const qnt_conv conv = {.size = sizeof conv, .groups = 1, .stride = {1, filters ? 1 : 2}};
        const qnt_tensor *weight = TENSOR(w, QNT_UINT, 8, 5, 3, 3, 16);
        qnt_lowbit_layer *layer = NULL;
        int n = 0;
        for (qnt_status status = QNT_E_NOMEM; status != QNT_OK && n < 9; n++) {
            b.left = n;
            status = make(context, &conv, weight, of_thresholds, &layer);
            CHECK(status == QNT_OK || (status == QNT_E_NOMEM && !layer && b.alive == 1));
        }
        CHECK(n == (filters ? 5 : 4)); /* one more than allocations; packing taps takes one */
        CHECK((layer->filters != NULL) == filters);
        size_t length;
        OK(qnt_lowbit_layer_save(c, layer, NULL, 0, &length));
        uint8_t *blob = aligned_alloc(64, length + 64 - length % 64);
        OK(qnt_lowbit_layer_save(c, layer, blob, length, &length));
        qnt_lowbit_layer_destroy(layer);
        n = 0;
        for (qnt_status status = QNT_E_NOMEM; status != QNT_OK && n < 9; n++) {
            b.left = n;
            status = qnt_lowbit_layer_load(context, blob, length, borrows ? QNT_BORROW : 0, &layer);
            CHECK(status == QNT_OK || (status == QNT_E_NOMEM && !layer && b.alive == 1));
        }
        CHECK(n == 2 + !borrows + filters);
        CHECK((layer->filters != NULL) == filters);
        qnt_lowbit_layer_destroy(layer);
        CHECK(b.alive == 1);
        free(blob);
    }
    qnt_context_destroy(context);
    CHECK(b.alive == 0);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(results);
    RUN(every_sum);
    RUN(functions);
    RUN(refused_functions);
    RUN(extremes);
    RUN(dense_equal);
    RUN(reachability);
    RUN(transposes);
    RUN(any_address);
    RUN(bad_input);
    RUN(allocation_failure);
    qnt_context_destroy(c);
    return DONE;
}
