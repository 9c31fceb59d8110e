/* qnt_gemm_s8 against a plain loop over int64. */
#include "check.h"
#include "context/context.h"
#include "tensor/view.h"

/* A view of m x k elements, transposed or with gaps if asked, in guarded memory. */
typedef struct operand {
    guarded block;
    int64_t shape[2], strides[2];
    qnt_tensor t;
    int32_t *values; /* [m][k] */
    int32_t low, high;
} operand;

static operand operand_new(const qnt_context *context, int64_t m, int64_t k, int code, int bits,
                           int layout)
{
    operand o = {.shape = {m, k}};
    int64_t gap = layout == 2 ? 3 : 0;
    o.strides[0] = layout == 1 ? 1 : k + gap;
    o.strides[1] = layout == 1 ? m : 1;
    size_t reach = m && k ? (size_t)((m - 1) * o.strides[0] + (k - 1) * o.strides[1] + 1) : 0;
    o.block = guard((reach * (size_t)bits + 7) / 8, true);
    o.t = (qnt_tensor){.data = o.block.data, .device_type = 1, .ndim = 2, .dtype_lanes = 1,
                       .dtype_code = (uint8_t)code, .dtype_bits = (uint8_t)bits};
    o.low = code == QNT_INT ? (int32_t)-(INT64_C(1) << (bits - 1)) : 0;
    o.high = (int32_t)(o.low + (INT64_C(1) << bits) - 1);
    o.values = calloc((size_t)(m * k) + 1, 4);
    o.t.shape = o.shape;
    o.t.strides = o.strides;
    struct qnt__view view;
    if (bits > 8) return o;
    if (qnt__view_open(context, "operand", &o.t, QNT__CODES, &view) != QNT_OK) exit(2);
    for (int64_t i = 0; i < m * k; i++) {
        int32_t v = (int32_t)(random_in(0, 9) ? random_in(o.low, o.high)
                                              : random_in(0, 1) ? o.low : o.high);
        uint8_t byte = (uint8_t)v;
        o.values[i] = v;
        qnt__write_codes(&context->simd, &view, i / k * o.strides[0] + i % k * o.strides[1], 1, 1,
                         &byte);
    }
    return o;
}

static void operand_free(operand *o)
{
    unguard(&o->block);
    free(o->values);
}

static void relocate(operand *o)
{
    o->t.shape = o->shape;
    o->t.strides = o->strides;
}

static void one_case(const qnt_context *context, int64_t m, int64_t n, int64_t k, int a_code,
                     int b_code, int b_bits)
{
    operand a = operand_new(context, m, k, a_code, 8, (int)random_in(0, 2));
    operand b = operand_new(context, n, k, b_code, b_bits, (int)random_in(0, 2));
    operand c = operand_new(context, m, n, QNT_INT, 32, (int)random_in(0, 2));
    relocate(&a), relocate(&b), relocate(&c);
    int32_t a_zero = (int32_t)random_in(a.low, a.high), zeros[256];
    int64_t kind = random_in(0, 2), zero_count = kind == 2 ? n : 1; /* none, one, all */
    for (int64_t j = 0; j < zero_count; j++) zeros[j] = (int32_t)random_in(b.low, b.high);

    qnt_status status = qnt_gemm_s8(context, &a.t, a_zero, &b.t,
                                    kind ? TENSOR(zeros, QNT_INT, 32, zero_count) : NULL, &c.t);
    CHECK_MSG(status == QNT_OK, "%s", check_reason);
    for (int64_t i = 0; status == QNT_OK && i < m * n; i++) {
        const int32_t *x = a.values + i / n * k, *w = b.values + i % n * k;
        int64_t want = 0, zero = kind == 0 ? 0 : zeros[kind == 1 ? 0 : i % n];
        for (int64_t j = 0; j < k; j++) want += (int64_t)(x[j] - a_zero) * (w[j] - zero);
        int32_t got;
        memcpy(&got, c.block.data + 4 * (i / n * c.strides[0] + i % n * c.strides[1]), 4);
        CHECK_MSG(got == (int32_t)(uint32_t)(uint64_t)want, "%lldx%lldx%lld element %lld",
                  (long long)m, (long long)n, (long long)k, (long long)i);
    }
    operand_free(&a), operand_free(&b), operand_free(&c);
}

static void random_products(void)
{
    qnt_context *context = check_context();
    for (int i = 0; i < CASES(300); i++) {
        int bits = (int)random_in(1, 8), large = i % 20 == 0;
        one_case(context, random_in(1, large ? 500 : 30), random_in(1, large ? 140 : 80),
                 random_in(1, i % 7 == 0 ? 1100 : 70), (int)random_in(0, 1), (int)random_in(0, 1),
                 bits);
    }
    qnt_context_destroy(context);
}

