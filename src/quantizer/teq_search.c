/*
 * DNA-TEQ's adaptive loop: bits of exponents for every layer from thresholds of the error, and the
 * loop over thresholds around it. The contract is in qnt/quantizer.h.
 *
 * A layer takes b bits from a threshold on that depends on its errors only, so all pairs are fitted
 * once, and the outer loop jumps from one threshold at which some layer changes to the next.
 */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "methods.h"
#include "pair.h"

enum { LEAST_BITS = 2, MOST_BITS = 7, WIDTHS = MOST_BITS + 1, OPERANDS = 2 };

static const char *const operand_name[OPERANDS] = {"weights", "inputs"};

/* One layer: its operands (the second may be absent), fitted for every number of bits. */
struct layer {
    qnt_quantizer *own[OPERANDS];
    qnt_quantizer trial[OPERANDS][WIDTHS];
    bool allocated[OPERANDS][WIDTHS];
    double from[WIDTHS]; /* the weights' threshold at which so many bits do */
    int32_t bits;
};

struct search {
    const qnt_context *context;
    qnt_teq_spec spec; /* defaults filled in */
    size_t layers, bytes;
    uint64_t fits; /* in all, what progress counts */
    struct layer *layer;
    const qnt_quantizer **shown[OPERANDS]; /* [layers] each, for the callback */
    bool with_inputs;
    qnt_teq_loss_fn loss;
    void *user;
};

/* ---- the request ---- */

static bool is_positive(double v)
{
    return v > 0.0 && v < (double)INFINITY;
}

static qnt_status read_spec(const qnt_context *context, const qnt_teq_spec *from,
                            qnt_teq_spec *spec)
{
    QNT__TRY(qnt__sized_read(context, "spec", from, sizeof *spec, sizeof *spec, spec));
    if (spec->least_bits == 0) spec->least_bits = 3;
    if (spec->most_bits == 0) spec->most_bits = MOST_BITS;
    if (spec->step == 0.0) spec->step = 0.01;
    if (spec->ratio == 0.0) spec->ratio = 1.0;
    if (spec->bound == 0.0) spec->bound = 0.01;
    if (spec->least_bits < LEAST_BITS || spec->most_bits > MOST_BITS ||
        spec->least_bits > spec->most_bits) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: %d to %d bits, expected a range within 2 to 7",
                         (int)spec->least_bits, (int)spec->most_bits);
    }
    if (!is_positive(spec->step) || !is_positive(spec->ratio) || !is_positive(spec->bound)) {
        return qnt__fail(context, QNT_E_INVALID,
                         "spec: step %g, ratio %g, bound %g, expected finite numbers above 0",
                         spec->step, spec->ratio, spec->bound);
    }
    if (spec->reserved != 0) {
        return qnt__fail(context, QNT_E_INVALID, "spec: reserved is %d, expected 0",
                         (int)spec->reserved);
    }
    return QNT_OK;
}

static qnt_status check_operand(const struct search *s, size_t l, int o)
{
    const qnt_quantizer *q = s->layer[l].own[o];
    const qnt_context *context = s->context;
    if (!q && o == 1) return QNT_OK;
    if (!q) return qnt__fail(context, QNT_E_INVALID, "weights[%zu] is NULL", l);
    if (q->spec.method != QNT_TEQ) {
        return qnt__fail(context, QNT_E_UNSUPPORTED, "%s[%zu]: method %s, expected QNT_TEQ",
                         operand_name[o], l, qnt__method_of(q->spec.method)->name);
    }
    if ((q->spec.flags ^ s->layer[l].own[0]->spec.flags) & QNT_LITERAL) {
        return qnt__fail(context, QNT_E_INVALID,
                         "layer %zu: expected both or neither operand QNT_LITERAL", l);
    }
    for (size_t k = 0; k <= l; k++) {
        for (int p = 0; p < (k < l ? OPERANDS : o); p++) {
            if (s->layer[k].own[p] == q) {
                return qnt__fail(context, QNT_E_INVALID, "%s[%zu] is also %s[%zu]", operand_name[o],
                                 l, operand_name[p], k);
            }
        }
    }
    return qnt__fit_check(context, q);
}

