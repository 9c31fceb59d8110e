/*
 * Layers with integers that int8 does not hold, of weights, inputs or both, against sums in int64: every
 * pair of formats, dense and convolutions, floats and codes in and out, blobs, guard pages.
 */
#include "layer/layer.h"
#include "layer_case.h"
#include "twin_case.h"

enum { MOST = 1 << 16, EXTREME = 100 };

static float w[MOST], x[MOST], bias[256], want[MOST], y[MOST], z[MOST], decoded[MOST];
static uint8_t wcode[MOST], xcode[MOST], packed[MOST], ycode[MOST], zcode[MOST];
static int32_t wint[MOST], xint[MOST];
static double wscale[MOST];

/* OK() where something is returned. */
#define GOOD(call) CHECK_MSG((call) == QNT_OK, "%s", check_reason)

#define EXP_OF(b, f) {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = b, .flags = f}
#define TABLE_OF(m, b) {.scheme = QNT_TABLE, .method = m, .bits = b}

/* The first WIDE of both lists have integers beyond int8. */
enum { WIDE = 6 };
static const qnt_spec weights[] = {EXP_OF(5, QNT_SIGNED),
                                   EXP_OF(6, QNT_SIGNED),
                                   EXP_OF(7, QNT_SIGNED),
                                   TABLE_OF(QNT_KMEANS, 6),
                                   TABLE_OF(QNT_KMEANS, 8),
                                   TABLE_OF(QNT_LEVELS, EXTREME),
                                   EXP_OF(3, QNT_SIGNED),
                                   TABLE_OF(QNT_NF4, 4),
                                   TABLE_OF(QNT_KMEANS, 2),
                                   {.bits = 8, .method = QNT_MINMAX, .flags = QNT_SIGNED | QNT_SYMMETRIC},
                                   {.bits = 8, .method = QNT_MINMAX},
                                   {.bits = 3, .method = QNT_MINMAX}};
static const qnt_spec inputs[] = {EXP_OF(5, QNT_SIGNED),
                                  EXP_OF(6, 0),
                                  EXP_OF(7, QNT_SIGNED),
                                  TABLE_OF(QNT_KMEANS, 7),
                                  TABLE_OF(QNT_KMEANS, 8),
                                  TABLE_OF(QNT_LEVELS, EXTREME),
                                  EXP_OF(4, QNT_SIGNED),
                                  TABLE_OF(QNT_NF4, 4),
                                  {.bits = 8, .method = QNT_MINMAX},
                                  {.bits = 8, .method = QNT_MINMAX, .flags = QNT_SIGNED},
                                  {.bits = 5, .method = QNT_MINMAX},
                                  {.bits = 8, .method = QNT_MINMAX, .flags = QNT_DYNAMIC},
                                  {.scheme = QNT_POINTS, .method = QNT_BASES, .bits = 1, .points = 1}};
enum { WEIGHTS = sizeof weights / sizeof *weights, INPUTS = sizeof inputs / sizeof *inputs };

static qnt_quantizer *fitted(qnt_spec spec, const float *data, int64_t rows, int64_t n)
{
    static const double extreme[] = {-32768, -32767, 0, 32767};
    const bool levels = spec.bits == EXTREME;
    if (levels) spec.bits = 2;
    qnt_quantizer *q = quantizer(spec);
    if (levels) GOOD(qnt_quantizer_set(c, q, QNT_P_LEVELS, extreme, 4));
    if (spec.flags & QNT_DYNAMIC) return q;
    GOOD(qnt_quantizer_observe(c, q, TENSOR((void *)data, QNT_FLOAT, 32, rows, n), NULL));
    GOOD(qnt_quantizer_fit(c, q));
    return q;
}

static int code_bits(const qnt_quantizer *q)
{
    qnt_spec spec = {.size = sizeof spec};
    GOOD(qnt_quantizer_spec(c, q, &spec));
    return spec.scheme == QNT_EXP && (spec.flags & QNT_SIGNED) ? spec.bits + 1 : spec.bits;
}

/* What is to be computed: x [images][height][width][groups * channels], w [outputs][inputs]. */
typedef struct {
    int64_t images, height, width, channels, outputs, kernel, block;
    int32_t groups, shift, pad, stride, dilation;
    bool dense;
} shape;

