/*
 * Convolutions of packed digits, from packed pixels to packed pixels with thresholds, sums over
 * digits included, against oneDNN's int8 convolution with as many groups and a scale for each
 * channel: the function that prepares nothing, the layer that did, and the layer with shifted
 * groups. Then what a second worker adds, in wall time. --only TEXT: rows with it, such as workers.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "onednn.h"
#include "qnt.h"

static qnt_context *context;

static void check(qnt_status status, const char *what)
{
    if (status == QNT_OK) return;
    fprintf(stderr, "%s: %s\n", what, qnt_status_name(status));
    exit(1);
}

struct packed {
    qnt_tensor tensor;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
};

struct conv {
    struct packed pixels, taps, y;
    qnt_tensor limit;
    int64_t limit_shape[2];
    qnt_conv conv;
    qnt_lowbit lowbit;
    qnt_lowbit_layer *layer;
    const qnt_context *runs;
    void *workspace;
    size_t workspace_bytes;
};

static qnt_pool *pool;
static qnt_context *pair; /* two workers */

static void *place(struct packed *p)
{
    size_t bytes = 1;
    for (int d = 0; d < p->tensor.ndim; d++) bytes *= (size_t)p->shape[d];
    return p->tensor.data = bench_memory(bytes);
}

static void open_packed(struct packed *p)
{
    p->tensor = (qnt_tensor){.shape = p->shape, .strides = p->strides};
}

static void prepare(struct conv *c, const qnt_tensor *weights)
{
    qnt_lowbit_spec spec = {.size = sizeof spec, .step = c->lowbit.step, .zero = c->lowbit.zero};
    memcpy(spec.pad, c->lowbit.pad, sizeof spec.pad);
    check(qnt_lowbit_layer_of_thresholds(context, &c->conv, &spec, weights, &c->limit, NULL,
                                         &c->layer),
          "layer");
    check(qnt_lowbit_layer_workspace(pair, c->layer, &c->pixels.tensor, &c->workspace_bytes),
          "workspace");
    c->workspace = bench_memory(c->workspace_bytes);
    c->runs = context;
}

/* What the digits of weights and pixels are, as bits of a byte. */
struct digits {
    int w, a;
};

static struct conv *create(int64_t size, int64_t channels, int32_t groups, int64_t kernel,
                           int32_t shift, struct digits bits)
{
    struct conv *c = calloc(1, sizeof *c);
    const int32_t edge = (int32_t)kernel / 2, pad[4] = {edge, edge, edge, edge};
    int64_t x_shape[] = {1, size, size, channels},
            w_shape[] = {channels, kernel, kernel, channels / groups};
    size_t x_bytes = (size_t)(size * size * channels);
    size_t w_bytes = (size_t)(channels * kernel * kernel * (channels / groups));
    uint8_t *x = bench_memory(x_bytes), *w = bench_memory(w_bytes);
    for (size_t i = 0; i < x_bytes; i++) x[i] &= (uint8_t)((1 << bits.a) - 1);
    for (size_t i = 0; i < w_bytes; i++) w[i] &= (uint8_t)((1 << bits.w) - 1);
    qnt_tensor codes = {.data = x,
                        .device_type = 1,
                        .ndim = 4,
                        .dtype_code = QNT_UINT,
                        .dtype_bits = 8,
                        .dtype_lanes = 1,
                        .shape = x_shape},
               weights = codes;
    weights.data = w, weights.shape = w_shape;
    open_packed(&c->pixels), open_packed(&c->taps), open_packed(&c->y);
    check(qnt_pack_pixels_view(context, &codes, groups, pad, &c->pixels.tensor), "pixels");
    check(qnt_pack_pixels_view(context, &codes, groups, pad, &c->y.tensor), "y");
    check(qnt_pack_taps_view(context, &weights, groups, &c->taps.tensor), "taps");
    place(&c->pixels), place(&c->taps), place(&c->y);
    check(qnt_pack_pixels(context, &codes, groups, pad, &c->pixels.tensor), "qnt_pack_pixels");
    check(qnt_pack_taps(context, &weights, groups, &c->taps.tensor), "qnt_pack_taps");
    int32_t *limit = bench_memory((size_t)channels * 12);
    for (int64_t i = 0; i < 3 * channels; i++) limit[i] = (int32_t)(i % 3) * 30 - 30;
    c->limit_shape[0] = channels, c->limit_shape[1] = 3;
    c->limit = (qnt_tensor){.data = limit,
                            .device_type = 1,
                            .ndim = 2,
                            .dtype_code = QNT_INT,
                            .dtype_bits = 32,
                            .dtype_lanes = 1,
                            .shape = c->limit_shape};
    c->conv = (qnt_conv){.size = sizeof c->conv, .groups = groups, .group_shift = shift};
    c->lowbit = (qnt_lowbit){.size = sizeof c->lowbit,
                             .step = 2,
                             .zero = 1 - (1 << bits.w),
                             .channels = (int32_t)(channels / groups)};
    memcpy(c->lowbit.pad, pad, sizeof pad);
    prepare(c, &weights);
    free(x), free(w);
    return c;
}

