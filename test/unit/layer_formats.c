/*
 * The matrix of doc/formats.md: every format of weights with every format of inputs and every grain, in
 * dense layers and convolutions. Each layer must take the arithmetic that the matrix names, give the
 * product of the decoded numbers - of floats to the bit, of integers within their few roundings -, and
 * the same bytes on every CPU level, from floats and from codes, and out of a blob.
 */
#include <math.h>

#include "io/format.h"
#include "layer/layer.h"
#include "simd_levels.h"
#include "twin_case.h"

enum { MOST = 1 << 14 };

static float w[MOST], x[MOST], bias[256], weight[MOST], input[MOST], y[MOST], first[MOST];
static double want[MOST], room[MOST];
static uint8_t xcode[MOST], packed[MOST], ycode[MOST], zcode[MOST];

#define GOOD(call) CHECK_MSG((call) == QNT_OK, "%s", check_reason)

/* Which numbers hold the levels of a format; weights of signs may be bit planes. */
enum { BYTES, SIGNS, WORDS, REALS, FLOATS };

struct format {
    const char *name;
    int numbers;
    qnt_spec spec;
};

#define AFFINE(b, f) {.bits = b, .method = QNT_MINMAX, .flags = f}
#define EXPS(b, f) {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = b, .flags = f}
#define TABLES(m, b, f) {.scheme = QNT_TABLE, .method = m, .bits = b, .flags = f}
#define POINTS(m, b, p, f) {.scheme = QNT_POINTS, .method = m, .bits = b, .points = p, .flags = f}

/* Levels of the caller (method QNT_LEVELS): those that 16 bits hold, those that nothing holds, and as
 * many as there are codes, none of which is 0. */
enum { EXTREME = 2, UNEVEN = 3, NO_ZERO = 8 };

static const struct format weights[] = {
    {"affine 1", BYTES, AFFINE(1, QNT_SIGNED | QNT_SYMMETRIC)},
    {"affine 2", BYTES, AFFINE(2, 0)},
    {"affine 3", BYTES, AFFINE(3, QNT_SIGNED)},
    {"affine 4", BYTES, AFFINE(4, QNT_SIGNED | QNT_SYMMETRIC)},
    {"affine 6", BYTES, AFFINE(6, 0)},
    {"affine 8", BYTES, AFFINE(8, QNT_SIGNED | QNT_SYMMETRIC)},
    {"affine 8, zero points", BYTES, AFFINE(8, 0)},
    {"affine 4, real offset", REALS, AFFINE(4, QNT_REAL_OFFSET)},
    {"balanced 3", BYTES, TABLES(QNT_BALANCED, 3, 0)},
    {"exponents 2", BYTES, EXPS(2, QNT_SIGNED)},
    {"exponents 4", BYTES, EXPS(4, QNT_SIGNED)},
    {"exponents 5", WORDS, EXPS(5, QNT_SIGNED)},
    {"exponents 6", WORDS, EXPS(6, QNT_SIGNED)},
    {"exponents 7", WORDS, EXPS(7, QNT_SIGNED)},
    {"exponents 3, literal", REALS, EXPS(3, QNT_SIGNED | QNT_LITERAL)},
    {"exponents 7, literal", REALS, EXPS(7, QNT_SIGNED | QNT_LITERAL)},
    {"k-means 2", BYTES, TABLES(QNT_KMEANS, 2, 0)},
    {"k-means 3", BYTES, TABLES(QNT_KMEANS, 3, 0)},
    {"Lloyd 4", BYTES, TABLES(QNT_LLOYD, 4, 0)},
    {"k-means 5", BYTES, TABLES(QNT_KMEANS, 5, 0)},
    {"k-means 6", WORDS, TABLES(QNT_KMEANS, 6, 0)},
    {"k-means 8", WORDS, TABLES(QNT_KMEANS, 8, 0)},
    {"k-means 3, literal", REALS, TABLES(QNT_KMEANS, 3, QNT_LITERAL)},
    {"k-means 8, literal", REALS, TABLES(QNT_KMEANS, 8, QNT_LITERAL)},
    {"NF4", BYTES, TABLES(QNT_NF4, 4, 0)},
    {"NF4, literal", REALS, TABLES(QNT_NF4, 4, QNT_LITERAL)},
    {"FP4", BYTES, TABLES(QNT_FP4, 4, 0)},
    {"powers of two", BYTES, TABLES(QNT_POT, 4, 0)},
    {"sums of powers", BYTES, TABLES(QNT_APOT, 3, 0)},
    {"16-bit levels", WORDS, TABLES(QNT_LEVELS, EXTREME, 0)},
    {"real levels", REALS, TABLES(QNT_LEVELS, UNEVEN, 0)},
    {"bases", SIGNS, POINTS(QNT_BASES, 1, 2, 0)},
    {"bases, literal", REALS, POINTS(QNT_BASES, 1, 2, QNT_LITERAL)},
    {"multipoint", BYTES, POINTS(QNT_MULTIPOINT, 2, 2, 0)}};

