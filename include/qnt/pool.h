/**
 * @file pool.h
 * @brief A small thread pool that the caller creates and owns; optional.
 *
 * @defgroup pool Pool
 * @{
 *
 * Hosts with threads of their own lend them through qnt_context_set_parallel(). This pool is for
 * those that have none, and for bindings that cannot write a C callback worth calling:
 *
 *     qnt_pool_create(context, 4, &pool);
 *     qnt_context_set_parallel(context, qnt_pool_run, pool, 4);
 *
 * Nothing else in the library ever starts a thread. Idle threads sleep, 0.1 ms after the last piece
 * of work.
 */
#ifndef QNT_POOL_H
#define QNT_POOL_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @brief A set of sleeping threads. */
typedef struct qnt_pool qnt_pool;

/**
 * @brief Starts threads; the thread that calls qnt_pool_run() works too, so `threads` - 1 are
 * started.
 * @param context  for memory and the reason; not kept.
 * @param threads  workers in all, 1 to 1024.
 * @param[out] out the pool; NULL on failure.
 * @return #QNT_OK, #QNT_E_INVALID, #QNT_E_NOMEM, #QNT_E_PARALLEL when a thread cannot be started.
 */
QNT_API qnt_status qnt_pool_create(const qnt_context *context, size_t threads, qnt_pool **out);

/** @brief Stops and joins the threads; NULL is allowed. @param pool not in use meanwhile. */
QNT_API void qnt_pool_destroy(qnt_pool *pool);

/**
 * @brief A ready qnt_parallel_fn(): pass it with the pool as its `user`.
 *
 * Calls from several threads at once are served one after another.
 * @param pool  the pool.
 * @param run   called once for every index below count.
 * @param task  passed to it.
 * @param count how many pieces.
 * @return 0.
 */
QNT_API int32_t qnt_pool_run(void *pool, qnt_task_fn run, void *task, size_t count);

#ifdef __cplusplus
}
#endif
/** @} */
#endif
