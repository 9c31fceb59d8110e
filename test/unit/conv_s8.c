/* qnt_conv_s8 against plain loops over int64. */
#include "check.h"
#include "context/context.h"
#include "tensor/view.h"

typedef struct shape {
    int64_t b, h, w, c, o, kh, kw; /* c and o of all groups */
} shape;

static int64_t or_one(int64_t v)
{
    return v ? v : 1;
}

static int64_t expected_at(const shape *s, const qnt_conv *conv, const int32_t *x, int32_t zero,
                           const int32_t *w, int64_t b, int64_t oy, int64_t ox, int64_t o)
{
    int64_t groups = or_one(conv->groups), cg = s->c / groups, og = s->o / groups, sum = 0;
    int64_t from = (o / og + conv->group_shift) % groups;
    for (int64_t k = 0; k < s->kh * s->kw * cg; k++) {
        int64_t n = k % cg, kx = k / cg % s->kw, ky = k / cg / s->kw;
        int64_t y = oy * or_one(conv->stride[0]) + ky * or_one(conv->dilation[0]) - conv->pad[0];
        int64_t px = ox * or_one(conv->stride[1]) + kx * or_one(conv->dilation[1]) - conv->pad[1];
        if (y < 0 || y >= s->h || px < 0 || px >= s->w) continue;
        sum += (int64_t)(x[((b * s->h + y) * s->w + px) * s->c + from * cg + n] - zero) *
               w[(o * s->kh * s->kw * cg) + k];
    }
    return sum;
}

/* Fills a packed or byte view with random codes, in step with their logical values. */
static void random_codes(const qnt_context *context, qnt_tensor *t, int32_t *values, size_t n)
{
    struct qnt__view view;
    if (qnt__view_open(context, "t", t, QNT__CODES, &view) != QNT_OK) exit(2);
    int low = t->dtype_code == QNT_INT ? -(1 << (t->dtype_bits - 1)) : 0;
    for (size_t i = 0; i < n; i++) {
        int high = low + (1 << t->dtype_bits) - 1;
        values[i] = (int32_t)(random_in(0, 9)   ? random_in(low, high)
                              : random_in(0, 1) ? low
                                                : high);
        uint8_t byte = (uint8_t)values[i];
        qnt__write_codes(&context->simd, &view, (int64_t)i, 1, 1, &byte);
    }
}

static void one_case(const qnt_context *context, const shape *s, const qnt_conv *conv, int x_code,
                     int w_code, int w_bits)
{
    int64_t groups = or_one(conv->groups), cg = s->c / groups;
    int64_t oh =
        (s->h + conv->pad[0] + conv->pad[2] - or_one(conv->dilation[0]) * (s->kh - 1) - 1) /
            or_one(conv->stride[0]) +
        1;
    int64_t ow =
        (s->w + conv->pad[1] + conv->pad[3] - or_one(conv->dilation[1]) * (s->kw - 1) - 1) /
            or_one(conv->stride[1]) +
        1;
    size_t nx = (size_t)(s->b * s->h * s->w * s->c), nw = (size_t)(s->o * s->kh * s->kw * cg);
    guarded x = guard(nx, true), w = guard((nw * (size_t)w_bits + 7) / 8, true);
    guarded y = guard((size_t)(s->b * oh * ow * s->o) * 4, true);
    int32_t *xv = malloc((nx + 1) * 4), *wv = malloc((nw + 1) * 4);
    qnt_tensor *xt = TENSOR(x.data, x_code, 8, s->b, s->h, s->w, s->c);
    qnt_tensor *wt = TENSOR(w.data, w_code, w_bits, s->o, s->kh, s->kw, cg);
    random_codes(context, xt, xv, nx);
    random_codes(context, wt, wv, nw);
    int32_t zero = (int32_t)(x_code == QNT_INT ? random_in(-128, 127) : random_in(0, 255));

    qnt_status status =
        qnt_conv_s8(context, conv, xt, zero, wt, TENSOR(y.data, QNT_INT, 32, s->b, oh, ow, s->o));
    CHECK_MSG(status == QNT_OK, "%s", check_reason);
    for (int64_t i = 0; status == QNT_OK && i < s->b * oh * ow * s->o; i++) {
        int64_t o = i % s->o, ox = i / s->o % ow, oy = i / s->o / ow % oh, b = i / s->o / ow / oh;
        int32_t got;
        memcpy(&got, y.data + i * 4, 4);
        int64_t want = expected_at(s, conv, xv, zero, wv, b, oy, ox, o);
        CHECK_MSG(got == want, "element %lld is %d, expected %lld", (long long)i, (int)got,
                  (long long)want);
    }
    free(xv), free(wv);
    unguard(&x), unguard(&w), unguard(&y);
}

static void random_convolutions(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(300); i++) {
        qnt_context_set_cpu(context, i % 3 == 0 ? 0 : i % 3 == 1 ? UINT64_MAX : QNT_CPU_AVX2);
        qnt_conv conv = {.size = sizeof conv,
                         .groups = random_in(0, 1) ? 0 : (int32_t)random_in(1, 5)};
        int64_t groups = or_one(conv.groups);
        shape s = {random_in(1, 2),
                   random_in(5, 9),
                   random_in(5, 14),
                   groups * random_in(1, 30),
                   groups * random_in(1, random_in(0, 1) ? 80 : 9),
                   random_in(1, 3),
                   random_in(1, 3)};
        conv.group_shift = (int32_t)random_in(0, groups - 1);
        for (int d = 0; d < 2; d++) {
            conv.stride[d] = (int32_t)random_in(0, 3);
            conv.dilation[d] = (int32_t)random_in(0, 2);
        }
        for (int d = 0; d < 4; d++) conv.pad[d] = (int32_t)random_in(0, 3);
        one_case(context, &s, &conv, (int)random_in(QNT_INT, QNT_UINT),
                 (int)random_in(QNT_INT, QNT_UINT), (int)random_in(1, 8));
    }
    qnt_context_destroy(context);
}

