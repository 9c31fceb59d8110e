/* What layers refuse, with which reason; and what is legal though empty. */
#include "check.h"
#include "context/context.h"

enum { N = 6, K = 8 };

/* A dense layer of 6 x 8 and everything it is made of. */
struct kit {
    qnt_context *context;
    qnt_quantizer *weight_q, *u8, *s4, *wide, *dynamic, *offset;
    float w[N * K], bias[N];
    qnt_layer_spec spec;
    qnt_layer *layer;
};

static qnt_quantizer *make(const qnt_context *context, int method, int bits, int flags)
{
    qnt_quantizer *q = NULL;
    qnt_spec spec = {.size = sizeof spec, .method = method, .bits = bits, .flags = flags};
    if (qnt_quantizer_create(context, &spec, &q) != QNT_OK) exit(2);
    if (method == QNT_FIXED) qnt_quantizer_set(context, q, QNT_P_SCALE, &(double){0.25}, 1);
    return q;
}

static void open_kit(struct kit *k)
{
    *k = (struct kit){.context = check_context(), .spec = {.size = sizeof k->spec}};
    k->weight_q = make(k->context, QNT_FIXED, 8, QNT_SIGNED | QNT_SYMMETRIC);
    k->u8 = make(k->context, QNT_FIXED, 8, 0);
    k->s4 = make(k->context, QNT_FIXED, 4, QNT_SIGNED);
    k->wide = make(k->context, QNT_FIXED, 16, QNT_SIGNED);
    k->dynamic = make(k->context, QNT_MINMAX, 8, QNT_SIGNED | QNT_SYMMETRIC | QNT_DYNAMIC);
    k->offset = make(k->context, QNT_FIXED, 8, QNT_REAL_OFFSET);
    for (int i = 0; i < N * K; i++) k->w[i] = (float)random_gauss();
}

static void close_kit(struct kit *k)
{
    qnt_layer_destroy(k->layer);
    qnt_quantizer_destroy(k->weight_q), qnt_quantizer_destroy(k->u8), qnt_quantizer_destroy(k->s4);
    qnt_quantizer_destroy(k->wide), qnt_quantizer_destroy(k->dynamic);
    qnt_quantizer_destroy(k->offset);
    qnt_context_destroy(k->context);
}

/* Creation with everything as it is, except for what the test changes. */
#define CREATE(k, weight, weight_q, bias, in, out)                                                 \
    qnt_layer_create((k).context, &(k).spec, weight, weight_q, bias, in, out, &(k).layer)
#define WEIGHT(k) TENSOR((k).w, QNT_FLOAT, 32, N, K)

static void bad_quantizers(void)
{
    struct kit k;
    open_kit(&k);
    qnt_quantizer *unfitted = make(k.context, QNT_MINMAX, 8, 0);
    CHECK(qnt_layer_create(NULL, &k.spec, WEIGHT(k), k.weight_q, NULL, NULL, NULL, &k.layer) ==
          QNT_E_INVALID);
    FAILS(qnt_layer_create(k.context, &k.spec, WEIGHT(k), k.weight_q, NULL, NULL, NULL, NULL),
          QNT_E_INVALID, "out is NULL");
    FAILS(CREATE(k, NULL, k.weight_q, NULL, NULL, NULL), QNT_E_INVALID, "weight is NULL");
    FAILS(CREATE(k, WEIGHT(k), NULL, NULL, NULL, NULL), QNT_E_INVALID, "weight_q is NULL");
    FAILS(CREATE(k, WEIGHT(k), unfitted, NULL, NULL, NULL), QNT_E_STATE,
          "weight_q has no parameters");
    FAILS(CREATE(k, WEIGHT(k), k.wide, NULL, NULL, NULL), QNT_E_UNSUPPORTED, "16 bits");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, NULL, unfitted, NULL), QNT_E_STATE,
          "input_q has no parameters");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.wide, NULL), QNT_E_UNSUPPORTED,
          "input_q: 16 bits");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, NULL, NULL, k.dynamic), QNT_E_UNSUPPORTED,
          "output_q is dynamic");
    qnt_spec columns = {.size = sizeof columns, .grain = QNT_PER_AXIS, .axis = 1};
    qnt_quantizer *by_column = NULL;
    OK(qnt_quantizer_create(k.context, &columns, &by_column));
    OK(qnt_quantizer_set(k.context, by_column, QNT_P_SCALE, (double[K]){1, 1, 1, 1, 1, 1, 1, 1},
                         K));
    FAILS(CREATE(k, WEIGHT(k), by_column, NULL, k.u8, NULL), QNT_E_UNSUPPORTED,
          "weight_q: per axis 1, expected axis 0");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, NULL, by_column, NULL), QNT_E_UNSUPPORTED,
          "input_q: QNT_AFFINE QNT_PER_AXIS, expected QNT_AFFINE QNT_PER_TENSOR");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.u8, by_column), QNT_E_UNSUPPORTED,
          "output_q: QNT_AFFINE");
    qnt_quantizer_destroy(by_column);
    k.spec.flags = QNT_ACCUMULATE;
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.u8, k.u8), QNT_E_INVALID, "QNT_ACCUMULATE");
    CHECK(k.layer == NULL);
    qnt_quantizer_destroy(unfitted);
    close_kit(&k);
}

