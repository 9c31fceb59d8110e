/*
 * A random layer and its naive reference: what doc/numerics.md says, element by element, in plain
 * loops. The tests of layers choose the traits, layer_case_check() compares every byte of the
 * result.
 */
#ifndef LAYER_CASE_H
#define LAYER_CASE_H

#include "base/numeric.h"
#include "check.h"
#include "tensor/view.h"
#include "context/context.h"

enum { FLOAT32, FLOAT16, BFLOAT16, PACKED, BYTES }; /* how a tensor is held */
enum { ABSENT, STATIC, DYNAMIC };                   /* input and output formats */

typedef struct layer_format {
    int kind, bits, flags;
    int32_t zero;
    float scale, offset;
} layer_format;

typedef struct layer_case {
    qnt_layer_spec spec;
    int64_t batch, height, width; /* dense: leading extents */
    int64_t channels, outputs;    /* of one group */
    int64_t kernel[2];
    int wbits, wflags, grain;
    int64_t block;
    bool weight_codes, has_bias;
    layer_format in, out;
    int x_held, y_held;
    int strided; /* gaps: 1: behind rows of the last axis and further out, 2: behind each element, too */
    bool misaligned;
} layer_case;

/* Everything in logical, row-major order. */
typedef struct layer_data {
    int64_t groups, out_height, out_width, inputs, blocks;
    int32_t *wcode, *wzero;
    float *wscale, *bias, *x, *before;
    int32_t *xcode;
    int64_t *patch; /* where the inputs of one pixel and group are, -1 in the padding */
    size_t x_count, y_count, w_count, w_groups;
} layer_data;

static UNUSED void *zeroed(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);
    if (!p) exit(2);
    return p;
}

static UNUSED int32_t low_code(int bits, int flags)
{
    return (flags & QNT_SIGNED ? -(1 << (bits - 1)) : 0) + (flags & QNT_NARROW ? 1 : 0);
}

static UNUSED int32_t high_code(int bits, int flags)
{
    return flags & QNT_SIGNED ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
}

static UNUSED int32_t middle(int bits, int flags)
{
    return flags & QNT_SIGNED ? 0 : 1 << (bits - 1);
}

/* ---- random cases ---- */

static UNUSED layer_format random_format(int kind)
{
    layer_format f = {.kind = kind, .bits = (int)random_in(1, 8)};
    if (random_in(0, 1)) f.bits = 8;
    f.flags = (random_in(0, 1) ? QNT_SIGNED : 0) | (random_in(0, 1) ? QNT_SYMMETRIC : 0);
    if (f.bits > 1 && random_in(0, 3) == 0) f.flags |= QNT_NARROW;
    f.zero = f.flags & QNT_SYMMETRIC ? middle(f.bits, f.flags)
                                     : (int32_t)random_in(low_code(f.bits, f.flags & ~QNT_NARROW),
                                                          high_code(f.bits, f.flags));
    f.scale = (float)(0.01 + random_unit());
    return f;
}

static UNUSED layer_case random_dense(int input)
{
    layer_case c = {.spec = {.size = sizeof(qnt_layer_spec), .kind = QNT_DENSE}};
    c.batch = random_in(1, 3);
    c.height = 1;
    c.width = random_in(1, 15);
    c.channels = random_in(1, random_in(0, 1) ? 40 : 200);
    c.outputs = random_in(1, random_in(0, 1) ? 20 : 150);
    c.kernel[0] = c.kernel[1] = 1;
    c.wbits = (int)random_in(1, 8);
    c.wflags = (random_in(0, 1) ? QNT_SIGNED : 0) | (random_in(0, 1) ? QNT_SYMMETRIC : 0);
    if (c.wbits > 1 && random_in(0, 3) == 0) c.wflags |= QNT_NARROW;
    c.grain = (int)random_in(QNT_PER_TENSOR, QNT_PER_AXIS);
    c.weight_codes = random_in(0, 1);
    c.has_bias = random_in(0, 1);
    c.in = random_format(input);
    c.out = random_format((int)random_in(ABSENT, STATIC));
    c.x_held = (int)random_in(FLOAT32, input == STATIC ? BYTES : BFLOAT16);
    c.y_held = (int)(c.out.kind ? random_in(PACKED, BYTES) : random_in(FLOAT32, BFLOAT16));
    c.strided = random_in(0, 3) ? 0 : (int)random_in(1, 2);
    c.misaligned = random_in(0, 3) == 0;
    c.spec.activation = (int32_t)random_in(QNT_LINEAR, QNT_CLAMP);
    c.spec.low = (float)(-3 * random_unit());
    c.spec.high = (float)(3 * random_unit());
    if (!c.out.kind && random_in(0, 2) == 0) c.spec.flags = QNT_ACCUMULATE;
    return c;
}

