/*
 * Kernel-map layers against two bare products of their shape, on patches that lie there already:
 * what do cutting, rounding, exponentials, pooling and the projection cost? "gemm" is the product
 * with the layer's own anchors, packed in their bits, by its kernel over whole matrices, which is
 * the best there is; "int8" is qnt_gemm_s8. The layer's own products are what is saved when the
 * slots of products do nothing. And learning.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "ckn/ckn.h"
#include "kernel/panels.h"
#include "simd/layout.h"
#include "qnt.h"

enum { SIDE = 28, PATCHES = 100000 };

static qnt_context *context, *idle; /* the second one has no products with anchors */

static size_t anchor_depth; /* of the map that runs: tells its products from the projection */

/* Zeros instead of products: what lay there could be slow numbers. */
static void no_floats(const struct qnt__gemm_f32 *g)
{
    if (g->depth != anchor_depth)
        context->simd.gemm_f32(g);
    else
        memset(g->y, 0, g->m * g->ld * sizeof *g->y);
}

static void no_bytes(const struct qnt__gemm *g)
{
    memset(g->acc, 0, g->m * g->ld * sizeof *g->acc);
}

static void no_bits(const struct qnt__gemm_bits *g)
{
    memset(g->acc, 0, g->m * g->ld * sizeof *g->acc);
}

static void check(qnt_status status, const char *what)
{
    if (status == QNT_OK) return;
    fprintf(stderr, "%s: %s\n", what, qnt_status_name(status));
    exit(1);
}

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

/* A layer on one image, and the product of as many rows. */
struct job {
    qnt_ckn *map;
    int64_t x_shape[4], y_shape[4], a_shape[2], b_shape[2], c_shape[2];
    qnt_tensor x, y, a, b, c;
    void *space;
    size_t bytes;
    uint8_t *bare; /* rows of patches as the layer multiplies them, bare_row bytes apart */
    int32_t *bare_result;
    size_t bare_row;
};

