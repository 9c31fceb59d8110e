/*
 * Layers whose weights are points in columns of their own must give the bytes that the same integers
 * give as int8 codes, whatever the input, the geometry, the CPU and the number of workers; when they
 * are chosen; and what a loader refuses.
 */
#include "context/context.h"
#include "layer/layer.h"
#include "qnt/io.h"
#include "qnt/pool.h"
#include "twin_case.h"

enum { MOST = 1 << 18, OUTPUTS = 640, POINTS = 4 };

static float w[MOST], x[MOST], bias[OUTPUTS], y[MOST], z[MOST];
static uint8_t code[MOST];
static int8_t wint[MOST];
static qnt_pool *pool;
static int with_points, without;

static void set(qnt_quantizer *q, int32_t param, const double *values, size_t n)
{
    CHECK_MSG(qnt_quantizer_set(c, q, param, values, n) == QNT_OK, "%s", check_reason);
}

/* Whole coefficients whose sums int8 holds; `more` of a hundred outputs have more than one point. Scales
 * are powers of two: then dividing integers by what they have in common changes no bit of a result. */
static qnt_quantizer *points(int32_t bits, int32_t most, int64_t outputs, int more)
{
    static double scale[OUTPUTS], coef[OUTPUTS * POINTS];
    const int64_t digit = 1 << (bits - 1);
    for (int64_t g = 0; g < outputs; g++) {
        int64_t own = random_in(0, 99) < more ? random_in(2, most) : random_in(0, 19) > 0,
                left = 128 / digit - 1;
        scale[g] = ldexp(1, (int)random_in(-9, -3));
        for (int32_t p = 0; p < most; p++) {
            int64_t size = p < own ? random_in(1, (left - own + p + 1) / (own - p)) : 0;
            left -= size;
            coef[g * most + p] = (double)(random_in(0, 3) ? size : -size);
        }
    }
    qnt_quantizer *q = quantizer((qnt_spec){.scheme = QNT_POINTS,
                                            .method = QNT_MULTIPOINT,
                                            .bits = bits,
                                            .points = most,
                                            .grain = QNT_PER_AXIS});
    set(q, QNT_P_SCALE, scale, (size_t)outputs);
    set(q, QNT_P_COEF, coef, (size_t)(outputs * most));
    return q;
}

/* The integers that the weights stand for. */
static void to_integers(const qnt_quantizer *q, int64_t rows, int64_t k)
{
    static float value[MOST];
    static double scale[OUTPUTS];
    size_t n;
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, scale, OUTPUTS, &n));
    OK(qnt_quantizer_apply(c, q, TENSOR(w, QNT_FLOAT, 32, rows, k),
                           TENSOR(value, QNT_FLOAT, 32, rows, k)));
    for (int64_t i = 0; i < rows * k; i++) wint[i] = (int8_t)lrint((double)value[i] / scale[i / k]);
}

enum { UNSIGNED, SIGNED, RUNTIME, SIGNS, INPUTS };

static qnt_quantizer *input_format(int kind)
{
    const int32_t bits = random_in(0, 1) ? 8 : (int32_t)random_in(2, 7);
    if (kind == RUNTIME) {
        return quantizer(
            (qnt_spec){.method = QNT_MINMAX,
                       .bits = bits,
                       .flags = QNT_DYNAMIC | (random_in(0, 1) ? QNT_SIGNED | QNT_SYMMETRIC : 0)});
    }
    if (kind == SIGNS) {
        return quantizer((qnt_spec){
            .scheme = QNT_POINTS, .method = QNT_BASES, .points = 1, .flags = QNT_DYNAMIC});
    }
    qnt_quantizer *q =
        quantizer((qnt_spec){.bits = bits, .flags = kind == SIGNED ? QNT_SIGNED : 0});
    const int64_t low = kind == SIGNED ? -(1 << (bits - 1)) : 0;
    set(q, QNT_P_SCALE, &(double){0.03125}, 1);
    set(q, QNT_P_ZERO, &(double){(double)random_in(low, low + (1 << bits) - 1)}, 1);
    return q;
}

