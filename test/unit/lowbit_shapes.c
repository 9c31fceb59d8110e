/*
 * Layers of packed digits against plain loops over codes, in shapes that leave something over: all
 * widths of tiles, channels that are no multiple of 3, 32 or 64, kernels up to 7 x 7, pairs of
 * pixels, digits of one bit and of two, and dense layers; between pages that cannot be touched.
 */
#include "check.h"
#include "context/context.h"
#include "lowbit/layer.h"

enum { MOST = 1 << 18 };

static qnt_context *c;
static uint8_t x[MOST], w[MOST], codes[MOST];
static float id[MOST], want[MOST], scale[512], shift[512];

struct shape {
    int64_t h, w, ch, o, kernel; /* channels and outputs of a group */
    int groups, stride, dilation, edge, flags;
    int into;    /* groups of the result; 0: as the layer */
    int high[2]; /* the largest digit of pixels, of weights */
    int64_t oh, ow;
};

static void close_shape(struct shape *s)
{
    const int64_t reach = (s->kernel - 1) * s->dilation + 1;
    s->oh = (s->h + 2 * s->edge - reach) / s->stride + 1;
    s->ow = (s->w + 2 * s->edge - reach) / s->stride + 1;
}

/* The code of a pixel, 0 beyond the image. */
static int digit_at(const struct shape *s, int64_t row, int64_t column, int64_t channel)
{
    if (row < 0 || column < 0 || row >= s->h || column >= s->w) return 0;
    return x[(row * s->w + column) * s->ch * s->groups + channel];
}

static int32_t sum_at(const struct shape *s, int64_t row, int64_t column, int64_t output)
{
    const int64_t from = (output / s->o + 1) % s->groups * s->ch; /* groups are shifted by one */
    int32_t sum = 0;
    for (int64_t t = 0; t < s->kernel * s->kernel; t++) {
        int64_t r = row * s->stride + t / s->kernel * s->dilation - s->edge;
        int64_t q = column * s->stride + t % s->kernel * s->dilation - s->edge;
        const uint8_t *weight = w + (output * s->kernel * s->kernel + t) * s->ch;
        for (int64_t k = 0; k < s->ch; k++)
            sum += digit_at(s, r, q, from + k) * (2 * weight[k] - 3);
    }
    return sum;
}

/* Floats in the order of the result, and their codes. */
static void reference(const struct shape *s, bool with_identity)
{
    const int64_t outputs = s->o * s->groups;
    for (int64_t e = 0; e < s->oh * s->ow * outputs; e++) {
        const int64_t o = e % outputs, pixel = e / outputs;
        volatile float v = (float)sum_at(s, pixel / s->ow, pixel % s->ow, o) * scale[o];
        v = v + shift[o];
        if (s->flags & QNT_RELU_FIRST && v < 0) v = 0;
        if (with_identity) v = v + id[e];
        if (s->flags & QNT_RELU_LAST && v < 0) v = 0;
        want[e] = v;
        codes[e] = (uint8_t)((v > 0.5f) + (v >= 1.5f) + (v > 2.5f)); /* halves to even */
    }
}

/* Packed as doc/formats.md says: byte t has channels t, t + T and t + 2 T. */
static void pack(const uint8_t *from, int64_t pixels, int groups, int64_t each, uint8_t *to)
{
    const int64_t triples = (each + 2) / 3;
    for (int64_t p = 0; p < pixels * groups; p++, from += each, to += triples)
        for (int64_t t = 0; t < triples; t++) {
            to[t] = 0;
            for (int64_t s = 0; s < 3 && t + s * triples < each; s++)
                to[t] |= (uint8_t)(from[t + s * triples] << 2 * s);
        }
}

