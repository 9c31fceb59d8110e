/* Fine-tuning a graph with quantized weights and activations. */
#include "tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bases.h"
#include "normal.h"
#include "optimizer.h"
#include "progress.h"

static const double weight_decay = 1e-4, smoothing = 0.0;
static const double refit_share = 0.1; /* of numbers that follow the batches (Zhang et al. 2018) */
static const int temperatures = 10; /* of a staircase, as many times the first one at the end */
static const int settling = 32;     /* batches for the moments of the trained network */

/* ---- what is trained where ---- */

static bool read_by_layers(const struct graph *graph, int value)
{
    for (int i = value + 1; i < graph->count; i++)
        if (node_has_weights(&graph->node[i]) && graph->node[i].input == value) return true;
    return false;
}

static bool is_end(const struct graph *graph, int layer)
{
    return layer == graph->count - 1 || graph->node[layer].input == 0;
}

static int scheme_of(int method, bool weights)
{
    bool table = method == QNT_INTERVAL || method == QNT_EWGS || method == QNT_N2UQ ||
                 method == QNT_STAIRCASE || method == QNT_BALANCED || method == QNT_ALQ ||
                 method == QNT_LQ || (method == QNT_DOREFA && weights);
    return table ? QNT_TABLE : QNT_AFFINE;
}

static qnt_trainer *create_trainer(const struct tuning *t, int method, int bits, bool weights,
                                   int place)
{
    qnt_trainer *trainer = NULL;
    const double temperature = 5, keep = t->schedule->keep;
    /* Values of random weights will grow: the published step has room for that with 8 bits. */
    const bool grows = t->schedule->fresh && method == QNT_LSQ && bits == 8 && !weights;
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = scheme_of(method, weights),
                     .method = method,
                     .bits = bits,
                     .flags = (weights ? QNT_SIGNED : 0) | (grows ? QNT_LITERAL : 0),
                     .grain = weights && method == QNT_LSQ ? QNT_PER_AXIS : QNT_PER_TENSOR,
                     .seed = t->schedule->seed + (uint64_t)place};
    if (qnt_trainer_create(t->context, &spec, &trainer)) return NULL;
    if (method == QNT_STAIRCASE) {
        qnt_trainer_set(t->context, trainer, QNT_P_TEMPERATURE, &temperature, 1);
        qnt_trainer_set(t->context, trainer, QNT_P_EPOCH,
                        &(double){ceil((double)t->steps / temperatures)}, 1);
    }
    if (method == QNT_SRQ && weights && keep > 0) {
        qnt_trainer_set(t->context, trainer, QNT_P_KEEP, &keep, 1);
        qnt_trainer_set(t->context, trainer, QNT_P_ANNEAL, &(double){floor(0.75 * t->steps)}, 1);
    }
    return trainer;
}

size_t tuning_momentum(const struct tuning *t, int layer)
{
    const size_t n = graph_weight_count(t->graph, layer),
                 channels = (size_t)t->graph->node[layer].channels;
    return (t->schedule->adam ? 2 : 1) * (n + 2 * channels);
}

/* Layers see values without a trainer as they are. */
static void leave_float(struct tape *tape, int value)
{
    tape->used[value] = tape->value[value];
    tape->d_used[value] = tape->d_value[value];
}

static bool create_trainers(struct tuning *t)
{
    const struct graph *g = t->graph;
    const struct schedule *s = t->schedule;
    bool good = true;
    for (int i = 0; good && i < g->count; i++) {
        const bool to_last = g->node[g->count - 1].input == i;
        if (!s->value_bits) {
            leave_float(&t->tape, i);
        } else if (read_by_layers(g, i)) {
            int method = i == 0 ? QNT_LSQPLUS : to_last ? QNT_LSQ : s->value_method;
            t->value[i] =
                create_trainer(t, method, i == 0 || to_last ? 8 : s->value_bits, false, i);
            t->follows[i] = method == QNT_ALQ || method == QNT_LQ;
            good = t->value[i] != NULL;
        }
        if (good && node_has_weights(&g->node[i])) {
            bool end = is_end(g, i), alq = !end && s->weight_method == QNT_ALQ;
            if (!alq)
                t->weight[i] = create_trainer(t, end ? QNT_LSQ : s->weight_method,
                                              end ? 8 : s->weight_bits, true, 1000 + i);
            t->momentum[i] = calloc(tuning_momentum(t, i), sizeof(float));
            good = (alq || t->weight[i]) && t->momentum[i];
        }
    }
    return good;
}

/* ---- views ---- */