/* A layer, and the one whose weights are the same integers as int8 codes. */
struct twins {
    qnt_quantizer *wq, *w8, *xq, *oq;
    qnt_layer *layer, *same;
};

static void make_twins(const qnt_layer_spec *ls, int i, int kind, const int64_t *shape, int ndim,
                       int more, struct twins *t)
{
    const int32_t bits = 2 + i % 3, most = (int32_t)random_in(2, 8 / bits);
    const int64_t n = shape[0];
    int64_t k = 1;
    check_tensor view = {0}, view8 = {0};
    for (int d = 1; d < ndim; d++) k *= shape[d];
    fill(w, n * k), fill(bias, n);
    for (int64_t j = 0; j < n * k; j++) w[j] *= 0.3f;
    *t = (struct twins){.wq = points(bits, most, n, more), .xq = input_format(kind)};
    t->w8 = as_int8(t->wq);
    if (i % 4 > 1) {
        t->oq = quantizer((qnt_spec){.bits = i % 4 == 2 ? 8 : 4});
        set(t->oq, QNT_P_SCALE, &(double){i % 4 == 2 ? 0.5 : 2}, 1);
        set(t->oq, QNT_P_ZERO, &(double){i % 4 == 2 ? 120 : 7}, 1);
    }
    to_integers(t->wq, n, k);
    const qnt_tensor *b = i % 5 ? TENSOR(bias, QNT_FLOAT, 32, n) : NULL;
    const qnt_tensor *weight = check_view(&view, w, QNT_FLOAT, 32, ndim, shape);
    const qnt_tensor *weight8 = check_view(&view8, wint, QNT_INT, 8, ndim, shape);
    OK(qnt_layer_create(c, ls, weight, t->wq, b, t->xq, t->oq, &t->layer));
    OK(qnt_layer_create(c, ls, weight8, t->w8, b, t->xq, t->oq, &t->same));
}

static void destroy_twins(const struct twins *t)
{
    qnt_layer_destroy(t->layer), qnt_layer_destroy(t->same), qnt_quantizer_destroy(t->wq);
    qnt_quantizer_destroy(t->w8), qnt_quantizer_destroy(t->xq), qnt_quantizer_destroy(t->oq);
}

static const uint64_t cpus[] = {~(uint64_t)0, 0, QNT_CPU_AVX2 | QNT_CPU_NEON,
                                ~(uint64_t)(QNT_CPU_AVX512VNNI | QNT_CPU_AVX512VBMI)};

/* The same bytes on some CPU, with or without workers. */
static void compare(const struct twins *t, const qnt_tensor *in, int i)
{
    int64_t shape[4], strides[4];
    qnt_tensor mine = {.shape = shape, .strides = strides}, other;
    uint64_t bytes;
    const int cpu = (int)random_in(0, 3);
    OK(qnt_layer_view(c, t->layer, in, &mine));
    OK(qnt_tensor_bytes(c, &mine, &bytes));
    other = mine;
    mine.data = y, other.data = z;
    memset(y, 0x55, (size_t)bytes), memset(z, 0x55, (size_t)bytes);
    OK(qnt_context_set_cpu(c, cpus[cpu] & qnt_cpu_detect()));
    if (i % 3 == 0) OK(qnt_context_set_parallel(c, qnt_pool_run, pool, 3));
    OK(run(t->layer, in, &mine));
    OK(run(t->same, in, &other));
    OK(qnt_context_set_parallel(c, NULL, NULL, 0));
    OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
    const bool is_packed = t->layer->head.arrays & QNT__HAS_POINTS;
    CHECK_MSG(!memcmp(y, z, (size_t)bytes), "round %d, cpu %d, points %d, %d bits", i, cpu,
              is_packed, t->layer->head.weight_bits);
    if (is_packed)
        with_points++;
    else
        without++;
}