static qnt_quantizer *levels_0_to_3(void)
{
    const qnt_spec spec = {.size = sizeof spec, .bits = 2, .flags = QNT_REAL_OFFSET};
    qnt_quantizer *q = NULL;
    CHECK(qnt_quantizer_create(c, &spec, &q) == QNT_OK);
    CHECK(qnt_quantizer_set(c, q, QNT_P_SCALE, (double[]){1}, 1) == QNT_OK);
    CHECK(qnt_quantizer_set(c, q, QNT_P_OFFSET, (double[]){0}, 1) == QNT_OK);
    return q;
}

static void fill(struct shape *s)
{
    for (int i = 0; i < 2; i++) s->high[i] = random_in(0, 1) ? 3 : 1;
    const int64_t outputs = s->o * s->groups;
    for (int64_t i = 0; i < s->h * s->w * s->ch * s->groups; i++)
        x[i] = (uint8_t)random_in(0, s->high[0]);
    for (int64_t i = 0; i < outputs * s->kernel * s->kernel * s->ch; i++)
        w[i] = (uint8_t)random_in(0, s->high[1]);
    for (int64_t i = 0; i < s->oh * s->ow * outputs; i++) id[i] = (float)random_in(-20, 20) * 0.25f;
    for (int64_t o = 0; o < outputs; o++) {
        scale[o] = (float)random_in(-3, 3) / 9.0f;
        shift[o] = (float)random_in(-9, 9) / 3.0f;
    }
}

/* Digits alone, then floats and digits with an identity. */
static void compare(const struct shape *s, const char *what)
{
    const int64_t outputs = s->o * s->groups, triples = (s->ch + 2) / 3;
    const int64_t rows = s->h + 2 * s->edge, columns = s->w + 2 * s->edge;
    const int into = s->into ? s->into : s->groups;
    const int64_t each = outputs / into, bytes_each = (each + 2) / 3;
    const size_t packed = (size_t)(s->oh * s->ow * into * bytes_each);
    const qnt_conv conv = {.size = sizeof conv,
                           .groups = s->groups,
                           .group_shift = 1 % s->groups,
                           .stride = {s->stride, s->stride},
                           .dilation = {s->dilation, s->dilation}};
    const qnt_lowbit_spec spec = {
        .size = sizeof spec, .step = 2, .zero = -3, .flags = s->flags, .groups = s->into};
    qnt_quantizer *q = levels_0_to_3();
    qnt_lowbit_layer *layer = NULL;
    OK(qnt_lowbit_layer_create(
        c, &conv, &spec, TENSOR(w, QNT_UINT, 8, outputs, s->kernel, s->kernel, s->ch),
        TENSOR(scale, QNT_FLOAT, 32, outputs), TENSOR(shift, QNT_FLOAT, 32, outputs), q, &layer));
    const bool end = random_in(0, 1);
    guarded in = guard((size_t)(rows * columns * s->groups * triples), end),
            out = guard(packed, end);
    guarded y = guard((size_t)(s->oh * s->ow * outputs) * sizeof(float), end);
    qnt_tensor *px = TENSOR(in.data, QNT_UINT, 8, 1, rows, columns, s->groups, triples);
    const int pad[4] = {s->edge, s->edge, s->edge, s->edge};
    OK(qnt_pack_pixels(c, TENSOR(x, QNT_UINT, 8, 1, s->h, s->w, s->ch * s->groups), s->groups, pad,
                       px));
    size_t bytes;
    OK(qnt_lowbit_layer_workspace(c, layer, px, &bytes));
    guarded space = guard(bytes, end);
    uint8_t *expected = malloc(packed + 1);
    qnt_tensor *to = TENSOR(out.data, QNT_UINT, 8, 1, s->oh, s->ow, into, bytes_each);
    for (int with = 0; with < 2; with++) {
        qnt_tensor *identity = with ? TENSOR(id, QNT_FLOAT, 32, 1, s->oh, s->ow, outputs) : NULL;
        qnt_tensor *floats = with ? TENSOR(y.data, QNT_FLOAT, 32, 1, s->oh, s->ow, outputs) : NULL;
        reference(s, with);
        pack(codes, s->oh * s->ow, into, each, expected);
        memset(out.data, 0xaa, packed);
        OK(qnt_lowbit_layer_run(c, layer, px, identity, floats, to, space.data, bytes));
        CHECK_MSG(
            !memcmp(out.data, expected, packed),
            "%s: %d x %d, kernel %d, stride %d, dilation %d, %d groups of %d to %d, floats %d, "
            "digits to %d and %d",
            what, (int)s->h, (int)s->w, (int)s->kernel, s->stride, s->dilation, s->groups,
            (int)s->ch, (int)s->o, with, s->high[0], s->high[1]);
        CHECK_MSG(!with || !memcmp(y.data, want, (size_t)(s->oh * s->ow * outputs) * sizeof *want),
                  "%s: floats of %d outputs", what, (int)s->o);
    }
    free(expected);
    unguard(&in), unguard(&out), unguard(&y), unguard(&space);
    qnt_lowbit_layer_destroy(layer);
    qnt_quantizer_destroy(q);
}

