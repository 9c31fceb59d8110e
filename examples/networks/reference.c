/* The float reference: a graph in plain C loops. */
#include "reference.h"

#include <string.h>

enum { PATCH_ROWS = 64 };

/* ---- matrices ---- */

/* GNU C vectors as wide as the machine's registers; eight of them hold the sums of a tile. */
#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { COLUMNS = 16, PARTS = COLUMNS / LANES, ROWS = 8 / PARTS };

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static void multiply_tile(struct reference_product p)
{
    lanes sum[ROWS][PARTS];
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < PARTS; i++)
            sum[r][i] = *(const lanes *)(p.y + r * p.y_step + i * LANES);
    for (int k = 0; k < p.depth; k++)
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < PARTS; i++)
                sum[r][i] += p.a[r * p.a_step + k * p.a_next] *
                             *(const lanes *)(p.w + k * p.w_step + i * LANES);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < PARTS; i++)
            *(lanes *)(p.y + r * p.y_step + i * LANES) = sum[r][i];
}

static void multiply_rest(struct reference_product p, int columns)
{
    for (int k = 0; k < p.depth; k++)
        for (int c = 0; c < columns; c++) p.y[c] += p.a[k * p.a_next] * p.w[k * p.w_step + c];
}

/* The part that begins at row r and column c. */
static inline struct reference_product at(const struct reference_product *p, int r, int c)
{
    struct reference_product part = *p;
    part.a += r * p->a_step, part.w += c, part.y += r * p->y_step + c;
    return part;
}

static inline void multiply(const struct reference_product *p)
{
    int c = 0;
    for (; c + COLUMNS <= p->n; c += COLUMNS) {
        int r = 0;
        for (; r + ROWS <= p->rows; r += ROWS) multiply_tile(at(p, r, c));
        for (; r < p->rows; r++) multiply_rest(at(p, r, c), COLUMNS);
    }
    for (int r = 0; c < p->n && r < p->rows; r++) multiply_rest(at(p, r, c), p->n - c);
}

void reference_multiply_part(const struct reference_product *product)
{
    multiply(product);
}

void reference_multiply(const float *a, const float *w, float *y, int rows, int depth, int n)
{
    multiply(&(struct reference_product){a, w, y, rows, depth, n, depth, 1, n, n});
}

/* ---- nodes ---- */

void reference_transpose(const float *from, float *to, int rows, int columns)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
}

/* y = bias, plus what is added; in place if y is the buffer of what is added. */
static void start(const struct node *node, const float *add, float *y, int rows)
{
    int n = node->channels;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < n; c++) y[r * n + c] = node->bias[c] + (add ? add[r * n + c] : 0);
}

static void rectify(float *y, size_t count)
{
    for (size_t i = 0; i < count; i++) y[i] = y[i] > 0 ? y[i] : 0;
}

int reference_group(const struct graph *graph, int index, int group)
{
    const struct node *node = &graph->node[index];
    return (group + node->shift) % node->groups * (graph->node[node->input].channels / node->groups);
}

/* The inputs of output (row, column), zero where the kernel looks outside: `c` channels of each
 * pixel. */
static void gather(const struct node *x, const struct node *node, const float *image, int row,
                   int column, size_t c, float *patch)
{
    const size_t line = (size_t)node->kernel[1] * c;
    const int left = column * node->stride - node->pad[1];
    const bool whole = c == (size_t)x->channels && left >= 0 && left + node->kernel[1] <= x->width;
    for (int i = 0; i < node->kernel[0]; i++) {
        int down = row * node->stride - node->pad[0] + i;
        if (whole && down >= 0 && down < x->height) {
            memcpy(patch, image + (size_t)(down * x->width + left) * c, line * sizeof *patch);
            patch += line;
            continue;
        }
        for (int j = 0; j < node->kernel[1]; j++, patch += c) {
            int right = left + j;
            bool inside = down >= 0 && down < x->height && right >= 0 && right < x->width;
            if (inside)
                memcpy(patch, image + (size_t)((down * x->width + right) * x->channels),
                       c * sizeof *patch);
            else memset(patch, 0, c * sizeof *patch);
        }
    }
}

