/*
 * Blobs: a prepared layer goes to a file, is mapped into memory, and runs from the mapping.
 *
 * Introduces qnt_layer_save, qnt_blob_probe, qnt_layer_load and QNT_BORROW: only the handle is
 * allocated, the weights stay in the file's pages, which all processes share.
 */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { K = 96, N = 40 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

static qnt_tensor floats(float *data, int64_t *shape)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = 2, .dtype_code = QNT_FLOAT,
                        .dtype_bits = 32, .dtype_lanes = 1, .shape = shape};
}

static int make(const qnt_context *context, qnt_layer **layer)
{
    static float w[N * K];
    int64_t shape[] = {N, K};
    qnt_tensor weight = floats(w, shape);
    for (int i = 0; i < N * K; i++) w[i] = (float)sin(0.7 * i);
    qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .bits = 3,
                     .flags = QNT_SIGNED | QNT_SYMMETRIC, .grain = QNT_PER_AXIS};
    qnt_spec dynamic = {.size = sizeof dynamic, .method = QNT_MINMAX, .flags = QNT_DYNAMIC};
    qnt_layer_spec dense = {.size = sizeof dense, .kind = QNT_DENSE, .activation = QNT_RELU};
    qnt_quantizer *weight_q, *input_q;
    TRY(qnt_quantizer_create(context, &dynamic, &input_q));
    TRY(qnt_quantizer_create(context, &spec, &weight_q));
    TRY(qnt_quantizer_observe(context, weight_q, &weight, NULL));
    TRY(qnt_quantizer_fit(context, weight_q));
    TRY(qnt_layer_create(context, &dense, &weight, weight_q, NULL, input_q, NULL, layer));
    qnt_quantizer_destroy(weight_q);
    qnt_quantizer_destroy(input_q);
    return 0;
}

static int save(const qnt_context *context, const qnt_layer *layer, int file)
{
    size_t length;
    TRY(qnt_layer_save(context, layer, NULL, 0, &length)); /* how long? */
    void *blob = malloc(length);
    if (!blob) return 1;
    TRY(qnt_layer_save(context, layer, blob, length, &length));
    int failed = write(file, blob, length) != (ssize_t)length;
    free(blob);
    return failed;
}

static int run(const qnt_context *context, const qnt_layer *layer, float *y)
{
    static char workspace[1 << 16];
    float x[K];
    int64_t x_shape[] = {1, K}, y_shape[] = {1, N};
    qnt_tensor in = floats(x, x_shape), out = floats(y, y_shape);
    for (int k = 0; k < K; k++) x[k] = (float)cos(0.3 * k);
    TRY(qnt_layer_run(context, layer, &in, &out, workspace, sizeof workspace));
    return 0;
}

int main(void)
{
    char path[] = P_tmpdir "/qnt-example-XXXXXX";
    float before[N], after[N];
    qnt_context *context;
    qnt_layer *layer;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    int file = mkstemp(path);
    if (file < 0 || make(context, &layer) || run(context, layer, before) ||
        save(context, layer, file))
        return 1;
    qnt_layer_destroy(layer);

    /* A page is aligned to more than the 64 bytes that borrowing asks for. */
    size_t size = (size_t)lseek(file, 0, SEEK_END), length;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) return 1;
    int32_t kind;
    uint32_t version;
    TRY(qnt_blob_probe(context, map, size, &kind, &version, &length));
    TRY(qnt_layer_load(context, map, size, QNT_BORROW, &layer));
    if (run(context, layer, after)) return 1;

    int good = kind == QNT_BLOB_LAYER && length == size && !memcmp(before, after, sizeof before);
    printf("%d x %d weights of 3 bits: a blob of %zu bytes, format %u; the mapped layer gives %s "
           "bytes\n",
           N, K, size, (unsigned)version, good ? "the same" : "NOT the same");
    qnt_layer_destroy(layer);
    munmap(map, size);
    close(file);
    unlink(path);
    qnt_context_destroy(context);
    return !good;
}
