/* From trained weights and trainers to prepared layers. */
#include "deploy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "normal.h"

static bool same_bases(const struct tuning *t, const qnt_quantizer *from, qnt_quantizer *to)
{
    size_t count = 0;
    bool good = !qnt_quantizer_get(t->context, from, QNT_P_COEF, NULL, 0, &count);
    double *coef = malloc(count * sizeof *coef);
    good = good && coef && !qnt_quantizer_get(t->context, from, QNT_P_COEF, coef, count, &count) &&
           !qnt_quantizer_set(t->context, to, QNT_P_COEF, coef, count);
    free(coef);
    return good;
}

/* The quantizer of the weights with gain and batch norm of each output in its scale. */
static bool with_gain(const struct tuning *t, int layer, const qnt_quantizer *found,
                      qnt_quantizer **out)
{
    const struct node *node = &t->graph->node[layer];
    const size_t n = (size_t)node->channels;
    qnt_spec spec = {.size = sizeof spec};
    double *scale = malloc(n * sizeof *scale), level[256];
    size_t groups = 0, levels = 0;
    bool good = scale && !qnt_quantizer_spec(t->context, found, &spec) &&
                !qnt_quantizer_get(t->context, found, QNT_P_SCALE, scale, n, &groups);
    for (size_t c = n; good && c-- > 0;)
        scale[c] =
            scale[groups == 1 ? 0 : c] * (double)normal_deployed(&t->tape, layer, (int)c).scale;
    spec.grain = QNT_PER_AXIS;
    spec.axis = 0;
    if (spec.scheme == QNT_POINTS) spec.flags = QNT_LITERAL;
    if (spec.scheme == QNT_TABLE) { /* the codes are known: thresholds are not needed */
        spec.method = QNT_LEVELS;
        spec.flags = 0;
        good = good && !qnt_quantizer_get(t->context, found, QNT_P_LEVELS, level, 256, &levels);
        while (levels > 1 && level[levels - 1] == level[levels - 2]) levels--;
    }
    good = good && !qnt_quantizer_create(t->context, &spec, out);
    if (spec.scheme == QNT_TABLE)
        good = good && !qnt_quantizer_set(t->context, *out, QNT_P_LEVELS, level, levels);
    good = good && !qnt_quantizer_set(t->context, *out, QNT_P_SCALE, scale, n);
    free(scale);
    return good && (spec.scheme != QNT_POINTS || same_bases(t, found, *out));
}

static qnt_tensor *shaped(const struct tuning *t, int layer, const void *data, bool codes,
                          struct view *v)
{
    const struct node *node = &t->graph->node[layer];
    int64_t depth = graph_depth(t->graph, layer), area = (int64_t)node->kernel[0] * node->kernel[1];
    int64_t conv[] = {node->channels, node->kernel[0], node->kernel[1],
                      node->kind == NODE_CONV ? depth / area : 0};
    int64_t dense[] = {node->channels, depth};
    int ndim = node->kind == NODE_CONV ? 4 : 2;
    const int64_t *shape = ndim == 4 ? conv : dense;
    return codes ? view_bytes(v, data, ndim, shape) : view_floats(v, data, ndim, shape);
}

static float *shifts(const struct tuning *t, int layer)
{
    const int n = t->graph->node[layer].channels;
    float *shift = malloc((size_t)n * sizeof *shift);
    for (int c = 0; shift && c < n; c++) shift[c] = normal_deployed(&t->tape, layer, c).shift;
    return shift;
}

