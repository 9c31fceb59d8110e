/* For the tests of blobs: random layers, quantizers, kernel maps and layers of packed digits, and
 * what they compute. */
#ifndef BLOB_CASE_H
#define BLOB_CASE_H

#include "layer_case.h"
#include "lowbit/layer.h"

static UNUSED layer_case random_layer_case(int turn)
{
    int input = turn % 3;
    layer_case c = turn % 2 ? random_conv(input) : random_dense(input);
    if (turn % 8 == 0) { /* blocks */
        c.grain = QNT_PER_BLOCK;
        c.block = 16 * random_in(1, 3);
        c.wflags |= QNT_SIGNED;
    }
    if (turn % 8 == 1) { /* depthwise */
        c.channels = c.outputs = 1;
        c.spec.groups = (int32_t)random_in(2, 40);
        c.spec.group_shift = 0;
    }
    c.strided = 0, c.misaligned = false;
    return c;
}

static UNUSED qnt_layer *make_layer(const qnt_context *context, const layer_case *c,
                                    const layer_data *d)
{
    qnt_quantizer *in = make_quantizer(context, &c->in), *out = make_quantizer(context, &c->out);
    qnt_quantizer *wq = make_weight_q(context, c, d);
    qnt_layer *layer = NULL;
    held_tensor w;
    hold_weight(context, &w, c, d);
    qnt_tensor *bias = c->has_bias ? TENSOR(d->bias, QNT_FLOAT, 32, d->groups * c->outputs) : NULL;
    qnt_status status = qnt_layer_create(context, &c->spec, &w.v.t, wq, bias, in, out, &layer);
    CHECK_MSG(status == QNT_OK, "create: %s", check_reason);
    qnt_quantizer_destroy(in), qnt_quantizer_destroy(out), qnt_quantizer_destroy(wq);
    release(&w);
    return layer;
}

/* Runs a layer on float data of any shape; the result's bytes, NULL if it refuses. */
static UNUSED uint8_t *run_layer(const qnt_context *context, const qnt_layer *layer,
                                 const qnt_tensor *x, size_t *bytes)
{
    check_tensor y = {0};
    uint64_t size;
    size_t space;
    y.t.shape = y.shape;
    y.t.strides = y.strides;
    if (qnt_layer_view(context, layer, x, &y.t) != QNT_OK ||
        qnt_layer_workspace(context, layer, x, &space) != QNT_OK ||
        qnt_tensor_bytes(context, &y.t, &size) != QNT_OK || size > 1 << 24 || space > 1 << 26) {
        return NULL;
    }
    uint8_t *result = zeroed((size_t)size, 1);
    void *workspace = zeroed(space, 1);
    y.t.data = result;
    qnt_status status = qnt_layer_run(context, layer, x, &y.t, workspace, space);
    CHECK_MSG(status == QNT_OK, "run: %s", check_reason);
    free(workspace);
    *bytes = (size_t)size;
    return result;
}

static UNUSED uint8_t *run_case(const qnt_context *context, const qnt_layer *layer,
                                const layer_case *c, const layer_data *d, size_t *bytes)
{
    int64_t channels = d->groups * c->channels;
    if (c->spec.kind == QNT_DENSE) {
        return run_layer(context, layer, TENSOR(d->x, QNT_FLOAT, 32, c->batch, c->width, channels),
                         bytes);
    }
    qnt_tensor *x = c->spec.layout == QNT_NCHW
                        ? TENSOR(d->x, QNT_FLOAT, 32, c->batch, channels, c->height, c->width)
                        : TENSOR(d->x, QNT_FLOAT, 32, c->batch, c->height, c->width, channels);
    return run_layer(context, layer, x, bytes);
}