static UNUSED layer_case random_conv(int input)
{
    layer_case c = random_dense(input);
    c.spec.kind = QNT_CONV;
    c.spec.layout = (int32_t)random_in(QNT_NHWC, QNT_NCHW);
    c.spec.groups = random_in(0, 1) ? 0 : (int32_t)random_in(1, 4);
    c.spec.group_shift = c.spec.groups > 1 ? (int32_t)random_in(0, c.spec.groups - 1) : 0;
    c.height = random_in(3, 9);
    c.width = random_in(3, 17);
    c.channels = random_in(1, 20);
    c.outputs = random_in(1, random_in(0, 1) ? 8 : 70);
    for (int i = 0; i < 2; i++) {
        c.kernel[i] = random_in(1, 3);
        c.spec.stride[i] = (int32_t)random_in(0, 3);
        c.spec.dilation[i] = random_in(0, 2) ? 0 : (int32_t)random_in(1, 2);
    }
    bool padded = random_in(0, 2);
    for (int i = 0; i < 4; i++) c.spec.pad[i] = padded ? (int32_t)random_in(0, 3) : 0;
    for (int i = 0; i < 2; i++) { /* the kernel must fit */
        if (c.spec.dilation[i] == 2 && c.kernel[i] == 3) c.spec.pad[i] = 2;
    }
    return c;
}

/* ---- data ---- */

static UNUSED int64_t or_one(int64_t v)
{
    return v ? v : 1;
}

static UNUSED int64_t out_extent(int64_t n, const layer_case *c, int axis)
{
    int64_t padded = n + c->spec.pad[axis] + c->spec.pad[axis + 2];
    int64_t span = or_one(c->spec.dilation[axis]) * (c->kernel[axis] - 1) + 1;
    return (padded - span) / or_one(c->spec.stride[axis]) + 1;
}

/* ONNX QuantizeLinear. */
static UNUSED int32_t encode_one(float x, float scale, float offset, int32_t zero, int32_t low,
                                 int32_t high)
{
    if (x != x) x = 0;
    float t = (x - offset) / scale;
    t = t < (float)(low - zero) ? (float)(low - zero) : t;
    t = t > (float)(high - zero) ? (float)(high - zero) : t;
    return (int32_t)rintf(t) + zero;
}

static UNUSED float held_as(int held, float x)
{
    if (held == FLOAT16) return qnt__f32_of_f16(qnt__f16_of_f32(x));
    if (held == BFLOAT16) return qnt__f32_of_bf16(qnt__bf16_of_f32(x));
    return x;
}

static UNUSED float special_float(void)
{
    const float specials[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e-40f};
    return specials[random_in(0, 4)];
}

/* Some rows, or images, are zero or another value all over. */
static UNUSED void make_constant_rows(const layer_case *c, layer_data *d)
{
    bool dense = c->spec.kind == QNT_DENSE;
    size_t rows = (size_t)(dense ? c->batch * c->width : c->batch), n = d->x_count / (rows + !rows);
    for (size_t r = 0; r < rows; r++) {
        if (random_in(0, 15)) continue;
        float value = random_in(0, 1) ? 0 : held_as(c->x_held, (float)random_gauss());
        for (size_t i = 0; i < n; i++) d->x[r * n + i] = value;
    }
}

