/*
 * Codes that stand for levels: products of two codebooks against the float product that they
 * replace, one row of packed weights against the memory's pace, and counting exponents by bit
 * slices against counting them one by one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bits_roof.h"
#include "kernel/panels.h"
#include "openblas.h"
#include "qnt.h"
#include "simd/slots.h"

static void check(qnt_status status, const char *what)
{
    if (status == QNT_OK) return;
    fprintf(stderr, "%s: %s\n", what, qnt_status_name(status));
    exit(1);
}

static qnt_context *context;

/* ---- qnt_gemm_table, decode of both operands included ---- */

struct table_product {
    int64_t a_shape[2], b_shape[2], c_shape[2], levels;
    qnt_tensor a, b, c, table;
};

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

static struct table_product *table_create(size_t m, size_t n, size_t k, int bits, int level_bits)
{
    struct table_product *p = calloc(1, sizeof *p);
    p->a_shape[0] = p->c_shape[0] = (int64_t)m;
    p->b_shape[0] = p->c_shape[1] = (int64_t)n;
    p->a_shape[1] = p->b_shape[1] = (int64_t)k;
    p->levels = 1 << bits;
    p->a = tensor(bench_memory(m * k), QNT_UINT, bits, 2, p->a_shape);
    p->b = tensor(bench_memory(n * k), QNT_UINT, bits, 2, p->b_shape);
    p->c = tensor(bench_memory(m * n * 4), QNT_INT, 32, 2, p->c_shape);
    p->table = tensor(bench_memory(512), QNT_INT, level_bits, 1, &p->levels);
    return p;
}

static void table_run(void *state)
{
    struct table_product *p = state;
    check(qnt_gemm_table(context, &p->a, &p->table, &p->b, &p->table, &p->c), "qnt_gemm_table");
}

static void table_destroy(struct table_product *p)
{
    free(p->a.data), free(p->b.data), free(p->c.data), free(p->table.data);
    free(p);
}

/* ---- slots on packed panels ---- */

struct packed_product {
    size_t m, n, k, copies, turn, panel_bytes;
    int bits;
    struct qnt__simd simd;
    uint8_t *x, *w;
    int32_t *acc;
    int8_t levels[16];
};

static struct packed_product *packed_create(size_t m, size_t n, size_t k, int bits, size_t copies)
{
    struct packed_product *p = calloc(1, sizeof *p);
    *p = (struct packed_product){.m = m, .n = n, .k = k, .bits = bits, .copies = copies};
    qnt__simd_choose(&p->simd, bench_cpu());
    p->panel_bytes = qnt__panel_bytes(1, k, bits);
    p->x = bench_memory(m * k);
    p->w = bench_memory(copies * n / QNT__PANEL * p->panel_bytes);
    p->acc = bench_memory(m * n * sizeof *p->acc);
    bench_fill(p->levels, sizeof p->levels);
    return p;
}

static void packed_run(void *state)
{
    struct packed_product *p = state;
    ptrdiff_t tap = 0;
    size_t panels = p->n / QNT__PANEL;
    const uint8_t *rows[QNT__BLOCK_ROWS], *w = p->w + p->turn * panels * p->panel_bytes;
    p->turn = (p->turn + 1) % p->copies;
    for (size_t j = 0; j < panels; j += QNT__BLOCK_PANELS) {
        for (size_t i = 0; i < p->m; i += QNT__BLOCK_ROWS) {
            struct qnt__gemm g = {.rows = rows,
                                  .taps = &tap,
                                  .tap_count = 1,
                                  .depth = p->k,
                                  .weight = w + j * p->panel_bytes,
                                  .panel_bytes = p->panel_bytes,
                                  .acc = p->acc + i * p->n + j * QNT__PANEL,
                                  .ld = p->n,
                                  .bits = p->bits};
            g.m = p->m - i < QNT__BLOCK_ROWS ? p->m - i : QNT__BLOCK_ROWS;
            g.panels = panels - j < QNT__BLOCK_PANELS ? panels - j : QNT__BLOCK_PANELS;
            for (size_t r = 0; r < g.m; r++) rows[r] = p->x + (i + r) * p->k;
            p->simd.gemm_levels(&g, p->levels);
        }
    }
}

static void packed_destroy(struct packed_product *p)
{
    free(p->x), free(p->w), free(p->acc);
    free(p);
}

