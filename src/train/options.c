/* Reading and setting what is learned, and the options. The contract is in qnt/train.h. */
#include <math.h>
#include <string.h>

#include "base/try.h"
#include "quantizer/names.h"
#include "trainer.h"

/* Options: what they are called, and their least and greatest legal value. */
static const struct option {
    int32_t param;
    const char *name;
    double least, most;
    bool open; /* the least itself is not legal */
    bool whole;
} options[] = {{QNT_P_STEP, "QNT_P_STEP", 0.0, 0x1p53, false, true},
               {QNT_P_EPOCH, "QNT_P_EPOCH", 0.0, 0x1p53, false, true},
               {QNT_P_TEMPERATURE, "QNT_P_TEMPERATURE", 0.0, 1e30, true, false},
               {QNT_P_HARD, "QNT_P_HARD", 0.0, 1.0, false, true},
               {QNT_P_DELTA, "QNT_P_DELTA", 0.0, 1e6, false, false},
               {QNT_P_KEEP, "QNT_P_KEEP", 0.0, 1.0, true, false},
               {QNT_P_ANNEAL, "QNT_P_ANNEAL", 0.0, 0x1p53, false, true},
               {QNT_P_PENALTY, "QNT_P_PENALTY", 0.0, 1e30, false, false}};

static const struct option *option_named(int32_t param)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].param == param) return &options[i];
    return NULL;
}

static double *option_of(qnt_trainer *trainer, int32_t param)
{
    struct qnt__train_options *o = &trainer->options;
    switch (param) {
    case QNT_P_STEP: return &o->step;
    case QNT_P_EPOCH: return &o->epoch;
    case QNT_P_TEMPERATURE: return &o->temperature;
    case QNT_P_HARD: return &o->hard;
    case QNT_P_DELTA: return &o->delta;
    case QNT_P_KEEP: return &o->keep;
    case QNT_P_ANNEAL: return &o->anneal;
    case QNT_P_PENALTY: return &o->penalty;
    default: return NULL;
    }
}

static qnt_status check_started(const qnt_context *context, const qnt_trainer *trainer)
{
    if (trainer->groups > 0) return QNT_OK;
    return qnt__fail(context, QNT_E_STATE,
                     "trainer has no numbers yet; call qnt_trainer_start first");
}

/* How many values a parameter has, and where they are; NULL for an option that is unknown. */
static qnt_status find(const qnt_context *context, qnt_trainer *trainer, int32_t param, double **at,
                       size_t *count)
{
    *at = option_of(trainer, param);
    *count = 1;
    if (param == QNT_P_THETA) {
        QNT__TRY(check_started(context, trainer));
        *at = trainer->theta;
        *count = trainer->groups * trainer->count;
    } else if (param == QNT_P_LEVELS && trainer->spec.method == QNT_STAIRCASE) {
        *at = trainer->level;
        *count = (size_t)trainer->levels;
    }
    if (*at) return QNT_OK;
    const char *name = qnt__parameter_name(param);
    if (!name) {
        return qnt__fail(context, QNT_E_INVALID,
                         "param is %d, expected QNT_P_THETA (%d) to QNT_P_PENALTY (%d)", (int)param,
                         QNT_P_THETA, QNT_P_PENALTY);
    }
    return qnt__fail(context, QNT_E_INVALID,
                     "param is %s, which a trainer of method %s does not have; its quantizer may "
                     "(qnt_trainer_export)",
                     name, trainer->method->name);
}

qnt_status qnt_trainer_get(const qnt_context *context, const qnt_trainer *trainer, int32_t param,
                           double *values, size_t capacity, size_t *count)
{
    double *at;
    size_t n;
    if (!context) return QNT_E_INVALID;
    if (!trainer) return qnt__fail(context, QNT_E_INVALID, "trainer is NULL");
    if (!count) return qnt__fail(context, QNT_E_INVALID, "count is NULL");
    qnt_trainer copy = *trainer; /* so that one function finds what is read and written */
    QNT__TRY(find(context, &copy, param, &at, &n));
    if (values && capacity < n) {
        return qnt__fail(context, QNT_E_SPACE, "capacity is %zu, expected at least %zu", capacity,
                         n);
    }
    *count = n;
    if (values && n) memcpy(values, at, n * sizeof *values);
    return QNT_OK;
}