static UNUSED layer_data random_data(const layer_case *c)
{
    layer_data d = {.groups = or_one(c->spec.groups)};
    bool dense = c->spec.kind == QNT_DENSE;
    int64_t outputs = d.groups * c->outputs;
    d.out_height = dense ? c->height : out_extent(c->height, c, 0);
    d.out_width = dense ? c->width : out_extent(c->width, c, 1);
    d.inputs = c->kernel[0] * c->kernel[1] * c->channels;
    d.blocks = c->grain == QNT_PER_BLOCK ? (d.inputs + c->block - 1) / c->block : 1;
    d.w_groups = c->grain == QNT_PER_TENSOR ? 1 : (size_t)(outputs * d.blocks);
    d.w_count = (size_t)(outputs * d.inputs);
    d.x_count = (size_t)(c->batch * c->height * c->width * d.groups * c->channels);
    d.y_count = (size_t)(c->batch * d.out_height * d.out_width * outputs);
    d.wcode = zeroed(d.w_count, 4);
    d.wzero = zeroed(d.w_groups, 4);
    d.wscale = zeroed(d.w_groups, 4);
    d.bias = zeroed((size_t)outputs, 4);
    d.x = zeroed(d.x_count, 4);
    d.xcode = zeroed(d.x_count, 4);
    d.before = zeroed(d.y_count, 4);
    d.patch = zeroed((size_t)d.inputs, sizeof *d.patch);

    int32_t low = low_code(c->wbits, c->wflags), high = high_code(c->wbits, c->wflags);
    for (size_t i = 0; i < d.w_count; i++) d.wcode[i] = (int32_t)random_in(low, high);
    for (size_t i = 0; i < d.w_groups; i++) {
        d.wscale[i] = (float)(0.001 + 0.01 * random_unit());
        d.wzero[i] =
            c->wflags & QNT_SYMMETRIC ? middle(c->wbits, c->wflags) : (int32_t)random_in(low, high);
    }
    for (int64_t i = 0; i < outputs; i++) d.bias[i] = (float)random_gauss();
    for (size_t i = 0; i < d.y_count; i++) d.before[i] = held_as(c->y_held, (float)random_gauss());
    low = low_code(c->in.bits, c->in.flags);
    high = high_code(c->in.bits, c->in.flags);
    for (size_t i = 0; i < d.x_count; i++) {
        double wild = random_in(0, 50) ? 1 : 1000;
        float x = random_in(0, 200) ? (float)(random_gauss() * 3 * wild) : special_float();
        d.x[i] = held_as(c->x_held, x);
    }
    make_constant_rows(c, &d);
    for (size_t i = 0; i < d.x_count && c->in.kind == STATIC; i++) {
        d.xcode[i] = c->x_held >= PACKED
                         ? (int32_t)random_in(low, high)
                         : encode_one(d.x[i], c->in.scale, 0, c->in.zero, low, high);
    }
    return d;
}

static UNUSED void free_data(layer_data *d)
{
    free(d->wcode), free(d->wzero), free(d->wscale), free(d->bias), free(d->x), free(d->xcode);
    free(d->before), free(d->patch);
}

/* ---- tensors in the caller's memory ---- */

typedef struct held_tensor {
    check_tensor v;
    guarded memory;
} held_tensor;

static UNUSED void release(held_tensor *h)
{
    unguard(&h->memory);
}