void reference_patches(const struct graph *graph, int index, int group, const float *image,
                       float *patches)
{
    const struct node *node = &graph->node[index], *x = &graph->node[node->input];
    const int depth = graph_depth(graph, index);
    if (node->kind == NODE_DENSE) {
        memcpy(patches, image, (size_t)depth * sizeof *patches);
        return;
    }
    image += reference_group(graph, index, group);
    for (int p = 0; p < node->height * node->width; p++)
        gather(x, node, image, p / node->width, p % node->width,
               (size_t)(x->channels / node->groups), patches + p * depth);
}

static void conv_image(const struct graph *graph, int index, int group, const float *image,
                       float *y, const float *weight, float *patches)
{
    const struct node *node = &graph->node[index], *x = &graph->node[node->input];
    const int depth = graph_depth(graph, index), n = node->channels, area = node->height * node->width,
              own = n / node->groups;
    image += reference_group(graph, index, group);
    for (int first = 0; first < area; first += PATCH_ROWS) {
        int rows = area - first < PATCH_ROWS ? area - first : PATCH_ROWS;
        for (int r = 0; r < rows; r++)
            gather(x, node, image, (first + r) / node->width, (first + r) % node->width,
                   (size_t)(x->channels / node->groups), patches + r * depth);
        multiply(&(struct reference_product){patches, weight + group * own,
                                             y + first * n + group * own, rows, depth, own, depth, 1,
                                             n, n});
    }
}

static void depthwise_pixel(const struct node *x, const struct node *node, const float *image,
                            const float *weight, int row, int column, float *y)
{
    int channels = node->channels;
    for (int i = 0; i < node->kernel[0]; i++) {
        int down = row * node->stride - node->pad[0] + i;
        for (int j = 0; j < node->kernel[1]; j++) {
            int right = column * node->stride - node->pad[1] + j;
            if (down < 0 || down >= x->height || right < 0 || right >= x->width) continue;
            const float *in = image + (down * x->width + right) * channels;
            const float *w = weight + (i * node->kernel[1] + j) * channels;
            for (int c = 0; c < channels; c++) y[c] += in[c] * w[c];
        }
    }
}

static void run_conv(const struct graph *graph, int index, const float *x, float *y, int batch,
                     float *scratch)
{
    const struct node *node = &graph->node[index], *in = &graph->node[node->input];
    int depth = graph_depth(graph, index);
    float *weight = scratch, *patches = scratch + graph_weight_count(graph, index);
    reference_transpose(node->weight, weight, node->channels, depth);
    for (int b = 0; b < batch; b++, x += node_elements(in), y += node_elements(node)) {
        if (node->groups == 1 || node->groups < node->channels) {
            for (int g = 0; g < node->groups; g++)
                conv_image(graph, index, g, x, y, weight, patches);
            continue;
        }
        for (int p = 0; p < node->height * node->width; p++)
            depthwise_pixel(in, node, x, weight, p / node->width, p % node->width,
                            y + p * node->channels);
    }
}

static void run_dense(const struct graph *graph, int index, const float *x, float *y, int batch,
                      float *scratch)
{
    const struct node *node = &graph->node[index];
    int depth = graph_depth(graph, index);
    reference_transpose(node->weight, scratch, node->channels, depth);
    reference_multiply(x, scratch, y, batch, depth, node->channels);
}

void reference_max_pool(const struct node *from, const struct node *to, const float *x, float *y,
                        int batch)
{
    int c = to->channels, line = from->width * c;
    for (int b = 0; b < batch; b++, x += node_elements(from))
        for (int p = 0; p < to->height * to->width; p++, y += c) {
            const float *corner = x + p / to->width * 2 * line + p % to->width * 2 * c;
            for (int i = 0; i < c; i++) {
                float up = corner[i] > corner[i + c] ? corner[i] : corner[i + c];
                float down = corner[i + line] > corner[i + line + c] ? corner[i + line]
                                                                     : corner[i + line + c];
                y[i] = up > down ? up : down;
            }
        }
}

