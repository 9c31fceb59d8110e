/* create, spec, get, set, view: defaults, limits, and a reason for every refusal. */
#include "check.h"
#include "quantizer/names.h"
#include "quantizer/quantizer.h"

static qnt_context *c;

static qnt_spec good(void)
{
    return (qnt_spec){.size = sizeof(qnt_spec)};
}

/* All flags, whichever are set, fit. */
static void names(void)
{
    CHECK(!strcmp(qnt__flag_names(0).text, "0"));
    CHECK(!strcmp(qnt__flag_names(QNT_SIGNED | QNT_LITERAL | 0x300).text,
                  "QNT_SIGNED | QNT_LITERAL | 0x00000300"));
    CHECK(strstr(qnt__flag_names(-1).text, "QNT_REAL_OFFSET | QNT_THRESHOLDS | 0xffffff80"));
    CHECK(!strcmp(qnt__scheme_names(0xf).text, "QNT_AFFINE or QNT_POINTS or QNT_EXP or QNT_TABLE"));
    CHECK(!qnt__parameter_name(-1) && !qnt__parameter_name(0) && !qnt__parameter_name(64));
}

/* A changed spec is refused with this reason, and no handle comes out. */
#define REFUSED(change, status, text)                                                              \
    do {                                                                                           \
        qnt_spec s = good();                                                                       \
        qnt_quantizer *q_ = (qnt_quantizer *)&s;                                                   \
        change;                                                                                    \
        FAILS(qnt_quantizer_create(c, &s, &q_), status, text);                                     \
        CHECK(q_ == NULL);                                                                         \
    } while (0)

static void refused_specs(void)
{
    qnt_quantizer *q = NULL;
    FAILS(qnt_quantizer_create(c, NULL, &q), QNT_E_INVALID, "spec is NULL");
    qnt_spec spec = good();
    FAILS(qnt_quantizer_create(c, &spec, NULL), QNT_E_INVALID, "out is NULL");
    CHECK(qnt_quantizer_create(NULL, &spec, &q) == QNT_E_INVALID);
    REFUSED(s.size = 0, QNT_E_INVALID, "spec: size is 0, expected at least 48");
    REFUSED(s.size = sizeof s - 1, QNT_E_INVALID, "spec: size is 47");
    REFUSED(s.scheme = 4, QNT_E_INVALID, "scheme is 4, expected QNT_AFFINE (0)");
    REFUSED(s.scheme = -1, QNT_E_INVALID, "spec: scheme is -1");
    REFUSED(s.method = 99, QNT_E_INVALID,
            "method is 99, expected QNT_FIXED (0) to QNT_LEVELS (16)");
    REFUSED(s.method = -1, QNT_E_INVALID, "spec: method is -1");
    REFUSED(s.bits = 9, QNT_E_INVALID, "spec: bits is 9, expected 1 to 8 or 16");
    REFUSED(s.bits = -1, QNT_E_INVALID, "spec: bits is -1");
    REFUSED(s.bits = 17, QNT_E_INVALID, "spec: bits is 17");
    REFUSED(s.flags = 0x80, QNT_E_INVALID, "flags 0x80 has unknown bits");
    REFUSED((s.method = QNT_MSE, s.flags = QNT_THRESHOLDS | QNT_LITERAL), QNT_E_UNSUPPORTED,
            "spec: QNT_THRESHOLDS means nothing with scheme QNT_AFFINE");
    REFUSED(s.method = QNT_NF4, QNT_E_UNSUPPORTED,
            "QNT_NF4 does not serve scheme QNT_AFFINE, but QNT_TABLE");
    REFUSED(s.grain = 3, QNT_E_INVALID, "spec: grain is 3, expected 0 (QNT_PER_TENSOR) to 2");
    REFUSED(s.grain = -1, QNT_E_INVALID, "spec: grain is -1");
    REFUSED((s.grain = QNT_PER_AXIS, s.axis = 8), QNT_E_INVALID, "spec: axis is 8");
    REFUSED((s.grain = QNT_PER_AXIS, s.axis = -9), QNT_E_INVALID, "spec: axis is -9");
    REFUSED(s.points = 2, QNT_E_INVALID, "spec: points is 2, expected 0");
    REFUSED(s.grain = QNT_PER_BLOCK, QNT_E_INVALID, "spec: block is 0, expected at least 1");
    REFUSED((s.grain = QNT_PER_BLOCK, s.block = -4), QNT_E_INVALID, "spec: block is -4");
    REFUSED(s.block = 32, QNT_E_INVALID, "spec: block is 32, expected 0 without QNT_PER_BLOCK");
    REFUSED((s.bits = 1, s.flags = QNT_NARROW), QNT_E_INVALID, "QNT_NARROW leaves 1 code of 1 bit");
    REFUSED(s.flags = QNT_SYMMETRIC | QNT_REAL_OFFSET, QNT_E_INVALID,
            "flags has QNT_SYMMETRIC and QNT_REAL_OFFSET");
    REFUSED(s.flags = QNT_DYNAMIC, QNT_E_UNSUPPORTED,
            "QNT_DYNAMIC with method QNT_FIXED, expected QNT_MINMAX");
    REFUSED((s.flags = QNT_DYNAMIC, s.method = QNT_MSE), QNT_E_UNSUPPORTED, "method QNT_MSE");
    REFUSED((s.flags = QNT_DYNAMIC | QNT_REAL_OFFSET, s.method = QNT_MINMAX), QNT_E_UNSUPPORTED,
            "QNT_DYNAMIC with QNT_REAL_OFFSET");
    REFUSED((s.flags = QNT_REAL_OFFSET, s.method = QNT_MSE), QNT_E_UNSUPPORTED,
            "QNT_MSE with QNT_REAL_OFFSET has 8 bits, expected at most 5");
}