static int64_t inputs_of(const shape *s)
{
    return s->kernel * s->kernel * s->channels;
}

static int64_t extent_out(const shape *s, int64_t in)
{
    return (in + 2 * s->pad - s->dilation * (s->kernel - 1) - 1) / s->stride + 1;
}

static size_t group_at(const shape *s, int32_t grain, int64_t o, int64_t k)
{
    int64_t blocks = s->block ? (inputs_of(s) + s->block - 1) / s->block : 1;
    return grain == QNT_PER_TENSOR ? 0 : (size_t)(grain == QNT_PER_AXIS ? o : o * blocks + k / s->block);
}

/* Integers of the weights, from their decoded values, which are such times the scale. */
static void read_weights(const shape *s, const qnt_quantizer *q, int32_t grain)
{
    size_t count;
    int64_t n = inputs_of(s);
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, wscale, MOST, &count));
    for (int64_t i = 0; i < s->outputs * n; i++) {
        double at = (double)decoded[i] / wscale[group_at(s, grain, i / n, i % n)];
        wint[i] = (int32_t)lrint(at);
        CHECK_MSG(fabs(at - rint(at)) < 0.01 && fabs(at) < 32769, "weight %g", at);
    }
}

static int64_t sum_over(const shape *s, int64_t pixel, int64_t o, int64_t first, int64_t end)
{
    int64_t ow = extent_out(s, s->width), oh = extent_out(s, s->height), n = inputs_of(s), sum = 0;
    int64_t image = pixel / ow / oh, oy = pixel / ow % oh, ox = pixel % ow;
    int64_t group = (o / (s->outputs / s->groups) + s->shift) % s->groups;
    for (int64_t k = first; k < end && k < n; k++) {
        int64_t ch = k % s->channels, kx = k / s->channels % s->kernel,
                ky = k / s->channels / s->kernel;
        int64_t row = oy * s->stride + ky * s->dilation - s->pad,
                col = ox * s->stride + kx * s->dilation - s->pad;
        if (row < 0 || row >= s->height || col < 0 || col >= s->width) continue;
        int64_t at = ((image * s->height + row) * s->width + col) * s->groups * s->channels +
                     group * s->channels + ch;
        sum += (int64_t)xint[at] * wint[o * n + k];
    }
    return sum;
}

static void reference_of(const shape *s, int32_t grain, double in_scale, const float *row_scale,
                         int64_t pixels, bool relu)
{
    int64_t n = inputs_of(s), block = s->block ? s->block : n;
    int64_t per_row = s->dense ? 1 : extent_out(s, s->width) * extent_out(s, s->height);
    for (int64_t i = 0; i < pixels * s->outputs; i++) {
        float acc = 0;
        for (int64_t first = 0; first < n; first += block) {
            double scale = wscale[group_at(s, grain, i % s->outputs, first)];
            if (!row_scale) scale *= in_scale;
            float product = (float)sum_over(s, i / s->outputs, i % s->outputs, first, first + block) *
                            (float)scale;
            acc = acc + product;
        }
        if (row_scale) acc = acc * row_scale[i / s->outputs / per_row];
        acc = acc + bias[i % s->outputs];
        want[i] = relu && acc < 0 ? 0 : acc;
    }
}

/* Integers of the input, and its scale, or a scale for each row or image. */
static double read_input(const shape *s, qnt_quantizer *q, const qnt_spec *spec, int64_t count,
                         float *row_scale)
{
    double scale;
    size_t one;
    int64_t rows = s->dense ? s->images * s->height * s->width : s->images, n = count / rows;
    if (spec->flags & QNT_DYNAMIC) {
        static int32_t codes[MOST];
        const layer_format f = {.kind = DYNAMIC, .bits = spec->bits, .flags = spec->flags};
        for (int64_t r = 0; r < rows; r++) {
            layer_input in = dynamic_of(&f, x + r * n, n, codes);
            row_scale[r] = in.scale;
            for (int64_t i = 0; i < n; i++) xint[r * n + i] = codes[i] - in.zero;
        }
        return 0;
    }
    const uint8_t type = spec->scheme == 0 && (spec->flags & QNT_SIGNED) ? QNT_INT : QNT_UINT;
    GOOD(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, count), TENSOR(xcode, type, 8, count)));
    GOOD(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, count),
                            TENSOR(packed, type, code_bits(q), count)));
    GOOD(qnt_quantizer_decode(c, q, TENSOR(xcode, type, 8, count), TENSOR(z, QNT_FLOAT, 32, count)));
    GOOD(qnt_quantizer_get(c, q, QNT_P_SCALE, &scale, 1, &one));
    if (spec->scheme == QNT_POINTS) scale = fabs((double)z[0]);
    for (int64_t i = 0; i < count; i++) xint[i] = (int32_t)lrint((double)z[i] / scale);
    return scale;
}

