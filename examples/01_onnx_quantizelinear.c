/*
 * ONNX semantics: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, bit for bit.
 *
 * Introduces qnt_quantizer_set, qnt_quantizer_get, the methods QNT_FIXED and QNT_MINMAX. The
 * numbers are those of the operators' own test cases.
 */
#include <qnt.h>
#include <stdio.h>
#include <string.h>

enum { N = 6 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static int64_t shape[] = {N};

static qnt_tensor floats(float *data)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = 1, .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32, .dtype_lanes = 1, .shape = shape};
}

static qnt_tensor bytes(uint8_t *data)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = 1, .dtype_code = QNT_UINT,
                        .dtype_bits = 8, .dtype_lanes = 1, .shape = shape};
}

/* y = saturate(round_half_even(x / scale) + zero_point), and back */
static int quantize_linear(const qnt_context *context)
{
    float x[N] = {0, 2, 3, 1000, -254, -1000}, back[N];
    const uint8_t expected[N] = {128, 129, 130, 255, 1, 0};
    const float decoded[N] = {0, 2, 4, 254, -254, -256};
    uint8_t y[N];
    const double scale = 2, zero = 128;
    qnt_tensor in = floats(x), codes = bytes(y), out = floats(back);

    qnt_spec spec = {.size = sizeof spec, .method = QNT_FIXED, .bits = 8}; /* uint8, per tensor */
    qnt_quantizer *quantizer;
    TRY(qnt_quantizer_create(context, &spec, &quantizer));
    TRY(qnt_quantizer_set(context, quantizer, QNT_P_SCALE, &scale, 1));
    TRY(qnt_quantizer_set(context, quantizer, QNT_P_ZERO, &zero, 1));
    TRY(qnt_quantizer_encode(context, quantizer, &in, &codes));
    TRY(qnt_quantizer_decode(context, quantizer, &codes, &out));
    qnt_quantizer_destroy(quantizer);

    printf("QuantizeLinear       ");
    for (int i = 0; i < N; i++) printf(" %g->%d->%g", x[i], y[i], back[i]);
    printf("\n");
    return memcmp(y, expected, sizeof y) || memcmp(back, decoded, sizeof back);
}

/* The same with scale and zero point found from the data's range. */
static int dynamic_quantize_linear(const qnt_context *context)
{
    float x[N] = {0, 2, -3, -2.5f, 1.34f, 0.5f};
    const uint8_t expected[N] = {153, 255, 0, 26, 221, 179};
    uint8_t y[N];
    double scale, zero;
    size_t count;
    qnt_tensor in = floats(x), codes = bytes(y);

    qnt_spec spec = {.size = sizeof spec, .method = QNT_MINMAX, .bits = 8};
    qnt_quantizer *quantizer;
    TRY(qnt_quantizer_create(context, &spec, &quantizer));
    TRY(qnt_quantizer_observe(context, quantizer, &in, NULL));
    TRY(qnt_quantizer_fit(context, quantizer));
    TRY(qnt_quantizer_get(context, quantizer, QNT_P_SCALE, &scale, 1, &count));
    TRY(qnt_quantizer_get(context, quantizer, QNT_P_ZERO, &zero, 1, &count));
    TRY(qnt_quantizer_encode(context, quantizer, &in, &codes));
    qnt_quantizer_destroy(quantizer);

    printf("DynamicQuantizeLinear");
    for (int i = 0; i < N; i++) printf(" %g->%d", x[i], y[i]);
    printf("  (scale %.9g, zero point %g)\n", scale, zero);
    return memcmp(y, expected, sizeof y) || scale != 0.0196078438f || zero != 153;
}

int main(void)
{
    qnt_context *context;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    int wrong = quantize_linear(context) + dynamic_quantize_linear(context);
    qnt_context_destroy(context);
    printf("%s\n", wrong ? "NOT as expected" : "as expected");
    return wrong != 0;
}