static void bad_spec(void)
{
    struct kit k;
    open_kit(&k);
#define REFUSED(member, value, status, text)                                                       \
    do {                                                                                           \
        qnt_layer_spec saved = k.spec;                                                             \
        k.spec.member = (value);                                                                   \
        FAILS(CREATE(k, WEIGHT(k), k.weight_q, NULL, NULL, NULL), status, text);                   \
        k.spec = saved;                                                                            \
    } while (0)
    FAILS(qnt_layer_create(k.context, NULL, WEIGHT(k), k.weight_q, NULL, NULL, NULL, &k.layer),
          QNT_E_INVALID, "spec is NULL");
    REFUSED(size, 4, QNT_E_INVALID, "spec: size is 4");
    REFUSED(kind, 2, QNT_E_INVALID, "kind is 2, expected QNT_DENSE (0) or QNT_CONV (1)");
    REFUSED(layout, 2, QNT_E_INVALID, "layout (QNT_NHWC, QNT_NCHW) is 2, expected 0 to 1");
    REFUSED(layout, QNT_NCHW, QNT_E_INVALID, "kind is QNT_DENSE, which has no layout");
    REFUSED(activation, 3, QNT_E_INVALID, "activation (QNT_LINEAR, QNT_RELU, QNT_CLAMP) is 3");
    REFUSED(flags, 4, QNT_E_INVALID, "flags (QNT_ACCUMULATE) is 4, expected 0 to 1");
    REFUSED(groups, -1, QNT_E_INVALID, "groups is -1");
    REFUSED(groups, 2, QNT_E_INVALID, "kind is QNT_DENSE, which has no layout");
    REFUSED(group_shift, 1, QNT_E_INVALID, "group_shift is 1, expected 0 to 0");
    REFUSED(stride[0], -2, QNT_E_INVALID, "stride[0] is -2");
    REFUSED(dilation[1], -1, QNT_E_INVALID, "dilation[1] is -1");
    REFUSED(stride[1], 2, QNT_E_INVALID, "which has no layout, groups, stride, dilation or pad");
    REFUSED(dilation[0], 2, QNT_E_INVALID, "which has no layout, groups, stride, dilation or pad");
    REFUSED(dilation[1], 3, QNT_E_INVALID, "which has no layout, groups, stride, dilation or pad");
    REFUSED(pad[0], 1, QNT_E_INVALID, "which has no layout, groups, stride, dilation or pad");
    REFUSED(pad[3], -1, QNT_E_INVALID, "pad[3] is -1");
    REFUSED(reserved, 1, QNT_E_INVALID, "reserved is 1");
    k.spec.activation = QNT_CLAMP;
    REFUSED(low, 1.0f, QNT_E_INVALID, "low is 1 and high 0");
    REFUSED(low, NAN, QNT_E_INVALID, "expected low <= high");
    REFUSED(high, NAN, QNT_E_INVALID, "expected low <= high");
    k.spec.low = k.spec.high = INFINITY;
    REFUSED(kind, QNT_DENSE, QNT_E_INVALID, "low is inf and high inf");
    k.spec.low = k.spec.high = -INFINITY;
    REFUSED(kind, QNT_DENSE, QNT_E_INVALID, "low is -inf and high -inf");
    close_kit(&k);

    open_kit(
        &k); /* defaults written out are the same request; bounds that nothing reads may be anything */
    k.spec.groups = k.spec.stride[0] = k.spec.stride[1] = k.spec.dilation[0] = k.spec.dilation[1] =
        1;
    k.spec.low = k.spec.high = NAN;
    OK(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.u8, NULL));
    close_kit(&k);
    open_kit(&k); /* a bound that is none */
    k.spec.activation = QNT_CLAMP, k.spec.low = -INFINITY, k.spec.high = INFINITY;
    OK(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.u8, k.u8));
    close_kit(&k);

    struct {
        qnt_layer_spec spec;
        int32_t more;
    } newer = {.more = 1};
    open_kit(&k);
    newer.spec.size = sizeof newer;
    FAILS(
        qnt_layer_create(k.context, &newer.spec, WEIGHT(k), k.weight_q, NULL, NULL, NULL, &k.layer),
        QNT_E_VERSION, "this release knows");
    close_kit(&k);
}

