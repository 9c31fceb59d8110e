/*
 * The first program: float weights to 4-bit codes and back.
 *
 * Introduces qnt_context_create, qnt_context_set_log, qnt_quantizer_create, _observe, _fit, _view,
 * _encode, _decode, _error, _destroy.
 */
#include <math.h>
#include <qnt.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 16, COLUMNS = 100 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        qnt_status status_ = (call);                                                               \
        if (status_ != QNT_OK) return fprintf(stderr, "%s\n", qnt_status_name(status_)), 1;        \
    } while (0)

/* The status says what kind of error it was; the reason comes here. */
static void print_reason(void *user, int32_t level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "libqnt: %s\n", message);
}

int main(void)
{
    static float weights[ROWS * COLUMNS], back[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        weights[i] = (float)(sin(1.7 * i) * (1 + i / COLUMNS)); /* every row has its own range */

    qnt_context *context;
    TRY(qnt_context_create(NULL, NULL, NULL, &context));
    TRY(qnt_context_set_log(context, print_reason, NULL, QNT_LOG_WARN));

    /* A tensor is a view of memory that stays ours. */
    int64_t shape[] = {ROWS, COLUMNS};
    qnt_tensor x = {.data = weights, .device_type = 1, .ndim = 2, .dtype_code = QNT_FLOAT,
                    .dtype_bits = 32, .dtype_lanes = 1, .shape = shape};
    qnt_tensor y = x;
    y.data = back;

    /* Signed 4-bit codes; each row gets the scale with the smallest squared error there is. */
    qnt_spec spec = {.size = sizeof spec, .method = QNT_MSE, .bits = 4,
                     .flags = QNT_SIGNED | QNT_SYMMETRIC, .grain = QNT_PER_AXIS, .axis = 0};
    qnt_quantizer *quantizer;
    TRY(qnt_quantizer_create(context, &spec, &quantizer));
    TRY(qnt_quantizer_observe(context, quantizer, &x, NULL));
    TRY(qnt_quantizer_fit(context, quantizer));

    /* The library describes the codes; we provide their memory. */
    int64_t code_shape[QNT_MAX_NDIM], code_strides[QNT_MAX_NDIM];
    qnt_tensor codes = {.shape = code_shape, .strides = code_strides};
    uint64_t bytes;
    TRY(qnt_quantizer_view(context, quantizer, &x, &codes));
    TRY(qnt_tensor_bytes(context, &codes, &bytes));
    if (!(codes.data = malloc((size_t)bytes))) return 1;

    TRY(qnt_quantizer_encode(context, quantizer, &x, &codes));
    TRY(qnt_quantizer_decode(context, quantizer, &codes, &y));

    qnt_error error = {.size = sizeof error};
    TRY(qnt_quantizer_error(context, quantizer, &x, NULL, &error));
    printf("%d floats, %zu bytes, became %d-bit codes, %llu bytes\n", ROWS * COLUMNS,
           sizeof weights, spec.bits, (unsigned long long)bytes);
    printf("signal to noise %.2f dB, largest error %.3f, %.2f bits per weight with its scales\n",
           error.sqnr_db, error.largest, error.bits);

    double noise = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        noise += ((double)weights[i] - back[i]) * ((double)weights[i] - back[i]);
    int good = bytes == ROWS * COLUMNS / 2 && error.sqnr_db > 20 &&
               fabs(noise / (ROWS * COLUMNS) / error.mse - 1) < 1e-9;
    printf("%s\n", good ? "as expected" : "NOT as expected");

    free(codes.data);
    qnt_quantizer_destroy(quantizer);
    qnt_context_destroy(context);
    return !good;
}