/* A caller built against a later release. */
static void growth(void)
{
    struct { qnt_spec spec; uint8_t more[16]; } s = {good(), {0}};
    qnt_quantizer *q;
    s.spec.size = sizeof s;
    s.spec.bits = 5;
    s.spec.seed = 77;
    OK(qnt_quantizer_create(c, &s.spec, &q));
    s.more[3] = 1;
    qnt_quantizer *none = NULL;
    FAILS(qnt_quantizer_create(c, &s.spec, &none), QNT_E_VERSION, "spec: byte 51 is 1");
    FAILS(qnt_quantizer_spec(c, q, &s.spec), QNT_E_VERSION, "spec: byte 51 is 1");
    s.more[3] = 0;
    OK(qnt_quantizer_spec(c, q, &s.spec));
    CHECK(s.spec.size == sizeof s && s.spec.bits == 5 && s.spec.seed == 77);
    qnt_spec small = {.size = 4};
    FAILS(qnt_quantizer_spec(c, q, &small), QNT_E_INVALID, "spec: size is 4");
    FAILS(qnt_quantizer_spec(c, NULL, &small), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_spec(c, q, NULL), QNT_E_INVALID, "spec is NULL");
    qnt_quantizer_destroy(q);
    qnt_quantizer_destroy(NULL);
}

static void defaults(void)
{
    static const double expected[][2] = {{QNT_P_PERCENTILE, 99.99}, {QNT_P_DISTRIBUTION, 0},
                                         {QNT_P_SAMPLES, 4194304}, {QNT_P_BINS, 4096},
                                         {QNT_P_NODES, 0}};
    qnt_spec spec = good();
    qnt_quantizer *q;
    OK(qnt_quantizer_create(c, &spec, &q));
    OK(qnt_quantizer_spec(c, q, &spec));
    CHECK(spec.bits == 8 && spec.size == sizeof spec);
    for (size_t i = 0; i < 5; i++) {
        double value;
        size_t count;
        OK(qnt_quantizer_get(c, q, (int32_t)expected[i][0], &value, 1, &count));
        CHECK(count == 1 && value == expected[i][1]);
    }
    qnt_quantizer_destroy(q);
}

