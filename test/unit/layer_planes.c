/*
 * Layers whose weights are planes of signs must give the bytes that the same integers give as int8
 * codes, whatever the input, the geometry, the CPU and the number of workers; and what they refuse.
 */
#include "context/context.h"
#include "kernel/bits.h"
#include "layer/layer.h"
#include "qnt/pool.h"
#include "twin_case.h"

enum { MOST = 3 << 19, GROUPS = 640, BASES = 4 };

static float w[MOST], x[MOST], bias[GROUPS], y[MOST], z[MOST];
static uint8_t code[MOST], code2[MOST];
static int8_t wint[MOST], xint[MOST];

static void set(qnt_quantizer *q, int32_t param, const double *values, size_t n)
{
    CHECK_MSG(qnt_quantizer_set(c, q, param, values, n) == QNT_OK, "%s", check_reason);
}

/* Outputs before this one have so many bases at most: tasks need not have all planes. */
static size_t lean_end;
static int64_t lean_bases;

/* Bases with whole coefficients. All scales here are powers of two, so that no multiplier is
 * rounded: then dividing integers by what they have in common changes no bit of a result. */
static qnt_quantizer *bases(int32_t points, int64_t outputs, int32_t grain)
{
    static double scale[GROUPS], coef[GROUPS * BASES];
    size_t groups = grain == QNT_PER_AXIS ? (size_t)outputs : 1;
    for (size_t g = 0; g < groups; g++) {
        int64_t own = random_in(0, 9) ? random_in(1, points) : 0, left = 127;
        if (g < lean_end && own > lean_bases) own = lean_bases;
        scale[g] = ldexp(1, (int)random_in(-9, -3));
        for (int32_t p = 0; p < points; p++) {
            int64_t size = p < own ? random_in(1, (left - own + p + 1) / (own - p)) : 0;
            left -= size;
            coef[g * (size_t)points + (size_t)p] = (double)(random_in(0, 3) ? size : -size);
        }
    }
    qnt_quantizer *q = quantizer(
        (qnt_spec){.scheme = QNT_POINTS, .method = QNT_BASES, .points = points, .grain = grain});
    set(q, QNT_P_SCALE, scale, groups);
    set(q, QNT_P_COEF, coef, groups * (size_t)points);
    return q;
}

/* The integers that the weights stand for. */
static void to_integers(const qnt_quantizer *q, const float *data, int64_t rows, int64_t k)
{
    static float value[MOST];
    static double scale[GROUPS];
    size_t n;
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, scale, GROUPS, &n));
    OK(qnt_quantizer_apply(c, q, TENSOR((void *)(uintptr_t)data, QNT_FLOAT, 32, rows, k),
                           TENSOR(value, QNT_FLOAT, 32, rows, k)));
    for (int64_t i = 0; i < rows * k; i++)
        wint[i] = (int8_t)lrint((double)value[i] / scale[n == 1 ? 0 : i / k]);
}

enum { UNSIGNED, SIGNED, RUNTIME, SIGNS, INPUTS };

static qnt_quantizer *input_format(int kind, int32_t bits)
{
    int32_t flags = kind == SIGNED ? QNT_SIGNED : kind == RUNTIME ? QNT_DYNAMIC : 0;
    if (kind == RUNTIME && random_in(0, 1)) flags |= QNT_SIGNED;
    if (bits > 1 && random_in(0, 4) == 0) flags |= QNT_NARROW;
    qnt_spec spec = {.bits = bits, .flags = flags};
    if (kind == RUNTIME) spec.method = QNT_MINMAX;
    if (kind == SIGNS) {
        spec = (qnt_spec){.scheme = QNT_POINTS, .method = QNT_BASES, .points = 1};
        if (random_in(0, 1)) spec.flags = QNT_LITERAL;
    }
    qnt_quantizer *q = quantizer(spec);
    if (kind == RUNTIME) return q;
    set(q, QNT_P_SCALE, &(double){ldexp(1, (int)random_in(-6, 1))}, 1);
    if (kind == SIGNS) {
        double coef = (double)random_in(1, 127) + (spec.flags & QNT_LITERAL ? 0.5 : 0);
        set(q, QNT_P_COEF, &(double){random_in(0, 3) ? coef : -coef}, 1);
    } else {
        int64_t low = kind == SIGNED ? -(1 << (bits - 1)) : 0;
        set(q, QNT_P_ZERO, &(double){(double)random_in(low, low + (1 << bits) - 1)}, 1);
    }
    return q;
}