qnt_tensor *weight_view(const struct graph *graph, int layer, float *data, struct view *view)
{
    int64_t shape[] = {graph->node[layer].channels, graph_depth(graph, layer)};
    return view_floats(view, data, 2, shape);
}

static qnt_tensor *value_view(const struct tuning *t, int value, float *data, struct view *view)
{
    int64_t shape[] = {t->tape.batch, (int64_t)node_elements(&t->graph->node[value])};
    return view_floats(view, data, 2, shape);
}

/* ---- numbers that trainers learn ---- */

static bool open_numbers(const struct tuning *t, const qnt_trainer *trainer, struct numbers *n)
{
    if (qnt_trainer_get(t->context, trainer, QNT_P_THETA, NULL, 0, &n->count)) return false;
    n->w = calloc(5 * n->count + 1, sizeof(double));
    if (!n->w) return false;
    n->g = n->w + n->count, n->m = n->g + n->count, n->v = n->m + n->count,
    n->size = n->v + n->count;
    if (qnt_trainer_get(t->context, trainer, QNT_P_THETA, n->w, n->count, &n->count)) return false;
    for (size_t i = 0; i < n->count; i++) n->size[i] = fmax(fabs(n->w[i]), 1e-3);
    return true;
}

/* One step; what the trainer makes of illegal numbers is taken over. */
static bool move_numbers(const struct tuning *t, qnt_trainer *trainer, struct numbers *n,
                         double rate)
{
    if (n->count == 0) return true;
    step_adam(n->w, n->g, n->m, n->v, n->size, n->count, t->step, rate);
    return !qnt_trainer_set(t->context, trainer, QNT_P_THETA, n->w, n->count) &&
           !qnt_trainer_get(t->context, trainer, QNT_P_THETA, n->w, n->count, &n->count);
}

/* ---- forward and backward ---- */

static bool use_weights(struct tuning *t, int layer)
{
    struct view x, y;
    if (t->alq[layer]) return bases_use(t, layer);
    return !qnt_trainer_forward(t->context, t->weight[layer],
                                weight_view(t->graph, layer, t->graph->node[layer].weight, &x),
                                weight_view(t->graph, layer, t->tape.weight[layer], &y));
}

/* Numbers that are not learned move towards what the batch asks for. */
static bool follow(struct tuning *t, int value, const qnt_tensor *x)
{
    struct numbers *n = &t->value_theta[value];
    if (!t->follows[value] || t->hard || !n->w) return true;
    return !qnt_trainer_refit(t->context, t->value[value], x, refit_share) &&
           !qnt_trainer_get(t->context, t->value[value], QNT_P_THETA, n->w, n->count, &n->count);
}

static bool use_value(struct tuning *t, int value)
{
    struct view x, y;
    if (!t->value[value]) return true;
    value_view(t, value, t->tape.value[value], &x);
    return follow(t, value, &x.tensor) &&
           !qnt_trainer_forward(t->context, t->value[value], &x.tensor,
                                value_view(t, value, t->tape.used[value], &y));
}

static bool forward(struct tuning *t)
{
    bool good = use_value(t, 0);
    for (int i = 1; good && i < t->graph->count; i++) {
        if (node_has_weights(&t->graph->node[i])) good = use_weights(t, i);
        if (good) tape_forward(&t->tape, i);
        good = good && use_value(t, i);
    }
    return good;
}

static bool backward_value(struct tuning *t, int value)
{
    struct view x, dy;
    struct numbers *n = &t->value_theta[value];
    float *gradient = t->tape.d_used[value];
    if (!t->value[value] || value == 0) return true;
    if (qnt_trainer_backward(t->context, t->value[value],
                             value_view(t, value, t->tape.value[value], &x),
                             value_view(t, value, gradient, &dy), &dy.tensor, n->g, n->count))
        return false;
    size_t count = node_elements(&t->graph->node[value]) * (size_t)t->tape.batch;
    for (size_t i = 0; i < count; i++) t->tape.d_value[value][i] += gradient[i];
    return true;
}

static bool backward_weights(struct tuning *t, int layer)
{
    struct view x, dy;
    struct numbers *n = &t->weight_theta[layer];
    if (t->alq[layer]) return true;
    return !qnt_trainer_backward(t->context, t->weight[layer],
                                 weight_view(t->graph, layer, t->graph->node[layer].weight, &x),
                                 weight_view(t->graph, layer, t->tape.d_weight[layer], &dy),
                                 &dy.tensor, n->g, n->count);
}

