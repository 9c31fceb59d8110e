/* Trainers: making and ending them, and what one group of theirs is at one step. The contract is in
 * qnt/train.h. */
#include "trainer.h"

#include <math.h>

#include "base/try.h"
#include "quantizer/names.h"
#include "quantizer/schemes.h"

enum {
    FIRST_SPEC = sizeof(qnt_spec), /* its size in release 1.0 */
    FLAGS = QNT_SIGNED | QNT_LITERAL
};

static qnt_status check_spec(const qnt_context *context, const qnt_spec *spec)
{
    const struct qnt__train_method *m = qnt__train_method_of(spec->method);
    if (!m) {
        return qnt__fail(
            context, QNT_E_INVALID,
            "spec: method is %d, expected QNT_BALANCED (%d) or one that trains, QNT_LSQ (%d) to "
            "QNT_LQ (%d)",
            (int)spec->method, QNT_BALANCED, QNT_LSQ, QNT_LQ);
    }
    if (spec->flags & ~FLAGS) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: flags are %s, expected QNT_SIGNED and QNT_LITERAL only",
                         qnt__flag_names(spec->flags).text);
    }
    const bool weights = spec->flags & QNT_SIGNED;
    if (weights ? !m->weights : !m->activations) {
        return qnt__fail(
            context, QNT_E_UNSUPPORTED, "spec: %s trains %s only, flags are %s", m->name,
            m->weights ? "weights (with QNT_SIGNED)" : "activations (without QNT_SIGNED)",
            qnt__flag_names(spec->flags).text);
    }
    const int32_t scheme = m->table[weights] ? QNT_TABLE : QNT_AFFINE;
    if (spec->scheme != scheme) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: scheme is %d, expected %s (%d), which %s trains", (int)spec->scheme,
                         qnt__scheme_of(scheme)->name, (int)scheme, m->name);
    }
    if (spec->bits < m->least_bits || spec->bits > m->most_bits) {
        return qnt__fail(context, QNT_E_INVALID, "spec: bits is %d, expected %d to %d for %s",
                         (int)spec->bits, (int)m->least_bits, (int)m->most_bits, m->name);
    }
    if (spec->points != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: points is %d, expected 0",
                         (int)spec->points);
    }
    if (spec->grain < QNT_PER_TENSOR || spec->grain > QNT_PER_BLOCK) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: grain is %d, expected %d (QNT_PER_TENSOR) to %d (QNT_PER_BLOCK)",
                         (int)spec->grain, QNT_PER_TENSOR, QNT_PER_BLOCK);
    }
    if (m->whole && spec->grain != QNT_PER_TENSOR) {
        return qnt__fail(context, QNT_E_UNSUPPORTED,
                         "spec: grain is %s, expected QNT_PER_TENSOR for %s",
                         qnt__grain_name(spec->grain), m->name);
    }
    if ((spec->grain == QNT_PER_BLOCK) != (spec->block != 0) || spec->block < 0) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: block is %lld, expected a length with QNT_PER_BLOCK and else 0",
                         (long long)spec->block);
    }
    return QNT_OK;
}

qnt_status qnt_trainer_create(const qnt_context *context, const qnt_spec *spec, qnt_trainer **out)
{
    qnt_trainer trainer = {.options = {.temperature = 10.0, .delta = 0.001, .keep = 1.0}};
    void *block;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    QNT__TRY(
        qnt__sized_read(context, "spec", spec, FIRST_SPEC, sizeof trainer.spec, &trainer.spec));
    trainer.spec.size = sizeof trainer.spec;
    if (trainer.spec.bits == 0) trainer.spec.bits = 4;
    QNT__TRY(check_spec(context, &trainer.spec));
    trainer.memory = context->memory;
    trainer.method = qnt__train_method_of(trainer.spec.method);
    if (trainer.spec.method == QNT_RQ) trainer.options.temperature = 1.0;
    if (trainer.method->levels)
        trainer.levels = trainer.method->levels(&trainer.spec, trainer.level);
    QNT__TRY(qnt__allocate(context, &trainer.memory, sizeof trainer, &block));
    *out = block;
    **out = trainer;
    return QNT_OK;
}

size_t qnt__train_theta_bytes(const qnt_trainer *trainer)
{
    return trainer->groups * trainer->count * sizeof(double); /* was allocated */
}

void qnt_trainer_destroy(qnt_trainer *trainer)
{
    if (!trainer) return;
    struct qnt__memory memory = trainer->memory;
    qnt_quantizer_destroy(trainer->deployed);
    qnt__free(&memory, trainer->theta, qnt__train_theta_bytes(trainer));
    qnt__free(&memory, trainer, sizeof *trainer);
}

void qnt__train_pass(const qnt_trainer *trainer, size_t group, size_t size, const double *facts,
                     struct qnt__pass *pass)
{
    const struct qnt__train_options *o = &trainer->options;
    double epoch = o->epoch > 0.0 ? floor(o->step / o->epoch) + 1.0 : 1.0;
    *pass = (struct qnt__pass){.trainer = trainer,
                               .theta = trainer->theta + group * trainer->count,
                               .group = group,
                               .size = size,
                               .temperature = o->temperature * epoch};
    for (int i = 0; facts && i < QNT__FACTS; i++)
        pass->facts[i] = facts[group * QNT__FACTS + (size_t)i];
    for (int i = 0; i < QNT__GATES; i++) pass->gate[i] = 1.0;
    if (trainer->method->gates) trainer->method->gates(pass);
}

/* Gates of all groups are drawn alike, so the first tells. */
bool qnt__train_is_soft(const qnt_trainer *trainer)
{
    const struct qnt__train_options *o = &trainer->options;
    if (!trainer->method->forward || o->hard != 0.0) return false;
    if (!trainer->method->gates) return true;
    return (trainer->spec.flags & QNT_SIGNED) && o->keep < 1.0 &&
           (o->anneal == 0.0 || o->step < o->anneal);
}