/* The input of the layer with int8 weights: signs as int8 codes with the same value. */
static qnt_quantizer *as_signs(const qnt_quantizer *q, const float *data, int64_t n)
{
    static float value[MOST];
    CHECK(qnt_quantizer_apply(c, q, TENSOR((void *)(uintptr_t)data, QNT_FLOAT, 32, n),
                              TENSOR(value, QNT_FLOAT, 32, n)) == QNT_OK);
    for (int64_t i = 0; i < n; i++) xint[i] = value[i] < 0 ? -1 : 1;
    qnt_quantizer *same = quantizer((qnt_spec){.bits = 8, .flags = QNT_SIGNED | QNT_SYMMETRIC});
    set(same, QNT_P_SCALE, &(double){(double)fabsf(value[0])}, 1);
    return same;
}

static const uint64_t cpus[] = {~(uint64_t)0, 0, QNT_CPU_AVX2 | QNT_CPU_NEON,
                                ~(uint64_t)QNT_CPU_AVX512VBMI};

static const uint64_t models[] = {0, QNT_CPU_AVX2, QNT_CPU_NEON, QNT_CPU_AVX512VBMI};

/* Which formats are planes; the choice may not depend on the CPU. */
static bool is_chosen_well(const qnt_layer *layer, int planes, int bits, int64_t n, int64_t k)
{
    bool must = planes == 1 && bits <= 6 && n >= 256 && k % 128 == 0;
    bool may = planes == 1 ? bits <= 6 : planes == 2 && bits == 1 && k > 2000;
    bool are = layer->head.arithmetic == QNT__PLANES;
    return are ? may && n >= 64 && k >= 64 : !must;
}

static int count_planes(const qnt_quantizer *q)
{
    static double count[GROUPS];
    size_t n;
    int most = 0;
    CHECK(qnt_quantizer_get(c, q, QNT_P_COUNT, count, GROUPS, &n) == QNT_OK);
    for (size_t g = 0; g < n; g++) most = count[g] > most ? (int)count[g] : most;
    return most;
}

static qnt_pool *pool;
static int planes_run, panels_run;

/* Both layers on some CPU, with or without workers: the same bytes of floats, or of codes. */
static void compare(const qnt_layer *layer, const qnt_layer *same, const qnt_tensor *in,
                    const qnt_tensor *in2, const qnt_tensor *shape, size_t count, int i)
{
    qnt_tensor mine = *shape, other = *shape;
    size_t each = shape->dtype_code == QNT_FLOAT ? 4 : 1;
    mine.data = y, other.data = z;
    OK(qnt_context_set_cpu(c, cpus[i % 4] & qnt_cpu_detect()));
    c->cpu = models[random_in(0, 3)]; /* what the way is chosen for; kernels are those of above */
    if (i % 5 == 0) OK(qnt_context_set_parallel(c, qnt_pool_run, pool, 3));
    memset(y, 0x55, count * each), memset(z, 0xaa, count * each);
    OK(run(layer, in, &mine));
    OK(run(same, in2, &other));
    OK(qnt_context_set_parallel(c, NULL, NULL, 0));
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
    CHECK_MSG(!memcmp(y, z, count * each), "round %d, cpu %d, %d planes, %d input bits", i, i % 4,
              layer->head.weight_bits, layer->head.input.bits);
    if (layer->head.arithmetic == QNT__PLANES)
        planes_run++;
    else
        panels_run++;
}

