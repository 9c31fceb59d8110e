/* OpenBLAS as a peer: the float product that a quantized one replaces. */
#include "openblas.h"

#ifdef HAVE_OPENBLAS

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

struct float_gemm {
    size_t m, n, k;
    float *a, *b, *c;
};

const char *float_gemm_version(void)
{
    static char text[160];
    snprintf(text, sizeof text, "%s for %s", openblas_get_config(), openblas_get_corename());
    return text;
}

static float *random_floats(size_t count)
{
    float *x = bench_memory(count * sizeof *x);
    for (size_t i = 0; i < count; i++) x[i] = (float)((double)(bench_random() >> 40) * 0x1p-23 - 1.0);
    return x;
}

struct float_gemm *float_gemm_create(size_t m, size_t n, size_t k)
{
    struct float_gemm *g = malloc(sizeof *g);
    if (!g) exit(1);
    *g = (struct float_gemm){m, n, k, random_floats(m * k), random_floats(n * k), random_floats(m * n)};
    return g;
}

void float_gemm_run(void *gemm)
{
    struct float_gemm *g = gemm;
    blasint m = (blasint)g->m, n = (blasint)g->n, k = (blasint)g->k;
    if (m == 1) {
        cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0f, g->b, k, g->a, 1, 0.0f, g->c, 1);
        return;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, g->a, k, g->b, k, 0.0f, g->c,
                n);
}

void float_gemm_destroy(struct float_gemm *g)
{
    if (!g) return;
    free(g->a);
    free(g->b);
    free(g->c);
    free(g);
}

#else

const char *float_gemm_version(void)
{
    return NULL;
}

struct float_gemm *float_gemm_create(size_t m, size_t n, size_t k)
{
    (void)m, (void)n, (void)k;
    return NULL;
}

void float_gemm_run(void *gemm)
{
    (void)gemm;
}

void float_gemm_destroy(struct float_gemm *gemm)
{
    (void)gemm;
}

#endif