static float *random_floats(size_t n)
{
    float *x = bench_memory(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = (float)(bench_random() >> 40) * 0x1p-24f - 0.4f;
    return x;
}

static int32_t read_image(void *user, uint64_t index, float *image)
{
    const int64_t *shape = user;
    (void)index;
    for (int64_t i = 0; i < shape[1] * shape[2] * shape[3]; i++)
        image[i] = (float)(bench_random() >> 40) * 0x1p-24f - 0.4f;
    return 0;
}

static struct job *create(int side, int channels, int kernel, int filters, int bits)
{
    struct job *j = calloc(1, sizeof *j);
    qnt_ckn_spec spec = {.size = sizeof spec,
                         .channels = channels,
                         .kernel = kernel,
                         .pad = kernel / 2,
                         .filters = filters,
                         .subsample = 2,
                         .anchor_bits = bits,
                         .patch_bits = bits,
                         .centre = bits == 1};
    const int64_t out = (side - 1) / 2 + 1, depth = kernel * kernel * channels;
    int64_t anchor_shape[2] = {filters, depth};
    j->x_shape[0] = j->y_shape[0] = 1;
    j->x_shape[1] = j->x_shape[2] = side, j->x_shape[3] = channels;
    j->y_shape[1] = j->y_shape[2] = out, j->y_shape[3] = filters;
    j->a_shape[0] = j->c_shape[0] = side * side, j->a_shape[1] = j->b_shape[1] = depth;
    j->b_shape[0] = j->c_shape[1] = filters;
    j->x = tensor(random_floats((size_t)(side * side * channels)), QNT_FLOAT, 32, 4, j->x_shape);
    j->y = tensor(bench_memory((size_t)(out * out * filters) * 4), QNT_FLOAT, 32, 4, j->y_shape);
    j->a = tensor(bench_memory((size_t)(side * side * depth)), QNT_UINT, 8, 2, j->a_shape);
    j->b = tensor(bench_memory((size_t)(filters * depth)), QNT_INT, 8, 2, j->b_shape);
    j->c = tensor(bench_memory((size_t)(side * side * filters) * 4), QNT_INT, 32, 2, j->c_shape);
    float *anchor = random_floats((size_t)(filters * depth));
    qnt_tensor anchors = tensor(anchor, QNT_FLOAT, 32, 2, anchor_shape);
    check(qnt_ckn_create(context, &spec, &j->map), "qnt_ckn_create");
    check(qnt_ckn_set(context, j->map, &anchors), "qnt_ckn_set");
    check(qnt_ckn_workspace(context, j->map, &j->x, &j->bytes), "qnt_ckn_workspace");
    j->space = bench_memory(j->bytes);
    free(anchor);
    const qnt_ckn *c = j->map;
    j->bare_row = bits == 32 ? 4 * c->depth : c->bit_panel ? 8 * c->words : c->code_depth;
    j->bare = bench_memory((size_t)j->a_shape[0] * j->bare_row);
    if (bits == 32) memset(j->bare, 0, (size_t)j->a_shape[0] * j->bare_row); /* no slow numbers */
    j->bare_result = bench_memory((size_t)j->a_shape[0] * c->panels * QNT__PANEL * 4);
    return j;
}

static void run(void *state)
{
    struct job *j = state;
    check(qnt_ckn_run(context, j->map, &j->x, &j->y, j->space, j->bytes), "qnt_ckn_run");
}

/* The same without products with anchors. */
static void run_idle(void *state)
{
    struct job *j = state;
    check(qnt_ckn_run(idle, j->map, &j->x, &j->y, j->space, j->bytes), "qnt_ckn_run");
}

static void multiply(void *state)
{
    struct job *j = state;
    check(qnt_gemm_s8(context, &j->a, 0, &j->b, NULL, &j->c), "qnt_gemm_s8");
}

/* The codes of all patches, or their numbers, by all anchors; four panels stay in the cache while
 * all rows pass. What the rows hold does not matter. */
static void multiply_bare(void *state)
{
    struct job *j = state;
    const qnt_ckn *c = j->map;
    const struct qnt__simd *simd = &context->simd;
    const size_t m = (size_t)j->a_shape[0], ld = c->panels * QNT__PANEL;
    const size_t panel_bytes = qnt__panel_bytes(1, c->depth, c->code_bits);
    const ptrdiff_t none = 0;
    const void *rows[QNT__GEMM_ROWS];
    const size_t most = c->code_panel && !c->bit_panel ? QNT__GEMM_ROWS : QNT__BLOCK_ROWS;
    for (size_t p = 0; p < c->panels; p += QNT__BLOCK_PANELS) {
        size_t panels = c->panels - p < QNT__BLOCK_PANELS ? c->panels - p : QNT__BLOCK_PANELS;
        for (size_t i = 0; i < m; i += most) {
            size_t count = m - i < most ? m - i : most;
            void *to = j->bare_result + i * ld + p * QNT__PANEL;
            for (size_t r = 0; r < count; r++) rows[r] = j->bare + (i + r) * j->bare_row;
            if (c->spec.patch_bits == QNT__CKN_FLOATS) {
                struct qnt__gemm_f32 g = {.rows = (const float **)rows,
                                          .taps = &none,
                                          .y = to,
                                          .m = count,
                                          .panels = panels,
                                          .tap_count = 1,
                                          .weight = c->anchor_panel + p * c->depth * QNT__PANEL,
                                          .depth = c->depth,
                                          .ld = ld};
                simd->gemm_f32(&g);
            } else if (c->bit_panel) {
                struct qnt__gemm_bits g = {.a = rows[0],
                                           .a_row = c->words,
                                           .acc = to,
                                           .m = count,
                                           .b = c->bit_panel + p * c->words * QNT__PANEL,
                                           .b_panel = c->words * QNT__PANEL,
                                           .panels = panels,
                                           .planes = 1,
                                           .words = c->words,
                                           .shift = 1,
                                           .ld = ld};
                simd->gemm_bits(&g);
            } else {
                struct qnt__gemm g = {.rows = (const uint8_t **)rows,
                                      .taps = &none,
                                      .acc = to,
                                      .m = count,
                                      .panels = panels,
                                      .tap_count = 1,
                                      .weight = c->code_panel + p * panel_bytes,
                                      .depth = c->code_depth,
                                      .panel_bytes = panel_bytes,
                                      .ld = ld,
                                      .bits = c->code_bits};
                simd->gemm_s8(&g);
            }
        }
    }
}

static void learn(struct job *j)
{
    qnt_ckn_data data = {.size = sizeof data,
                         .height = (int32_t)j->x_shape[1],
                         .width = (int32_t)j->x_shape[2],
                         .images = 1000,
                         .patches = PATCHES,
                         .rounds = 20,
                         .read = read_image,
                         .user = j->x_shape};
    double start = bench_now();
    check(qnt_ckn_fit(context, j->map, &data), "qnt_ckn_fit");
    printf("learning %lld anchors of %lld numbers from %d patches, 20 rounds: %.1f s\n",
           (long long)j->b_shape[0], (long long)j->b_shape[1], PATCHES, bench_now() - start);
}

static void destroy(struct job *j)
{
    free(j->x.data), free(j->y.data), free(j->a.data), free(j->b.data), free(j->c.data);
    free(j->space), free(j->bare), free(j->bare_result);
    qnt_ckn_destroy(j->map);
    free(j);
}

int main(int argc, char **argv)
{
    static const int shapes[][4] = {
        {SIDE, 1, 5, 64}, {SIDE / 2, 64, 3, 64}, {SIDE / 2, 64, 3, 256}};
    static const int bits[] = {32, 8, 4, 2, 1};
    bench_init(argc, argv);
    check(qnt_context_create(NULL, NULL, NULL, &context), "context");
    check(qnt_context_set_cpu(context, bench_cpu()), "cpu");
    check(qnt_context_create(NULL, NULL, NULL, &idle), "context");
    check(qnt_context_set_cpu(idle, bench_cpu()), "cpu");
    idle->simd.gemm_s8 = no_bytes, idle->simd.gemm_bits = no_bits;
    printf("%-30s %8s %8s | %8s %6s %8s | %8s %6s %8s\n", "kernel map of one image", "ms",
           "products", "gemm ms", "map", "products", "int8 ms", "map", "products");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int *f = shapes[s];
        for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
            struct job *j = create(f[0], f[1], f[2], f[3], bits[i]);
            struct bench_candidate c[] = {{.name = "map", .run = run, .state = j},
                                          {.name = "gemm", .run = multiply_bare, .state = j},
                                          {.name = "int8", .run = multiply, .state = j},
                                          {.name = "idle", .run = run_idle, .state = j}};
            idle->simd.gemm_f32 = bits[i] == 32 ? no_floats : context->simd.gemm_f32;
            anchor_depth = j->map->depth;
            bench_compare(c, 4);
            char name[64];
            snprintf(name, sizeof name, "%dx%dx%d, %d of %dx%d, %d bits", f[0], f[0], f[1], f[3],
                     f[2], f[2], bits[i]);
            double own = c[0].seconds - c[3].seconds;
            printf("%-30s %8.3f %8.3f", name, 1e3 * c[0].seconds, 1e3 * own);
            for (int k = 1; k < 3; k++)
                printf(" | %8.3f %6.2f %8.2f", 1e3 * c[k].seconds, c[k].seconds / c[0].seconds,
                       c[k].seconds / own);
            printf("\n");
            if (bits[i] == 32 && s < 2) learn(j);
            destroy(j);
        }
    }
    qnt_context_destroy(context), qnt_context_destroy(idle);
    return 0;
}
