/* Every trainable quantizer in a network that is trained from random weights, which no method
 * survives whose gradients are broken; checkpoints that go on with the same bits. */
#include "check.h"
#include "train/bases.h"
#include "train/checkpoint.h"
#include "train/packed.h"

#include "models.h"

enum { TRAINED = 1200, SEED = 5 };

static qnt_context *c;
static qnt_pool *pool;
static struct dataset digits;

/* At least so many percent are right after the training. Where the gradient of weights is 0 it is
 * 20 to 45. */
static const struct {
    const char *name;
    int weights, values;
    double keep, least;
} methods[] = {{"LSQ", QNT_LSQ, QNT_LSQ, 0, 77},
               {"LSQ+", QNT_LSQ, QNT_LSQPLUS, 0, 77},
               {"DoReFa, PACT", QNT_DOREFA, QNT_PACT, 0, 77},
               {"EWGS", QNT_EWGS, QNT_EWGS, 0, 77},
               {"interval", QNT_INTERVAL, QNT_INTERVAL, 0, 77},
               {"N2UQ", QNT_N2UQ, QNT_N2UQ, 0, 76},
               {"staircase", QNT_STAIRCASE, QNT_STAIRCASE, 0, 60},
               {"balanced", QNT_BALANCED, QNT_LSQ, 0, 77},
               {"RQ", QNT_RQ, QNT_LSQ, 0, 73},
               {"SRQ", QNT_SRQ, QNT_LSQ, 0, 77},
               {"DropBits", QNT_SRQ, QNT_LSQ, 0.9, 77},
               {"LQ-Nets", QNT_LSQ, QNT_LQ, 0, 77},
               {"ALQ", QNT_ALQ, QNT_ALQ, 0, 62}};

enum { METHODS = sizeof methods / sizeof *methods };

/* The ends of a network keep 8 bits, whatever the method: most of this one lies between them. */
static struct graph *network(void)
{
    static const int three[2] = {3, 3};
    const struct padding around = {1, 1, 1, 1};
    struct graph *g = graph_create(NULL, 8, 8, 1);
    int x = graph_relu(g, graph_conv(g, 0, "a", 4, three, 1, around));
    x = graph_relu(g, graph_conv(g, x, "b", 12, three, 2, around));
    int y = graph_relu(g, graph_conv(g, x, "c", 12, three, 1, around));
    y = graph_relu(g, graph_add(g, graph_conv(g, y, "d", 12, three, 1, around), x));
    y = graph_relu(g, graph_conv(g, y, "e", 12, three, 2, around));
    graph_dense(g, graph_mean(g, y), "f", 10);
    CHECK_MSG(!g->problem[0], "%s", g->problem);
    graph_randomize(g, SEED);
    return g;
}

static struct schedule schedule_of(int method, int bits, double epochs)
{
    return (struct schedule){.name = methods[method].name,
                             .weight_method = methods[method].weights,
                             .value_method = methods[method].values,
                             .weight_bits = bits,
                             .value_bits = bits,
                             .mean_bits = 1.2,
                             .keep = methods[method].keep,
                             .bases_rate = 0.4,
                             .adam = true,
                             .rate = 0.02,
                             .numbers_rate = 0.003,
                             .epochs = epochs,
                             .batch = 24,
                             .shift = 1,
                             .seed = SEED};
}

static void begin(struct graph *g, const struct schedule *s, const struct samples *samples,
                  struct tuning *t)
{
    const char *reason = tuning_begin(c, pool, g, s, samples, t);
    CHECK_MSG(!reason, "%s: %s", s->name, reason);
}

static double right_of(const struct samples *s, const float *logits)
{
    int right = 0;
    for (int i = 0; i < s->count; i++, logits += 10) {
        int best = 0;
        for (int k = 1; k < 10; k++)
            if (logits[k] > logits[best]) best = k;
        right += best == s->set->label[s->first + i];
    }
    return 100.0 * right / s->count;
}