static void dense(void)
{
    for (int i = 0; i < ROUNDS(240); i++) {
        int32_t points = i % 3 ? 1 : (int32_t)random_in(1, BASES), bits = (int32_t)random_in(1, 8);
        int kind = i % INPUTS;
        int64_t m = i % 7 ? random_in(1, 60) : random_in(250, 300), n = random_in(60, 320);
        int64_t k = random_in(0, 1) ? 128 * random_in(1, 3) : random_in(50, 500);
        if (i % 11 == 0) bits = 1;
        fill(w, n * k), fill(x, m * k), fill(bias, n);
        qnt_quantizer *wq = bases(points, n, (int32_t)random_in(QNT_PER_TENSOR, QNT_PER_AXIS));
        qnt_quantizer *w8 = as_int8(wq), *xq = input_format(kind, bits), *oq = NULL, *x8 = NULL;
        if (i % 3 == 1) {
            oq = quantizer((qnt_spec){.method = QNT_FIXED, .bits = 8});
            set(oq, QNT_P_SCALE, &(double){2}, 1), set(oq, QNT_P_ZERO, &(double){128}, 1);
        }
        qnt_layer_spec ls = {.size = sizeof ls, .activation = i % 2 ? QNT_RELU : QNT_LINEAR};
        qnt_layer *layer = NULL, *same = NULL;
        const qnt_tensor *b = i % 2 ? TENSOR(bias, QNT_FLOAT, 32, n) : NULL;
        uint8_t type = kind == SIGNED ? QNT_INT : QNT_UINT;
        uint8_t wide = (uint8_t)(i % 4 == 1 ? 8 : kind == SIGNS ? 1 : bits);
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, m, k), *in2 = in;
        qnt_tensor *codes = TENSOR(code, type, wide, m, k), *ints = TENSOR(xint, QNT_INT, 8, m, k);
        if (kind != RUNTIME && i % 2) {
            OK(qnt_quantizer_encode(c, xq, in, codes));
            in = in2 = codes;
        }
        if (kind == SIGNS) x8 = as_signs(xq, x, m * k), in2 = ints;
        to_integers(wq, w, n, k);
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, b, xq, oq, &layer));
        OK(qnt_layer_create(c, &ls, TENSOR(wint, QNT_INT, 8, n, k), w8, b, x8 ? x8 : xq, oq,
                            &same));
        CHECK_MSG(is_chosen_well(layer, count_planes(wq), kind == SIGNS ? 1 : bits, n, k),
                  "%d planes, %d bits, %lld x %lld: arithmetic %d", count_planes(wq), bits,
                  (long long)n, (long long)k, layer->head.arithmetic);
        qnt_tensor *out = oq ? TENSOR(y, QNT_UINT, 8, m, n) : TENSOR(y, QNT_FLOAT, 32, m, n);
        compare(layer, same, in, in2, out, (size_t)(m * n), i);
        qnt_layer_destroy(layer), qnt_layer_destroy(same), qnt_quantizer_destroy(wq);
        qnt_quantizer_destroy(w8), qnt_quantizer_destroy(xq), qnt_quantizer_destroy(x8);
        qnt_quantizer_destroy(oq);
    }
    CHECK_MSG(check_quick || (planes_run > 60 && panels_run > 30), "%d with planes, %d with panels",
              planes_run, panels_run);
}

/* Two bases, each output with its own coefficients, and none at all; whole tasks with fewer. */
static void two_bases(void)
{
    const int64_t m = 14, n = 360, k = 4096;
    for (int i = 0; i < ROUNDS(6); i++) {
        int kind = i % INPUTS;
        lean_end = i % 3 ? 150 : 0, lean_bases = i % 3 - 1;
        fill(w, n * k), fill(x, m * k);
        qnt_quantizer *wq = bases(2, n, QNT_PER_AXIS), *w8 = as_int8(wq), *x8 = NULL;
        qnt_quantizer *xq = input_format(kind, 1);
        qnt_layer_spec ls = {.size = sizeof ls};
        qnt_layer *layer = NULL, *same = NULL;
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, m, k),
                         *ints = TENSOR(xint, QNT_INT, 8, m, k);
        if (kind == SIGNS) x8 = as_signs(xq, x, m * k);
        to_integers(wq, w, n, k);
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, NULL, xq, NULL, &layer));
        OK(qnt_layer_create(c, &ls, TENSOR(wint, QNT_INT, 8, n, k), w8, NULL, x8 ? x8 : xq, NULL,
                            &same));
        CHECK(layer->head.arithmetic == QNT__PLANES && layer->head.weight_bits == 2);
        compare(layer, same, in, x8 ? ints : in, TENSOR(y, QNT_FLOAT, 32, m, n), (size_t)(m * n),
                i);
        qnt_layer_destroy(layer), qnt_layer_destroy(same), qnt_quantizer_destroy(wq);
        qnt_quantizer_destroy(w8), qnt_quantizer_destroy(xq), qnt_quantizer_destroy(x8);
    }
    lean_end = 0;
}