static void bad_tensors(void)
{
    struct kit k;
    open_kit(&k);
    int8_t codes[N * K] = {0};
    FAILS(CREATE(k, TENSOR(k.w, QNT_FLOAT, 32, N * K), k.weight_q, NULL, NULL, NULL), QNT_E_SHAPE,
          "weight: ndim is 1, expected 2");
    FAILS(CREATE(k, TENSOR(codes, QNT_UINT, 8, N, K), k.weight_q, NULL, NULL, NULL), QNT_E_DTYPE,
          "weight: elements are uint8, expected int");
    codes[3] = 8;
    FAILS(CREATE(k, TENSOR(codes, QNT_INT, 8, N, K), k.s4, NULL, NULL, NULL), QNT_E_INVALID,
          "code 8 does not fit the 4 bits");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, TENSOR(k.bias, QNT_FLOAT, 32, N - 1), NULL, NULL),
          QNT_E_SHAPE, "bias");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, TENSOR(codes, QNT_INT, 8, N), NULL, NULL), QNT_E_DTYPE,
          "bias");
    k.spec.kind = QNT_CONV, k.spec.groups = 4;
    FAILS(CREATE(k, TENSOR(k.w, QNT_FLOAT, 32, N, 2, 2, 2), k.weight_q, NULL, NULL, NULL),
          QNT_E_SHAPE, "6 outputs, expected a multiple of 4 groups");
    FAILS(CREATE(k, TENSOR(k.w, QNT_FLOAT, 32, N, 0, 2, 2), k.weight_q, NULL, NULL, NULL),
          QNT_E_INVALID, "kernel height is 0");
    close_kit(&k);
}

static void bad_runs(void)
{
    struct kit k;
    open_kit(&k);
    float x[2 * K] = {0}, y[2 * N];
    uint8_t space[65536];
    size_t bytes;
    OK(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.u8, NULL));
    qnt_tensor *xt = TENSOR(x, QNT_FLOAT, 32, 2, K), *yt = TENSOR(y, QNT_FLOAT, 32, 2, N);
    OK(qnt_layer_workspace(k.context, k.layer, xt, &bytes));
    CHECK(bytes <= sizeof space);
    OK(qnt_layer_run(k.context, k.layer, xt, yt, space, bytes));

    memset(y, 7, sizeof y);
    FAILS(qnt_layer_run(k.context, k.layer, xt, yt, space, bytes - 1), QNT_E_SPACE,
          "workspace has");
    FAILS(qnt_layer_run(k.context, k.layer, xt, yt, NULL, bytes), QNT_E_INVALID,
          "workspace is NULL");
    FAILS(qnt_layer_run(k.context, NULL, xt, yt, space, bytes), QNT_E_INVALID, "layer is NULL");
    FAILS(qnt_layer_run(k.context, k.layer, NULL, yt, space, bytes), QNT_E_INVALID, "x is NULL");
    FAILS(qnt_layer_run(k.context, k.layer, xt, NULL, space, bytes), QNT_E_INVALID, "y is NULL");
    FAILS(qnt_layer_run(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, 2, K - 1), yt, space, bytes),
          QNT_E_SHAPE, "7 elements along the last of 2 axes, expected 8");
    FAILS(qnt_layer_run(k.context, k.layer, TENSOR(x, QNT_INT, 8, 2, K), yt, space, bytes),
          QNT_E_DTYPE, "x: elements are int8, expected uint8");
    FAILS(qnt_layer_run(k.context, k.layer, xt, TENSOR(y, QNT_FLOAT, 32, N, 2), space, bytes),
          QNT_E_SHAPE, "y: extent 0 is 6, expected 2");
    FAILS(qnt_layer_run(k.context, k.layer, xt, TENSOR(y, QNT_FLOAT, 32, 2 * N), space, bytes),
          QNT_E_SHAPE, "y: ndim is 1, expected 2");
    FAILS(qnt_layer_run(k.context, k.layer, xt, TENSOR(y, QNT_UINT, 8, 2, N), space, bytes),
          QNT_E_DTYPE, "expected floats");
    FAILS(qnt_layer_run(k.context, k.layer, xt, TENSOR(x, QNT_FLOAT, 32, 2, N), space, bytes),
          QNT_E_INVALID, "y overlaps x");
    FAILS(qnt_layer_workspace(k.context, k.layer, xt, NULL), QNT_E_INVALID, "bytes is NULL");
    FAILS(qnt_layer_workspace(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, INT64_C(1) << 56, K),
                              &bytes),
          QNT_E_SHAPE, "overflow");
    FAILS(qnt_layer_view(k.context, k.layer, xt, NULL), QNT_E_INVALID, "y is NULL");
    yt->strides[0] = 0;
    FAILS(qnt_layer_run(k.context, k.layer, xt, yt, space, bytes), QNT_E_SHAPE, "share memory");
    for (size_t i = 0; i < 2 * N; i++) {
        const uint8_t untouched[4] = {7, 7, 7, 7};
        CHECK(!memcmp(&y[i], untouched, 4));
    }
    qnt_layer_destroy(k.layer);

    OK(CREATE(k, WEIGHT(k), k.weight_q, NULL, NULL, k.u8));
    FAILS(qnt_layer_run(k.context, k.layer, TENSOR(x, QNT_UINT, 8, 2, K), yt, space, sizeof space),
          QNT_E_DTYPE, "input_q was NULL");
    FAILS(
        qnt_layer_run(k.context, k.layer, xt, TENSOR(y, QNT_FLOAT, 32, 2, N), space, sizeof space),
        QNT_E_DTYPE, "expected uint8");
    qnt_layer_destroy(k.layer);
    OK(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.dynamic, NULL));
    FAILS(qnt_layer_run(k.context, k.layer, TENSOR(x, QNT_INT, 8, 2, K),
                        TENSOR(y, QNT_FLOAT, 32, 2, N), space, sizeof space),
          QNT_E_DTYPE, "input_q is dynamic");
    close_kit(&k);
}