/* Slow machines try one method only. */
static void learns(void)
{
    const struct samples train = {&digits, &digits_input, 0, TRAINED},
                         test = {&digits, &digits_input, TRAINED, digits.count - TRAINED};
    static float logits[1000 * 10];
    for (int m = 0; m < (check_quick ? 1 : METHODS); m++) {
        struct graph *g = network();
        struct schedule s = schedule_of(m, 3, 4);
        struct tuning t;
        double loss, right;
        s.fresh = true;
        begin(g, &s, &train, &t);
        CHECK(!tuning_run(&t, t.steps, &loss));
        CHECK(!tuning_apply(&t, &test, logits));
        right = right_of(&test, logits);
        CHECK_MSG(right > methods[m].least, "%s: %.2f %% right, mean loss %.4f", s.name, right,
                  loss);
        if (methods[m].weights == QNT_ALQ) CHECK(bases_bits(&t) <= s.mean_bits);
        tuning_free(&t);
        graph_free(g);
    }
}

/* ---- packed digits ---- */

/* As PalQuant: groups that meet in a convolution that reads the next one and in a shuffle. */
static struct graph *grouped_network(void)
{
    static const int three[2] = {3, 3}, one[2] = {1, 1};
    const struct padding around = {1, 1, 1, 1}, none = {0, 0, 0, 0};
    struct graph *g = graph_create(NULL, 8, 8, 1);
    int x = graph_relu(g, graph_conv(g, 0, "stem", 8, three, 1, around));
    int y = graph_relu(g, graph_group_conv(g, x, "a", 8, 2, 0, three, 1, around));
    y = graph_group_conv(g, y, "b", 8, 2, 0, three, 1, around);
    x = graph_relu(g, graph_add(g, y, x));
    y = graph_relu(g, graph_group_conv(g, x, "cyclic", 8, 2, 1, one, 1, none));
    x = graph_sum(g, y, x);
    y = graph_relu(g, graph_group_conv(g, x, "c", 20, 2, 0, three, 2, around));
    y = graph_shuffle(g, graph_group_conv(g, y, "d", 20, 2, 0, three, 1, around), 2);
    x = graph_relu(g, graph_add(g, graph_group_conv(g, x, "down", 20, 2, 0, one, 2, none), y));
    graph_dense(g, graph_mean(g, x), "head", 10);
    CHECK_MSG(!g->problem[0], "%s", g->problem);
    graph_randomize(g, SEED);
    return g;
}

/* Convolutions on packed digits give the same bits as those on bytes, and both what the training
 * program computes. */
static void packs(void)
{
    enum { SOME = 100 };
    const struct samples train = {&digits, &digits_input, 0, TRAINED},
                         test = {&digits, &digits_input, TRAINED, SOME};
    static float own[SOME * 10], plain_logits[SOME * 10], packed_logits[SOME * 10];
    const struct crew crew = {pool, 2};
    for (int m = 3; m < 5; m++) { /* EWGS, interval */
        struct graph *g = grouped_network();
        struct schedule s = schedule_of(m, 2, 0.4);
        struct tuning t;
        struct quantized plain;
        struct packed packed;
        struct runner runner;
        struct outcome outcome;
        double loss, distance = 0, size = 0;
        s.fresh = true;
        begin(g, &s, &train, &t);
        CHECK(!tuning_run(&t, t.steps, &loss));
        CHECK(!tuning_apply(&t, &test, own));
        const char *reason = tuning_deploy(&t, c, &plain);
        if (!reason) reason = packed_deploy(&t, &plain, &packed);
        CHECK_MSG(!reason, "%s", reason);
        CHECK(packed.count == 6); /* all but the ends */
        CHECK(quantized_runner(g, &plain, &runner));
        CHECK(evaluate(&crew, &runner, &test, plain_logits, &outcome));
        CHECK(packed_runner(g, &packed, &runner));
        CHECK(evaluate(&crew, &runner, &test, packed_logits, &outcome));
        CHECK(!memcmp(plain_logits, packed_logits, sizeof plain_logits));
        for (int i = 0; i < SOME * 10; i++) {
            distance += pow((double)own[i] - (double)packed_logits[i], 2);
            size += pow((double)own[i], 2);
        }
        CHECK_MSG(distance <= 1e-4 * size && size > 0, "%g of %g", distance, size);
        packed_free(&packed), quantized_free(&plain), tuning_free(&t), graph_free(g);
    }
}

