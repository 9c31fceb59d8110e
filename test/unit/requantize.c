/* qnt_requantize: every type and layout against the definition, and every bad argument. */
#include "check.h"
#include "strided.h"

static const struct { int code, bits; } types[] = {
    {QNT_INT, 16}, {QNT_UINT, 16}, {QNT_INT, 8}, {QNT_UINT, 8}, {QNT_INT, 7}, {QNT_UINT, 6},
    {QNT_INT, 5}, {QNT_INT, 4}, {QNT_UINT, 4}, {QNT_INT, 3}, {QNT_UINT, 2}, {QNT_INT, 1},
    {QNT_UINT, 1},
};

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* The definition, in the order of the formula: rounding, zero, clamp. */
static int32_t requantized(uint32_t acc, uint32_t bias, float scale, int32_t zero, int32_t low,
                           int32_t high)
{
    float product = (float)(int32_t)(acc + bias) * scale;
    double code = isnan(product) ? zero : nearbyint((double)product) + zero;
    return (int32_t)fmin(fmax(code, low), high);
}

static float random_scale(void)
{
    static const float special[] = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, 3e38f, 1e-45f, 0.5f, 1.0f};
    if (random_in(0, 9) == 0) return special[random_in(0, 8)];
    return (float)exp(random_gauss() * 3) * 0.01f;
}

static void one_case(qnt_context *c, int code, int bits)
{
    int64_t shape[QNT_MAX_NDIM];
    int ndim = (int)random_in(1, 4);
    for (int d = 0; d < ndim; d++) shape[d] = random_in(1, 8);
    shape[ndim - 1] = random_in(0, 9) ? random_in(1, 70) : random_in(500, 1200);
    int64_t n = shape[ndim - 1], scales = random_in(0, 2) ? n : 1;

    strided acc, bias, scale, y, expected;
    strided_random(&acc, QNT_INT, 32, ndim, shape);
    strided_random(&bias, QNT_INT, 32, 1, &n);
    strided_random(&scale, QNT_FLOAT, 32, 1, &scales);
    strided_random(&y, code, bits, ndim, shape);
    strided_copy(&expected, &y);
    for (size_t e = 0; e < scale.count; e++) strided_set(&scale, e, bits_of(random_scale()));
    if (random_in(0, 3)) { /* sums that do not all saturate */
        for (size_t e = 0; e < acc.count; e++) {
            strided_set(&acc, e, (uint32_t)random_in(-5000, 5000));
        }
        for (size_t e = 0; e < bias.count; e++) strided_set(&bias, e, (uint32_t)random_in(-9, 9));
    }

    bool has_bias = random_in(0, 1);
    int32_t least = code == QNT_INT ? -(1 << (bits - 1)) : 0, most = least + (1 << bits) - 1;
    int32_t zero = (int32_t)random_in(least, most), low = (int32_t)random_in(least, most);
    int32_t high = (int32_t)random_in(low, most);
    if (random_in(0, 1)) low = least, high = most;
    for (size_t e = 0; e < y.count; e++) {
        size_t j = e % (size_t)n;
        int32_t q =
            requantized(strided_get(&acc, e), has_bias ? strided_get(&bias, j) : 0,
                        float_of(strided_get(&scale, scales == 1 ? 0 : j)), zero, low, high);
        strided_set(&expected, e, (uint32_t)q);
    }
    CHECK(qnt_requantize(c, &acc.view.t, has_bias ? &bias.view.t : NULL, &scale.view.t, zero, low,
                         high, &y.view.t) == QNT_OK);
    CHECK_MSG(!memcmp(y.memory, expected.memory, y.size), "type %d %d, ndim %d, n %d", code, bits,
              ndim, (int)n);
    strided_free(&acc);
    strided_free(&bias);
    strided_free(&scale);
    strided_free(&y);
    strided_free(&expected);
}

static void layouts(void)
{
    qnt_context *c = check_context();
    for (int round = 0; round < CASES(60); round++) {
        qnt_context_set_cpu(c, round % 3 == 0 ? 0 : round % 3 == 1 ? QNT_CPU_AVX2 : UINT64_MAX);
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            one_case(c, types[k].code, types[k].bits);
        }
    }
    qnt_context_destroy(c);
}

/* Runs the pieces last to first, so that a piece that depended on another would show. */
static int32_t backwards(void *user, qnt_task_fn run, void *task, size_t count)
{
    *(size_t *)user = count;
    for (size_t i = count; i-- > 0;) run(task, i, i % 2);
    return 0;
}

