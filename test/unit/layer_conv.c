/* Convolutions against the naive reference: layouts, groups, shifts, strides, dilations, padding.
 */
#include "layer_case.h"

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

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(integer_input);
    RUN(float_input);
    RUN(dynamic_input);
    RUN(depthwise);
    RUN(zero_padding);
    return DONE;
}
