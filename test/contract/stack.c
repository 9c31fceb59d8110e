/*
 * How much stack the calls of a running program need, on every CPU level: threads of some C libraries have
 * 128 KB. Each call has a thread of its own, whose stack was filled before and is looked at afterwards.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "cpu_levels.h"
#include "recipes.h"

/* Kernels that keep nothing pack what they multiply there; the others have workspaces. doc/memory.md
 * promises these numbers. */
enum { STACK = 1 << 20, KERNELS = 104, OTHERS = 80, FILL = 0xa5 };

static qnt_context *context;

struct thread {
    void (*work)(void *self);
    void *self;
};

static void *enter(void *argument)
{
    struct thread *t = argument;
    t->work(t->self);
    return NULL;
}

static size_t used_by(void (*work)(void *self), void *self)
{
    struct thread t = {work, self};
    pthread_t thread;
    pthread_attr_t attributes;
    uint8_t *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) exit(2);
    memset(stack, FILL, STACK);
    if (pthread_attr_init(&attributes) || pthread_attr_setstack(&attributes, stack, STACK) ||
        pthread_create(&thread, &attributes, enter, &t) || pthread_join(thread, NULL))
        exit(2);
    pthread_attr_destroy(&attributes);
    size_t untouched = 0;
    while (untouched < STACK && stack[untouched] == FILL) untouched++;
    munmap(stack, STACK);
    return STACK - untouched;
}

static void nothing(void *self)
{
    (void)self;
}

/* Beyond what a thread that does nothing has at the top of its stack; `kb` are promised. */
static void measure(const char *name, size_t kb, void (*work)(void *self), void *self)
{
    uint64_t masks[MAX_LEVELS];
    const int levels = cpu_levels(masks);
    const size_t own = used_by(nothing, NULL);
    size_t most = 0;
    for (int i = 0; i < levels; i++) {
        MUST(qnt_context_set_cpu(context, masks[i]));
        size_t used = used_by(work, self);
        used -= used < own ? used : own;
        most = used > most ? used : most;
    }
    if (getenv("QNT_TEST_STACK")) printf("  %-28s %4zu KB\n", name, (most + 1023) / 1024);
    CHECK_MSG(most > 0 && most <= kb * 1024, "%s: %zu bytes", name, most);
}

/* ---- kernels ---- */

enum { M = 100, N = 150, K = 1100 };

static uint8_t a[M * K * 2], b[N * K * 2];
static int32_t c[M * N];
static float f[M * N], scale[N * 8];

static void gemm_s8(void *self)
{
    (void)self;
    MUST(qnt_gemm_s8(context, TENSOR(a, QNT_INT, 8, M, K), 3, TENSOR(b, QNT_UINT, 8, N, K), NULL,
                     TENSOR(c, QNT_INT, 32, M, N)));
}

static void gemm_table(void *self)
{
    const int bits = *(const int *)self;
    MUST(qnt_gemm_table(context, TENSOR(a, QNT_UINT, 4, M, K), TENSOR(b, QNT_INT, bits, 16),
                        TENSOR(b, QNT_UINT, 4, N, K), TENSOR(a, QNT_INT, bits, 16),
                        TENSOR(c, QNT_INT, 32, M, N)));
}

static void gemm_exp(void *self)
{
    const qnt_exp exp = {
        .size = sizeof exp, .exponent_bits = 7, .base = 1.02, .alpha = 1.0, .beta = 0.5};
    (void)self;
    MUST(qnt_gemm_exp(context, TENSOR(a, QNT_UINT, 8, 6, K), &exp, TENSOR(b, QNT_UINT, 8, 6, K),
                      &exp, TENSOR(f, QNT_FLOAT, 32, 6, 6)));
}

static void dot_exp(void *self)
{
    (void)self;
    MUST(qnt_dot_exp(context, 3, TENSOR(a, QNT_UINT, 4, K), TENSOR(b, QNT_UINT, 4, K),
                     TENSOR(c, QNT_INT, 32, 28)));
}

static void gemm_bits(void *self)
{
    static _Alignas(64) uint8_t planes[(N + 15) / 16 * 2 * 17 * 128];
    const int bits = *(const int *)self;
    qnt_tensor *packed = TENSOR(planes, QNT_UINT, 8, (N + 15) / 16, 2, 17, 128);
    MUST(qnt_pack_bits(context, TENSOR(b, QNT_UINT, 2, N, 1024), packed));
    MUST(qnt_gemm_bits(context, TENSOR(a, QNT_UINT, bits, M, 1024), NULL, packed,
                       TENSOR(scale, QNT_FLOAT, 32, N, 1, 2), TENSOR(f, QNT_FLOAT, 32, M, N)));
}

