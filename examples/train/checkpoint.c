/*
 * The state of a training in a file: a head, then every array that a step changes, one behind the
 * other. The head has a sum of all that follows, and what the arrays depend on.
 */
#include "checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

struct head {
    char magic[8];
    uint64_t sum, bytes; /* of what follows */
    uint64_t seed;
    int32_t step, steps, batch, nodes;
    int32_t weight_method, value_method, weight_bits, value_bits;
    double mean_bits, bases_rate;
};

static const char magic[8] = "qnttrain";

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t sum_of(const unsigned char *bytes, size_t count)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++) sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

static struct head head_of(const struct tuning *t)
{
    const struct schedule *s = t->schedule;
    struct head head = {.seed = s->seed,
                        .step = t->step,
                        .steps = t->steps,
                        .batch = s->batch,
                        .nodes = t->graph->count,
                        .weight_method = s->weight_method,
                        .value_method = s->value_method,
                        .weight_bits = s->weight_bits,
                        .value_bits = s->value_bits,
                        .mean_bits = s->mean_bits,
                        .bases_rate = s->bases_rate};
    memcpy(head.magic, magic, sizeof magic);
    return head;
}

/* Is it the same training, wherever it is? */
static bool belongs(const struct head *head, const struct tuning *t)
{
    struct head own = head_of(t);
    own.step = head->step, own.sum = head->sum, own.bytes = head->bytes;
    return !memcmp(head, &own, sizeof own) && head->step >= t->step && head->step <= t->steps;
}

/* ---- the arrays ---- */

enum way { COUNT, OUT, IN };

struct walk {
    unsigned char *at; /* the bytes of a file */
    size_t bytes;
    enum way way;
};

static void pass(struct walk *walk, void *array, size_t bytes)
{
    if (bytes == 0) return; /* an array that is not there */
    if (walk->way == OUT) memcpy(walk->at + walk->bytes, array, bytes);
    if (walk->way == IN) memcpy(array, walk->at + walk->bytes, bytes);
    walk->bytes += bytes;
}

static void pass_numbers(struct walk *walk, struct numbers *n)
{
    pass(walk, n->w, n->count * sizeof *n->w);
    pass(walk, n->m, n->count * sizeof *n->m);
    pass(walk, n->v, n->count * sizeof *n->v);
}

/* Bases are a handle's own; false if it refuses. */
static bool pass_bases(struct walk *walk, const struct tuning *t, qnt_alq *alq)
{
    size_t count = 0;
    if (!alq) return true;
    if (qnt_alq_get_state(t->context, alq, NULL, 0, &count)) return false;
    double *state = malloc(count * sizeof *state);
    bool good = state && !qnt_alq_get_state(t->context, alq, state, count, &count);
    if (good) pass(walk, state, count * sizeof *state);
    if (good && walk->way == IN) good = !qnt_alq_set_state(t->context, alq, state, count);
    free(state);
    return good;
}

static bool pass_all(struct walk *walk, struct tuning *t)
{
    bool good = true;
    for (int i = 0; i < t->graph->count; i++) {
        const struct node *node = &t->graph->node[i];
        const size_t channels = (size_t)node->channels * sizeof(float);
        pass_numbers(walk, &t->value_theta[i]);
        pass_numbers(walk, &t->weight_theta[i]);
        good = good && pass_bases(walk, t, t->alq[i]);
        if (!node_has_weights(node)) continue;
        pass(walk, node->weight, graph_weight_count(t->graph, i) * sizeof(float));
        pass(walk, node->bias, channels);
        pass(walk, t->tape.gain[i], channels);
        pass(walk, t->tape.running_mean[i], channels);
        pass(walk, t->tape.running_square[i], channels);
        pass(walk, t->momentum[i], tuning_momentum(t, i) * sizeof(float));
    }
    return good;
}

/* Trainers know numbers and step of their own. */
static bool tell_trainers(struct tuning *t)
{
    const double step = t->step;
    bool good = true;
    for (int i = 0; i < t->graph->count; i++) {
        qnt_trainer *const trainer[] = {t->value[i], t->weight[i]};
        const struct numbers *const numbers[] = {&t->value_theta[i], &t->weight_theta[i]};
        for (int k = 0; k < 2; k++) {
            const struct numbers *n = numbers[k];
            if (!trainer[k]) continue;
            good = good && !qnt_trainer_set(t->context, trainer[k], QNT_P_STEP, &step, 1) &&
                   (!n->count ||
                    !qnt_trainer_set(t->context, trainer[k], QNT_P_THETA, n->w, n->count));
        }
    }
    return good;
}

/* ---- the file ---- */

static const char *write_file(const char *path, const struct head *head, const unsigned char *bytes)
{
    char beside[4096];
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return "the path is too long";
    FILE *file = fopen(beside, "wb");
    if (!file) return "the checkpoint cannot be written";
    bool good = fwrite(head, sizeof *head, 1, file) == 1 &&
                fwrite(bytes, (size_t)head->bytes, 1, file) == 1;
    good = !fclose(file) && good && !rename(beside, path);
    if (!good) remove(beside);
    return good ? NULL : "the checkpoint cannot be written";
}

const char *checkpoint_save(const struct tuning *tuning, const char *path)
{
    struct tuning t = *tuning; /* the walk goes both ways; outwards it changes nothing */
    struct walk walk = {.way = COUNT};
    struct head head = head_of(tuning);
    if (!pass_all(&walk, &t)) return "out of memory";
    const size_t bytes = walk.bytes;
    head.bytes = bytes;
    walk = (struct walk){.at = malloc(bytes), .way = OUT};
    if (!walk.at) return "out of memory";
    const char *reason = pass_all(&walk, &t) ? NULL : "out of memory";
    head.sum = sum_of(walk.at, bytes);
    if (!reason) reason = write_file(path, &head, walk.at);
    free(walk.at);
    return reason;
}

const char *checkpoint_load(struct tuning *t, const char *path)
{
    const char *reason = NULL;
    size_t size;
    struct walk walk = {.way = COUNT};
    struct head head;
    uint8_t *bytes = file_read(path, (size_t)1 << 31, &size, &reason);
    if (!bytes) return reason;
    if (!pass_all(&walk, t)) reason = "out of memory";
    if (!reason && size < sizeof head) reason = "the checkpoint is damaged";
    if (!reason) memcpy(&head, bytes, sizeof head);
    if (!reason && !belongs(&head, t)) reason = "the checkpoint is of another training";
    if (!reason && (head.bytes != walk.bytes || head.bytes != size - sizeof head ||
                    head.sum != sum_of(bytes + sizeof head, size - sizeof head)))
        reason = "the checkpoint is damaged";
    if (!reason) {
        walk = (struct walk){.at = bytes + sizeof head, .way = IN};
        bool good = pass_all(&walk, t);
        t->step = head.step;
        if (!good || !tell_trainers(t)) reason = "a trainer refused the checkpoint";
    }
    free(bytes);
    return reason;
}
