/* From trained weights to layers of packed digits, and running them among the others. */
#include "packed.h"

#include <stdlib.h>
#include <string.h>

#include "deploy.h"
#include "normal.h"

/* ---- which convolutions ---- */

/* Is it a table of four levels that begin so, and lie so far apart? */
static bool has_levels(const struct tuning *t, const qnt_quantizer *q, double first, double step)
{
    double level[256];
    size_t count = 0;
    qnt_spec spec = {.size = sizeof spec};
    if (qnt_quantizer_spec(t->context, q, &spec) || spec.scheme != QNT_TABLE || spec.bits != 2 ||
        spec.grain != QNT_PER_TENSOR)
        return false;
    if (qnt_quantizer_get(t->context, q, QNT_P_LEVELS, level, 256, &count)) return false;
    for (size_t i = 0; i < count; i++)
        if (level[i] != first + step * (double)i) return false;
    return count == 4;
}

/* The formats of all values that may be digits. */
static bool export_formats(const struct tuning *t, struct packed *p)
{
    for (int i = 0; i < t->graph->count; i++) {
        if (!t->value[i]) continue;
        if (qnt_trainer_export(t->context, t->value[i], NULL, &p->format[i])) return false;
        if (has_levels(t, p->format[i], 0, 1)) continue;
        qnt_quantizer_destroy(p->format[i]);
        p->format[i] = NULL;
    }
    return true;
}

static bool same_border(const struct node *a, const struct node *b)
{
    return !memcmp(a->pad, b->pad, sizeof a->pad) && a->groups == b->groups;
}

/* Digits of a value have the border of the first that reads them; `chosen` are the convolutions. */
static void choose_forms(const struct graph *g, const bool *chosen, struct packed *p)
{
    for (int i = 1; i < g->count; i++)
        if (chosen[i] && !p->reader[g->node[i].input]) p->reader[g->node[i].input] = &g->node[i];
    for (int i = 1; i < g->count; i++) {
        const struct node *node = &g->node[i];
        const struct node *first = p->reader[node->input];
        if (!chosen[i] || !same_border(first, node)) p->floats[node->input] = true;
        if (node->add >= 0) p->floats[node->add] = true;
    }
    p->floats[g->count - 1] = true;
}

/* ---- making layers ---- */

static bool make_layer(const struct tuning *t, int layer, const uint8_t *code, double scale,
                       struct packed *p)
{
    const struct node *node = &t->graph->node[layer], *reader = p->reader[layer];
    const size_t n = (size_t)node->channels;
    const int64_t area = (int64_t)node->kernel[0] * node->kernel[1], channels = node->channels;
    const int64_t shape[] = {channels, node->kernel[0], node->kernel[1],
                             graph_depth(t->graph, layer) / area};
    struct view weight, scales, shifts;
    float *scale_of = malloc(2 * n * sizeof *scale_of), *shift_of = scale_of + n;
    if (!scale_of) return false;
    for (size_t c = 0; c < n; c++) {
        struct affine affine = normal_deployed(&t->tape, layer, (int)c);
        scale_of[c] = (float)(scale * (double)affine.scale);
        shift_of[c] = affine.shift;
    }
    const qnt_conv conv = {.size = sizeof conv,
                           .groups = node->groups,
                           .group_shift = node->shift,
                           .stride = {node->stride, node->stride}};
    qnt_lowbit_spec spec = {.size = sizeof spec,
                            .step = 2,
                            .zero = -3,
                            .flags = node->relu ? QNT_RELU_LAST : 0,
                            .groups = reader ? reader->groups : 0};
    for (int i = 0; i < 4 && reader; i++) spec.pad[i] = reader->pad[i];
    bool good = !qnt_lowbit_layer_create(
        t->context, &conv, &spec, view_bytes(&weight, code, 4, shape),
        view_floats(&scales, scale_of, 1, &channels), view_floats(&shifts, shift_of, 1, &channels),
        reader ? p->format[layer] : NULL, &p->layer[layer]);
    free(scale_of);
    return good;
}

/* Codes of the weights, and the factor of weights and inputs together. */
struct taps {
    uint8_t *code;
    double scale;
};