static void dense(void)
{
    for (int i = 0; i < ROUNDS(240); i++) {
        const bool is_long = i % 41 == 7; /* a block of panels that are unpacked is more than others are */
        const int64_t m = is_long ? 50 : i % 7 ? random_in(1, 40) : random_in(48, 260);
        const int64_t k = is_long ? 5000 : random_in(1, 300);
        const int64_t n = is_long ? 50 : random_in(1, i % 2 ? 70 : 400), shape[2] = {n, k};
        const int kind = i % INPUTS;
        const qnt_layer_spec ls = {.size = sizeof ls, .activation = i % 2 ? QNT_RELU : QNT_LINEAR};
        struct twins t;
        make_twins(&ls, i, kind, shape, 2, (int)random_in(0, 60), &t);
        fill(x, m * k);
        const qnt_tensor *in = TENSOR(x, QNT_FLOAT, 32, m, k);
        qnt_tensor *codes = TENSOR(code, kind == SIGNED ? QNT_INT : QNT_UINT, 8, m, k);
        if (kind < RUNTIME && i % 3) {
            OK(qnt_quantizer_encode(c, t.xq, in, codes));
            in = codes;
        }
        compare(&t, in, i);
        destroy_twins(&t);
    }
    CHECK_MSG(check_quick || (with_points > 60 && without > 10), "%d with, %d without", with_points,
              without);
}

/* Strides, dilation, padding, groups of unlike needs and their shift. */
static void convolutions(void)
{
    with_points = 0;
    for (int i = 0; i < ROUNDS(160); i++) {
        const int32_t groups = i % 3 ? 1 : (int32_t)random_in(2, 3);
        const int64_t side = random_in(3, 9), ch = random_in(1, 20), o = random_in(1, 90);
        const int64_t channels = ch * groups, outputs = o * groups;
        qnt_layer_spec ls = {.size = sizeof ls, .kind = QNT_CONV, .groups = groups};
        ls.group_shift = (int32_t)random_in(0, groups - 1);
        ls.layout = (int32_t)random_in(QNT_NHWC, QNT_NCHW);
        for (int e = 0; e < 4; e++) ls.pad[e] = i % 2 ? (int32_t)random_in(0, 2) : 0;
        for (int e = 0; e < 2; e++) ls.stride[e] = (int32_t)random_in(1, 2);
        if (side > 5) ls.dilation[1] = (int32_t)random_in(1, 2);
        const bool planar = ls.layout == QNT_NCHW;
        const int64_t nhwc[4] = {outputs, 3, 3, ch}, nchw[4] = {outputs, ch, 3, 3};
        struct twins t;
        make_twins(&ls, i, i / 2 % INPUTS, planar ? nchw : nhwc, 4, (int)random_in(0, 60), &t);
        fill(x, 2 * side * side * channels);
        compare(&t,
                planar ? TENSOR(x, QNT_FLOAT, 32, 2, channels, side, side)
                       : TENSOR(x, QNT_FLOAT, 32, 2, side, side, channels),
                i);
        destroy_twins(&t);
    }
    CHECK_MSG(check_quick || with_points > 60, "%d with points", with_points);
}

/* Columns of their own are worth it where few outputs need more than one, whatever the CPU. */
static void choice(void)
{
    static const int more[] = {0, 10, 100};
    for (int i = 0; i < 3; i++) {
        const int64_t shape[2] = {256, 256};
        const qnt_layer_spec ls = {.size = sizeof ls};
        struct twins t[2];
        for (int cpu = 0; cpu < 2; cpu++) {
            const uint64_t state = check_state;
            OK(qnt_context_set_cpu(c, cpus[cpu] & qnt_cpu_detect()));
            make_twins(&ls, 0, RUNTIME, shape, 2, more[i], &t[cpu]);
            if (cpu == 0) check_state = state;
        }
        OK(qnt_context_set_cpu(c, qnt_cpu_detect()));
        CHECK(t[0].layer->head.arrays == t[1].layer->head.arrays &&
              t[0].layer->bytes == t[1].layer->bytes);
        if (i == 1) {
            CHECK(t[0].layer->head.arrays & QNT__HAS_POINTS && t[0].layer->head.cell_bits == 2);
        }
        destroy_twins(&t[0]), destroy_twins(&t[1]);
    }
}

