/* Checked views: legality, byte ranges, self-overlap, and runs of every element type and stride. */
#include "check.h"

#include "context/context.h"
#include "tensor/view.h"

static qnt_context *c;

static void legal(void)
{
    float x[24];
    OK(qnt_tensor_check(c, TENSOR(x, QNT_FLOAT, 32, 2, 3, 4)));
    check_tensor scalar = {0};
    OK(qnt_tensor_check(c, check_view(&scalar, x, QNT_FLOAT, 32, 0, NULL)));
    qnt_tensor *empty = TENSOR(NULL, QNT_UINT, 4, 5, 0);
    OK(qnt_tensor_check(c, empty));
    qnt_tensor *no_strides = TENSOR(x, QNT_FLOAT, 32, 2, 3, 4);
    no_strides->strides = NULL;
    OK(qnt_tensor_check(c, no_strides));
}

static void illegal(void)
{
    float x[24];
    CHECK(qnt_tensor_check(NULL, TENSOR(x, QNT_FLOAT, 32, 2)) == QNT_E_INVALID);
    FAILS(qnt_tensor_check(c, NULL), QNT_E_INVALID, "tensor is NULL");
    FAILS(qnt_tensor_check(c, TENSOR(NULL, QNT_FLOAT, 32, 2)), QNT_E_INVALID, "data is NULL");
    FAILS(qnt_tensor_check(c, TENSOR(x, QNT_FLOAT, 64, 2)), QNT_E_DTYPE, "float64");
    FAILS(qnt_tensor_check(c, TENSOR(x, QNT_INT, 9, 2)), QNT_E_DTYPE, "int9");
    FAILS(qnt_tensor_check(c, TENSOR(x, QNT_INT, 0, 2)), QNT_E_DTYPE, "int0");
    FAILS(qnt_tensor_check(c, TENSOR(x, 7, 32, 2)), QNT_E_DTYPE,
          "dtype_code is 7, which is unknown");
    FAILS(qnt_tensor_check(c, TENSOR(x, QNT_FLOAT, 32, 2, -3)), QNT_E_SHAPE, "extent 1 is -3");
    FAILS(qnt_tensor_check(c, TENSOR(x, QNT_FLOAT, 32, INT64_MAX, INT64_MAX)), QNT_E_SHAPE,
          "overflow");

    qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, 2, 3);
    t->device_type = 2;
    FAILS(qnt_tensor_check(c, t), QNT_E_DEVICE, "device_type is 2");
    t = TENSOR(x, QNT_FLOAT, 32, 2, 3);
    t->dtype_lanes = 4;
    FAILS(qnt_tensor_check(c, t), QNT_E_DTYPE, "dtype_lanes is 4, expected 1");
    t = TENSOR(x, QNT_FLOAT, 32, 2, 3);
    t->ndim = 9;
    FAILS(qnt_tensor_check(c, t), QNT_E_SHAPE, "ndim is 9");
    t->ndim = -1;
    FAILS(qnt_tensor_check(c, t), QNT_E_SHAPE, "ndim is -1");
    t = TENSOR(x, QNT_FLOAT, 32, 2, 3);
    t->shape = NULL;
    FAILS(qnt_tensor_check(c, t), QNT_E_INVALID, "shape is NULL");
    t = TENSOR(x, QNT_FLOAT, 32, 2, 3);
    t->strides[0] = INT64_MIN;
    FAILS(qnt_tensor_check(c, t), QNT_E_SHAPE, "overflow");
}

/* Element numbers and the bytes of any type are numbers of the machine, even where every element is the
 * same one. */
static void most_elements(void)
{
    const int64_t most = PTRDIFF_MAX / 32,
                  wraps = sizeof(size_t) > 4 ? INT64_MAX : INT64_C(1) << 32;
    float x = 0;
    const struct {
        int64_t shape[2];
        bool fits;
    } cases[] = {{{1, most}, true},          {{1, most + 1}, false},
                 {{2, most / 2 + 1}, false}, {{1, wraps}, false},
                 {{wraps / 2, 2}, false},    {{0, most + 1}, true},
                 {{0, PTRDIFF_MAX}, true},   {{wraps, 0}, wraps == PTRDIFF_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_tensor t = {0};
        check_view(&t, &x, QNT_FLOAT, 32, 2, cases[i].shape);
        t.strides[0] = t.strides[1] = 0;
        if (cases[i].fits)
            CHECK_MSG(qnt_tensor_check(c, &t.t) == QNT_OK, "case %zu", i);
        else
            FAILS(qnt_tensor_check(c, &t.t), QNT_E_SHAPE, "overflow");
    }
}

static void bytes(void)
{
    float x[24];
    uint64_t size = 99;
    OK(qnt_tensor_bytes(c, TENSOR(x, QNT_FLOAT, 32, 2, 3, 4), &size));
    CHECK(size == 96);
    OK(qnt_tensor_bytes(c, TENSOR(x, QNT_UINT, 3, 11), &size));
    CHECK(size == 5); /* 33 bits */
    OK(qnt_tensor_bytes(c, TENSOR(NULL, QNT_UINT, 3, 0), &size));
    CHECK(size == 0);
    qnt_tensor *backwards = TENSOR(x, QNT_UINT, 3, 11);
    backwards->strides[0] = -1;
    OK(qnt_tensor_bytes(c, backwards, &size));
    CHECK(size == 5); /* elements -10..0: bits -30..2 */
    FAILS(qnt_tensor_bytes(c, TENSOR(x, QNT_FLOAT, 32, 2), NULL), QNT_E_INVALID, "bytes is NULL");
}

static void shared_memory(void)
{
    float x[64];
    struct qnt__view view;
    qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, 4, 4);
    t->strides[0] = 3; /* rows of 4 overlap by one */
    OK(qnt__view_open(c, "x", t, QNT__FLOATS, &view));
    FAILS(qnt__view_open_output(c, "x", t, QNT__FLOATS, &view), QNT_E_SHAPE, "share memory");
    t->strides[0] = 0;
    FAILS(qnt__view_open_output(c, "x", t, QNT__FLOATS, &view), QNT_E_SHAPE, "share memory");
    t->strides[0] = 1, t->strides[1] = 4; /* transposed */
    OK(qnt__view_open_output(c, "x", t, QNT__FLOATS, &view));
    t->strides[0] = -9, t->strides[1] = 2;
    t->data = x + 40;
    OK(qnt__view_open_output(c, "x", t, QNT__FLOATS, &view));
}