static const int64_t channels[] = {1, 2, 3, 4, 7, 31, 32, 33},
                     outputs[] = {1, 16, 31, 32, 33, 63, 64, 65};

/* Widths of a line of results from 1 to 17, at every level; enough lines for pairs of pixels, or
 * one. */
static void widths(void)
{
    for (int turn = 0; turn < 4 * 17; turn += check_quick ? 3 : 1) {
        struct shape s = {.w = 1 + turn % 17,
                          .ch = channels[random_in(0, 7)],
                          .o = outputs[random_in(0, 7)],
                          .kernel = 3,
                          .groups = (int)random_in(1, 2),
                          .stride = 1,
                          .dilation = 1,
                          .edge = 1,
                          .flags = (int)random_in(0, 3)};
        s.h = turn % 2 ? 1 : 64 / s.w + 1;
        OK(qnt_context_set_cpu(c, turn / 17 == 1   ? 0
                                  : turn / 17 == 2 ? QNT_CPU_AVX2 & qnt_cpu_detect()
                                                   : qnt_cpu_detect()));
        close_shape(&s);
        CHECK(s.ow == s.w);
        fill(&s);
        compare(&s, "widths");
    }
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
}

/* Kernels of 1, 3, 5 and 7 with strides and dilations that pairs of pixels can share taps in, or
 * not. */
static void kernels(void)
{
    for (int turn = 0; turn < 48; turn += check_quick ? 5 : 1) {
        struct shape s = {.h = 15,
                          .w = random_in(15, 20),
                          .ch = channels[random_in(0, 5)],
                          .o = outputs[random_in(0, 4)],
                          .kernel = 1 + 2 * (turn % 4),
                          .groups = 3,
                          .stride = 1 + turn / 4 % 2,
                          .dilation = 1 + turn / 8 % 2,
                          .edge = turn / 16,
                          .flags = QNT_RELU_LAST};
        close_shape(&s);
        fill(&s);
        compare(&s, "kernels");
    }
}

static enum qnt__lowbit_form seen;
static bool two_seen, pairs_seen;
static void (*codes_lowbit)(const struct qnt__lowbit *, const struct qnt__lowbit_codes *);

static void spy(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    seen = g->form;
    two_seen |= g->blocks == 2;
    pairs_seen |= f->box.half != 0;
    codes_lowbit(g, f);
}

/* Two blocks go together, full or not, unless the second one has pairs of pixels. */
static void together(void)
{
    static const int64_t many[] = {64, 96, 97, 128, 160};
    codes_lowbit = c->simd.codes_lowbit;
    c->simd.codes_lowbit = spy;
    for (int i = 0; i < 5; i++) {
        struct shape s = {
            .h = 8, .w = 10, .ch = 9, .o = many[i], .kernel = 3, .stride = 1, .dilation = 1};
        s.edge = s.groups = 1;
        close_shape(&s);
        fill(&s);
        two_seen = pairs_seen = false;
        compare(&s, "together");
        CHECK(two_seen == (i >= 2) && pairs_seen == (i == 1 || i == 4));
    }
    c->simd.codes_lowbit = codes_lowbit;
}

