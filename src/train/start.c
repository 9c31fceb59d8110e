/* First numbers from data, and putting new numbers in the place of the present ones. */
#include <math.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer/levels.h"
#include "rows.h"

double qnt__train_reach(const qnt_spec *spec, const float *x, size_t n)
{
    double squares = 0.0, most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        if (v < 0.0 && !(spec->flags & QNT_SIGNED)) v = 0.0;
        squares += v * v;
        most = fmax(most, fabs(v));
    }
    return fmin(most, 3.0 * sqrt(squares / (double)n));
}

static size_t sorted_bytes(size_t n)
{
    size_t bytes = qnt__sort_bytes(n);
    return bytes > SIZE_MAX - 64 ? SIZE_MAX : qnt__round_up(bytes, 64);
}

size_t qnt__train_best_scale_bytes(int32_t levels, size_t n)
{
    size_t bytes;
    return qnt__add(sorted_bytes(n), qnt__exact_levels_bytes(levels), &bytes) ? bytes : SIZE_MAX;
}

double qnt__train_best_scale(const double *level, int32_t levels, const float *x, size_t n,
                             void *space)
{
    struct qnt__sorted sorted;
    struct qnt__scale_fit fit;
    qnt__sort(x, NULL, n, QNT__SIGNED, space, &sorted);
    qnt__exact_levels(&sorted, level, levels, 0.0, (char *)space + sorted_bytes(n), &fit);
    return fit.scale;
}

struct start {
    const qnt_trainer *trainer;
    double *theta;
    void *space;
};

static void start_group(void *user, size_t group, float *x, size_t n)
{
    struct start *job = user;
    const struct qnt__train_method *m = job->trainer->method;
    double *theta = job->theta + group * job->trainer->count;
    if (m->start) m->start(job->trainer, x, n, job->space, theta);
    if (m->project) m->project(job->trainer, theta);
}

/* Bytes that starting the largest group needs. */
static size_t space_bytes(const qnt_trainer *trainer, const struct qnt__grouping *grouping)
{
    size_t most = 0;
    for (size_t g = 0; g < grouping->groups; g++)
        most = qnt__max(most, qnt__group_size(grouping, g));
    return trainer->method->space ? trainer->method->space(trainer, most) : 0;
}

/* Numbers of all groups from their values; groups without values start at those of a single 0. */
static qnt_status find_theta(const qnt_context *context, qnt_trainer *next,
                             const struct qnt__grouping *grouping, const struct qnt__view *x)
{
    void *space;
    size_t bytes = space_bytes(next, grouping);
    QNT__TRY(qnt__allocate(context, &next->memory, bytes, &space));
    struct start job = {next, next->theta, space};
    for (size_t g = 0; g < grouping->groups; g++) {
        float nothing = 0.0f;
        if (qnt__group_size(grouping, g) == 0) start_group(&job, g, &nothing, 1);
    }
    qnt_status status = qnt__train_gather(context, grouping, x, start_group, &job);
    qnt__free(&next->memory, space, bytes);
    return status;
}

/* The quantizer of theta, unless it depends on the tensor. */
static qnt_status redeploy(const qnt_context *context, qnt_trainer *next)
{
    next->deployed = NULL;
    bool depends = next->method->fits || (next->method->facts && (next->spec.flags & QNT_SIGNED));
    return depends ? QNT_OK : qnt__train_deploy(context, next, NULL, &next->deployed);
}

qnt_status qnt__train_replace(const qnt_context *context, qnt_trainer *trainer, qnt_trainer *next)
{
    qnt_status status = redeploy(context, next);
    if (status != QNT_OK) {
        qnt__free(&next->memory, next->theta, qnt__train_theta_bytes(next));
        return status;
    }
    qnt_quantizer_destroy(trainer->deployed);
    qnt__free(&trainer->memory, trainer->theta, qnt__train_theta_bytes(trainer));
    *trainer = *next;
    return QNT_OK;
}

qnt_status qnt__train_next(const qnt_context *context, const qnt_trainer *trainer, size_t groups,
                           qnt_trainer *next)
{
    void *theta;
    size_t bytes;
    *next = *trainer;
    next->groups = groups;
    next->count = trainer->method->count(trainer);
    if (!qnt__mul(groups, next->count * sizeof(double), &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &trainer->memory, bytes, &theta));
    next->theta = theta;
    return QNT_OK;
}

qnt_status qnt_trainer_start(const qnt_context *context, qnt_trainer *trainer, const qnt_tensor *x)
{
    struct qnt__view view;
    struct qnt__grouping grouping;
    qnt_trainer next;
    if (!context) return QNT_E_INVALID;
    if (!trainer) return qnt__fail(context, QNT_E_INVALID, "trainer is NULL");
    QNT__TRY(qnt__view_open(context, "x", x, QNT__FLOATS, &view));
    QNT__TRY(qnt__grouping_of(context, "x", &trainer->spec, view.ndim, view.shape, &grouping));
    if (view.count == 0) {
        return qnt__fail(context, QNT_E_SHAPE, "x: no elements; expected some to start from");
    }
    QNT__TRY(qnt__train_finite(context, "x", &view));
    QNT__TRY(qnt__train_next(context, trainer, grouping.groups, &next));
    qnt_status status = find_theta(context, &next, &grouping, &view);
    if (status != QNT_OK) {
        qnt__free(&next.memory, next.theta, qnt__train_theta_bytes(&next));
        return status;
    }
    return qnt__train_replace(context, trainer, &next);
}