static int32_t refuse(void *user, qnt_task_fn run, void *task, size_t count)
{
    (void)user, (void)run, (void)task, (void)count;
    return 3;
}

enum { ROWS = 4099, COLUMNS = 67 };

static void pieces(void)
{
    static int32_t acc[ROWS * COLUMNS];
    static uint8_t serial[ROWS * COLUMNS], parallel[ROWS * COLUMNS];
    qnt_context *c = check_context();
    float scale = 0.01f;
    size_t count = 0;
    for (size_t i = 0; i < ROWS * COLUMNS; i++) acc[i] = (int32_t)random_in(-20000, 20000);
    for (int bits = 3; bits <= 8; bits += 5) {
        size_t size = (ROWS * COLUMNS * (size_t)bits + 7) / 8;
        int32_t top = 1 << (bits - 1);
        memset(serial, 0, size);
        memset(parallel, 0, size);
        OK(qnt_context_set_parallel(c, NULL, NULL, 0));
        OK(qnt_requantize(c, TENSOR(acc, QNT_INT, 32, ROWS, COLUMNS), NULL,
                          TENSOR(&scale, QNT_FLOAT, 32, 1), 1, -top, top - 1,
                          TENSOR(serial, QNT_INT, bits, ROWS, COLUMNS)));
        OK(qnt_context_set_parallel(c, backwards, &count, 2));
        OK(qnt_requantize(c, TENSOR(acc, QNT_INT, 32, ROWS, COLUMNS), NULL,
                          TENSOR(&scale, QNT_FLOAT, 32, 1), 1, -top, top - 1,
                          TENSOR(parallel, QNT_INT, bits, ROWS, COLUMNS)));
        CHECK(count > 2);
        CHECK(!memcmp(serial, parallel, size));
    }
    OK(qnt_context_set_parallel(c, refuse, NULL, 2));
    FAILS(qnt_requantize(c, TENSOR(acc, QNT_INT, 32, ROWS, COLUMNS), NULL,
                         TENSOR(&scale, QNT_FLOAT, 32, 1), 0, -128, 127,
                         TENSOR(serial, QNT_INT, 8, ROWS, COLUMNS)), QNT_E_PARALLEL, "returned 3");
    qnt_context_destroy(c);
}

static void empty(void)
{
    qnt_context *c = check_context();
    OK(qnt_requantize(c, TENSOR(NULL, QNT_INT, 32, 3, 0), NULL, TENSOR(NULL, QNT_FLOAT, 32, 0), 0,
                      0, 255, TENSOR(NULL, QNT_UINT, 8, 3, 0)));
    qnt_context_destroy(c);
}

static int32_t sums[12], biases[6];
static float scales[6];
static uint8_t out[24];

#define ACC TENSOR(sums, QNT_INT, 32, 2, 6)
#define BIAS TENSOR(biases, QNT_INT, 32, 6)
#define SCALE TENSOR(scales, QNT_FLOAT, 32, 6)
#define Y TENSOR(out, QNT_INT, 8, 2, 6)

static void bad_numbers(void)
{
    qnt_context *c = check_context();
    memset(out, 77, sizeof out);
    CHECK(qnt_requantize(NULL, ACC, BIAS, SCALE, 0, -128, 127, Y) == QNT_E_INVALID);
    FAILS(qnt_requantize(c, NULL, BIAS, SCALE, 0, -128, 127, Y), QNT_E_INVALID, "acc is NULL");
    FAILS(qnt_requantize(c, ACC, BIAS, NULL, 0, -128, 127, Y), QNT_E_INVALID, "scale is NULL");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -128, 127, NULL), QNT_E_INVALID, "y is NULL");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 128, -128, 127, Y), QNT_E_INVALID, "zero is 128");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -129, 127, Y), QNT_E_INVALID, "low is -129");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -128, 128, Y), QNT_E_INVALID, "high is 128");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, 5, 4, Y), QNT_E_INVALID, "high is 4, expected 5");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -5, 7, TENSOR(out, QNT_INT, 3, 2, 6)),
          QNT_E_INVALID, "low is -5, expected -4 to 3");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, -1, 0, 7, TENSOR(out, QNT_UINT, 3, 2, 6)),
          QNT_E_INVALID, "zero is -1, expected 0 to 7");
    for (size_t i = 0; i < sizeof out; i++) CHECK(out[i] == 77);
    qnt_context_destroy(c);
}

