/*
 * A whole PalQuant network (Hu et al., ECCV 2022) that stays packed between its layers: a ResNet of basic
 * blocks whose 2-bit convolutions run in G parallel groups, cyclic-shuffle modules between the stages, and
 * ShuffleNet's transpose where blocks halve the image. The first convolution (7 x 7, then batch norm, ReLU
 * and a maximum of 3 x 3) and the last, fully connected layer stay in floats, G times as wide, as in the
 * paper.
 *
 * Introduces qnt_lowbit_layer_create and qnt_lowbit_layer_run: a layer's digits are made for the quantizer
 * of the layer behind it, and floats go beside them where a residual is added. Built from a table for 1 to
 * 4 groups, run, and compared bit by bit with the plain way: codes in bytes, qnt_conv_s8, shuffles and
 * batch norms in loops.
 *
 *     11_palquant_network [WEIGHTS]    for G = 1, 2, 3, 4: float32 [O,7,7,3], scale [O], shift [O]; for
 *                                      each layer in order codes [O,kh,kw,C/G], float32 scale [O],
 *                                      shift [O], low, high; float32 [10,C], bias [10]; without a file,
 *                                      made-up numbers
 */
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16, MOST_WIDTH = 4 * 64, MOST_CONVS = 32, MOST = (SIDE + 2) * (SIDE + 2) * MOST_WIDTH };
enum { IMAGE = 4 * SIDE, COLOURS = 3, STEM = 7, CLASSES = 10 };

/* What the network is. Each stage but the first halves the image; a cyclic module follows all but the
 * last. */
static const struct { int width, blocks; } stages[] = {{8, 2}, {16, 2}, {32, 2}, {64, 2}};

enum { STAGES = sizeof stages / sizeof *stages };

struct conv {
    int side, in, out, kernel, stride, groups, shift, flags;
    const struct conv *next; /* whose digits it makes, or NULL */
    float low, high;         /* interval of its own input's quantizer */
    uint8_t *weight;         /* codes [out,kernel,kernel,in/groups], 2 q - 3 */
    float *scale, *offset;   /* batch norm and all factors: y = scale sum + offset */
    qnt_quantizer *input_q;
    qnt_lowbit_layer *layer;
};

struct network {
    int groups, count;
    float *first, *first_scale, *first_offset; /* [out,7,7,3], [out], [out] */
    float *last, *bias;                        /* [CLASSES,channels], [CLASSES] */
    struct conv conv[MOST_CONVS];
};

struct packed {
    qnt_tensor tensor;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    uint8_t bytes[MOST];
};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ == QNT_OK) break;                                                              \
        fprintf(stderr, "%s: %s\n", #call, qnt_status_name(status_));                              \
        exit(1);                                                                                   \
    } while (0)

static qnt_context *context;
static struct packed main_digits, inner_digits, side_digits;
static uint8_t workspace[1 << 20];

static qnt_tensor tensor(void *data, int code, int bits, int ndim, int64_t *shape)
{
    return (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = ndim,
                        .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits,
                        .dtype_lanes = 1,
                        .shape = shape};
}

/* ---- building ---- */

static struct conv *add(struct network *n, int side, int in, int out, int kernel, int stride, int flags)
{
    struct conv *c = &n->conv[n->count++];
    *c = (struct conv){.side = side, .in = in, .out = out, .kernel = kernel, .stride = stride,
                       .groups = n->groups, .flags = flags};
    return c;
}

/* Every layer in the order in which it runs. `next` skips the side branches. */
static void describe(struct network *n)
{
    int side = SIDE, width = stages[0].width * n->groups;
    struct conv *last = NULL;
    for (int s = 0; s < STAGES; s++) {
        int out = stages[s].width * n->groups;
        for (int b = 0; b < stages[s].blocks; b++) {
            int stride = s > 0 && b == 0 ? 2 : 1;
            if (stride == 2) add(n, side, width, out, 1, 2, 0);
            struct conv *first = add(n, side, width, out, 3, stride, QNT_RELU_LAST);
            if (last) last->next = first;
            side /= stride;
            last = add(n, side, out, out, 3, 1, QNT_RELU_LAST | (stride == 2 ? QNT_TRANSPOSE : 0));
            first->next = last;
            width = out;
        }
        if (s + 1 == STAGES) return;
        struct conv *cyclic = add(n, side, width, width, 1, 1, QNT_RELU_FIRST);
        cyclic->shift = 1 % n->groups;
        last->next = cyclic;
        last = cyclic;
    }
}

static uint32_t next_number(uint32_t *state)
{
    *state ^= *state << 13, *state ^= *state >> 17, *state ^= *state << 5;
    return *state;
}

static void read_all(FILE *file, void *to, size_t bytes)
{
    if (fread(to, 1, bytes, file) == bytes) return;
    fprintf(stderr, "the file with weights ends too early\n");
    exit(1);
}