/* Runs with x in memory that ends where nothing may be read. */
static void run_guarded(const qnt_layer *layer, const shape *s, uint8_t type, uint8_t bits,
                        const void *data, size_t bytes, qnt_tensor *out)
{
    guarded in = guard(bytes, true);
    int64_t channels = s->groups * s->channels;
    qnt_tensor *t = s->dense ? TENSOR(in.data, type, bits, s->images * s->height * s->width, channels)
                             : TENSOR(in.data, type, bits, s->images, s->height, s->width, channels);
    size_t space_bytes = 0;
    if (bytes) memcpy(in.data, data, bytes);
    OK(qnt_layer_workspace(c, layer, t, &space_bytes));
    guarded space = guard(space_bytes, true);
    CHECK_MSG(qnt_layer_run(c, layer, t, out, space.data, space_bytes) == QNT_OK, "%s", check_reason);
    unguard(&in), unguard(&space);
}

static qnt_layer *reloaded(const qnt_layer *layer, void **blob, int32_t flags)
{
    qnt_layer *copy = NULL;
    size_t bytes;
    GOOD(qnt_layer_save(c, layer, NULL, 0, &bytes));
    *blob = aligned_alloc(64, (bytes + 63) / 64 * 64);
    GOOD(qnt_layer_save(c, layer, *blob, bytes, &bytes));
    GOOD(qnt_layer_load(c, *blob, bytes, flags, &copy));
    return copy;
}