/* False if something failed; code NULL if the node is no convolution of digits. */
static bool read_taps(const struct tuning *t, int layer, const struct packed *p, struct taps *out)
{
    const struct node *node = &t->graph->node[layer];
    const size_t count = graph_weight_count(t->graph, layer);
    const qnt_quantizer *format = p->format[node->input];
    qnt_quantizer *found = NULL;
    struct view w, c;
    double own = 0, input = 0;
    size_t one;
    *out = (struct taps){NULL, 0};
    if (node->kind != NODE_CONV || !format || !t->weight[layer]) return true;
    float *weights = malloc(count * sizeof *weights);
    bool good = weights && deploy_weights(t, layer, weights, &found);
    if (good && has_levels(t, found, -3, 2)) {
        int64_t shape = (int64_t)count;
        out->code = malloc(count);
        good = out->code &&
               !qnt_quantizer_encode(t->context, found, view_floats(&w, weights, 1, &shape),
                                     view_bytes(&c, out->code, 1, &shape)) &&
               !qnt_quantizer_get(t->context, found, QNT_P_SCALE, &own, 1, &one) &&
               !qnt_quantizer_get(t->context, format, QNT_P_SCALE, &input, 1, &one);
        out->scale = own * input;
    }
    qnt_quantizer_destroy(found);
    free(weights);
    return good;
}

const char *packed_deploy(const struct tuning *t, struct quantized *plain, struct packed *out)
{
    const int count = t->graph->count;
    struct taps taps[GRAPH_NODES] = {{0}};
    bool chosen[GRAPH_NODES] = {false};
    *out = (struct packed){.plain = plain};
    bool good = export_formats(t, out);
    for (int i = 1; good && i < count; i++) {
        good = read_taps(t, i, out, &taps[i]);
        chosen[i] = taps[i].code != NULL;
        out->count += chosen[i];
    }
    if (good) choose_forms(t->graph, chosen, out);
    for (int i = 1; good && i < count; i++)
        if (chosen[i]) good = make_layer(t, i, taps[i].code, taps[i].scale, out);
    for (int i = 0; i < count; i++) free(taps[i].code);
    if (good) return NULL;
    packed_free(out);
    return "a layer of digits could not be made";
}

void packed_free(struct packed *p)
{
    for (int i = 0; i < GRAPH_NODES; i++) {
        qnt_lowbit_layer_destroy(p->layer[i]);
        qnt_quantizer_destroy(p->format[i]);
    }
    *p = (struct packed){.plain = NULL};
}

/* ---- running ---- */

/* The floats of a value, [batch][height][width][channels]. */
static qnt_tensor *floats_of(const struct runner *runner, int value, int batch, char *base,
                             struct view *view)
{
    const struct node *node = &runner->graph->node[value];
    int64_t shape[] = {batch, node->height, node->width, node->channels};
    return view_floats(view, (const float *)(void *)(base + runner->plan.offset[value]), 4, shape);
}

/* Digits of floats, with the border that a reader wants. */
static bool encode(const struct runner *runner, int value, const struct node *reader, int batch,
                   char *base, char *to, struct view *pixels)
{
    const struct packed *p = runner->self;
    const struct node *node = &runner->graph->node[value];
    int64_t shape[] = {batch, node->height, node->width, node->channels};
    int32_t pad[4];
    struct view floats, codes;
    for (int i = 0; i < 4; i++) pad[i] = reader->pad[i];
    view_bytes(&codes, (const uint8_t *)base + p->codes, 4, shape);
    pixels->tensor = (qnt_tensor){.shape = pixels->shape, .strides = pixels->strides};
    bool good =
        !qnt_quantizer_encode(p->plain->context, p->format[value],
                              floats_of(runner, value, batch, base, &floats), &codes.tensor) &&
        !qnt_pack_pixels_view(p->plain->context, &codes.tensor, reader->groups, pad,
                              &pixels->tensor);
    pixels->tensor.data = to;
    return good &&
           !qnt_pack_pixels(p->plain->context, &codes.tensor, reader->groups, pad, &pixels->tensor);
}

/* What a layer reads: digits that are there, or those of floats. */
static bool open_pixels(const struct runner *runner, int index, int batch, char *base,
                        struct view *views, struct view *own, qnt_tensor **out)
{
    const struct packed *p = runner->self;
    const struct node *node = &runner->graph->node[index];
    *out = &views[node->input].tensor;
    if (same_border(p->reader[node->input], node)) return true;
    *out = &own->tensor;
    return encode(runner, node->input, node, batch, base, base + p->digits, own);
}