static bool backward(struct tuning *t)
{
    bool good = true;
    for (int i = t->graph->count - 1; good && i > 0; i--) {
        good = backward_value(t, i);
        if (!good) break;
        tape_backward(&t->tape, i);
        if (node_has_weights(&t->graph->node[i])) good = backward_weights(t, i);
    }
    return good;
}

/* One step of floats; v is their part of the layer's momentum. */
static void move_floats(const struct tuning *t, int layer, float *w, const float *g, float *v,
                        size_t n, double decay)
{
    const double rate = t->schedule->rate * cosine((double)(t->step - 1) / t->steps);
    if (t->schedule->adam)
        step_adam_floats(w, g, v, v + tuning_momentum(t, layer) / 2, n, t->step, rate, decay);
    else
        step_momentum(w, g, v, n, rate, decay);
}

static void move_layer(struct tuning *t, int layer)
{
    const struct node *node = &t->graph->node[layer];
    const size_t weights = graph_weight_count(t->graph, layer), n = (size_t)node->channels;
    float *v = t->momentum[layer], *gain = t->tape.gain[layer];
    if (!t->alq[layer])
        move_floats(t, layer, node->weight, t->tape.d_weight[layer], v, weights, weight_decay);
    move_floats(t, layer, node->bias, t->tape.d_bias[layer], v + weights, n, 0);
    if (!normal_applies(&t->tape, layer)) return;
    move_floats(t, layer, gain, t->tape.d_gain[layer], v + weights + n, n, 0);
    for (size_t c = 0; c < n; c++) gain[c] = fmaxf(gain[c], 1e-6f);
}

static bool move(struct tuning *t)
{
    const double rate = t->schedule->numbers_rate * cosine((double)t->step / t->steps);
    bool good = true;
    t->step++;
    for (int i = 0; good && i < t->graph->count; i++) {
        const struct node *node = &t->graph->node[i];
        if (t->value[i] && i > 0 && !t->follows[i])
            good = move_numbers(t, t->value[i], &t->value_theta[i], rate);
        if (!good || !node_has_weights(node)) continue;
        move_layer(t, i);
        if (t->weight[i]) good = move_numbers(t, t->weight[i], &t->weight_theta[i], rate);
    }
    if (t->schedule->weight_method == QNT_ALQ) good = good && bases_move(t);
    for (int i = 0; good && i < t->graph->count; i++) {
        const double step = t->step;
        if (t->value[i]) good &= !qnt_trainer_set(t->context, t->value[i], QNT_P_STEP, &step, 1);
        if (t->weight[i]) good &= !qnt_trainer_set(t->context, t->weight[i], QNT_P_STEP, &step, 1);
    }
    return good;
}

/* ---- the whole ---- */

static bool set_hard(struct tuning *t, bool hard)
{
    const double value = hard;
    bool good = true;
    t->hard = hard;
    for (int i = 0; i < t->graph->count; i++) {
        qnt_trainer *const trainer[] = {t->value[i], t->weight[i]};
        for (int k = 0; k < 2; k++)
            if (trainer[k]) good &= !qnt_trainer_set(t->context, trainer[k], QNT_P_HARD, &value, 1);
    }
    return good;
}

/* Gain and bias become deviation and mean of what the float layer computes from the same inputs,
 * so that batch norm gives the quantized layer the same. */
static void keep_moments(struct tuning *t, int layer)
{
    const struct node *node = &t->graph->node[layer];
    float *used = t->tape.used[node->input], *gain = t->tape.gain[layer];
    t->tape.used[node->input] = t->tape.value[node->input];
    memcpy(t->tape.weight[layer], node->weight, graph_weight_count(t->graph, layer) * sizeof *gain);
    tape_forward(&t->tape, layer);
    t->tape.used[node->input] = used;
    for (int c = 0; c < node->channels; c++) {
        node->bias[c] += gain[c] * t->tape.mean[layer][c];
        gain[c] *= t->tape.deviation[layer][c];
    }
}

/* Every trainer starts from what it sees when all before it are quantized. */
static bool start_layer(struct tuning *t, int layer)
{
    struct view x;
    qnt_tensor *w = weight_view(t->graph, layer, t->graph->node[layer].weight, &x);
    if (!t->weight[layer] ? !bases_start(t, layer)
                          : qnt_trainer_start(t->context, t->weight[layer], w) ||
                                !open_numbers(t, t->weight[layer], &t->weight_theta[layer]))
        return false;
    if (normal_applies(&t->tape, layer) && !t->schedule->fresh) keep_moments(t, layer);
    if (!use_weights(t, layer)) return false;
    tape_forward(&t->tape, layer);
    normal_settle(&t->tape, layer);
    return true;
}

