/*
 * Whole layers, epilogue and staging included, against oneDNN with the same input and result types,
 * against OpenBLAS's product of floats, and against the streaming bandwidth where the weights' bytes
 * rule. --only names one part.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "onednn.h"
#include "openblas.h"
#include "qnt.h"

enum { COPIES = 24 };

struct view {
    qnt_tensor t;
    int64_t shape[4];
};

/* One layer with everything it needs; `copies` layers take turns, to leave the caches. */
struct job {
    qnt_context *context;
    qnt_layer *layer[COPIES];
    size_t copies, turn, bytes;
    struct view x, y;
    void *space;
};

static void must(qnt_status status, const char *what)
{
    if (status == QNT_OK) return;
    fprintf(stderr, "%s: %s\n", what, qnt_status_name(status));
    exit(1);
}

static void tell(void *user, int32_t level, const char *message)
{
    (void)user, (void)level;
    fprintf(stderr, "%s\n", message);
}

static void set_view(struct view *v, void *data, int code, int bits, int ndim, const int64_t *shape)
{
    memcpy(v->shape, shape, (size_t)ndim * sizeof *shape);
    v->t = (qnt_tensor){.data = data,
                        .device_type = 1,
                        .ndim = ndim,
                        .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits,
                        .dtype_lanes = 1,
                        .shape = v->shape};
}

/* Of a group of weights. */
static double scale_of(size_t group)
{
    return 0.01 + 0.001 * (double)(group % 7);
}

static qnt_quantizer *quantizer(const qnt_context *context, qnt_spec spec, size_t groups,
                                double zero)
{
    qnt_quantizer *q;
    spec.size = sizeof spec;
    must(qnt_quantizer_create(context, &spec, &q), "quantizer");
    if (spec.flags & QNT_DYNAMIC) return q;
    double *scale = malloc(groups * sizeof *scale);
    for (size_t i = 0; i < groups; i++) scale[i] = scale_of(i);
    must(qnt_quantizer_set(context, q, QNT_P_SCALE, scale, groups), "scale");
    if (!(spec.flags & QNT_SYMMETRIC))
        must(qnt_quantizer_set(context, q, QNT_P_ZERO, &zero, 1), "zero");
    free(scale);
    return q;
}

/* One base of signs: a coefficient for each group. */
static qnt_quantizer *base_of_signs(const qnt_context *context, int32_t grain, size_t groups)
{
    const qnt_spec spec = {.size = sizeof spec,
                           .scheme = QNT_POINTS,
                           .method = QNT_BASES,
                           .points = 1,
                           .grain = grain};
    qnt_quantizer *q;
    must(qnt_quantizer_create(context, &spec, &q), "signs");
    double *ones = malloc(groups * sizeof *ones);
    for (size_t i = 0; i < groups; i++) ones[i] = 1;
    must(qnt_quantizer_set(context, q, QNT_P_SCALE, ones, groups), "scale");
    must(qnt_quantizer_set(context, q, QNT_P_COEF, ones, groups), "coefficients");
    free(ones);
    return q;
}

/* Points of `bits` bits, as they come from fitting: one for each output, two radix digits for a tenth. */
static qnt_quantizer *points(const qnt_context *context, int32_t bits, size_t groups)
{
    const qnt_spec spec = {.size = sizeof spec,
                           .scheme = QNT_POINTS,
                           .method = QNT_MULTIPOINT,
                           .bits = bits,
                           .points = 2,
                           .grain = QNT_PER_AXIS};
    const double most = (1 << (bits - 1)) - 1, base = 2 * most + 1, only = 128 / (most + 1);
    qnt_quantizer *q;
    must(qnt_quantizer_create(context, &spec, &q), "points");
    double *numbers = malloc(3 * groups * sizeof *numbers), *coef = numbers + groups;
    for (size_t i = 0; i < groups; i++) {
        const double first = i % 10 == 3 ? floor(only / (1 + base)) : only;
        numbers[i] = scale_of(i) * (most + 0.5) / 128;
        coef[2 * i] = first;
        coef[2 * i + 1] = first < only ? base * first : 0;
    }
    must(qnt_quantizer_set(context, q, QNT_P_SCALE, numbers, groups), "scale");
    must(qnt_quantizer_set(context, q, QNT_P_COEF, coef, 2 * groups), "coefficients");
    free(numbers);
    return q;
}

enum { CODES, RUNTIME, FLOATS }; /* input: uint8 codes; float32, quantized row by row; float32 */