static void options(void)
{
    static const struct { int param; double good[2], bad[3]; const char *text; } table[] = {
        {QNT_P_PERCENTILE, {50.5, 100}, {50, 100.5, -1}, "a percentile above 50, at most 100"},
        {QNT_P_DISTRIBUTION, {1, 2}, {3, -1, 0.5}, "0, 1 or 2"},
        {QNT_P_SAMPLES, {0, 1e9}, {-1, 0.5, 1e17}, "a whole number from 0 to 2^53"},
        {QNT_P_BINS, {64, 65536}, {63, 65537, 100.5}, "a whole number from 64 to 65536"},
        {QNT_P_NODES, {0, 1000}, {-1, 0.5, INFINITY}, "a whole number from 0 to 2^53"}};
    qnt_spec spec = good();
    qnt_quantizer *q;
    OK(qnt_quantizer_create(c, &spec, &q));
    for (size_t i = 0; i < 5; i++) {
        double value, nan = NAN, two[2] = {64, 64};
        size_t count;
        for (int k = 0; k < 2; k++) {
            OK(qnt_quantizer_set(c, q, table[i].param, &table[i].good[k], 1));
            OK(qnt_quantizer_get(c, q, table[i].param, &value, 1, &count));
            CHECK(value == table[i].good[k]);
        }
        for (int k = 0; k < 3; k++) {
            FAILS(qnt_quantizer_set(c, q, table[i].param, &table[i].bad[k], 1), QNT_E_INVALID,
                  table[i].text);
        }
        FAILS(qnt_quantizer_set(c, q, table[i].param, &nan, 1), QNT_E_INVALID, table[i].text);
        FAILS(qnt_quantizer_set(c, q, table[i].param, two, 2), QNT_E_INVALID,
              "count is 2, expected 1");
        OK(qnt_quantizer_get(c, q, table[i].param, &value, 1, &count));
        CHECK(value == table[i].good[1]);
    }
    qnt_quantizer_destroy(q);
}

static qnt_quantizer *create(int method, int bits, int flags, int grain)
{
    qnt_spec spec = good();
    spec.method = method;
    spec.bits = bits;
    spec.flags = flags;
    spec.grain = grain;
    qnt_quantizer *q = NULL;
    if (qnt_quantizer_create(c, &spec, &q) != QNT_OK) printf("  create: %s\n", check_reason);
    return q;
}

