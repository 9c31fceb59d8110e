/*
 * Convolutions of packed digits against qnt_conv_s8 of the same codes: every geometry, groups,
 * shifts, thresholds over the whole range, chains that stay packed, workers and CPU levels, bad
 * input.
 */
#include "check.h"

enum { MOST = 1 << 17 };

static qnt_context *c;
static uint8_t x[MOST], w[MOST], pixels[MOST], taps[1 << 20], packed[MOST], again[MOST],
    codes[MOST];
static int8_t values[MOST];
static int32_t sum[MOST], want[MOST], limit[3 * 512];

struct shape {
    int64_t b, h, w, ch, o, kh, kw; /* channels and outputs of a group */
    int groups, shift, stride[2], dilation[2], pad[4];
    int64_t oh, ow;
};

static struct shape random_shape(void)
{
    struct shape s = {.b = random_in(1, 2),
                      .ch = random_in(1, random_in(0, 3) ? 9 : 70),
                      .kh = random_in(1, 3),
                      .kw = random_in(1, 3),
                      .groups = (int)random_in(1, 4)};
    s.o = random_in(1, random_in(0, 3) ? 7 : 140 / s.groups);
    s.shift = (int)random_in(0, s.groups - 1);
    for (int i = 0; i < 2; i++)
        s.stride[i] = (int)random_in(1, 2), s.dilation[i] = (int)random_in(1, 2);
    for (int i = 0; i < 4; i++) s.pad[i] = (int)random_in(0, 2);
    int64_t high = (s.kh - 1) * s.dilation[0] + 1, wide = (s.kw - 1) * s.dilation[1] + 1;
    s.h = random_in(high, high + 4), s.w = random_in(wide, wide + 17);
    if (random_in(0, 7) ==
        0) { /* several blocks of outputs along a line of several calls of a slot */
        s.b = 1, s.h = high, s.w = wide + 40;
        s.ch = random_in(1, 9), s.o = random_in(65, 300) / s.groups;
    }
    s.oh = (s.h + s.pad[0] + s.pad[2] - high) / s.stride[0] + 1;
    s.ow = (s.w + s.pad[1] + s.pad[3] - wide) / s.stride[1] + 1;
    return s;
}

static qnt_conv conv_of(const struct shape *s, bool padded)
{
    qnt_conv conv = {.size = sizeof conv, .groups = s->groups, .group_shift = s->shift};
    for (int i = 0; i < 2; i++) conv.stride[i] = s->stride[i], conv.dilation[i] = s->dilation[i];
    for (int i = 0; padded && i < 4; i++) conv.pad[i] = s->pad[i];
    return conv;
}

static void fill(uint8_t *to, size_t n, int high)
{
    for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(high < 0 ? 3 : random_in(0, high));
}

static check_tensor pixel_view, tap_view;

static qnt_tensor *pack_pixels(const struct shape *s)
{
    int64_t shape[QNT_MAX_NDIM];
    qnt_tensor *t = check_view(&pixel_view, pixels, QNT_UINT, 8, 0, shape);
    qnt_tensor *from = TENSOR(x, QNT_UINT, 8, s->b, s->h, s->w, s->ch * s->groups);
    CHECK_MSG(qnt_pack_pixels_view(c, from, s->groups, s->pad, t) == QNT_OK, "%s", check_reason);
    t->data = pixels;
    CHECK_MSG(qnt_pack_pixels(c, from, s->groups, s->pad, t) == QNT_OK, "%s", check_reason);
    return t;
}

static qnt_tensor *pack_taps(const struct shape *s)
{
    int64_t shape[QNT_MAX_NDIM];
    qnt_tensor *t = check_view(&tap_view, taps, QNT_UINT, 8, 0, shape);
    qnt_tensor *from = TENSOR(w, QNT_UINT, 8, s->o * s->groups, s->kh, s->kw, s->ch);
    CHECK_MSG(qnt_pack_taps_view(c, from, s->groups, t) == QNT_OK, "%s", check_reason);
    t->data = taps;
    CHECK_MSG(qnt_pack_taps(c, from, s->groups, t) == QNT_OK, "%s", check_reason);
    return t;
}

/* The same sums by the 8-bit convolution. */
static void reference(const struct shape *s, const qnt_lowbit *l)
{
    qnt_conv conv = conv_of(s, true);
    size_t weights = (size_t)(s->o * s->groups * s->kh * s->kw * s->ch);
    for (size_t i = 0; i < weights; i++) values[i] = (int8_t)(l->step * w[i] + l->zero);
    CHECK_MSG(qnt_conv_s8(c, &conv, TENSOR(x, QNT_UINT, 8, s->b, s->h, s->w, s->ch * s->groups), 0,
                          TENSOR(values, QNT_INT, 8, s->o * s->groups, s->kh, s->kw, s->ch),
                          TENSOR(want, QNT_INT, 32, s->b, s->oh, s->ow, s->o * s->groups)) ==
                  QNT_OK,
              "%s", check_reason);
}