static _Alignas(64) uint8_t blob[1 << 17], again[1 << 17];

/* The blob of the layer with one array's bytes changed: is it refused? */
static bool refuses(const qnt_layer *layer, const void *at, size_t bytes, const void *put)
{
    qnt_layer *loaded = NULL;
    size_t length;
    uint8_t *place = (uint8_t *)(uintptr_t)at, kept[8];
    memcpy(kept, place, bytes), memcpy(place, put, bytes);
    CHECK(qnt_layer_save(c, layer, blob, sizeof blob, &length) == QNT_OK);
    memcpy(place, kept, bytes);
    const bool refused = qnt_layer_load(c, blob, length, 0, &loaded) == QNT_E_FORMAT;
    qnt_layer_destroy(loaded);
    return refused;
}

static void blobs(void)
{
    for (int i = 0; i < ROUNDS(12); i++) {
        const int64_t shape[2] = {150, 130};
        const qnt_layer_spec ls = {.size = sizeof ls};
        struct twins t, u;
        size_t length, length2;
        make_twins(&ls, i, RUNTIME, shape, 2, 12, &t);
        const qnt_layer *l = t.layer;
        CHECK(l->head.arrays & QNT__HAS_POINTS);
        u = t;
        OK(qnt_layer_save(c, l, blob, sizeof blob, &length));
        OK(qnt_layer_load(c, blob, length, i % 2 ? QNT_BORROW : 0, &u.layer));
        OK(qnt_layer_save(c, u.layer, again, sizeof again, &length2));
        CHECK(length == length2 && !memcmp(blob, again, length));
        fill(x, 3 * 130);
        compare(&u, TENSOR(x, QNT_FLOAT, 32, 3, 130), i);
        qnt_layer_destroy(u.layer);

        const int32_t blocks = (int32_t)qnt__layer_blocks(&l->shape);
        CHECK(refuses(l, l->start, 4, &(int32_t){1}));
        CHECK(refuses(l, l->start + 1, 4, &(int32_t){65}));
        CHECK(refuses(l, l->start + 1, 4, &(int32_t){-1}));
        CHECK(refuses(l, l->start + blocks, 4, &(int32_t){149}));
        CHECK(refuses(l, l->start + blocks, 4, &(int32_t){151}));
        CHECK(refuses(l, l->output + l->start[1], 1, &(uint8_t){(uint8_t)l->start[1]}));
        CHECK(refuses(l, l->coef + 1, 4, &(int32_t){129}));
        CHECK(!refuses(l, l->coef + 1, 4, &(int32_t){128}));
        CHECK(refuses(l, &l->head.panels, 8, &(int64_t){l->head.panels + 1}));
        CHECK(refuses(l, &l->head.panels, 8, &(int64_t){0}));
        CHECK(refuses(l, &l->head.panels, 8, &(int64_t){(int64_t)1 << 39}));
        CHECK(refuses(l, &l->head.arrays, 4, &(int32_t){l->head.arrays | QNT__HAS_ZERO}));
        CHECK(refuses(l, &l->head.arrays, 4, &(int32_t){l->head.arrays & ~QNT__HAS_POINTS}));
        CHECK(refuses(l, &l->head.arithmetic, 4, &(int32_t){QNT__DECODE}));
        destroy_twins(&t);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    CHECK(qnt_pool_create(c, 3, &pool) == QNT_OK);
    RUN(dense);
    RUN(convolutions);
    RUN(choice);
    RUN(blobs);
    qnt_pool_destroy(pool);
    qnt_context_destroy(c);
    return DONE;
}