/* From the file, or about `middle`, up to `spread` away. */
static float *floats(FILE *file, uint32_t *state, size_t n, float middle, float spread)
{
    float *x = malloc(n * sizeof *x);
    if (!x) exit(1);
    if (file) read_all(file, x, n * sizeof *x);
    for (size_t i = 0; !file && i < n; i++)
        x[i] = middle + spread * ((float)(next_number(state) >> 20 & 255) / 127.5f - 1.0f);
    return x;
}

static void load(struct conv *c, FILE *file, uint32_t *state)
{
    size_t inputs = (size_t)(c->kernel * c->kernel * (c->in / c->groups));
    size_t weights = (size_t)c->out * inputs, floats = (size_t)c->out * sizeof(float);
    c->weight = malloc(weights), c->scale = malloc(floats), c->offset = malloc(floats);
    if (!c->weight || !c->scale || !c->offset) exit(1);
    if (file) {
        read_all(file, c->weight, weights);
        read_all(file, c->scale, floats), read_all(file, c->offset, floats);
        read_all(file, &c->low, sizeof c->low), read_all(file, &c->high, sizeof c->high);
        return;
    }
    for (size_t i = 0; i < weights; i++) c->weight[i] = (uint8_t)(next_number(state) >> 20 & 3);
    for (int o = 0; o < c->out; o++) { /* some gammas are negative, as in trained networks */
        float gamma = (float)(next_number(state) >> 20 & 63) / 32.0f - 0.4f;
        c->scale[o] = gamma / (2.0f + 0.25f * (float)inputs);
        c->offset[o] = (float)(next_number(state) >> 20 & 63) / 80.0f - 0.2f;
    }
    c->low = 0.0f, c->high = 1.25f;
}

static void create(struct conv *c)
{
    const qnt_spec spec = {
        .size = sizeof spec, .method = QNT_FIXED, .bits = 2, .flags = QNT_REAL_OFFSET};
    double step = ((double)c->high - (double)c->low) / 3.0, low = (double)c->low;
    TRY(qnt_quantizer_create(context, &spec, &c->input_q));
    TRY(qnt_quantizer_set(context, c->input_q, QNT_P_SCALE, &step, 1));
    TRY(qnt_quantizer_set(context, c->input_q, QNT_P_OFFSET, &low, 1));
}

/* The border of its digits is what the next layer's kernel needs. */
static void prepare(struct conv *c)
{
    const int32_t edge = c->next ? c->next->kernel / 2 : 0;
    const qnt_conv conv = {.size = sizeof conv, .groups = c->groups, .group_shift = c->shift,
                           .stride = {c->stride, c->stride}};
    const qnt_lowbit_spec spec = {.size = sizeof spec, .step = 2, .zero = -3, .flags = c->flags,
                                  .pad = {edge, edge, edge, edge}};
    int64_t w[] = {c->out, c->kernel, c->kernel, c->in / c->groups}, o[] = {c->out};
    qnt_tensor weight = tensor(c->weight, QNT_UINT, 8, 4, w), scale = tensor(c->scale, QNT_FLOAT, 32, 1, o),
               offset = tensor(c->offset, QNT_FLOAT, 32, 1, o);
    TRY(qnt_lowbit_layer_create(context, &conv, &spec, &weight, &scale, &offset,
                                c->next ? c->next->input_q : NULL, &c->layer));
}

/* ---- the packed way ---- */

/* Digits of floats for a layer: where the network begins, and for side branches. */
static void encode(const struct conv *c, float *stream, struct packed *to)
{
    static uint8_t codes[MOST];
    int32_t edge = c->kernel / 2, pad[4] = {edge, edge, edge, edge};
    int64_t shape[] = {1, c->side, c->side, c->in};
    qnt_tensor x = tensor(stream, QNT_FLOAT, 32, 4, shape), code = tensor(codes, QNT_UINT, 8, 4, shape);
    TRY(qnt_quantizer_encode(context, c->input_q, &x, &code));
    to->tensor = (qnt_tensor){.shape = to->shape, .strides = to->strides};
    TRY(qnt_pack_pixels_view(context, &code, c->groups, pad, &to->tensor));
    to->tensor.data = to->bytes;
    TRY(qnt_pack_pixels(context, &code, c->groups, pad, &to->tensor));
}

static void run(const struct conv *c, const struct packed *from, float *identity, float *y,
                struct packed *to)
{
    int64_t shape[] = {1, c->side / c->stride, c->side / c->stride, c->out};
    qnt_tensor add = tensor(identity, QNT_FLOAT, 32, 4, shape), floats = tensor(y, QNT_FLOAT, 32, 4, shape);
    if (to) {
        to->tensor = (qnt_tensor){.shape = to->shape, .strides = to->strides};
        TRY(qnt_lowbit_layer_view(context, c->layer, &from->tensor, &to->tensor));
        to->tensor.data = to->bytes;
    }
    TRY(qnt_lowbit_layer_run(context, c->layer, &from->tensor, identity ? &add : NULL, y ? &floats : NULL,
                             to ? &to->tensor : NULL, workspace, sizeof workspace));
}

