/* OpenBLAS as a peer: the float product that a quantized one replaces. */
#ifndef BENCH_OPENBLAS_H
#define BENCH_OPENBLAS_H

#include <stddef.h>

struct float_gemm; /* the matrices of one product */

/* Version and the core it computes for, which bench_init() pins; NULL if OpenBLAS is not there. */
const char *float_gemm_version(void);

/* [m,k] times [n,k] transposed. NULL if OpenBLAS is not there. */
struct float_gemm *float_gemm_create(size_t m, size_t n, size_t k);

void float_gemm_run(void *gemm);
void float_gemm_destroy(struct float_gemm *gemm);

#endif
