/* qnt_shuffle_cyclic: every type and layout against the definition, and every bad argument. */
#include "check.h"
#include "strided.h"

static const struct { int code, bits; } types[] = {
    {QNT_FLOAT, 32}, {QNT_FLOAT, 16}, {QNT_BFLOAT, 16}, {QNT_INT, 32}, {QNT_INT, 16}, {QNT_UINT, 16},
    {QNT_INT, 8}, {QNT_UINT, 7}, {QNT_INT, 6}, {QNT_INT, 5}, {QNT_UINT, 4}, {QNT_INT, 4},
    {QNT_INT, 3}, {QNT_INT, 2}, {QNT_UINT, 1},
};

/* Element of x that the definition puts at `element` of y. */
static size_t source(const int64_t *shape, int ndim, int axis, int groups, int shift, size_t element)
{
    size_t inner = 1, channels = (size_t)shape[axis], each = channels / (size_t)groups;
    for (int d = axis + 1; d < ndim; d++) inner *= (size_t)shape[d];
    size_t channel = element / inner % channels, group = channel / each;
    size_t from = (group + (size_t)shift) % (size_t)groups * each + channel % each;
    return element - channel * inner + from * inner;
}

static void one_case(qnt_context *c, int code, int bits)
{
    int64_t shape[QNT_MAX_NDIM];
    int ndim = (int)random_in(1, 4), axis = (int)random_in(0, ndim - 1);
    int groups = (int)random_in(1, 5), shift = (int)random_in(0, groups - 1);
    for (int d = 0; d < ndim; d++) shape[d] = random_in(1, 9);
    shape[axis] = groups * random_in(1, 9);
    if (random_in(0, 9) == 0) shape[random_in(0, ndim - 1)] *= 60;

    strided x, y, expected;
    strided_random(&x, code, bits, ndim, shape);
    strided_random(&y, code, bits, ndim, shape);
    strided_copy(&expected, &y);
    for (size_t e = 0; e < y.count; e++) {
        size_t from = source(shape, ndim, axis, groups, shift, e);
        strided_set(&expected, e, strided_get(&x, from));
    }
    int given = random_in(0, 1) ? axis : axis - ndim;
    CHECK(qnt_shuffle_cyclic(c, &x.view.t, given, groups, shift, &y.view.t) == QNT_OK);
    CHECK_MSG(!memcmp(y.memory, expected.memory, y.size), "%d bits, axis %d of %d, groups %d, shift %d",
              bits, axis, ndim, groups, shift);
    strided_free(&x);
    strided_free(&y);
    strided_free(&expected);
}

static void layouts(void)
{
    qnt_context *c = check_context();
    for (int round = 0; round < CASES(60); round++) {
        qnt_context_set_cpu(c, round & 1 ? UINT64_MAX : 0);
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            one_case(c, types[k].code, types[k].bits);
        }
    }
    qnt_context_destroy(c);
}

static void empty(void)
{
    qnt_context *c = check_context();
    OK(qnt_shuffle_cyclic(c, TENSOR(NULL, QNT_INT, 8, 0, 6), 1, 3, 2, TENSOR(NULL, QNT_INT, 8, 0, 6)));
    OK(qnt_shuffle_cyclic(c, TENSOR(NULL, QNT_INT, 8, 0), 0, 3, 2, TENSOR(NULL, QNT_INT, 8, 0)));
    qnt_context_destroy(c);
}

static void bad_numbers(void)
{
    qnt_context *c = check_context();
    uint8_t a[12], b[12];
    qnt_tensor *x = TENSOR(a, QNT_INT, 8, 2, 6), *y = TENSOR(b, QNT_INT, 8, 2, 6);
    memset(b, 77, sizeof b);
    CHECK(qnt_shuffle_cyclic(NULL, x, 1, 3, 0, y) == QNT_E_INVALID);
    FAILS(qnt_shuffle_cyclic(c, NULL, 1, 3, 0, y), QNT_E_INVALID, "x is NULL");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 0, NULL), QNT_E_INVALID, "y is NULL");
    FAILS(qnt_shuffle_cyclic(c, x, 2, 3, 0, y), QNT_E_INVALID, "axis is 2");
    FAILS(qnt_shuffle_cyclic(c, x, -3, 3, 0, y), QNT_E_INVALID, "axis is -3");
    FAILS(qnt_shuffle_cyclic(c, x, INT32_MIN, 3, 0, y), QNT_E_INVALID, "axis");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 0, 0, y), QNT_E_INVALID, "groups is 0");
    FAILS(qnt_shuffle_cyclic(c, x, 1, -2, 0, y), QNT_E_INVALID, "groups is -2");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 4, 0, y), QNT_E_SHAPE, "expected a divisor of extent 6");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 3, y), QNT_E_INVALID, "shift is 3, expected 0 to 2");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, -1, y), QNT_E_INVALID, "shift is -1");
    for (int i = 0; i < 12; i++) CHECK(b[i] == 77);
    qnt_context_destroy(c);
}

static void bad_views(void)
{
    qnt_context *c = check_context();
    uint8_t a[24], b[24];
    int64_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    memset(b, 77, sizeof b);
    qnt_tensor *x = TENSOR(a, QNT_INT, 8, 2, 6), *y = TENSOR(b, QNT_INT, 8, 2, 6);

    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, TENSOR(b, QNT_UINT, 8, 2, 6)), QNT_E_DTYPE, "y");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, TENSOR(b, QNT_INT, 4, 2, 6)), QNT_E_DTYPE, "y");
    FAILS(qnt_shuffle_cyclic(c, TENSOR(a, QNT_FLOAT, 8, 2, 6), 1, 3, 1, y), QNT_E_DTYPE, "x");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, TENSOR(b, QNT_INT, 8, 2, 7)), QNT_E_SHAPE,
          "y: extent 1 is 7");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, TENSOR(b, QNT_INT, 8, 12)), QNT_E_SHAPE,
          "y: ndim is 1");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, x), QNT_E_INVALID, "y: overlaps x");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, TENSOR(a + 11, QNT_INT, 8, 2, 6)), QNT_E_INVALID,
          "overlaps");
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, TENSOR(NULL, QNT_INT, 8, 2, 6)), QNT_E_INVALID,
          "y: data is NULL");

    qnt_tensor scalar = *x, wide = *x, broken = *y;
    scalar.ndim = 0;
    FAILS(qnt_shuffle_cyclic(c, &scalar, 0, 1, 0, y), QNT_E_SHAPE, "x: ndim is 0");
    wide.ndim = 9, wide.shape = nine, wide.strides = NULL;
    FAILS(qnt_shuffle_cyclic(c, &wide, 0, 1, 0, y), QNT_E_SHAPE, "x: ndim is 9");
    broken.device_type = 2;
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, &broken), QNT_E_DEVICE, "y: device_type is 2");
    broken = *y;
    broken.strides = (int64_t[]){1, 1};
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, &broken), QNT_E_SHAPE, "y: strides");
    broken = *y;
    broken.shape = (int64_t[]){-2, 6};
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, &broken), QNT_E_SHAPE, "y: extent 0 is -2");
    broken.shape = (int64_t[]){INT64_MAX, 6};
    broken.strides = NULL;
    FAILS(qnt_shuffle_cyclic(c, x, 1, 3, 1, &broken), QNT_E_SHAPE, "overflow");
    for (int i = 0; i < 24; i++) CHECK(b[i] == 77);
    qnt_context_destroy(c);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(layouts);
    RUN(empty);
    RUN(bad_numbers);
    RUN(bad_views);
    return DONE;
}
