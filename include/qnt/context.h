/**
 * @file context.h
 * @brief The host's hooks (memory, threads, log, progress) and the CPU level in use.
 *
 * @defgroup context Context
 * @{
 *
 * A context is what the library knows about its host. Create one, set the hooks that the host wants
 * to provide, then share it as `const` among as many threads as needed. It owns nothing but itself:
 * quantizers and layers made with it stay valid after it is destroyed. There is no global state;
 * two libraries in one process can each have their own context.
 */
#ifndef QNT_CONTEXT_H
#define QNT_CONTEXT_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief The host's hooks and the chosen CPU level. */
typedef struct qnt_context qnt_context;

/**
 * @brief Allocates `size` > 0 bytes aligned to `align` (a power of two, at most 64).
 * @return the block, or NULL, which the library reports as #QNT_E_NOMEM.
 */
typedef void *(*qnt_alloc_fn)(void *user, size_t size, size_t align);

/** @brief Frees a block of qnt_alloc_fn(); `size` is the size that was asked for. Never NULL. */
typedef void (*qnt_free_fn)(void *user, void *block, size_t size);

/** @brief One piece of work, handed by the library to qnt_parallel_fn(). */
typedef void (*qnt_task_fn)(void *task, size_t index, size_t worker);

/**
 * @brief Runs `run(task, i, worker)` exactly once for every i < count, in any order.
 *
 * `worker` must be below the number of workers declared, and no two calls with the same worker may
 * overlap. Returns 0 after all calls have returned; anything else becomes #QNT_E_PARALLEL. The
 * library never calls it from inside a task.
 */
typedef int32_t (*qnt_parallel_fn)(void *user, qnt_task_fn run, void *task, size_t count);

/** @brief Receives one finished line of UTF-8 without newline, valid during the call only. */
typedef void (*qnt_log_fn)(void *user, int32_t level, const char *message);

/**
 * @brief Told how far a long call has come. Non-zero cancels: the call returns #QNT_E_CANCELLED and
 * its object is as it was before. Called on the thread that made the call.
 */
typedef int32_t (*qnt_progress_fn)(void *user, uint64_t done, uint64_t total);

/** Log levels: a hook receives messages up to the level it asked for. */
enum {
    QNT_LOG_NONE = 0,  /**< Nothing. */
    QNT_LOG_ERROR = 1, /**< The reason of every error. */
    QNT_LOG_WARN = 2,  /**< Legal but doubtful input. */
    QNT_LOG_INFO = 3,  /**< Choices made, e.g. which kernel a layer runs on. */
    QNT_LOG_DEBUG = 4  /**< Details for those who work on the library. */
};

/** CPU features, each defined as "the instructions and the operating system's support for them". */
enum {
    QNT_CPU_AVX2 = 0x1,         /**< AVX2 with F16C and POPCNT. */
    QNT_CPU_AVX512VNNI = 0x2,   /**< AVX-512 F, BW, DQ, VL and VNNI. */
    QNT_CPU_AVX512VBMI = 0x4,   /**< The same with VBMI, VBMI2, BITALG and VPOPCNTDQ. */
    QNT_CPU_AVXVNNI = 0x8,      /**< AVX2 as above and AVX-VNNI: a level between the first two. */
    QNT_CPU_NEON = 0x10000,     /**< AArch64 Advanced SIMD. */
    QNT_CPU_NEONDOT = 0x20000   /**< AArch64 dot product (SDOT, UDOT). */
};

/**
 * @brief Creates a context with the best CPU level of this machine, serial, silent.
 * @param alloc memory hook, or NULL for the C library's; both hooks or none.
 * @param free  its counterpart.
 * @param user  passed to both.
 * @param[out] out the new context; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_NOMEM.
 */
QNT_API qnt_status qnt_context_create(qnt_alloc_fn alloc, qnt_free_fn free, void *user,
                                      qnt_context **out);

/** @brief Frees a context; NULL is allowed. @param context what to free. */
QNT_API void qnt_context_destroy(qnt_context *context);

/**
 * @brief Lends the host's threads to the library; results do not depend on them.
 * @param context  the context, not in use meanwhile.
 * @param parallel the hook, or NULL for serial work.
 * @param user     passed to the hook.
 * @param workers  how many different worker numbers the hook may pass, 1 to 1024.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_context_set_parallel(qnt_context *context, qnt_parallel_fn parallel,
                                            void *user, size_t workers);

/**
 * @brief Sets who hears reasons and notes. The hook may be called by any thread that uses the
 * context.
 * @param context the context, not in use meanwhile.
 * @param log     the hook, or NULL for silence.
 * @param user    passed to the hook.
 * @param level   the most detailed level wanted, e.g. #QNT_LOG_ERROR.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_context_set_log(qnt_context *context, qnt_log_fn log, void *user,
                                       int32_t level);

/**
 * @brief Sets who is told about the progress of observe and fit, and may cancel them.
 * @param context  the context, not in use meanwhile.
 * @param progress the hook, or NULL.
 * @param user     passed to the hook.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_context_set_progress(qnt_context *context, qnt_progress_fn progress,
                                            void *user);

/**
 * @brief Restricts the CPU features to use; results do not depend on them, only speed does.
 * @param context  the context, not in use meanwhile.
 * @param features an OR of QNT_CPU_ bits; bits this machine lacks are ignored; 0 is portable C.
 * @return #QNT_OK, #QNT_E_INVALID.
 */
QNT_API qnt_status qnt_context_set_cpu(qnt_context *context, uint64_t features);

/** @brief CPU features in use. @param context the context, or NULL. @return QNT_CPU_ bits. */
QNT_API uint64_t qnt_context_cpu(const qnt_context *context);

/** @brief CPU features of this machine. @return QNT_CPU_ bits. Never fails; any thread. */
QNT_API uint64_t qnt_cpu_detect(void);

/**
 * @brief Name of one CPU feature, e.g. "avx2".
 * @param feature exactly one QNT_CPU_ bit; 0 is "c".
 * @return a static string; "?" for an unknown bit.
 */
QNT_API const char *qnt_cpu_name(uint64_t feature);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