/* Two blocks of outputs at a time, and what is left of three and of four; their codes lie in one group of
 * the result or in several. */
static void two_blocks(void)
{
    static const int64_t many[] = {127, 128, 129, 192, 256};
    for (int turn = 0; turn < 60; turn += check_quick ? 7 : 1) {
        struct shape s = {.h = random_in(3, 5),
                          .w = random_in(3, 16),
                          .ch = channels[random_in(0, 7)],
                          .o = many[turn % 5],
                          .kernel = 1 + 2 * random_in(0, 1),
                          .groups = (int)random_in(1, 2),
                          .stride = (int)random_in(1, 2),
                          .dilation = 1,
                          .flags = (int)random_in(0, 3)};
        if (s.o * s.groups % 3 == 0) s.into = turn % 2 ? 3 : 0;
        if (s.o == 256) s.into = turn % 2 ? 4 : 0;
        close_shape(&s);
        fill(&s);
        compare(&s, "two blocks");
    }
}

static size_t tiles_seen, packed_tiles; /* those whose codes leave the slot packed */
static size_t paired_tiles;             /* those whose sums come in pairs */
static void (*join_tiles)(const struct qnt__lowbit_tiles *);

static void count_tiles(const struct qnt__lowbit_tiles *t)
{
    tiles_seen += t->n;
    if (t->triples) packed_tiles += t->n;
    if (t->paired) paired_tiles += t->n;
    join_tiles(t);
}

/* Tasks from the last to the first, by workers in turn. */
static int32_t backwards(void *user, qnt_task_fn run, void *task, size_t count)
{
    const size_t *workers = user;
    while (count-- > 0) run(task, count, count % *workers);
    return 0;
}

/* Channels of a group from which digits of one bit, of weights and pixels, are looked up. */
enum { MANY = 64 };

static bool in_tiles(const struct shape *s)
{
    if (s->high[0] == 1 && s->high[1] == 1 && s->ch >= MANY) return false;
    const int64_t wide = (s->ow + 3) / 4 * 4, high = (s->oh + 1) / 2 * 2, all = wide * high;
    return s->kernel == 3 && s->ch >= 16 && all >= 32 && 5 * s->ow * s->oh >= 4 * all;
}

/* Layers that run in tiles, or just not: strips of several lines, lines of several strips, images that
 * leave something of a tile over; at every level, by one worker and by two and three, which share rows, or
 * groups where their number is a multiple. Every fourth result is made of whole tiles. */
static void tiles(void)
{
    packed_tiles = 0;
    static const int64_t some[] = {16, 31, 32, 33, 64, 65};
    for (int turn = 0; turn < 60; turn += check_quick ? 7 : 1) {
        const int level = turn % 3;
        size_t workers = turn % 2 ? (size_t)random_in(2, 3) : 1;
        struct shape s = {.h = random_in(1, 19),
                          .w = turn % 10 ? random_in(1, 40) : random_in(110, 130),
                          .ch = some[random_in(0, 5)],
                          .o = outputs[random_in(0, 7)],
                          .kernel = 3,
                          .groups = (int)random_in(1, 4),
                          .stride = 1,
                          .dilation = 1,
                          .edge = (int)random_in(0, 1),
                          .flags = (int)random_in(0, 3)};
        if (s.h < 3 || s.w < 3) s.edge = 1;
        if (turn / 3 % 4 == 0) {
            s.h = 2 * random_in(1, 8) + 2 - 2 * s.edge;
            s.w = 4 * random_in(2, 9) + 2 - 2 * s.edge;
        }
        if (s.w > 100) s.h = 4, s.groups = 1;
        OK(qnt_context_set_cpu(c, level == 1   ? 0
                                  : level == 2 ? QNT_CPU_AVX2 & qnt_cpu_detect()
                                               : qnt_cpu_detect()));
        OK(qnt_context_set_parallel(c, turn % 2 ? backwards : NULL, &workers, workers));
        join_tiles = c->simd.join_tiles;
        c->simd.join_tiles = count_tiles;
        close_shape(&s);
        fill(&s);
        tiles_seen = 0;
        compare(&s, "tiles");
        CHECK_MSG((tiles_seen > 0) == in_tiles(&s), "%d x %d, %d channels: %zu tiles", (int)s.oh,
                  (int)s.ow, (int)s.ch, tiles_seen);
    }
    CHECK(packed_tiles > 0);
    OK(qnt_context_set_parallel(c, NULL, NULL, 1));
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
}