static const struct format inputs[] = {
    {"floats", FLOATS, {.bits = 0}},
    {"affine 8", BYTES, AFFINE(8, 0)},
    {"affine 8, signed", BYTES, AFFINE(8, QNT_SIGNED | QNT_SYMMETRIC)},
    {"affine 3", BYTES, AFFINE(3, 0)},
    {"affine 4, real offset", REALS, AFFINE(4, QNT_REAL_OFFSET)},
    {"dynamic 8", BYTES, AFFINE(8, QNT_DYNAMIC)},
    {"dynamic 8, symmetric", BYTES, AFFINE(8, QNT_DYNAMIC | QNT_SIGNED | QNT_SYMMETRIC)},
    {"dynamic 5", BYTES, AFFINE(5, QNT_DYNAMIC)},
    {"exponents 4", BYTES, EXPS(4, QNT_SIGNED)},
    {"exponents 5", WORDS, EXPS(5, QNT_SIGNED)},
    {"exponents 7", WORDS, EXPS(7, 0)},
    {"exponents 4, literal", REALS, EXPS(4, QNT_SIGNED | QNT_LITERAL)},
    {"NF4", BYTES, TABLES(QNT_NF4, 4, 0)},
    {"k-means 7", WORDS, TABLES(QNT_KMEANS, 7, 0)},
    {"k-means 8, literal", REALS, TABLES(QNT_KMEANS, 8, QNT_LITERAL)},
    {"16-bit levels", WORDS, TABLES(QNT_LEVELS, EXTREME, 0)},
    {"real levels", REALS, TABLES(QNT_LEVELS, UNEVEN, 0)},
    {"256 levels, no 0", WORDS, TABLES(QNT_LEVELS, NO_ZERO, 0)},
    {"balanced 3", BYTES, TABLES(QNT_BALANCED, 3, 0)},
    {"sums of three signs", BYTES, POINTS(QNT_BASES, 1, 3, 0)},
    {"sums of signs, literal", REALS, POINTS(QNT_BASES, 1, 2, QNT_LITERAL)},
    {"multipoint", BYTES, POINTS(QNT_MULTIPOINT, 2, 2, 0)},
    {"signs", BYTES, POINTS(QNT_BASES, 1, 1, 0)},
    {"dynamic signs", BYTES, POINTS(QNT_BASES, 1, 1, QNT_DYNAMIC)}};

enum { WEIGHTS = sizeof weights / sizeof *weights, INPUTS = sizeof inputs / sizeof *inputs };

/* A convolution over images of height x width; dense layers are rows of one pixel. */
struct shape {
    const char *name;
    bool dense;
    int64_t images, height, width, channels, outputs, kernel; /* channels of one group */
    int32_t groups, pad, grain, block;
};

static const struct shape shapes[] = {
    {"per tensor", true, 1, 1, 3, 70, 20, 1, 1, 0, QNT_PER_TENSOR, 0},
    {"per axis", true, 1, 1, 14, 80, 66, 1, 1, 0, QNT_PER_AXIS, 0},
    {"one row", true, 1, 1, 1, 130, 35, 1, 1, 0, QNT_PER_AXIS, 0},
    {"blocks of 32", true, 1, 1, 5, 88, 18, 1, 1, 0, QNT_PER_BLOCK, 32},
    {"blocks of 64", true, 1, 1, 13, 150, 33, 1, 1, 0, QNT_PER_BLOCK, 64},
    {"blocks of 128", true, 1, 1, 3, 256, 20, 1, 1, 0, QNT_PER_BLOCK, 128},
    {"blocks of 24", true, 1, 1, 5, 60, 18, 1, 1, 0, QNT_PER_BLOCK, 24},
    {"blocks of 100", true, 1, 1, 3, 230, 17, 1, 1, 0, QNT_PER_BLOCK, 100},
    {"3 x 3", false, 2, 4, 5, 6, 18, 3, 1, 1, QNT_PER_AXIS, 0},
    {"3 x 3 in groups", false, 1, 5, 4, 3, 8, 3, 2, 1, QNT_PER_TENSOR, 0},
    {"depthwise", false, 1, 5, 4, 1, 16, 3, 16, 1, QNT_PER_AXIS, 0}};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static int64_t inputs_of(const struct shape *s)
{
    return s->kernel * s->kernel * s->channels;
}

