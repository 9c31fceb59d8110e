/* From a float graph and its calibration to prepared layers. */
#include <math.h>
#include <stdlib.h>

#include "feedback.h"
#include "placement.h"
#include "quantized.h"

/* ---- which values travel as codes ---- */

/* Every reader takes codes: layers, or one max pool whose own value travels as codes. */
static bool can_be_codes(const struct graph *graph, int value)
{
    int layers = 0, others = 0, pool = 0;
    for (int i = value + 1; i < graph->count; i++) {
        const struct node *node = &graph->node[i];
        if (node->input == value && node_has_weights(node))
            layers++;
        else if (node->input == value)
            others++;
        if (node->input == value && node->kind == NODE_MAX_POOL) pool = i;
        if (node->add == value) return false;
    }
    if (others == 0) return layers > 0;
    return layers == 0 && others == 1 && pool && can_be_codes(graph, pool);
}

/* The value whose format the codes of this one have: that of the pool behind it. */
static int format_of(const struct graph *graph, int value)
{
    for (int i = value + 1; i < graph->count; i++)
        if (graph->node[i].input == value && graph->node[i].kind == NODE_MAX_POOL)
            return format_of(graph, i);
    return value;
}

static void choose_codes(const struct graph *graph, const struct recipe *recipe, bool *codes)
{
    for (int i = 1; i < graph->count; i++) {
        const struct node *node = &graph->node[i];
        if (node->kind == NODE_MAX_POOL)
            codes[i] = codes[node->input];
        else
            codes[i] = recipe->value_bits && recipe->scheme != QNT_EXP && node_has_weights(node) &&
                       node->add < 0 && can_be_codes(graph, i);
    }
}

/* ---- one layer ---- */

struct weights {
    const struct graph *graph;
    const struct calibration *calibration;
    int index;
    struct view view;
    float *bias; /* corrected */
    const qnt_quantizer *format;
    qnt_quantizer *fitted; /* the format, unless it was given */
    int8_t *codes; /* chosen by us; NULL: the layer encodes the weights */
    struct view code_view;
};

int view_weights(const struct graph *graph, int index, struct view *view)
{
    const struct node *node = &graph->node[index];
    int64_t n = node->channels, depth = graph_depth(graph, index);
    int64_t conv[] = {n, node->kernel[0], node->kernel[1], 0}, dense[] = {n, depth};
    if (node->kind == NODE_CONV) conv[3] = depth / (conv[1] * conv[2]);
    view_floats(view, node->weight, node->kind == NODE_CONV ? 4 : 2,
                node->kind == NODE_CONV ? conv : dense);
    return (int)view->shape[view->tensor.ndim - 1];
}

/* Statistics of the input for each element along the last axis of the weights: for a convolution
 * the mean over all places, for a dense layer as they are. NULL for depthwise weights, which meet
 * one channel each. */
static float *along_last_axis(const struct weights *w, double *const *statistic, int length)
{
    const struct node *node = &w->graph->node[w->index], *in = &w->graph->node[node->input];
    const double *from = statistic[node->input];
    float *to = node->groups > 1 ? NULL : malloc((size_t)length * sizeof *to);
    for (int c = 0; to && c < length; c++) {
        double sum = 0;
        int places = (int)node_elements(in) / length;
        for (int p = 0; p < places; p++) sum += from[p * length + c];
        to[c] = (float)(sum / places);
    }
    return to;
}

/* E[(w - w') x] = (w - w') E[x] for every output (Nagel et al. 2019, section 4.2). */
static bool correct_bias(const qnt_context *context, struct weights *w, int length)
{
    const struct node *node = &w->graph->node[w->index];
    size_t depth = (size_t)graph_depth(w->graph, w->index), n = (size_t)node->channels;
    float *decoded = malloc(n * depth * sizeof *decoded);
    struct view view = w->view;
    qnt_tensor *y = view_floats(&view, decoded, w->view.tensor.ndim, w->view.shape);
    bool good =
        decoded && !(w->codes ? qnt_quantizer_decode(context, w->format, &w->code_view.tensor, y)
                              : qnt_quantizer_apply(context, w->format, &w->view.tensor, y));
    float *mean = along_last_axis(w, w->calibration->mean, length);
    const double *channel = w->calibration->mean[node->input];
    const struct node *in = &w->graph->node[node->input];
    for (size_t o = 0; good && o < n; o++) {
        double error = 0, own = 0;
        for (size_t k = 0; k < depth; k++) {
            double difference = (double)node->weight[o * depth + k] - decoded[o * depth + k];
            error += difference * (mean ? mean[k % (size_t)length] : 1);
        }
        for (int p = 0; !mean && p < in->height * in->width; p++)
            own += channel[p * in->channels + (int)o] / (in->height * in->width);
        w->bias[o] += (float)(mean ? error : error * own);
    }
    free(mean);
    free(decoded);
    return good;
}

