/*
 * libFuzzer target: loading blobs, and running what loads.
 *
 * The checksum is put right first, so that fuzzing gets past it (a wrong one is the unit test's
 * matter). The blob lies in memory of exactly its size; a layer that loads, copied and borrowed,
 * runs on small inputs, both ways to the same bytes, and is saved again as the bytes that it came
 * from. So is a layer of packed digits, and a kernel map, which is copied always.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/format.h"
#include "qnt.h"

enum { MOST_BYTES = 1 << 16, MOST_SPACE = 1 << 22, ELEMENTS = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a hostile blob must not achieve. */
static void demand(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Allocations stay within a multiple of the blob: the loader believes no size. */
static size_t budget;

static void *bounded_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    demand(size <= budget, "the loader asks for more than the blob can need");
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void bounded_free(void *user, void *block, size_t size)
{
    (void)user;
    (void)size;
    free(block);
}

static void describe(qnt_tensor *t, int64_t *shape, int64_t *strides, void *data, int32_t ndim)
{
    *t = (qnt_tensor){.data = data,
                      .device_type = 1,
                      .ndim = ndim,
                      .dtype_code = QNT_FLOAT,
                      .dtype_bits = 32,
                      .dtype_lanes = 1,
                      .shape = shape,
                      .strides = strides};
}

/* Runs a layer on x; the result, which the caller frees, or NULL if it does not fit. */
static uint8_t *run(const qnt_context *context, const qnt_layer *layer, const qnt_tensor *x,
                    uint64_t *bytes)
{
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    qnt_tensor y = {.shape = shape, .strides = strides};
    size_t space;
    if (qnt_layer_view(context, layer, x, &y) != QNT_OK ||
        qnt_layer_workspace(context, layer, x, &space) != QNT_OK || space > MOST_SPACE ||
        qnt_tensor_bytes(context, &y, bytes) != QNT_OK || *bytes > MOST_SPACE) {
        return NULL;
    }
    uint8_t *result = calloc((size_t)*bytes + 1, 1);
    void *workspace = malloc(space + 1);
    y.data = result;
    demand(qnt_layer_run(context, layer, x, &y, workspace, space) == QNT_OK, "run failed");
    free(workspace);
    return result;
}

/* The blob's numbers decide the input's shape, so that some run; layer_blob.c has their places. */
static int64_t number_at(const uint8_t *blob, size_t at, int64_t most)
{
    int64_t x;
    memcpy(&x, blob + at, sizeof x);
    return x < 0 ? 0 : x > most ? most : x;
}

static void run_both(const qnt_context *context, const uint8_t *blob, const qnt_layer *copied,
                     const qnt_layer *borrowed)
{
    enum { GROUPS = 64 + 24, CHANNELS = 64 + 136 };
    static float values[ELEMENTS * 64];
    int64_t channels = number_at(blob, CHANNELS, ELEMENTS), groups = blob[GROUPS];
    int64_t shapes[3][4] = {
        {3, channels, 0, 0}, {1, 5, 6, channels * groups}, {1, channels * groups, 6, 5}};
    for (size_t i = 0; i < ELEMENTS * 64; i++) values[i] = (float)(i % 37) - 18.0f;
    for (int i = 0; i < 3; i++) {
        int32_t ndim = i == 0 ? 2 : 4;
        int64_t n = 1;
        for (int d = 0; d < ndim; d++) n *= shapes[i][d];
        if (n > ELEMENTS * 64) continue;
        qnt_tensor x;
        uint64_t a, b;
        describe(&x, shapes[i], NULL, values, ndim);
        uint8_t *first = run(context, copied, &x, &a), *second = run(context, borrowed, &x, &b);
        demand(!first == !second, "a borrowed layer runs differently");
        demand(!first || (a == b && !memcmp(first, second, (size_t)a)), "results differ");
        free(first);
        free(second);
    }
}

static void load_layer(const qnt_context *context, const uint8_t *blob, size_t size)
{
    qnt_layer *copied, *borrowed;
    size_t length;
    qnt_status status = qnt_layer_load(context, blob, size, 0, &copied);
    demand(qnt_layer_load(context, blob, size, QNT_BORROW, &borrowed) == status,
           "borrowing and copying disagree");
    if (status != QNT_OK) return;
    demand(qnt_layer_save(context, copied, NULL, 0, &length) == QNT_OK && length <= size, "save");
    uint8_t *again = malloc(length);
    demand(qnt_layer_save(context, borrowed, again, length, &length) == QNT_OK, "save");
    demand(!memcmp(again, blob, length), "a layer is saved as other bytes");
    free(again);
    run_both(context, blob, copied, borrowed);
    qnt_layer_destroy(borrowed);
    qnt_layer_destroy(copied);
}

static void load_quantizer(const qnt_context *context, const uint8_t *blob, size_t size)
{
    qnt_quantizer *q;
    size_t length;
    float values[64], decoded[64];
    int64_t shape[2] = {8, 8};
    qnt_tensor x, y;
    if (qnt_quantizer_load(context, blob, size, &q) != QNT_OK) return;
    demand(qnt_quantizer_save(context, q, NULL, 0, &length) == QNT_OK && length <= size, "save");
    uint8_t *again = malloc(length);
    demand(qnt_quantizer_save(context, q, again, length, &length) == QNT_OK, "save");
    demand(!memcmp(again, blob, length), "a quantizer is saved as other bytes");
    free(again);
    for (int i = 0; i < 64; i++) values[i] = (float)i - 31.5f;
    describe(&x, shape, NULL, values, 2);
    describe(&y, shape, NULL, decoded, 2);
    budget = MOST_SPACE; /* dynamic ones find parameters in memory of their own */
    qnt_quantizer_apply(context, q, &x, &y);
    qnt_quantizer_destroy(q);
}

static void load_map(const qnt_context *context, const uint8_t *blob, size_t size)
{
    qnt_ckn *map;
    size_t length, space;
    static float values[ELEMENTS];
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    qnt_tensor x, y = {.shape = shape, .strides = strides};
    uint64_t bytes;
    if (qnt_ckn_load(context, blob, size, &map) != QNT_OK) return;
    demand(qnt_ckn_save(context, map, NULL, 0, &length) == QNT_OK && length <= size, "save");
    uint8_t *again = malloc(length);
    demand(qnt_ckn_save(context, map, again, length, &length) == QNT_OK, "save");
    demand(!memcmp(again, blob, length), "a kernel map is saved as other bytes");
    free(again);
    for (size_t i = 0; i < ELEMENTS; i++) values[i] = (float)(i % 37) - 18.0f;
    describe(&x, (int64_t[]){1, 4, 4, blob[64] % 32}, NULL, values, 4); /* its channels */
    if (qnt_ckn_view(context, map, &x, &y) == QNT_OK &&
        qnt_ckn_workspace(context, map, &x, &space) == QNT_OK && space <= MOST_SPACE &&
        qnt_tensor_bytes(context, &y, &bytes) == QNT_OK && bytes <= MOST_SPACE) {
        void *workspace = malloc(space + 1);
        y.data = malloc((size_t)bytes + 1);
        demand(qnt_ckn_run(context, map, &x, &y, workspace, space) == QNT_OK, "run failed");
        free(y.data);
        free(workspace);
    }
    qnt_ckn_destroy(map);
}

/* Floats and digits of a small image; those that the layer does not have stay 0. NULL if it
 * refuses. */
static uint8_t *run_digits(const qnt_context *context, const qnt_lowbit_layer *layer,
                           const uint8_t *blob, int64_t bytes[2])
{
    enum { GROUPS = 64, PADS = 64 + 44, OUTPUTS = 64 + 72, CHANNELS = 64 + 80, SIDE = 6 };
    static uint8_t values[SIDE * SIDE * ELEMENTS];
    const int64_t groups = blob[GROUPS] ? blob[GROUPS] : 1, o = number_at(blob, OUTPUTS, 1 << 20);
    const int64_t triples = (number_at(blob, CHANNELS, ELEMENTS) / groups + 2) / 3;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM], y_shape[4] = {1, SIDE, SIDE, o};
    qnt_tensor x, y, packed = {.shape = shape, .strides = strides};
    uint64_t all = 0;
    size_t space;
    if (groups * triples > ELEMENTS) return NULL;
    for (size_t i = 0; i < sizeof values; i++) values[i] = (uint8_t)(i * 37);
    describe(&x, (int64_t[]){1, SIDE, SIDE, groups, triples}, NULL, values, 5);
    x.dtype_code = QNT_UINT, x.dtype_bits = 8;
    if (qnt_lowbit_layer_workspace(context, layer, &x, &space) != QNT_OK || space > MOST_SPACE)
        return NULL;
    bool digits = qnt_lowbit_layer_view(context, layer, &x, &packed) == QNT_OK;
    if (digits && (qnt_tensor_bytes(context, &packed, &all) != QNT_OK || all > MOST_SPACE))
        return NULL;
    for (int i = 0; digits && i < 2; i++) { /* without its border */
        int32_t pad[4];
        memcpy(pad, blob + PADS, sizeof pad);
        y_shape[1 + i] = shape[1 + i] - pad[i] - pad[2 + i];
    }
    if (y_shape[1] * y_shape[2] * o > MOST_SPACE / 8) return NULL;
    bytes[0] = y_shape[1] * y_shape[2] * o * (int64_t)sizeof(float), bytes[1] = (int64_t)all;
    uint8_t *result = calloc((size_t)(bytes[0] + bytes[1]) + 1, 1);
    void *workspace = malloc(space + 1);
    describe(&y, y_shape, NULL, result, 4);
    packed.data = result + bytes[0];
    qnt_status status = QNT_E_INVALID;
    if (digits) { /* with floats if there are any */
        status = qnt_lowbit_layer_run(context, layer, &x, NULL, &y, &packed, workspace, space);
        if (status != QNT_OK)
            status =
                qnt_lowbit_layer_run(context, layer, &x, NULL, NULL, &packed, workspace, space);
        demand(status == QNT_OK, "run failed");
    } else { /* of another shape perhaps */
        qnt_lowbit_layer_run(context, layer, &x, NULL, &y, NULL, workspace, space);
    }
    free(workspace);
    return result;
}