static int64_t pixels_of(const struct shape *s)
{
    return s->images * s->height * s->width; /* kernels are odd, and padded so */
}

static qnt_quantizer *fitted(qnt_spec spec, const float *data, int64_t rows, int64_t n)
{
    double level[256] = {-32768, -32767, 0, 32767};
    if (spec.method == QNT_LEVELS && spec.bits != EXTREME) {
        for (int i = 0; i < 1 << spec.bits; i++)
            level[i] = spec.bits == NO_ZERO ? 10 * i - 1275 : 0.37 * i - 1.31;
    }
    const bool chosen = spec.method == QNT_LEVELS;
    const size_t count = (size_t)1 << spec.bits;
    qnt_quantizer *q = quantizer(spec);
    if (chosen) GOOD(qnt_quantizer_set(c, q, QNT_P_LEVELS, level, count));
    if (spec.flags & QNT_DYNAMIC) return q;
    GOOD(qnt_quantizer_observe(c, q, TENSOR((void *)(uintptr_t)data, QNT_FLOAT, 32, rows, n), NULL));
    GOOD(qnt_quantizer_fit(c, q));
    return q;
}

static uint8_t type_of(const qnt_spec *spec)
{
    return spec->scheme == QNT_AFFINE && (spec->flags & QNT_SIGNED) ? QNT_INT : QNT_UINT;
}

static int bits_of(const qnt_spec *s)
{
    return s->scheme == QNT_EXP && (s->flags & QNT_SIGNED) ? s->bits + 1
           : s->scheme == QNT_POINTS                       ? s->bits * s->points
                                                           : s->bits;
}

/* What a quantizer makes of rows; of dynamic ones, a quantizer that is fitted to each row. */
static void decode(const qnt_quantizer *q, const qnt_spec *spec, const float *data, int64_t rows,
                   int64_t n, float *out)
{
    for (int64_t r = 0; r < rows && (spec->flags & QNT_DYNAMIC); r++) {
        qnt_spec fixed = *spec;
        fixed.flags &= ~QNT_DYNAMIC;
        qnt_quantizer *each = fitted(fixed, data + r * n, 1, n);
        decode(each, &fixed, data + r * n, 1, n, out + r * n);
        qnt_quantizer_destroy(each);
    }
    if (spec->flags & QNT_DYNAMIC) return;
    GOOD(qnt_quantizer_apply(c, q, TENSOR((void *)(uintptr_t)data, QNT_FLOAT, 32, rows, n),
                             TENSOR(out, QNT_FLOAT, 32, rows, n)));
}

/* Results, in float step by step or in double, and how far those of integers may be away: in blocks, codes
 * count less 128, and what that adds is taken off again. */
static void multiply(const struct shape *s, bool in_floats, const struct format *xf)
{
    const bool shifts = s->grain == QNT_PER_BLOCK && xf->spec.scheme == QNT_AFFINE && xf->numbers == BYTES;
    const int64_t n = inputs_of(s), each = s->outputs / s->groups, width = s->groups * s->channels;
    double largest = 0;
    for (int64_t i = 0; i < pixels_of(s) * width; i++)
        largest = fabs((double)input[i]) > largest ? fabs((double)input[i]) : largest;
    for (int64_t i = 0; i < pixels_of(s) * s->outputs; i++) {
        const int64_t pixel = i / s->outputs, o = i % s->outputs;
        double exact = 0, size = 0;
        float sum = 0;
        for (int64_t k = 0; k < n; k++) {
            int64_t row = pixel / s->width % s->height + k / s->channels / s->kernel - s->pad;
            int64_t column = pixel % s->width + k / s->channels % s->kernel - s->pad;
            bool inside = row >= 0 && row < s->height && column >= 0 && column < s->width;
            int64_t at = (pixel / s->width / s->height * s->height + row) * s->width + column;
            float a = inside ? input[at * width + o / each * s->channels + k % s->channels] : 0;
            float product = a * weight[o * n + k];
            sum = sum + product;
            exact += (double)a * (double)weight[o * n + k];
            size += fabs((double)weight[o * n + k]) * largest;
        }
        want[i] = in_floats ? (double)(sum + bias[o]) : exact + (double)bias[o];
        if (shifts) size *= 1 << (8 - xf->spec.bits);
        room[i] = in_floats ? 0 : ldexp(size + fabs((double)bias[o]), -20);
    }
}