static void fixed_parameters(void)
{
    double scales[3] = {0.1, 2, 3}, zeros[3] = {-8, 7, 0}, values[3], one = 5;
    size_t count = 99;
    qnt_quantizer *q = create(QNT_FIXED, 4, QNT_SIGNED, QNT_PER_AXIS);
    FAILS(qnt_quantizer_get(c, q, QNT_P_SCALE, values, 3, &count), QNT_E_STATE,
          "set QNT_P_SCALE first");
    FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, zeros, 3), QNT_E_STATE, "set QNT_P_SCALE first");
    CHECK(count == 99);
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, scales, 3));
    OK(qnt_quantizer_set(c, q, QNT_P_ZERO, zeros, 3));
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, NULL, 0, &count));
    CHECK(count == 3);
    FAILS(qnt_quantizer_get(c, q, QNT_P_SCALE, values, 2, &count), QNT_E_SPACE,
          "capacity is 2, expected at least 3");
    OK(qnt_quantizer_get(c, q, QNT_P_SCALE, values, 3, &count));
    CHECK(values[0] == (double)0.1f && values[1] == 2 && values[2] == 3);
    OK(qnt_quantizer_get(c, q, QNT_P_LOW, values, 3, &count));
    CHECK(values[0] == 0 && values[1] == -30 && values[2] == -24);
    OK(qnt_quantizer_get(c, q, QNT_P_HIGH, values, 3, &count));
    CHECK(values[0] == (double)(15 * 0.1f) && values[1] == 0 && values[2] == 21);

    static const double bad_scales[] = {0, -1, NAN, INFINITY, 1e39, 1e-50};
    for (int i = 0; i < 6; i++) {
        double s[3] = {1, bad_scales[i], 1};
        FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, s, 3), QNT_E_INVALID, "values: scale 1 is");
    }
    static const double bad_zeros[] = {-9, 8, 0.5, NAN};
    for (int i = 0; i < 4; i++) {
        double z[3] = {0, 0, bad_zeros[i]};
        FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, z, 3), QNT_E_INVALID,
              "values: zero point 2 is");
    }
    FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, zeros, 2), QNT_E_INVALID,
          "count is 2, expected 1 or 3");
    FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, zeros, 0), QNT_E_INVALID, "count is 0");
    FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, NULL, 1), QNT_E_INVALID, "values is NULL");
    FAILS(qnt_quantizer_set(c, NULL, QNT_P_ZERO, zeros, 1), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_set(c, q, QNT_P_OFFSET, zeros, 1), QNT_E_UNSUPPORTED, "QNT_P_OFFSET");
    FAILS(qnt_quantizer_set(c, q, QNT_P_LOW, zeros, 1), QNT_E_INVALID,
          "param is QNT_P_LOW, which cannot be set in a QNT_AFFINE quantizer");
    FAILS(qnt_quantizer_set(c, q, 999, zeros, 1), QNT_E_INVALID, "param is 999");
    FAILS(qnt_quantizer_set(c, q, 13, zeros, 1), QNT_E_INVALID,
          "param is 13, expected a QNT_P_ parameter");
    FAILS(qnt_quantizer_set(c, q, -1, zeros, 1), QNT_E_INVALID,
          "param is -1, expected a QNT_P_ parameter");
    FAILS(qnt_quantizer_get(c, q, QNT_P_LEVELS, values, 3, &count), QNT_E_INVALID,
          "param is QNT_P_LEVELS, which does not exist in a QNT_AFFINE quantizer");
    FAILS(qnt_quantizer_set(c, q, QNT_P_BINS, values, 2), QNT_E_INVALID,
          "expected 1 for QNT_P_BINS");
    FAILS(qnt_quantizer_get(c, q, 999, values, 3, &count), QNT_E_INVALID, "param is 999");
    FAILS(qnt_quantizer_get(c, q, QNT_P_SCALE, values, 3, NULL), QNT_E_INVALID, "count is NULL");
    FAILS(qnt_quantizer_get(c, NULL, QNT_P_SCALE, values, 3, &count), QNT_E_INVALID,
          "quantizer is NULL");
    FAILS(qnt_quantizer_get(c, q, QNT_P_BOUND, values, 3, &count), QNT_E_UNSUPPORTED, "QNT_MSE");
    FAILS(qnt_quantizer_get(c, q, QNT_P_ERROR, values, 3, &count), QNT_E_STATE, "no fit");
    FAILS(qnt_quantizer_get(c, q, QNT_P_MIN, values, 3, &count), QNT_E_STATE, "observed nothing");

    OK(qnt_quantizer_get(c, q, QNT_P_ZERO, values, 3, &count)); /* as it was */
    CHECK(count == 3 && !memcmp(values, zeros, sizeof zeros));
    OK(qnt_quantizer_set(c, q, QNT_P_ZERO, &one, 1));
    OK(qnt_quantizer_get(c, q, QNT_P_ZERO, values, 3, &count));
    CHECK(values[0] == 5 && values[1] == 5 && values[2] == 5);
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, scales, 2)); /* other groups: zero points start again */
    OK(qnt_quantizer_get(c, q, QNT_P_ZERO, values, 3, &count));
    CHECK(count == 2 && values[0] == 0 && values[1] == 0);
    qnt_quantizer_destroy(q);
}