static bool make_layer(const struct tuning *t, int layer, const qnt_tensor *codes,
                       const qnt_quantizer *weight_q, const qnt_quantizer *input_q, qnt_layer **out)
{
    const struct node *node = &t->graph->node[layer];
    struct view bias;
    int64_t n = node->channels;
    qnt_layer_spec spec = {.size = sizeof spec,
                           .kind = node->kind == NODE_CONV ? QNT_CONV : QNT_DENSE,
                           .activation = node->relu ? QNT_RELU : QNT_LINEAR,
                           .flags = node->add < 0 ? 0 : QNT_ACCUMULATE};
    if (node->kind == NODE_CONV) {
        spec.groups = node->groups;
        spec.group_shift = node->shift;
        for (int i = 0; i < 2; i++) spec.stride[i] = node->stride;
        for (int i = 0; i < 4; i++) spec.pad[i] = node->pad[i];
    }
    float *shift = shifts(t, layer);
    bool good = shift && !qnt_layer_create(t->context, &spec, codes, weight_q,
                                           view_floats(&bias, shift, 1, &n), input_q, NULL, out);
    free(shift);
    return good;
}

/* Codes, and float32 scales and biases; of bases what the library counts. */
static size_t stored_bytes(const struct tuning *t, int layer, const qnt_quantizer *weight_q,
                           const qnt_tensor *weights)
{
    const size_t count = graph_weight_count(t->graph, layer),
                 channels = (size_t)t->graph->node[layer].channels;
    qnt_spec spec = {.size = sizeof spec};
    qnt_error error = {.size = sizeof error};
    qnt_quantizer_spec(t->context, weight_q, &spec);
    if (spec.scheme != QNT_POINTS) return (count * (size_t)spec.bits + 7) / 8 + 8 * channels;
    qnt_quantizer_error(t->context, weight_q, weights, NULL, &error);
    return (size_t)ceil(error.bits * (double)count / 8) + 4 * channels;
}

bool deploy_weights(const struct tuning *t, int layer, float *weights, qnt_quantizer **out)
{
    struct view view;
    const struct node *node = &t->graph->node[layer];
    qnt_tensor *w = weight_view(t->graph, layer, weights, &view);
    if (t->alq[layer])
        return !qnt_alq_weights(t->context, t->alq[layer], w) &&
               !qnt_alq_export(t->context, t->alq[layer], out);
    memcpy(weights, node->weight, graph_weight_count(t->graph, layer) * sizeof *weights);
    return !qnt_trainer_export(t->context, t->weight[layer], w, out);
}

static bool deploy_layer(const struct tuning *t, int layer, struct quantized *out)
{
    const struct node *node = &t->graph->node[layer];
    const size_t count = graph_weight_count(t->graph, layer);
    qnt_quantizer *found = NULL, *weight_q = NULL, *input_q = NULL;
    qnt_spec spec = {.size = sizeof spec};
    struct view w, c;
    float *data = malloc(count * sizeof *data);
    unsigned char *code = malloc(count);
    qnt_tensor *weights = shaped(t, layer, data, false, &w);
    qnt_tensor *codes = shaped(t, layer, code, true, &c);
    const qnt_trainer *value = t->value[node->input];
    bool good = data && code && deploy_weights(t, layer, data, &found) &&
                !qnt_quantizer_spec(t->context, found, &spec) &&
                with_gain(t, layer, found, &weight_q) &&
                (!value || !qnt_trainer_export(t->context, value, NULL, &input_q));
    if (good && spec.scheme == QNT_AFFINE) codes->dtype_code = QNT_INT;
    good = good && !qnt_quantizer_encode(t->context, found, weights, codes);
    good = good && make_layer(t, layer, codes, weight_q, input_q, &out->layer[layer]);
    if (good) out->weight_bytes += stored_bytes(t, layer, found, weights);
    qnt_quantizer_destroy(found), qnt_quantizer_destroy(weight_q), qnt_quantizer_destroy(input_q);
    free(code);
    free(data);
    return good;
}

const char *tuning_deploy(const struct tuning *t, const qnt_context *serial, struct quantized *out)
{
    *out = (struct quantized){.context = serial};
    for (int i = 1; i < t->graph->count; i++) {
        if (!node_has_weights(&t->graph->node[i]) || deploy_layer(t, i, out)) continue;
        quantized_free(out);
        return "a layer could not be made";
    }
    return NULL;
}
