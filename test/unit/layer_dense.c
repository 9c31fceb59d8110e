/* Dense layers against the naive reference: every type of input, output and weight. */
#include "layer_case.h"

static void random_layers(int input, int count)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(count); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_dense(input);
        layer_case_check(context, &c, 0);
    }
    qnt_context_destroy(context);
}

static void integer_input(void)
{
    random_layers(STATIC, 600);
}
static void float_input(void)
{
    random_layers(ABSENT, 300);
}
static void dynamic_input(void)
{
    random_layers(DYNAMIC, 300);
}

/* Rows and large weights enough for rows to be prepared and finished a few at a time (slots_prepared.h). */
static void many_rows(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(60); i++) {
        qnt_context_set_cpu(context, cpu_level(i));
        layer_case c = random_dense(random_in(0, 1) ? STATIC : DYNAMIC);
        c.width = random_in(16, random_in(0, 3) ? 100 : 400);
        c.channels = random_in(1, 60);
        c.outputs = random_in(64, 150);
        c.wbits = 8;
        c.weight_codes = true;
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
    RUN(many_rows);
    return DONE;
}
