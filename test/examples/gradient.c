/* The trainer's gradients against central differences, with and without batch norm, on any number
 * of threads. */
#include "check.h"
#include "train/gradient.h"

enum { BATCH = 5, CLASSES = 3, SIDE = 6 };

static qnt_context *c;
static unsigned char label[BATCH];

static void fill(float *x, size_t n, double size)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)(size * random_gauss());
}

/* Convolutions with and without stride and groups, sums, a shortcut, a shuffle, the largest of
 * four, a mean, a dense layer. */
static struct graph *network(void)
{
    static const int three[2] = {3, 3}, one[2] = {1, 1};
    const struct padding around = {1, 1, 1, 1}, none = {0, 0, 0, 0};
    struct graph *g = graph_create(NULL, SIDE, SIDE, 2);
    int x = graph_relu(g, graph_conv(g, 0, "a", 4, three, 1, around));
    x = graph_relu(g, graph_add(g, graph_conv(g, x, "b", 4, three, 1, around), x));
    int y = graph_group_conv(g, x, "c", 4, 2, 1, one, 1, none);
    x = graph_shuffle(g, graph_sum(g, graph_relu(g, y), x), 2);
    y = graph_shortcut(g, x, 18);
    y = graph_relu(g, graph_add(g, graph_group_conv(g, x, "d", 18, 2, 0, three, 2, around), y));
    x = graph_max_pool(g, graph_conv(g, x, "e", 18, one, 1, none));
    y = graph_sum(g, x, y);
    graph_dense(g, graph_mean(g, y), "f", CLASSES);
    CHECK_MSG(!g->problem[0], "%s", g->problem);
    graph_randomize(g, check_seed);
    for (int i = 1; i < g->count; i++) /* off the corners of ReLU where nothing comes in */
        if (node_has_weights(&g->node[i])) fill(g->node[i].bias, (size_t)g->node[i].channels, 0.1);
    return g;
}

static double loss_of(struct tape *t)
{
    for (int i = 0; i < t->graph->count; i++) {
        const struct node *node = &t->graph->node[i];
        if (node_has_weights(node))
            memcpy(t->weight[i], node->weight, graph_weight_count(t->graph, i) * sizeof(float));
        if (i > 0) tape_forward(t, i);
        memcpy(t->used[i], t->value[i], node_elements(node) * BATCH * sizeof(float));
    }
    tape_clear(t);
    return tape_loss(t, label, 0.1);
}

static void backward(struct tape *t)
{
    for (int i = t->graph->count - 1; i > 0; i--) {
        size_t n = node_elements(&t->graph->node[i]) * BATCH;
        for (size_t e = 0; e < n; e++) t->d_value[i][e] += t->d_used[i][e];
        tape_backward(t, i);
    }
}

/* Along a random direction, so that one comparison sees all of an array. */
static void compare(struct tape *t, const char *what, int node, float *array, const float *gradient,
                    size_t n)
{
    const float h = 1e-4f; /* few values come across a corner of ReLU */
    float direction[1024], kept[1024];
    double expected = 0, size = 0;
    REQUIRE(n <= 1024);
    fill(direction, n, 1 / sqrt((double)n));
    memcpy(kept, array, n * sizeof *array);
    for (size_t i = 0; i < n; i++) {
        expected += (double)direction[i] * (double)gradient[i];
        size += fabs((double)direction[i] * (double)gradient[i]);
    }
    for (size_t i = 0; i < n; i++) array[i] = kept[i] + h * direction[i];
    double up = loss_of(t);
    for (size_t i = 0; i < n; i++) array[i] = kept[i] - h * direction[i];
    double down = loss_of(t), slope = (up - down) / (2 * (double)h);
    memcpy(array, kept, n * sizeof *array);
    CHECK_MSG(fabs(slope - expected) <= 0.02 * size + 4e-3, "%s of node %d: %g, expected %g", what,
              node, expected, slope);
}

static void gradients(void)
{
    for (int i = 0; i < ROUNDS(20); i++) {
        struct graph *g = network();
        struct tape t;
        qnt_pool *pool = NULL;
        OK(qnt_pool_create(c, (size_t)i % 2 + 1, &pool));
        REQUIRE(tape_create(g, BATCH, pool, &t));
        t.normal = i % 4 < 2, t.learning = i % 3 > 0;
        for (int b = 0; b < BATCH; b++) label[b] = (unsigned char)random_in(0, CLASSES - 1);
        fill(t.value[0], node_elements(&g->node[0]) * BATCH, 1);
        loss_of(&t);
        backward(&t);
        for (int n = 1; n < g->count; n++) {
            if (!node_has_weights(&g->node[n])) continue;
            const size_t channels = (size_t)g->node[n].channels;
            float gradient[3][1024];
            memcpy(gradient[0], t.d_weight[n], graph_weight_count(g, n) * sizeof(float));
            memcpy(gradient[1], t.d_bias[n], channels * sizeof(float));
            memcpy(gradient[2], t.d_gain[n], channels * sizeof(float));
            compare(&t, "weights", n, g->node[n].weight, gradient[0], graph_weight_count(g, n));
            compare(&t, "biases", n, g->node[n].bias, gradient[1], channels);
            if (t.normal && n < g->count - 1)
                compare(&t, "gains", n, t.gain[n], gradient[2], channels);
            loss_of(&t);
            backward(&t);
        }
        tape_free(&t);
        graph_free(g);
        qnt_pool_destroy(pool);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(gradients);
    qnt_context_destroy(c);
    return DONE;
}