static qnt_lowbit random_levels(const struct shape *s)
{
    static const int levels[][2] = {{2, -3}, {1, -1}, {2, -1}, {1, 0}, {-3, 2}};
    const int *pick = levels[random_in(0, 4)];
    return (qnt_lowbit){
        .size = sizeof(qnt_lowbit), .step = pick[0], .zero = pick[1], .channels = (int32_t)s->ch};
}

static void sums(void)
{
    qnt_pool *pool = NULL;
    qnt_context *other = check_context();
    OK(qnt_pool_create(other, 3, &pool));
    OK(qnt_context_set_parallel(other, qnt_pool_run, pool, 3));
    for (int i = 0; i < ROUNDS(200); i++) {
        struct shape s = random_shape();
        qnt_lowbit l = random_levels(&s);
        qnt_conv conv = conv_of(&s, false);
        int high = i % 8 ? (int)random_in(1, 3) : -1;
        fill(x, (size_t)(s.b * s.h * s.w * s.ch * s.groups), high);
        fill(w, (size_t)(s.o * s.groups * s.kh * s.kw * s.ch), high);
        qnt_tensor *px = pack_pixels(&s), *pw = pack_taps(&s);
        size_t n = (size_t)(s.b * s.oh * s.ow * s.o * s.groups);
        reference(&s, &l);
        OK(qnt_context_set_cpu(c, i % 2   ? qnt_cpu_detect()
                                  : i % 4 ? QNT_CPU_AVX2 & qnt_cpu_detect()
                                          : 0));
        qnt_tensor *y = TENSOR(sum, QNT_INT, 32, s.b, s.oh, s.ow, s.o * s.groups);
        OK(qnt_conv_lowbit(c, &conv, &l, px, pw, NULL, y));
        CHECK_MSG(!memcmp(sum, want, n * sizeof *sum), "groups %d shift %d channels %d outputs %d",
                  s.groups, s.shift, (int)s.ch, (int)s.o);
        memset(sum, 0xaa, n * sizeof *sum);
        OK(qnt_conv_lowbit(other, &conv, &l, px, pw, NULL, y));
        CHECK(!memcmp(sum, want, n * sizeof *sum));
    }
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
    qnt_context_destroy(other);
    qnt_pool_destroy(pool);
}

/* A packed result is the packed form of the digits that thresholds give, with its border; a second
 * convolution takes it as it is. */
static void chains(void)
{
    for (int i = 0; i < ROUNDS(120); i++) {
        struct shape s = random_shape();
        qnt_lowbit l = random_levels(&s);
        qnt_conv conv = conv_of(&s, false);
        int64_t outputs = s.o * s.groups, steps = random_in(0, 1) ? 3 : 1;
        fill(x, (size_t)(s.b * s.h * s.w * s.ch * s.groups), 3);
        fill(w, (size_t)(outputs * s.kh * s.kw * s.ch), 3);
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t k = 0; k < steps; k++) {
                int64_t at = o * steps + k;
                limit[at] = (int32_t)random_in(-40, 40);
                if (k && limit[at] < limit[at - 1]) limit[at] = limit[at - 1];
                if (random_in(0, 20) == 0) limit[at] = k == steps - 1 ? INT32_MAX : limit[at];
            }
        reference(&s, &l);
        for (int64_t e = 0; e < s.b * s.oh * s.ow * outputs; e++) {

            int count = 0;
            for (int64_t k = 0; k < steps; k++) count += want[e] >= limit[e % outputs * steps + k];
            codes[e] = (uint8_t)count;
        }
        int next = (int)random_in(1, 4);
        while (outputs % next) next--;
        for (int k = 0; k < 4; k++) l.pad[k] = (int32_t)random_in(0, 2);
        check_tensor expected, got;
        int64_t none[1];
        qnt_tensor *te = check_view(&expected, again, QNT_UINT, 8, 0, none);
        qnt_tensor *from = TENSOR(codes, QNT_UINT, 8, s.b, s.oh, s.ow, outputs);
        OK(qnt_pack_pixels_view(c, from, next, l.pad, te));
        te->data = again;
        OK(qnt_pack_pixels(c, from, next, l.pad, te));
        qnt_tensor *tg = check_view(&got, packed, QNT_UINT, 8, 5, te->shape);
        uint64_t bytes;
        OK(qnt_tensor_bytes(c, te, &bytes));
        memset(packed, 0xaa, (size_t)bytes);
        qnt_tensor *px = pack_pixels(&s), *pw = pack_taps(&s);
        OK(qnt_conv_lowbit(c, &conv, &l, px, pw, TENSOR(limit, QNT_INT, 32, outputs, steps), tg));
        CHECK_MSG(!memcmp(packed, again, (size_t)bytes), "outputs %d in %d groups, then %d",
                  (int)outputs, s.groups, next);
    }
}