/* ---- fitting all pairs ---- */

static qnt_status fit_layer(const struct search *s, const qnt_context *quiet, size_t l,
                            int32_t bits)
{
    struct layer *layer = &s->layer[l];
    qnt_quantizer *next[OPERANDS];
    double rmae[OPERANDS] = {0.0, 0.0};
    int count = layer->own[1] ? 2 : 1;
    for (int o = 0; o < count; o++) {
        next[o] = &layer->trial[o][bits];
        *next[o] = *layer->own[o];
        next[o]->spec.bits = bits;
        QNT__TRY(qnt__parameters_allocate(quiet, next[o], next[o]->statistics->groups));
        layer->allocated[o][bits] = true;
    }
    QNT__TRY(qnt__teq_fit(quiet, next, count, rmae));
    for (int o = 0; o < count; o++) QNT__TRY(qnt__fit_finish(quiet, next[o]));
    layer->from[bits] = fmax(rmae[0], rmae[1] / s->spec.ratio);
    return QNT_OK;
}

static qnt_status fit_all(struct search *s)
{
    qnt_context quiet = *s->context; /* progress counts whole fits */
    uint64_t done = 0;
    quiet.progress = NULL;
    s->fits = s->layers * (uint64_t)(s->spec.most_bits - s->spec.least_bits + 1);
    for (size_t l = 0; l < s->layers; l++) {
        for (int32_t b = s->spec.least_bits; b <= s->spec.most_bits; b++) {
            QNT__TRY(qnt__progress(s->context, done++, s->fits));
            QNT__TRY(fit_layer(s, &quiet, l, b));
        }
    }
    return qnt__progress(s->context, s->fits, s->fits);
}

/* ---- thresholds ---- */

static int32_t bits_at(const struct search *s, const struct layer *layer, double threshold)
{
    int32_t bits = s->spec.least_bits;
    while (bits < s->spec.most_bits && !(layer->from[bits] <= threshold)) bits++;
    return bits;
}

/* The next multiple of the step at which some layer takes fewer bits; infinite if there is none. */
static double next_threshold(const struct search *s)
{
    double next = INFINITY;
    for (size_t l = 0; l < s->layers; l++) {
        const struct layer *layer = &s->layer[l];
        for (int32_t b = s->spec.least_bits; b < layer->bits; b++)
            next = fmin(next, layer->from[b]);
    }
    return fmax(next, ceil(next / s->spec.step) * s->spec.step);
}

static qnt_status measure(struct search *s, double threshold, double *loss)
{
    for (size_t l = 0; l < s->layers; l++) {
        struct layer *layer = &s->layer[l];
        int32_t bits = bits_at(s, layer, threshold);
        s->shown[0][l] = &layer->trial[0][bits];
        s->shown[1][l] = layer->own[1] ? &layer->trial[1][bits] : NULL;
    }
    *loss = NAN;
    s->spec.calls++;
    const qnt_quantizer *const *inputs = s->with_inputs ? s->shown[1] : NULL;
    if (s->loss(s->user, s->shown[0], inputs, loss) != 0) {
        return qnt__fail(s->context, QNT_E_CANCELLED, "loss stopped the search at threshold %g",
                         threshold);
    }
    if (isnan(*loss)) {
        return qnt__fail(s->context, QNT_E_INVALID, "loss is not a number at threshold %g",
                         threshold);
    }
    return QNT_OK;
}