static bool start_value(struct tuning *t, int value)
{
    struct view x;
    if (!t->value[value]) return true;
    return !qnt_trainer_start(t->context, t->value[value],
                              value_view(t, value, t->tape.value[value], &x)) &&
           open_numbers(t, t->value[value], &t->value_theta[value]) && use_value(t, value);
}

const char *tuning_begin(const qnt_context *context, qnt_pool *pool, struct graph *graph,
                         const struct schedule *schedule, const struct samples *samples,
                         struct tuning *out)
{
    *out = (struct tuning){.context = context, .graph = graph, .schedule = schedule};
    if (!batches_open(samples, schedule->batch, schedule->seed, &out->batches))
        return "out of memory, or fewer samples than one batch takes";
    out->batches.shift = schedule->shift;
    out->batches.mirror = schedule->mirror;
    out->steps = (int)(schedule->epochs * batches_of_epoch(&out->batches));
    if (out->steps < 1) return "there is no step in so few epochs";
    if (!tape_create(graph, schedule->batch, pool, &out->tape))
        return "out of memory";
    out->tape.normal = out->tape.learning = true;
    if (!create_trainers(out) || !set_hard(out, true)) return "a trainer could not be made";
    dataset_batch(samples->set, samples->input, samples->first, schedule->batch,
                  out->tape.value[0]);
    bool good = start_value(out, 0);
    for (int i = 1; good && i < graph->count; i++) {
        if (node_has_weights(&graph->node[i]))
            good = start_layer(out, i);
        else
            tape_forward(&out->tape, i);
        good = good && start_value(out, i);
    }
    return good && set_hard(out, false) ? NULL : "a trainer could not be started";
}

/* One batch through the network and back. */
static const char *train_step(struct tuning *t, const unsigned char *label, double *loss)
{
    if (!forward(t)) return "forward failed";
    tape_clear(&t->tape);
    *loss = tape_loss(&t->tape, label, smoothing);
    return backward(t) && move(t) ? NULL : "a gradient failed";
}

/* The moments of batch norm become means over further batches, of the network as it is deployed:
 * where training draws or softens, it has seen others (Louizos et al. 2019, 3.2). */
static bool settle(struct tuning *t, unsigned char *label)
{
    const double follow = t->tape.follow;
    bool good = set_hard(t, true);
    for (int k = 0; good && k < settling; k++) {
        batches_draw(&t->batches, t->steps + k, t->tape.value[0], label);
        t->tape.follow = 1.0 / (k + 1);
        good = forward(t);
    }
    t->tape.follow = follow;
    return good;
}

const char *tuning_run(struct tuning *t, int until, double *loss)
{
    const char *reason = NULL;
    unsigned char *label = malloc((size_t)t->schedule->batch);
    struct progress progress;
    double sum = 0, now = 0;
    const int first = t->step;
    if (!label) return "out of memory";
    progress_begin(&progress, t->schedule->name);
    progress.first = (double)first / t->steps;
    while (!reason && t->step < until) {
        batches_draw(&t->batches, t->step, t->tape.value[0], label);
        reason = train_step(t, label, &now);
        sum += now;
        progress_show(&progress, (double)t->step / t->steps);
    }
    if (!reason && t->step == t->steps && !settle(t, label)) reason = "forward failed";
    progress_end(&progress);
    free(label);
    *loss = sum / (until - first);
    return reason;
}

const char *tuning_apply(struct tuning *t, const struct samples *samples, float *logits)
{
    const int batch = t->tape.batch, last = t->graph->count - 1,
              classes = t->graph->node[last].channels;
    t->tape.learning = false;
    if (!set_hard(t, true)) return "a trainer cannot be set";
    for (int first = 0; first < samples->count; first += batch) {
        int n = samples->count - first < batch ? samples->count - first : batch;
        dataset_batch(samples->set, samples->input, samples->first + first, n, t->tape.value[0]);
        if (!forward(t)) return "forward failed";
        memcpy(logits + (size_t)first * (size_t)classes, t->tape.value[last],
               (size_t)n * (size_t)classes * sizeof *logits);
    }
    return NULL;
}

void tuning_free(struct tuning *t)
{
    for (int i = 0; i < GRAPH_NODES; i++) {
        qnt_trainer_destroy(t->value[i]);
        qnt_trainer_destroy(t->weight[i]);
        qnt_alq_destroy(t->alq[i]);
        free(t->value_theta[i].w);
        free(t->weight_theta[i].w);
        free(t->momentum[i]);
    }
    batches_close(&t->batches);
    tape_free(&t->tape);
}