/* A dense layer whose weights are one base, and the same layer of bytes. */
struct twins {
    qnt_quantizer *wq, *w8, *xq, *x8; /* x8 of signs, whose inputs of bytes are xint */
    qnt_layer *layer, *same;
};

static void make_twins(int kind, int32_t bits, int64_t m, int64_t n, int64_t k, struct twins *t)
{
    const qnt_layer_spec ls = {.size = sizeof ls};
    fill(w, n * k), fill(x, m * k);
    *t = (struct twins){.wq = bases(1, n, QNT_PER_TENSOR), .xq = input_format(kind, bits)};
    t->w8 = as_int8(t->wq);
    if (kind == SIGNS) t->x8 = as_signs(t->xq, x, m * k);
    to_integers(t->wq, w, n, k);
    OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), t->wq, NULL, t->xq, NULL, &t->layer));
    OK(qnt_layer_create(c, &ls, TENSOR(wint, QNT_INT, 8, n, k), t->w8, NULL, t->x8 ? t->x8 : t->xq,
                        NULL, &t->same));
}

static void destroy_twins(const struct twins *t)
{
    qnt_layer_destroy(t->layer), qnt_layer_destroy(t->same), qnt_quantizer_destroy(t->wq);
    qnt_quantizer_destroy(t->w8), qnt_quantizer_destroy(t->xq), qnt_quantizer_destroy(t->x8);
}

/* Bytes as input are two digits; what they take pays where many outputs share it. */
static void many_outputs(void)
{
    const int64_t m = 5, n = 3600, k = 128;
    for (int i = 0; i < 4; i++) {
        struct twins t;
        make_twins(i % SIGNS, 7 + i % 2, m, n, k, &t);
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, m, k);
        double count;
        size_t number;
        OK(qnt_quantizer_get(c, t.wq, QNT_P_COUNT, &count, 1, &number));
        CHECK(count == 0 || t.layer->head.arithmetic == QNT__PLANES);
        for (int model = 0; model < 4; model++)
            compare(t.layer, t.same, in, in, TENSOR(y, QNT_FLOAT, 32, m, n), (size_t)(m * n), i);
        destroy_twins(&t);
    }
}

/* The way that a core takes for m rows of codes of some bits and n columns of one plane. */
static enum qnt__bits_path chosen(const qnt_context *core, int32_t bits, int64_t m, int64_t n,
                                  int64_t k)
{
    const struct qnt__bits_product product = {.context = core,
                                              .m = (size_t)m,
                                              .n = (size_t)n,
                                              .k = (size_t)k,
                                              .words = qnt__bits_words((size_t)k),
                                              .a_planes = (size_t)bits,
                                              .b_planes = 1,
                                              .blocks = 1};
    return qnt__bits_choose(&product);
}

/* Enough rows and outputs for a way that shares a lot: the same bytes. */
static void compare_wide(enum qnt__bits_path path, int kind, int32_t bits, int64_t m, int64_t n,
                         int64_t k, int runs)
{
    struct twins t;
    make_twins(kind, bits, m, n, k, &t);
    const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, m, k), *ints = TENSOR(xint, QNT_INT, 8, m, k);
    const qnt_context model = {.cpu = QNT_CPU_AVX512VBMI};
    CHECK(chosen(&model, bits, m, n, k) == path);
    for (int run = 0; run < runs; run++)
        compare(t.layer, t.same, in, t.x8 ? ints : in, TENSOR(y, QNT_FLOAT, 32, m, n),
                (size_t)(m * n), 5 * run);
    destroy_twins(&t);
}