/* ---- checkpoints ---- */

static char path[] = P_tmpdir "/qnt-checkpoint-XXXXXX";

static bool same_bases(const qnt_alq *a, const qnt_alq *b)
{
    size_t count = 0;
    if (!a || !b) return a == b;
    CHECK(!qnt_alq_get_state(c, a, NULL, 0, &count));
    double *x = calloc(2 * count, sizeof *x), *y = x + count;
    CHECK(!qnt_alq_get_state(c, a, x, count, &count) && !qnt_alq_get_state(c, b, y, count, &count));
    bool same = !memcmp(x, y, count * sizeof *x);
    free(x);
    return same;
}

static bool same_state(const struct tuning *a, const struct tuning *b)
{
    bool same = a->step == b->step;
    for (int i = 0; i < a->graph->count; i++) {
        const struct node *x = &a->graph->node[i], *y = &b->graph->node[i];
        const struct numbers *m = &a->value_theta[i], *n = &b->value_theta[i];
        same = same && (m->count == 0 || !memcmp(m->w, n->w, m->count * sizeof *m->w)) &&
               same_bases(a->alq[i], b->alq[i]);
        if (!node_has_weights(x)) continue;
        same = same &&
               !memcmp(x->weight, y->weight, graph_weight_count(a->graph, i) * sizeof(float)) &&
               !memcmp(x->bias, y->bias, (size_t)x->channels * sizeof(float)) &&
               !memcmp(a->momentum[i], b->momentum[i], tuning_momentum(a, i) * sizeof(float)) &&
               !memcmp(a->tape.running_mean[i], b->tape.running_mean[i],
                       (size_t)x->channels * sizeof(float));
    }
    return same;
}

/* The checkpoint of a training, which has everything that a step changes, but for its head. */
static size_t bytes_of(const struct tuning *t, unsigned char *to, size_t most)
{
    enum { HEAD = 128 };
    const char *reason = checkpoint_save(t, path);
    FILE *file = fopen(path, "rb");
    CHECK_MSG(!reason && file, "%s", reason);
    size_t bytes = file && !fseek(file, HEAD, SEEK_SET) ? fread(to, 1, most, file) : 0;
    CHECK(bytes > 5000 && bytes < most && !fclose(file));
    return bytes;
}

static void same_bytes(const struct tuning *a, const struct tuning *b, bool same)
{
    enum { MOST = 1 << 20 };
    static unsigned char x[MOST], y[MOST];
    size_t m = bytes_of(a, x, MOST), n = bytes_of(b, y, MOST);
    CHECK_MSG(same == (m == n && !memcmp(x, y, n)), "%s: %zu and %zu bytes", a->schedule->name, m,
              n);
}

/* For every method one that stopped and one that did not end with the same bytes, and the latter
 * with other numbers of workers. Another seed ends elsewhere. */