/* Elements written through a view come back, and nothing beside them changes. */
static void check_runs(int code, int bits, int64_t at, int64_t step, size_t n)
{
    enum { SIZE = 4096 };
    static uint8_t memory[SIZE], before[SIZE];
    uint8_t in[64], out[64];
    float fin[64], fout[64];

    for (size_t i = 0; i < SIZE; i++) memory[i] = before[i] = (uint8_t)random_u64();
    qnt_tensor *t = TENSOR(memory + SIZE / 2 + (random_u64() & 1), code, bits, 1);
    struct qnt__view view;
    OK(qnt__view_open(c, "t", t, QNT__ANY, &view));
    bool codes = code == QNT_INT || code == QNT_UINT;
    for (size_t i = 0; i < n; i++) {
        uint8_t raw = (uint8_t)(random_u64() & ((1u << bits % 9) - 1));
        if (bits == 8) raw = (uint8_t)random_u64();
        in[i] =
            code == QNT_INT && codes ? (uint8_t)((int8_t)(raw << (8 - bits)) >> (8 - bits)) : raw;
        fin[i] = (float)random_in(-128, 127); /* exact in every float type */
    }
    if (codes) {
        qnt__write_codes(&c->simd, &view, at, step, n, in);
        qnt__read_codes(&c->simd, &view, at, step, n, out);
        CHECK_MSG(!memcmp(in, out, n), "%d bits at %d step %d", bits, (int)at, (int)step);
    } else {
        qnt__write_f32(&c->simd, &view, at, step, n, fin);
        qnt__read_f32(&c->simd, &view, at, step, n, fout);
        CHECK_MSG(!memcmp(fin, fout, n * sizeof *fin), "float %d at %d step %d", bits, (int)at,
                  (int)step);
    }
    /* writing the old codes back must restore every byte */
    for (size_t i = 0; i < n; i++) {
        for (int b = 0; b < bits; b++) {
            int64_t bit = ((int64_t)(view.data - memory) * 8) + (at + (int64_t)i * step) * bits + b;
            uint8_t mask = (uint8_t)(1u << (bit & 7));
            memory[bit >> 3] = (uint8_t)((memory[bit >> 3] & ~mask) | (before[bit >> 3] & mask));
        }
    }
    CHECK_MSG(!memcmp(memory, before, SIZE), "%d bits at %d step %d", bits, (int)at, (int)step);
}

static void runs(void)
{
    for (int repeat = 0; repeat < 200; repeat++) {
        int64_t at = random_in(-40, 40), step = random_in(0, 2) ? 1 : random_in(-5, 5);
        size_t n = (size_t)random_in(0, 60);
        if (step == 0) step = 1;
        for (int bits = 1; bits <= 8; bits++) {
            check_runs(QNT_INT, bits, at, step, n);
            check_runs(QNT_UINT, bits, at, step, n);
        }
        check_runs(QNT_FLOAT, 32, at, step, n);
        check_runs(QNT_FLOAT, 16, at, step, n);
        check_runs(QNT_BFLOAT, 16, at, step, n);
    }
}

static void rows(void)
{
    float x[24];
    struct qnt__view view;
    OK(qnt__view_open(c, "x", TENSOR(x, QNT_FLOAT, 32, 2, 3, 4), QNT__FLOATS, &view));
    CHECK(qnt__view_rows(&view) == 6 && qnt__view_row_length(&view) == 4);
    CHECK(qnt__view_row(&view, 5) == 20);
    CHECK(qnt__view_is_compact(&view));
    view.strides[1] = 5;
    CHECK(qnt__view_row(&view, 4) == 17);
    CHECK(!qnt__view_is_compact(&view));
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(legal);
    RUN(illegal);
    RUN(most_elements);
    RUN(bytes);
    RUN(shared_memory);
    RUN(runs);
    RUN(rows);
    qnt_context_destroy(c);
    return DONE;
}