static void run(void *state)
{
    struct conv *c = state;
    check(qnt_conv_lowbit(context, &c->conv, &c->lowbit, &c->pixels.tensor, &c->taps.tensor,
                          &c->limit, &c->y.tensor),
          "qnt_conv_lowbit");
}

static void run_layer(void *state)
{
    struct conv *c = state;
    check(qnt_lowbit_layer_run(c->runs, c->layer, &c->pixels.tensor, NULL, NULL, &c->y.tensor,
                               c->workspace, c->workspace_bytes),
          "qnt_lowbit_layer_run");
}

static void destroy(struct conv *c)
{
    qnt_lowbit_layer_destroy(c->layer);
    free(c->workspace);
    free(c->pixels.tensor.data), free(c->taps.tensor.data), free(c->y.tensor.data),
        free(c->limit.data);
    free(c);
}

static bool is_asked(const char *name)
{
    const char *only = bench_option("--only");
    return !only || strstr(name, only);
}

static void row(int64_t size, int64_t channels, int32_t groups, int64_t kernel, struct digits bits)
{
    char name[64];
    snprintf(name, sizeof name, "w%da%d %dx%d, %dx%dx%d, %d groups", bits.w, bits.a, (int)kernel,
             (int)kernel, (int)size, (int)size, (int)channels, (int)groups);
    if (!is_asked(name)) return;
    struct conv *plain = create(size, channels, groups, kernel, 0, bits);
    struct conv *shifted = create(size, channels, groups, kernel, groups > 1, bits);
    struct peer *peer =
        peer_conv((size_t)size, (size_t)channels, (size_t)groups, (size_t)kernel, 0, PEER_U8);
    /* The function allocates and leaves nothing of others in the caches: it is apart from those that are
     * compared, and the layer comes right after the peer. */
    struct bench_candidate function = {.name = "lowbit", .run = run, .state = plain};
    struct bench_candidate c[] = {{.name = "peer", .run = peer_run, .state = peer},
                                  {.name = "layer", .run = run_layer, .state = plain},
                                  {.name = "shifted", .run = run_layer, .state = shifted}};
    bench_compare(&function, 1);
    bench_compare(c, 3);
    double macs = (double)(size * size * channels * (channels / groups) * kernel * kernel);
    double rate = macs / c[1].seconds;
    printf("  %-30s %8.4f %8.4f %8.1f %6.2f %9.2f", name, 1e3 * function.seconds,
           1e3 * c[1].seconds, 1e-9 * rate, rate / bench_peak(), c[2].seconds / c[1].seconds);
    if (peer) printf(" %8.4f %6.2f", 1e3 * c[0].seconds, c[0].seconds / c[1].seconds);
    printf("\n");
    destroy(plain), destroy(shifted), peer_destroy(peer);
}

/* The best of many runs in wall time: what else runs on one of two cores for a moment spoils some. */
static double wall(struct conv *c, const qnt_context *runs)
{
    double best = 1e9;
    c->runs = runs;
    for (int i = 0; i < 500; i++) {
        double start = bench_wall();
        run_layer(c);
        double seconds = bench_wall() - start;
        if (seconds < best) best = seconds;
    }
    return best;
}

static void worker_row(int64_t size, int64_t channels)
{
    char name[64];
    snprintf(name, sizeof name, "3x3, %dx%dx%d, 2 groups, workers", (int)size, (int)size, (int)channels);
    if (!is_asked(name)) return;
    struct conv *c = create(size, channels, 2, 3, 0, (struct digits){2, 2});
    double one = wall(c, context), two = wall(c, pair);
    printf("  %-38s %8.4f %8.4f %6.2f\n", name, 1e3 * one, 1e3 * two, one / two);
    destroy(c);
}

int main(int argc, char **argv)
{
    static const struct digits formats[] = {{2, 2}, {1, 2}, {1, 1}};
    bench_init(argc, argv);
    check(qnt_context_create(NULL, NULL, NULL, &context), "context");
    check(qnt_context_set_cpu(context, bench_cpu()), "cpu");
    check(qnt_context_create(NULL, NULL, NULL, &pair), "context");
    check(qnt_context_set_cpu(pair, bench_cpu()), "cpu");
    check(qnt_pool_create(pair, 2, &pool), "pool");
    check(qnt_context_set_parallel(pair, qnt_pool_run, pool, 2), "workers");
    printf("\n%-32s %8s %8s %8s %6s %9s %8s %6s\n", "packed 1- and 2-bit convolutions", "ms",
           "layer ms", "GMAC/s", "peak", "shuffled", "peer ms", "ratio");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const struct digits f = formats[i];
        row(56, 128, 2, 3, f), row(28, 256, 2, 3, f), row(14, 512, 2, 3, f), row(7, 1024, 2, 3, f);
        row(56, 64, 2, 3, f), row(14, 256, 2, 3, f), row(28, 256, 2, 1, f), row(14, 512, 2, 1, f);
    }
    printf("\n  peak: share of what this core multiplies of int8 at most; ratio: peer / layer\n");
    printf("\n%-40s %8s %8s %6s\n", "one and two workers, wall time", "one", "two", "ratio");
    worker_row(56, 128), worker_row(28, 256), worker_row(14, 512), worker_row(7, 1024);
    qnt_context_destroy(context), qnt_context_destroy(pair);
    qnt_pool_destroy(pool);
    return 0;
}