/* The cyclic shuffle: shifted by all groups in turn is not shifted at all, and a shifted grouped
 * convolution is the plain one of rotated channels. */
static void shuffles(void)
{
    for (int i = 0; i < ROUNDS(30); i++) {
        struct shape s = random_shape();
        qnt_lowbit l = random_levels(&s);
        size_t n = (size_t)(s.b * s.h * s.w), out = (size_t)(s.b * s.oh * s.ow * s.o * s.groups),
               each = (size_t)s.ch;
        fill(x, n * each * (size_t)s.groups, 3);
        fill(w, (size_t)(s.o * s.groups * s.kh * s.kw * s.ch), 3);
        qnt_tensor *pw = pack_taps(&s);
        qnt_conv conv = conv_of(&s, false);
        qnt_tensor *y = TENSOR(sum, QNT_INT, 32, s.b, s.oh, s.ow, s.o * s.groups);
        OK(qnt_conv_lowbit(c, &conv, &l, pack_pixels(&s), pw, NULL, y));
        memcpy(want, sum, out * sizeof *sum);
        memcpy(codes, x, n * each * (size_t)s.groups);
        for (size_t p = 0; p < n; p++)
            for (int g = 0; g < s.groups; g++)
                memcpy(x + (p * (size_t)s.groups + (size_t)g) * each,
                       codes + (p * (size_t)s.groups + (size_t)((g + s.shift) % s.groups)) * each,
                       each);
        conv.group_shift = 0;
        OK(qnt_conv_lowbit(c, &conv, &l, pack_pixels(&s), pw, NULL, y));
        CHECK(!memcmp(sum, want, out * sizeof *sum));
    }
}

/* Large sums: all digits 3, many channels, beyond 16 bits. */
static void extremes(void)
{
    struct shape s = {.b = 1,
                      .h = 3,
                      .w = 5,
                      .ch = 1500,
                      .o = 3,
                      .kh = 3,
                      .kw = 3,
                      .groups = 1,
                      .stride = {1, 1},
                      .dilation = {1, 1},
                      .pad = {1, 1, 1, 1},
                      .oh = 3,
                      .ow = 5};
    qnt_lowbit l = {.size = sizeof l, .step = 2, .zero = -3, .channels = 1500};
    qnt_conv conv = conv_of(&s, false);
    fill(x, 15 * 1500, -1), fill(w, 27 * 1500, -1);
    qnt_tensor *px = pack_pixels(&s), *pw = pack_taps(&s);
    reference(&s, &l);
    OK(qnt_conv_lowbit(c, &conv, &l, px, pw, NULL, TENSOR(sum, QNT_INT, 32, 1, 3, 5, 3)));
    CHECK(!memcmp(sum, want, 45 * sizeof *sum) && sum[21] == 9 * 1500 * 9);
}

/* Sums and thresholds may be anywhere; that C has no misaligned pointers shows under UBSan. */
static void any_address(void)
{
    static uint8_t odd_sum[1 + 4 * MOST], odd_limit[1 + sizeof limit];
    for (int i = 0; i < ROUNDS(20); i++) {
        struct shape s = random_shape();
        qnt_lowbit l = random_levels(&s);
        qnt_conv conv = conv_of(&s, false);
        const int64_t o = s.o * s.groups, triples = (s.o + 2) / 3;
        const size_t n = (size_t)(s.b * s.oh * s.ow * o);
        fill(x, (size_t)(s.b * s.h * s.w * s.ch * s.groups), 3);
        fill(w, (size_t)(o * s.kh * s.kw * s.ch), 3);
        for (int64_t t = 0; t < 3 * o; t++) limit[t] = (int32_t)(10 * (t % 3) - 7);
        memcpy(odd_limit + 1, limit, (size_t)o * 12);
        qnt_tensor *px = pack_pixels(&s), *pw = pack_taps(&s);
        reference(&s, &l);
        OK(qnt_conv_lowbit(c, &conv, &l, px, pw, NULL,
                           TENSOR(odd_sum + 1, QNT_INT, 32, s.b, s.oh, s.ow, o)));
        CHECK(!memcmp(odd_sum + 1, want, n * sizeof *want));
        qnt_tensor *y = TENSOR(packed, QNT_UINT, 8, s.b, s.oh, s.ow, s.groups, triples);
        qnt_tensor *z = TENSOR(again, QNT_UINT, 8, s.b, s.oh, s.ow, s.groups, triples);
        OK(qnt_conv_lowbit(c, &conv, &l, px, pw, TENSOR(odd_limit + 1, QNT_INT, 32, o, 3), y));
        OK(qnt_conv_lowbit(c, &conv, &l, px, pw, TENSOR(limit, QNT_INT, 32, o, 3), z));
        CHECK(!memcmp(packed, again, (size_t)(s.b * s.oh * s.ow * s.groups * triples)));
    }
}

