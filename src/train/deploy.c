/*
 * From what was learned to an ordinary quantizer.
 *
 * A method tells the rank of any number as a formula; where ranks change is found by bisection over
 * all float32 numbers, so that the quantizer and the formula agree for every input.
 */
#include "base/arith.h"
#include "base/numeric.h"
#include "base/try.h"
#include "rows.h"

/* The largest float32 whose rank is below `rank`; an infinity if all or none are. */
static float threshold_of(const struct qnt__pass *pass, int32_t rank)
{
    const int64_t largest = QNT__F32_LAST - 1;
    int64_t low = -largest - 1, high = largest; /* rank of low < rank <= rank of high */
    if (pass->trainer->method->rank(pass, (double)qnt__f32_at(low)) >= rank) return -INFINITY;
    if (pass->trainer->method->rank(pass, (double)qnt__f32_at(high)) < rank) return INFINITY;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (pass->trainer->method->rank(pass, (double)qnt__f32_at(middle)) < rank)
            low = middle;
        else
            high = middle;
    }
    return qnt__f32_at(low);
}

/* A normal float32 whose products with 16-bit levels are finite. */
static double scale_of_levels(double scale)
{
    return qnt__train_within(scale, (double)FLT_MIN, QNT__TRAIN_MOST);
}

/* Numbers of a quantizer that is about to be set. */
struct numbers {
    double *scale;     /* [groups] */
    double *zero;      /* [groups], or offsets */
    double *threshold; /* [groups][2^bits - 1] */
};

/* Codes with offsets: those of all groups have the widest of their bits. */
static void read_affine(const qnt_trainer *t, const struct numbers *n, qnt_spec *spec)
{
    int32_t bits = 1;
    bool narrow = true;
    for (size_t g = 0; g < t->groups; g++) {
        struct qnt__pass pass;
        struct qnt__train_affine q = {.bits = t->spec.bits};
        qnt__train_pass(t, g, 1, NULL, &pass);
        t->method->affine(&pass, &q);
        n->scale[g] = q.scale;
        n->zero[g] = spec->flags & QNT_REAL_OFFSET ? q.offset : q.zero;
        if (q.bits > bits)
            bits = q.bits, narrow = q.narrow;
        else if (q.bits == bits)
            narrow = narrow && q.narrow;
    }
    spec->bits = bits;
    if (narrow) spec->flags |= QNT_NARROW;
}

/* The levels of all groups; returns how many. */
static int32_t read_levels(const qnt_trainer *t, double level[256])
{
    struct qnt__pass pass;
    for (int32_t i = 0; i < t->levels; i++) level[i] = t->level[i];
    if (!t->method->levels_now) return t->levels;
    qnt__train_pass(t, 0, 1, NULL, &pass);
    return t->method->levels_now(&pass, level);
}

static void read_table(const qnt_trainer *t, const double *facts, int32_t levels,
                       const struct numbers *n)
{
    const int32_t each = (1 << t->spec.bits) - 1;
    for (size_t g = 0; g < t->groups; g++) {
        struct qnt__pass pass;
        qnt__train_pass(t, g, 1, facts, &pass);
        n->scale[g] = scale_of_levels(t->method->scale(&pass));
        for (int32_t i = 0; i < each; i++) {
            bool used = i + 1 < levels;
            n->threshold[g * (size_t)each + (size_t)i] =
                used ? (double)threshold_of(&pass, i + 1) : (double)INFINITY;
        }
    }
}

static qnt_status set_affine(const qnt_context *context, const qnt_trainer *t,
                             const struct numbers *n, qnt_spec *spec, qnt_quantizer **out)
{
    const bool real = t->spec.method == QNT_LSQPLUS && (t->spec.flags & QNT_LITERAL);
    spec->scheme = QNT_AFFINE;
    spec->method = QNT_FIXED;
    spec->flags = t->spec.flags & QNT_SIGNED;
    if (real) spec->flags |= QNT_REAL_OFFSET;
    read_affine(t, n, spec);
    QNT__TRY(qnt_quantizer_create(context, spec, out));
    QNT__TRY(qnt_quantizer_set(context, *out, QNT_P_SCALE, n->scale, t->groups));
    return qnt_quantizer_set(context, *out, real ? QNT_P_OFFSET : QNT_P_ZERO, n->zero, t->groups);
}

