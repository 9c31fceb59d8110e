/* The thread pool: every index once, one caller at a time, forks, nesting, sleep. Clean under
 * TSan. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "check.h"
#include "context/context.h"

enum { THREADS = 4, MOST = 1000 };

static qnt_context *c;

/* A job that notes what happened to it. */
struct record {
    qnt_pool *pool;
    size_t workers;
    atomic_int calls[MOST];   /* per index */
    atomic_int inside[1024];  /* per worker: calls under way */
    atomic_int overlaps, strangers;
    int results[MOST];        /* plain: the pool must order them before its return */
};

static void note(void *task, size_t index, size_t worker)
{
    struct record *r = task;
    if (worker >= r->workers) {
        atomic_fetch_add(&r->strangers, 1);
        return;
    }
    if (atomic_fetch_add(&r->inside[worker], 1) != 0) atomic_fetch_add(&r->overlaps, 1);
    atomic_fetch_add(&r->calls[index], 1);
    r->results[index] = (int)index + 1;
    atomic_fetch_sub(&r->inside[worker], 1);
}

static bool once(qnt_pool *pool, size_t workers, size_t count)
{
    static _Thread_local struct record r;
    memset(&r, 0, sizeof r);
    r.workers = workers;
    if (qnt_pool_run(pool, note, &r, count) != 0) return false;
    for (size_t i = 0; i < count; i++) {
        if (r.calls[i] != 1 || r.results[i] != (int)i + 1) return false;
    }
    return r.overlaps == 0 && r.strangers == 0;
}

static void every_index(void)
{
    for (size_t threads = 1; threads <= 6; threads++) {
        qnt_pool *pool = NULL;
        OK(qnt_pool_create(c, threads, &pool));
        CHECK(once(pool, threads, 0));
        CHECK(once(pool, threads, 1));
        for (int i = 0; i < 300; i++) {
            size_t count = (size_t)random_in(0, MOST);
            CHECK_MSG(once(pool, threads, count), "%zu threads, %zu pieces", threads, count);
        }
        qnt_pool_destroy(pool);
    }
    qnt_pool_destroy(NULL);
}

/* Helpers are slower than the caller, who then has to wait for them. */
static void dawdle(void *task, size_t index, size_t worker)
{
    usleep(worker == 0 ? 200 : 2000);
    note(task, index, worker);
}

static void waits_for_helpers(void)
{
    static struct record r;
    qnt_pool *pool = NULL;
    OK(qnt_pool_create(c, THREADS, &pool));
    for (int i = 0; i < 20; i++) {
        memset(&r, 0, sizeof r);
        r.workers = THREADS;
        CHECK(qnt_pool_run(pool, dawdle, &r, 20) == 0);
        for (int j = 0; j < 20; j++) CHECK(r.results[j] == j + 1);
    }
    qnt_pool_destroy(pool);
}

static void *caller(void *pool)
{
    for (int i = 0; i < 200; i++) {
        if (!once(pool, THREADS, (size_t)i)) return pool;
    }
    return NULL;
}

static void several_callers(void)
{
    qnt_pool *pool = NULL;
    OK(qnt_pool_create(c, THREADS, &pool));
    pthread_t ids[3];
    for (int i = 0; i < 3; i++) pthread_create(&ids[i], NULL, caller, pool);
    for (int i = 0; i < 3; i++) {
        void *bad;
        pthread_join(ids[i], &bad);
        CHECK(!bad);
    }
    qnt_pool_destroy(pool);
}

static void call_again(void *task, size_t index, size_t worker)
{
    struct record *r = task;
    (void)worker;
    struct record *inner = calloc(1, sizeof *inner);
    inner->workers = THREADS;
    qnt_pool_run(r->pool, note, inner, 8);
    for (int i = 0; i < 8; i++) r->calls[index] += inner->calls[i];
    free(inner);
}

static void nested(void)
{
    static struct record r;
    OK(qnt_pool_create(c, THREADS, &r.pool));
    CHECK(qnt_pool_run(r.pool, call_again, &r, 50) == 0);
    for (int i = 0; i < 50; i++) CHECK_MSG(r.calls[i] == 8, "piece %d ran %d of 8", i, r.calls[i]);
    qnt_pool_destroy(r.pool);
}

static void through_a_context(void)
{
    static struct record r;
    qnt_context *mine = check_context();
    r.workers = THREADS;
    OK(qnt_pool_create(mine, THREADS, &r.pool));
    OK(qnt_context_set_parallel(mine, qnt_pool_run, r.pool, THREADS));
    OK(qnt__parallel(mine, note, &r, MOST));
    for (int i = 0; i < MOST; i++) CHECK(r.calls[i] == 1);
    qnt_context_destroy(mine);
    qnt_pool_destroy(r.pool); /* outlives its context */
}

/* A child has only the thread that forked: its calls must end, and so must destroy. */
static void forked(void)
{
#if defined(__SANITIZE_THREAD__)
    SKIP("thread sanitizer does not allow threads after fork");
#else
    qnt_pool *pool = NULL;
    OK(qnt_pool_create(c, THREADS, &pool));
    CHECK(once(pool, THREADS, 100));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool good = once(pool, THREADS, 100);
        qnt_pool_destroy(pool);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(once(pool, THREADS, 100));
    qnt_pool_destroy(pool);
#endif
}

static double process_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void sleeps(void)
{
    qnt_pool *pool = NULL;
    OK(qnt_pool_create(c, THREADS, &pool));
    CHECK(once(pool, THREADS, 100));
    double before = process_seconds();
    usleep(100000);
    CHECK_MSG(process_seconds() - before < 0.05, "idle threads used %g s",
              process_seconds() - before);
    qnt_pool_destroy(pool);
}

static void *no_memory(void *user, size_t size, size_t align)
{
    int *left = user;
    return (*left)-- > 0 ? aligned_alloc(align, (size + align - 1) / align * align) : NULL;
}

static void give_back(void *user, void *block, size_t size)
{
    (void)user;
    (void)size;
    free(block);
}

static void refusals(void)
{
    qnt_pool *pool = (qnt_pool *)&pool;
    FAILS(qnt_pool_create(c, 0, &pool), QNT_E_INVALID, "threads is 0, expected 1 to 1024");
    CHECK(pool == NULL);
    FAILS(qnt_pool_create(c, 1025, &pool), QNT_E_INVALID, "threads is 1025");
    FAILS(qnt_pool_create(c, 2, NULL), QNT_E_INVALID, "out is NULL");
    CHECK(qnt_pool_create(NULL, 2, &pool) == QNT_E_INVALID);

    int left = 1;
    qnt_context *poor = NULL;
    OK(qnt_context_create(no_memory, give_back, &left, &poor));
    qnt_context_set_log(poor, check_log, NULL, QNT_LOG_ERROR);
    FAILS(qnt_pool_create(poor, 2, &pool), QNT_E_NOMEM, "the allocator gave no");
    CHECK(pool == NULL);
    qnt_context_destroy(poor);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(every_index);
    RUN(waits_for_helpers);
    RUN(several_callers);
    RUN(nested);
    RUN(through_a_context);
    RUN(forked);
    RUN(sleeps);
    RUN(refusals);
    qnt_context_destroy(c);
    return DONE;
}