static qnt_status set_theta(const qnt_context *context, qnt_trainer *trainer, const double *values)
{
    qnt_trainer next;
    QNT__TRY(qnt__train_next(context, trainer, trainer->groups, &next));
    for (size_t g = 0; g < next.groups; g++) {
        double *theta = next.theta + g * next.count;
        for (size_t i = 0; i < next.count; i++) theta[i] = values[g * next.count + i];
        if (next.method->project) next.method->project(&next, theta);
    }
    return qnt__train_replace(context, trainer, &next);
}

/* May so many levels be set now? */
static qnt_status check_level_count(const qnt_context *context, const qnt_trainer *trainer,
                                    size_t n)
{
    size_t most = (size_t)1 << trainer->spec.bits;
    if (n < 2 || n > most) {
        return qnt__fail(context, QNT_E_INVALID,
                         "count is %zu, expected 2 to %zu levels of QNT_P_LEVELS", n, most);
    }
    if (trainer->groups == 0) return QNT_OK;
    return qnt__fail(context, QNT_E_STATE,
                     "trainer has started; set QNT_P_LEVELS before qnt_trainer_start");
}

static qnt_status set_levels(const qnt_context *context, qnt_trainer *trainer, const double *level,
                             size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool whole = level[i] == rint(level[i]) && fabs(level[i]) <= 32768.0;
        if (whole && (i == 0 || level[i] > level[i - 1])) continue;
        return qnt__fail(context, QNT_E_INVALID,
                         "values: level %zu is %g, expected integers of 16 bits that increase", i,
                         level[i]);
    }
    memcpy(trainer->level, level, n * sizeof *level);
    trainer->levels = (int32_t)n;
    return QNT_OK;
}

static qnt_status check_option(const qnt_context *context, const qnt_trainer *trainer,
                               int32_t param, double value)
{
    const struct option *o = option_named(param);
    if (value < o->least || value > o->most || (o->open && value == o->least) ||
        (o->whole && value != rint(value))) {
        return qnt__fail(context, QNT_E_INVALID, "values: %s is %g, expected %s%g to %g%s", o->name,
                         value, o->open ? "above " : "", o->least, o->most,
                         o->whole ? ", a whole number" : "");
    }
    if ((param == QNT_P_KEEP || param == QNT_P_ANNEAL) && trainer->groups > 0) {
        return qnt__fail(context, QNT_E_STATE,
                         "trainer has started; set %s before qnt_trainer_start", o->name);
    }
    if (param == QNT_P_STEP && value < trainer->options.step) {
        return qnt__fail(context, QNT_E_INVALID,
                         "values: QNT_P_STEP is %g after %g, expected one that does not go back",
                         value, trainer->options.step);
    }
    return QNT_OK;
}

qnt_status qnt_trainer_set(const qnt_context *context, qnt_trainer *trainer, int32_t param,
                           const double *values, size_t count)
{
    double *at;
    size_t n;
    if (!context) return QNT_E_INVALID;
    if (!trainer) return qnt__fail(context, QNT_E_INVALID, "trainer is NULL");
    QNT__TRY(find(context, trainer, param, &at, &n));
    if (param == QNT_P_LEVELS) {
        QNT__TRY(check_level_count(context, trainer, count));
    } else if (count != n) {
        return qnt__fail(context, QNT_E_INVALID, "count is %zu, expected %zu%s", count, n,
                         param == QNT_P_THETA ? ", as qnt_trainer_get gives" : "");
    }
    if (!values && count > 0) return qnt__fail(context, QNT_E_INVALID, "values is NULL");
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i])) continue;
        return qnt__fail(context, QNT_E_INVALID, "values: number %zu is %g, expected a finite one",
                         i, values[i]);
    }
    if (param == QNT_P_THETA) return set_theta(context, trainer, values);
    if (param == QNT_P_LEVELS) return set_levels(context, trainer, values, count);
    QNT__TRY(check_option(context, trainer, param, *values));
    *at = *values;
    return QNT_OK;
}
