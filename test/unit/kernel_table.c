/* qnt_gemm_table against a plain loop over int64, its limits, and what it refuses. */
#include "check.h"
#include "context/context.h"
#include "cpu_levels.h"
#include "tensor/view.h"

enum { UNTOUCHED = 0x5a5a5a5a };

/* [m,k] codes in guarded memory, transposed or with gaps if asked, and their levels. */
typedef struct operand {
    guarded block;
    int64_t shape[2], strides[2];
    qnt_tensor t;
    uint8_t *codes; /* [m][k] */
    int16_t levels[256];
    int8_t bytes[256];
    int64_t count;
    int level_bits;
} operand;

static void operand_new(const qnt_context *context, operand *o, int64_t m, int64_t k, int bits,
                        int level_bits)
{
    int layout = (int)random_in(0, 2);
    int64_t gap = layout == 2 ? 3 : 0;
    *o = (operand){.shape = {m, k}, .level_bits = level_bits};
    o->strides[0] = layout == 1 ? 1 : k + gap;
    o->strides[1] = layout == 1 ? m : 1;
    size_t reach = m && k ? (size_t)((m - 1) * o->strides[0] + (k - 1) * o->strides[1] + 1) : 0;
    o->block = guard((reach * (size_t)bits + 7) / 8, true);
    o->t = (qnt_tensor){.data = o->block.data, .device_type = 1, .ndim = 2, .dtype_lanes = 1,
                        .dtype_code = QNT_UINT, .dtype_bits = (uint8_t)bits, .shape = o->shape,
                        .strides = o->strides};
    o->count = random_in(0, 1) ? 1 << bits : random_in(1, 1 << bits);
    o->codes = calloc((size_t)(m * k) + 1, 1);
    int64_t top = level_bits == 8 ? 127 : 32767;
    for (int64_t i = 0; i < o->count; i++) {
        int extreme = (int)random_in(0, 9);
        int64_t level = extreme == 0 ? top : extreme == 1 ? -top - 1 : random_in(-top - 1, top);
        o->levels[i] = (int16_t)level;
        o->bytes[i] = (int8_t)level;
    }
    struct qnt__view view;
    if (qnt__view_open(context, "operand", &o->t, QNT__CODES, &view) != QNT_OK) exit(2);
    for (int64_t i = 0; i < m * k; i++) {
        o->codes[i] = (uint8_t)random_in(0, o->count - 1);
        qnt__write_codes(&context->simd, &view, i / k * o->strides[0] + i % k * o->strides[1], 1, 1,
                         &o->codes[i]);
    }
}

static void operand_free(operand *o)
{
    unguard(&o->block);
    free(o->codes);
}

static void one_case(qnt_context *context, int64_t m, int64_t n, int64_t k, int a_bits, int b_bits)
{
    operand a, b;
    int a_levels = random_in(0, 1) ? 8 : 16, b_levels = random_in(0, 1) ? 8 : 16;
    operand_new(context, &a, m, k, a_bits, a_levels);
    operand_new(context, &b, n, k, b_bits, b_levels);
    bool across = random_in(0, 3) == 0;
    int64_t gap = random_in(0, 1) ? random_in(0, 70) : 0;
    int64_t down = across ? 1 : n + gap, right = across ? m + gap : 1;
    size_t reach = m && n ? (size_t)((m - 1) * down + (n - 1) * right + 1) : 0;
    guarded results = guard(4 * reach, true);
    int32_t *c = (int32_t *)(void *)results.data;
    for (size_t i = 0; i < reach; i++) c[i] = UNTOUCHED;
    qnt_tensor *y = TENSOR(c, QNT_INT, 32, m, n);
    y->strides[0] = down, y->strides[1] = right;
    qnt_tensor *ta = TENSOR(a_levels == 8 ? (void *)a.bytes : a.levels, QNT_INT, a_levels, a.count),
               *tb = TENSOR(b_levels == 8 ? (void *)b.bytes : b.levels, QNT_INT, b_levels, b.count);
    qnt_status status = qnt_gemm_table(context, &a.t, ta, &b.t, tb, y);
    CHECK_MSG(status == QNT_OK, "%s", check_reason);
    for (int64_t i = 0; status == QNT_OK && i < m * n; i++) {
        uint32_t want = 0;
        for (int64_t j = 0; j < k; j++) {
            want += (uint32_t)(a.levels[a.codes[i / n * k + j]] * b.levels[b.codes[i % n * k + j]]);
        }
        int32_t *at = c + i / n * down + i % n * right, got = *at;
        *at = UNTOUCHED;
        CHECK_MSG(got == (int32_t)want, "%lldx%lldx%lld element %lld, int%d int%d", (long long)m,
                  (long long)n, (long long)k, (long long)i, a_levels, b_levels);
    }
    for (size_t i = 0; status == QNT_OK && i < reach; i++) {
        CHECK_MSG(c[i] == UNTOUCHED, "element %zu between results", i);
    }
    unguard(&results);
    operand_free(&a), operand_free(&b);
}