/* A tensor of a case, with no byte to read before or behind it; misaligned ones begin at an odd byte. */
static UNUSED void hold(held_tensor *h, const layer_case *c, int held, const layer_format *f,
                        int ndim, const int64_t *shape)
{
    int code = held == BFLOAT16 ? QNT_BFLOAT : QNT_FLOAT, bits = held == FLOAT32 ? 32 : 16;
    if (held >= PACKED) {
        code = f->flags & QNT_SIGNED ? QNT_INT : QNT_UINT;
        bits = held == BYTES ? 8 : f->bits;
    }
    check_view(&h->v, NULL, code, bits, ndim, shape);
    int64_t stride = c->strided > 1 ? 2 : 1, end = 1, odd = c->misaligned ? 1 : 0;
    for (int d = ndim - 1; d >= 0; d--) {
        h->v.strides[d] = stride;
        end = end && shape[d] ? end + (shape[d] - 1) * stride : 0;
        stride = stride * shape[d] + (c->strided ? d + 1 : 0);
    }
    h->memory = guard((size_t)((end * bits + 7) / 8 + odd), random_in(0, 3));
    for (int64_t i = 0; i < (end * bits + 7) / 8 + odd; i++)
        h->memory.data[i] = (uint8_t)random_u64();
    h->v.t.data = h->memory.data;
    h->v.t.byte_offset = (uint64_t)odd;
}

/* Element offset of a logical [B,H,W,C] index. */
static UNUSED int64_t held_at(const held_tensor *h, const layer_case *c, int64_t b, int64_t y,
                              int64_t x, int64_t n)
{
    const int64_t *s = h->v.strides;
    if (h->v.t.ndim == 3) return b * s[0] + x * s[1] + n * s[2];
    if (c->spec.layout == QNT_NCHW) return b * s[0] + n * s[1] + y * s[2] + x * s[3];
    return b * s[0] + y * s[1] + x * s[2] + n * s[3];
}

static UNUSED void hold_image(held_tensor *h, const layer_case *c, int held, const layer_format *f,
                              int64_t height, int64_t width, int64_t channels)
{
    int64_t dense[3] = {c->batch, width, channels}, nhwc[4] = {c->batch, height, width, channels};
    int64_t nchw[4] = {c->batch, channels, height, width};
    if (c->spec.kind == QNT_DENSE)
        hold(h, c, held, f, 3, dense);
    else
        hold(h, c, held, f, 4, c->spec.layout == QNT_NCHW ? nchw : nhwc);
}

/* Copies logical floats or codes into a held image. */
static UNUSED void put_image(const qnt_context *context, held_tensor *h, const layer_case *c,
                             int64_t height, int64_t width, int64_t channels, const float *values,
                             const int32_t *codes)
{
    struct qnt__view view;
    const struct qnt__simd *simd = &context->simd;
    if (qnt__view_open(context, "held", &h->v.t, QNT__ANY, &view) != QNT_OK) exit(2);
    for (int64_t i = 0; i < c->batch * height * width * channels; i++) {
        int64_t n = i % channels, x = i / channels % width, y = i / channels / width % height;
        int64_t at = held_at(h, c, i / channels / width / height, y, x, n);
        uint8_t byte = codes ? (uint8_t)codes[i] : 0;
        if (codes)
            qnt__write_codes(simd, &view, at, 1, 1, &byte);
        else
            qnt__write_f32(simd, &view, at, 1, 1, &values[i]);
    }
}

/* ---- the reference ---- */

typedef struct layer_input {
    float scale;
    int32_t zero;
} layer_input;

/* Scale and zero point of n dynamic elements. */
static UNUSED layer_input dynamic_of(const layer_format *f, const float *x, int64_t n,
                                     int32_t *codes)
{
    int32_t first = low_code(f->bits, f->flags), last = high_code(f->bits, f->flags);
    float low = 0, high = 0;
    layer_input in = {.zero = middle(f->bits, f->flags)};
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) continue;
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    if (f->flags & QNT_SYMMETRIC) {
        int32_t steps = last > in.zero ? last - in.zero : 1;
        in.scale = (-low > high ? -low : high) / (float)steps;
    } else {
        in.scale = (high - low) / (float)(last - first);
    }
    if (!(in.scale > 0)) in.scale = 1;
    if (!(f->flags & QNT_SYMMETRIC)) {
        float zero = (float)first - low / in.scale;
        zero = zero < (float)first ? (float)first : zero > (float)last ? (float)last : zero;
        in.zero = (int32_t)rintf(zero);
    }
    for (int64_t i = 0; i < n; i++) codes[i] = encode_one(x[i], in.scale, 0, in.zero, first, last);
    return in;
}

