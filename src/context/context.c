/* Creating a context and setting its hooks. The contract is in qnt/context.h. */
#include "context.h"

#include <stdlib.h>

#include "base/arith.h"

static void *standard_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    return aligned_alloc(align, qnt__round_up(size, align));
}

static void standard_free(void *user, void *block, size_t size)
{
    (void)user;
    (void)size;
    free(block);
}

qnt_status qnt_context_create(qnt_alloc_fn alloc, qnt_free_fn free, void *user, qnt_context **out)
{
    if (!out) return QNT_E_INVALID;
    *out = NULL;
    if (!alloc != !free) return QNT_E_INVALID;

    struct qnt__memory memory = {alloc ? alloc : standard_alloc, free ? free : standard_free, user};
    qnt_context *context = qnt__alloc(&memory, sizeof *context);
    if (!context) return QNT_E_NOMEM;
    *context = (qnt_context){.memory = memory, .workers = 1};
    *out = context;
    return qnt_context_set_cpu(context, UINT64_MAX);
}

void qnt_context_destroy(qnt_context *context)
{
    if (!context) return;
    struct qnt__memory memory = context->memory;
    qnt__free(&memory, context, sizeof *context);
}

qnt_status qnt_context_set_parallel(qnt_context *context, qnt_parallel_fn parallel, void *user,
                                    size_t workers)
{
    if (!context) return QNT_E_INVALID;
    if (parallel && (workers < 1 || workers > 1024)) {
        return qnt__fail(context, QNT_E_INVALID, "workers is %zu, expected 1 to 1024", workers);
    }
    context->parallel = parallel;
    context->parallel_user = user;
    context->workers = parallel ? workers : 1;
    return QNT_OK;
}

qnt_status qnt_context_set_log(qnt_context *context, qnt_log_fn log, void *user, int32_t level)
{
    if (!context) return QNT_E_INVALID;
    if (level < QNT_LOG_NONE || level > QNT_LOG_DEBUG) {
        return qnt__fail(context, QNT_E_INVALID, "level is %d, expected %d to %d", (int)level,
                         QNT_LOG_NONE, QNT_LOG_DEBUG);
    }
    context->log = log;
    context->log_user = user;
    context->log_level = level;
    return QNT_OK;
}

qnt_status qnt_context_set_progress(qnt_context *context, qnt_progress_fn progress, void *user)
{
    if (!context) return QNT_E_INVALID;
    context->progress = progress;
    context->progress_user = user;
    return QNT_OK;
}

qnt_status qnt_context_set_cpu(qnt_context *context, uint64_t features)
{
    if (!context) return QNT_E_INVALID;
    context->cpu = qnt_cpu_detect() & features;
    context->wide_shuffles = qnt__cpu_wide_shuffles();
    qnt__simd_choose(&context->simd, context->cpu);
    return QNT_OK;
}

uint64_t qnt_context_cpu(const qnt_context *context)
{
    return context ? context->cpu : 0;
}