/* Where shuffles are as many as multiplications, counting and looking up cost half as much. */
static void wide_shuffles(void)
{
    const qnt_context one = {.cpu = QNT_CPU_AVX512VBMI},
                      two = {.cpu = QNT_CPU_AVX512VBMI, .wide_shuffles = true},
                      other = {.cpu = QNT_CPU_AVX2, .wide_shuffles = true},
                      avx2 = {.cpu = QNT_CPU_AVX2};
    CHECK(chosen(&one, 1, 256, 4096, 4096) == QNT__BITS_ADDERS);
    CHECK(chosen(&two, 1, 256, 4096, 4096) == QNT__BITS_COUNT);
    CHECK(chosen(&one, 4, 256, 4096, 4096) == QNT__BITS_TABLE);
    CHECK(chosen(&two, 4, 256, 4096, 4096) == QNT__BITS_SIX);
    for (int32_t bits = 1; bits <= 8; bits++)
        CHECK(chosen(&other, bits, 256, 4096, 4096) == chosen(&avx2, bits, 256, 4096, 4096));
}

/* Tables of six, which each worker makes of its own rows. */
static void tables_of_six(void)
{
    for (int i = 0; i < ROUNDS(6); i++)
        compare_wide(QNT__BITS_SIX, i % SIGNS, 2 + i % 2, random_in(50, 120), random_in(700, 1000),
                     256, 12);
}

/* Adders, which take 512 outputs at a time; of signs as well, whose products are twice their sums. */
static void adders(void)
{
    for (int i = 0; i < ROUNDS(2); i++)
        compare_wide(QNT__BITS_ADDERS, i % 2 ? SIGNS : i % SIGNS, 1, random_in(250, 256),
                     random_in(1010, 1020), 1536, 4);
}

/* Strides, dilation, padding, groups and their shift; signs are not padded by planes. */
static void convolutions(void)
{
    planes_run = 0;
    for (int i = 0; i < ROUNDS(120); i++) {
        int32_t groups = i % 3 ? 1 : 2, bits = (int32_t)random_in(1, 6);
        int32_t points = i % 8 ? 1 : 2;
        int64_t ch = 14 * random_in(1, 2), o = random_in(1, 3) * 98, side = random_in(3, 9),
                k = 9 * ch;
        int kind = i % INPUTS;
        qnt_layer_spec ls = {.size = sizeof ls, .kind = QNT_CONV, .groups = groups};
        ls.group_shift = (int32_t)random_in(0, groups - 1);
        ls.layout = (int32_t)random_in(QNT_NHWC, QNT_NCHW);
        for (int e = 0; e < 4; e++) ls.pad[e] = i % 2 ? (int32_t)random_in(0, 2) : 0;
        for (int e = 0; e < 2; e++) ls.stride[e] = (int32_t)random_in(1, 2);
        if (side > 5) ls.dilation[1] = (int32_t)random_in(1, 2);
        int64_t outputs = o * groups, channels = ch * groups, pixels = 2 * side * side;
        fill(w, outputs * k), fill(x, pixels * channels), fill(bias, outputs);
        qnt_quantizer *wq = bases(points, outputs, QNT_PER_AXIS), *w8 = as_int8(wq);
        qnt_quantizer *xq = input_format(kind, bits), *x8 = NULL;
        qnt_layer *layer = NULL, *same = NULL;
        bool planar = ls.layout == QNT_NCHW;
        const qnt_tensor *in = planar ? TENSOR(x, QNT_FLOAT, 32, 2, channels, side, side)
                                      : TENSOR(x, QNT_FLOAT, 32, 2, side, side, channels),
                         *in2 = in;
        const qnt_tensor *ints = planar ? TENSOR(xint, QNT_INT, 8, 2, channels, side, side)
                                        : TENSOR(xint, QNT_INT, 8, 2, side, side, channels);
        if (kind == SIGNS) x8 = as_signs(xq, x, pixels * channels), in2 = ints;
        to_integers(wq, w, outputs, k);
        const qnt_tensor *weight = planar ? TENSOR(w, QNT_FLOAT, 32, outputs, ch, 3, 3)
                                          : TENSOR(w, QNT_FLOAT, 32, outputs, 3, 3, ch),
                         *weight8 = planar ? TENSOR(wint, QNT_INT, 8, outputs, ch, 3, 3)
                                           : TENSOR(wint, QNT_INT, 8, outputs, 3, 3, ch);
        const qnt_tensor *b = i % 5 ? TENSOR(bias, QNT_FLOAT, 32, outputs) : NULL;
        OK(qnt_layer_create(c, &ls, weight, wq, b, xq, NULL, &layer));
        OK(qnt_layer_create(c, &ls, weight8, w8, b, x8 ? x8 : xq, NULL, &same));
        int64_t shape[4], strides[4];
        qnt_tensor out = {.shape = shape, .strides = strides};
        OK(qnt_layer_view(c, layer, in, &out));
        size_t count = (size_t)(shape[0] * shape[1] * shape[2] * shape[3]);
        compare(layer, same, in, in2, &out, count, i);
        bool padded = ls.pad[0] | ls.pad[1] | ls.pad[2] | ls.pad[3];
        CHECK(!(padded && kind == SIGNS && layer->head.arithmetic == QNT__PLANES));
        qnt_layer_destroy(layer), qnt_layer_destroy(same), qnt_quantizer_destroy(wq);
        qnt_quantizer_destroy(w8), qnt_quantizer_destroy(xq), qnt_quantizer_destroy(x8);
    }
    CHECK_MSG(check_quick || planes_run > 12, "%d with planes", planes_run);
}