struct request {
    int64_t x[4], w[4];
    int ndim, bits;
    int64_t block; /* of the weights' scales; 0: one for each output */
    int input;     /* CODES, ... */
    int zero;      /* of the input codes */
    int result;    /* PEER_F32 or PEER_U8 */
    size_t copies;
    int signs;      /* weights are signs: bits is 1 */
    int input_bits; /* then: 1 to 8, or 0 for signs as input, too */
    int normal;     /* 8-bit weights have a normal distribution that ends at this code; 0: they are uniform
                       over all codes */
    int points;     /* weights are points, of `bits` bits each */
};

/* Uniform in (-1, 1), or a sum of twelve: nearly normal. */
static float draw(int normal)
{
    double sum = 0;
    for (int i = 0; i < (normal ? 12 : 1); i++) sum += (double)(bench_random() >> 40) * 0x1p-23 - 1.0;
    return (float)sum;
}

/* Weights of one output or block: uniform up to `top`, or four standard deviations of a normal distribution
 * are `top` and what is beyond is clipped, as a real layer of thousands of weights has them. */
static void draw_weights(float *w, size_t n, int normal, double top)
{
    const float most = (float)top, unit = normal ? most / 8 : most; /* a sum of twelve deviates by 2 */
    for (size_t i = 0; i < n; i++) w[i] = fminf(fmaxf(draw(normal) * unit, -most), most);
}

static void make_layers(struct job *job, const struct request *r)
{
    const qnt_context *c = job->context;
    size_t inputs = (size_t)(r->w[1] * (r->ndim == 4 ? r->w[2] * r->w[3] : 1)),
           outputs = (size_t)r->w[0];
    size_t groups = r->block ? outputs * (inputs / (size_t)r->block) : outputs;
    qnt_spec weight = {.bits = r->bits,
                       .flags = QNT_SIGNED | QNT_SYMMETRIC,
                       .block = r->block,
                       .grain = r->block ? QNT_PER_BLOCK : QNT_PER_AXIS,
                       .axis = r->block ? 1 : 0};
    qnt_spec input = {.bits = 8};
    if (r->input == RUNTIME)
        input.method = QNT_MINMAX, input.flags = QNT_DYNAMIC | QNT_SIGNED | QNT_SYMMETRIC;
    if (r->signs) input.bits = r->input_bits;
    qnt_quantizer *wq = r->signs    ? base_of_signs(c, QNT_PER_AXIS, groups)
                        : r->points ? points(c, r->bits, groups)
                                    : quantizer(c, weight, groups, 0);
    qnt_quantizer *in = r->input == FLOATS             ? NULL
                        : r->signs && !r->input_bits ? base_of_signs(c, QNT_PER_TENSOR, 1)
                                                       : quantizer(c, input, 1, r->zero);
    qnt_quantizer *out = r->result == PEER_U8 ? quantizer(c, (qnt_spec){.bits = 8}, 1, 0) : NULL;
    qnt_layer_spec spec = {.size = sizeof spec, .kind = r->ndim == 4 ? QNT_CONV : QNT_DENSE};
    if (r->ndim == 4) {
        for (int i = 0; i < 4; i++) spec.pad[i] = (int32_t)((r->w[1 + i % 2] - 1) / 2);
    }
    float *values = malloc(outputs * inputs * sizeof *values),
          *bias = malloc(outputs * sizeof *bias);
    struct view w, b;
    set_view(&w, values, QNT_FLOAT, 32, r->ndim, r->w);
    set_view(&b, bias, QNT_FLOAT, 32, 1, r->w);
    for (size_t i = 0; i < outputs; i++) bias[i] = 0.1f * (float)(i % 5);
    for (job->copies = 0; job->copies < r->copies; job->copies++) {
        const size_t run = outputs * inputs / groups;
        const double top = r->normal ? r->normal : r->bits > 1 ? (1 << (r->bits - 1)) - 0.5 : 1;
        for (size_t i = 0; i < groups; i++) {
            draw_weights(values + i * run, run, r->normal, top * scale_of(i));
        }
        must(qnt_layer_create(c, &spec, &w.t, wq, &b.t, in, out, &job->layer[job->copies]),
             "layer");
    }
    free(values);
    free(bias);
    qnt_quantizer_destroy(wq);
    qnt_quantizer_destroy(in);
    qnt_quantizer_destroy(out);
}

