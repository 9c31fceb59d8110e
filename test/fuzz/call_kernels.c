/*
 * libFuzzer target: kernels that need no handle, on views whose shapes mostly go together.
 *
 * The input chooses a kernel, its extents, layouts and options; one view in 32 is damaged. What is legal
 * must stay inside memory that has exactly the size of each view.
 */
#include "views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VIEWS = 6 };

/* 0 to 19, 16 more now and then: several blocks of a kernel. */
static int64_t extent(struct source *s)
{
    uint8_t x = (uint8_t)take(s, 1);
    return x % 20 + (x >= 240 ? 64 : x >= 220 ? 16 : 0);
}

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})
#define VIEW(i, code, bits, ...)                                                                   \
    shape_view(s, &v[i], code, bits, (int)(sizeof SHAPE(__VA_ARGS__) / sizeof(int64_t)),           \
               SHAPE(__VA_ARGS__))

static void multiply(struct source *s, const qnt_context *c, struct view *v)
{
    int64_t m = extent(s), n = extent(s), k = extent(s);
    VIEW(0, choice(s, 2) ? QNT_INT : QNT_UINT, 8, m, k);
    VIEW(1, choice(s, 2) ? QNT_INT : QNT_UINT, 1 + choice(s, 8), n, k);
    VIEW(2, QNT_INT, 32, choice(s, 2) ? n : 1);
    VIEW(3, QNT_INT, 32, m, n);
    qnt_gemm_s8(c, &v[0].t, option(s, -128, 127), &v[1].t, choice(s, 2) ? &v[2].t : NULL, &v[3].t);
}

static void multiply_tables(struct source *s, const qnt_context *c, struct view *v)
{
    int64_t m = extent(s), n = extent(s), k = extent(s);
    int bits[2] = {1 + choice(s, 8), 1 + choice(s, 8)}, wide[2] = {choice(s, 2), choice(s, 2)};
    for (int i = 0; i < 2; i++) {
        VIEW(2 * i, QNT_UINT, bits[i], i ? n : m, k);
        VIEW(2 * i + 1, QNT_INT, wide[i] ? 16 : 8, INT64_C(1) << bits[i]);
    }
    VIEW(4, QNT_INT, wide[0] && wide[1] ? 64 : 32, m, n);
    qnt_gemm_table(c, &v[0].t, &v[1].t, &v[2].t, &v[3].t, &v[4].t);
}

static void multiply_exponents(struct source *s, const qnt_context *c, struct view *v)
{
    int64_t m = extent(s), n = extent(s), k = extent(s) * (choice(s, 4) ? 1 : 64);
    int bits = choice(s, 10), sign[2] = {choice(s, 2), choice(s, 2)};
    const qnt_exp exp = {.size = sizeof exp,
                         .exponent_bits = bits,
                         .base = 1.0 + choice(s, 64) / 32.0,
                         .alpha = choice(s, 64) / 32.0,
                         .beta = choice(s, 3) - 1.0};
    VIEW(0, choice(s, 2) ? QNT_UINT : QNT_INT, bits + sign[0], m, k);
    VIEW(1, choice(s, 2) ? QNT_UINT : QNT_INT, bits + sign[1], n, k);
    VIEW(2, QNT_FLOAT, 32, m, n);
    qnt_gemm_exp(c, &v[0].t, &exp, &v[1].t, &exp, &v[2].t);
    VIEW(3, QNT_UINT, bits + sign[0], k);
    VIEW(4, QNT_UINT, bits + sign[1], k);
    VIEW(5, QNT_INT, 32, 4 * ((INT64_C(1) << bits) - 1));
    qnt_dot_exp(c, bits, &v[3].t, &v[4].t, &v[5].t);
}