/* Finds the inputs of an output pixel and a group. */
static UNUSED void find_patch(const layer_case *c, const layer_data *d, int64_t pixel, int64_t group)
{
    const int64_t from = (group + c->spec.group_shift) % d->groups, row = d->groups * c->channels;
    const int64_t x = pixel % d->out_width * or_one(c->spec.stride[1]) - c->spec.pad[1];
    const int64_t y = pixel / d->out_width % d->out_height * or_one(c->spec.stride[0]) - c->spec.pad[0];
    const int64_t image = pixel / d->out_width / d->out_height * c->height;
    int64_t *patch = d->patch;
    for (int64_t tap = 0; tap < c->kernel[0] * c->kernel[1]; tap++) {
        const int64_t v = y + tap / c->kernel[1] * or_one(c->spec.dilation[0]);
        const int64_t u = x + tap % c->kernel[1] * or_one(c->spec.dilation[1]);
        const bool outside = v < 0 || v >= c->height || u < 0 || u >= c->width;
        const int64_t first = ((image + v) * c->width + u) * row + from * c->channels;
        for (int64_t n = 0; n < c->channels; n++) *patch++ = outside ? -1 : first + n;
    }
}

static UNUSED size_t group_of(const layer_case *c, const layer_data *d, int64_t output, int64_t k)
{
    if (c->grain == QNT_PER_TENSOR) return 0;
    return (size_t)(c->grain == QNT_PER_AXIS ? output : output * d->blocks + k / c->block);
}

static UNUSED void activate(const layer_case *c, float *low, float *high)
{
    *low = c->spec.activation == QNT_RELU ? 0 : c->spec.activation ? c->spec.low : -INFINITY;
    *high = c->spec.activation == QNT_CLAMP ? c->spec.high : INFINITY;
}

/* Rest of the float epilogue; codes are encoded from the finished float. */
static UNUSED float finish_float(const layer_case *c, float f, float before)
{
    float low, high;
    activate(c, &low, &high);
    if (c->spec.flags & QNT_ACCUMULATE) f = f + before;
    f = f < low ? low : f;
    f = f > high ? high : f;
    if (!c->out.kind) return f;
    return (float)encode_one(f, c->out.scale, c->out.offset, c->out.zero,
                             low_code(c->out.bits, c->out.flags),
                             high_code(c->out.bits, c->out.flags));
}

static UNUSED float decoded_result(const layer_case *c, const layer_data *d, int64_t output, float before)
{
    float sum = 0;
    for (int64_t k = 0; k < d->inputs; k++) {
        int64_t at = d->patch[k];
        size_t g = group_of(c, d, output, k);
        float w = (float)(d->wcode[output * d->inputs + k] - d->wzero[g]) * d->wscale[g];
        float product = (at < 0 ? 0 : d->x[at]) * w;
        sum = sum + product;
    }
    if (c->has_bias) sum = sum + d->bias[output];
    return finish_float(c, sum, before);
}

static UNUSED float block_result(const layer_case *c, const layer_data *d, int64_t output,
                                 layer_input in, int64_t block, float before)
{
    int shift = c->in.flags & QNT_SIGNED ? 0 : 128;
    float acc = 0, bias = c->has_bias ? d->bias[output] : 0;
    double all = 0;
    for (int64_t first = 0; first < d->inputs; first += block) {
        int64_t sum = 0, wsum = 0;
        size_t g = group_of(c, d, output, first);
        double scale = d->wscale[g];
        if (c->in.kind == STATIC) scale *= in.scale;
        for (int64_t k = first; k < first + block && k < d->inputs; k++) {
            int64_t w = d->wcode[output * d->inputs + k] - d->wzero[g];
            sum += (d->xcode[d->patch[k]] - shift) * w;
            wsum += w;
        }
        float product = (float)sum * (float)scale;
        acc = acc + product;
        all += (double)(float)scale * (double)wsum;
    }
    int32_t zero = in.zero - shift;
    if (c->in.kind == STATIC) {
        bias = (float)((double)bias - zero * all);
        acc = acc + bias;
    } else {
        float share = (float)zero * (float)all;
        acc = acc - share;
        acc = acc * in.scale;
        if (c->has_bias) acc = acc + bias;
    }
    return finish_float(c, acc, before);
}

