/* The harness; see bench.h. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cpu_levels.h"
#include "qnt.h"

enum { MAX_CANDIDATES = 8, MAX_SAMPLES = 400, MIN_SAMPLES = 7 };

static char **arguments;
static int argument_count;
static uint64_t state = 88172645463325252u, levels;
static double row_seconds = 0.5;
static const char *level_name;

const char *bench_option(const char *name)
{
    for (int i = 1; i < argument_count; i++) {
        if (!strcmp(arguments[i], name)) return i + 1 < argument_count ? arguments[i + 1] : "";
    }
    return NULL;
}

static double clock_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_now(void)
{
    return clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}

double bench_wall(void)
{
    return clock_seconds(CLOCK_MONOTONIC);
}

uint64_t bench_random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1du;
}

void bench_fill(void *bytes, size_t size)
{
    uint8_t *to = bytes;
    for (size_t i = 0; i < size; i++) to[i] = (uint8_t)(bench_random() >> 33);
}

void *bench_memory(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *block = aligned_alloc(page, (size + page) / page * page);
    if (!block) {
        perror("memory");
        exit(1);
    }
    bench_fill(block, size);
    return block;
}

uint64_t bench_cpu(void)
{
    return levels;
}

/* The level of that name, or the best one. */
static void choose_level(const char *isa)
{
    uint64_t masks[MAX_LEVELS];
    int last = cpu_levels(masks) - 1, level = last;
    if (isa && !strcmp(isa, "c")) level = 0;
    for (int i = 1; isa && i <= last; i++) {
        if (!strcmp(cpu_level_name(masks, i), isa)) level = i;
    }
    levels = masks[level];
    level_name = cpu_level_name(masks, level);
}

static void print_machine(void)
{
    char line[256], model[256] = "unknown CPU";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "model name", 10)) continue;
        snprintf(model, sizeof model, "%s", strchr(line, ':') + 2);
        model[strcspn(model, "\n")] = 0;
        break;
    }
    if (file) fclose(file);
    printf("# %s, %ld processors, level %s\n", model, sysconf(_SC_NPROCESSORS_ONLN), level_name);
}

/* The peers read their environment before main, so the program starts itself again. */
static void set_environment(const char *isa)
{
    if (getenv("OMP_NUM_THREADS") && getenv("QNT_BENCH")) return;
    setenv("QNT_BENCH", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    if (isa && (!strcmp(isa, "avx2") || !strcmp(isa, "avxvnni"))) {
        setenv("ONEDNN_MAX_CPU_ISA", strcmp(isa, "avx2") ? "AVX2_VNNI" : "AVX2", 1);
        setenv("OPENBLAS_CORETYPE", "Haswell", 0);
    } else if (qnt_cpu_detect() & QNT_CPU_AVX512VNNI) {
        setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
    } else if (qnt_cpu_detect() & QNT_CPU_AVX2) {
        setenv("OPENBLAS_CORETYPE", "Haswell", 0);
    }
    execv("/proc/self/exe", arguments);
}

void bench_init(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
    const char *isa = bench_option("--isa"), *peer = bench_option("--peer"),
               *seed = bench_option("--seed"), *seconds = bench_option("--time");
    set_environment(peer ? peer : isa);
    choose_level(isa);
    if (seconds) row_seconds = atof(seconds);
    uint64_t number = seed ? strtoull(seed, NULL, 0) : 1;
    state ^= number * 0x9e3779b97f4a7c15u;
    setvbuf(stdout, NULL, _IOLBF, 0);
    print_machine();
    printf("# seed %llu; medians of thread CPU time, candidates interleaved\n",
           (unsigned long long)number);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, by_value);
    return samples[count / 2];
}

/* Calls per sample, so that a sample is long against the clock. */
static size_t calls_per_sample(const struct bench_candidate *candidate)
{
    candidate->run(candidate->state); /* warm */
    double start = bench_now();
    candidate->run(candidate->state);
    double once = bench_now() - start;
    return once > 1e-3 ? 1 : (size_t)(1e-3 / (once + 1e-7)) + 1;
}

void bench_compare(struct bench_candidate *candidates, size_t count)
{
    static double samples[MAX_CANDIDATES][MAX_SAMPLES];
    size_t calls[MAX_CANDIDATES], taken = 0;

    for (size_t c = 0; c < count; c++) {
        candidates[c].seconds = 0;
        if (candidates[c].state) calls[c] = calls_per_sample(&candidates[c]);
    }
    double end = bench_now() + row_seconds * (double)count;
    while (taken < MAX_SAMPLES && (taken < MIN_SAMPLES || bench_now() < end)) {
        for (size_t c = 0; c < count; c++) {
            if (!candidates[c].state) continue;
            double start = bench_now();
            for (size_t i = 0; i < calls[c]; i++) candidates[c].run(candidates[c].state);
            samples[c][taken] = (bench_now() - start) / (double)calls[c];
        }
        taken++;
    }
    for (size_t c = 0; c < count; c++) {
        if (candidates[c].state) candidates[c].seconds = median(samples[c], taken);
    }
}
