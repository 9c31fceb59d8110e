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

static int add_node(struct graph *g, struct node node)
{
    const struct node *in = &g->node[node.input];
    node.groups = 1;
    node.add = node.add ? node.add : -1;
    if (node.kind == NODE_CONV || node.kind == NODE_DENSE) {
        size_t depth = node.kind == NODE_DENSE
                           ? node_elements(in)
                           : (size_t)(node.kernel[0] * node.kernel[1] * in->channels);
        node.weight = malloc((size_t)node.channels * depth * sizeof(float));
        node.bias = malloc((size_t)node.channels * sizeof(float));
        fill(node.weight, (size_t)node.channels * depth, sqrt(2.0 / (double)depth));
        fill(node.bias, (size_t)node.channels, 0.1);
    }
    g->node[g->count] = node;
    return g->count++;
}

/* Convolutions with and without stride, a sum, a shortcut, a mean, a dense layer. */
static struct graph *network(void)
{
    struct graph *g = graph_create(NULL, SIDE, SIDE, 2);
    struct node conv = {.kind = NODE_CONV,
                        .height = SIDE,
                        .width = SIDE,
                        .channels = 4,
                        .relu = true,
                        .kernel = {3, 3},
                        .stride = 1,
                        .pad = {1, 1, 1, 1}};
    int first = add_node(g, conv);
    conv.input = first, conv.add = first;
    int second = add_node(g, conv);
    conv.input = second, conv.stride = 2, conv.height = conv.width = SIDE / 2;
    conv.channels = 18, conv.relu = false;
    struct node shortcut = {.kind = NODE_SHORTCUT,
                            .input = second,
                            .height = SIDE / 2,
                            .width = SIDE / 2,
                            .channels = 18};
    conv.add = add_node(g, shortcut);
    conv.relu = true;
    int third = add_node(g, conv);
    struct node mean = {.kind = NODE_MEAN, .input = third, .height = 1, .width = 1, .channels = 18};
    struct node dense = {.kind = NODE_DENSE,
                         .input = add_node(g, mean),
                         .height = 1,
                         .width = 1,
                         .channels = CLASSES};
    add_node(g, dense);
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
    const float h = 1e-3f;
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
    CHECK_MSG(fabs(slope - expected) <= 0.02 * size + 1e-3, "%s of node %d: %g, expected %g", what,
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
