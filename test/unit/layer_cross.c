/*
 * Layers, everything crossed with everything: dense, NHWC and NCHW; float, static and dynamic input
 * in every element type; every type of output; weights as floats and as codes of 2, 3, 4 and 8
 * bits, with scales per tensor, per output and per block of 32 to 256. What else a layer has is
 * random.
 */
#include "layer_case.h"

enum { NONE = -1, INPUTS = 11, RESULTS = 5 };

static const int widths[] = {2, 3, 4, 8};
static const int64_t blocks[] = {32, 64, 128, 256};

/* The input's format and element type: 3 types of floats for each kind, codes for static ones. */
static const struct {
    int kind, held;
} inputs[INPUTS] = {{ABSENT, FLOAT32},  {ABSENT, FLOAT16},  {ABSENT, BFLOAT16}, {STATIC, FLOAT32},
                    {STATIC, FLOAT16},  {STATIC, BFLOAT16}, {STATIC, PACKED},   {STATIC, BYTES},
                    {DYNAMIC, FLOAT32}, {DYNAMIC, FLOAT16}, {DYNAMIC, BFLOAT16}};

struct cross {
    int layout; /* QNT_NHWC, QNT_NCHW, or NONE: dense */
    int input, y_held, grain;
    bool weight_codes;
    int wbits;
    int64_t block;
};

static layer_case crossed_case(const struct cross *x)
{
    int input = inputs[x->input].kind;
    layer_case c = x->layout == NONE ? random_dense(input) : random_conv(input);
    if (x->layout != NONE) c.spec.layout = x->layout;
    c.in = random_format(input);
    c.x_held = inputs[x->input].held;
    c.y_held = x->y_held;
    c.out = random_format(x->y_held >= PACKED ? STATIC : ABSENT);
    if (c.out.kind) c.spec.flags &= ~QNT_ACCUMULATE;
    c.weight_codes = x->weight_codes;
    c.wbits = x->wbits;
    c.grain = x->grain;
    c.outputs = random_in(1, 20);
    if (x->grain == QNT_PER_BLOCK) {
        c.block = x->block;
        c.channels = random_in(c.block + 1, 3 * c.block);
    }
    return c;
}

static void one_layout(int layout)
{
    qnt_context *context = check_context();
    int last = layout == NONE ? QNT_PER_BLOCK : QNT_PER_AXIS, turn = 0;
    for (struct cross x = {.layout = layout}; x.input < INPUTS; x.input++) {
        for (x.y_held = FLOAT32; x.y_held < RESULTS; x.y_held++) {
            for (x.grain = QNT_PER_TENSOR; x.grain <= last; x.grain++) {
                for (int i = check_quick ? turn % 3 : 0; i < 8; i += check_quick ? 3 : 1) {
                    x.weight_codes = i % 2;
                    x.wbits = widths[i / 2];
                    x.block = blocks[turn % 4];
                    qnt_context_set_cpu(context, cpu_level(turn++ / 4));
                    layer_case c = crossed_case(&x);
                    bool sums_blocks = x.grain == QNT_PER_BLOCK && c.in.kind != ABSENT;
                    layer_case_check(context, &c, sums_blocks ? x.block : 0);
                }
            }
        }
    }
    CHECK(check_quick || turn == INPUTS * RESULTS * (last + 1) * 8);
    qnt_context_destroy(context);
}

static void dense(void)
{
    one_layout(NONE);
}
static void channels_last(void)
{
    one_layout(QNT_NHWC);
}
static void channels_first(void)
{
    one_layout(QNT_NCHW);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(dense);
    RUN(channels_last);
    RUN(channels_first);
    return DONE;
}