/* 16-bit levels that are there already. */
struct word_product {
    size_t m, n, k;
    struct qnt__simd simd;
    int16_t *x, *w;
    int32_t *acc;
};

static void word_run(void *state)
{
    struct word_product *p = state;
    const int16_t *rows[QNT__BLOCK_ROWS];
    for (size_t j = 0; j < p->n; j += QNT__BLOCK_PANELS * QNT__PANEL) {
        for (size_t i = 0; i < p->m; i += QNT__BLOCK_ROWS) {
            struct qnt__gemm_s16 g = {.rows = rows,
                                      .weight = p->w + j * p->k,
                                      .depth = p->k,
                                      .ld = p->n,
                                      .acc = p->acc + i * p->n + j,
                                      .panels = QNT__BLOCK_PANELS};
            g.m = p->m - i < QNT__BLOCK_ROWS ? p->m - i : QNT__BLOCK_ROWS;
            for (size_t r = 0; r < g.m; r++) rows[r] = p->x + (i + r) * p->k;
            p->simd.gemm_s16(&g);
        }
    }
}

static void products(void)
{
    enum { M = 256, N = 1024, K = 1024 };
    const double words_share = bench_cpu() & QNT_CPU_AVX512VNNI ? 0.5 : 1; /* of the peak */
    printf("\n%-34s %8s %8s %6s %6s %8s\n", "256x1024x1024", "ms", "float ms", "ratio", "roof", "of roof");
    for (int bits = 2; bits <= 8; bits++) {
        struct table_product *narrow = table_create(M, N, K, bits, 8);
        struct table_product *wide = table_create(M, N, K, bits, 16);
        struct packed_product *packed = bits <= 4 ? packed_create(M, N, K, bits, 1) : NULL;
        struct word_product words = {M,
                                     N,
                                     K,
                                     .x = bench_memory(M * K * 2),
                                     .w = bench_memory(N * K * 2),
                                     .acc = bench_memory(M * N * 4)};
        qnt__simd_choose(&words.simd, bench_cpu());
        struct float_gemm *peer = float_gemm_create(M, N, K);
        struct bench_candidate c[] = {
            {.name = "both decoded to int8", .run = table_run, .state = narrow},
            {.name = "both decoded to int16", .run = table_run, .state = wide},
            {.name = "packed weights to int8", .run = packed_run, .state = packed},
            {.name = "int16 levels", .run = word_run, .state = bits == 8 ? &words : NULL},
            {.name = "sgemm", .run = float_gemm_run, .state = peer},
            {.name = "peak", .run = bench_peak_run, .state = peer}};
        bench_compare(c, 6);
        const double peak = bench_peak_products() / c[5].seconds;
        for (int i = 0; i < 4; i++) {
            if (!c[i].state) continue;
            const double least = (double)M * N * K / (i % 2 ? words_share * peak : peak); /* seconds */
            printf("%d bits, %-26s %8.3f %8.3f %6.2f %6.2f %7.0f%%\n", bits, c[i].name, 1e3 * c[i].seconds,
                   1e3 * c[4].seconds, c[4].seconds / c[i].seconds, c[4].seconds / least,
                   100 * least / c[i].seconds);
        }
        table_destroy(narrow), table_destroy(wide);
        if (packed) packed_destroy(packed);
        free(words.x), free(words.w), free(words.acc);
        float_gemm_destroy(peer);
    }
}

static void one_row(void)
{
    enum { N = 4096, K = 4096, COPIES = 24 };
    printf("\n%-18s %8s %8s %9s %12s\n", "1x4096x4096", "us", "GB/s", "of memory", "against float");
    for (int bits = 4; bits >= 2; bits--) {
        for (int cold = 0; cold < 2; cold++) {
            struct packed_product *p = packed_create(1, N, K, bits, cold ? COPIES : 1);
            size_t bytes = N / QNT__PANEL * p->panel_bytes;
            struct bench_stream stream = bench_stream(bytes, p->copies);
            struct float_gemm *peer = float_gemm_create(1, N, K);
            struct bench_candidate c[] = {
                {.name = "levels", .run = packed_run, .state = p},
                {.name = "stream", .run = bench_stream_run, .state = &stream},
                {.name = "sgemm", .run = float_gemm_run, .state = peer}};
            bench_compare(c, 3);
            printf("w%d %-15s %8.1f %8.1f %8.0f%% %12.1f\n", bits, cold ? "memory" : "warm",
                   1e6 * c[0].seconds, 1e-9 * (double)bytes / c[0].seconds,
                   100 * c[1].seconds / c[0].seconds, c[2].seconds / c[0].seconds);
            bench_stream_free(&stream);
            packed_destroy(p);
            float_gemm_destroy(peer);
        }
    }
}