static UNUSED float integer_result(const layer_case *c, const layer_data *d, int64_t output,
                                   layer_input in, float before)
{
    int64_t sum = 0;
    size_t g = group_of(c, d, output, 0);
    for (int64_t k = 0; k < d->inputs; k++) {
        int64_t at = d->patch[k];
        if (at < 0) continue;
        sum += (int64_t)(d->xcode[at] - in.zero) * (d->wcode[output * d->inputs + k] - d->wzero[g]);
    }
    double scale = d->wscale[g], bias = d->bias[output];
    if (c->in.kind == STATIC) scale *= in.scale;
    if (c->out.kind) scale /= c->out.scale;
    float f = (float)sum * (float)scale, low, high;
    if (c->in.kind == DYNAMIC) f = f * in.scale;
    if (c->out.kind) bias = (bias - (double)c->out.offset) / c->out.scale;
    if (c->has_bias) f = f + (float)bias;
    if (!c->out.kind) return finish_float(c, f, before);

    activate(c, &low, &high);
    float first = (float)(low_code(c->out.bits, c->out.flags) - c->out.zero);
    float last = (float)(high_code(c->out.bits, c->out.flags) - c->out.zero);
    low = (float)((double)low / c->out.scale);
    high = (float)((double)high / c->out.scale);
    low = low < first ? first : low > last ? last : low;
    high = high < first ? first : high > last ? last : high;
    f = f < low ? low : f;
    f = f > high ? high : f;
    return rintf(f) + (float)c->out.zero;
}

/* All results in logical order; codes as whole floats. */
static UNUSED void reference(const layer_case *c, layer_data *d, int64_t block, float *y)
{
    int64_t outputs = d->groups * c->outputs, pixels = c->batch * d->out_height * d->out_width;
    bool dense = c->spec.kind == QNT_DENSE;
    int64_t rows = dense ? pixels : c->batch, row = (int64_t)d->x_count / or_one(rows);
    layer_input *in = zeroed((size_t)rows, sizeof *in);
    for (int64_t r = 0; r < rows; r++) {
        in[r] = (layer_input){c->in.scale, c->in.zero};
        if (c->in.kind == DYNAMIC)
            in[r] = dynamic_of(&c->in, d->x + r * row, row, d->xcode + r * row);
    }
    for (int64_t i = 0; i < pixels * outputs; i++) {
        int64_t pixel = i / outputs, output = i % outputs;
        layer_input a = in[dense ? pixel : pixel / d->out_height / d->out_width];
        if (output % c->outputs == 0) find_patch(c, d, pixel, output / c->outputs);
        y[i] = !c->in.kind ? decoded_result(c, d, output, d->before[i])
               : block     ? block_result(c, d, output, a, block, d->before[i])
                           : integer_result(c, d, output, a, d->before[i]);
    }
    free(in);
}

/* ---- running a case ---- */

static UNUSED qnt_quantizer *make_quantizer(const qnt_context *context, const layer_format *f)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = {.size = sizeof spec, .bits = f->bits, .flags = f->flags};
    double scale = f->scale, zero = f->zero;
    if (f->kind == DYNAMIC) {
        spec.method = QNT_MINMAX;
        spec.flags |= QNT_DYNAMIC;
    }
    if (f->kind == ABSENT) return NULL;
    if (qnt_quantizer_create(context, &spec, &q) != QNT_OK) return NULL;
    if (f->kind == STATIC) {
        qnt_quantizer_set(context, q, QNT_P_SCALE, &scale, 1);
        if (!(f->flags & QNT_SYMMETRIC)) qnt_quantizer_set(context, q, QNT_P_ZERO, &zero, 1);
    }
    return q;
}