static void kinds_of_parameters(void)
{
    double one = 1, mid = 128, zero = 0, value;
    size_t count;
    qnt_quantizer *q = create(QNT_FIXED, 8, QNT_SYMMETRIC, 0); /* unsigned: the middle */
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_get(c, q, QNT_P_ZERO, &value, 1, &count));
    CHECK(value == 128);
    OK(qnt_quantizer_set(c, q, QNT_P_ZERO, &mid, 1));
    FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, &zero, 1), QNT_E_INVALID,
          "zero point 0 is 0, expected a whole number from 128 to 128");
    double two[2] = {1, 2};
    FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, two, 2), QNT_E_INVALID,
          "count is 2, expected 1 per tensor");
    qnt_quantizer_destroy(q);

    q = create(QNT_FIXED, 8, QNT_REAL_OFFSET, 0);
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, &one, 1));
    OK(qnt_quantizer_set(c, q, QNT_P_OFFSET, &mid, 1));
    OK(qnt_quantizer_get(c, q, QNT_P_HIGH, &value, 1, &count));
    CHECK(value == 128 + 255);
    FAILS(qnt_quantizer_set(c, q, QNT_P_ZERO, &zero, 1), QNT_E_UNSUPPORTED, "has QNT_P_OFFSET");
    double huge = 1e39;
    FAILS(qnt_quantizer_set(c, q, QNT_P_OFFSET, &huge, 1), QNT_E_INVALID, "values: offset 0 is 1e+39");
    qnt_quantizer_destroy(q);

    q = create(QNT_MINMAX, 8, 0, 0);
    FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, &one, 1), QNT_E_STATE, "observe and fit first");
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "observed nothing; observe first");
    FAILS(qnt_quantizer_fit(c, NULL), QNT_E_INVALID, "quantizer is NULL");
    float x[] = {-1, 2};
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 2), NULL));
    OK(qnt_quantizer_fit(c, q));
    OK(qnt_quantizer_get(c, q, QNT_P_ERROR, &value, 1, &count));
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, &one, 1)); /* the error is no longer that of the fit */
    FAILS(qnt_quantizer_get(c, q, QNT_P_ERROR, &value, 1, &count), QNT_E_STATE, "no fit");
    FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, two, 2), QNT_E_INVALID, "count is 2, expected 1 or 1");
    qnt_quantizer_destroy(q);

    q = create(QNT_FIXED, 8, 0, 0);
    OK(qnt_quantizer_observe(c, q, TENSOR(x, QNT_FLOAT, 32, 2), NULL));
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "QNT_FIXED and has nothing to fit");
    qnt_quantizer_destroy(q);

    q = create(QNT_MINMAX, 8, QNT_DYNAMIC, 0);
    uint8_t codes[2];
    FAILS(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, 2), TENSOR(codes, QNT_UINT, 8, 2)),
          QNT_E_STATE, "QNT_DYNAMIC and has no parameters of its own; use qnt_quantizer_apply");
    FAILS(qnt_quantizer_fit(c, q), QNT_E_STATE, "QNT_DYNAMIC");
    FAILS(qnt_quantizer_set(c, q, QNT_P_SCALE, &one, 1), QNT_E_STATE, "QNT_DYNAMIC");
    FAILS(qnt_quantizer_get(c, q, QNT_P_SCALE, &value, 1, &count), QNT_E_STATE, "QNT_DYNAMIC");
    qnt_quantizer_destroy(q);
}

static void views(void)
{
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    qnt_tensor codes = {.shape = shape, .strides = strides};
    qnt_quantizer *q = create(QNT_FIXED, 3, QNT_SIGNED, 0);
    OK(qnt_quantizer_view(c, q, TENSOR(NULL, QNT_FLOAT, 16, 2, 3, 4), &codes));
    CHECK(codes.ndim == 3 && codes.dtype_code == QNT_INT && codes.dtype_bits == 3);
    CHECK(shape[0] == 2 && shape[2] == 4 && strides[0] == 12 && strides[2] == 1);
    uint64_t bytes;
    OK(qnt_tensor_bytes(c, &codes, &bytes));
    CHECK(bytes == 9);
    FAILS(qnt_quantizer_view(c, NULL, &codes, &codes), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_view(c, q, NULL, &codes), QNT_E_INVALID, "x is NULL");
    FAILS(qnt_quantizer_view(c, q, &codes, NULL), QNT_E_INVALID, "codes is NULL");
    codes.shape = NULL;
    FAILS(qnt_quantizer_view(c, q, TENSOR(NULL, QNT_FLOAT, 32, 2), &codes), QNT_E_INVALID,
          "codes: shape and strides");
    qnt_quantizer_destroy(q);
}

/* ---- tensors that cannot be used, for every call that takes some ---- */

struct arena {
    float x[24];
    uint8_t codes[96];
    float y[24];
};

