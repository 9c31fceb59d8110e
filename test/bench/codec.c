/*
 * Encoding, decoding and requantizing large tensors against the speed at which this core moves the
 * same bytes: so many lines read for so many written, with ordinary or with streaming stores,
 * whichever is faster. `--elements N` sets the size, 2^24 if not given, a multiple of 32,768; `--only
 * TEXT` leaves the rows that have it in their names.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "qnt.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LINE = 64, ROW = 4096 };

struct tensor {
    qnt_tensor t;
    int64_t shape[2];
};

struct work {
    qnt_context *context;
    qnt_quantizer *quantizer;
    struct tensor in, out, scale;
    const uint8_t *from; /* the same memory, seen as lines */
    uint8_t *to;
    size_t lines_in, lines_out;
};

/* ---- the yardstick ---- */

#if defined(__x86_64__)

__attribute__((target("avx2"))) static inline void put(uint8_t *to, __m256i a, __m256i b,
                                                       int stream)
{
    if (stream) {
        _mm256_stream_si256((void *)to, a);
        _mm256_stream_si256((void *)(to + 32), b);
    } else {
        _mm256_store_si256((void *)to, a);
        _mm256_store_si256((void *)(to + 32), b);
    }
}

__attribute__((target("avx2"))) static void move(const struct work *w, int stream)
{
    size_t reads = w->lines_in > w->lines_out ? w->lines_in / w->lines_out : 1;
    size_t writes = w->lines_out > w->lines_in ? w->lines_out / w->lines_in : 1;
    const uint8_t *from = w->from, *end = from + w->lines_in * LINE;
    for (uint8_t *to = w->to; from < end;) {
        __m256i a = _mm256_setzero_si256(), b = a;
        for (size_t r = 0; r < reads; r++, from += LINE) {
            a = _mm256_or_si256(a, _mm256_load_si256((const void *)from));
            b = _mm256_or_si256(b, _mm256_load_si256((const void *)(from + 32)));
        }
        for (size_t r = 0; r < writes; r++, to += LINE) put(to, a, b, stream);
    }
    _mm_sfence();
}

#else

static void move(const struct work *w, int stream)
{
    size_t reads = w->lines_in > w->lines_out ? w->lines_in / w->lines_out : 1;
    size_t writes = w->lines_out > w->lines_in ? w->lines_out / w->lines_in : 1;
    const uint8_t *from = w->from, *end = from + w->lines_in * LINE;
    (void)stream;
    for (uint8_t *to = w->to; from < end;) {
        uint64_t line[LINE / 8] = {0}, next[LINE / 8];
        for (size_t r = 0; r < reads; r++, from += LINE) {
            memcpy(next, from, LINE);
            for (size_t k = 0; k < LINE / 8; k++) line[k] |= next[k];
        }
        for (size_t r = 0; r < writes; r++, to += LINE) memcpy(to, line, LINE);
    }
}

#endif

static void move_ordinary(void *state)
{
    move(state, 0);
}

static void move_streaming(void *state)
{
    move(state, 1);
}

/* ---- the work ---- */

static void require(qnt_status status)
{
    if (status == QNT_OK) return;
    fprintf(stderr, "codec: %s\n", qnt_status_name(status));
    exit(1);
}

static void encode(void *state)
{
    struct work *w = state;
    require(qnt_quantizer_encode(w->context, w->quantizer, &w->in.t, &w->out.t));
}

static void decode(void *state)
{
    struct work *w = state;
    require(qnt_quantizer_decode(w->context, w->quantizer, &w->in.t, &w->out.t));
}

static void requantize(void *state)
{
    struct work *w = state;
    require(qnt_requantize(w->context, &w->in.t, NULL, &w->scale.t, 3, -128, 127, &w->out.t));
}

/* n elements in rows of ROW. */
static void describe(struct tensor *v, void *data, int code, int bits, size_t n)
{
    v->shape[0] = (int64_t)(n / ROW);
    v->shape[1] = ROW;
    v->t = (qnt_tensor){.data = data, .device_type = 1, .ndim = 2, .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits, .dtype_lanes = 1, .shape = v->shape};
}

static qnt_quantizer *fixed(const qnt_context *context, int bits, int grain, int axis,
                            int64_t block, size_t n)
{
    size_t groups = grain == QNT_PER_TENSOR ? 1
                    : grain == QNT_PER_AXIS ? (axis ? ROW : n / ROW)
                                            : n / (size_t)block;
    qnt_spec spec = {.size = sizeof spec, .bits = bits, .flags = QNT_SIGNED, .grain = grain,
                     .axis = axis, .block = block};
    double *scale = malloc(groups * sizeof *scale);
    for (size_t g = 0; g < groups; g++) scale[g] = 3.3 / (1 << (bits - 1));
    qnt_quantizer *quantizer = NULL;
    require(qnt_quantizer_create(context, &spec, &quantizer));
    require(qnt_quantizer_set(context, quantizer, QNT_P_SCALE, scale, groups));
    free(scale);
    return quantizer;
}

