/* Numbers that follow the values instead of a gradient. The contract is in qnt/train.h. */
#include <string.h>

#include "base/try.h"
#include "trainer.h"

static void refit_group(void *user, size_t group, float *x, size_t n)
{
    qnt_trainer *next = user;
    next->method->refit(next, x, n, next->theta + group * next->count);
}

/* A share of the new numbers, the rest of the present ones. */
static void mix(const qnt_trainer *trainer, qnt_trainer *next, double share)
{
    for (size_t g = 0; g < next->groups; g++) {
        const double *old = trainer->theta + g * next->count;
        double *theta = next->theta + g * next->count;
        for (size_t i = 0; i < next->count; i++) /* what has not moved keeps every bit */
            if (theta[i] != old[i]) theta[i] = (1.0 - share) * old[i] + share * theta[i];
        if (next->method->project) next->method->project(next, theta);
    }
}

qnt_status qnt_trainer_refit(const qnt_context *context, qnt_trainer *trainer, const qnt_tensor *x,
                             double share)
{
    struct qnt__view view;
    struct qnt__grouping grouping;
    qnt_trainer next;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(qnt__train_open(context, trainer, x, &view, &grouping));
    if (!trainer->method->refit) {
        return qnt__fail(context, QNT_E_UNSUPPORTED, "trainer is %s, which follows gradients only",
                         trainer->method->name);
    }
    if (!(share > 0.0 && share <= 1.0))
        return qnt__fail(context, QNT_E_INVALID, "share is %g, expected above 0 to 1", share);
    QNT__TRY(qnt__train_finite(context, "x", &view));
    QNT__TRY(qnt__train_next(context, trainer, trainer->groups, &next));
    memcpy(next.theta, trainer->theta, qnt__train_theta_bytes(&next));
    const qnt_context quiet = qnt__train_quiet(context);
    qnt_status status = qnt__train_gather(&quiet, &grouping, &view, refit_group, &next);
    if (status != QNT_OK) {
        qnt__free(&next.memory, next.theta, qnt__train_theta_bytes(&next));
        return status;
    }
    mix(trainer, &next, share);
    return qnt__train_replace(context, trainer, &next);
}
