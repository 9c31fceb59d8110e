/* Convolutions against the naive reference: layouts, groups, shifts, strides, dilations, padding.
 */
#include "layer_case.h"
#include "simd/layout.h"

static void random_layers(int input, int count)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(count); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_conv(input);
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

static void integer_input(void)
{
    random_layers(STATIC, 500);
}
static void float_input(void)
{
    random_layers(ABSENT, 200);
}
static void dynamic_input(void)
{
    random_layers(DYNAMIC, 200);
}

/* As many groups as channels. */
static void depthwise(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(200); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_conv((int)random_in(STATIC, DYNAMIC));
        c.channels = c.outputs = 1;
        c.spec.groups = (int32_t)random_in(2, 90);
        c.spec.group_shift = random_in(0, 2) ? 0 : (int32_t)random_in(0, c.spec.groups - 1);
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* Bytes of 0 times weights without zero points: what the kernel has in the padding is left out. */
static void zero_padding(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(200); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_conv(STATIC);
        c.wflags |= QNT_SYMMETRIC;
        c.in.flags = c.in.zero = 0;
        c.in.bits = 8;
        c.height = random_in(4, 7);
        c.spec.pad[0] = (int32_t)random_in(1, 9); /* lines that see nothing at all */
        if (i % 2) c.spec.pad[1] = (int32_t)random_in(1, 9), c.spec.pad[3] = (int32_t)random_in(0, 5);
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* Small images under large kernels: every class of pixels at the edges, zones one and more pixels
 * wide, channels that fill cells and others, with zero points and without. */
static void borders(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(400); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_conv(i % 4 ? STATIC : DYNAMIC);
        if (i % 3) c.wflags |= QNT_SYMMETRIC;
        if (i % 4 && i % 8) c.in.flags = c.in.zero = 0, c.in.bits = 8;
        if (i % 2) c.channels = 4 * random_in(1, 8), c.spec.groups = c.spec.group_shift = 0;
        c.batch = random_in(1, 3);
        c.height = random_in(1, 9);
        c.width = random_in(1, i % 5 ? 9 : 60);
        for (int axis = 0; axis < 2; axis++) {
            int64_t extent = axis ? c.width : c.height, span;
            c.kernel[axis] = random_in(1, 7);
            if (i % 2) c.spec.dilation[axis] = axis ? 0 : (int32_t)random_in(0, 3);
            span = (c.kernel[axis] - 1) * (c.spec.dilation[axis] ? c.spec.dilation[axis] : 1) + 1;
            c.spec.pad[axis] = (int32_t)random_in(0, random_in(0, 3) ? c.kernel[axis] : 12);
            c.spec.pad[axis + 2] = (int32_t)random_in(0, random_in(0, 3) ? c.kernel[axis] : 12);
            int64_t missing = span - extent - c.spec.pad[axis] - c.spec.pad[axis + 2];
            if (missing > 0) c.spec.pad[axis] += (int32_t)missing; /* the kernel must fit */
        }
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* The same case with an image between two taps of some outputs: these meet nothing but padding. */
static void check_between_taps(const qnt_context *context, layer_case *c)
{
    c->kernel[0] = 2;
    c->spec.stride[0] = 1;
    c->spec.dilation[0] = 3;
    c->spec.pad[0] = c->spec.pad[2] = 1;
    c->height = 2;
    layer_case_check(context, c, 0);
}

/* Nothing to read, not even a byte: results are biases, whatever the input's form. */
static void no_channels(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(60); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_conv(i % 3 == 0 ? ABSENT : i % 3 == 1 ? STATIC : DYNAMIC);
        c.channels = 0;
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* Most fill cells, or an image is not read where it is; some are of groups, or groups of one. */
static void choose_channels(layer_case *c, int i)
{
    c->channels = i % 5 ? 4 * random_in(1, 8) : random_in(1, 20);
    c->spec.groups = c->spec.group_shift = 0;
    if (i % 11 > 2) return;
    c->spec.groups = (int32_t)random_in(2, i % 2 ? 4 : 40);
    c->spec.group_shift = random_in(0, 1) ? (int32_t)random_in(0, c->spec.groups - 1) : 0;
    if (i % 2 == 0) c->channels = c->outputs = 1;
}

/* Bytes of whole cells, which some levels read where they are: no byte of padding exists then. Kernels
 * larger than their image, padding about as large as the kernel, images between two taps. */
static void bytes_where_they_are(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(300); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_conv(STATIC);
        c.wflags |= QNT_SYMMETRIC;
        c.wbits = random_in(0, 3) ? 8 : c.wbits;
        c.in = (layer_format){.kind = STATIC, .bits = 8, .scale = 0.5f, .zero = i % 2 ? 128 : 0};
        c.spec.layout = QNT_NHWC;
        c.x_held = BYTES;
        c.strided = i % 7 == 3;
        choose_channels(&c, i);
        c.batch = random_in(1, 3);
        if (i % 9 == 4)
            c.batch = 1, c.outputs = random_in(1, 17); /* wider than what one call takes */
        for (int axis = 0; axis < 2; axis++) {
            int64_t *extent = axis ? &c.width : &c.height, around = 0;
            c.kernel[axis] = random_in(1, 4);
            for (int side = axis; side < 4; side += 2) {
                const int64_t most = i % 4 ? c.kernel[axis] - (random_in(0, 3) ? 1 : 0) : 0;
                c.spec.pad[side] = (int32_t)random_in(0, most);
                around += c.spec.pad[side];
            }
            c.spec.dilation[axis] = random_in(0, 3) ? 0 : (int32_t)random_in(1, 4);
            const int64_t span = (c.kernel[axis] - 1) * or_one(c.spec.dilation[axis]) + 1;
            *extent = random_in(1, c.kernel[axis] + (axis ? 70 : 5));
            if (axis && i % 9 == 4) *extent += random_in(0, 2 * QNT__GEMM_ROWS);
            if (*extent < span - around) *extent = span - around; /* the kernel must fit */
            if (*extent < 1) *extent = 1;
        }
        if (i % 10) layer_case_check(context, &c, 0);
        else check_between_taps(context, &c);
    }
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(integer_input);
    RUN(float_input);
    RUN(dynamic_input);
    RUN(depthwise);
    RUN(zero_padding);
    RUN(borders);
    RUN(no_channels);
    RUN(bytes_where_they_are);
    return DONE;
}