static void bad_views(void)
{
    qnt_context *c = check_context();
    int64_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    memset(out, 77, sizeof out);
    FAILS(qnt_requantize(c, TENSOR(sums, QNT_FLOAT, 32, 2, 6), BIAS, SCALE, 0, -128, 127, Y),
          QNT_E_DTYPE, "acc");
    FAILS(qnt_requantize(c, ACC, TENSOR(biases, QNT_INT, 16, 6), SCALE, 0, -128, 127, Y),
          QNT_E_DTYPE, "bias");
    FAILS(qnt_requantize(c, ACC, BIAS, TENSOR(scales, QNT_FLOAT, 16, 6), 0, -128, 127, Y),
          QNT_E_DTYPE, "scale");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -128, 127, TENSOR(out, QNT_FLOAT, 16, 2, 6)),
          QNT_E_DTYPE, "y");
    FAILS(qnt_requantize(c, ACC, TENSOR(biases, QNT_INT, 32, 5), SCALE, 0, -128, 127, Y),
          QNT_E_SHAPE, "bias");
    FAILS(qnt_requantize(c, ACC, TENSOR(biases, QNT_INT, 32, 1), SCALE, 0, -128, 127, Y),
          QNT_E_SHAPE, "bias");
    FAILS(qnt_requantize(c, ACC, BIAS, TENSOR(scales, QNT_FLOAT, 32, 1, 6), 0, -128, 127, Y),
          QNT_E_SHAPE, "scale: 2 dimensions");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -128, 127, TENSOR(out, QNT_INT, 8, 12)),
          QNT_E_SHAPE, "y: ndim is 1, expected 2 as in acc");

    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -128, 127, TENSOR(sums, QNT_INT, 8, 2, 6)),
          QNT_E_INVALID, "y: overlaps acc");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -128, 127, TENSOR(biases, QNT_INT, 8, 2, 6)),
          QNT_E_INVALID, "y: overlaps bias");
    FAILS(qnt_requantize(c, ACC, BIAS, SCALE, 0, -128, 127, TENSOR(scales, QNT_INT, 8, 2, 6)),
          QNT_E_INVALID, "y: overlaps scale");

    qnt_tensor scalar = *ACC, wide = *ACC, broken = *Y;
    scalar.ndim = 0;
    FAILS(qnt_requantize(c, &scalar, NULL, SCALE, 0, -128, 127, Y), QNT_E_SHAPE, "acc: ndim is 0");
    scalar = *SCALE;
    scalar.ndim = 0;
    FAILS(qnt_requantize(c, ACC, NULL, &scalar, 0, -128, 127, Y), QNT_E_SHAPE, "scale: 0 dim");
    wide.ndim = 9, wide.shape = nine, wide.strides = NULL;
    FAILS(qnt_requantize(c, &wide, NULL, SCALE, 0, -128, 127, Y), QNT_E_SHAPE, "acc: ndim is 9");
    broken.device_type = 2;
    FAILS(qnt_requantize(c, ACC, NULL, SCALE, 0, -128, 127, &broken), QNT_E_DEVICE, "y: device");
    broken = *Y;
    broken.strides = (int64_t[]){5, 1};
    FAILS(qnt_requantize(c, ACC, NULL, SCALE, 0, -128, 127, &broken), QNT_E_SHAPE, "y: strides");
    broken = *ACC;
    broken.shape = (int64_t[]){2, -6};
    FAILS(qnt_requantize(c, &broken, NULL, SCALE, 0, -128, 127, Y), QNT_E_SHAPE, "extent 1 is -6");
    broken.shape = (int64_t[]){INT64_MAX / 2, INT64_MAX / 2};
    broken.strides = NULL;
    FAILS(qnt_requantize(c, &broken, NULL, SCALE, 0, -128, 127, Y), QNT_E_SHAPE, "overflow");
    broken = *ACC;
    broken.data = NULL;
    FAILS(qnt_requantize(c, &broken, NULL, SCALE, 0, -128, 127, Y), QNT_E_INVALID, "acc: data");
    for (size_t i = 0; i < sizeof out; i++) CHECK(out[i] == 77);
    qnt_context_destroy(c);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(layouts);
    RUN(pieces);
    RUN(empty);
    RUN(bad_numbers);
    RUN(bad_views);
    return DONE;
}