void reference_mean(const float *x, float *y, int batch, int area, int channels)
{
    for (int b = 0; b < batch; b++, y += channels) {
        memset(y, 0, (size_t)channels * sizeof *y);
        for (int p = 0; p < area; p++, x += channels)
            for (int c = 0; c < channels; c++) y[c] += x[c];
        for (int c = 0; c < channels; c++) y[c] /= (float)area;
    }
}

void reference_shortcut(const struct node *from, const struct node *to, const float *x, float *y,
                        int batch)
{
    int side = (to->channels - from->channels) / 2;
    memset(y, 0, node_elements(to) * (size_t)batch * sizeof *y);
    for (int b = 0; b < batch; b++, x += node_elements(from))
        for (int p = 0; p < to->height * to->width; p++, y += to->channels) {
            int row = p / to->width * 2, column = p % to->width * 2;
            memcpy(y + side, x + (row * from->width + column) * from->channels,
                   (size_t)from->channels * sizeof *y);
        }
}

void reference_sum(const float *a, const float *b, float *y, size_t count)
{
    for (size_t i = 0; i < count; i++) y[i] = a[i] + b[i];
}

void reference_shuffle(const struct node *node, const float *x, float *y, int batch)
{
    const int groups = node->groups, each = node->channels / groups;
    for (int p = 0; p < batch * node->height * node->width; p++)
        for (int g = 0; g < groups; g++)
            for (int c = 0; c < each; c++)
                y[p * node->channels + c * groups + g] = x[p * node->channels + g * each + c];
}

/* ---- the graph ---- */

size_t reference_memory(const struct graph *graph, const struct plan *plan)
{
    size_t most = 0;
    for (int i = 1; i < graph->count; i++) {
        if (!node_has_weights(&graph->node[i])) continue;
        size_t depth = (size_t)graph_depth(graph, i);
        size_t floats = graph_weight_count(graph, i) + PATCH_ROWS * depth;
        if (floats > most) most = floats;
    }
    return plan->bytes + most * sizeof(float);
}

static void run_node(const struct graph *graph, int index, const float *x, const float *add,
                     float *y, int batch, float *scratch)
{
    const struct node *node = &graph->node[index], *in = &graph->node[node->input];
    switch (node->kind) {
    case NODE_MAX_POOL: reference_max_pool(in, node, x, y, batch); return;
    case NODE_MEAN: reference_mean(x, y, batch, in->height * in->width, in->channels); return;
    case NODE_SHORTCUT: reference_shortcut(in, node, x, y, batch); return;
    case NODE_SHUFFLE: reference_shuffle(node, x, y, batch); return;
    case NODE_SUM: reference_sum(x, add, y, node_elements(node) * (size_t)batch); return;
    default: break;
    }
    start(node, add, y, batch * node->height * node->width);
    if (node->kind == NODE_CONV) run_conv(graph, index, x, y, batch, scratch);
    else run_dense(graph, index, x, y, batch, scratch);
    if (node->relu) rectify(y, node_elements(node) * (size_t)batch);
}

const float *reference_run(const struct graph *graph, const struct plan *plan, int batch,
                           void *memory, reference_witness witness, void *user)
{
    char *base = memory;
    float *scratch = (float *)(void *)(base + plan->bytes);
    float *value = (float *)(void *)(base + plan->offset[0]);
    if (witness) witness(user, 0, value, batch);
    for (int i = 1; i < graph->count; i++) {
        const struct node *node = &graph->node[i];
        const float *x = (const float *)(const void *)(base + plan->offset[node->input]);
        const float *add = node->add < 0 ? NULL
                           : (const float *)(const void *)(base + plan->offset[node->add]);
        value = (float *)(void *)(base + plan->offset[i]);
        run_node(graph, i, x, add, value, batch, scratch);
        if (witness) witness(user, i, value, batch);
    }
    return value;
}