/* Codes by error feedback, where the products of inputs are known. */
static bool choose_weight_codes(const qnt_context *context, struct weights *w)
{
    const double *gram = w->calibration->gram[w->index];
    int n = w->graph->node[w->index].channels, depth = graph_depth(w->graph, w->index);
    double *scale = malloc(2 * (size_t)n * sizeof *scale);
    size_t groups = 0;
    qnt_spec spec = {.size = sizeof spec};
    if (!gram) {
        free(scale);
        return true;
    }
    w->codes = malloc((size_t)n * (size_t)depth);
    bool good = scale && w->codes && !qnt_quantizer_spec(context, w->format, &spec) &&
                !qnt_quantizer_get(context, w->format, QNT_P_SCALE, scale, (size_t)n, &groups) &&
                !qnt_quantizer_get(context, w->format, QNT_P_ZERO, scale + n, (size_t)n, &groups);
    struct grid grid = {scale, scale + n, groups > 1, -(1 << (spec.bits - 1)),
                        (1 << (spec.bits - 1)) - 1};
    good = good && feedback_round(w->graph->node[w->index].weight, n, depth, gram, &grid, w->codes);
    view_bytes(&w->code_view, (uint8_t *)w->codes, w->view.tensor.ndim, w->view.shape);
    w->code_view.tensor.dtype_code = QNT_INT;
    free(scale);
    return good;
}

static qnt_spec weight_spec(const struct recipe *recipe, bool end)
{
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = recipe->scheme,
                     .method = recipe->method == QNT_ENTROPY ? QNT_MINMAX : recipe->method,
                     .grain = recipe->grain,
                     .bits = recipe->ends8 && end ? 8 : recipe->weight_bits,
                     .points = recipe->points,
                     .flags = recipe->literal ? QNT_LITERAL : 0};
    if (recipe->scheme == QNT_AFFINE)
        spec.flags = recipe->offset ? QNT_SIGNED : QNT_SIGNED | QNT_SYMMETRIC;
    if (recipe->scheme == QNT_EXP) spec.flags |= QNT_SIGNED, spec.bits--; /* one is the sign */
    return spec;
}

static bool fit_weights(const qnt_context *context, struct weights *w, const struct recipe *recipe)
{
    const struct graph *graph = w->graph;
    int length = view_weights(graph, w->index, &w->view);
    bool end = w->index == graph->count - 1 || graph->node[w->index].input == 0;
    qnt_spec spec = weight_spec(recipe, end);
    if (recipe->formats) {
        w->format = recipe->formats->weights[w->index];
        return true;
    }
    if (recipe->place) {
        w->fitted =
            placement_fit(context, w->calibration, recipe, w->index, &spec, &w->view.tensor);
        w->format = w->fitted;
        return w->format != NULL;
    }
    double budget = recipe->budget;
    if (recipe->extra > 0) /* a point has a float32 coefficient for each output */
        budget = (1 + recipe->extra) * (spec.bits + 32.0 / graph_depth(graph, w->index));
    float *square = recipe->importance ? along_last_axis(w, w->calibration->square, length) : NULL;
    struct view view;
    int64_t shape[] = {length};
    qnt_tensor *importance = square ? view_floats(&view, square, 1, shape) : NULL;
    bool good = !qnt_quantizer_create(context, &spec, &w->fitted) &&
                (budget == 0 || !qnt_quantizer_set(context, w->fitted, QNT_P_BUDGET, &budget, 1)) &&
                !qnt_quantizer_observe(context, w->fitted, &w->view.tensor, importance) &&
                !qnt_quantizer_fit(context, w->fitted);
    w->format = w->fitted;
    free(square);
    good = good && (!recipe->feedback || choose_weight_codes(context, w));
    return good && (!recipe->correct || correct_bias(context, w, length));
}

