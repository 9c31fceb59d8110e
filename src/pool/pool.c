/*
 * A thread pool: sleeping threads that help whoever calls qnt_pool_run().
 *
 * A caller posts a job and works on it itself. Threads that wake up in time join it and take
 * indices from the same counter; when the indices are used up the caller closes the job and waits
 * only for those that joined. A thread that never woke up costs nothing, and a forked child, which
 * has no threads, still gets its work done.
 *
 * To wake a thread up takes about as long as a small layer does. So who waits looks for a while before
 * it sleeps, if there is a processor for every thread: layers of a network follow each other within it.
 */
#define _POSIX_C_SOURCE 200809L
#include "qnt/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/arith.h"
#include "context/context.h"

enum { PATIENCE = 100 * 1000 /* nanoseconds */ };

struct job {
    qnt_task_fn run;
    void *task;
    size_t count;
    atomic_size_t next; /* index that nobody has taken yet */
};

struct thread {
    qnt_pool *pool;
    pthread_t id;
    size_t worker; /* 1.. */
};

struct qnt_pool {
    struct qnt__memory memory;
    size_t bytes;         /* of this block */
    pid_t process;        /* that started the threads */
    int64_t patience;     /* nanoseconds before who waits sleeps */
    pthread_mutex_t turn; /* held by the caller whose job runs */
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t posted, left;
    struct job *job;      /* NULL: nothing to join */
    pthread_t caller;     /* whose job it is */
    atomic_size_t number; /* of the job: each thread joins it once. Who looks has not the lock */
    atomic_size_t inside; /* threads that joined and have not left. The same */
    size_t asleep;        /* threads that `posted` wakes */
    bool stop;
    size_t started;
    struct thread threads[];
};

static void work(struct job *job, size_t worker)
{
    size_t index;
    while ((index = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed)) < job->count) {
        job->run(job->task, index, worker);
    }
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Leaves what the core has to another thread of it. */
static void pause_core(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Looks until the value is another one; false: patience has come to its end. */
static bool has_changed(const qnt_pool *pool, atomic_size_t *value, size_t before)
{
    const int64_t end = nanoseconds() + pool->patience;
    do {
        if (atomic_load_explicit(value, memory_order_acquire) != before) return true;
        pause_core();
    } while (nanoseconds() < end);
    return false;
}

/* With the lock, which is given back meanwhile: waits until a job may have been posted. */
static void wait_for_job(qnt_pool *pool, bool *patient)
{
    if (*patient) {
        const size_t number = pool->number;
        pthread_mutex_unlock(&pool->lock);
        *patient = has_changed(pool, &pool->number, number);
        pthread_mutex_lock(&pool->lock);
        return;
    }
    pool->asleep++;
    pthread_cond_wait(&pool->posted, &pool->lock);
    pool->asleep--;
}

static void *thread_main(void *argument)
{
    struct thread *self = argument;
    qnt_pool *pool = self->pool;
    size_t joined = 0;
    bool patient = false;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stop) {
        struct job *job = pool->job;
        if (!job || pool->number == joined) {
            wait_for_job(pool, &patient);
            continue;
        }
        joined = pool->number;
        pool->inside++;
        pthread_mutex_unlock(&pool->lock);
        work(job, self->worker);
        pthread_mutex_lock(&pool->lock);
        if (--pool->inside == 0) pthread_cond_signal(&pool->left);
        patient = pool->patience > 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* The host's signal handlers shall not run on our threads. */
static int start(struct thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

qnt_status qnt_pool_create(const qnt_context *context, size_t threads, qnt_pool **out)
{
    if (out) *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    if (threads < 1 || threads > 1024) {
        return qnt__fail(context, QNT_E_INVALID, "threads is %zu, expected 1 to 1024", threads);
    }

    size_t bytes = sizeof(qnt_pool) + threads * sizeof(struct thread);
    void *block;
    qnt_status status = qnt__allocate(context, &context->memory, bytes, &block);
    if (status != QNT_OK) return status;
    qnt_pool *pool = block;
    *pool = (qnt_pool){.memory = context->memory, .bytes = bytes, .process = getpid()};
    if (sysconf(_SC_NPROCESSORS_ONLN) >= (long)threads) pool->patience = PATIENCE;
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->posted, NULL);
    pthread_cond_init(&pool->left, NULL);

    for (size_t worker = 1; worker < threads; worker++) {
        struct thread *thread = &pool->threads[pool->started];
        *thread = (struct thread){.pool = pool, .worker = worker};
        int error = start(thread);
        if (error) {
            qnt_pool_destroy(pool);
            return qnt__fail(context, QNT_E_PARALLEL, "thread %zu of %zu: error %d", worker,
                             threads, error);
        }
        pool->started++;
    }
    *out = pool;
    return QNT_OK;
}

void qnt_pool_destroy(qnt_pool *pool)
{
    if (!pool) return;
    if (pool->process == getpid()) { /* a forked child has no threads, and the locks may be taken */
        pthread_mutex_lock(&pool->lock);
        pool->stop = true;
        pthread_cond_broadcast(&pool->posted);
        pthread_mutex_unlock(&pool->lock);
        for (size_t i = 0; i < pool->started; i++) pthread_join(pool->threads[i].id, NULL);
        pthread_cond_destroy(&pool->left);
        pthread_cond_destroy(&pool->posted);
        pthread_mutex_destroy(&pool->lock);
        pthread_mutex_destroy(&pool->turn);
    }
    struct qnt__memory memory = pool->memory;
    qnt__free(&memory, pool, pool->bytes);
}

/* True if this thread is at work on the pool's present job: its call must not wait for its own end.
 * */
static bool is_nested(qnt_pool *pool, size_t *worker)
{
    pthread_t self = pthread_self();
    pthread_mutex_lock(&pool->lock);
    bool nested = pool->job && pthread_equal(pool->caller, self);
    pthread_mutex_unlock(&pool->lock);
    *worker = 0;
    for (size_t i = 0; !nested && i < pool->started; i++) {
        nested = pthread_equal(pool->threads[i].id, self);
        if (nested) *worker = pool->threads[i].worker;
    }
    return nested;
}

static void post(qnt_pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    pool->job = job;
    pool->caller = pthread_self();
    pool->number++;
    for (size_t i = qnt__min(pool->asleep, job->count - 1); i > 0; i--) {
        pthread_cond_signal(&pool->posted);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void close_job(qnt_pool *pool)
{
    size_t inside;
    pthread_mutex_lock(&pool->lock);
    pool->job = NULL;
    pthread_mutex_unlock(&pool->lock);
    while ((inside = pool->inside) > 0 && has_changed(pool, &pool->inside, inside)) {}
    pthread_mutex_lock(&pool->lock);
    while (pool->inside > 0) pthread_cond_wait(&pool->left, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

int32_t qnt_pool_run(void *user, qnt_task_fn run, void *task, size_t count)
{
    qnt_pool *pool = user;
    struct job job = {.run = run, .task = task, .count = count};
    if (pool->started == 0 || count <= 1 || pool->process != getpid()) {
        work(&job, 0);
        return 0;
    }
    if (pthread_mutex_trylock(&pool->turn) != 0) {
        size_t worker;
        if (is_nested(pool, &worker)) {
            work(&job, worker);
            return 0;
        }
        pthread_mutex_lock(&pool->turn);
    }
    post(pool, &job);
    work(&job, 0);
    close_job(pool);
    pthread_mutex_unlock(&pool->turn);
    return 0;
}
