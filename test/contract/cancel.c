/*
 * The progress hook stops observe and fit at the first report, the second, and so on: a status, a
 * reason, and a quantizer as before, which then gives what one that was never stopped gives.
 */
#include <pthread.h>

#include "steps.h"

struct watch {
    uint64_t calls, stop_at; /* stop_at counts from 1; 0: never */
    uint64_t done, total;    /* of the last call */
    pthread_t thread;
    bool orderly; /* done grows, total stays, the thread is the caller's */
};

static struct watch watch;

static int32_t progress(void *user, uint64_t done, uint64_t total)
{
    struct watch *w = user;
    bool first = w->calls++ == 0;
    if (done > total || (!first && (done < w->done || total != w->total))) w->orderly = false;
    if (!pthread_equal(pthread_self(), w->thread)) w->orderly = false;
    w->done = done;
    w->total = total;
    return w->calls == w->stop_at;
}

static void start(uint64_t stop_at)
{
    watch = (struct watch){.stop_at = stop_at, .thread = pthread_self(), .orderly = true};
}

/* Every stop in turn for the first few, then ever fewer. */
static uint64_t next_stop(uint64_t at)
{
    return at < 8 ? at + 1 : at + at / 2;
}

static void stop_everywhere(const char *name, qnt_quantizer *q,
                            qnt_status (*call)(qnt_quantizer *q))
{
    uint64_t at = 1, reports;
    for (;; at = next_stop(at)) {
        struct snapshot *before = take_snapshot(context, q);
        start(at);
        check_reason[0] = 0;
        qnt_status status = call(q);
        reports = watch.calls;
        CHECK_MSG(watch.orderly, "%s: reports out of order", name);
        if (reports < at) {
            CHECK_MSG(status == QNT_OK, "%s: %s", name, qnt_status_name(status));
            free(before);
            break;
        }
        CHECK_MSG(status == QNT_E_CANCELLED, "%s, report %d: %s", name, (int)at,
                  qnt_status_name(status));
        CHECK_MSG(strstr(check_reason, "progress hook"), "%s: \"%s\"", name, check_reason);
        CHECK_MSG(reports == at, "%s went on after report %d", name, (int)at);
        CHECK_MSG(is_unchanged(context, q, before), "%s, report %d: changed", name, (int)at);
    }
    CHECK_MSG(reports > 0, "%s reported nothing", name);
}

enum { ROWS = 8, COLUMNS = 6000, COUNT = ROWS * COLUMNS };

static float batch[COUNT];

static void stop_calibration(const qnt_spec *spec)
{
    batch_view = TENSOR(batch, QNT_FLOAT, 32, ROWS, COLUMNS);
    qnt_quantizer *q = new_quantizer(context, *spec), *reference = new_quantizer(context, *spec);
    for (int i = 0; i < 2; i++) {
        fill_floats(batch, COUNT);
        start(0);
        MUST(observe(reference));
        stop_everywhere("qnt_quantizer_observe", q, observe);
    }
    start(0);
    MUST(fit(reference));
    stop_everywhere("qnt_quantizer_fit", q, fit);
    CHECK_MSG(is_unchanged(context, q, take_snapshot(context, reference)),
              "stopping left a trace: method %d, grain %d", spec->method, spec->grain);
    qnt_quantizer_destroy(q);
    qnt_quantizer_destroy(reference);
}

static const int methods[] = {QNT_MINMAX, QNT_PERCENTILE, QNT_ENTROPY, QNT_ANALYTIC, QNT_MSE};

static void calibration(void)
{
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        for (int grain = QNT_PER_TENSOR; grain <= QNT_PER_AXIS; grain++) {
            int flags = grain ? QNT_SIGNED | QNT_SYMMETRIC : 0;
            qnt_spec spec = grained(methods[m], 4, flags, grain, 0, 0);
            stop_calibration(&spec);
        }
    }
    qnt_spec real = grained(QNT_MSE, 2, QNT_REAL_OFFSET, QNT_PER_AXIS, 0, 0);
    stop_calibration(&real);
    for (int i = 0; i < CODEBOOKS; i++) {
        qnt_spec spec = codebook(i, i % 2 ? QNT_PER_AXIS : QNT_PER_TENSOR, 0, 0);
        stop_calibration(&spec);
    }
}

/* Points by the error of outputs. */
static void stop_inputs(void)
{
    qnt_quantizer *q = new_quantizer(context, codebook(6, QNT_PER_AXIS, 0, 0));
    qnt_quantizer *reference = new_quantizer(context, codebook(6, QNT_PER_AXIS, 0, 0));
    qnt_quantizer *both[2] = {q, reference};
    fill_floats(batch, COUNT);
    start(0);
    for (int i = 0; i < 2; i++)
        MUST(qnt_quantizer_observe(context, both[i], TENSOR(batch, QNT_FLOAT, 32, 12, 400), NULL));
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 100, 400);
    MUST(observe_inputs(reference));
    MUST(observe_inputs(q));
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 120, 400);
    MUST(observe_inputs(reference));
    MUST(fit(reference));
    stop_everywhere("qnt_quantizer_observe_inputs", q, observe_inputs);
    stop_everywhere("qnt_quantizer_fit", q, fit);
    CHECK(is_unchanged(context, q, take_snapshot(context, reference)));
    qnt_quantizer_destroy(q);
    qnt_quantizer_destroy(reference);
}

static void searching(void)
{
    qnt_quantizer *q = exp_quantizer(context);
    batch_view = TENSOR(batch, QNT_FLOAT, 32, 1, 2000);
    fill_floats(batch, 2000);
    start(0);
    MUST(observe(q));
    start(0);
    MUST(fit(q));
    stop_everywhere("qnt_teq_search", q, search);
    qnt_quantizer_destroy(q);
}

/* Neither of two is changed, whether they have been fitted before or not. */
static void pairs(void)
{
    for (int fitted = 0; fitted < 2; fitted++) {
        for (int second = 0; second < 2; second++) {
            qnt_quantizer *q = exp_quantizer(context);
            partner = exp_quantizer(context);
            batch_view = TENSOR(batch, QNT_FLOAT, 32, 1, 2000);
            fill_floats(batch, 2000);
            start(0);
            MUST(observe(q));
            fill_floats(batch, 2000);
            start(0);
            MUST(observe(partner));
            for (int i = 0; fitted && i < 2; i++) {
                start(0);
                MUST(fit(i ? partner : q));
            }
            stop_everywhere("qnt_quantizer_fit_pair", q, second ? fit_second : fit_first);
            qnt_quantizer_destroy(q);
            qnt_quantizer_destroy(partner);
        }
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    context = check_context();
    MUST(qnt_context_set_progress(context, progress, &watch));
    RUN(calibration);
    RUN(stop_inputs);
    RUN(searching);
    RUN(pairs);
    qnt_context_destroy(context);
    return DONE;
}