static void load_digits(const qnt_context *context, const uint8_t *blob, size_t size)
{
    qnt_lowbit_layer *copied, *borrowed;
    size_t length;
    int64_t bytes[2] = {0};
    qnt_status status = qnt_lowbit_layer_load(context, blob, size, 0, &copied);
    demand(qnt_lowbit_layer_load(context, blob, size, QNT_BORROW, &borrowed) == status,
           "borrowing and copying disagree");
    if (status != QNT_OK) return;
    demand(qnt_lowbit_layer_save(context, copied, NULL, 0, &length) == QNT_OK && length <= size,
           "save");
    uint8_t *again = malloc(length);
    demand(qnt_lowbit_layer_save(context, borrowed, again, length, &length) == QNT_OK, "save");
    demand(!memcmp(again, blob, length), "a layer of digits is saved as other bytes");
    uint8_t *first = run_digits(context, copied, blob, bytes),
            *second = run_digits(context, borrowed, blob, bytes);
    demand(!first == !second, "a borrowed layer runs differently");
    demand(!first || !memcmp(first, second, (size_t)(bytes[0] + bytes[1])), "results differ");
    free(again), free(first), free(second);
    qnt_lowbit_layer_destroy(borrowed);
    qnt_lowbit_layer_destroy(copied);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MOST_BYTES) return 0;
    size_t length = size / 64 * 64;
    uint8_t *blob = aligned_alloc(64, length ? length : 64);
    memcpy(blob, data, length);
    if (length >= 128) {
        uint64_t told = length;
        memcpy(blob + 16, &told,
               sizeof told); /* a length that is not the size is refused at once */
        qnt__blob_seal(blob, length);
    }
    qnt_context *context;
    budget = 16384 + 20 * length; /* float panels of 2-bit codes: 16 times as much, and the codes */
    demand(qnt_context_create(bounded_alloc, bounded_free, NULL, &context) == QNT_OK, "context");
    qnt_blob_probe(context, blob, length, NULL, NULL, NULL);
    load_layer(context, blob, length);
    load_map(context, blob, length);
    load_digits(context, blob, length);
    load_quantizer(context, blob, length);
    qnt_context_destroy(context);
    free(blob);
    return 0;
}