static struct job *job_create(const struct request *r, qnt_pool *pool)
{
    struct job *job = calloc(1, sizeof *job);
    must(qnt_context_create(NULL, NULL, NULL, &job->context), "context");
    must(qnt_context_set_log(job->context, tell, NULL, QNT_LOG_ERROR), "log");
    must(qnt_context_set_cpu(job->context, bench_cpu()), "cpu");
    if (pool) must(qnt_context_set_parallel(job->context, qnt_pool_run, pool, 2), "pool");
    make_layers(job, r);

    size_t count = 1;
    for (int d = 0; d < r->ndim; d++) count *= (size_t)r->x[d];
    void *x = bench_memory(count * (r->input ? 4 : 1));
    for (size_t i = 0; r->input && i < count; i++) {
        ((float *)x)[i] = (float)((double)(bench_random() >> 40) * 0x1p-23 - 1.0);
    }
    if (r->input)
        set_view(&job->x, x, QNT_FLOAT, 32, r->ndim, r->x);
    else
        set_view(&job->x, x, QNT_UINT, 8, r->ndim, r->x);

    int64_t strides[QNT_MAX_NDIM], shape[QNT_MAX_NDIM];
    qnt_tensor y = {.shape = shape, .strides = strides};
    must(qnt_layer_view(job->context, job->layer[0], &job->x.t, &y), "view");
    set_view(&job->y, NULL, y.dtype_code, y.dtype_bits, y.ndim, shape);
    uint64_t bytes;
    must(qnt_tensor_bytes(job->context, &job->y.t, &bytes), "bytes");
    job->y.t.data = bench_memory(bytes);
    must(qnt_layer_workspace(job->context, job->layer[0], &job->x.t, &job->bytes), "workspace");
    job->space = bench_memory(job->bytes);
    return job;
}

static void job_destroy(struct job *job)
{
    for (size_t i = 0; i < job->copies; i++) qnt_layer_destroy(job->layer[i]);
    qnt_context_destroy(job->context);
    free(job->x.t.data);
    free(job->y.t.data);
    free(job->space);
    free(job);
}

static void job_run(void *state)
{
    struct job *job = state;
    const qnt_layer *layer = job->layer[job->turn];
    job->turn = (job->turn + 1) % job->copies;
    must(qnt_layer_run(job->context, layer, &job->x.t, &job->y.t, job->space, job->bytes), "run");
}

/* floats is NULL where there is no product of floats to compare with. */
static void compare(const char *name, const struct request *r, struct peer *peer,
                    struct float_gemm *floats, double work, double peak)
{
    struct job *job = job_create(r, NULL);
    struct bench_candidate c[] = {{.name = "layer", .run = job_run, .state = job},
                                  {.name = "peer", .run = peer_run, .state = peer},
                                  {.name = "floats", .run = float_gemm_run, .state = floats}};
    bench_compare(c, 3);
    printf("%-34s %8.3f %8.3f %6.2f %6.0f%%", name, 1e3 * c[0].seconds, 1e3 * c[1].seconds,
           c[1].seconds / c[0].seconds, 100 * work / c[0].seconds / peak);
    if (floats) printf(" %9.3f %6.2f", 1e3 * c[2].seconds, c[2].seconds / c[0].seconds);
    printf("\n");
    job_destroy(job);
    peer_destroy(peer);
    float_gemm_destroy(floats);
}

/* How 8-bit weights are distributed; AVX2 has a faster way for most of those that are normal. */
static const struct {
    const char *name;
    int top; /* of a normal distribution, or 0 */
} distributions[] = {{" uniform", 0}, {" normal", 127}, {" normal 7 bits", 63}};

enum { DISTRIBUTIONS = sizeof distributions / sizeof *distributions };

static void products(double peak)
{
    static const int64_t shapes[][3] = {
        {256, 4096, 4096}, {1024, 1024, 1024}, {3136, 64, 576}, {196, 256, 2304}};
    printf("\n%-34s %8s %8s %6s %7s %9s %6s\n", "dense, uint8 in", "ms", "peer ms", "ratio", "peak",
           "sgemm ms", "ratio");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int i = 0; i < 2 * DISTRIBUTIONS; i++) {
            int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
            const int result = i % 2 ? PEER_U8 : PEER_F32, d = i / 2;
            struct request r = {{m, k}, {n, k}, 2, 8, 0, 0, 0, result, 1, 0, 0, distributions[d].top, 0};
            char name[64];
            snprintf(name, sizeof name, "%lldx%lldx%lld %s%s", (long long)m, (long long)n,
                     (long long)k, result == PEER_U8 ? "u8" : "f32", distributions[d].name);
            compare(name, &r, peer_gemm((size_t)m, (size_t)n, (size_t)k, 0, result),
                    float_gemm_create((size_t)m, (size_t)n, (size_t)k), (double)(m * n * k), peak);
        }
    }
}

