/* What a context holds, and the doors through which the library uses its host. */
#ifndef QNT__CONTEXT_CONTEXT_H
#define QNT__CONTEXT_CONTEXT_H

#include <stdbool.h>

#include "qnt/context.h"
#include "simd/slots.h"

/* The memory hooks; every handle keeps a copy, so that destroying it needs nothing else. */
struct qnt__memory {
    qnt_alloc_fn alloc;
    qnt_free_fn free;
    void *user;
};

struct qnt_context {
    struct qnt__memory memory;
    qnt_parallel_fn parallel; /* NULL: serial */
    void *parallel_user;
    size_t workers; /* at least 1 */
    qnt_log_fn log; /* NULL: silent */
    void *log_user;
    int32_t log_level;
    qnt_progress_fn progress; /* NULL: nobody asks */
    void *progress_user;
    uint64_t cpu;
    bool wide_shuffles; /* qnt__cpu_wide_shuffles(): of costs, not of results */
    int winograd; /* of tests: 1 wherever it may serve, -1 nowhere, 0 where it pays */
    struct qnt__simd simd;
};

/* Whether a core starts as many 512-bit shuffles and population counts as multiplications in a cycle. */
bool qnt__cpu_wide_shuffles(void);

/* 64-byte aligned memory, or NULL. size 0 gives a block that may be freed with size 0. */
void *qnt__alloc(const struct qnt__memory *memory, size_t size);

/* NULL is allowed. */
void qnt__free(const struct qnt__memory *memory, void *block, size_t size);

/* Formats a line for the log hook; does nothing if nobody listens at this level. */
void qnt__log(const qnt_context *context, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells the reason at QNT_LOG_ERROR and returns the status. A NULL context is allowed. */
qnt_status qnt__fail(const qnt_context *context, qnt_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Allocates or tells the reason. */
qnt_status qnt__allocate(const qnt_context *context, const struct qnt__memory *memory, size_t size,
                         void **out);

/* Runs task 0..count-1 on the host's threads, or here. The caller chooses pieces that do not depend
 * on the number of workers wherever the result could. */
qnt_status qnt__parallel(const qnt_context *context, qnt_task_fn run, void *task, size_t count);

/* Reports progress; QNT_E_CANCELLED if the host wants to stop. */
qnt_status qnt__progress(const qnt_context *context, uint64_t done, uint64_t total);

/* Reads a struct that begins with its uint32_t size: what the caller does not know is 0 in *out.
 * Fails if the size is below that of the first release, or if surplus bytes of a newer caller are
 * not 0. */
qnt_status qnt__sized_read(const qnt_context *context, const char *name, const void *from,
                           size_t first, size_t own, void *out);

/* Writes all but `size` of the result into the caller's struct, as far as the caller knows it; the
 * size has been checked with qnt__sized_read. */
void qnt__sized_write(void *to, const void *from, size_t own);

#endif