/* A quantizer of any kind, with parameters; *groups receives their number. */
static UNUSED qnt_quantizer *random_quantizer(const qnt_context *context)
{
    static const int32_t bits[] = {1, 2, 3, 4, 5, 6, 7, 8, 16};
    qnt_spec spec = {.size = sizeof spec,
                     .method = (int32_t)random_in(0, 1) * QNT_MSE,
                     .bits = bits[random_in(0, 8)],
                     .grain = (int32_t)random_in(0, 2),
                     .axis = (int32_t)random_in(-2, 1),
                     .seed = random_u64()};
    if (random_in(0, 1)) spec.flags |= QNT_SIGNED;
    if (random_in(0, 1)) spec.flags |= QNT_SYMMETRIC;
    else if (spec.bits <= 4 && random_in(0, 1)) spec.flags |= QNT_REAL_OFFSET;
    if (spec.grain == QNT_PER_BLOCK) spec.block = random_in(1, 9);
    if (spec.bits > 1 && random_in(0, 1)) spec.flags |= QNT_NARROW;
    qnt_quantizer *q = NULL;
    CHECK_MSG(qnt_quantizer_create(context, &spec, &q) == QNT_OK, "%s", check_reason);
    double values[40];
    size_t groups = spec.grain ? (size_t)random_in(1, 40) : 1;
    CHECK(qnt_quantizer_set(context, q, QNT_P_NODES, (double[]){77.0}, 1) == QNT_OK);
    if (spec.method == QNT_MSE) {
        float x[7 * 13];
        for (int i = 0; i < 7 * 13; i++) x[i] = (float)random_gauss();
        CHECK(qnt_quantizer_observe(context, q, TENSOR(x, QNT_FLOAT, 32, 7, 13), NULL) == QNT_OK);
        CHECK(qnt_quantizer_fit(context, q) == QNT_OK);
        return q;
    }
    for (size_t g = 0; g < groups; g++) values[g] = 0.01 + random_unit();
    CHECK(qnt_quantizer_set(context, q, QNT_P_SCALE, values, groups) == QNT_OK);
    if (spec.flags & QNT_REAL_OFFSET) {
        CHECK(qnt_quantizer_set(context, q, QNT_P_OFFSET, values, groups) == QNT_OK);
    }
    return q;
}

/* A kernel map with random anchors of any bits. */
static UNUSED qnt_ckn *random_map(const qnt_context *context)
{
    int32_t anchors = random_in(0, 3) ? (int32_t)random_in(1, 8) : 32;
    int32_t patches = anchors < 32 && random_in(0, 3) ? (int32_t)random_in(1, 8) : 32;
    bool literal = anchors == 32 && random_in(0, 1);
    qnt_ckn_spec spec = {.size = sizeof spec,
                         .channels = (int32_t)random_in(1, 3),
                         .kernel = (int32_t)random_in(1, 3),
                         .filters = (int32_t)random_in(1, 20),
                         .subsample = (int32_t)random_in(1, 3),
                         .anchor_bits = anchors,
                         .patch_bits = patches,
                         .centre = (int32_t)random_in(0, 1),
                         .sigma = 0.5f,
                         .regulariser = random_in(0, 1) ? -1.0f : 0.02f,
                         .seed = random_u64(),
                         .flags = literal ? QNT_LITERAL : 0};
    static float anchor[20 * 28];
    qnt_ckn *map = NULL;
    spec.pad = (int32_t)random_in(0, spec.kernel - 1);
    for (int i = 0; i < 20 * 28; i++) anchor[i] = (float)(random_unit() + 0.1); /* weights too */
    CHECK_MSG(qnt_ckn_create(context, &spec, &map) == QNT_OK, "%s", check_reason);
    CHECK_MSG(qnt_ckn_set(context, map,
                          TENSOR(anchor, QNT_FLOAT, 32, spec.filters,
                                 spec.channels * spec.kernel * spec.kernel + literal)) == QNT_OK,
              "%s", check_reason);
    return map;
}