static void check_pair(const shape *s, qnt_spec ws, const qnt_spec *xs, int i)
{
    int64_t n = inputs_of(s), channels = s->groups * s->channels;
    int64_t x_count = s->images * s->height * s->width * channels;
    int64_t ow = extent_out(s, s->width), oh = extent_out(s, s->height), pixels = s->images * oh * ow;
    static float row_scale[MOST];
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
    fill(w, s->outputs * n), fill(x, x_count), fill(bias, s->outputs);
    if (i % 5 == 0 && x_count > 2) x[1] = NAN, x[2] = -0.0f;
    qnt_tensor *weight = s->dense
                             ? TENSOR(w, QNT_FLOAT, 32, s->outputs, n)
                             : TENSOR(w, QNT_FLOAT, 32, s->outputs, s->kernel, s->kernel, s->channels);
    qnt_tensor *values = TENSOR(decoded, QNT_FLOAT, 32, s->outputs, n);
    qnt_quantizer *wq = fitted(ws, w, s->outputs, n), *xq = fitted(*xs, x, 1, x_count);
    const uint8_t type = ws.scheme == 0 && (ws.flags & QNT_SIGNED) ? QNT_INT : QNT_UINT;
    OK(qnt_quantizer_encode(c, wq, TENSOR(w, QNT_FLOAT, 32, s->outputs, n),
                            TENSOR(wcode, type, 8, s->outputs, n)));
    OK(qnt_quantizer_decode(c, wq, TENSOR(wcode, type, 8, s->outputs, n), values));
    read_weights(s, wq, ws.grain);
    double in_scale = read_input(s, xq, xs, x_count, row_scale);
    bool dynamic = xs->flags & QNT_DYNAMIC, relu = i % 2;
    reference_of(s, ws.grain, in_scale, dynamic ? row_scale : NULL, pixels, relu);

    OK(qnt_context_set_cpu(c, cpu_level(i) & qnt_cpu_detect()));
    qnt_layer_spec ls = {.size = sizeof ls,
                         .kind = s->dense ? QNT_DENSE : QNT_CONV,
                         .activation = relu ? QNT_RELU : QNT_LINEAR,
                         .groups = s->groups,
                         .group_shift = s->shift,
                         .stride = {s->stride, s->stride},
                         .dilation = {s->dilation, s->dilation},
                         .pad = {s->pad, s->pad, s->pad, s->pad}};
    if (i % 3 == 0) {
        weight->data = wcode;
        weight->dtype_code = type;
        weight->dtype_bits = 8;
    }
    qnt_layer *layer = NULL, *copy;
    void *blob;
    qnt_tensor *b = TENSOR(bias, QNT_FLOAT, 32, s->outputs);
    qnt_tensor *out = s->dense ? TENSOR(y, QNT_FLOAT, 32, pixels, s->outputs)
                               : TENSOR(y, QNT_FLOAT, 32, s->images, oh, ow, s->outputs);
    qnt_status status = qnt_layer_create(c, &ls, weight, wq, b, xq, NULL, &layer);
    CHECK_MSG(status == QNT_OK, "%s", check_reason);
    if (status != QNT_OK) return;
    CHECK(layer->head.arithmetic == QNT__WORDS);
    copy = reloaded(layer, &blob, i % 2 ? QNT_BORROW : 0);
    const size_t y_bytes = 4 * (size_t)(pixels * s->outputs);
    for (int held = 0; held < (dynamic ? 1 : 3); held++) { /* floats, bytes, packed codes */
        const uint8_t in_type = xs->scheme == 0 && (xs->flags & QNT_SIGNED) ? QNT_INT : QNT_UINT;
        const uint8_t bits = held == 0 ? 32 : held == 1 ? 8 : (uint8_t)code_bits(xq);
        const void *data = held == 0 ? (void *)x : held == 1 ? xcode : packed;
        memset(y, 0x55, y_bytes);
        run_guarded(held == 1 ? copy : layer, s, held ? in_type : QNT_FLOAT, bits, data,
                    ((size_t)x_count * bits + 7) / 8, out);
        int64_t bad = -1;
        for (int64_t e = pixels * s->outputs - 1; e >= 0; e--) {
            if (memcmp(&y[e], &want[e], 4) != 0 && !(y[e] == 0 && want[e] == 0)) bad = e;
        }
        CHECK_MSG(bad < 0,
                  "case %d held %d: %g, expected %g; w %d/%d bits %d grain %d, x %d/%d bits %d flags %d, "
                  "K %d groups %d",
                  i, held, (double)y[bad < 0 ? 0 : bad], (double)want[bad < 0 ? 0 : bad],
                  (int)ws.scheme, (int)ws.method, (int)ws.bits, (int)ws.grain, (int)xs->scheme,
                  (int)xs->method, (int)xs->bits, (int)xs->flags, (int)n, (int)s->groups);
    }
    if (i % 4 == 0) { /* codes come out as those of the floats */
        qnt_layer *coded = NULL;
        qnt_quantizer *oq = fitted(i % 8 ? inputs[0] : (qnt_spec){.bits = 8, .method = QNT_MINMAX}, want,
                                   1, pixels * s->outputs);
        OK(qnt_layer_create(c, &ls, weight, wq, b, xq, oq, &coded));
        qnt_tensor *codes = s->dense ? TENSOR(ycode, QNT_UINT, 8, pixels, s->outputs)
                                     : TENSOR(ycode, QNT_UINT, 8, s->images, oh, ow, s->outputs);
        run_guarded(coded, s, QNT_FLOAT, 32, x, 4 * (size_t)x_count, codes);
        OK(qnt_quantizer_encode(c, oq, TENSOR(want, QNT_FLOAT, 32, pixels * s->outputs),
                                TENSOR(zcode, QNT_UINT, 8, pixels * s->outputs)));
        CHECK_MSG(!memcmp(ycode, zcode, (size_t)(pixels * s->outputs)), "codes of case %d", i);
        qnt_layer_destroy(coded), qnt_quantizer_destroy(oq);
    }
    qnt_layer_destroy(layer), qnt_layer_destroy(copy), free(blob);
    qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
}

/* Every pair of which one at least needs words. */
static void next_pair(int i, qnt_spec *ws, const qnt_spec **xs)
{
    int a = i % WEIGHTS, b = i / WEIGHTS % INPUTS;
    if (a >= WIDE && b >= WIDE) a %= WIDE;
    *ws = weights[a], *xs = &inputs[b];
}

