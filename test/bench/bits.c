/*
 * Products of bit planes, packing of the activations and coefficients included, against oneDNN's
 * int8 product of the same shape. Shares are of the roof: the best way's instructions in registers
 * (bits_roof.h), and for one row, if that takes longer, reading the planes. `=`: coefficients
 * double, so planes are one number. Last: blocks of k with coefficients of their own, beside whole
 * rows in the same run; the ratio is of speeds, 1 is none lost. Then two workers.
 * --only TEXT: rows with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bits_roof.h"
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
    int64_t a_shape[2], b_shape[2], c_shape[2], coef_shape[3], planes_shape[QNT_MAX_NDIM];
    int64_t planes_strides[QNT_MAX_NDIM], coef_strides[3], a_bits;
    qnt_tensor a, b, c, planes, coef, a_coef;
    int signs;
};

enum kind { NUMBERS, UNIFORM, SIGNS };

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

static struct product *create(size_t m, size_t n, size_t k, int w_bits, int a_bits, enum kind kind,
                              size_t block)
{
    struct product *p = calloc(1, sizeof *p);
    size_t bytes = 1, coefs = n * (k / block) * (size_t)w_bits;
    p->a_shape[0] = p->c_shape[0] = (int64_t)m;
    p->b_shape[0] = p->c_shape[1] = p->coef_shape[0] = (int64_t)n;
    p->a_shape[1] = p->b_shape[1] = (int64_t)k;
    p->coef_shape[1] = (int64_t)(k / block);
    p->coef_shape[2] = w_bits;
    p->a_bits = a_bits;
    p->signs = kind == SIGNS;
    p->a = tensor(bench_memory(m * k), QNT_UINT, a_bits, 2, p->a_shape);
    p->b = tensor(bench_memory(n * k), QNT_UINT, w_bits, 2, p->b_shape);
    p->c = tensor(bench_memory(m * n * 4), QNT_FLOAT, 32, 2, p->c_shape);
    p->planes = (qnt_tensor){.shape = p->planes_shape, .strides = p->planes_strides};
    check(qnt_pack_bits_view(context, &p->b, &p->planes), "qnt_pack_bits_view");
    for (int d = 0; d < 4; d++) bytes *= (size_t)p->planes_shape[d];
    p->planes.data = bench_memory(bytes);
    check(qnt_pack_bits(context, &p->b, &p->planes), "qnt_pack_bits");
    p->coef_strides[0] = 1; /* columns next to each other */
    p->coef_strides[1] = (int64_t)n;
    p->coef_strides[2] = (int64_t)(coefs / (size_t)w_bits);
    float *coef = bench_memory((coefs + 8) * sizeof *coef);
    for (size_t i = 0; i < coefs + 8; i++)
        coef[i] = kind == UNIFORM ? (float)(1 << i / n % (size_t)w_bits) : 0.5f;
    p->coef = tensor(coef, QNT_FLOAT, 32, 3, p->coef_shape);
    p->coef.strides = p->coef_strides;
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

static const struct bits_roof *roof;

static void row(size_t m, size_t n, size_t k, int w, int a, enum kind kind)
{
    const char *only = bench_option("--only");
    char name[64];
    snprintf(name, sizeof name, "%zux%zux%zu w%da%d%s", m, n, k, w, a,
             kind == SIGNS     ? " signs"
             : kind == UNIFORM ? " ="
                               : "");
    if (only && !strstr(name, only)) return;
    struct product *p = create(m, n, k, w, a, kind, k);
    struct peer *peer = peer_gemm(m, n, k, 0, PEER_F32);
    struct bench_stream planes = bench_stream(n * k * (size_t)w / 8, 1);
    struct bench_candidate c[] = {
        {.name = "bits", .run = run, .state = p},
        {.name = "peer", .run = peer_run, .state = peer},
        {.name = "read", .run = bench_stream_run, .state = m == 1 ? &planes : NULL}};
    bench_compare(c, 3);
    double products = (double)m * (double)n * (double)k,
           most = bits_roof_of(roof, w, a, kind == UNIFORM, kind == SIGNS), floor = products / most;
    if (m == 1 && c[2].seconds > floor) floor = c[2].seconds;
    printf("%-30s %9.3f %9.3f %6.2f", name, 1e3 * c[0].seconds, 1e3 * c[1].seconds,
           c[1].seconds / c[0].seconds);
    if (most > 0) printf(" %9.3f %5.0f%%", 1e3 * floor, 100 * floor / c[0].seconds);
    printf("\n");
    destroy(p);
    peer_destroy(peer);
    bench_stream_free(&planes);
}