/* ---- layers of codebooks, floats in and out ---- */

struct layer_job {
    qnt_layer *layer[24];
    size_t copies, turn, bytes;
    int64_t x_shape[2], y_shape[2];
    qnt_tensor x, y;
    void *space;
};

static void layer_run(void *state)
{
    struct layer_job *j = state;
    j->turn = (j->turn + 1) % j->copies;
    check(qnt_layer_run(context, j->layer[j->turn], &j->x, &j->y, j->space, j->bytes),
          "qnt_layer_run");
}

static qnt_quantizer *fitted(qnt_spec spec, const qnt_tensor *t, const char *what)
{
    qnt_quantizer *q = NULL;
    spec.size = sizeof spec;
    check(qnt_quantizer_create(context, &spec, &q), what);
    if (spec.flags & QNT_DYNAMIC) return q;
    check(qnt_quantizer_observe(context, q, t, NULL), what);
    check(qnt_quantizer_fit(context, q), what);
    return q;
}

/* `inputs`: NULL, float input; otherwise its format. */
static struct layer_job *layer_create(int64_t m, int64_t n, int64_t k, qnt_spec weights,
                                      const qnt_spec *inputs, size_t copies)
{
    struct layer_job *j = calloc(1, sizeof *j);
    int64_t shape[2] = {n, k};
    float *values = malloc((size_t)(n * k) * sizeof *values);
    qnt_tensor t = tensor(values, QNT_FLOAT, 32, 2, shape);
    qnt_layer_spec spec = {.size = sizeof spec};
    for (int64_t i = 0; i < n * k; i++)
        values[i] = (float)((double)(bench_random() >> 40) * 0x1p-23 - 1.0);
    j->x_shape[0] = j->y_shape[0] = m, j->x_shape[1] = k, j->y_shape[1] = n;
    j->x = tensor(calloc((size_t)(m * k), 4), QNT_FLOAT, 32, 2, j->x_shape);
    for (int64_t i = 0; i < m * k; i++) ((float *)j->x.data)[i] = values[i % (n * k)];
    j->y = tensor(bench_memory((size_t)(m * n) * 4), QNT_FLOAT, 32, 2, j->y_shape);
    qnt_quantizer *w = fitted(weights, &t, "weights");
    qnt_quantizer *x = inputs ? fitted(*inputs, &j->x, "input") : NULL;
    for (; j->copies < copies; j->copies++) {
        check(qnt_layer_create(context, &spec, &t, w, NULL, x, NULL, &j->layer[j->copies]),
              "layer");
    }
    check(qnt_layer_workspace(context, j->layer[0], &j->x, &j->bytes), "workspace");
    j->space = malloc(j->bytes);
    free(values);
    qnt_quantizer_destroy(w), qnt_quantizer_destroy(x);
    return j;
}

static void layer_destroy(struct layer_job *j)
{
    for (size_t i = 0; i < j->copies; i++) qnt_layer_destroy(j->layer[i]);
    free(j->x.data), free(j->y.data), free(j->space);
    free(j);
}

#define EXPS(b, f) {.scheme = QNT_EXP, .method = QNT_TEQ, .bits = b, .flags = QNT_SIGNED | f}
#define AFFINE4 .bits = 4, .flags = QNT_SIGNED | QNT_SYMMETRIC, .method = QNT_MINMAX
#define BLOCKS(n) .grain = QNT_PER_BLOCK, .axis = 1, .block = n
#define LLOYD(b) .scheme = QNT_TABLE, .method = QNT_LLOYD, .bits = b

/* Size of a layer, its time, how often it runs while floats are multiplied once, and how many times as long
 * as the first row it takes. */