static UNUSED qnt_quantizer *make_weight_q(const qnt_context *context, const layer_case *c,
                                           const layer_data *d)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = {.size = sizeof spec,
                     .bits = c->wbits,
                     .flags = c->wflags,
                     .grain = c->grain,
                     .axis = c->grain == QNT_PER_BLOCK ? 1 : 0,
                     .block = c->grain == QNT_PER_BLOCK ? c->block : 0};
    double *values = zeroed(d->w_groups, sizeof *values);
    if (qnt_quantizer_create(context, &spec, &q) != QNT_OK) exit(2);
    for (size_t i = 0; i < d->w_groups; i++) values[i] = d->wscale[i];
    if (qnt_quantizer_set(context, q, QNT_P_SCALE, values, d->w_groups) != QNT_OK) exit(2);
    for (size_t i = 0; i < d->w_groups; i++) values[i] = d->wzero[i];
    if (!(c->wflags & QNT_SYMMETRIC))
        qnt_quantizer_set(context, q, QNT_P_ZERO, values, d->w_groups);
    free(values);
    return q;
}

/* Weights as the caller holds them: floats that encode to the codes, or the codes, packed. */
static UNUSED void hold_weight(const qnt_context *context, held_tensor *h, const layer_case *c,
                               const layer_data *d)
{
    int64_t outputs = d->groups * c->outputs, kh = c->kernel[0], kw = c->kernel[1], n = c->channels;
    int64_t dense[2] = {outputs, n}, nhwc[4] = {outputs, kh, kw, n}, nchw[4] = {outputs, n, kh, kw};
    layer_format f = {.bits = c->wbits, .flags = c->wflags};
    bool planes = c->spec.kind == QNT_CONV && c->spec.layout == QNT_NCHW;
    if (c->spec.kind == QNT_DENSE)
        hold(h, c, c->weight_codes ? PACKED : FLOAT32, &f, 2, dense);
    else
        hold(h, c, c->weight_codes ? BYTES : FLOAT32, &f, 4, planes ? nchw : nhwc);
    struct qnt__view view;
    if (qnt__view_open(context, "weight", &h->v.t, QNT__ANY, &view) != QNT_OK) exit(2);
    for (int64_t i = 0; i < outputs * d->inputs; i++) {
        int64_t o = i / d->inputs, k = i % d->inputs, ky = k / n / kw, kx = k / n % kw;
        const int64_t *s = h->v.strides;
        int64_t at = c->spec.kind == QNT_DENSE ? o * s[0] + k * s[1]
                     : planes                  ? o * s[0] + k % n * s[1] + ky * s[2] + kx * s[3]
                                               : o * s[0] + ky * s[1] + kx * s[2] + k % n * s[3];
        size_t g = group_of(c, d, o, k);
        uint8_t byte = (uint8_t)d->wcode[i];
        float value = (float)(d->wcode[i] - d->wzero[g]) * d->wscale[g];
        if (c->weight_codes)
            qnt__write_codes(&context->simd, &view, at, 1, 1, &byte);
        else
            qnt__write_f32(&context->simd, &view, at, 1, 1, &value);
    }
}

/* The same bits, but any NaN is like any other. */
static UNUSED bool same_float(float a, float b)
{
    return !memcmp(&a, &b, sizeof a) || (a != a && b != b);
}