static void dense(void)
{
    for (int i = 0; i < ROUNDS(WEIGHTS * INPUTS); i++) {
        qnt_spec ws;
        const qnt_spec *xs;
        next_pair(i, &ws, &xs);
        shape s = {.images = 1, .height = 1, .kernel = 1, .groups = 1, .stride = 1, .dilation = 1};
        s.dense = true;
        s.width = random_in(1, i % 3 ? 5 : 40), s.outputs = random_in(1, i % 5 ? 20 : 90);
        s.channels = i % 11 == 0 ? random_in(1000, 3000) : random_in(1, i % 2 ? 40 : 700);
        while (s.outputs * s.channels > MOST || s.width * s.channels > MOST) {
            s.outputs = (s.outputs + 1) / 2, s.width = (s.width + 1) / 2;
        }
        ws.grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_BLOCK);
        if (ws.grain == QNT_PER_BLOCK) ws.axis = 1, s.block = ws.block = 16 * random_in(1, 20);
        check_pair(&s, ws, xs, i);
    }
}

static void convolutions(void)
{
    for (int i = 0; i < ROUNDS(WEIGHTS * INPUTS); i++) {
        qnt_spec ws;
        const qnt_spec *xs;
        next_pair(i, &ws, &xs);
        shape s = {.images = random_in(1, 2), .kernel = random_in(1, 3), .groups = 1};
        s.stride = (int32_t)random_in(1, 2), s.dilation = (int32_t)random_in(1, 2);
        s.pad = (int32_t)random_in(0, 2);
        s.height = random_in(5, 9), s.width = random_in(5, 9);
        s.channels = random_in(1, 20), s.outputs = random_in(1, 20);
        if (i % 3 == 1) s.groups = 4, s.channels = random_in(1, 3), s.outputs = 4 * random_in(1, 2);
        if (i % 6 == 4) s.channels = 1, s.outputs = 4; /* depthwise, also 16 channels at a time */
        if (i % 12 == 4) s.groups = 16 * (int32_t)random_in(1, 2), s.outputs = s.groups;
        if (i % 6 == 2) s.channels = 16; /* taps are whole cells of any width */
        s.shift = (int32_t)random_in(0, s.groups - 1);
        ws.grain = (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_AXIS);
        check_pair(&s, ws, xs, i);
    }
}