/* More than one chunk of k, more than one task, extremes. */
static void large(void)
{
    qnt_context *context = check_context();
    const qnt_conv conv = {.size = sizeof conv, .pad = {1, 1, 1, 1}};
    const shape deep = {1, 5, 5, 300, 70, 3, 3}, wide = {1, 30, 40, 3, 5, 3, 3};
    one_case(context, &deep, &conv, QNT_INT, QNT_UINT, 8);
    one_case(context, &wide, &conv, QNT_UINT, QNT_INT, 8);
    qnt_context_destroy(context);
}

static void bad_arguments(void)
{
    qnt_context *context = check_context();
    uint8_t x[64] = {0}, w[64] = {0};
    int32_t y[64];
    qnt_conv conv = {.size = sizeof conv};
    qnt_tensor *xt = TENSOR(x, QNT_UINT, 8, 1, 4, 4, 4), *wt = TENSOR(w, QNT_INT, 8, 2, 1, 1, 4);
    qnt_tensor *yt = TENSOR(y, QNT_INT, 32, 1, 4, 4, 2);

    OK(qnt_conv_s8(context, &conv, xt, 0, wt, yt));
    CHECK(qnt_conv_s8(NULL, &conv, xt, 0, wt, yt) == QNT_E_INVALID);
    FAILS(qnt_conv_s8(context, NULL, xt, 0, wt, yt), QNT_E_INVALID, "conv is NULL");
    FAILS(qnt_conv_s8(context, &conv, NULL, 0, wt, yt), QNT_E_INVALID, "x is NULL");
    FAILS(qnt_conv_s8(context, &conv, xt, 256, wt, yt), QNT_E_INVALID, "x_zero is 256");
    FAILS(qnt_conv_s8(context, &conv, TENSOR(x, QNT_UINT, 4, 1, 4, 4, 4), 0, wt, yt), QNT_E_DTYPE,
          "x: 4 bits, expected int8 or uint8");
    FAILS(qnt_conv_s8(context, &conv, xt, 0, TENSOR(w, QNT_INT, 8, 2, 0, 1, 4), yt), QNT_E_SHAPE,
          "w: kernel of 0 x 1, expected at least 1 x 1");
    FAILS(qnt_conv_s8(context, &conv, xt, 0, wt, TENSOR(y, QNT_INT, 32, 1, 4, 4, 3)), QNT_E_SHAPE,
          "extent 3 is 3, expected 2");
    FAILS(qnt_conv_s8(context, &conv, xt, 0, TENSOR(w, QNT_INT, 8, 2, 1, 1, 3), yt), QNT_E_SHAPE,
          "w: extent 3 is 3, expected");
    FAILS(qnt_conv_s8(context, &conv, xt, 0, TENSOR(w, QNT_INT, 8, 2, 5, 1, 4), yt), QNT_E_SHAPE,
          "kernel's 5");
    FAILS(qnt_conv_s8(context, &conv, TENSOR(x, QNT_FLOAT, 32, 1, 1, 1, 4), 0, wt, yt), QNT_E_DTYPE,
          "x: elements are float");
    FAILS(qnt_conv_s8(context, &conv, xt, 0, wt, TENSOR(x, QNT_INT, 32, 1, 4, 4, 2)), QNT_E_INVALID,
          "y overlaps");
    conv.groups = 3;
    FAILS(qnt_conv_s8(context, &conv, xt, 0, wt, yt), QNT_E_SHAPE, "3 groups");
    conv.groups = 2, conv.group_shift = 2;
    FAILS(qnt_conv_s8(context, &conv, xt, 0, wt, yt), QNT_E_INVALID, "group_shift is 2");
    conv.groups = 0, conv.group_shift = 0, conv.stride[1] = -1;
    FAILS(qnt_conv_s8(context, &conv, xt, 0, wt, yt), QNT_E_INVALID, "stride is -1");
    conv.stride[1] = 0, conv.size = 8;
    FAILS(qnt_conv_s8(context, &conv, xt, 0, wt, yt), QNT_E_INVALID, "conv: size is 8");
    qnt_context_destroy(context);
}

static void empty(void)
{
    qnt_context *context = check_context();
    qnt_conv conv = {.size = sizeof conv};
    int32_t y[4] = {7, 7, 7, 7};
    OK(qnt_conv_s8(context, &conv, TENSOR(NULL, QNT_INT, 8, 0, 4, 4, 2), 0,
                   TENSOR((int8_t[4]){0}, QNT_INT, 8, 2, 1, 1, 2),
                   TENSOR(NULL, QNT_INT, 32, 0, 4, 4, 2)));
    OK(qnt_conv_s8(context, &conv, TENSOR(NULL, QNT_INT, 8, 1, 2, 1, 0), 0,
                   TENSOR(NULL, QNT_INT, 8, 2, 1, 1, 0), TENSOR(y, QNT_INT, 32, 1, 2, 1, 2)));
    CHECK((y[0] | y[1] | y[2] | y[3]) == 0); /* a sum over nothing */
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(random_convolutions);
    RUN(large);
    RUN(bad_arguments);
    RUN(empty);
    return DONE;
}