/* Runs a kernel map on float images; the result's bytes, NULL if it refuses. */
static UNUSED uint8_t *run_map(const qnt_context *context, const qnt_ckn *map, const qnt_tensor *x,
                               size_t *bytes)
{
    check_tensor y = {0};
    uint64_t size;
    size_t space;
    y.t.shape = y.shape;
    y.t.strides = y.strides;
    if (qnt_ckn_view(context, map, x, &y.t) != QNT_OK ||
        qnt_ckn_workspace(context, map, x, &space) != QNT_OK ||
        qnt_tensor_bytes(context, &y.t, &size) != QNT_OK || size > 1 << 24 || space > 1 << 26) {
        return NULL;
    }
    uint8_t *result = zeroed((size_t)size, 1);
    void *workspace = zeroed(space, 1);
    y.t.data = result;
    CHECK_MSG(qnt_ckn_run(context, map, x, &y.t, workspace, space) == QNT_OK, "run: %s",
              check_reason);
    free(workspace);
    *bytes = (size_t)size;
    return result;
}

/* A layer of packed digits: floats and digits, floats, or thresholds. */
static UNUSED qnt_lowbit_layer *random_digits(const qnt_context *context)
{
    static const int32_t levels[][2] = {{2, -3}, {1, -1}, {1, 0}, {-3, 2}, {700, -900}};
    enum { MOST = 70 };
    static uint8_t w[4 * MOST * 9 * 8], falling[4 * MOST];
    static float scale[4 * MOST], shift[4 * MOST];
    static int32_t limit[4 * MOST][3];
    const int32_t groups = (int32_t)random_in(1, 4), *level = levels[random_in(0, 4)];
    const int64_t each = random_in(1, random_in(0, 3) ? 5 : MOST), o = groups * each;
    const int64_t kh = random_in(1, 3), kw = random_in(1, 3), channels = random_in(1, 8);
    qnt_conv conv = {.size = sizeof conv,
                     .groups = groups,
                     .group_shift = groups / 2,
                     .stride = {(int32_t)random_in(1, 2), 1},
                     .dilation = {1, (int32_t)random_in(1, 2)}};
    qnt_lowbit_spec spec = {.size = sizeof spec,
                            .step = level[0],
                            .zero = level[1],
                            .groups = random_in(0, 1) ? 1 : 0,
                            .pad = {1, 0, 0, 2}};
    const bool falls = random_in(0, 1);
    qnt_lowbit_layer *layer = NULL;
    qnt_status status;
    const int high = random_in(0, 1) ? 3 : 1;
    for (int64_t i = 0; i < o * kh * kw * channels; i++) w[i] = (uint8_t)random_in(0, high);
    qnt_tensor *weight = TENSOR(w, QNT_UINT, 8, o, kh, kw, channels);
    for (int64_t i = 0; i < o; i++) {
        scale[i] = (float)random_in(-3, 3) * 0.03f, shift[i] = (float)random_gauss();
        falling[i] = falls && random_in(0, 1);
        for (int k = 0; k < 3; k++) limit[i][k] = falling[i] ? 40 - 30 * k : 30 * k - 40;
    }
    const int kind = (int)random_in(0, 2);
    if (kind == 0) {
        status = qnt_lowbit_layer_of_thresholds(
            context, &conv, &spec, weight, TENSOR(limit, QNT_INT, 32, o, 3),
            falls ? TENSOR(falling, QNT_UINT, 8, o) : NULL, &layer);
    } else {
        const qnt_spec two_bits = {.size = sizeof two_bits, .bits = 2};
        qnt_quantizer *q = NULL;
        CHECK(qnt_quantizer_create(context, &two_bits, &q) == QNT_OK &&
              qnt_quantizer_set(context, q, QNT_P_SCALE, (double[]){0.4}, 1) == QNT_OK);
        spec.flags = (int32_t)random_in(0, 7);
        status =
            qnt_lowbit_layer_create(context, &conv, &spec, weight, TENSOR(scale, QNT_FLOAT, 32, o),
                                    TENSOR(shift, QNT_FLOAT, 32, o), kind == 1 ? q : NULL, &layer);
        qnt_quantizer_destroy(q);
    }
    CHECK_MSG(status == QNT_OK, "create: %s", check_reason);
    return layer;
}