/* The largest sums: every product is the same, so that a sum that left int32 would be seen. */
static void extremes(void)
{
    static const double level[] = {-32768, 32767};
    const int64_t k = 4096, many = 14; /* rows: weights become words once for all of them */
    qnt_spec spec = {.scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = 1};
    qnt_quantizer *wq = quantizer(spec), *xq = quantizer(spec);
    qnt_quantizer *bytes = quantizer((qnt_spec){.bits = 8});
    const double one = 1, none = 0;
    OK(qnt_quantizer_set(c, wq, QNT_P_LEVELS, level, 2));
    OK(qnt_quantizer_set(c, xq, QNT_P_LEVELS, level, 2));
    OK(qnt_quantizer_set(c, wq, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(c, xq, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(c, bytes, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(c, bytes, QNT_P_ZERO, &none, 1));
    for (int i = 0; i < 16; i++) {
        const int a = i % 2, b = i / 2 % 2;
        qnt_layer *words = NULL, *mixed = NULL, *swapped = NULL;
        qnt_layer_spec ls = {.size = sizeof ls};
        OK(qnt_context_set_cpu(c, cpu_level(i / 4) & qnt_cpu_detect()));
        memset(wcode, a, (size_t)k), memset(xcode, b, (size_t)k);
        const qnt_tensor *weight = TENSOR(wcode, QNT_UINT, 8, 1, k), *in = TENSOR(xcode, QNT_UINT, 8, 1, k);
        OK(qnt_layer_create(c, &ls, weight, wq, NULL, xq, NULL, &words));
        OK(run(words, in, TENSOR(y, QNT_FLOAT, 32, 1, 1)));
        CHECK((double)y[0] == (double)(float)((double)k * level[a] * level[b]));
        memset(xcode, b, (size_t)(many * k));
        OK(run(words, TENSOR(xcode, QNT_UINT, 8, many, k), TENSOR(y, QNT_FLOAT, 32, many, 1)));
        for (int64_t j = 0; j < many; j++)
            CHECK((double)y[j] == (double)(float)((double)k * level[a] * level[b]));
        memset(xcode, 255, (size_t)k);
        OK(qnt_layer_create(c, &ls, weight, wq, NULL, bytes, NULL, &mixed));
        OK(run(mixed, in, TENSOR(y, QNT_FLOAT, 32, 1, 1)));
        CHECK((double)y[0] == (double)(float)((double)k * level[a] * 255.0));
        memset(xcode, b, (size_t)k), memset(wcode, 255, (size_t)k);
        OK(qnt_layer_create(c, &ls, weight, bytes, NULL, xq, NULL, &swapped));
        OK(run(swapped, in, TENSOR(y, QNT_FLOAT, 32, 1, 1)));
        CHECK((double)y[0] == (double)(float)((double)k * level[b] * 255.0));
        qnt_layer_destroy(words), qnt_layer_destroy(mixed), qnt_layer_destroy(swapped);
    }
    qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq), qnt_quantizer_destroy(bytes);
}

/* The same around the most k of which bytes of words are multiplied, of a matrix and with two taps. */
static void long_sums(void)
{
    enum { ROWS = 14, LIMIT = 65536, LONG = LIMIT + 512 };
    static const double level[] = {-32768, 32767};
    static uint8_t codes[ROWS * LONG], weight[LONG];
    const double one = 1, none = 0;
    qnt_quantizer *words =
        quantizer((qnt_spec){.scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = 1});
    qnt_quantizer *bytes = quantizer((qnt_spec){.bits = 8});
    OK(qnt_quantizer_set(c, words, QNT_P_LEVELS, level, 2));
    OK(qnt_quantizer_set(c, words, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(c, bytes, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(c, bytes, QNT_P_ZERO, &none, 1));
    for (int i = 0; i < 16; i++) {
        const int64_t k = i & 1 ? LIMIT : LONG;
        const int a = i >> 1 & 1, wide = i >> 2 & 1, taps = i >> 3 & 1 ? 2 : 1;
        const double x_level = wide ? level[a] : 255, sum = (double)k * level[a] * x_level;
        qnt_layer *layer = NULL;
        qnt_layer_spec ls = {
            .size = sizeof ls, .kind = taps > 1 ? QNT_CONV : QNT_DENSE, .groups = 1};
        qnt_tensor *out = TENSOR(y, QNT_FLOAT, 32, ROWS, 1);
        for (int l = 0; l < 2; l++) {
            OK(qnt_context_set_cpu(c, l ? 0 : qnt_cpu_detect()));
            memset(weight, a, sizeof weight), memset(codes, wide ? a : 255, sizeof codes);
            qnt_tensor *w_view = TENSOR(weight, QNT_UINT, 8, 1, k),
                       *in = TENSOR(codes, QNT_UINT, 8, ROWS, k);
            if (taps > 1) {
                w_view = TENSOR(weight, QNT_UINT, 8, 1, 2, 1, k / 2);
                in = TENSOR(codes, QNT_UINT, 8, 1, ROWS + 1, 1, k / 2);
                out = TENSOR(y, QNT_FLOAT, 32, 1, ROWS, 1, 1);
            }
            OK(qnt_layer_create(c, &ls, w_view, words, NULL, wide ? words : bytes, NULL, &layer));
            OK(run(layer, in, out));
            for (int64_t j = 0; j < ROWS; j++)
                CHECK_MSG((double)y[j] == (double)(float)sum, "case %d: %g, expected %g", i,
                          (double)y[j], sum);
            qnt_layer_destroy(layer);
        }
    }
    qnt_quantizer_destroy(words), qnt_quantizer_destroy(bytes);
}

/* Levels of inputs that a byte just holds once their least is added, or just does not; scales of blocks. */
static void spans(void)
{
    enum { ROWS = 14, K = 96, BLOCK = 48 };
    const double word[] = {-32768, 32767}, one = 1, scales[] = {1, 2};
    for (int i = 0; i < 8; i++) {
        const double level[] = {-100, 0, 155 + i % 2};
        const bool blocks = i & 4;
        qnt_spec ws = {.scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = 1}, xs = ws;
        if (blocks) ws.grain = QNT_PER_BLOCK, ws.axis = 1, ws.block = BLOCK;
        xs.bits = 2;
        qnt_quantizer *wq = quantizer(ws), *xq = quantizer(xs);
        qnt_layer *layer = NULL;
        qnt_layer_spec ls = {.size = sizeof ls};
        OK(qnt_context_set_cpu(c, i & 2 ? 0 : qnt_cpu_detect()));
        OK(qnt_quantizer_set(c, wq, QNT_P_LEVELS, word, 2));
        OK(qnt_quantizer_set(c, xq, QNT_P_LEVELS, level, 3));
        OK(qnt_quantizer_set(c, wq, QNT_P_SCALE, scales, blocks ? 2 : 1));
        OK(qnt_quantizer_set(c, xq, QNT_P_SCALE, &one, 1));
        memset(wcode, 1, K);
        for (int e = 0; e < ROWS * K; e++) xcode[e] = (uint8_t)(e / K % 3);
        OK(qnt_layer_create(c, &ls, TENSOR(wcode, QNT_UINT, 8, 1, K), wq, NULL, xq, NULL, &layer));
        OK(run(layer, TENSOR(xcode, QNT_UINT, 8, ROWS, K), TENSOR(y, QNT_FLOAT, 32, ROWS, 1)));
        for (int r = 0; r < ROWS; r++) {
            const float want_y = (float)(word[1] * level[r % 3] * (blocks ? BLOCK * 3 : K));
            CHECK_MSG(y[r] == want_y, "case %d row %d: %g, expected %g", i, r, (double)y[r],
                      (double)want_y);
        }
        qnt_layer_destroy(layer), qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
    }
}

/* Weights stay codes where one table serves them all. */
static void sizes(void)
{
    const int64_t n = 64, k = 512;
    static const struct {
        qnt_spec w;
        int cell_bits;
    } row[] = {{EXP_OF(5, QNT_SIGNED), 6},      {EXP_OF(6, QNT_SIGNED), 7}, {EXP_OF(7, QNT_SIGNED), 8},
               {TABLE_OF(QNT_NF4, 4), 4},       {TABLE_OF(QNT_KMEANS, 1), 2},
               {{.bits = 8, .method = QNT_MINMAX}, 8}};
    fill(w, n * k), fill(x, k);
    qnt_quantizer *xq = fitted(inputs[0], x, 1, k);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        qnt_quantizer *wq = fitted(row[i].w, w, n, k);
        qnt_layer *layer = NULL;
        qnt_layer_spec ls = {.size = sizeof ls};
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, NULL, xq, NULL, &layer));
        CHECK_MSG(layer->head.cell_bits == row[i].cell_bits, "%d bits", (int)layer->head.cell_bits);
        CHECK(layer->bytes <= (size_t)(n * k * row[i].cell_bits / 8) + 4096);
        qnt_layer_destroy(layer), qnt_quantizer_destroy(wq);
    }
    qnt_quantizer_destroy(xq);
}

/* K may be 0. */
static void nothing(void)
{
    static double level[256];
    for (int i = 0; i < 256; i++) level[i] = 1000 + i;
    qnt_quantizer *xq = quantizer((qnt_spec){.scheme = QNT_TABLE, .method = QNT_LEVELS, .bits = 8});
    const double one = 1;
    OK(qnt_quantizer_set(c, xq, QNT_P_LEVELS, level, 256));
    OK(qnt_quantizer_set(c, xq, QNT_P_SCALE, &one, 1));
    fill(w, 4 * 9);
    qnt_quantizer *wq = fitted(weights[0], w, 4, 9);
    qnt_layer *layer = NULL;
    qnt_layer_spec ls = {.size = sizeof ls};
    bias[0] = 7;
    OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, 1, 0), wq, TENSOR(bias, QNT_FLOAT, 32, 1),
                        xq, NULL, &layer));
    OK(run(layer, TENSOR(x, QNT_FLOAT, 32, 2, 0), TENSOR(y, QNT_FLOAT, 32, 2, 1)));
    CHECK(y[0] == 7 && y[1] == 7);
    qnt_layer_destroy(layer), qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(dense);
    RUN(convolutions);
    RUN(extremes);
    RUN(long_sums);
    RUN(spans);
    RUN(sizes);
    RUN(nothing);
    qnt_context_destroy(c);
    return DONE;
}