static qnt_status set_table(const qnt_context *context, const qnt_trainer *t, const double *facts,
                            const struct numbers *n, qnt_spec *spec, qnt_quantizer **out)
{
    spec->scheme = QNT_TABLE;
    spec->method = QNT_LEVELS;
    spec->flags = QNT_THRESHOLDS;
    double level[256];
    const int32_t levels = read_levels(t, level);
    read_table(t, facts, levels, n);
    QNT__TRY(qnt_quantizer_create(context, spec, out));
    QNT__TRY(qnt_quantizer_set(context, *out, QNT_P_LEVELS, level, (size_t)levels));
    QNT__TRY(qnt_quantizer_set(context, *out, QNT_P_SCALE, n->scale, t->groups));
    size_t thresholds = t->groups * (((size_t)1 << t->spec.bits) - 1);
    return qnt_quantizer_set(context, *out, QNT_P_THRESHOLDS, n->threshold, thresholds);
}

qnt_status qnt__train_deploy(const qnt_context *context, const qnt_trainer *trainer,
                             const double *facts, qnt_quantizer **out)
{
    const bool table = trainer->method->table[(trainer->spec.flags & QNT_SIGNED) != 0];
    qnt_spec spec = trainer->spec;
    size_t bytes, each = table ? (size_t)1 << trainer->spec.bits : 2;
    void *block;
    if (!qnt__mul(trainer->groups, each * sizeof(double), &bytes)) bytes = SIZE_MAX;
    QNT__TRY(qnt__allocate(context, &trainer->memory, bytes, &block));
    double *scale = block;
    struct numbers n = {scale, scale + trainer->groups, scale + trainer->groups};
    *out = NULL;
    qnt_status status = table ? set_table(context, trainer, facts, &n, &spec, out)
                              : set_affine(context, trainer, &n, &spec, out);
    qnt__free(&trainer->memory, block, bytes);
    if (status != QNT_OK) {
        qnt_quantizer_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* The quantizer fitted to a tensor. */
static qnt_status fit(const qnt_context *context, const qnt_trainer *trainer, const qnt_tensor *x,
                      qnt_quantizer **out)
{
    qnt_spec spec = trainer->spec;
    spec.flags &= ~QNT_SIGNED;
    QNT__TRY(qnt_quantizer_create(context, &spec, out));
    qnt_status status = qnt_quantizer_observe(context, *out, x, NULL);
    if (status == QNT_OK) status = qnt_quantizer_fit(context, *out);
    if (status == QNT_OK) return QNT_OK;
    qnt_quantizer_destroy(*out);
    *out = NULL;
    return status;
}

qnt_status qnt_trainer_export(const qnt_context *context, const qnt_trainer *trainer,
                              const qnt_tensor *x, qnt_quantizer **out)
{
    struct qnt__view view;
    struct qnt__grouping grouping;
    double *facts = NULL;
    if (!out) return qnt__fail(context, QNT_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return QNT_E_INVALID;
    if (!trainer) return qnt__fail(context, QNT_E_INVALID, "trainer is NULL");
    if (trainer->deployed) return qnt__train_deploy(context, trainer, NULL, out);
    QNT__TRY(qnt__train_open(context, trainer, x, &view, &grouping));
    QNT__TRY(qnt__train_finite(context, "x", &view));
    if (trainer->method->fits) return fit(context, trainer, x, out);
    QNT__TRY(qnt__train_facts(context, trainer, &grouping, &view, &facts));
    qnt_status status = qnt__train_deploy(context, trainer, facts, out);
    qnt__free(&context->memory, facts, qnt__train_facts_bytes(&grouping));
    return status;
}