/* Runs a layer of packed digits on bytes; floats, then digits, of those that it has. NULL if it
 * refuses pixels of this shape. */
static UNUSED uint8_t *run_digits(const qnt_context *context, const qnt_lowbit_layer *layer,
                                  const qnt_tensor *pixels, size_t *bytes)
{
    check_tensor packed = {0}, y = {0};
    const struct qnt__lowbit_head *h = &layer->head;
    const bool digits = h->results & QNT__LOWBIT_DIGITS, floats = h->results & QNT__LOWBIT_FLOATS;
    uint64_t codes = 0, all = 0;
    size_t space;
    if (qnt_lowbit_layer_workspace(context, layer, pixels, &space) != QNT_OK || space > 1 << 26)
        return NULL;
    packed.t.shape = packed.shape, packed.t.strides = packed.strides;
    if (digits && (qnt_lowbit_layer_view(context, layer, pixels, &packed.t) != QNT_OK ||
                   qnt_tensor_bytes(context, &packed.t, &codes) != QNT_OK || codes > 1 << 24)) {
        return NULL;
    }
    int64_t shape[4] = {pixels->shape[0], 0, 0, h->outputs};
    for (int i = 0; i < 2; i++) {
        const int64_t left = pixels->shape[1 + i] - (h->kernel[i] - 1) * h->dilation[i] - 1;
        shape[1 + i] = left < 0 ? 0 : left / h->stride[i] + 1;
    }
    if (floats) {
        check_view(&y, NULL, QNT_FLOAT, 32, 4, shape);
        if (qnt_tensor_bytes(context, &y.t, &all) != QNT_OK || all > 1 << 24) return NULL;
    }
    uint8_t *result = zeroed((size_t)(all + codes), 1), *workspace = zeroed(space, 1);
    y.t.data = result, packed.t.data = result + all;
    qnt_status status = qnt_lowbit_layer_run(context, layer, pixels, NULL, floats ? &y.t : NULL,
                                             digits ? &packed.t : NULL, workspace, space);
    CHECK_MSG(status == QNT_OK, "run: %s", check_reason);
    free(workspace);
    *bytes = (size_t)(all + codes);
    return result;
}

/* Blobs in memory of exactly their length. */
static UNUSED uint8_t *saved_layer(const qnt_context *context, const qnt_layer *layer,
                                   size_t *length)
{
    CHECK(qnt_layer_save(context, layer, NULL, 0, length) == QNT_OK && *length % 64 == 0);
    uint8_t *blob = aligned_alloc(64, *length);
    CHECK(qnt_layer_save(context, layer, blob, *length, length) == QNT_OK);
    return blob;
}

static UNUSED uint8_t *saved_quantizer(const qnt_context *context, const qnt_quantizer *q,
                                       size_t *length)
{
    CHECK(qnt_quantizer_save(context, q, NULL, 0, length) == QNT_OK && *length % 64 == 0);
    uint8_t *blob = aligned_alloc(64, *length);
    CHECK(qnt_quantizer_save(context, q, blob, *length, length) == QNT_OK);
    return blob;
}

static UNUSED uint8_t *saved_map(const qnt_context *context, const qnt_ckn *map, size_t *length)
{
    CHECK(qnt_ckn_save(context, map, NULL, 0, length) == QNT_OK && *length % 64 == 0);
    uint8_t *blob = aligned_alloc(64, *length);
    CHECK(qnt_ckn_save(context, map, blob, *length, length) == QNT_OK);
    return blob;
}

static UNUSED uint8_t *saved_digits(const qnt_context *context, const qnt_lowbit_layer *layer,
                                    size_t *length)
{
    CHECK(qnt_lowbit_layer_save(context, layer, NULL, 0, length) == QNT_OK && *length % 64 == 0);
    uint8_t *blob = aligned_alloc(64, *length);
    CHECK(qnt_lowbit_layer_save(context, layer, blob, *length, length) == QNT_OK);
    return blob;
}

#endif