static int expected_arithmetic(const struct shape *s, const struct format *wf, const struct format *xf)
{
    const bool blocks = s->grain == QNT_PER_BLOCK;
    if (wf->numbers == REALS || xf->numbers >= REALS || (blocks && s->block % 16 != 0)) return QNT__DECODE;
    if (wf->numbers != WORDS && xf->numbers != WORDS) {
        bool depthwise = s->groups == s->outputs && s->channels == 1;
        if (wf->spec.bits == 8 && !(wf->spec.flags & QNT_SYMMETRIC)) depthwise = false; /* code - zero */
        return blocks ? QNT__BLOCKS : depthwise ? QNT__DEPTHWISE : QNT__INTEGER;
    }
    return QNT__WORDS;
}

/* x ends where nothing may be read. */
static void run_at(const qnt_layer *layer, const struct shape *s, const void *data, int type, int bits,
                   qnt_tensor *out)
{
    const int64_t channels = s->groups * s->channels;
    const size_t bytes = ((size_t)(pixels_of(s) * channels * bits) + 7) / 8;
    size_t space_bytes = 0;
    guarded in = guard(bytes, true);
    memcpy(in.data, data, bytes);
    qnt_tensor *t = s->dense ? TENSOR(in.data, (uint8_t)type, (uint8_t)bits, s->width, channels)
                             : TENSOR(in.data, (uint8_t)type, (uint8_t)bits, s->images, s->height,
                                      s->width, channels);
    GOOD(qnt_layer_workspace(c, layer, t, &space_bytes));
    guarded space = guard(space_bytes, true);
    GOOD(qnt_layer_run(c, layer, t, out, space.data, space_bytes));
    unguard(&in), unguard(&space);
}

static qnt_layer *reloaded(const qnt_layer *layer, void **blob)
{
    qnt_layer *copy = NULL;
    size_t bytes;
    GOOD(qnt_layer_save(c, layer, NULL, 0, &bytes));
    *blob = aligned_alloc(64, bytes);
    GOOD(qnt_layer_save(c, layer, *blob, bytes, &bytes));
    GOOD(qnt_layer_load(c, *blob, bytes, QNT_BORROW, &copy));
    return copy;
}

static uint64_t level_mask(int level)
{
    uint64_t mask = 0;
    for (uint64_t bit = 1; bit && level > 0; bit <<= 1) {
        if (!(qnt_cpu_detect() & bit)) continue;
        mask |= bit;
        level--;
    }
    return mask;
}

/* Codes come out as those of the floats, wherever these are finished first. */
static void check_codes(const struct shape *s, const qnt_layer_spec *ls, const qnt_tensor *held,
                        const qnt_quantizer *wq, const qnt_quantizer *xq, qnt_spec spec, const char *what)
{
    const int64_t count = pixels_of(s) * s->outputs;
    qnt_layer *coded = NULL;
    qnt_quantizer *oq = fitted(spec, first, 1, count);
    GOOD(qnt_layer_create(c, ls, held, wq, TENSOR(bias, QNT_FLOAT, 32, s->outputs), xq, oq, &coded));
    qnt_tensor *codes = s->dense ? TENSOR(ycode, QNT_UINT, 8, pixels_of(s), s->outputs)
                                 : TENSOR(ycode, QNT_UINT, 8, s->images, s->height, s->width, s->outputs);
    run_at(coded, s, x, QNT_FLOAT, 32, codes);
    GOOD(qnt_quantizer_encode(c, oq, TENSOR(first, QNT_FLOAT, 32, count),
                              TENSOR(zcode, QNT_UINT, 8, count)));
    CHECK_MSG(!memcmp(ycode, zcode, (size_t)count), "codes of %s", what);
    qnt_layer_destroy(coded), qnt_quantizer_destroy(oq);
}