static void nothing(void)
{
    qnt_context *context = check_context();
    one_case(context, 3, 5, 0, QNT_INT, QNT_INT, 4);
    one_case(context, 0, 5, 4, QNT_UINT, QNT_INT, 8);
    one_case(context, 3, 0, 4, QNT_UINT, QNT_UINT, 3);
    qnt_context_destroy(context);
}

/* Largest operands at the largest K for which the sum is promised to be exact: 2^31 is missed by
 * little. */
static void full_range(void)
{
    enum { K = 33025 }; /* 255 * 255 * K < 2^31 */
    qnt_context *context = check_context();
    uint8_t *a = malloc(K), *b = malloc(K);
    memset(a, 255, K);
    memset(b, 255, K);
    int32_t c = 0, zero = 0;
    OK(qnt_gemm_s8(context, TENSOR(a, QNT_UINT, 8, 1, K), 0, TENSOR(b, QNT_UINT, 8, 1, K),
                   TENSOR(&zero, QNT_INT, 32, 1), TENSOR(&c, QNT_INT, 32, 1, 1)));
    CHECK(c == 255 * 255 * K);
    free(a);
    free(b);
    qnt_context_destroy(context);
}

/* The same bytes for every CPU level and through a parallel hook that goes backwards. */
static int32_t backwards(void *user, qnt_task_fn run, void *task, size_t count)
{
    (void)user;
    while (count-- > 0) run(task, count, count % 2);
    return 0;
}

static int32_t broken(void *user, qnt_task_fn run, void *task, size_t count)
{
    (void)user, (void)run, (void)task, (void)count;
    return 7;
}

/* How far kernel.h says that sums stay within int32, at the extremes; beyond they wrap. */
static void limits(void)
{
    enum { MOST = 65794 };
    static uint8_t a[MOST];
    static int8_t b[MOST];
    static const struct {
        int64_t k;
        int32_t a_zero, b_zero;
        bool fits;
    } cases[] = {{33025, 255, 127, true},
                 {33026, 255, 127, false},
                 {65793, 0, 0, true},
                 {65794, 0, 0, false}};
    qnt_context *context = check_context();
    memset(b, -128, sizeof b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t k = cases[i].k, value = cases[i].a_zero ? 0 : 255;
        int64_t sum = k * (value - cases[i].a_zero) * (-128 - cases[i].b_zero);
        int32_t zero = cases[i].b_zero, found;
        memset(a, (int)value, sizeof a);
        OK(qnt_gemm_s8(context, TENSOR(a, QNT_UINT, 8, 1, k), cases[i].a_zero,
                       TENSOR(b, QNT_INT, 8, 1, k), TENSOR(&zero, QNT_INT, 32, 1),
                       TENSOR(&found, QNT_INT, 32, 1, 1)));
        CHECK((found == sum) == cases[i].fits && (uint32_t)found == (uint32_t)sum);
    }
    qnt_context_destroy(context);
}

static void workers(void)
{
    enum { M = 700, N = 150, K = 600 };
    qnt_context *context = check_context();
    operand a = operand_new(context, M, K, QNT_INT, 8, 0),
            b = operand_new(context, N, K, QNT_INT, 4, 0);
    int32_t *expected = malloc(M * N * 4), *c = malloc(M * N * 4);
    relocate(&a), relocate(&b);
    OK(qnt_gemm_s8(context, &a.t, 3, &b.t, NULL, TENSOR(expected, QNT_INT, 32, M, N)));
    OK(qnt_context_set_parallel(context, backwards, NULL, 2));
    uint64_t cpu = qnt_cpu_detect();
    for (uint64_t mask = 0;; mask = (mask - cpu) & cpu) {
        OK(qnt_context_set_cpu(context, mask));
        memset(c, 0, M * N * 4);
        OK(qnt_gemm_s8(context, &a.t, 3, &b.t, NULL, TENSOR(c, QNT_INT, 32, M, N)));
        CHECK(!memcmp(c, expected, M * N * 4));
        if (mask == cpu) break;
    }
    OK(qnt_context_set_parallel(context, broken, NULL, 2));
    FAILS(qnt_gemm_s8(context, &a.t, 3, &b.t, NULL, TENSOR(c, QNT_INT, 32, M, N)), QNT_E_PARALLEL,
          "returned 7");
    operand_free(&a), operand_free(&b);
    free(expected), free(c);
    qnt_context_destroy(context);
}