static void random_products(void)
{
    uint64_t masks[MAX_LEVELS];
    const int levels = cpu_levels(masks);
    qnt_context *context = check_context();
    for (int i = 0; i < ROUNDS(300); i++) {
        bool large = i % 20 == 0;
        OK(qnt_context_set_cpu(context, masks[i % levels]));
        one_case(context, random_in(1, large ? 500 : 30), random_in(1, large ? 140 : 80),
                 random_in(1, i % 7 == 0 ? 1100 : 70), (int)random_in(1, 8), (int)random_in(1, 8));
    }
    for (int i = 0; i < ROUNDS(30); i++) { /* several pieces of k, blocks of columns and of rows */
        OK(qnt_context_set_cpu(context, masks[i % levels]));
        one_case(context, random_in(20, 60), random_in(60, 260), random_in(250, 1300),
                 (int)random_in(1, 8), (int)random_in(1, 8));
    }
    for (int i = 0; i < ROUNDS(16); i++) { /* several chunks of k, some columns, few or many rows */
        OK(qnt_context_set_cpu(context, masks[i % levels]));
        one_case(context, i % 8 ? random_in(1, 20) : random_in(481, 500),
                 i % 2 ? random_in(1, 70) : 16 * random_in(1, 5), /* whole panels */
                 i % 8 ? random_in(2030, 4200) : random_in(2030, 2070), (int)random_in(1, 8),
                 1 << i % 4);
    }
    one_case(context, 3, 5, 0, 4, 4);
    one_case(context, 0, 5, 4, 8, 2);
    one_case(context, 3, 0, 4, 8, 2);
    qnt_context_destroy(context);
}

/* All products the largest, at the documented K: exact, and one step further it wraps. */
static void limits(void)
{
    static const struct {
        int16_t a, b;
        int bits, k;
    } cases[] = {{127, 127, 8, 133144}, {-128, -128, 8, 131071}, {4095, 4095, 16, 128},
                 {-4095, 4095, 16, 128}};
    qnt_context *context = check_context();
    uint8_t *codes = calloc(140000, 1);
    for (int i = 0; i < 4; i++) {
        int8_t a8 = (int8_t)cases[i].a, b8 = (int8_t)cases[i].b;
        int16_t a16 = cases[i].a, b16 = cases[i].b;
        int bits = cases[i].bits;
        qnt_tensor *ta = TENSOR(bits == 8 ? (void *)&a8 : &a16, QNT_INT, bits, 1),
                   *tb = TENSOR(bits == 8 ? (void *)&b8 : &b16, QNT_INT, bits, 1);
        for (int more = 0; more < 2; more++) {
            int64_t k = cases[i].k + more, exact = k * a16 * b16;
            int32_t c = 0;
            qnt_tensor *x = TENSOR(codes, QNT_UINT, 8, 1, k);
            OK(qnt_gemm_table(context, x, ta, x, tb, TENSOR(&c, QNT_INT, 32, 1, 1)));
            CHECK_MSG(c == (int32_t)(uint32_t)(uint64_t)exact, "case %d", i);
            CHECK_MSG((c == exact) == !more, "case %d", i);
        }
    }
    free(codes);
    qnt_context_destroy(context);
}

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

/* Columns are shared, and rows too where there are few columns. */
static void workers(void)
{
    enum { M = 500, MOST = 260, K = 30 };
    qnt_context *context = check_context();
    int32_t *first = calloc(M * MOST, 4), *second = calloc(M * MOST, 4);
    for (int64_t n = 30; n <= MOST; n += 230) {
        operand a, b;
        operand_new(context, &a, M, K, 4, 8);
        operand_new(context, &b, n, K, 3, 8);
        qnt_tensor *ta = TENSOR(a.bytes, QNT_INT, 8, a.count),
                   *tb = TENSOR(b.bytes, QNT_INT, 8, b.count);
        OK(qnt_context_set_parallel(context, NULL, NULL, 1));
        OK(qnt_gemm_table(context, &a.t, ta, &b.t, tb, TENSOR(first, QNT_INT, 32, M, n)));
        OK(qnt_context_set_parallel(context, backwards, NULL, 2));
        OK(qnt_gemm_table(context, &a.t, ta, &b.t, tb, TENSOR(second, QNT_INT, 32, M, n)));
        CHECK_MSG(!memcmp(first, second, (size_t)(M * n) * 4), "%lld columns", (long long)n);
        OK(qnt_context_set_parallel(context, broken, NULL, 2));
        CHECK(qnt_gemm_table(context, &a.t, ta, &b.t, tb, TENSOR(second, QNT_INT, 32, M, n)) ==
              QNT_E_PARALLEL);
        operand_free(&a), operand_free(&b);
    }
    free(first), free(second);
    qnt_context_destroy(context);
}