static size_t narrow_seen;

static void count_narrow(const struct qnt__lowbit_tiles *t)
{
    if (t->width == 2) narrow_seen += t->n;
    count_tiles(t);
}

/* Lines that end with a narrow tile, whole or not, in images of an odd height or an even one, of more tiles
 * than are multiplied together; by one worker, two and three. */
static void narrow_tiles(void)
{
    static const int64_t some[] = {16, 33, 64, 65};
    packed_tiles = 0;
    for (int turn = 0; turn < 3 * 27; turn += check_quick ? 7 : 1) {
        const int level = turn % 3;
        size_t workers = (size_t)turn / 27 + 1;
        struct shape s = {.h = random_in(13, 18) + (turn % 9 == 0) * 20,
                          .w = 4 + turn / 3,
                          .ch = some[random_in(0, 3)],
                          .o = outputs[random_in(1, 7)],
                          .kernel = 3,
                          .groups = (int)random_in(1, 2),
                          .stride = 1,
                          .dilation = 1,
                          .edge = 1,
                          .flags = (int)random_in(0, 3)};
        if (s.h > 30) s.groups = 1, s.ch = 16, s.o = 32;
        OK(qnt_context_set_cpu(c, level == 1   ? 0
                                  : level == 2 ? QNT_CPU_AVX2 & qnt_cpu_detect()
                                               : qnt_cpu_detect()));
        OK(qnt_context_set_parallel(c, turn % 2 ? backwards : NULL, &workers,
                                    turn % 2 ? workers : 1));
        join_tiles = c->simd.join_tiles;
        c->simd.join_tiles = count_narrow;
        close_shape(&s);
        fill(&s);
        narrow_seen = tiles_seen = 0;
        compare(&s, "narrow tiles");
        const bool narrow = s.w % 4 == 1 || s.w % 4 == 2;
        CHECK((tiles_seen > 0) == in_tiles(&s));
        CHECK((narrow_seen > 0) == (tiles_seen > 0 && narrow));
    }
    CHECK(packed_tiles > 0);
    OK(qnt_context_set_parallel(c, NULL, NULL, 1));
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
}

/* The largest sums of 50 channels, of which 16 bits hold 8 times as much, and of 269 channels, of which
 * they hold 3 / 2; and of one more each. */
static void large_tiles(void)
{
    join_tiles = c->simd.join_tiles;
    c->simd.join_tiles = count_tiles;
    static const int64_t many[] = {50, 51, 269, 270};
    for (size_t i = 0; i < 4; i++) {
        for (int sign = 0; sign < 2; sign++) {
            const int64_t ch = many[i];
            struct shape s = {.h = 4,
                              .w = 8,
                              .ch = ch,
                              .o = 3,
                              .kernel = 3,
                              .groups = 1,
                              .stride = 1,
                              .dilation = 1,
                              .edge = 1};
            close_shape(&s);
            fill(&s);
            memset(x, 3, (size_t)(s.h * s.w * ch));
            memset(w, sign ? 3 : 0, (size_t)(s.o * 9 * ch));
            w[0] = 3;
            for (int o = 0; o < 3; o++) {
                scale[o] = o % 2 ? -1.0f : 1.0f;
                shift[o] = (float)((o % 2 == sign ? -9 : 9) * 9 * ch) + 1;
            }
            tiles_seen = paired_tiles = 0;
            compare(&s, "large tiles");
            CHECK((tiles_seen > 0) == (ch < 270 || c->simd.fast_taps)); /* filters are made of taps */
            CHECK((paired_tiles > 0) == (ch == 50));
        }
    }
    c->simd.join_tiles = join_tiles;
}