/* Codes beyond their bits, one in a byte, count by their low bits; blobs give the same, and refuse
 * coefficients that no layer has. */
static void codes_and_blobs(void)
{
    const int64_t m = 20, n = 260, k = 256;
    static uint8_t blob[1 << 16];
    for (int32_t bits = 1; bits <= 6; bits++) {
        qnt_quantizer *wq = bases(1, n, QNT_PER_AXIS), *xq = input_format(bits % 2, bits);
        uint8_t type = bits % 2 ? QNT_INT : QNT_UINT;
        qnt_layer_spec ls = {.size = sizeof ls};
        qnt_layer *layer = NULL, *copy = NULL;
        size_t length;
        fill(w, n * k);
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, NULL, xq, NULL, &layer));
        CHECK(layer->head.arithmetic == QNT__PLANES && layer->head.weight_bits == 1);
        for (int64_t i = 0; i < m * k; i++) {
            code[i] = (uint8_t)random_in(0, 255);
            code2[i] = code[i] & (uint8_t)((1 << bits) - 1);
            if (bits % 2 && code2[i] >> (bits - 1)) code2[i] |= (uint8_t)(0xff << bits);
        }
        OK(run(layer, TENSOR(code, type, 8, m, k), TENSOR(y, QNT_FLOAT, 32, m, n)));
        OK(run(layer, TENSOR(code2, type, 8, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
        CHECK(!memcmp(y, z, (size_t)(m * n) * 4));
        OK(qnt_layer_save(c, layer, blob, sizeof blob, &length));
        CHECK(length < (size_t)(n * k / 8 + n * 24 + 1024));
        OK(qnt_layer_load(c, blob, length, 0, &copy));
        OK(run(copy, TENSOR(code, type, 8, m, k), TENSOR(z, QNT_FLOAT, 32, m, n)));
        CHECK(!memcmp(y, z, (size_t)(m * n) * 4));
        size_t size;
        OK(qnt_layer_workspace(c, layer, TENSOR(code, type, 8, m, k), &size));
        FAILS(qnt_layer_run(c, layer, TENSOR(code, type, 8, m, k), TENSOR(z, QNT_FLOAT, 32, m, n),
                            blob, size - 1),
              QNT_E_SPACE, "workspace has");
        qnt_layer_destroy(layer), qnt_layer_destroy(copy);
        qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
    }
}

/* Signs as weights and as input against a count of agreeing signs, through. */
static void signs(void)
{
    for (int i = 0; i < ROUNDS(12); i++) {
        int64_t k = i ? random_in(64, 900) : 1024, n = 256, m = 4;
        qnt_quantizer *wq = bases(1, n, QNT_PER_TENSOR), *xq = input_format(SIGNS, 1);
        double size[2], coef[2];
        size_t count;
        OK(qnt_quantizer_get(c, wq, QNT_P_SCALE, &size[0], 1, &count));
        OK(qnt_quantizer_get(c, wq, QNT_P_COEF, &coef[0], 1, &count));
        OK(qnt_quantizer_get(c, xq, QNT_P_SCALE, &size[1], 1, &count));
        OK(qnt_quantizer_get(c, xq, QNT_P_COEF, &coef[1], 1, &count));
        for (int64_t e = 0; e < n * k; e++) wint[e] = random_in(0, 1) ? 1 : -1, w[e] = wint[e];
        for (int64_t e = 0; e < m * k; e++) xint[e] = random_in(0, 1) ? 1 : -1, x[e] = xint[e];
        qnt_layer_spec ls = {.size = sizeof ls};
        qnt_layer *layer = NULL;
        OK(qnt_layer_create(c, &ls, TENSOR(w, QNT_FLOAT, 32, n, k), wq, NULL, xq, NULL, &layer));
        OK(run(layer, TENSOR(x, QNT_FLOAT, 32, m, k), TENSOR(y, QNT_FLOAT, 32, m, n)));
        double unit = size[0] * fabs(coef[0]) * (double)((float)size[1] * (float)fabs(coef[1]));
        for (int64_t r = 0; r < m; r++) {
            for (int64_t o = 0; o < n; o++) {
                int32_t sum = 0;
                for (int64_t e = 0; e < k; e++) sum += wint[o * k + e] * xint[r * k + e];
                float want = (float)sum * (float)unit;
                CHECK_MSG(y[r * n + o] == want, "%g, expected %g", (double)y[r * n + o],
                          (double)want);
            }
        }
        qnt_layer_destroy(layer), qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
    }
}

/* Signs whose scale is the mean magnitude of a row, or of an image: against sums of agreeing signs.
 * A convolution of one pixel is a matrix product of its pixels. Magnitudes are few bits, so that
 * their sums are the same however they are added; what is not finite does not count, and NaN is -.
 */
static void own_scales(void)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        int64_t images = random_in(1, 3), pixels = random_in(1, 9), m = images * pixels;
        int64_t n = random_in(1, 130), k = i % 2 ? 128 : random_in(1, 200);
        bool conv = i % 3 == 0, planar = i % 6 == 0;
        for (int64_t e = 0; e < m * k; e++) x[e] = (float)random_in(-500, 500) / 64;
        if (i % 4 == 0) x[0] = NAN, x[m * k - 1] = INFINITY;
        if (i % 8 == 1) memset(x, 0, sizeof *x * (size_t)(m * k));
        fill(w, n * k), fill(bias, n);
        qnt_quantizer *wq = bases(i % 5 ? 1 : 2, n, QNT_PER_AXIS);
        qnt_quantizer *xq = quantizer((qnt_spec){
            .scheme = QNT_POINTS, .method = QNT_BASES, .points = 1, .flags = QNT_DYNAMIC});
        to_integers(wq, w, n, k);
        qnt_layer_spec ls = {.size = sizeof ls,
                             .kind = conv ? QNT_CONV : QNT_DENSE,
                             .layout = planar ? QNT_NCHW : QNT_NHWC};
        const qnt_tensor *weight = !conv    ? TENSOR(w, QNT_FLOAT, 32, n, k)
                                   : planar ? TENSOR(w, QNT_FLOAT, 32, n, k, 1, 1)
                                            : TENSOR(w, QNT_FLOAT, 32, n, 1, 1, k);
        qnt_tensor *in =
            !conv ? TENSOR(x, QNT_FLOAT, 32, m, k) : TENSOR(x, QNT_FLOAT, 32, images, 1, pixels, k);
        qnt_tensor *out =
            !conv ? TENSOR(y, QNT_FLOAT, 32, m, n) : TENSOR(y, QNT_FLOAT, 32, images, 1, pixels, n);
        if (planar) { /* the same memory, other axes */
            int64_t *shape[2] = {in->shape, out->shape};
            static int64_t step[2][4];
            for (int t = 0; t < 2; t++) {
                int64_t c0 = t ? n : k;
                int64_t axes[4] = {images, c0, 1, pixels},
                        steps[4] = {pixels * c0, 1, pixels * c0, c0};
                memcpy(shape[t], axes, sizeof axes);
                memcpy(step[t], steps, sizeof steps);
            }
            in->strides = step[0];
            out->strides = step[1];
        }
        qnt_layer *layer = NULL;
        OK(qnt_layer_create(c, &ls, weight, wq, TENSOR(bias, QNT_FLOAT, 32, n), xq, NULL, &layer));
        OK(qnt_context_set_cpu(c, cpus[i % 4] & qnt_cpu_detect()));
        OK(run(layer, in, out));
        double scale[GROUPS];
        size_t count;
        OK(qnt_quantizer_get(c, wq, QNT_P_SCALE, scale, GROUPS, &count));
        int64_t rows = conv ? pixels : 1; /* with one scale */
        for (int64_t r = 0; r < m; r++) {
            double sum = 0;
            for (int64_t e = 0; e < rows * k; e++) {
                double v = (double)x[r / rows * rows * k + e];
                sum += isfinite(v) ? fabs(v) : 0;
            }
            float mean = (float)(sum / (double)(rows * k));
            for (int64_t o = 0; o < n; o++) {
                int32_t acc = 0;
                for (int64_t e = 0; e < k; e++)
                    acc += x[r * k + e] > 0 ? wint[o * k + e] : -wint[o * k + e];
                float want = (float)acc * (float)scale[o];
                want = want * mean;
                want = want + bias[o];
                CHECK_MSG(y[r * n + o] == want, "round %d: %g, expected %g", i,
                          (double)y[r * n + o], (double)want);
            }
        }
        qnt_layer_destroy(layer), qnt_quantizer_destroy(wq), qnt_quantizer_destroy(xq);
    }
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
}

