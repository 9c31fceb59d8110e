/*
 * What an exact fit costs: one sort, and the rest. Thread CPU time, medians of interleaved runs.
 *     make bench BENCH=fit [BENCH_ARGS=n]
 */
#include "solve.h"

enum { RUNS = 9 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int by_size(const void *p, const void *q)
{
    double a = *(const double *)p, b = *(const double *)q;
    return (a > b) - (a < b);
}

static double median(double *times)
{
    qsort(times, RUNS, sizeof *times, by_size);
    return times[RUNS / 2];
}

/* Scale only if `symmetric`, else scale and zero point. */
static void measure(const char *name, const float *x, size_t n, int bits, bool symmetric)
{
    int32_t top = (1 << (bits - 1)) - 1, steps = symmetric ? 2 * top : (1 << bits) - 1;
    int32_t first = symmetric ? top : 0, last = symmetric ? top : steps;
    void *space = aligned_alloc(64, (qnt__sort_bytes(n) + 63) / 64 * 64);
    void *more = aligned_alloc(64, (qnt__exact_grid_bytes(steps, first, last) + 63) / 64 * 64);
    double sort[RUNS], rest[RUNS];
    struct qnt__exact fit = {0};
    for (int run = -1; run < RUNS; run++) {
        struct qnt__sorted sorted;
        double begin = now();
        qnt__sort(x, NULL, n, symmetric ? QNT__FOLDED : QNT__SIDES, space, &sorted);
        double middle = now();
        qnt__exact_grid(&sorted, steps, first, last, 0.0, more, &fit);
        if (run < 0) continue;
        sort[run] = middle - begin;
        rest[run] = now() - middle;
    }
    printf("%-8s %8zu %4d %-10s %8.3f %8.3f %7.0f %12.6g %9.1e\n", name, n, bits,
           symmetric ? "scale" : "scale+zero", median(sort), median(rest), fit.visited,
           fit.error / energy(x, NULL, n), 1.0 - fit.bound / fit.error);
    free(more);
    free(space);
}

/* QNT_TEQ on one tensor: from its values to the parameters, observing included. */
static void exponents(const float *x, int64_t n)
{
    qnt_context *context = check_context();
    double all[2] = {0, 0};
    printf("\n%-12s %8s %12s %12s\n", "exponents", "n", "seconds", "literal");
    for (int bits = 2; bits <= 7; bits++) {
        double seconds[2];
        for (int literal = 0; literal < 2; literal++) {
            qnt_quantizer *q = NULL;
            qnt_spec spec = {.size = sizeof spec, .scheme = QNT_EXP, .method = QNT_TEQ, .bits = bits,
                             .flags = QNT_SIGNED | (literal ? QNT_LITERAL : 0)};
            double begin = now();
            if (qnt_quantizer_create(context, &spec, &q) ||
                qnt_quantizer_observe(context, q, TENSOR(x, QNT_FLOAT, 32, n), NULL) ||
                qnt_quantizer_fit(context, q))
                exit(1);
            seconds[literal] = 1e-3 * (now() - begin);
            all[literal] += seconds[literal];
            qnt_quantizer_destroy(q);
        }
        printf("%-12d %8zu %12.3f %12.3f\n", bits, (size_t)n, seconds[0], seconds[1]);
    }
    printf("%-12s %8zu %12.3f %12.3f\n", "all", (size_t)n, all[0], all[1]);
    qnt_context_destroy(context);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 1u << 20;
    float *x = malloc(n * sizeof *x);
    check_init(1, argv);
    check_state = 7;
    printf("%-8s %8s %4s %-10s %8s %8s %7s %12s %9s\n", "data", "n", "bits", "fit", "sort ms",
           "rest ms", "nodes", "error/energy", "gap");
    for (int kind = GAUSS; kind <= LAPLACE; kind++) {
        const char *name = kind == GAUSS ? "gauss" : "laplace";
        for (size_t m = 128; m <= n; m *= m < 4096 ? 32 : 256) {
            fill(x, NULL, m, kind);
            for (int bits = 2; bits <= 8; bits += bits == 4 ? 4 : 2) {
                measure(name, x, m, bits, true);
                measure(name, x, m, bits, false);
            }
        }
    }
    free(x);
    x = malloc(sizeof *x << 22);
    for (size_t i = 0; i < (size_t)1 << 22; i++) x[i] = (float)random_gauss();
    exponents(x, (int64_t)1 << 22);
    free(x);
    return 0;
}
