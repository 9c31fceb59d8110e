/* For the tests of blobs: random layers, quantizers and kernel maps, and what they compute. */
#ifndef BLOB_CASE_H
#define BLOB_CASE_H

#include "layer_case.h"

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
    c.strided = c.misaligned = false;
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
    free(w.memory);
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

#endif