/* The stream of floats goes through the network in place, digits from one buffer to the other. */
static void run_packed(const struct network *n, float *stream)
{
    static float branch[MOST];
    struct packed *from = &main_digits, *to = &inner_digits;
    const struct conv *c = n->conv;
    encode(c, stream, from);
    while (c < n->conv + n->count) {
        float *identity = stream;
        if (c->flags == QNT_RELU_FIRST) { /* cyclic: other groups are an offset of the pointer */
            struct packed *was = from;
            run(c++, from, stream, stream, to);
            from = to, to = was;
            continue;
        }
        if (c->kernel == 1) {
            encode(c, stream, &side_digits);
            identity = branch;
            run(c++, &side_digits, NULL, branch, NULL);
        }
        run(c, from, NULL, NULL, to);
        run(c + 1, to, identity, stream, c[1].next ? from : NULL);
        c += 2;
    }
}

/* ---- the plain way ---- */

static void convolve(const struct conv *c, float *x, const float *identity, float *y)
{
    static uint8_t codes[MOST], shifted[MOST];
    static int8_t weight[MOST_WIDTH * MOST_WIDTH * 9];
    static int32_t sum[MOST];
    const int32_t edge = c->kernel / 2;
    const int side = c->side / c->stride, inside = c->out / c->groups;
    int64_t in[] = {1, c->side, c->side, c->in}, out[] = {1, side, side, c->out};
    int64_t w[] = {c->out, c->kernel, c->kernel, c->in / c->groups};
    qnt_tensor floats = tensor(x, QNT_FLOAT, 32, 4, in), code = tensor(codes, QNT_UINT, 8, 4, in),
               other = tensor(shifted, QNT_UINT, 8, 4, in), weights = tensor(weight, QNT_INT, 8, 4, w),
               sums = tensor(sum, QNT_INT, 32, 4, out);
    const qnt_conv conv = {.size = sizeof conv, .groups = c->groups, .stride = {c->stride, c->stride},
                           .pad = {edge, edge, edge, edge}};
    for (int i = 0; i < c->out * c->kernel * c->kernel * (c->in / c->groups); i++)
        weight[i] = (int8_t)(2 * c->weight[i] - 3);
    TRY(qnt_quantizer_encode(context, c->input_q, &floats, &code));
    TRY(qnt_shuffle_cyclic(context, &code, 3, c->groups, c->shift, &other));
    TRY(qnt_conv_s8(context, &conv, &other, 0, &weights, &sums));
    for (int i = 0; i < side * side * c->out; i++) {
        int o = i % c->out, to = i;
        if (c->flags & QNT_TRANSPOSE) to = i - o + o % inside * c->groups + o / inside;
        float scaled = (float)sum[i] * c->scale[o], v = scaled + c->offset[o];
        if (c->flags & QNT_RELU_FIRST && v < 0) v = 0;
        if (identity) v += identity[to];
        if (c->flags & QNT_RELU_LAST && v < 0) v = 0;
        y[to] = v;
    }
}

static void run_plain(const struct network *n, float *stream)
{
    static float branch[MOST], inner[MOST], result[MOST];
    for (const struct conv *c = n->conv; c < n->conv + n->count;) {
        const float *identity = stream;
        if (c->flags == QNT_RELU_FIRST) {
            convolve(c++, stream, identity, result);
        } else {
            if (c->kernel == 1) convolve(c++, stream, NULL, branch), identity = branch;
            convolve(c, stream, NULL, inner);
            convolve(c + 1, inner, identity, result);
            c += 2;
        }
        memcpy(stream, result, sizeof result);
    }
}

/* ---- both ---- */

static float pixel(int row, int column, int colour)
{
    if (row < 0 || column < 0 || row >= IMAGE || column >= IMAGE) return 0;
    return (float)((row * (3 + colour) + column * (5 - colour)) % 29) / 14.0f - 1.0f;
}

/* Convolution 7 x 7 with stride 2, batch norm, ReLU. */
static float first_conv(const struct network *n, int row, int column, int o)
{
    float sum = 0;
    const float *w = n->first + o * STEM * STEM * COLOURS;
    for (int i = 0; i < STEM * STEM * COLOURS; i++) {
        int tap = i / COLOURS;
        sum += w[i] * pixel(2 * row + tap / STEM - 3, 2 * column + tap % STEM - 3, i % COLOURS);
    }
    float v = sum * n->first_scale[o] + n->first_offset[o];
    return v > 0 ? v : 0;
}