/* Runs all calls with x; each must refuse, name x or codes or y, and write nothing. */
static void refuse_x(qnt_quantizer *q, const qnt_tensor *x, qnt_status status, const char *text)
{
    static struct arena a, before;
    memset(&a, 0x5a, sizeof a);
    before = a;
    int64_t shape[QNT_MAX_NDIM] = {4, 6}, strides[QNT_MAX_NDIM] = {6, 1};
    qnt_tensor codes = {.data = a.codes, .device_type = 1, .ndim = 2, .dtype_code = QNT_UINT,
                        .dtype_bits = 8, .dtype_lanes = 1, .shape = shape, .strides = strides};
    qnt_tensor y = codes;
    y.data = a.y;
    y.dtype_code = QNT_FLOAT;
    y.dtype_bits = 32;
    qnt_error e = {.size = sizeof e};
    FAILS(qnt_quantizer_encode(c, q, x, &codes), status, text);
    FAILS(qnt_quantizer_apply(c, q, x, &y), status, text);
    FAILS(qnt_quantizer_observe(c, q, x, NULL), status, text);
    FAILS(qnt_quantizer_error(c, q, x, NULL, &e), status, text);
    CHECK(!memcmp(&a, &before, sizeof a) && e.count == 0 && !q->statistics);
}

static void refuse_y(qnt_quantizer *q, struct arena *a, qnt_tensor *y, qnt_status status,
                     const char *text)
{
    struct arena before = *a;
    qnt_tensor *x = TENSOR(a->x, QNT_FLOAT, 32, 4, 6), *codes = TENSOR(a->codes, QNT_UINT, 8, 4, 6);
    FAILS(qnt_quantizer_apply(c, q, x, y), status, text);
    FAILS(qnt_quantizer_decode(c, q, codes, y), status, text);
    CHECK(!memcmp(a, &before, sizeof before));
}

static void refuse_codes(qnt_quantizer *q, struct arena *a, qnt_tensor *codes, qnt_status status,
                         const char *text)
{
    struct arena before = *a;
    FAILS(qnt_quantizer_encode(c, q, TENSOR(a->x, QNT_FLOAT, 32, 4, 6), codes), status, text);
    CHECK(!memcmp(a, &before, sizeof before));
}