static bool run_layer(const struct runner *runner, int index, int batch, char *base,
                      struct view *views)
{
    const struct packed *p = runner->self;
    const qnt_context *context = p->plain->context;
    const struct node *node = &runner->graph->node[index];
    struct view own, y, identity;
    qnt_tensor *pixels, *digits = NULL;
    if (!open_pixels(runner, index, batch, base, views, &own, &pixels)) return false;
    if (p->reader[index]) {
        digits = &views[index].tensor;
        *digits = (qnt_tensor){.shape = views[index].shape, .strides = views[index].strides};
        if (qnt_lowbit_layer_view(context, p->layer[index], pixels, digits)) return false;
        digits->data = base + p->offset[index];
    }
    floats_of(runner, index, batch, base, &y);
    if (node->add >= 0) floats_of(runner, node->add, batch, base, &identity);
    return !qnt_lowbit_layer_run(
        context, p->layer[index], pixels, node->add >= 0 ? &identity.tensor : NULL,
        p->floats[index] ? &y.tensor : NULL, digits, base + p->bytes - p->workspace, p->workspace);
}

static const float *run_packed(const struct runner *runner, int batch, void *memory)
{
    const struct packed *p = runner->self;
    const struct graph *graph = runner->graph;
    struct view views[GRAPH_NODES];
    char *base = memory;
    for (int i = 0; i < graph->count; i++) {
        bool good = true;
        if (p->layer[i])
            good = run_layer(runner, i, batch, base, views);
        else if (i > 0)
            good = quantized_run_node(&p->under, i, batch, base);
        if (good && p->reader[i] && !p->layer[i])
            good = encode(runner, i, p->reader[i], batch, base, base + p->offset[i], &views[i]);
        if (!good) return NULL;
    }
    return (const float *)(const void *)(base + runner->plan.offset[graph->count - 1]);
}

/* Bytes of digits of a value, [batch][border + height + border][...][groups][channels / 3 up]. */
static size_t digit_bytes(const struct node *node, const struct node *reader)
{
    const int each = node->channels / reader->groups;
    size_t rows = (size_t)(node->height + reader->pad[0] + reader->pad[2]),
           columns = (size_t)(node->width + reader->pad[1] + reader->pad[3]);
    return EVALUATE_BATCH * rows * columns * (size_t)(reader->groups * ((each + 2) / 3));
}

static size_t take(size_t *end, size_t bytes)
{
    size_t at = *end;
    *end += (bytes + 63) / 64 * 64;
    return at;
}

bool packed_runner(const struct graph *graph, struct packed *p, struct runner *out)
{
    size_t most_codes = 0, most_digits = 0;
    if (!quantized_runner(graph, p->plain, &p->under)) return false;
    *out = p->under;
    out->run = run_packed;
    out->self = p;
    p->bytes = (p->under.memory + 63) / 64 * 64;
    p->workspace = 0;
    for (int i = 0; i < graph->count; i++) {
        const struct node *node = &graph->node[i];
        if (p->reader[i]) p->offset[i] = take(&p->bytes, digit_bytes(node, p->reader[i]));
        if (!p->layer[i]) continue;
        const struct node *in = &graph->node[node->input];
        const size_t codes = node_elements(in) * EVALUATE_BATCH, digits = digit_bytes(in, node);
        size_t bytes = 0;
        struct view pixels;
        int64_t shape[] = {EVALUATE_BATCH, in->height + node->pad[0] + node->pad[2],
                           in->width + node->pad[1] + node->pad[3], node->groups,
                           (in->channels / node->groups + 2) / 3};
        view_bytes(&pixels, (const uint8_t *)out, 5, shape); /* looked at for being there only */
        if (qnt_lowbit_layer_workspace(p->plain->context, p->layer[i], &pixels.tensor, &bytes))
            return false;
        if (p->workspace < bytes) p->workspace = bytes;
        if (most_codes < codes) most_codes = codes;
        if (most_digits < digits) most_digits = digits;
    }
    p->codes = take(&p->bytes, most_codes);
    p->digits = take(&p->bytes, most_digits);
    take(&p->bytes, p->workspace);
    p->workspace = (p->workspace + 63) / 64 * 64;
    out->memory = p->bytes;
    return true;
}