/* Codes without gaps, float32 scales, zero points as bytes where there are any, float32 biases; of
 * the other schemes what the library counts for a weight. */
static size_t stored_bytes(const qnt_context *context, const struct weights *w)
{
    size_t groups = 0, n = graph_weight_count(w->graph, w->index);
    qnt_spec spec = {.size = sizeof spec};
    qnt_error error = {.size = sizeof error};
    qnt_quantizer_spec(context, w->format, &spec);
    if (spec.scheme != QNT_AFFINE) {
        qnt_quantizer_error(context, w->format, &w->view.tensor, NULL, &error);
        return (size_t)ceil(error.bits * (double)n / 8) +
               4 * (size_t)w->graph->node[w->index].channels;
    }
    qnt_quantizer_get(context, w->format, QNT_P_SCALE, NULL, 0, &groups);
    return (n * (size_t)spec.bits + 7) / 8 + groups * (spec.flags & QNT_SYMMETRIC ? 4 : 5) +
           4 * (size_t)w->graph->node[w->index].channels;
}

static bool create_layer(const qnt_context *context, const struct weights *w,
                         const struct formats *formats, bool codes, qnt_layer **layer)
{
    const struct node *node = &w->graph->node[w->index];
    qnt_quantizer *const *format = w->calibration->format;
    const qnt_quantizer *input = format[node->input];
    if (formats && formats->input[w->index]) input = formats->input[w->index];
    struct view bias;
    int64_t n = node->channels;
    qnt_layer_spec spec = {.size = sizeof spec,
                           .kind = node->kind == NODE_CONV ? QNT_CONV : QNT_DENSE,
                           .activation = node->relu ? QNT_RELU : QNT_LINEAR,
                           .flags = node->add < 0 ? 0 : QNT_ACCUMULATE};
    if (node->kind == NODE_CONV) {
        spec.groups = node->groups;
        for (int i = 0; i < 2; i++) spec.stride[i] = node->stride;
        for (int i = 0; i < 4; i++) spec.pad[i] = node->pad[i];
    }
    return !qnt_layer_create(context, &spec, w->codes ? &w->code_view.tensor : &w->view.tensor,
                             w->format, view_floats(&bias, w->bias, 1, &n), input,
                             codes ? format[format_of(w->graph, w->index)] : NULL, layer);
}

static bool quantize_node(const qnt_context *context, const struct calibration *calibration,
                          const struct recipe *recipe, int index, struct quantized *out)
{
    const struct node *node = &calibration->graph->node[index];
    struct weights w = {.graph = calibration->graph, .calibration = calibration, .index = index};
    w.bias = malloc((size_t)node->channels * sizeof *w.bias);
    for (int i = 0; w.bias && i < node->channels; i++) w.bias[i] = node->bias[i];
    bool good = w.bias && fit_weights(context, &w, recipe) &&
                create_layer(context, &w, recipe->formats, out->codes[index], &out->layer[index]);
    if (good) out->weight_bytes += stored_bytes(context, &w);
    qnt_quantizer_destroy(w.fitted);
    free(w.codes);
    free(w.bias);
    return good;
}

bool quantize(const qnt_context *context, const struct calibration *calibration,
              const struct recipe *recipe, struct quantized *out)
{
    const struct graph *graph = calibration->graph;
    bool good = true;
    *out = (struct quantized){.context = context};
    choose_codes(graph, recipe, out->codes);
    for (int i = 1; good && i < graph->count; i++)
        if (node_has_weights(&graph->node[i]))
            good = quantize_node(context, calibration, recipe, i, out);
    if (!good) quantized_free(out);
    return good;
}

void quantized_free(struct quantized *quantized)
{
    for (int i = 0; i < GRAPH_NODES; i++) qnt_layer_destroy(quantized->layer[i]);
    *quantized = (struct quantized){.context = NULL};
}