static void resumes(void)
{
    const struct samples train = {&digits, &digits_input, 0, TRAINED};
    for (int m = 0; m < METHODS; m += check_quick ? 6 : 1) {
        struct graph *g[3] = {network(), network(), network()};
        struct schedule s = schedule_of(m, 2, 0.3), other = s;
        struct tuning t[3];
        qnt_pool *const shared = pool;
        qnt_pool *wide = NULL;
        double loss;
        s.adam = other.adam = m % 4 == 0;
        other.seed++;
        CHECK(!qnt_pool_create(c, 3, &wide));
        begin(g[0], &s, &train, &t[0]);
        pool = wide;
        CHECK(!qnt_context_set_parallel(c, qnt_pool_run, pool, 3));
        begin(g[1], &s, &train, &t[1]);
        begin(g[2], &other, &train, &t[2]);
        CHECK(!tuning_run(&t[0], 6, &loss));
        CHECK(!checkpoint_save(&t[0], path));
        CHECK(!tuning_run(&t[0], t[0].steps, &loss));
        const char *reason = checkpoint_load(&t[1], path);
        CHECK_MSG(!reason, "%s", reason);
        CHECK(t[1].step == 6 && !same_state(&t[0], &t[1]));
        CHECK(!tuning_run(&t[1], t[1].steps, &loss));
        same_bytes(&t[0], &t[1], true);
        CHECK(!tuning_run(&t[2], t[2].steps, &loss));
        same_bytes(&t[0], &t[2], false);
        CHECK(!qnt_context_set_parallel(c, NULL, NULL, 0));
        for (int i = 0; i < 3; i++) tuning_free(&t[i]), graph_free(g[i]);
        pool = shared;
        qnt_pool_destroy(wide);
    }
    remove(path);
}

/* Refuses with `text`, and changes nothing. */
static void refuses(struct tuning *t, const struct tuning *as, const char *text)
{
    const char *reason = checkpoint_load(t, path);
    CHECK_MSG(reason && strstr(reason, text), "%s, expected %s", reason, text);
    CHECK(same_state(t, as));
}

static void damage(long at, bool cut)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file && !fseek(file, at, SEEK_SET));
    int byte = fgetc(file);
    CHECK(!fseek(file, at, SEEK_SET) && fputc(byte ^ 1, file) != EOF && !fclose(file));
    if (cut) CHECK(!truncate(path, at));
}

static void bad_checkpoints(void)
{
    const struct samples train = {&digits, &digits_input, 0, TRAINED};
    struct graph *g[2] = {network(), network()};
    struct schedule s = schedule_of(0, 2, 0.2);
    struct tuning t[2];
    double loss;
    for (int i = 0; i < 2; i++) begin(g[i], &s, &train, &t[i]);
    remove(path);
    refuses(&t[0], &t[1], "");
    CHECK(!tuning_run(&t[0], 4, &loss) && !tuning_run(&t[1], 4, &loss));
    CHECK(!checkpoint_save(&t[0], path));
    s.seed++;
    refuses(&t[0], &t[1], "another training");
    s.seed--, s.value_bits++;
    refuses(&t[0], &t[1], "another training");
    s.value_bits--;
    damage(5000, false);
    refuses(&t[0], &t[1], "damaged");
    damage(5000, false);
    CHECK(!checkpoint_load(&t[0], path) && same_state(&t[0], &t[1]));
    CHECK(!tuning_run(&t[0], 5, &loss) && !tuning_run(&t[1], 5, &loss));
    refuses(&t[0], &t[1], "another training"); /* steps do not go back */
    CHECK(!checkpoint_save(&t[0], path));
    damage(5000, true);
    refuses(&t[0], &t[1], "damaged");
    damage(7, true);
    refuses(&t[0], &t[1], "damaged");
    CHECK(checkpoint_save(&t[0], "/nowhere/at/all") != NULL);
    for (int i = 0; i < 2; i++) tuning_free(&t[i]), graph_free(g[i]);
    remove(path);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    const char *reason = dataset_read_records("examples/data/digits.bin", &digits_form, &digits);
    CHECK_MSG(!reason, "%s", reason);
    c = check_context();
    CHECK(!qnt_pool_create(c, 2, &pool));
    int file = mkstemp(path);
    CHECK(file >= 0 && !close(file));
    RUN(learns);
    RUN(packs);
    RUN(resumes);
    RUN(bad_checkpoints);
    qnt_pool_destroy(pool);
    qnt_context_destroy(c);
    dataset_free(&digits);
    return DONE;
}