/* Numbers that no layer holds, whatever multiplies: NaN, infinities, and products beyond float32. */
static void bad_numbers(void)
{
    struct kit k;
    open_kit(&k);
    qnt_quantizer *large = make(k.context, QNT_FIXED, 8, QNT_SIGNED | QNT_SYMMETRIC);
    qnt_quantizer *small = make(k.context, QNT_FIXED, 8, 0),
                  *tiny = make(k.context, QNT_FIXED, 8, 0);
    OK(qnt_quantizer_set(k.context, large, QNT_P_SCALE, &(double){1e30}, 1));
    OK(qnt_quantizer_set(k.context, small, QNT_P_SCALE, &(double){1e-10}, 1));
    OK(qnt_quantizer_set(k.context, tiny, QNT_P_SCALE, &(double){1e-20}, 1));
    qnt_spec by_16 = {.size = sizeof by_16,
                      .bits = 8,
                      .flags = QNT_SIGNED | QNT_SYMMETRIC,
                      .grain = QNT_PER_BLOCK,
                      .axis = 1,
                      .block = 16};
    qnt_quantizer *blocks = NULL;
    float wide[N * 2 * 16] = {0};
    qnt_tensor *long_rows = TENSOR(wide, QNT_FLOAT, 32, N, 2 * 16);
    OK(qnt_quantizer_create(k.context, &by_16, &blocks));
    double scales[2 * N];
    for (int i = 0; i < 2 * N; i++) scales[i] = 0.5;
    OK(qnt_quantizer_set(k.context, blocks, QNT_P_SCALE, scales, 2 * N));
    const struct {
        const qnt_quantizer *weight_q, *in, *out;
        const qnt_tensor *weight;
    } forms[] = {{k.weight_q, NULL, NULL, WEIGHT(k)},      {k.weight_q, k.u8, NULL, WEIGHT(k)},
                 {k.weight_q, k.dynamic, NULL, WEIGHT(k)}, {k.weight_q, k.u8, k.u8, WEIGHT(k)},
                 {k.weight_q, NULL, k.u8, WEIGHT(k)},      {blocks, k.u8, NULL, long_rows},
                 {blocks, k.dynamic, k.u8, long_rows},     {blocks, k.offset, NULL, long_rows}};
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        qnt_tensor *bias = TENSOR(k.bias, QNT_FLOAT, 32, N);
        for (int j = 0; j < 3; j++) {
            k.bias[N - 1] = bad[j];
            FAILS(CREATE(k, forms[i].weight, forms[i].weight_q, bias, forms[i].in, forms[i].out),
                  QNT_E_INVALID, "bias: number 5 is ");
            CHECK(k.layer == NULL);
        }
        k.bias[N - 1] = 3e38f;
        if (forms[i].out && forms[i].out == k.u8 &&
            forms[i].in == k.u8) { /* counted in steps of 0.25 */
            FAILS(CREATE(k, forms[i].weight, forms[i].weight_q, bias, forms[i].in, forms[i].out),
                  QNT_E_INVALID, "leave float32");
            continue;
        }
        OK(CREATE(k, forms[i].weight, forms[i].weight_q, bias, forms[i].in, forms[i].out));
        qnt_layer_destroy(k.layer);
    }
    uint16_t half[N] = {0, 0, 0x7c00};
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, TENSOR(half, QNT_FLOAT, 16, N), k.u8, NULL),
          QNT_E_INVALID, "bias: number 2 is inf");
    OK(CREATE(k, WEIGHT(k), large, NULL, k.u8, NULL)); /* 1e30 x 0.25 */
    qnt_layer_destroy(k.layer);
    OK(CREATE(k, WEIGHT(k), large, NULL, small, small)); /* 1e30 x 1e-10 / 1e-10 */
    qnt_layer_destroy(k.layer);
    FAILS(CREATE(k, WEIGHT(k), large, NULL, k.u8, small), QNT_E_INVALID,
          "scales of weight_q, input_q and output_q");
    FAILS(CREATE(k, WEIGHT(k), k.weight_q, TENSOR((float[N]){1e20f}, QNT_FLOAT, 32, N), k.u8, tiny),
          QNT_E_INVALID, "biases in units of the output, leave float32");
    qnt_quantizer_destroy(blocks);
    qnt_quantizer_destroy(large), qnt_quantizer_destroy(small), qnt_quantizer_destroy(tiny);
    close_kit(&k);
}