/* Layers whose filters are made of taps, with thresholds all over their sums. */
static void made_tiles(void)
{
    for (int turn = 0; turn < 6; turn++) {
        struct shape s = {.h = random_in(4, 7),
                          .w = random_in(7, 11),
                          .ch = 270 + turn,
                          .o = 20 + 16 * turn % 50,
                          .kernel = 3,
                          .groups = 1,
                          .stride = 1,
                          .dilation = 1,
                          .edge = 1};
        close_shape(&s);
        fill(&s);
        w[0] = 3;
        for (int64_t o = 0; o < s.o; o++) {
            scale[o] = o % 2 ? -1.0f : 1.0f;
            shift[o] = (float)random_in(-400, 400);
        }
        compare(&s, "made tiles");
    }
}

/* Weights of one bit in a group of many channels: tiles, unless all digits of the pixels have one bit. */
static void one_bit_tiles(void)
{
    join_tiles = c->simd.join_tiles;
    c->simd.join_tiles = count_tiles;
    for (int turn = 0; turn < 8; turn++) {
        struct shape s = {.h = 8,
                          .w = 12,
                          .ch = turn < 4 ? MANY - 1 : MANY,
                          .o = 9,
                          .kernel = 3,
                          .groups = 2,
                          .stride = 1,
                          .dilation = 1,
                          .edge = 1};
        close_shape(&s);
        fill(&s);
        const int64_t bytes = s.h * s.w * s.ch * s.groups;
        for (int64_t i = 0; i < bytes; i++) x[i] &= 1;
        for (int64_t i = 0; i < s.o * s.groups * 9 * s.ch; i++) w[i] &= 1;
        if (turn % 2) x[random_in(0, (int)bytes - 1)] = 2;
        tiles_seen = 0;
        compare(&s, "tiles of one bit");
        CHECK((tiles_seen > 0) == (s.ch < MANY || turn % 2));
    }
    c->simd.join_tiles = join_tiles;
}

/* A dense layer is a 1 x 1 kernel on one line: y = x W' for rows of any number and length. */
static void dense(void)
{
    for (int turn = 0; turn < 60; turn += check_quick ? 7 : 1) {
        struct shape s = {.h = 1,
                          .w = random_in(1, turn % 3 ? 17 : 80),
                          .ch = random_in(1, 130),
                          .o = random_in(1, 130),
                          .kernel = 1,
                          .groups = turn % 4 ? 1 : 2,
                          .stride = 1,
                          .dilation = 1,
                          .flags = (int)random_in(0, 3)};
        close_shape(&s);
        CHECK(s.ow == s.w && s.oh == 1);
        fill(&s);
        compare(&s, "dense");
    }
}

/* Weights of one bit take half the bytes where a group has more than three channels; pixels are
 * joined unless one of their digits, anywhere, has two bits. */