/* A batch of no images is compact, with strides or without. */
static void nothing(void)
{
    qnt_conv conv = {.size = sizeof conv};
    qnt_lowbit l = {.size = sizeof l, .step = 1, .channels = 4};
    qnt_tensor *pw = TENSOR(taps, QNT_UINT, 8, 1, 1, 2, 1, 1, 64);
    for (int strides = 0; strides < 2; strides++) {
        qnt_tensor *px = TENSOR(pixels, QNT_UINT, 8, 0, 5, 4, 1, 2);
        qnt_tensor *y = TENSOR(packed, QNT_UINT, 8, 0, 5, 4, 1, 2);
        if (!strides) px->strides = y->strides = NULL;
        OK(qnt_conv_lowbit(c, &conv, &l, px, pw, NULL, TENSOR(sum, QNT_INT, 32, 0, 5, 4, 5)));
        OK(qnt_conv_lowbit(c, &conv, &l, px, pw, TENSOR(limit, QNT_INT, 32, 5, 1), y));
    }
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
                      .stride = {1, 1},
                      .dilation = {1, 1},
                      .pad = {1, 1, 1, 1},
                      .oh = 4,
                      .ow = 5};
    fill(x, 160, 3), fill(w, 12 * 36, 3);
    qnt_tensor *px = pack_pixels(&s), *pw = pack_taps(&s),
               *y = TENSOR(sum, QNT_INT, 32, 1, 4, 5, 12);
    const qnt_lowbit l = {.size = sizeof l, .step = 2, .zero = -3, .channels = 4};
    const qnt_conv good = conv_of(&s, false);
    OK(qnt_conv_lowbit(c, &good, &l, px, pw, NULL, y));