static void bad_inputs(void)
{
    static float data[24];
    double one = 1;
    qnt_quantizer *q = create(QNT_FIXED, 8, 0, 0);
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, &one, 1));
    int64_t shape[9] = {4, 6, 1, 1, 1, 1, 1, 1, 1}, strides[9] = {6, 1, 1, 1, 1, 1, 1, 1, 1};
    const qnt_tensor good_x = {.data = data, .device_type = 1, .ndim = 2, .dtype_code = QNT_FLOAT,
                               .dtype_bits = 32, .dtype_lanes = 1, .shape = shape, .strides = strides};
    qnt_tensor x;
    refuse_x(q, NULL, QNT_E_INVALID, "x is NULL");
    x = good_x, x.data = NULL;
    refuse_x(q, &x, QNT_E_INVALID, "x: data is NULL");
    x = good_x, x.shape = NULL;
    refuse_x(q, &x, QNT_E_INVALID, "x: shape is NULL");
    x = good_x, x.ndim = 9;
    refuse_x(q, &x, QNT_E_SHAPE, "x: ndim is 9, expected 0 to 8");
    x = good_x, x.ndim = -1;
    refuse_x(q, &x, QNT_E_SHAPE, "x: ndim is -1");
    x = good_x, x.device_type = 2;
    refuse_x(q, &x, QNT_E_DEVICE, "x: device_type is 2, expected 1");
    x = good_x, x.dtype_bits = 64;
    refuse_x(q, &x, QNT_E_DTYPE, "x: elements are float64, expected float32, float16");
    x = good_x, x.dtype_code = QNT_INT;
    refuse_x(q, &x, QNT_E_DTYPE, "x: elements are int32, expected float32");
    x = good_x, x.dtype_lanes = 4;
    refuse_x(q, &x, QNT_E_DTYPE, "dtype_lanes is 4");
    shape[1] = -6;
    refuse_x(q, &good_x, QNT_E_SHAPE, "x: extent 1 is -6, expected at least 0");
    shape[0] = shape[1] = INT64_MAX / 2;
    refuse_x(q, &good_x, QNT_E_SHAPE, "x: extents and strides overflow");
    shape[0] = 4, shape[1] = 6, strides[0] = INT64_MAX / 2;
    refuse_x(q, &good_x, QNT_E_SHAPE, "x: extents and strides overflow");
    strides[0] = 6;

    static struct arena a;
    memset(&a, 0x33, sizeof a);
    qnt_tensor y = good_x;
    y.data = a.y;
    refuse_y(q, &a, NULL, QNT_E_INVALID, "y is NULL");
    y.dtype_bits = 8;
    refuse_y(q, &a, &y, QNT_E_DTYPE, "y: elements are float8, expected");
    y.dtype_bits = 32, strides[0] = 5;
    refuse_y(q, &a, &y, QNT_E_SHAPE, "y: strides let two elements share memory");
    strides[0] = 6, shape[0] = 3;
    refuse_y(q, &a, &y, QNT_E_SHAPE, "y: extent 0 is 3, expected 4 as in");
    shape[0] = 4;
    y.data = a.x + 1;
    struct arena before = a;
    FAILS(qnt_quantizer_apply(c, q, TENSOR(a.x, QNT_FLOAT, 32, 4, 6), &y), QNT_E_INVALID,
          "y overlaps x in memory");
    CHECK(!memcmp(&a, &before, sizeof a));

    qnt_tensor codes = good_x;
    codes.data = a.codes, codes.dtype_code = QNT_UINT, codes.dtype_bits = 8;
    refuse_codes(q, &a, NULL, QNT_E_INVALID, "codes is NULL");
    codes.dtype_code = QNT_INT;
    refuse_codes(q, &a, &codes, QNT_E_DTYPE, "codes: elements are int8, expected uint");
    codes.dtype_code = QNT_UINT, codes.dtype_bits = 4;
    refuse_codes(q, &a, &codes, QNT_E_DTYPE, "codes: elements are uint4, expected uint8");
    codes.dtype_bits = 16;
    refuse_codes(q, &a, &codes, QNT_E_DTYPE, "codes: elements are uint16");
    codes.dtype_bits = 8, strides[0] = 0;
    refuse_codes(q, &a, &codes, QNT_E_SHAPE, "codes: strides let two elements share memory");
    strides[0] = 6, codes.data = a.x;
    refuse_codes(q, &a, &codes, QNT_E_INVALID, "codes overlaps x in memory");
    CHECK(qnt_quantizer_encode(NULL, q, &good_x, &codes) == QNT_E_INVALID);
    CHECK(qnt_quantizer_observe(NULL, q, &good_x, NULL) == QNT_E_INVALID);
    FAILS(qnt_quantizer_observe(c, NULL, &good_x, NULL), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_encode(c, NULL, &good_x, &codes), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_decode(c, NULL, &codes, &y), QNT_E_INVALID, "quantizer is NULL");
    FAILS(qnt_quantizer_apply(c, NULL, &good_x, &y), QNT_E_INVALID, "quantizer is NULL");
    qnt_quantizer_destroy(q);

    double scales[5] = {1, 1, 1, 1, 1};
    q = create(QNT_FIXED, 8, 0, QNT_PER_AXIS);
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, scales, 5));
    codes.data = a.codes;
    refuse_codes(q, &a, &codes, QNT_E_SHAPE, "x has 4 groups, but the quantizer has 5");
    float scalar = 1;
    uint8_t code = 9;
    FAILS(qnt_quantizer_encode(c, q, check_view(&(check_tensor){0}, &scalar, QNT_FLOAT, 32, 0, NULL),
                               check_view(&(check_tensor){0}, &code, QNT_UINT, 8, 0, NULL)),
          QNT_E_SHAPE, "x: ndim is 0, but the quantizer's axis is 0");
    CHECK(code == 9);
    qnt_quantizer_destroy(q);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    c = check_context();
    RUN(names);
    RUN(refused_specs);
    RUN(growth);
    RUN(defaults);
    RUN(options);
    RUN(fixed_parameters);
    RUN(kinds_of_parameters);
    RUN(views);
    RUN(bad_inputs);
    qnt_context_destroy(c);
    return DONE;
}