static void layers(void)
{
    static const qnt_spec dynamic = {.bits = 8, .method = QNT_MINMAX,
                                     .flags = QNT_DYNAMIC | QNT_SIGNED | QNT_SYMMETRIC},
                          exps4 = EXPS(4, 0), exps6 = EXPS(6, 0), literal = EXPS(4, QNT_LITERAL);
    static const struct {
        const char *name;
        qnt_spec weights;
        const qnt_spec *inputs;
    } rows[] = {
        {"affine, 4 bits", {AFFINE4}, &dynamic},
        {"NF4", {.scheme = QNT_TABLE, .method = QNT_NF4}, &dynamic},
        {"affine in blocks", {AFFINE4, BLOCKS(32)}, &dynamic},
        {"NF4 in blocks", {.scheme = QNT_TABLE, .method = QNT_NF4, BLOCKS(32)}, &dynamic},
        {"own tables, 4 bits", {LLOYD(4), .grain = QNT_PER_AXIS}, &dynamic},
        {"own tables, 5 bits", {LLOYD(5), .grain = QNT_PER_AXIS}, &dynamic},
        {"own tables, 3 bits", {LLOYD(3), .grain = QNT_PER_AXIS}, &dynamic},
        {"tables of blocks, 4", {LLOYD(4), BLOCKS(128)}, &dynamic},
        {"tables of blocks, 2", {LLOYD(2), BLOCKS(64)}, &dynamic},
        {"exponents 4", EXPS(4, 0), &dynamic},
        {"exponents 4 x 4", EXPS(4, 0), &exps4},
        {"exponents 5", EXPS(5, 0), &dynamic},
        {"exponents 6", EXPS(6, 0), &dynamic},
        {"exponents 7", EXPS(7, 0), &dynamic},
        {"exponents 4 x 6", EXPS(4, 0), &exps6},
        {"exponents 6 x 6", EXPS(6, 0), &exps6},
        {"literal 4 x 4", EXPS(4, QNT_LITERAL), &literal},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    static const int64_t sizes[][3] = {{1, 4096, 4096}, {256, 1024, 1024}};
    const char *part = bench_option("--rows"); /* of names */
    for (int s = 0; s < 2; s++) {
        int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
        struct float_gemm *peer = float_gemm_create((size_t)m, (size_t)n, (size_t)k);
        struct layer_job *plain = layer_create(m, n, k, rows[0].weights, &dynamic, m == 1 ? 12 : 1);
        printf("\n%4lldx%lldx%lld layers %7s %8s %8s %9s %14s\n", (long long)m, (long long)n, (long long)k,
               "KiB", "ms", "x float", "of affine", "float in, ms");
        for (size_t r = 0; r < ROWS; r++) {
            if (part && !strstr(rows[r].name, part)) continue;
            const size_t copies = m == 1 ? 12 : 1; /* from memory */
            struct layer_job *codes = layer_create(m, n, k, rows[r].weights, rows[r].inputs, copies);
            struct layer_job *floats = layer_create(m, n, k, rows[r].weights, NULL, 1);
            struct bench_candidate c[] = {{.name = "codes", .run = layer_run, .state = codes},
                                          {.name = "affine", .run = layer_run, .state = plain},
                                          {.name = "floats", .run = layer_run, .state = floats},
                                          {.name = "sgemm", .run = float_gemm_run, .state = peer}};
            size_t bytes;
            check(qnt_layer_save(context, codes->layer[0], NULL, 0, &bytes), "qnt_layer_save");
            bench_compare(c, 4);
            printf("%-20s %9zu %8.3f %8.2f %9.2f %14.3f\n", rows[r].name, bytes >> 10, 1e3 * c[0].seconds,
                   c[3].seconds / c[0].seconds, c[0].seconds / c[1].seconds, 1e3 * c[2].seconds);
            layer_destroy(codes), layer_destroy(floats);
        }
        layer_destroy(plain);
        float_gemm_destroy(peer);
    }
}

/* ---- what a layer adds to the product of its levels ---- */

struct shape {
    int64_t height, width, channels, outputs,
        kernel; /* of an image; kernel 0: height rows, dense */
};

struct layer_pair {
    struct layer_job codes, floats; /* the same layer */
    int64_t w_shape[4], x_shape[4], y_shape[4];
};

/* One layer with codes and with floats as input; where it is dynamic there are no codes. */
static struct layer_pair *pair_create(const struct shape *s, qnt_spec weights,
                                      const qnt_spec *inputs)
{
    struct layer_pair *p = calloc(1, sizeof *p);
    const int ndim = s->kernel ? 4 : 2;
    const int64_t side = s->kernel ? s->kernel : 1, k = side * side * s->channels;
    const int64_t in = s->height * s->width * s->channels, out = s->height * s->width * s->outputs;
    qnt_layer_spec spec = {.size = sizeof spec, .kind = s->kernel ? QNT_CONV : QNT_DENSE};
    const int64_t w_shape[] = {s->outputs, s->kernel ? side : k, side, s->channels};
    const int64_t x_shape[] = {s->kernel ? 1 : s->height, s->kernel ? s->height : k, s->width,
                               s->channels};
    const int64_t y_shape[] = {x_shape[0], s->kernel ? s->height : s->outputs, s->width,
                               s->outputs};
    memcpy(p->w_shape, w_shape, sizeof w_shape);
    memcpy(p->x_shape, x_shape, sizeof x_shape);
    memcpy(p->y_shape, y_shape, sizeof y_shape);
    for (int i = 0; i < 4; i++) spec.pad[i] = (int32_t)(side / 2);
    spec.stride[0] = spec.stride[1] = spec.dilation[0] = spec.dilation[1] = spec.groups = 1;
    float *w = malloc((size_t)(s->outputs * k) * sizeof *w), *x = malloc((size_t)in * sizeof *x);
    for (int64_t i = 0; i < s->outputs * k; i++)
        w[i] = (float)((double)(bench_random() >> 40) * 0x1p-23 - 1.0);
    for (int64_t i = 0; i < in; i++) x[i] = (float)((double)(bench_random() >> 40) * 0x1p-23 - 1.0);
    qnt_tensor weight = tensor(w, QNT_FLOAT, 32, ndim, p->w_shape);
    qnt_tensor y = tensor(bench_memory((size_t)out * 4), QNT_FLOAT, 32, ndim, p->y_shape);
    p->floats =
        (struct layer_job){.copies = 1, .x = tensor(x, QNT_FLOAT, 32, ndim, p->x_shape), .y = y};
    qnt_quantizer *weight_q = fitted(weights, &weight, "weights");
    qnt_quantizer *input_q = fitted(*inputs, &p->floats.x, "input");
    check(qnt_layer_create(context, &spec, &weight, weight_q, NULL, input_q, NULL, p->floats.layer),
          "layer");
    check(qnt_layer_workspace(context, p->floats.layer[0], &p->floats.x, &p->floats.bytes),
          "workspace");
    p->floats.space = malloc(p->floats.bytes);
    p->codes = p->floats;
    if (!(inputs->flags & QNT_DYNAMIC)) {
        const bool exps = inputs->scheme == QNT_EXP, books = exps || inputs->scheme == QNT_TABLE;
        p->codes.x = tensor(bench_memory((size_t)in), books ? QNT_UINT : QNT_INT,
                            inputs->bits + exps, ndim, p->x_shape);
        check(qnt_quantizer_encode(context, input_q, &p->floats.x, &p->codes.x), "codes");
    }
    free(w);
    qnt_quantizer_destroy(weight_q), qnt_quantizer_destroy(input_q);
    return p;
}

static void pair_destroy(struct layer_pair *p)
{
    qnt_layer_destroy(p->floats.layer[0]);
    if (p->codes.x.data != p->floats.x.data) free(p->codes.x.data);
    free(p->floats.x.data), free(p->floats.y.data), free(p->floats.space);
    free(p);
}

/* Layers beside qnt_gemm_table() of the same shape and numbers of bits, which only multiplies. Convolutions
 * are beside the product of all their taps, which reads and decodes inputs as often as there are taps. */
static void against_products(void)
{
    static const qnt_spec dynamic = {.bits = 8,
                                     .method = QNT_MINMAX,
                                     .flags = QNT_DYNAMIC | QNT_SIGNED | QNT_SYMMETRIC},
                          affine = {.bits = 8,
                                    .method = QNT_MINMAX,
                                    .flags = QNT_SIGNED | QNT_SYMMETRIC},
                          lloyd4 = {LLOYD(4)}, exps4 = EXPS(4, 0), exps6 = EXPS(6, 0);
    static const struct {
        const char *name;
        qnt_spec weights;
        const qnt_spec *inputs;
        int bits, level_bits; /* of qnt_gemm_table() */
    } rows[] = {
        {"table 4 x table 4", {LLOYD(4)}, &lloyd4, 4, 8},
        {"table 4 x affine 8", {LLOYD(4)}, &affine, 4, 8},
        {"table 4 x dynamic 8", {LLOYD(4)}, &dynamic, 4, 8},
        {"exponents 4 x 4", EXPS(4, 0), &exps4, 5, 8},
        {"table 6 x affine 8", {LLOYD(6)}, &affine, 6, 16},
        {"exponents 6 x affine 8", EXPS(6, 0), &affine, 7, 16},
        {"exponents 6 x dynamic 8", EXPS(6, 0), &dynamic, 7, 16},
        {"exponents 6 x 4", EXPS(6, 0), &exps4, 7, 16},
        {"exponents 4 x 6", EXPS(4, 0), &exps6, 7, 16},
        {"exponents 6 x 6", EXPS(6, 0), &exps6, 7, 16},
    };
    static const struct shape shapes[] = {
        {256, 1, 1024, 1024, 0}, {16, 16, 1024, 1024, 1}, {14, 14, 256, 256, 3}};
    const char *part = bench_option("--rows"); /* of names */
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t m = shapes[s].height * shapes[s].width, n = shapes[s].outputs,
                      side = shapes[s].kernel ? shapes[s].kernel : 1,
                      k = side * side * shapes[s].channels;
        struct float_gemm *peer = float_gemm_create((size_t)m, (size_t)n, (size_t)k);
        printf("\n%4lldx%lldx%lld %-10s %8s %8s %8s %8s %8s %8s %8s\n", (long long)m, (long long)n,
               (long long)k, shapes[s].kernel ? "convolved" : "dense", "codes ms", "floats",
               "product", "sgemm", "/ codes", "/ floats", "/ product");
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            if (part && !strstr(rows[r].name, part)) continue;
            struct layer_pair *p = pair_create(&shapes[s], rows[r].weights, rows[r].inputs);
            struct table_product *bare =
                table_create((size_t)m, (size_t)n, (size_t)k, rows[r].bits, rows[r].level_bits);
            struct bench_candidate c[] = {{.name = "codes", .run = layer_run, .state = &p->codes},
                                          {.name = "floats", .run = layer_run, .state = &p->floats},
                                          {.name = "product", .run = table_run, .state = bare},
                                          {.name = "sgemm", .run = float_gemm_run, .state = peer}};
            bench_compare(c, 4);
            printf("%-26s %8.3f %8.3f %8.3f %8.3f %8.2f %8.2f %8.2f\n", rows[r].name,
                   1e3 * c[0].seconds, 1e3 * c[1].seconds, 1e3 * c[2].seconds, 1e3 * c[3].seconds,
                   c[3].seconds / c[0].seconds, c[3].seconds / c[1].seconds,
                   c[3].seconds / c[2].seconds);
            pair_destroy(p);
            table_destroy(bare);
        }
        float_gemm_destroy(peer);
    }
}