#define REFUSED(what, status, text)                                                                \
    do {                                                                                           \
        qnt_conv conv = good;                                                                      \
        qnt_lowbit low = l;                                                                        \
        what;                                                                                      \
        FAILS(qnt_conv_lowbit(c, &conv, &low, px, pw, NULL, y), status, text);                     \
    } while (0)
    REFUSED(conv.groups = 3, QNT_E_SHAPE, "pixels");
    REFUSED(conv.groups = -1, QNT_E_INVALID, "groups");
    REFUSED(conv.group_shift = 2, QNT_E_INVALID, "shift");
    REFUSED(conv.pad[0] = 1, QNT_E_INVALID, "pad");
    REFUSED(conv.stride[1] = -1, QNT_E_INVALID, "stride");
    REFUSED(conv.dilation[0] = 3, QNT_E_SHAPE, "kernel");
    REFUSED(conv.dilation[0] = INT32_MAX, QNT_E_SHAPE, "");
    REFUSED(low.channels = 7, QNT_E_SHAPE, "pixels");
    REFUSED(low.channels = 0, QNT_E_INVALID, "channels");
    REFUSED(low.step = 40000, QNT_E_INVALID, "step");
    REFUSED(low.pad[2] = -1, QNT_E_INVALID, "pad");
    REFUSED(conv.size = 3, QNT_E_INVALID, "size");
    FAILS(qnt_conv_lowbit(c, &good, &l, px, pw, NULL, TENSOR(sum, QNT_INT, 32, 1, 4, 5, 11)),
          QNT_E_SHAPE, "outputs");
    FAILS(qnt_conv_lowbit(c, &good, &l, px, pw, NULL, TENSOR(sum, QNT_INT, 32, 1, 3, 5, 12)),
          QNT_E_SHAPE, "y");
    FAILS(qnt_conv_lowbit(c, &good, &l, pw, pw, NULL, y), QNT_E_SHAPE, "pixels");
    FAILS(qnt_conv_lowbit(c, &good, &l, px, px, NULL, y), QNT_E_SHAPE, "taps");
    qnt_tensor *many =
        TENSOR(NULL, QNT_UINT, 8, 2, 0, pw->shape[2], 1 << 16, 1 << 16, 64);
    FAILS(qnt_conv_lowbit(c, &good, &l, px, many, NULL, TENSOR(NULL, QNT_INT, 32, 1, 0, 0, 0)),
          QNT_E_SHAPE, sizeof(size_t) > 4 ? "overflow" : "too large");
    qnt_tensor *tp = TENSOR(packed, QNT_UINT, 8, 1, 4, 5, 2, 2);
    for (int i = 0; i < 36; i++) limit[i] = i % 3;
    OK(qnt_conv_lowbit(c, &good, &l, px, pw, TENSOR(limit, QNT_INT, 32, 12, 3), tp));
    FAILS(qnt_conv_lowbit(c, &good, &l, px, pw, TENSOR(limit, QNT_INT, 32, 12, 2), tp), QNT_E_SHAPE,
          "thresholds");
    FAILS(qnt_conv_lowbit(c, &good, &l, px, pw, TENSOR(limit, QNT_INT, 32, 11, 3), tp), QNT_E_SHAPE,
          "outputs");
    FAILS(qnt_conv_lowbit(c, &good, &l, px, pw, TENSOR(limit, QNT_INT, 32, 12, 3),
                          TENSOR(packed, QNT_UINT, 8, 1, 4, 5, 5, 1)),
          QNT_E_SHAPE, "y");
    FAILS(qnt_conv_lowbit(c, &good, &l, px, pw, TENSOR(limit, QNT_INT, 32, 12, 3), px), QNT_E_SHAPE,
          "y");
    limit[4] = -5;
    FAILS(qnt_conv_lowbit(c, &good, &l, px, pw, TENSOR(limit, QNT_INT, 32, 12, 3), tp),
          QNT_E_INVALID, "row 1 decreases");

    qnt_tensor *from = TENSOR(x, QNT_UINT, 8, 1, 4, 5, 8);
    FAILS(qnt_pack_pixels(c, from, 3, s.pad, px), QNT_E_INVALID, "groups");
    FAILS(qnt_pack_pixels(c, from, 0, s.pad, px), QNT_E_INVALID, "groups");
    FAILS(qnt_pack_pixels(c, from, 2, (int[]){0, -1, 0, 0}, px), QNT_E_INVALID, "pad");
    FAILS(qnt_pack_pixels(c, from, 2, NULL, px), QNT_E_SHAPE, "pixels");
    static uint8_t pixels_before[sizeof pixels], taps_before[sizeof taps];
    memcpy(pixels_before, pixels, sizeof pixels), memcpy(taps_before, taps, sizeof taps);
    for (int64_t i = 0; i < 4 * 5 * 8; i++)
        x[i] ^= 1; /* other codes, so that what is written shows */
    for (int64_t i = 0; i < 12 * 3 * 3 * 4; i++) w[i] ^= 1;
    x[4 * 5 * 8 - 1] = 4;
    FAILS(qnt_pack_pixels(c, from, 2, s.pad, px), QNT_E_INVALID, "above 3");
    w[12 * 3 * 3 * 4 - 1] = 255;
    FAILS(qnt_pack_taps(c, TENSOR(w, QNT_UINT, 8, 12, 3, 3, 4), 2, pw), QNT_E_INVALID, "above 3");
    CHECK(!memcmp(pixels, pixels_before, sizeof pixels));
    CHECK(!memcmp(taps, taps_before, sizeof taps));
    FAILS(qnt_pack_taps(c, TENSOR(w, QNT_UINT, 8, 12, 3, 3, 4), 5, pw), QNT_E_INVALID, "groups");
    FAILS(qnt_pack_taps(c, TENSOR(w, QNT_INT, 8, 12, 3, 3, 4), 2, pw), QNT_E_DTYPE, "signed");
    /* images of no size */
    OK(qnt_pack_pixels(c, TENSOR(x, QNT_UINT, 8, 0, 4, 5, 8), 2, NULL,
                       TENSOR(pixels, QNT_UINT, 8, 0, 4, 5, 2, 2)));
    OK(qnt_conv_lowbit(c, &good, &l, TENSOR(pixels, QNT_UINT, 8, 0, 4, 5, 2, 2), pw, NULL,
                       TENSOR(sum, QNT_INT, 32, 0, 2, 3, 12)));
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(sums);
    RUN(chains);
    RUN(shuffles);
    RUN(extremes);
    RUN(any_address);
    RUN(nothing);
    RUN(bad_input);
    qnt_context_destroy(c);
    return DONE;
}
