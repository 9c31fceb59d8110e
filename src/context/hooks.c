/* The doors to the host: memory, log, threads, progress. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "context.h"

enum { ALIGNMENT = 64, MESSAGE_BYTES = 512 };

/* No object is that large; SIZE_MAX stands for sizes that overflowed, which a hook might round up to 0. */
void *qnt__alloc(const struct qnt__memory *memory, size_t size)
{
    if (size > PTRDIFF_MAX) return NULL;
    return memory->alloc(memory->user, size ? size : 1, ALIGNMENT);
}

void qnt__free(const struct qnt__memory *memory, void *block, size_t size)
{
    if (block) memory->free(memory->user, block, size ? size : 1);
}

qnt_status qnt__allocate(const qnt_context *context, const struct qnt__memory *memory, size_t size,
                         void **out)
{
    *out = qnt__alloc(memory, size);
    if (*out) return QNT_OK;
    return qnt__fail(context, QNT_E_NOMEM, "the allocator gave no %zu bytes", size);
}

static void tell(const qnt_context *context, int32_t level, const char *format, va_list arguments)
{
    if (!context || !context->log || level > context->log_level) return;
    char message[MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    context->log(context->log_user, level, message);
}

void qnt__log(const qnt_context *context, int32_t level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(context, level, format, arguments);
    va_end(arguments);
}

qnt_status qnt__fail(const qnt_context *context, qnt_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(context, QNT_LOG_ERROR, format, arguments);
    va_end(arguments);
    return status;
}

qnt_status qnt__parallel(const qnt_context *context, qnt_task_fn run, void *task, size_t count)
{
    if (!context->parallel || context->workers == 1 || count <= 1) {
        for (size_t i = 0; i < count; i++) run(task, i, 0);
        return QNT_OK;
    }
    int32_t answer = context->parallel(context->parallel_user, run, task, count);
    if (answer == 0) return QNT_OK;
    return qnt__fail(context, QNT_E_PARALLEL, "the parallel hook returned %d", (int)answer);
}

qnt_status qnt__progress(const qnt_context *context, uint64_t done, uint64_t total)
{
    if (!context->progress || context->progress(context->progress_user, done, total) == 0) {
        return QNT_OK;
    }
    return qnt__fail(context, QNT_E_CANCELLED, "the progress hook asked to stop at %llu of %llu",
                     (unsigned long long)done, (unsigned long long)total);
}