static void convolutions(double peak)
{
    static const int64_t shapes[][2] = {{56, 64}, {28, 128}, {14, 256}, {7, 512}};
    printf("\n%-34s %8s %8s %6s %7s\n", "3x3 convolution, u8 to u8", "ms", "peer ms", "ratio",
           "peak");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int i = 0; i < 2 * DISTRIBUTIONS; i++) {
            int64_t size = shapes[s][0], n = shapes[s][1];
            const int zero = i % 2 * 128, d = i / 2;
            struct request r = {{1, size, size, n}, {n, 3, 3, n}, 4, 8, 0, 0, zero, PEER_U8, 1, 0, 0,
                                distributions[d].top, 0};
            char name[64];
            snprintf(name, sizeof name, "%lldx%lldx%lld zero %d%s", (long long)size, (long long)size,
                     (long long)n, zero, distributions[d].name);
            compare(name, &r, peer_conv((size_t)size, (size_t)n, 1, 3, 0, PEER_U8), NULL,
                    (double)(size * size * n * n * 9), peak);
        }
    }
}

/* One token: float32 in and out, int8 with a scale found while running. */
static void tokens(void)
{
    enum { N = 4096, K = 4096 };
    static const struct {
        int bits, block;
    } kinds[] = {{8, 0},   {4, 0},  {4, 128}, {4, 32},  {3, 0},
                 {3, 128}, {3, 32}, {2, 0},   {2, 128}, {2, 32}};
    printf("\n%-26s %8s %8s %7s\n", "1x4096x4096, dynamic", "us", "GB/s", "of all");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int cold = 0; cold < 2; cold++) {
            struct request r = {{1, K}, {N, K}, 2,        kinds[i].bits,    kinds[i].block,
                                1,      0,      PEER_F32, cold ? COPIES : 1, 0, 0, 0, 0};
            struct job *job = job_create(&r, NULL);
            size_t bytes = (size_t)N * K * (size_t)r.bits / 8;
            if (r.block) bytes += (size_t)(N * K / r.block) * 4;
            struct bench_stream stream = bench_stream(bytes, r.copies);
            struct bench_candidate c[] = {
                {.name = "layer", .run = job_run, .state = job},
                {.name = "stream", .run = bench_stream_run, .state = &stream}};
            bench_compare(c, 2);
            char name[64];
            snprintf(name, sizeof name, "w%d %s%.0d %s", r.bits,
                     r.block ? "blocks of " : "per output", (int)r.block, cold ? "memory" : "warm");
            printf("%-26s %8.1f %8.1f %6.0f%%\n", name, 1e6 * c[0].seconds,
                   1e-9 * (double)bytes / c[0].seconds,
                   100 * c[1].seconds / c[0].seconds);
            bench_stream_free(&stream);
            job_destroy(job);
        }
    }
}

/* Weights that are one base of signs, with codes of few bits, against 8-bit weights with bytes. */
static void signs(void)
{
    static const int64_t shapes[][3] = {
        {1, 4096, 4096}, {16, 4096, 4096}, {256, 4096, 4096}, {1024, 1024, 1024}, {196, 256, 2304}};
    static const int bits[] = {0, 1, 2, 4, 6, 8};
    printf("\n%-26s %8s %8s %6s\n", "weights of signs", "ms", "int8 ms", "ratio");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
            const int64_t *d = shapes[s];
            struct request bytes = {{d[0], d[2]}, {d[1], d[2]}, 2, 8, 0, 0, 0, PEER_F32, 1, 0, 0, 0, 0};
            struct request r = bytes;
            r.bits = 1, r.signs = 1, r.input_bits = bits[i];
            struct job *job = job_create(&r, NULL), *peer = job_create(&bytes, NULL);
            struct bench_candidate c[] = {{.name = "layer", .run = job_run, .state = job},
                                          {.name = "bytes", .run = job_run, .state = peer}};
            char name[64];
            bench_compare(c, 2);
            snprintf(name, sizeof name, "%lldx%lldx%lld %s%.0d", (long long)d[0], (long long)d[1],
                     (long long)d[2], bits[i] ? "bits " : "signs", bits[i]);
            printf("%-26s %8.3f %8.3f %6.2f\n", name, 1e3 * c[0].seconds, 1e3 * c[1].seconds,
                   c[1].seconds / c[0].seconds);
            job_destroy(job);
            job_destroy(peer);
        }
    }
}

