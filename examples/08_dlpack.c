/*
 * DLPack: a qnt_tensor has the layout of a DLTensor, so tensors of other libraries need no
 * conversion.
 *
 * Introduces strided views: a transposed matrix and every second column are quantized where they
 * are. The struct below is what DLPack 1.0 defines, written down here so that the example needs no
 * header.
 */
#include <math.h>
#include <qnt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 6, COLUMNS = 10 };

typedef struct { int32_t device_type, device_id; } DLDevice;
typedef struct { uint8_t code, bits; uint16_t lanes; } DLDataType;
typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLTensor;

#define SAME(ours, theirs)                                                                         \
    _Static_assert(offsetof(qnt_tensor, ours) == offsetof(DLTensor, theirs), #ours)
SAME(data, data);
SAME(device_type, device.device_type);
SAME(device_id, device.device_id);
SAME(ndim, ndim);
SAME(dtype_code, dtype.code);
SAME(dtype_bits, dtype.bits);
SAME(dtype_lanes, dtype.lanes);
SAME(shape, shape);
SAME(strides, strides);
SAME(byte_offset, byte_offset);
_Static_assert(sizeof(qnt_tensor) == sizeof(DLTensor), "size");

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

/* What another library hands over: here the transpose of a matrix, without its odd rows. */
static DLTensor foreign(float *matrix, int64_t *shape, int64_t *strides)
{
    shape[0] = COLUMNS, shape[1] = ROWS / 2;
    strides[0] = 1, strides[1] = 2 * COLUMNS;
    return (DLTensor){.data = matrix,
                      .device = {1, 0},
                      .ndim = 2,
                      .dtype = {2, 32, 1},
                      .shape = shape,
                      .strides = strides};
}

int main(void)
{
    float matrix[ROWS * COLUMNS], original[ROWS * COLUMNS];
    int64_t shape[2], strides[2];
    for (int i = 0; i < ROWS * COLUMNS; i++) matrix[i] = (float)sin(i);
    memcpy(original, matrix, sizeof matrix);

    DLTensor theirs = foreign(matrix, shape, strides);
    qnt_tensor ours;
    memcpy(&ours, &theirs,
           sizeof ours); /* or cast the pointer, if the compiler's aliasing rules allow */

    qnt_context *context;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    TRY(qnt_tensor_check(context, &ours));
    qnt_spec spec = {.size = sizeof spec, .method = QNT_MINMAX, .bits = 5,
                     .flags = QNT_SIGNED | QNT_SYMMETRIC, .grain = QNT_PER_AXIS, .axis = 0};
    qnt_quantizer *quantizer;
    TRY(qnt_quantizer_create(context, &spec, &quantizer));
    TRY(qnt_quantizer_observe(context, quantizer, &ours, NULL));
    TRY(qnt_quantizer_fit(context, quantizer));
    TRY(qnt_quantizer_apply(context, quantizer, &ours, &ours)); /* in place, through the strides */

    double scale[COLUMNS];
    size_t count;
    TRY(qnt_quantizer_get(context, quantizer, QNT_P_SCALE, scale, COLUMNS, &count));
    qnt_quantizer_destroy(quantizer);
    qnt_context_destroy(context);

    /* Even rows lie on the grid of their column; odd rows were never touched. */
    int changed = 0, wrong = count != COLUMNS;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        double steps = matrix[i] / scale[i % COLUMNS];
        if (matrix[i] != original[i]) changed++;
        if (i / COLUMNS % 2) wrong += matrix[i] != original[i];
        else wrong += fabs(steps - nearbyint(steps)) > 1e-4;
    }
    printf("%zu groups in a transposed, strided view; %d of %d elements changed: %s\n", count,
           changed, ROWS * COLUMNS, wrong ? "NOT as expected" : "as expected");
    return wrong != 0;
}