/* Outside of layers the same scales, in any grain; what has no dynamic form is refused. */
static void own_scales_applied(void)
{
    qnt_spec spec = {.size = sizeof spec,
                     .scheme = QNT_POINTS,
                     .method = QNT_BASES,
                     .points = 1,
                     .flags = QNT_DYNAMIC,
                     .grain = QNT_PER_AXIS};
    const int64_t rows = 6, k = 1500;
    fill(x, rows * k);
    memset(x + k, 0, sizeof *x * (size_t)k);
    for (int64_t e = 0; e < k; e++) x[2 * k + e] *= 1e-42f; /* denormals */
    qnt_quantizer *q = quantizer(spec);
    double none;
    size_t count;
    OK(qnt_quantizer_apply(c, q, TENSOR(x, QNT_FLOAT, 32, rows, k),
                           TENSOR(y, QNT_FLOAT, 32, rows, k)));
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int64_t e = 0; e < k; e++) sum += fabs((double)x[r * k + e]);
        double mean = sum / (double)k, got = (double)fabsf(y[r * k]);
        CHECK_MSG(fabs(got - mean) <= 1e-6 * mean + 1e-45, "%g, expected %g", got, mean);
        for (int64_t e = 0; e < k; e++)
            CHECK(y[r * k + e] == (float)(x[r * k + e] > 0 ? got : -got));
    }
    FAILS(qnt_quantizer_get(c, q, QNT_P_SCALE, &none, 1, &count), QNT_E_STATE, "QNT_DYNAMIC");
    FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, &(double){1}, 1), QNT_E_STATE, "QNT_DYNAMIC");
    qnt_quantizer_destroy(q);
    spec.points = 2;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_UNSUPPORTED, "one base of signs");
    spec.method = QNT_MULTIPOINT, spec.bits = 2, spec.points = 1;
    FAILS(qnt_quantizer_create(c, &spec, &q), QNT_E_UNSUPPORTED, "one base of signs");
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    CHECK(qnt_pool_create(c, 3, &pool) == QNT_OK);
    RUN(dense);
    RUN(two_bases);
    RUN(many_outputs);
    RUN(tables_of_six);
    RUN(adders);
    RUN(wide_shuffles);
    RUN(convolutions);
    RUN(codes_and_blobs);
    RUN(signs);
    RUN(own_scales);
    RUN(own_scales_applied);
    qnt_pool_destroy(pool);
    qnt_context_destroy(c);
    return DONE;
}