static void multiply_bits(struct source *s, const qnt_context *c, struct view *v)
{
    int64_t m = extent(s), n = extent(s), k = extent(s) * (choice(s, 4) ? 1 : 64);
    int bits = 1 + choice(s, 8), planes = 1 + choice(s, 4), blocks = choice(s, 4) ? 1 : 2;
    struct view codes;
    shape_view(s, &codes, QNT_UINT, planes, 2, SHAPE(n, k));
    VIEW(0, choice(s, 3) ? QNT_UINT : QNT_INT, bits, m, k);
    VIEW(1, QNT_FLOAT, 32, choice(s, 2) ? m : planes);
    VIEW(3, QNT_FLOAT, 32, n, blocks, planes);
    if (blocks == 1) v[3].t.ndim = 2, v[3].shape[1] = planes, v[3].strides[1] = v[3].strides[2];
    VIEW(4, QNT_FLOAT, 32, m, n);
    v[2].t = (qnt_tensor){.shape = v[2].shape, .strides = v[2].strides};
    if (qnt_pack_bits_view(c, &codes.t, &v[2].t) == QNT_OK) {
        int64_t bytes = 1;
        for (int d = 0; d < v[2].t.ndim; d++) bytes *= v[2].shape[d];
        v[2].arena = malloc((size_t)bytes + 1);
        v[2].t.data = v[2].arena;
        if (qnt_pack_bits(c, &codes.t, &v[2].t) == QNT_OK)
            qnt_gemm_bits(c, &v[0].t, choice(s, 2) ? &v[1].t : NULL, &v[2].t, &v[3].t, &v[4].t);
    }
    free(codes.arena);
}

/* What the result has along one axis; 0 if the kernel does not fit. */
static int64_t result_extent(int64_t x, const qnt_conv *conv, int axis, int64_t kernel)
{
    int64_t stride = conv->stride[axis] ? conv->stride[axis] : 1;
    int64_t dilation = conv->dilation[axis] ? conv->dilation[axis] : 1;
    int64_t room = x + conv->pad[axis] + conv->pad[axis + 2] - dilation * (kernel - 1) - 1;
    return stride > 0 && room >= 0 ? room / stride + 1 : 0;
}

static qnt_conv geometry(struct source *s, int padding)
{
    qnt_conv conv = {
        .size = sizeof conv, .groups = option(s, 0, 3), .group_shift = option(s, 0, 2)};
    for (int i = 0; i < 2; i++) {
        conv.stride[i] = option(s, 0, 2);
        conv.dilation[i] = option(s, 0, 2);
        conv.pad[i] = padding ? option(s, 0, padding) : 0;
        conv.pad[i + 2] = padding ? option(s, 0, padding) : 0;
    }
    return conv;
}

/* A damaged option must not become a shape that no memory holds. */
static int64_t bounded(int64_t x)
{
    return x < 0 ? 0 : x > 64 ? 64 : x;
}

static void convolve(struct source *s, const qnt_context *c, struct view *v)
{
    qnt_conv conv = geometry(s, 3);
    int64_t groups = conv.groups > 0 && conv.groups < 4 ? conv.groups : 1;
    int64_t b = choice(s, 3), h = extent(s), w = extent(s), channels = 1 + choice(s, 9);
    int64_t o = (1 + choice(s, 9)) * groups, kh = 1 + choice(s, 4), kw = 1 + choice(s, 4);
    VIEW(0, choice(s, 2) ? QNT_INT : QNT_UINT, 8, b, h, w, channels * groups);
    VIEW(1, choice(s, 2) ? QNT_INT : QNT_UINT, 1 + choice(s, 8), o, kh, kw, channels);
    VIEW(2, QNT_INT, 32, b, bounded(result_extent(h, &conv, 0, kh)),
         bounded(result_extent(w, &conv, 1, kw)), o);
    qnt_conv_s8(c, &conv, &v[0].t, option(s, -128, 127), &v[1].t, &v[2].t);
}

/* Digits 0 to 3 wherever an element is. */
static void make_digits(struct view *v)
{
    const size_t n = span_of(v);
    for (size_t i = 0; i < n; i++) v->arena[i] &= 3;
}