static void ones(void)
{
    codes_lowbit = c->simd.codes_lowbit;
    c->simd.codes_lowbit = spy;
    for (int turn = 0; turn < 40; turn += check_quick ? 3 : 1) {
        struct shape s = {.h = random_in(1, 6),
                          .w = random_in(1, 20),
                          .ch = turn < 4 ? turn + 1 : random_in(1, 70),
                          .o = outputs[random_in(0, 7)],
                          .kernel = 1 + 2 * random_in(0, 1),
                          .groups = (int)random_in(1, 3),
                          .stride = 1,
                          .dilation = 1,
                          .edge = 1};
        close_shape(&s);
        fill(&s);
        const int64_t bytes = s.h * s.w * s.ch * s.groups;
        for (int64_t i = 0; i < bytes; i++) x[i] &= 1;
        for (int64_t i = 0; i < s.o * s.groups * s.kernel * s.kernel * s.ch; i++) w[i] &= 1;
        if (turn % 2) x[random_in(0, (int)bytes - 1)] = (uint8_t)random_in(2, 3);
        s.high[0] = turn % 2 ? 3 : 1, s.high[1] = 1;
        compare(&s, "ones");
        CHECK(in_tiles(&s) || seen == (s.ch <= 3  ? QNT__TRIPLES
                                       : turn % 2 ? QNT__SIXES_ON_TWO
                                                  : QNT__SIXES_ON_SIX));
        const qnt_conv conv = {.size = sizeof conv, .groups = s.groups};
        const qnt_lowbit_spec spec = {.size = sizeof spec, .step = 2, .zero = -1};
        qnt_tensor *weight = TENSOR(w, QNT_UINT, 8, s.o * s.groups, s.kernel, s.kernel, s.ch);
        qnt_lowbit_layer *one, *two;
        w[0] = 0;
        OK(qnt_lowbit_layer_create(c, &conv, &spec, weight, TENSOR(scale, QNT_FLOAT, 32, 1), NULL,
                                   NULL, &one));
        w[0] = 2;
        OK(qnt_lowbit_layer_create(c, &conv, &spec, weight, TENSOR(scale, QNT_FLOAT, 32, 1), NULL,
                                   NULL, &two));
        CHECK(one->head.sixes == (s.ch > 3) && two->head.sixes == 0);
        CHECK(two->conv.depth == (size_t)(s.ch + 2) / 3);
        CHECK(one->conv.depth == (s.ch > 3 ? (two->conv.depth + 1) / 2 : 1));
        qnt_lowbit_layer_destroy(one), qnt_lowbit_layer_destroy(two);
    }
    c->simd.codes_lowbit = codes_lowbit;
}

/* Pairs are what the plain taps say: the same sums, and they are used where they pay. */
static void pairs(void)
{
    struct qnt__lowbit_conv v = {.g = {.batch = 1,
                                       .height = 10,
                                       .width = 12,
                                       .channels = 9,
                                       .outputs = 64,
                                       .groups = 2,
                                       .kernel = {3, 3},
                                       .stride = {1, 1},
                                       .dilation = {1, 1},
                                       .out_height = 8,
                                       .out_width = 10},
                                 .context = c,
                                 .step = 2,
                                 .zero = -3};
    OK(qnt__lowbit_close(&v, "spec"));
    CHECK(qnt__lowbit_pair_taps(&v) == 12);
    v.g.stride[1] = 2;
    CHECK(qnt__lowbit_pair_taps(&v) == 15);
    v.g.stride[1] = 3; /* nothing in common */
    CHECK(qnt__lowbit_pair_taps(&v) == 0);
    v.g.stride[1] = v.g.dilation[1] = 2;
    CHECK(qnt__lowbit_pair_taps(&v) == 12);
    v.g.stride[1] = 1;
    CHECK(qnt__lowbit_pair_taps(&v) == 0);
    v.g.dilation[1] = 1, v.g.out_width = 7; /* too few */
    CHECK(qnt__lowbit_pair_taps(&v) == 0);
    v.g.out_width = 10, v.g.outputs = 66;
    OK(qnt__lowbit_close(&v, "spec"));
    CHECK(qnt__lowbit_pair_taps(&v) == 0);
    v.g.outputs = 2 * 96; /* of the last block */
    OK(qnt__lowbit_close(&v, "spec"));
    CHECK(qnt__lowbit_pair_taps(&v) == 12);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(widths);
    RUN(kernels);
    RUN(together);
    RUN(two_blocks);
    RUN(tiles);
    RUN(narrow_tiles);
    RUN(large_tiles);
    RUN(made_tiles);
    RUN(one_bit_tiles);
    RUN(dense);
    RUN(ones);
    RUN(pairs);
    qnt_context_destroy(c);
    return DONE;
}
