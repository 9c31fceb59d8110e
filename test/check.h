/*
 * Test harness in one header: checks, random numbers, guarded buffers, a captured log.
 *
 * A test program is one C file:  static void shapes(void) { CHECK(...); }
 *                                int main(int argc, char **argv) { CHECK_INIT; RUN(shapes); return
 *                                DONE; }
 * It prints one line for each test that fails or is skipped and, last, `N passed, N failed, N
 * skipped`. --seed N repeats a run.
 */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "qnt.h"

#define UNUSED __attribute__((unused))

static UNUSED int check_passed, check_failed, check_skipped, check_bad;
static uint64_t check_seed, check_state;
static bool check_quick UNUSED; /* QNT_TEST_QUICK is set: fewer repetitions, e.g. under qemu */
static char check_reason[512]; /* the last message of the log hook */

/* Repetitions of a loop: a twentieth will do where the same code ran in full elsewhere. */
#define ROUNDS(n) (check_quick ? ((n) + 19) / 20 : (n))
#define CASES(n) (check_quick ? ((n) + 3) / 4 : (n)) /* of cases that differ much */

/* ---- checks ---- */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition) && check_bad++ < 8) {                                                     \
            printf("  %s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
        }                                                                                          \
    } while (0)

/* The same with a printf-style explanation. */
#define CHECK_MSG(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition) && check_bad++ < 8) {                                                     \
            printf("  %s:%d: %s: ", __FILE__, __LINE__, #condition);                               \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
        }                                                                                          \
    } while (0)

/* Stops the test as well: for conditions that everything after depends on. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        bool holds_ = (condition);                                                                 \
        CHECK_MSG(holds_, "%s; reason: %s", #condition, check_reason);                             \
        if (!holds_) return;                                                                       \
    } while (0)

#define OK(call) REQUIRE((call) == QNT_OK)

/* The call must fail with the status and with a reason that contains the text. */
#define FAILS(call, status, text)                                                                  \
    do {                                                                                           \
        check_reason[0] = 0;                                                                       \
        qnt_status got_ = (call);                                                                  \
        CHECK_MSG(got_ == (status), "%s gave %s", #call, qnt_status_name(got_));                   \
        CHECK_MSG(strstr(check_reason, (text)), "\"%s\" is not in \"%s\"", (text), check_reason);  \
    } while (0)

#define SKIP(why)                                                                                  \
    do {                                                                                           \
        printf("  skipped: %s\n", why);                                                            \
        check_skipped++;                                                                           \
        return;                                                                                    \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        int skipped_ = check_skipped;                                                              \
        check_bad = 0;                                                                             \
        check_state = check_seed * 0x9e3779b97f4a7c15u + 0x1234567u;                               \
        test();                                                                                    \
        if (check_bad) printf("  FAILED %s (seed %llu)\n", #test, (unsigned long long)check_seed); \
        if (check_bad) check_failed++;                                                             \
        else if (check_skipped == skipped_) check_passed++;                                        \
    } while (0)

#define CHECK_INIT check_init(argc, argv)

#define DONE                                                                                       \
    (printf("%d passed, %d failed, %d skipped\n", check_passed, check_failed, check_skipped),      \
     check_failed != 0)

static void check_init(int argc, char **argv)
{
    check_seed = 1;
    check_quick = getenv("QNT_TEST_QUICK") != NULL;
    for (int i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], "--seed")) check_seed = strtoull(argv[i + 1], NULL, 0);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
}

/* ---- random numbers: xorshift64* ---- */

static UNUSED uint64_t random_u64(void)
{
    check_state ^= check_state >> 12;
    check_state ^= check_state << 25;
    check_state ^= check_state >> 27;
    return check_state * 0x2545f4914f6cdd1du;
}

/* low..high, both included */
static UNUSED int64_t random_in(int64_t low, int64_t high)
{
    return low + (int64_t)((random_u64() >> 11) % (uint64_t)(high - low + 1));
}

/* 0 <= x < 1 */
static UNUSED double random_unit(void)
{
    return (double)(random_u64() >> 11) * 0x1p-53;
}

static UNUSED double random_gauss(void)
{
    double u = 1.0 - random_unit(), v = random_unit();
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

static UNUSED double random_laplace(void)
{
    double u = random_unit() - 0.5;
    return u < 0 ? log(1 + 2 * u) : -log(1 - 2 * u);
}

/* ---- guarded buffers: a fault on the first byte before (low) or after (high) ---- */

typedef struct guarded {
    uint8_t *data; /* size bytes */
    void *map;
    size_t length;
} guarded;

static UNUSED guarded guard(size_t size, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (size + page - 1) / page * page;
    guarded g = {.length = inside + 2 * page};
    g.map = mmap(NULL, g.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || (inside && mprotect((uint8_t *)g.map + page, inside,
                                                   PROT_READ | PROT_WRITE))) {
        perror("guard");
        exit(2);
    }
    g.data = (uint8_t *)g.map + page + (at_end ? inside - size : 0);
    return g;
}

static UNUSED void unguard(guarded *g)
{
    munmap(g->map, g->length);
    g->map = NULL;
}

/* ---- a context whose log is captured in check_reason ---- */

static UNUSED void check_log(void *user, int32_t level, const char *message)
{
    (void)user;
    (void)level;
    snprintf(check_reason, sizeof check_reason, "%s", message);
}

static UNUSED qnt_context *check_context(void)
{
    qnt_context *context = NULL;
    if (qnt_context_create(NULL, NULL, NULL, &context) != QNT_OK) exit(2);
    qnt_context_set_log(context, check_log, NULL, QNT_LOG_ERROR);
    return context;
}

/* ---- tensors: TENSOR(data, QNT_FLOAT, 32, 2, 3) is a compact view of 2 x 3 floats ---- */

typedef struct check_tensor {
    qnt_tensor t;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
} check_tensor;

static UNUSED qnt_tensor *check_view(check_tensor *v, void *data, int code, int bits, int ndim,
                                     const int64_t *shape)
{
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        v->shape[d] = shape[d];
        v->strides[d] = stride;
        stride = (int64_t)((uint64_t)stride * (uint64_t)shape[d]); /* may wrap: tests of overflow */
    }
    v->t = (qnt_tensor){.data = data, .device_type = 1, .ndim = ndim, .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits, .dtype_lanes = 1, .shape = v->shape,
                        .strides = v->strides};
    return &v->t;
}

/* A view that lives until the end of the enclosing block. */
#define TENSOR(data, code, bits, ...)                                                              \
    check_view(&(check_tensor){0}, (void *)(uintptr_t)(data), code, bits,                      \
               (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

#endif