/* The first threshold is 0, kept whatever it loses. */
static qnt_status raise_threshold(struct search *s)
{
    double threshold = 0.0, loss;
    QNT__TRY(measure(s, threshold, &loss));
    while (true) {
        s->spec.threshold = threshold;
        s->spec.loss = loss;
        for (size_t l = 0; l < s->layers; l++) {
            s->layer[l].bits = bits_at(s, &s->layer[l], threshold);
        }
        threshold = next_threshold(s);
        if (!(loss <= s->spec.bound) || isinf(threshold)) return QNT_OK;
        QNT__TRY(qnt__progress(s->context, s->fits, s->fits));
        QNT__TRY(measure(s, threshold, &loss));
        if (!(loss <= s->spec.bound)) return QNT_OK;
    }
}

/* ---- all of it ---- */

static qnt_status open_search(struct search *s, qnt_quantizer *const *weights,
                              qnt_quantizer *const *inputs)
{
    size_t each = sizeof(struct layer) + OPERANDS * sizeof(qnt_quantizer *);
    void *block;
    if (!qnt__mul(s->layers, each, &s->bytes)) {
        return qnt__fail(s->context, QNT_E_NOMEM, "%zu layers overflow memory", s->layers);
    }
    QNT__TRY(qnt__allocate(s->context, &s->context->memory, s->bytes, &block));
    memset(block, 0, s->bytes);
    s->layer = block;
    s->shown[0] = (void *)(s->layer + s->layers);
    s->shown[1] = s->shown[0] + s->layers;
    for (size_t l = 0; l < s->layers; l++) {
        s->layer[l].own[0] = weights[l];
        s->layer[l].own[1] = inputs ? inputs[l] : NULL;
    }
    return QNT_OK;
}

/* Takes over what was found, if it was, and frees the rest. */
static void close_search(struct search *s, bool found)
{
    double sum = 0.0;
    for (size_t l = 0; l < s->layers; l++) {
        struct layer *layer = &s->layer[l];
        for (int o = 0; o < OPERANDS && found && layer->own[o]; o++) {
            qnt__parameters_free(layer->own[o]);
            *layer->own[o] = layer->trial[o][layer->bits];
            layer->allocated[o][layer->bits] = false;
        }
        for (int i = 0; i < OPERANDS * WIDTHS; i++) {
            if (layer->allocated[i / WIDTHS][i % WIDTHS]) {
                qnt__parameters_free(&layer->trial[i / WIDTHS][i % WIDTHS]);
            }
        }
        sum += layer->bits;
    }
    s->spec.bits = sum / (double)s->layers;
    qnt__free(&s->context->memory, s->layer, s->bytes);
}

qnt_status qnt_teq_search(const qnt_context *context, qnt_quantizer *const *weights,
                          qnt_quantizer *const *inputs, size_t layers, qnt_teq_spec *spec,
                          qnt_teq_loss_fn loss, void *user)
{
    if (!context) return QNT_E_INVALID;
    struct search s = {.context = context,
                       .layers = layers,
                       .with_inputs = inputs != NULL,
                       .loss = loss,
                       .user = user};
    if (!weights) return qnt__fail(context, QNT_E_INVALID, "weights is NULL");
    if (!loss) return qnt__fail(context, QNT_E_INVALID, "loss is NULL");
    if (layers == 0) return qnt__fail(context, QNT_E_INVALID, "layers is 0, expected at least 1");
    QNT__TRY(read_spec(context, spec, &s.spec));
    s.spec.calls = 0;
    QNT__TRY(open_search(&s, weights, inputs));
    qnt_status status = QNT_OK;
    for (size_t i = 0; i < OPERANDS * layers && status == QNT_OK; i++) {
        status = check_operand(&s, i / OPERANDS, (int)(i % OPERANDS));
    }
    if (status == QNT_OK) status = fit_all(&s);
    if (status == QNT_OK) status = raise_threshold(&s);
    close_search(&s, status == QNT_OK);
    if (status == QNT_OK) qnt__sized_write(spec, &s.spec, sizeof s.spec);
    return status;
}