/* ---- counting ---- */

struct counting {
    size_t n;
    int bits;
    uint8_t *a, *b; /* a code per byte, as the loop reads them */
    uint64_t *a_planes, *b_planes;
    struct qnt__simd simd;
    int32_t counts[508];
};

/* One product after the other, as the method is described. */
static void count_one_by_one(void *state)
{
    struct counting *s = state;
    int levels = (1 << s->bits) - 1;
    int32_t *sums = s->counts, *of_a = sums + 2 * levels - 1, *of_b = of_a + levels;
    int32_t *all = of_b + levels;
    for (size_t k = 0; k < s->n; k++) {
        int f = s->a[k] & levels, g = s->b[k] & levels;
        if (f == 0 || g == 0) continue;
        int sign = (s->a[k] ^ s->b[k]) >> s->bits & 1 ? -1 : 1;
        sums[f + g - 2] += sign;
        of_a[f - 1] += sign;
        of_b[g - 1] += sign;
        *all += sign;
    }
}

static void count_parts(struct counting *s, int parts)
{
    const struct qnt__count_exp c = {.a = s->a_planes,
                                     .b = s->b_planes,
                                     .words = s->n / 64,
                                     .bits = s->bits,
                                     .parts = parts,
                                     .counts = s->counts};
    s->simd.count_exp(&c);
}