/* A kernel larger than the image, channels that do not fit. */
static void bad_images(void)
{
    struct kit k;
    open_kit(&k);
    float x[64] = {0};
    size_t bytes;
    k.spec.kind = QNT_CONV;
    OK(CREATE(k, TENSOR(k.w, QNT_FLOAT, 32, 2, 3, 3, 2), k.weight_q, NULL, k.u8, NULL));
    FAILS(qnt_layer_workspace(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, 1, 2, 5, 2), &bytes),
          QNT_E_SHAPE, "height 2 is 2 with padding, expected at least the kernel's 3");
    FAILS(qnt_layer_workspace(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, 1, 4, 5, 3), &bytes),
          QNT_E_SHAPE, "3 channels, expected 2");
    FAILS(qnt_layer_workspace(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, 4, 5, 2), &bytes),
          QNT_E_SHAPE, "ndim is 3, expected 4");
    close_kit(&k);
}

static void run_empty(struct kit *k, const qnt_quantizer *in, float *y, qnt_tensor *xt,
                      qnt_tensor *yt)
{
    static uint8_t space[65536];
    size_t bytes = 0;
    (void)y;
    OK(CREATE(*k, TENSOR(NULL, QNT_FLOAT, 32, N, 0), k->weight_q, TENSOR(k->bias, QNT_FLOAT, 32, N),
              in, NULL));
    OK(qnt_layer_workspace(k->context, k->layer, xt, &bytes));
    CHECK(bytes <= sizeof space);
    memset(space, 0xff, sizeof space);
    OK(qnt_layer_run(k->context, k->layer, xt, yt, space, bytes));
    qnt_layer_destroy(k->layer);
    k->layer = NULL;
}