static void bad_input(void)
{
    qnt_context *x = check_context();
    uint8_t a[64] = {0}, b[64] = {0};
    int8_t levels[16] = {0};
    int32_t c[12] = {0}, before[12] = {0};
    float floats[16] = {NAN};
    qnt_tensor *A = TENSOR(a, QNT_UINT, 8, 3, 8), *B = TENSOR(b, QNT_UINT, 4, 4, 8),
               *T = TENSOR(levels, QNT_INT, 8, 16), *C = TENSOR(c, QNT_INT, 32, 3, 4);
    CHECK(qnt_gemm_table(NULL, A, T, B, T, C) == QNT_E_INVALID);
    OK(qnt_gemm_table(x, A, T, B, T, C));
    FAILS(qnt_gemm_table(x, NULL, T, B, T, C), QNT_E_INVALID, "a is NULL");
    FAILS(qnt_gemm_table(x, A, NULL, B, T, C), QNT_E_INVALID, "a_table is NULL");
    FAILS(qnt_gemm_table(x, TENSOR(a, QNT_INT, 8, 3, 8), T, B, T, C), QNT_E_DTYPE, "a: signed");
    FAILS(qnt_gemm_table(x, TENSOR(a, QNT_UINT, 16, 3, 4), T, B, T, C),
          QNT_E_DTYPE, "a: elements are uint16");
    FAILS(qnt_gemm_table(x, A, T, TENSOR(b, QNT_UINT, 4, 4, 2, 4), T, C), QNT_E_SHAPE, "b: ndim is 3");
    FAILS(qnt_gemm_table(x, A, T, TENSOR(b, QNT_UINT, 4, 4, 9), T, C), QNT_E_SHAPE, "b: extent 1 is 9");
    FAILS(qnt_gemm_table(x, A, T, B, TENSOR(floats, QNT_FLOAT, 32, 16), C),
          QNT_E_DTYPE, "b_table: elements are float32");
    FAILS(qnt_gemm_table(x, A, T, B, TENSOR(levels, QNT_UINT, 8, 16), C), QNT_E_DTYPE, "8 bits unsigned");
    FAILS(qnt_gemm_table(x, A, T, B, TENSOR(levels, QNT_INT, 4, 16), C), QNT_E_DTYPE, "b_table: 4 bits");
    FAILS(qnt_gemm_table(x, A, T, B, TENSOR(levels, QNT_INT, 8, 0), C), QNT_E_SHAPE, "of 0 levels");
    FAILS(qnt_gemm_table(x, A, T, TENSOR(b, QNT_UINT, 3, 4, 8), T, C), QNT_E_SHAPE, "1 of 1 to 8");
    FAILS(qnt_gemm_table(x, A, T, B, TENSOR(levels, QNT_INT, 8, 4, 4), C), QNT_E_SHAPE, "b_table: 2 axes");
    FAILS(qnt_gemm_table(x, A, T, B, T, TENSOR(c, QNT_INT, 32, 4, 3)), QNT_E_SHAPE, "c: ");
    FAILS(qnt_gemm_table(x, A, T, B, T, TENSOR(c, QNT_FLOAT, 32, 3, 4)), QNT_E_DTYPE, "c: ");
    FAILS(qnt_gemm_table(x, TENSOR(c, QNT_UINT, 8, 3, 8), T, B, T, C), QNT_E_INVALID, "overlaps");
    FAILS(qnt_gemm_table(x, A, TENSOR(c, QNT_INT, 8, 16), B, T, C), QNT_E_INVALID, "overlaps");
    a[17] = 16;
    FAILS(qnt_gemm_table(x, A, T, B, T, C), QNT_E_INVALID, "a: element 2, 1 is 16, expected below 16");
    a[17] = 15;
    b[13] = 0xd0;
    FAILS(qnt_gemm_table(x, A, T, B, TENSOR(levels, QNT_INT, 8, 13), C), QNT_E_INVALID,
          "b: element 3, 3 is 13, expected below 13");
    CHECK(!memcmp(c, before, sizeof c));
    qnt_context_destroy(x);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(random_products);
    RUN(limits);
    RUN(workers);
    RUN(bad_input);
    return DONE;
}