static void row(const char *name, struct work *w, void (*run)(void *))
{
    const char *only = bench_option("--only");
    if (only && !strstr(name, only)) return;
    w->from = w->in.t.data;
    w->to = w->out.t.data;
    size_t n = (size_t)(w->in.shape[0] * w->in.shape[1]);
    w->lines_in = n * w->in.t.dtype_bits / 8 / LINE;
    w->lines_out = n * w->out.t.dtype_bits / 8 / LINE;
    struct bench_candidate c[] = {{.name = "libqnt", .run = run, .state = w},
                                  {.name = "ordinary", .run = move_ordinary, .state = w},
                                  {.name = "streaming", .run = move_streaming, .state = w}};
    bench_compare(c, 3);
    double bytes = (double)(w->lines_in + w->lines_out) * LINE;
    double best = c[1].seconds < c[2].seconds ? c[1].seconds : c[2].seconds;
    printf("%-34s %8.2f %8.1f %8.1f %8.1f %6.2f\n", name, 1e3 * c[0].seconds,
           1e-9 * bytes / c[0].seconds, 1e-9 * bytes / c[1].seconds, 1e-9 * bytes / c[2].seconds,
           best / c[0].seconds);
}

static void coding(const qnt_context *context, size_t n, float *floats, void *codes)
{
    static const struct { const char *name; int grain, axis, block; } grains[] = {
        {"per tensor", QNT_PER_TENSOR, 0, 0},    {"per axis 0", QNT_PER_AXIS, 0, 0},
        {"per axis 1", QNT_PER_AXIS, 1, 0},      {"blocks of 128", QNT_PER_BLOCK, 1, 128},
        {"blocks of 32", QNT_PER_BLOCK, 1, 32},
    };
    static const int widths[] = {8, 4, 2};
    const char *only = bench_option("--grains");
    size_t most = only ? (size_t)atoi(only) : 99;
    for (size_t g = 0; g < most && g < sizeof grains / sizeof *grains; g++) {
        for (size_t b = 0; b < sizeof widths / sizeof *widths; b++) {
            struct work w = {.context = (qnt_context *)context};
            struct tensor x, q;
            char name[64];
            describe(&x, floats, QNT_FLOAT, 32, n);
            describe(&q, codes, QNT_INT, widths[b], n);
            w.quantizer =
                fixed(context, widths[b], grains[g].grain, grains[g].axis, grains[g].block, n);
            w.in = x, w.out = q;
            w.in.t.shape = w.in.shape, w.out.t.shape = w.out.shape;
            snprintf(name, sizeof name, "encode f32 -> s%d, %s", widths[b], grains[g].name);
            row(name, &w, encode);
            w.in = q, w.out = x;
            w.in.t.shape = w.in.shape, w.out.t.shape = w.out.shape;
            snprintf(name, sizeof name, "decode s%d -> f32, %s", widths[b], grains[g].name);
            row(name, &w, decode);
            qnt_quantizer_destroy(w.quantizer);
            memset(floats, 0, ROW); /* decoding wrote here: no subnormal numbers */
        }
    }
}

static void fill(float *floats, size_t n)
{
    for (size_t i = 0; i < n; i++) floats[i] = (float)(bench_random() >> 40) * 0x1p-22f - 2.0f;
}

/* Codes of 3 bits of exponent and a sign, with snapped levels and as published. */
static void exponents(const qnt_context *context, size_t n, float *floats, void *codes)
{
    fill(floats, n); /* decoding left few different values */
    for (int literal = 0; literal < 2; literal++) {
        qnt_spec spec = {.size = sizeof spec, .scheme = QNT_EXP, .method = QNT_TEQ, .bits = 3,
                         .flags = QNT_SIGNED | (literal ? QNT_LITERAL : 0)};
        struct work w = {.context = (qnt_context *)context};
        struct tensor some;
        describe(&w.in, floats, QNT_FLOAT, 32, n);
        describe(&w.out, codes, QNT_UINT, 4, n);
        describe(&some, floats, QNT_FLOAT, 32, 8 * ROW);
        require(qnt_quantizer_create(context, &spec, &w.quantizer));
        require(qnt_quantizer_observe(context, w.quantizer, &some.t, NULL));
        require(qnt_quantizer_fit(context, w.quantizer));
        row(literal ? "encode f32 -> exponents, literal" : "encode f32 -> exponents", &w, encode);
        qnt_quantizer_destroy(w.quantizer);
    }
}

static void requantizing(const qnt_context *context, size_t n, void *sums, void *codes)
{
    static const int widths[] = {8, 4, 16};
    float scale = 1e-6f;
    for (size_t b = 0; b < sizeof widths / sizeof *widths; b++) {
        struct work w = {.context = (qnt_context *)context};
        char name[64];
        describe(&w.in, sums, QNT_INT, 32, n);
        describe(&w.out, codes, QNT_INT, widths[b], n);
        describe(&w.scale, &scale, QNT_FLOAT, 32, 1);
        w.scale.t.ndim = 1;
        w.scale.shape[0] = 1;
        snprintf(name, sizeof name, "requantize s32 -> s%d", widths[b]);
        if (widths[b] < 8) continue;
        row(name, &w, requantize);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    const char *elements = bench_option("--elements");
    size_t n = elements ? strtoull(elements, NULL, 0) : (size_t)1 << 24;
    n = n < 8 * ROW ? 8 * ROW : n - n % (8 * ROW);
    qnt_context *context;
    require(qnt_context_create(NULL, NULL, NULL, &context));
    require(qnt_context_set_cpu(context, bench_cpu()));

    float *floats = bench_memory(n * sizeof *floats);
    void *codes = bench_memory(2 * n);
    fill(floats, n);
    printf("\n%zu elements %*s\n%-34s %8s %8s %8s %8s %6s\n", n, 40, "GB/s", "", "ms", "libqnt",
           "stores", "streams", "ratio");
    coding(context, n, floats, codes);
    exponents(context, n, floats, codes);
    if (!bench_option("--grains")) requantizing(context, n, floats, codes);

    free(floats);
    free(codes);
    qnt_context_destroy(context);
    return 0;
}