/* The maximum of 3 x 3 with stride 2; what it takes is nowhere below 0. */
static void stem(const struct network *n, float *stream)
{
    static float map[IMAGE / 2 * IMAGE / 2 * MOST_WIDTH];
    const int half = IMAGE / 2, channels = n->conv[0].in;
    for (int i = 0; i < half * half * channels; i++)
        map[i] = first_conv(n, i / channels / half, i / channels % half, i % channels);
    for (int i = 0; i < SIDE * SIDE * channels; i++) {
        const int row = i / channels / SIDE * 2, column = i / channels % SIDE * 2;
        stream[i] = 0;
        for (int t = 0; t < 9; t++) {
            int r = row + t / 3 - 1, q = column + t % 3 - 1;
            if (r < 0 || q < 0 || r >= half || q >= half) continue;
            float v = map[(r * half + q) * channels + i % channels];
            if (v > stream[i]) stream[i] = v;
        }
    }
}

/* Means over the image, fully connected: the class with the largest sum. */
static int head(const struct network *n, const float *stream, int side, int channels)
{
    float mean[MOST_WIDTH], most = 0;
    int winner = -1;
    for (int c = 0; c < channels; c++) {
        mean[c] = 0;
        for (int p = 0; p < side * side; p++) mean[c] += stream[p * channels + c];
        mean[c] /= (float)(side * side);
    }
    for (int k = 0; k < CLASSES; k++) {
        float sum = n->bias[k];
        for (int c = 0; c < channels; c++) sum += n->last[k * channels + c] * mean[c];
        if (winner < 0 || sum > most) most = sum, winner = k;
    }
    return winner;
}

/* Of the packed convolutions; of cyclic modules alone. */
static double count_products(const struct network *n, int cyclic)
{
    double sum = 0;
    for (const struct conv *c = n->conv; c < n->conv + n->count; c++) {
        const int side = c->side / c->stride;
        if (cyclic && c->flags != QNT_RELU_FIRST) continue;
        sum += (double)side * side * c->out * c->kernel * c->kernel * (c->in / c->groups);
    }
    return sum;
}

/* G groups are G networks of the width of one: G times as many products, not G * G. */
static int try_groups(int groups, FILE *weights)
{
    static double products_of_one;
    static float packed[MOST], plain[MOST];
    struct network n = {.groups = groups};
    uint32_t state = 2022;
    describe(&n);
    const struct conv *last = &n.conv[n.count - 1];
    const size_t in = (size_t)n.conv[0].in, out = (size_t)last->out;
    n.first = floats(weights, &state, in * STEM * STEM * COLOURS, 0, 0.1f);
    n.first_scale = floats(weights, &state, in, 1, 0.5f);
    n.first_offset = floats(weights, &state, in, 0, 0.3f);
    for (int i = 0; i < n.count; i++) load(&n.conv[i], weights, &state), create(&n.conv[i]);
    n.last = floats(weights, &state, CLASSES * out, 0, 1), n.bias = floats(weights, &state, CLASSES, 0, 1);
    for (int i = 0; i < n.count; i++) prepare(&n.conv[i]);
    stem(&n, packed);
    memcpy(plain, packed, sizeof plain);
    run_packed(&n, packed);
    run_plain(&n, plain);
    size_t values = (size_t)(last->side * last->side * last->out), different = 0, live = 0;
    for (size_t i = 0; i < values; i++)
        different += plain[i] != plain[(i + 1) % values], live += plain[i] > 0;
    double products = count_products(&n, 0), cyclic = count_products(&n, 1) / products;
    if (groups == 1) products_of_one = products;
    int good = !memcmp(packed, plain, values * sizeof *plain) && different > 0 &&
               live > values / 10 && products == groups * products_of_one;
    printf("G = %d: %d convolutions, %.2f million products, %.1f %% in cyclic modules\n", groups,
           n.count, 1e-6 * products, 100 * cyclic);
    printf("    %zu of %zu values at the end are above 0, class %d wins: %s\n", live, values,
           head(&n, packed, last->side, last->out), good ? "equal, as expected" : "NOT equal");
    for (int i = 0; i < n.count; i++) {
        qnt_lowbit_layer_destroy(n.conv[i].layer);
        qnt_quantizer_destroy(n.conv[i].input_q);
        free(n.conv[i].weight), free(n.conv[i].scale), free(n.conv[i].offset);
    }
    free(n.first), free(n.first_scale), free(n.first_offset), free(n.last), free(n.bias);
    return good;
}

int main(int argc, char **argv)
{
    int good = 1;
    FILE *weights = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (argc > 1 && !weights) return perror(argv[1]), 1;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    for (int groups = 1; groups <= 4; groups++) good = try_groups(groups, weights) && good;
    qnt_context_destroy(context);
    if (weights) fclose(weights);
    return !good;
}