/* Weights that are one point of few bits, and a second one for a tenth of the outputs, against codes of
 * as many bits. */
static void extra_points(void)
{
    static const char *const inputs[] = {"codes", "dynamic", "floats"};
    enum { N = 4096, K = 4096 };
    printf("\n%-26s %8s %8s %6s\n", "points + 10 %", "ms", "one ms", "times");
    for (int input = CODES; input <= FLOATS; input++) {
        for (int i = 0; i < 6; i++) {
            const int64_t rows = i < 3 ? 1 : 256;
            struct request one = {{rows, K}, {N, K}, 2, 2 + i % 3, 0, input, 0, PEER_F32,
                                  rows == 1 ? COPIES : 1, 0, 0, 0, 0};
            struct request r = one;
            r.points = 1;
            struct job *job = job_create(&r, NULL), *peer = job_create(&one, NULL);
            struct bench_candidate c[] = {{.name = "points", .run = job_run, .state = job},
                                          {.name = "one", .run = job_run, .state = peer}};
            char name[64];
            bench_compare(c, 2);
            snprintf(name, sizeof name, "%lldx%dx%d w%d %s", (long long)rows, N, K, r.bits,
                     inputs[input]);
            printf("%-26s %8.3f %8.3f %6.2f\n", name, 1e3 * c[0].seconds, 1e3 * c[1].seconds,
                   c[0].seconds / c[1].seconds);
            job_destroy(job);
            job_destroy(peer);
        }
    }
}

/* Wall time of many runs. */
static double wall(struct job *job, int count)
{
    double start = bench_wall();
    for (int i = 0; i < count; i++) job_run(job);
    return bench_wall() - start;
}

static void workers(void)
{
    const struct request r[] = {
        {{256, 4096}, {4096, 4096}, 2, 8, 0, 0, 0, PEER_F32, 1, 0, 0, 0, 0},
        {{1024, 1024}, {1024, 1024}, 2, 8, 0, 0, 0, PEER_F32, 1, 0, 0, 0, 0},
        {{1, 56, 56, 64}, {64, 3, 3, 64}, 4, 8, 0, 0, 0, PEER_U8, 1, 0, 0, 0, 0},
        {{1, 14, 14, 256}, {256, 3, 3, 256}, 4, 8, 0, 0, 0, PEER_U8, 1, 0, 0, 0, 0}};
    printf("\n%-26s %8s %8s %6s\n", "two workers, wall time", "one ms", "two ms", "ratio");
    for (size_t i = 0; i < sizeof r / sizeof *r; i++) {
        qnt_pool *pool;
        struct job *one = job_create(&r[i], NULL);
        must(qnt_pool_create(one->context, 2, &pool), "pool");
        struct job *two = job_create(&r[i], pool);
        double best[2] = {1e9, 1e9};
        for (int turn = 0; turn < 15; turn++) {
            double a = wall(one, 5) / 5, b = wall(two, 5) / 5;
            best[0] = a < best[0] ? a : best[0];
            best[1] = b < best[1] ? b : best[1];
        }
        printf("%lldx%lld from %lldx%lld %8.3f %8.3f %6.2f\n", (long long)r[i].w[0],
               (long long)r[i].w[1], (long long)r[i].x[0], (long long)r[i].x[1], 1e3 * best[0],
               1e3 * best[1], best[0] / best[1]);
        job_destroy(one);
        job_destroy(two);
        qnt_pool_destroy(pool);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    double peak = bench_peak();
    printf("# peer: %s; peak of this core %.0f GMAC/s\n", peer_version() ? peer_version() : "none",
           peak * 1e-9);
    if (float_gemm_version()) printf("# floats: %s\n", float_gemm_version());
    if (!bench_option("--only") || !strcmp(bench_option("--only"), "products")) products(peak);
    if (!bench_option("--only") || !strcmp(bench_option("--only"), "convolutions"))
        convolutions(peak);
    if (!bench_option("--only") || !strcmp(bench_option("--only"), "tokens")) tokens();
    if (!bench_option("--only") || !strcmp(bench_option("--only"), "signs")) signs();
    if (!bench_option("--only") || !strcmp(bench_option("--only"), "points")) extra_points();
    if (!bench_option("--only") || !strcmp(bench_option("--only"), "workers")) workers();
    return 0;
}
