/*
 * Products of bit planes, packing of the activations and coefficients included, against oneDNN's
 * int8 product of the same shape. The share is that of counting: 5 instructions of 512 bits for
 * 1,024 bits of a pair of planes, two in a cycle, measured in registers.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "onednn.h"
#include "qnt.h"

static qnt_context *context;

static void check(qnt_status status, const char *what)
{
    if (status == QNT_OK) return;
    fprintf(stderr, "%s: %s\n", what, qnt_status_name(status));
    exit(1);
}

struct product {
    int64_t a_shape[2], b_shape[2], c_shape[2], coef_shape[2], planes_shape[QNT_MAX_NDIM];
    int64_t planes_strides[QNT_MAX_NDIM], a_bits;
    qnt_tensor a, b, c, planes, coef, a_coef;
    int signs;
};

static qnt_tensor tensor(void *data, int code, int bits, int ndim, int64_t *shape)
{
    return (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = ndim,
                        .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits,
                        .dtype_lanes = 1,
                        .shape = shape};
}

static struct product *create(size_t m, size_t n, size_t k, int w_bits, int a_bits, int signs)
{
    struct product *p = calloc(1, sizeof *p);
    size_t bytes = 1;
    p->a_shape[0] = p->c_shape[0] = (int64_t)m;
    p->b_shape[0] = p->c_shape[1] = p->coef_shape[0] = (int64_t)n;
    p->a_shape[1] = p->b_shape[1] = (int64_t)k;
    p->coef_shape[1] = w_bits;
    p->a_bits = a_bits;
    p->signs = signs;
    p->a = tensor(bench_memory(m * k), QNT_UINT, a_bits, 2, p->a_shape);
    p->b = tensor(bench_memory(n * k), QNT_UINT, w_bits, 2, p->b_shape);
    p->c = tensor(bench_memory(m * n * 4), QNT_FLOAT, 32, 2, p->c_shape);
    p->planes = (qnt_tensor){.shape = p->planes_shape, .strides = p->planes_strides};
    check(qnt_pack_bits_view(context, &p->b, &p->planes), "qnt_pack_bits_view");
    for (int d = 0; d < 4; d++) bytes *= (size_t)p->planes_shape[d];
    p->planes.data = bench_memory(bytes);
    check(qnt_pack_bits(context, &p->b, &p->planes), "qnt_pack_bits");
    float *coef = bench_memory((n * (size_t)w_bits + 8) * sizeof *coef);
    for (size_t i = 0; i < n * (size_t)w_bits + 8; i++) coef[i] = 0.5f;
    p->coef = tensor(coef, QNT_FLOAT, 32, 2, p->coef_shape);
    p->a_coef = tensor(coef, QNT_FLOAT, 32, 1, &p->a_bits);
    return p;
}

static void run(void *state)
{
    struct product *p = state;
    check(qnt_gemm_bits(context, &p->a, p->signs ? &p->a_coef : NULL, &p->planes, &p->coef, &p->c),
          "qnt_gemm_bits");
}

static void destroy(struct product *p)
{
    free(p->a.data), free(p->b.data), free(p->c.data), free(p->planes.data), free(p->coef.data);
    free(p);
}

#if defined(__x86_64__)
/* Bits of plane pairs in a second: xor twice, VPTERNLOGQ, VPOPCNTQ, add. */
static double counting_peak(void)
{
    enum { ROUNDS = 200000, REPEATS = 9 };
    double best = 0;
    if (!(bench_cpu() & QNT_CPU_AVX512VBMI)) return 0;
    for (int i = 0; i < REPEATS; i++) {
        double start = bench_now();
        __asm__ volatile(
            "mov %0, %%ecx\n"
            "1:\n"
#define STEP(acc, parity)                                                                          \
    "vpxorq %%zmm30, %%zmm31, %%zmm28\n vpxorq %%zmm30, %%zmm31, %%zmm29\n"                        \
    "vpternlogq $0xd4, %%zmm29, %%" parity ", %%zmm28\n vpopcntq %%zmm28, %%zmm28\n"               \
    "vpaddq %%zmm28, %%" acc ", %%" acc "\n vmovdqa64 %%zmm29, %%" parity "\n"
            STEP("zmm0", "zmm8") STEP("zmm1", "zmm9") STEP("zmm2", "zmm10") STEP("zmm3", "zmm11")
                STEP("zmm4", "zmm12") STEP("zmm5", "zmm13") STEP("zmm6", "zmm14")
                    STEP("zmm7", "zmm15") "dec %%ecx\n jnz 1b\n vzeroupper\n"
            :
            : "i"(ROUNDS)
            : "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
              "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
        double rate = 8.0 * 1024 * ROUNDS / (bench_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}
#else
static double counting_peak(void)
{
    return 0;
}
#endif

static void row(size_t m, size_t n, size_t k, int w, int a, int signs, double peak)
{
    struct product *p = create(m, n, k, w, a, signs);
    struct peer *peer = peer_gemm(m, n, k, 0, PEER_F32);
    struct bench_candidate c[] = {{.name = "bits", .run = run, .state = p},
                                  {.name = "peer", .run = peer_run, .state = peer}};
    bench_compare(c, 2);
    char name[64];
    snprintf(name, sizeof name, "%zux%zux%zu w%da%d%s", m, n, k, w, a, signs ? " signs" : "");
    printf("%-30s %9.3f %9.3f %6.2f", name, 1e3 * c[0].seconds, 1e3 * c[1].seconds,
           c[1].seconds / c[0].seconds);
    if (peak > 0)
        printf(" %5.0f%%", 100 * (double)m * (double)n * (double)k * w * a / c[0].seconds / peak);
    printf("\n");
    destroy(p);
    peer_destroy(peer);
}

int main(int argc, char **argv)
{
    static const int pairs[][3] = {{1, 1, 1}, {1, 1, 0}, {1, 2, 0}, {1, 4, 0}, {2, 2, 0},
                                   {2, 4, 0}, {3, 3, 0}, {1, 8, 0}, {2, 8, 0}, {4, 4, 0}};
    bench_init(argc, argv);
    check(qnt_context_create(NULL, NULL, NULL, &context), "context");
    check(qnt_context_set_cpu(context, bench_cpu()), "cpu");
    double peak = counting_peak();
    printf("# peer: %s; counting peak %.0f Gbit/s\n", peer_version() ? peer_version() : "none",
           peak * 1e-9);
    printf("\n%-30s %9s %9s %6s %6s\n", "", "ms", "int8 ms", "ratio", "peak");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        row(256, 4096, 4096, pairs[i][0], pairs[i][1], pairs[i][2], peak);
    }
    for (size_t i = 0; i < 7; i++)
        row(1024, 1024, 1024, pairs[i][0], pairs[i][1], pairs[i][2], peak);
    for (int w = 1; w <= 4; w++) row(1, 4096, 4096, w, 8, 0, peak);
    qnt_context_destroy(context);
    return 0;
}