static void count_planes(void *state)
{
    count_parts(state, QNT__COUNT_OF_A | QNT__COUNT_OF_B);
}

/* All that is needed where both betas are 0. */
static void count_sums(void *state)
{
    count_parts(state, 0);
}

static void slice_and_count(void *state)
{
    struct counting *s = state;
    s->simd.slice_codes(s->a, s->n, s->bits + 1, s->a_planes, s->n / 64);
    s->simd.slice_codes(s->b, s->n, s->bits + 1, s->b_planes, s->n / 64);
    count_planes(s);
}

static void counting(void)
{
    enum { N = 4096 };
    const double sets = bits_roof().sets;
    printf("\n%-14s %10s %10s %6s %6s %14s %6s %12s %6s\n", "counting, 4096", "loop us", "planes us",
           "ratio", "roof", "sliced too us", "ratio", "sums only us", "ratio");
    for (int bits = 2; bits <= 7; bits++) {
        struct counting s = {.n = N,
                             .bits = bits,
                             .a = bench_memory(N),
                             .b = bench_memory(N),
                             .a_planes = bench_memory(N),
                             .b_planes = bench_memory(N)};
        qnt__simd_choose(&s.simd, bench_cpu());
        slice_and_count(&s);
        struct bench_candidate c[] = {{.name = "loop", .run = count_one_by_one, .state = &s},
                                      {.name = "planes", .run = count_planes, .state = &s},
                                      {.name = "both", .run = slice_and_count, .state = &s},
                                      {.name = "sums", .run = count_sums, .state = &s}};
        bench_compare(c, 4);
        const double least = N * (double)(4 << bits) / sets; /* sets of planes: the sum's, a's, b's */
        printf("%d exponent bits %9.2f %10.3f %6.1f %6.1f %14.3f %6.1f %12.3f %6.1f\n", bits,
               1e6 * c[0].seconds, 1e6 * c[1].seconds, c[0].seconds / c[1].seconds,
               sets > 0 ? c[0].seconds / least : 0, 1e6 * c[2].seconds, c[0].seconds / c[2].seconds,
               1e6 * c[3].seconds, c[0].seconds / c[3].seconds);
        free(s.a), free(s.b), free(s.a_planes), free(s.b_planes);
    }
}

