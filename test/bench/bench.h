/*
 * Harness of the benchmarks: thread CPU time, candidates interleaved in one process, medians, and
 * what this core can do at most (arithmetic and streaming), measured in the same run.
 *
 * Options of every program: --seed N, --isa NAME (limits libqnt and the peers), --peer NAME (limits
 * the peers alone), --time SECONDS for each row.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* One way to do the work of a row. run does it once; `seconds` becomes the median. */
struct bench_candidate {
    const char *name;
    void (*run)(void *state);
    void *state; /* NULL: not available, left out */
    double seconds;
};

/* Reads the options, limits the peers to one thread and to the level, prints machine and seed. */
void bench_init(int argc, char **argv);

/* QNT_CPU_ bits that --isa leaves. */
uint64_t bench_cpu(void);

/* The value of an option, or NULL. */
const char *bench_option(const char *name);

/* Runs all candidates in turn until each has had its share of time. */
void bench_compare(struct bench_candidate *candidates, size_t count);

/* CPU time of this thread, and wall time, in seconds. */
double bench_now(void);
double bench_wall(void);

/* xorshift64*; the same numbers in every run with the same seed. */
uint64_t bench_random(void);
void bench_fill(void *bytes, size_t size);

/* Memory of ordinary pages, filled with random bytes; ends the program if there is none. */
void *bench_memory(size_t size);

/* Most int8 multiply-adds per second at this level: the peak of the widest integer product. */
double bench_peak(void);

/* One measurement of it, as a candidate beside others, and its multiply-adds; 0: none at this level. */
void bench_peak_run(void *state);
double bench_peak_products(void);

/* Reads `bytes` of memory, copy after copy, with plain vector loads: what no kernel can beat. */
struct bench_stream {
    uint8_t *data;
    size_t bytes, copies, turn;
};

struct bench_stream bench_stream(size_t bytes, size_t copies);
void bench_stream_run(void *stream);
void bench_stream_free(struct bench_stream *stream);

#endif