/* A sum over nothing is the bias; no rows or no outputs is nothing to do. */
static void empty(void)
{
    struct kit k;
    open_kit(&k);
    float y[2 * N], x[2 * K] = {0};
    size_t bytes;
    for (int i = 0; i < N; i++) k.bias[i] = (float)i - 2.5f;
    const qnt_quantizer *inputs[] = {NULL, k.u8, k.dynamic};
    for (int i = 0; i < 3; i++) {
        memset(y, 0xff, sizeof y);
        run_empty(&k, inputs[i], y, TENSOR(NULL, QNT_FLOAT, 32, 2, 0),
                  TENSOR(y, QNT_FLOAT, 32, 2, N));
        for (int j = 0; j < 2 * N; j++) {
            CHECK_MSG(y[j] == k.bias[j % N], "input %d, %g", i, (double)y[j]);
        }
    }
    OK(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.u8, NULL));
    qnt_tensor *none = TENSOR(NULL, QNT_FLOAT, 32, 0, K);
    OK(qnt_layer_workspace(k.context, k.layer, none, &bytes));
    uint8_t *space = malloc(65536);
    OK(qnt_layer_run(k.context, k.layer, none, TENSOR(NULL, QNT_FLOAT, 32, 0, N), space, bytes));
    qnt_layer_destroy(k.layer);

    OK(CREATE(k, TENSOR(NULL, QNT_FLOAT, 32, 0, K), k.weight_q, NULL, k.u8, NULL));
    qnt_tensor *xt = TENSOR(x, QNT_FLOAT, 32, 2, K);
    OK(qnt_layer_run(k.context, k.layer, xt, TENSOR(NULL, QNT_FLOAT, 32, 2, 0), space, 65536));
    free(space);
    close_kit(&k);
}

static void *alloc_little(void *user, size_t size, size_t align)
{
    (void)user;
    return size > 1 << 20 ? NULL : aligned_alloc(align, (size + align - 1) / align * align);
}

static void free_little(void *user, void *block, size_t size)
{
    (void)user, (void)size;
    free(block);
}

/* Without inputs only the memory that they take bounds the outputs; nothing may walk them before it is
 * there (which takes a minute here). */
static void endless_outputs(void)
{
    struct kit k;
    open_kit(&k);
    qnt_context *host = k.context;
    if (qnt_context_create(alloc_little, free_little, NULL, &k.context) != QNT_OK) exit(2);
    const int64_t outputs = sizeof(size_t) > 4 ? INT32_MAX : 1 << 25;
    for (int i = 0; i < 20; i++) {
        qnt_tensor *weight = TENSOR(NULL, QNT_FLOAT, 32, outputs, 0);
        const qnt_quantizer *in = i % 2 ? k.u8 : NULL;
        CHECK(CREATE(k, weight, k.weight_q, NULL, in, NULL) == QNT_E_NOMEM);
    }
    qnt_context_destroy(k.context);
    k.context = host;
    close_kit(&k);
}

/* Every shape of input that a dense layer takes, also one row without an axis for rows. */
static void leading_axes(void)
{
    struct kit k;
    open_kit(&k);
    float x[12 * K], flat[12 * N], y[12 * N];
    uint8_t space[65536];
    for (int i = 0; i < 12 * K; i++) x[i] = (float)random_gauss();
    OK(CREATE(k, WEIGHT(k), k.weight_q, NULL, k.dynamic, NULL));
    OK(qnt_layer_run(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, 12, K),
                     TENSOR(flat, QNT_FLOAT, 32, 12, N), space, sizeof space));
    OK(qnt_layer_run(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, 3, 1, 4, K),
                     TENSOR(y, QNT_FLOAT, 32, 3, 1, 4, N), space, sizeof space));
    CHECK(!memcmp(flat, y, sizeof y));
    OK(qnt_layer_run(k.context, k.layer, TENSOR(x, QNT_FLOAT, 32, K), TENSOR(y, QNT_FLOAT, 32, N),
                     space, sizeof space));
    CHECK(!memcmp(flat, y, N * sizeof *y));

    qnt_tensor *turned = TENSOR(x, QNT_FLOAT, 32, 3, 4, K); /* rows in another order */
    qnt_tensor *result = TENSOR(y, QNT_FLOAT, 32, 3, 4, N);
    turned->strides[0] = K, turned->strides[1] = 3 * K;
    OK(qnt_layer_run(k.context, k.layer, turned, result, space, sizeof space));
    for (int r = 0; r < 12; r++) {
        CHECK(!memcmp(flat + (r % 4 * 3 + r / 4) * N, y + r * N, N * sizeof *y));
    }
    turned->data = x + 11 * K; /* backwards */
    turned->strides[0] = -4 * K, turned->strides[1] = -K;
    OK(qnt_layer_run(k.context, k.layer, turned, result, space, sizeof space));
    for (int r = 0; r < 12; r++) CHECK(!memcmp(flat + (11 - r) * N, y + r * N, N * sizeof *y));
    close_kit(&k);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(bad_quantizers);
    RUN(bad_spec);
    RUN(bad_tensors);
    RUN(bad_numbers);
    RUN(bad_runs);
    RUN(bad_images);
    RUN(empty);
    RUN(endless_outputs);
    RUN(leading_axes);
    return DONE;
}