/* ---- products by counting ---- */

struct exp_product {
    struct table_product *p;
    qnt_tensor c;
    qnt_exp exp;
};

static void exp_run(void *state)
{
    struct exp_product *e = state;
    check(qnt_gemm_exp(context, &e->p->a, &e->exp, &e->p->b, &e->exp, &e->c), "qnt_gemm_exp");
}

static void exp_products(void)
{
    printf("\n%-16s %12s %12s %6s\n", "64x64x4096", "counted ms", "levels ms", "ratio");
    for (int bits = 2; bits <= 7; bits++) {
        struct exp_product e = {.p = table_create(64, 64, 4096, bits + 1, 8)};
        e.exp = (qnt_exp){.size = sizeof e.exp, .exponent_bits = bits, .base = 1.02, .alpha = 1.0};
        e.c = e.p->c;
        e.c.dtype_code = QNT_FLOAT;
        struct bench_candidate c[] = {{.name = "counted", .run = exp_run, .state = &e},
                                      {.name = "levels", .run = table_run, .state = e.p}};
        bench_compare(c, 2);
        printf("%d exponent bits %12.3f %12.3f %6.1f\n", bits, 1e3 * c[0].seconds,
               1e3 * c[1].seconds, c[0].seconds / c[1].seconds);
        table_destroy(e.p);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    printf("# peer: %s\n", float_gemm_version() ? float_gemm_version() : "none");
    check(qnt_context_create(NULL, NULL, NULL, &context), "qnt_context_create");
    check(qnt_context_set_cpu(context, bench_cpu()), "qnt_context_set_cpu");
    const char *only = bench_option("--only");
    if (!only || !strcmp(only, "products")) products();
    if (!only || !strcmp(only, "rows")) one_row();
    if (!only || !strcmp(only, "layers")) layers();
    if (!only || !strcmp(only, "against")) against_products();
    if (!only || !strcmp(only, "counting")) counting();
    if (!only || !strcmp(only, "exp")) exp_products();
    qnt_context_destroy(context);
    return 0;
}
