/*
 * ONNX QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, bit for bit, against frozen bytes.
 * onnx_vectors.py made them and compares them with ONNX Runtime.
 */
#include "check.h"

enum { ROWS = 5, COLUMNS = 11, COUNT = ROWS * COLUMNS };

struct onnx_case {
    const char *name;
    int x_code, x_bits, bits, is_signed, grain, axis, block, groups;
    uint32_t x[COUNT];     /* raw bits */
    uint32_t scale[15];    /* float32 */
    int zero[15];
    uint8_t codes[2 * COUNT]; /* packed */
    uint32_t y[COUNT];     /* raw bits */
};

struct onnx_dynamic {
    int count;
    uint32_t scale;
    int zero;
    uint32_t x[256];
    uint8_t codes[256];
};

#include "onnx_vectors.h"

/* Raw bits as 16- or 32-bit elements. */
static void store(const uint32_t *raw, int bits, uint8_t *out)
{
    for (int i = 0; i < COUNT; i++) {
        uint16_t half = (uint16_t)raw[i];
        memcpy(out + i * (bits / 8), bits == 32 ? (const void *)&raw[i] : &half, (size_t)bits / 8);
    }
}

static void one_case(qnt_context *c, const struct onnx_case *v)
{
    qnt_spec spec = {.size = sizeof spec, .bits = v->bits, .flags = v->is_signed ? QNT_SIGNED : 0,
                     .grain = v->grain, .axis = v->axis, .block = v->block};
    qnt_quantizer *q;
    double scale[15], zero[15];
    for (int g = 0; g < v->groups; g++) {
        float s;
        memcpy(&s, &v->scale[g], sizeof s);
        scale[g] = (double)s;
        zero[g] = v->zero[g];
    }
    OK(qnt_quantizer_create(c, &spec, &q));
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, scale, (size_t)v->groups));
    OK(qnt_quantizer_set(c, q, QNT_P_ZERO, zero, (size_t)v->groups));

    uint8_t x[4 * COUNT], y[4 * COUNT], expected[4 * COUNT], packed[2 * COUNT], wide[COUNT];
    int type = v->is_signed ? QNT_INT : QNT_UINT;
    size_t bytes = ((size_t)COUNT * (size_t)v->bits + 7) / 8, size = (size_t)v->x_bits / 8 * COUNT;
    store(v->x, v->x_bits, x);
    store(v->y, v->x_bits, expected);
    memset(packed, 0, sizeof packed);
    qnt_tensor *from = TENSOR(x, v->x_code, v->x_bits, ROWS, COLUMNS);
    qnt_tensor *to = TENSOR(y, v->x_code, v->x_bits, ROWS, COLUMNS);
    qnt_tensor *codes = TENSOR(packed, type, v->bits, ROWS, COLUMNS);
    OK(qnt_quantizer_encode(c, q, from, codes));
    CHECK_MSG(!memcmp(packed, v->codes, bytes), "codes of %s", v->name);
    OK(qnt_quantizer_decode(c, q, codes, to));
    CHECK_MSG(!memcmp(y, expected, size), "values of %s", v->name);
    OK(qnt_quantizer_apply(c, q, from, to));
    CHECK_MSG(!memcmp(y, expected, size), "applied values of %s", v->name);

    if (v->bits < 8) { /* one code per byte */
        qnt_tensor *loose = TENSOR(wide, type, 8, ROWS, COLUMNS);
        OK(qnt_quantizer_encode(c, q, from, loose));
        memset(y, 0, sizeof y);
        OK(qnt_quantizer_decode(c, q, loose, to));
        CHECK_MSG(!memcmp(y, expected, size), "unpacked %s", v->name);
    }
    qnt_quantizer_destroy(q);
}

static void quantize_linear(void)
{
    uint64_t levels[] = {0, UINT64_MAX};
    for (int k = 0; k < 2; k++) {
        qnt_context *c = check_context();
        OK(qnt_context_set_cpu(c, levels[k]));
        for (size_t i = 0; i < sizeof onnx_cases / sizeof onnx_cases[0]; i++) {
            one_case(c, &onnx_cases[i]);
        }
        qnt_context_destroy(c);
    }
}

static void dynamic_quantize_linear(void)
{
    qnt_context *c = check_context();
    for (size_t i = 0; i < sizeof onnx_dynamic_cases / sizeof onnx_dynamic_cases[0]; i++) {
        const struct onnx_dynamic *v = &onnx_dynamic_cases[i];
        qnt_spec spec = {.size = sizeof spec, .method = QNT_MINMAX};
        qnt_quantizer *q, *dynamic;
        float scale, y[256], z[256];
        uint8_t codes[256];
        double value;
        size_t count;
        OK(qnt_quantizer_create(c, &spec, &q));
        OK(qnt_quantizer_observe(c, q, TENSOR(v->x, QNT_FLOAT, 32, v->count), NULL));
        OK(qnt_quantizer_fit(c, q));
        memcpy(&scale, &v->scale, sizeof scale);
        OK(qnt_quantizer_get(c, q, QNT_P_SCALE, &value, 1, &count));
        CHECK_MSG((float)value == scale, "case %zu: scale %g, expected %g", i, value, (double)scale);
        OK(qnt_quantizer_get(c, q, QNT_P_ZERO, &value, 1, &count));
        CHECK_MSG((int)value == v->zero, "case %zu: zero %g, expected %d", i, value, v->zero);
        OK(qnt_quantizer_encode(c, q, TENSOR(v->x, QNT_FLOAT, 32, v->count),
                                TENSOR(codes, QNT_UINT, 8, v->count)));
        CHECK_MSG(!memcmp(codes, v->codes, (size_t)v->count), "case %zu", i);

        spec.flags = QNT_DYNAMIC; /* the same without a fit */
        OK(qnt_quantizer_create(c, &spec, &dynamic));
        OK(qnt_quantizer_apply(c, q, TENSOR(v->x, QNT_FLOAT, 32, v->count),
                               TENSOR(y, QNT_FLOAT, 32, v->count)));
        OK(qnt_quantizer_apply(c, dynamic, TENSOR(v->x, QNT_FLOAT, 32, v->count),
                               TENSOR(z, QNT_FLOAT, 32, v->count)));
        CHECK(!memcmp(y, z, (size_t)v->count * sizeof *y));
        qnt_quantizer_destroy(q);
        qnt_quantizer_destroy(dynamic);
    }
    qnt_context_destroy(c);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(quantize_linear);
    RUN(dynamic_quantize_linear);
    return DONE;
}