/* All pairs of widths, uniform planes as well. */
static void rows(size_t m, size_t n, size_t k, const int *widths, size_t count)
{
    printf("\n");
    if (m > 1) row(m, n, k, 1, 1, SIGNS);
    for (int w = 1; w <= 4; w++) {
        for (size_t i = 0; i < count; i++) {
            row(m, n, k, w, widths[i], NUMBERS);
            if (w > 1) row(m, n, k, w, widths[i], UNIFORM);
        }
    }
}

/* Whole rows and two sizes of blocks. */
static void block_row(size_t m, size_t n, size_t k, int w, int a, enum kind kind)
{
    const char *only = bench_option("--only");
    char name[64];
    snprintf(name, sizeof name, "%zux%zux%zu w%da%d%s blocks", m, n, k, w, a,
             kind == SIGNS ? " signs" : "");
    if (only && !strstr(name, only)) return;
    struct product *p[3] = {create(m, n, k, w, a, kind, k), create(m, n, k, w, a, kind, 128),
                            create(m, n, k, w, a, kind, 64)};
    struct bench_candidate c[] = {{.name = "rows", .run = run, .state = p[0]},
                                  {.name = "128", .run = run, .state = p[1]},
                                  {.name = "64", .run = run, .state = p[2]}};
    bench_compare(c, 3);
    printf("%-30s %9.3f %9.3f %6.2f %9.3f %6.2f\n", name, 1e3 * c[0].seconds, 1e3 * c[1].seconds,
           c[0].seconds / c[1].seconds, 1e3 * c[2].seconds, c[0].seconds / c[2].seconds);
    for (int i = 0; i < 3; i++) destroy(p[i]);
}

static void block_rows(void)
{
    static const int widths[] = {1, 2, 4, 8};
    printf("\n%-30s %9s %9s %6s %9s %6s\n", "", "rows ms", "128 ms", "ratio", "64 ms", "ratio");
    for (int w = 1; w <= 2; w++) {
        block_row(256, 4096, 4096, w, 1, SIGNS);
        block_row(1, 4096, 4096, w, 1, SIGNS);
    }
    for (int w = 1; w <= 4; w++) {
        for (int i = 0; i < 4; i++) block_row(256, 4096, 4096, w, widths[i], NUMBERS);
        block_row(1, 4096, 4096, w, 8, NUMBERS);
    }
}

/* The shortest of some runs, on the wall's clock. */
static double shortest(struct product *p)
{
    double best = 1e9;
    for (int i = 0; i < 20; i++) {
        double start = bench_wall();
        run(p);
        double seconds = bench_wall() - start;
        if (seconds < best) best = seconds;
    }
    return best;
}

static void worker_row(size_t m, size_t n, size_t k, int w, int a, qnt_pool *pool)
{
    const char *only = bench_option("--only");
    char name[64];
    snprintf(name, sizeof name, "%zux%zux%zu w%da%d workers", m, n, k, w, a);
    if (only && !strstr(name, only)) return;
    struct product *p = create(m, n, k, w, a, NUMBERS, k);
    double one = shortest(p);
    check(qnt_context_set_parallel(context, qnt_pool_run, pool, 2), "workers");
    double two = shortest(p);
    check(qnt_context_set_parallel(context, NULL, NULL, 1), "workers");
    printf("%-30s %9.3f %9.3f %6.2f\n", name, 1e3 * one, 1e3 * two, one / two);
    destroy(p);
}

static void worker_rows(void)
{
    static const int widths[] = {1, 2, 4, 8};
    qnt_pool *pool;
    check(qnt_pool_create(context, 2, &pool), "pool");
    printf("\n%-30s %9s %9s %6s\n", "two workers, wall time", "one ms", "two ms", "ratio");
    for (int i = 0; i < 4; i++) worker_row(256, 4096, 4096, 1, widths[i], pool);
    worker_row(1024, 1024, 1024, 1, 1, pool);
    qnt_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    static const int widths[] = {1, 2, 3, 4, 8};
    bench_init(argc, argv);
    check(qnt_context_create(NULL, NULL, NULL, &context), "context");
    check(qnt_context_set_cpu(context, bench_cpu()), "cpu");
    const struct bits_roof most = bits_roof();
    roof = &most;
    printf("# peer: %s\n", peer_version() ? peer_version() : "none");
    printf("# in registers, G products/s: counting %.0f, adders %.0f, tables of four %.0f, "
           "of six %.0f, int8 %.0f\n",
           most.count * 1e-9, most.adders * 1e-9, most.four * 1e-9, most.six * 1e-9,
           most.bytes * 1e-9);
    printf("\n%-30s %9s %9s %6s %9s %6s\n", "", "ms", "int8 ms", "ratio", "roof ms", "share");
    rows(256, 4096, 4096, widths, 5);
    rows(1024, 1024, 1024, widths, 5);
    rows(1, 4096, 4096, widths + 4, 1);
    block_rows();
    worker_rows();
    qnt_context_destroy(context);
    return 0;
}