static void convolve_digits(struct source *s, const qnt_context *c, struct view *v)
{
    qnt_conv conv = geometry(s, 0);
    int32_t groups = conv.groups > 0 && conv.groups < 4 ? conv.groups : 1, packed = choice(s, 2);
    int64_t b = 1 + choice(s, 2), h = 1 + extent(s) % 20, w = 1 + extent(s), ch = 1 + choice(s, 9);
    int64_t o = 1 + choice(s, 70), kh = 1 + choice(s, 4), kw = 1 + choice(s, 4);
    const int32_t border[4] = {option(s, 0, 2), option(s, 0, 2), option(s, 0, 2), option(s, 0, 2)};
    struct view pixel_codes, tap_codes;
    shape_view(s, &pixel_codes, QNT_UINT, 8, 4, SHAPE(b, h, w, ch * groups));
    shape_view(s, &tap_codes, QNT_UINT, 8, 4, SHAPE(o * groups, kh, kw, ch));
    if (pixel_codes.t.ndim == 4 && choice(s, 16)) make_digits(&pixel_codes);
    if (tap_codes.t.ndim == 4 && choice(s, 16)) make_digits(&tap_codes);
    bool good = true;
    for (int i = 0; i < 2 && good; i++) {
        v[i].t = (qnt_tensor){.shape = v[i].shape, .strides = v[i].strides};
        good = (i ? qnt_pack_taps_view(c, &tap_codes.t, groups, &v[1].t)
                  : qnt_pack_pixels_view(c, &pixel_codes.t, groups, border, &v[0].t)) == QNT_OK;
        int64_t bytes = 1;
        for (int d = 0; good && d < v[i].t.ndim; d++) bytes *= v[i].shape[d];
        if (!good || bytes > MEMORY) break;
        v[i].arena = malloc((size_t)bytes + 1);
        v[i].t.data = v[i].arena;
        good = (i ? qnt_pack_taps(c, &tap_codes.t, groups, &v[1].t)
                  : qnt_pack_pixels(c, &pixel_codes.t, groups, border, &v[0].t)) == QNT_OK;
    }
    free(pixel_codes.arena);
    free(tap_codes.arena);
    if (!good || !v[1].arena) return;
    int64_t oh = bounded(result_extent(v[0].shape[1], &conv, 0, kh));
    int64_t ow = bounded(result_extent(v[0].shape[2], &conv, 1, kw));
    qnt_lowbit lowbit = {.size = sizeof lowbit,
                         .step = option(s, -3, 3),
                         .zero = option(s, -3, 3),
                         .channels = (int32_t)ch};
    int limits = choice(s, 2) ? 3 : 1;
    VIEW(2, QNT_INT, 32, o * groups, limits);
    for (int64_t i = 0; i < o * groups * limits && !choice(s, 8); i++)
        memset(v[2].arena + 4 * i, (int)(i % limits), 4);
    if (packed)
        VIEW(3, QNT_UINT, 8, b, oh, ow, groups, (o + 2) / 3);
    else
        VIEW(3, QNT_INT, 32, b, oh, ow, o * groups);
    qnt_conv_lowbit(c, &conv, &lowbit, &v[0].t, &v[1].t, packed ? &v[2].t : NULL, &v[3].t);
}

static void rearrange(struct source *s, const qnt_context *c, struct view *v)
{
    int64_t rows = extent(s), columns = extent(s);
    int bits = 1 << choice(s, 6);
    VIEW(0, bits == 32 ? QNT_FLOAT : QNT_INT, bits, rows, columns);
    VIEW(1, bits == 32 ? QNT_FLOAT : QNT_INT, bits, rows, columns);
    qnt_shuffle_cyclic(c, &v[0].t, option(s, 0, 1), option(s, 1, 4), option(s, 0, 3), &v[1].t);
}

static void requantize(struct source *s, const qnt_context *c, struct view *v)
{
    int64_t rows = extent(s), columns = extent(s);
    VIEW(0, QNT_INT, 32, rows, columns);
    VIEW(1, QNT_INT, 32, choice(s, 2) ? columns : 1);
    VIEW(2, QNT_FLOAT, 32, choice(s, 2) ? columns : 1);
    VIEW(3, choice(s, 2) ? QNT_INT : QNT_UINT, choice(s, 3) ? 8 : 16, rows, columns);
    qnt_requantize(c, &v[0].t, choice(s, 2) ? &v[1].t : NULL, &v[2].t, option(s, -3, 3),
                   option(s, -128, 0), option(s, 1, 127), &v[3].t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kernels[])(struct source *, const qnt_context *, struct view *) = {
        multiply, multiply_tables, multiply_exponents, multiply_bits,
        convolve, convolve_digits, rearrange,          requantize};
    struct source s = {data, size, 0};
    struct view v[VIEWS] = {0};
    qnt_context *context;
    if (qnt_context_create(bounded_alloc, bounded_free, NULL, &context) != QNT_OK) return 0;
    qnt_context_set_cpu(context, take(&s, 1));
    kernels[choice(&s, (int)(sizeof kernels / sizeof *kernels))](&s, context, v);
    for (int i = 0; i < VIEWS; i++) free(v[i].arena);
    qnt_context_destroy(context);
    return 0;
}
