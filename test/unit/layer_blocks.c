/* Block-wise weight scales, and sums too long for int32, against the naive reference. */
#include "layer/layer.h"
#include "layer_case.h"

static layer_case random_blocks(int input)
{
    layer_case c = random_dense(input);
    c.grain = QNT_PER_BLOCK;
    c.block = 16 * random_in(1, 4);
    if (random_in(0, 3) == 0) c.block = random_in(0, 1) ? 128 : 256;
    c.channels = random_in(c.block + 1, 5 * c.block);
    return c;
}

static void random_layers(int input, int count)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(count); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_blocks(input);
        layer_case_check(context, &c, input == ABSENT ? 0 : c.block);
    }
    qnt_context_destroy(context);
}

static void integer_input(void)
{
    random_layers(STATIC, 300);
}
static void float_input(void)
{
    random_layers(ABSENT, 150);
}
static void dynamic_input(void)
{
    random_layers(DYNAMIC, 300);
}

/* Without integers the block may be anything. */
static void odd_block_of_floats(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(30); i++) {
        layer_case c = random_blocks(ABSENT);
        c.block = random_in(1, 50);
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

/* One block for each row of weights is the same as a scale for each output. */
static void single_block(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(30); i++) {
        layer_case c = random_blocks(STATIC);
        c.channels = random_in(1, c.block);
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

static layer_case long_case(int64_t inputs)
{
    layer_case c = random_dense(STATIC);
    c.batch = 1, c.width = 2, c.outputs = 3, c.channels = inputs;
    c.grain = QNT_PER_AXIS, c.wbits = 8, c.wflags = QNT_SIGNED | QNT_SYMMETRIC;
    c.in.bits = 8;
    c.strided = 0;
    return c;
}

/* 8-bit codes stay in int32 up to 65,536 inputs of any value; random ones much longer. */
static void long_sums(void)
{
    qnt_context *context = check_context();
    layer_case c = long_case(65536);
    layer_case_check(context, &c, 0);
    c = long_case(400001); /* the sum of |code| is near 25.6 million: times 255 beyond 2^31 */
    c.in.flags = 0, c.in.zero = 0;
    layer_case_check(context, &c, (400001 + 6) / 7 / 16 * 16 + 16);
    qnt_context_destroy(context);
}

/* Sums of longer blocks need not fit int32: such layers decode both sides. */
static void longest_block(void)
{
    qnt_context *context = check_context();
    const layer_format u8 = {.kind = STATIC, .bits = 8, .scale = 1.0f};
    qnt_quantizer *in = make_quantizer(context, &u8), *q;
    const qnt_layer_spec dense = {.size = sizeof dense};
    for (int64_t block = 65536; block <= 65536 + 16; block += 16) {
        qnt_layer *layer;
        float *w = calloc((size_t)block + 16, sizeof *w);
        const qnt_spec spec = {.size = sizeof spec, .bits = 8, .flags = QNT_SIGNED | QNT_SYMMETRIC,
                               .grain = QNT_PER_BLOCK, .axis = 1, .block = block};
        OK(qnt_quantizer_create(context, &spec, &q));
        OK(qnt_quantizer_set(context, q, QNT_P_SCALE, (double[]){1, 1}, 2));
        OK(qnt_layer_create(context, &dense, TENSOR(w, QNT_FLOAT, 32, 1, block + 16), q, NULL, in, NULL,
                            &layer));
        CHECK(layer->head.arithmetic == (block == 65536 ? QNT__BLOCKS : QNT__DECODE));
        qnt_layer_destroy(layer), qnt_quantizer_destroy(q);
        free(w);
    }
    qnt_quantizer_destroy(in);
    qnt_context_destroy(context);
}

static void refused(void)
{
    qnt_context *context = check_context();
    float w[2 * 48] = {0};
    qnt_layer *layer;
    const layer_format u8 = {.kind = STATIC, .bits = 8, .scale = 1.0f};
    qnt_quantizer *in = make_quantizer(context, &u8), *q;
    qnt_spec spec = {
        .size = sizeof spec, .bits = 4, .grain = QNT_PER_BLOCK, .axis = 1, .block = 24};
    qnt_layer_spec dense = {.size = sizeof dense};
    double scale = 1;

    OK(qnt_quantizer_create(context, &spec, &q));
    OK(qnt_quantizer_set(context, q, QNT_P_SCALE, (double[]){1, 1, 1, 1}, 4));
    FAILS(qnt_layer_create(context, &dense, TENSOR(w, QNT_FLOAT, 32, 2, 72), q, NULL, in, NULL,
                           &layer),
          QNT_E_SHAPE, "weight_q has 4 groups, expected 6");
    qnt_quantizer_destroy(q);

    spec.axis = 0, spec.block = 16;
    OK(qnt_quantizer_create(context, &spec, &q));
    OK(qnt_quantizer_set(context, q, QNT_P_SCALE, &scale, 1));
    FAILS(qnt_layer_create(context, &dense, TENSOR(w, QNT_FLOAT, 32, 2, 48), q, NULL, in, NULL,
                           &layer),
          QNT_E_UNSUPPORTED, "expected axis 1");
    qnt_quantizer_destroy(q);
    qnt_quantizer_destroy(in);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(integer_input);
    RUN(float_input);
    RUN(dynamic_input);
    RUN(odd_block_of_floats);
    RUN(single_block);
    RUN(long_sums);
    RUN(longest_block);
    RUN(refused);
    return DONE;
}