static void check_cell(const struct shape *s, const struct format *wf, const qnt_quantizer *wq,
                       const struct format *xf, const qnt_quantizer *xq, int turn)
{
    const int64_t count = pixels_of(s) * s->outputs;
    const int arithmetic = expected_arithmetic(s, wf, xf);
    const bool dynamic = xf->spec.flags & QNT_DYNAMIC;
    const bool signs = dynamic && xf->spec.scheme == QNT_POINTS; /* their mean has its own rounding */
    char what[200];
    snprintf(what, sizeof what, "weights %s %s, inputs %s", wf->name, s->name, xf->name);
    qnt_layer_spec ls = {.size = sizeof ls,
                         .kind = s->dense ? QNT_DENSE : QNT_CONV,
                         .groups = s->groups,
                         .pad = {s->pad, s->pad, s->pad, s->pad}};
    const qnt_tensor *held = s->dense ? TENSOR(w, QNT_FLOAT, 32, s->outputs, s->channels)
                                      : TENSOR(w, QNT_FLOAT, 32, s->outputs, s->kernel, s->kernel,
                                               s->channels);
    qnt_tensor *out = s->dense ? TENSOR(y, QNT_FLOAT, 32, pixels_of(s), s->outputs)
                               : TENSOR(y, QNT_FLOAT, 32, s->images, s->height, s->width, s->outputs);
    qnt_layer *layer = NULL, *copy;
    void *blob;
    qnt_status status = qnt_layer_create(c, &ls, held, wq, TENSOR(bias, QNT_FLOAT, 32, s->outputs), xq,
                                         NULL, &layer);
    CHECK_MSG(status == QNT_OK, "%s: %s", what, check_reason);
    if (status != QNT_OK) return;
    const int chosen = layer->head.arithmetic;
    CHECK_MSG(chosen == arithmetic || (chosen == QNT__PLANES && arithmetic == QNT__INTEGER &&
                                       (wf->numbers == SIGNS || wf->spec.bits == 1)),
              "%s: arithmetic %d, expected %d", what, chosen, arithmetic);
    const int32_t method = wf->spec.method;
    const bool own = method == QNT_TEQ || method == QNT_KMEANS || method == QNT_LLOYD;
    if (own && wf->numbers == BYTES && wf->spec.bits < 5 && s->block == 128 && arithmetic != QNT__WORDS) {
        CHECK_MSG(layer->head.cell_bits < 8 && (layer->head.arrays & QNT__HAS_BLOCK_TABLES), "%s: %d bits",
                  what, (int)layer->head.cell_bits);
    }
    copy = reloaded(layer, &blob);

    multiply(s, arithmetic == QNT__DECODE && !signs, xf);
    for (int level = 0; level < levels; level++) {
        OK(qnt_context_set_cpu(c, level_mask(level)));
        memset(y, 0x55, (size_t)count * 4);
        const int form = dynamic || xf->numbers == FLOATS ? 0 : (level + turn) % 3; /* how codes are held */
        if (form == 0) run_at(level % 2 ? copy : layer, s, x, QNT_FLOAT, 32, out);
        else if (form == 1) run_at(copy, s, xcode, type_of(&xf->spec), 8, out);
        else run_at(layer, s, packed, type_of(&xf->spec), bits_of(&xf->spec), out);
        if (level == 0) memcpy(first, y, (size_t)count * 4);
        CHECK_MSG(!memcmp(first, y, (size_t)count * 4), "%s: %s differs from portable C", what,
                  names[level]);
    }
    int64_t bad = -1;
    for (int64_t i = 0; i < count; i++) {
        double away = fabs((double)first[i] - want[i]);
        if (!(away <= (signs ? ldexp(fabs(want[i]) + 1, -18) + room[i] : room[i]))) bad = i;
    }
    CHECK_MSG(bad < 0, "%s: %.9g, expected %.9g", what, (double)first[bad < 0 ? 0 : bad],
              want[bad < 0 ? 0 : bad]);
    if (turn % 5 == 0 && arithmetic != QNT__INTEGER && arithmetic != QNT__DEPTHWISE) {
        const qnt_spec spec[] = {AFFINE(8, 0), EXPS(4, QNT_SIGNED | QNT_LITERAL)};
        check_codes(s, &ls, held, wq, xq, spec[turn / 5 % 2], what);
    }
    qnt_layer_destroy(layer), qnt_layer_destroy(copy), free(blob);
}