static void conv_s8(void *self)
{
    const qnt_conv conv = {.size = sizeof conv, .pad = {1, 1, 1, 1}};
    (void)self;
    MUST(qnt_conv_s8(context, &conv, TENSOR(a, QNT_INT, 8, 1, 9, 9, 7), 5,
                     TENSOR(b, QNT_INT, 8, 70, 3, 3, 7), TENSOR(c, QNT_INT, 32, 1, 9, 9, 70)));
}

static void requantize(void *self)
{
    static int32_t zeros[N];
    (void)self;
    MUST(qnt_requantize(context, TENSOR(c, QNT_INT, 32, M, N), TENSOR(zeros, QNT_INT, 32, N),
                        TENSOR(scale, QNT_FLOAT, 32, N), 0, -128, 127,
                        TENSOR(a, QNT_INT, 8, M, N)));
}

static void kernels(void)
{
    static int widths[] = {1, 2, 4, 8}, bytes = 8, words = 16;
    fill_bytes(a, sizeof a);
    fill_bytes(b, sizeof b);
    for (size_t i = 0; i < sizeof scale / sizeof *scale; i++) scale[i] = 0.01f;
    measure("gemm_s8", KERNELS, gemm_s8, NULL);
    measure("gemm_table, int8", KERNELS, gemm_table, &bytes);
    measure("gemm_table, int16", KERNELS, gemm_table, &words);
    measure("gemm_exp", KERNELS, gemm_exp, NULL);
    measure("dot_exp", KERNELS, dot_exp, NULL);
    for (int i = 0; i < 4; i++) measure("gemm_bits", KERNELS, gemm_bits, &widths[i]);
    measure("conv_s8", KERNELS, conv_s8, NULL);
    measure("requantize", KERNELS, requantize, NULL);
}

/* ---- quantizers ---- */

static float x[12000], y[12000];
static uint8_t codes[9000];

static void code(void *self)
{
    const qnt_quantizer *q = self;
    MUST(qnt_quantizer_encode(context, q, TENSOR(x, QNT_FLOAT, 32, 90, 100),
                              TENSOR(codes, QNT_UINT, 8, 90, 100)));
    MUST(qnt_quantizer_decode(context, q, TENSOR(codes, QNT_UINT, 8, 90, 100),
                              TENSOR(y, QNT_FLOAT, 32, 90, 100)));
    MUST(qnt_quantizer_apply(context, q, TENSOR(x, QNT_FLOAT, 32, 90, 100),
                             TENSOR(y, QNT_FLOAT, 32, 90, 100)));
}

static void compare(void *self)
{
    qnt_error error = {.size = sizeof error};
    MUST(qnt_quantizer_error(context, self, TENSOR(x, QNT_FLOAT, 32, 90, 100), NULL, &error));
}

static void quantizers(void)
{
    qnt_quantizer *q = byte_quantizer(context);
    fill_floats(x, 12000);
    measure("coding", OTHERS, code, q);
    measure("qnt_quantizer_error", OTHERS, compare, q);
    qnt_quantizer_destroy(q);
}

/* ---- layers ---- */

static _Alignas(64) uint8_t workspace[1 << 20];

struct run {
    const qnt_layer *layer;
    const qnt_tensor *x;
    qnt_tensor *y;
};

static void run_layer(void *self)
{
    const struct run *r = self;
    size_t bytes;
    MUST(qnt_layer_workspace(context, r->layer, r->x, &bytes));
    if (bytes > sizeof workspace) exit(2);
    MUST(qnt_layer_run(context, r->layer, r->x, r->y, workspace, bytes));
}

static void layers(void)
{
    for (int i = 0; i < RECIPES; i++) {
        qnt_layer *layer = new_layer(context, &recipes[i]);
        check_tensor in, out = {0};
        int64_t shape[4];
        memcpy(shape, recipes[i].x, sizeof shape);
        if (recipes[i].ndim == 2) shape[0] = 100; /* rows: kernels of many and of few differ */
        qnt_tensor *input = check_view(&in, x, QNT_FLOAT, 32, recipes[i].ndim, shape);
        qnt_tensor *result = result_view(context, layer, input, &out);
        result->data = y;
        measure(recipes[i].name, OTHERS, run_layer, &(struct run){layer, input, result});
        qnt_layer_destroy(layer);
    }
}

/* Sanitizers keep room around every variable, and without optimisation each has its own. */
static bool stacks_are_real(void)
{
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
    return !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
    return true;
#endif
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    context = check_context();
    filter_everywhere(context);
    if (stacks_are_real()) {
        RUN(kernels);
        RUN(quantizers);
        RUN(layers);
    } else {
        printf("  skipped: sanitizers, or no optimisation, make stacks larger than they are\n");
        check_skipped++;
    }
    qnt_context_destroy(context);
    return DONE;
}