static void bad_input(void)
{
    qnt_context *x = check_context();
    uint8_t a[64] = {0}, b[64] = {0};
    int32_t c[64], zero[4] = {0, 0, 0, 8}, before[64];
    memset(c, 0x5a, sizeof c);
    memcpy(before, c, sizeof c);
#define A TENSOR(a, QNT_UINT, 8, 3, 8)
#define B TENSOR(b, QNT_INT, 4, 4, 8)
#define C TENSOR(c, QNT_INT, 32, 3, 4)
    CHECK(qnt_gemm_s8(NULL, A, 0, B, NULL, C) == QNT_E_INVALID);
    FAILS(qnt_gemm_s8(x, NULL, 0, B, NULL, C), QNT_E_INVALID, "a is NULL");
    FAILS(qnt_gemm_s8(x, A, 0, NULL, NULL, C), QNT_E_INVALID, "b is NULL");
    FAILS(qnt_gemm_s8(x, A, 0, B, NULL, NULL), QNT_E_INVALID, "c is NULL");
    FAILS(qnt_gemm_s8(x, TENSOR(NULL, QNT_UINT, 8, 3, 8), 0, B, NULL, C), QNT_E_INVALID, "a: data");
    FAILS(qnt_gemm_s8(x, TENSOR(a, QNT_UINT, 4, 3, 8), 0, B, NULL, C), QNT_E_DTYPE, "a: 4 bits");
    FAILS(qnt_gemm_s8(x, TENSOR(a, QNT_FLOAT, 32, 3, 8), 0, B, NULL, C),
          QNT_E_DTYPE, "a: elements are float32");
    FAILS(qnt_gemm_s8(x, TENSOR(a, QNT_UINT, 8, 24), 0, B, NULL, C), QNT_E_SHAPE, "a: ndim is 1");
    FAILS(qnt_gemm_s8(x, TENSOR(a, QNT_UINT, 8, -3, 8), 0, B, NULL, C), QNT_E_SHAPE, "a: extent 0");
    FAILS(qnt_gemm_s8(x, A, -1, B, NULL, C), QNT_E_INVALID, "a_zero is -1");
    FAILS(qnt_gemm_s8(x, A, 256, B, NULL, C), QNT_E_INVALID, "a_zero is 256");
    FAILS(qnt_gemm_s8(x, TENSOR(a, QNT_INT, 8, 3, 8), 128, B, NULL, C), QNT_E_INVALID,
          "-128 to 127");
    FAILS(qnt_gemm_s8(x, A, 0, TENSOR(b, QNT_INT, 16, 4, 8), NULL, C),
          QNT_E_DTYPE, "b: elements are int16");
    FAILS(qnt_gemm_s8(x, A, 0, TENSOR(b, QNT_INT, 4, 4, 7), NULL, C), QNT_E_SHAPE, "b: extent 1");
    FAILS(qnt_gemm_s8(x, A, 0, TENSOR(b, QNT_INT, 4, 4, 8, 1), NULL, C), QNT_E_SHAPE,
          "b: ndim is 3");
    FAILS(qnt_gemm_s8(x, A, 0, B, TENSOR(zero, QNT_INT, 32, 3), C), QNT_E_SHAPE, "b_zero: extent");
    FAILS(qnt_gemm_s8(x, A, 0, B, TENSOR(zero, QNT_INT, 32, 2, 2), C), QNT_E_SHAPE, "b_zero: ndim");
    FAILS(qnt_gemm_s8(x, A, 0, B, TENSOR(zero, QNT_INT, 8, 4), C),
          QNT_E_DTYPE, "b_zero: elements are int8");
    FAILS(qnt_gemm_s8(x, A, 0, B, TENSOR(zero, QNT_INT, 32, 4), C), QNT_E_INVALID,
          "element 3 is 8");
    FAILS(qnt_gemm_s8(x, A, 0, B, NULL, TENSOR(c, QNT_INT, 32, 4, 3)), QNT_E_SHAPE, "c: shape");
    FAILS(qnt_gemm_s8(x, A, 0, B, NULL, TENSOR(c, QNT_FLOAT, 32, 3, 4)),
          QNT_E_DTYPE, "c: elements are float32");
    FAILS(qnt_gemm_s8(x, A, 0, B, NULL, TENSOR(c, QNT_INT, 32, 3, 4, 1)), QNT_E_SHAPE, "c: ndim");
    FAILS(qnt_gemm_s8(x, TENSOR(c, QNT_UINT, 8, 3, 8), 0, B, NULL, C), QNT_E_INVALID, "overlaps");
    qnt_tensor *shared = C;
    shared->strides[0] = 2;
    FAILS(qnt_gemm_s8(x, A, 0, B, NULL, shared), QNT_E_SHAPE, "c: strides");
    qnt_tensor *device = B;
    device->device_type = 2;
    FAILS(qnt_gemm_s8(x, A, 0, device, NULL, C), QNT_E_DEVICE, "b: device_type is 2");
    CHECK(!memcmp(c, before, sizeof c));
    qnt_context_destroy(x);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(random_products);
    RUN(nothing);
    RUN(full_range);
    RUN(limits);
    RUN(workers);
    RUN(bad_input);
    return DONE;
}