static void check_shape(const struct shape *s)
{
    const int64_t n = inputs_of(s), channels = s->groups * s->channels;
    const int64_t x_count = pixels_of(s) * channels, rows = s->dense ? s->width : s->images;
    qnt_quantizer *wq[WEIGHTS];
    fill(w, s->outputs * n), fill(x, x_count), fill(bias, s->outputs);
    for (int i = 0; i < WEIGHTS; i++) {
        qnt_spec spec = weights[i].spec;
        spec.grain = s->grain;
        if (s->block) spec.axis = 1, spec.block = s->block;
        wq[i] = fitted(spec, w, s->outputs, n);
    }
    for (int j = 0; j < INPUTS; j++) {
        const struct format *xf = &inputs[j];
        const bool none = xf->numbers == FLOATS;
        const bool mean = xf->spec.scheme == QNT_POINTS && (xf->spec.flags & QNT_DYNAMIC);
        if (!none && x_count > 200) x[1] = NAN, x[2] = -0.0f, x[3] = INFINITY, x[4] = -INFINITY;
        if (mean) x[1] = x[3] = x[4] = 1.0f; /* what is not finite counts for 0 there */
        OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
        qnt_quantizer *xq = none ? NULL : fitted(xf->spec, x, rows, x_count / rows);
        if (none) memcpy(input, x, sizeof input);
        else decode(xq, &xf->spec, x, rows, x_count / rows, input);
        if (!none && !(xf->spec.flags & QNT_DYNAMIC)) {
            qnt_tensor *t = TENSOR(x, QNT_FLOAT, 32, x_count);
            const uint8_t type = type_of(&xf->spec), bits = (uint8_t)bits_of(&xf->spec);
            GOOD(qnt_quantizer_encode(c, xq, t, TENSOR(xcode, type, 8, x_count)));
            GOOD(qnt_quantizer_encode(c, xq, t, TENSOR(packed, type, bits, x_count)));
        }
        for (int i = 0; i < WEIGHTS; i++) {
            if (check_quick && (i + j) % 9 != 0) continue;
            OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
            decode(wq[i], &weights[i].spec, w, s->outputs, n, weight);
            check_cell(s, &weights[i], wq[i], xf, xq, i + 3 * j);
        }
        qnt_quantizer_destroy(xq);
    }
    for (int i = 0; i < WEIGHTS; i++) qnt_quantizer_destroy(wq[i]);
}

static void dense(void)
{
    for (int i = 0; i < SHAPES; i += check_quick ? 2 : 1) {
        if (shapes[i].dense) check_shape(&shapes[i]);
    }
}

static void convolutions(void)
{
    for (int i = 0; i < SHAPES; i += check_quick ? 2 : 1) {
        if (!shapes[i].dense) check_shape(&shapes[i]);
    }
}

/* Blobs in which thresholds fall, a code is none, a value is no number. */
static void damaged(void)
{
    fill(w, 64), fill(x, 64);
    qnt_quantizer *wq = fitted(weights[3].spec, w, 4, 16);
    const qnt_spec literal = EXPS(4, QNT_SIGNED | QNT_LITERAL);
    qnt_quantizer *xq = fitted(literal, x, 4, 16);
    qnt_layer *layer = NULL, *copy = NULL;
    qnt_layer_spec ls = {.size = sizeof ls};
    size_t bytes = 0;
    OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, 4, 16), wq, NULL, xq, NULL, &layer));
    OK(qnt_layer_save(c, layer, NULL, 0, &bytes));
    uint8_t *blob = aligned_alloc(64, bytes);
    const size_t data = bytes - layer->bytes;
    const size_t values = data + (size_t)((const uint8_t *)layer->input_values - layer->data);
    const size_t book = data + (size_t)((const uint8_t *)layer->input_book - layer->data);
    const float nan = NAN, low = -1e30f;
    const uint8_t code = 32;
    const struct {
        size_t at, size;
        const void *value;
    } change[] = {{values + 4 * 31, 4, &nan}, {book, 4, &nan}, {book + 4 * 7, 4, &low},
                  {book + 1024 + 5, 1, &code}};
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        OK(qnt_layer_save(c, layer, blob, bytes, &bytes));
        memcpy(blob + change[i].at, change[i].value, change[i].size);
        qnt__blob_seal(blob, bytes);
        FAILS(qnt_layer_load(c, blob, bytes, 0, &copy), QNT_E_FORMAT, "codebook of the input");
    }
    free(blob);
    qnt_layer_destroy(layer), qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    choose_levels(true);
    RUN(dense);
    RUN(convolutions);
    RUN(damaged);
    qnt_context_destroy(c);
    return DONE;
}