static UNUSED void compare_result(const qnt_context *context, held_tensor *y, const layer_case *c,
                                  const layer_data *d, const float *expected)
{
    struct qnt__view view;
    if (qnt__view_open(context, "y", &y->v.t, QNT__ANY, &view) != QNT_OK) exit(2);
    int64_t outputs = d->groups * c->outputs, bad = 0;
    for (int64_t i = 0; i < (int64_t)d->y_count; i++) {
        int64_t n = i % outputs, x = i / outputs % d->out_width;
        int64_t row = i / outputs / d->out_width % d->out_height;
        int64_t at = held_at(y, c, i / outputs / d->out_width / d->out_height, row, x, n);
        float got;
        uint8_t byte;
        if (c->y_held >= PACKED) {
            qnt__read_codes(&context->simd, &view, at, 1, 1, &byte);
            got = c->out.flags & QNT_SIGNED ? (float)(int8_t)byte : (float)byte;
        } else {
            qnt__read_f32(&context->simd, &view, at, 1, 1, &got);
        }
        float want = c->y_held >= PACKED ? expected[i] : held_as(c->y_held, expected[i]);
        if (!same_float(got, want) && bad++ == 0) {
            CHECK_MSG(
                false,
                "element %lld is %g, expected %g; kind %d layout %d, %lld x %lld x %lld, K %lld, N "
                "%lld, groups %lld shift %d, kernel %lldx%lld, w %d bits flags %d grain %d block "
                "%lld, in %d/%d/%d zero %d, out %d/%d/%d, x %d y %d, strided %d, flags %d",
                (long long)i, (double)got, (double)want, (int)c->spec.kind, (int)c->spec.layout,
                (long long)c->batch, (long long)c->height, (long long)c->width,
                (long long)d->inputs, (long long)outputs, (long long)d->groups,
                (int)c->spec.group_shift, (long long)c->kernel[0], (long long)c->kernel[1],
                c->wbits, c->wflags, c->grain, (long long)c->block, c->in.kind, c->in.bits,
                c->in.flags, (int)c->in.zero, c->out.kind, c->out.bits, c->out.flags, c->x_held,
                c->y_held, c->strided, (int)c->spec.flags);
        }
    }
}

/* Makes and runs the layer and compares all of y; `block` is the block length of the sums, 0: none.
 */
static UNUSED void layer_case_check(const qnt_context *context, const layer_case *c, int64_t block)
{
    layer_data d = random_data(c);
    int64_t outputs = d.groups * c->outputs, channels = d.groups * c->channels;
    qnt_quantizer *in = make_quantizer(context, &c->in), *out = make_quantizer(context, &c->out);
    qnt_quantizer *wq = make_weight_q(context, c, &d);
    held_tensor x, y, w;
    hold_image(&x, c, c->x_held, &c->in, c->height, c->width, channels);
    put_image(context, &x, c, c->height, c->width, channels, d.x,
              c->x_held >= PACKED ? d.xcode : NULL);
    hold_image(&y, c, c->y_held, &c->out, d.out_height, d.out_width, outputs);
    if (c->y_held < PACKED)
        put_image(context, &y, c, d.out_height, d.out_width, outputs, d.before, NULL);
    hold_weight(context, &w, c, &d);

    qnt_layer *layer = NULL;
    qnt_tensor *bias = c->has_bias ? TENSOR(d.bias, QNT_FLOAT, 32, outputs) : NULL;
    qnt_status status = qnt_layer_create(context, &c->spec, &w.v.t, wq, bias, in, out, &layer);
    CHECK_MSG(status == QNT_OK, "create: %s", check_reason);
    if (status == QNT_OK) {
        size_t bytes = 0;
        CHECK(qnt_layer_workspace(context, layer, &x.v.t, &bytes) == QNT_OK);
        guarded space = guard(bytes, true);
        status = qnt_layer_run(context, layer, &x.v.t, &y.v.t, space.data, bytes);
        CHECK_MSG(status == QNT_OK, "run: %s", check_reason);
        float *expected = zeroed(d.y_count, sizeof *expected);
        reference(c, &d, block, expected);
        compare_result(context, &y, c, &d, expected);
        free(expected);
        unguard(&space);
    }
    qnt_layer_destroy(layer);
    qnt_quantizer_destroy(in), qnt_quantizer_destroy(out), qnt_quantizer_destroy(wq);
    release(&x), release(&y), release(&w);
    free_data(&d);
}

/* Every CPU level of this machine in turn. */
static UNUSED uint64_t cpu_level(int turn)
{
    const uint64_t levels[4] = {UINT64_MAX, 0, QNT_CPU_AVX2 | QNT_CPU_NEON, UINT64_MAX};
    return levels[turn % 4];
}

#endif
