/* encode, decode and apply against an element-by-element reference: every grain, type and
 * stride. */
#include "check.h"
#include "quantizer/grouping.h"
#include "quantizer/quantizer.h"
#include "base/numeric.h"

enum { MOST = 6000 };

/* A random tensor: shape, an element offset for each index, a type. */
struct sample {
    int ndim;
    int64_t shape[QNT_MAX_NDIM], strides[QNT_MAX_NDIM];
    size_t count;
    bool compact;
};

static struct sample random_sample(bool compact)
{
    struct sample s = {.ndim = (int)random_in(0, 4), .count = 1, .compact = compact};
    int64_t most[] = {1, 3000, 70, 16, 8};
    for (int d = 0; d < s.ndim; d++) {
        s.shape[d] = random_in(0, 19) == 0 ? 0 : random_in(1, most[s.ndim]);
        s.count *= (size_t)s.shape[d];
    }
    int64_t stride = 1;
    for (int d = s.ndim - 1; d >= 0; d--) {
        if (!compact && random_in(0, 1)) stride += random_in(1, 3);
        s.strides[d] = stride;
        stride *= s.shape[d] ? s.shape[d] : 1;
    }
    if (!compact && s.ndim >= 2) { /* a transposed view */
        int64_t t = s.strides[0];
        s.strides[0] = s.strides[s.ndim - 1];
        s.strides[s.ndim - 1] = t;
        s.compact = false;
        int64_t far = s.shape[0] * s.shape[s.ndim - 1];
        s.strides[0] = 1;
        s.strides[s.ndim - 1] = s.shape[0];
        for (int d = 1; d < s.ndim - 1; d++) {
            s.strides[d] = far;
            far *= s.shape[d];
        }
    }
    return s;
}

static size_t offset_of(const struct sample *s, size_t element)
{
    int64_t at = 0;
    for (int d = s->ndim - 1; d >= 0; d--) {
        at += (int64_t)(element % (size_t)s->shape[d]) * s->strides[d];
        element /= (size_t)s->shape[d];
    }
    return (size_t)at;
}

static qnt_tensor view_of(struct sample *s, void *data, int code, int bits)
{
    return (qnt_tensor){.data = data, .device_type = 1, .ndim = s->ndim, .dtype_code = (uint8_t)code,
                        .dtype_bits = (uint8_t)bits, .dtype_lanes = 1, .shape = s->shape,
                        .strides = s->strides};
}

/* The group of an element by the words of the header. */
static size_t group_of(const struct sample *s, const qnt_spec *spec, size_t element)
{
    if (spec->grain == QNT_PER_TENSOR) return 0;
    int axis = spec->axis < 0 ? spec->axis + s->ndim : spec->axis;
    size_t index[QNT_MAX_NDIM], group = 0;
    for (int d = s->ndim - 1; d >= 0; d--) {
        index[d] = element % (size_t)s->shape[d];
        element /= (size_t)s->shape[d];
    }
    if (spec->grain == QNT_PER_AXIS) return index[axis];
    size_t block = (size_t)spec->block;
    for (int d = 0; d < s->ndim; d++) {
        size_t extent = (size_t)s->shape[d];
        group = d == axis ? group * ((extent + block - 1) / block) + index[d] / block
                          : group * extent + index[d];
    }
    return group;
}

static int32_t reference_code(const qnt_quantizer *q, size_t g, float x)
{
    struct qnt__affine a = qnt__affine_of(q, g);
    if (x != x) x = 0;
    double t = rint((double)((x - a.offset) / a.scale));
    if (!(t > (double)a.low)) t = (double)a.low;
    if (t > (double)a.high) t = (double)a.high;
    return (int32_t)t + a.zero;
}

static float read_float(const uint8_t *p, int code, int bits)
{
    uint16_t h;
    float f;
    memcpy(&f, p, bits == 32 ? 4 : 2);
    memcpy(&h, p, 2);
    return bits == 32 ? f : code == QNT_FLOAT ? qnt__f32_of_f16(h) : qnt__f32_of_bf16(h);
}

static void write_float(uint8_t *p, int code, int bits, float f)
{
    uint16_t h = code == QNT_FLOAT ? qnt__f16_of_f32(f) : qnt__bf16_of_f32(f);
    memcpy(p, bits == 32 ? (void *)&f : (void *)&h, (size_t)bits / 8);
}

static int32_t read_code(const uint8_t *p, size_t at, int bits, bool sign)
{
    if (bits == 16) {
        uint16_t u;
        memcpy(&u, p + 2 * at, 2);
        return sign ? (int16_t)u : (int32_t)u;
    }
    int32_t code = 0;
    for (int b = 0; b < bits; b++) {
        size_t bit = at * (size_t)bits + (size_t)b;
        code |= (p[bit / 8] >> bit % 8 & 1) << b;
    }
    return sign && code >> (bits - 1) ? code - (1 << bits) : code;
}

/* Runs tasks backwards on alternating workers, to show that order does not matter. */
static int32_t backwards(void *user, qnt_task_fn run, void *task, size_t count)
{
    for (size_t i = count; i-- > 0;) run(task, i, i % 3);
    (*(size_t *)user)++;
    return 0;
}

static float random_float(void)
{
    switch (random_in(0, 30)) {
    case 0: return (float)NAN;
    case 1: return (float)INFINITY;
    case 2: return -(float)INFINITY;
    case 3: return (float)random_in(-40, 40) * 0.5f; /* ties */
    case 4: return -0.0f;
    case 5: return 1e30f * (float)random_gauss();
    default: return (float)random_gauss() * 4;
    }
}

static qnt_quantizer *random_quantizer(qnt_context *c, struct sample *s)
{
    static const int widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 16, 16};
    qnt_spec spec = {.size = sizeof spec, .bits = widths[random_in(0, 11)]};
    if (random_in(0, 1)) spec.flags |= QNT_SIGNED;
    if (random_in(0, 3) == 0 && spec.bits > 1) spec.flags |= QNT_NARROW;
    if (random_in(0, 3) == 0) spec.flags |= QNT_REAL_OFFSET;
    if (s->ndim > 0) spec.grain = (int)random_in(0, 2);
    if (s->ndim > 0) spec.axis = (int)random_in(-s->ndim, s->ndim - 1);
    if (spec.grain == QNT_PER_BLOCK) spec.block = random_in(1, 40);
    qnt_quantizer *q = NULL;
    if (qnt_quantizer_create(c, &spec, &q) != QNT_OK) return NULL;

    struct qnt__grouping grouping;
    qnt__grouping_of(c, "x", &spec, s->ndim, s->shape, &grouping);
    size_t groups = grouping.groups;
    double *values = malloc((groups + 1) * sizeof *values);
    for (size_t g = 0; g <= groups; g++) values[g] = random_in(0, 3) ? 0.5 : 0.01 + random_unit();
    if (groups == 0) goto done;
    qnt_quantizer_set(c, q, QNT_P_SCALE, values, groups);
    qnt_spec wide = spec;
    wide.flags &= ~QNT_NARROW;
    for (size_t g = 0; g < groups; g++) {
        values[g] = spec.flags & QNT_REAL_OFFSET
                        ? random_gauss()
                        : (double)random_in(qnt__code_low(&wide), qnt__code_high(&wide));
    }
    qnt_quantizer_set(c, q, spec.flags & QNT_REAL_OFFSET ? QNT_P_OFFSET : QNT_P_ZERO, values,
                      groups);
done:
    free(values);
    return q;
}

struct buffers {
    uint8_t x[MOST * 4 * 8], codes[MOST * 2 * 8], again[MOST * 2 * 8], y[MOST * 4 * 8],
        applied[MOST * 4 * 8];
};

static void one_case(qnt_context *c, qnt_context *other, struct buffers *b)
{
    static const int types[][2] = {{QNT_FLOAT, 32}, {QNT_FLOAT, 32}, {QNT_FLOAT, 16}, {QNT_BFLOAT, 16}};
    const int *type = types[random_in(0, 3)];
    struct sample s = random_sample(random_in(0, 2) != 0), t = s;
    if (s.count > MOST) return;
    qnt_quantizer *q = random_quantizer(c, &s);
    REQUIRE(q);
    const qnt_spec *spec = &q->spec;
    if (s.count == 0 && q->groups == 0) { /* nothing to set scales of */
        qnt_quantizer_destroy(q);
        return;
    }
    if (random_in(0, 1)) { /* compact codes */
        int64_t stride = 1;
        for (int d = t.ndim - 1; d >= 0; stride *= t.shape[d--]) t.strides[d] = stride;
    }
    bool sign = spec->flags & QNT_SIGNED;
    int bits = spec->bits < 8 && random_in(0, 1) ? 8 : spec->bits;
    size_t shift = (size_t)random_in(0, 1); /* misaligned floats and codes */
    qnt_tensor x = view_of(&s, b->x + shift, type[0], type[1]);
    qnt_tensor y = view_of(&s, b->y + shift, type[0], type[1]);
    qnt_tensor codes = view_of(&t, b->codes + shift, sign ? QNT_INT : QNT_UINT, bits);

    memset(b->codes, 0x5a, sizeof b->codes);
    memset(b->y, 0x5a, sizeof b->y);
    size_t size = (size_t)type[1] / 8;
    for (size_t e = 0; e < s.count; e++) {
        write_float(b->x + shift + offset_of(&s, e) * size, type[0], type[1], random_float());
    }
    memcpy(b->applied, b->x, sizeof b->x);

    OK(qnt_quantizer_encode(c, q, &x, &codes));
    OK(qnt_quantizer_decode(c, q, &codes, &y));
    for (size_t e = 0; e < s.count; e++) {
        size_t at = offset_of(&s, e), g = group_of(&s, spec, e);
        float value = read_float(b->x + shift + at * size, type[0], type[1]);
        int32_t expected = reference_code(q, g, value);
        int32_t got = read_code(b->codes + shift, offset_of(&t, e), bits, sign);
        CHECK_MSG(got == expected, "element %zu, %g: %d, expected %d (bits %d, grain %d axis %d)",
                  e, (double)value, got, expected, spec->bits, spec->grain, spec->axis);
        struct qnt__affine a = qnt__affine_of(q, g);
        float product = (float)(expected - a.zero) * a.scale, decoded = product + a.offset;
        uint8_t bytes[4];
        write_float(bytes, type[0], type[1], decoded);
        CHECK(!memcmp(bytes, b->y + shift + at * size, size));
    }

    /* portable C, in pieces out of order, into memory that holds something else */
    memset(b->again, 0x5a, sizeof b->again);
    qnt_tensor again = view_of(&t, b->again + shift, sign ? QNT_INT : QNT_UINT, bits);
    OK(qnt_quantizer_encode(other, q, &x, &again));
    CHECK(!memcmp(b->codes, b->again, sizeof b->codes));

    qnt_tensor applied = view_of(&s, b->applied + shift, type[0], type[1]);
    OK(qnt_quantizer_apply(other, q, &applied, &applied));
    for (size_t e = 0; e < s.count; e++) {
        size_t at = shift + offset_of(&s, e) * size;
        CHECK(!memcmp(b->applied + at, b->y + at, size));
    }
    qnt_quantizer_destroy(q);
}

static void random_cases(void)
{
    qnt_context *c = check_context(), *other = check_context();
    size_t calls = 0;
    qnt_context_set_cpu(other, 0);
    OK(qnt_context_set_parallel(other, backwards, &calls, 3));
    struct buffers *b = calloc(1, sizeof *b);
    for (int i = 0; i < 1500 && !check_bad; i++) one_case(c, other, b);
    free(b);
    qnt_context_destroy(c);
    qnt_context_destroy(other);
}

/* Long enough for several pieces, so that workers meet inside packed bytes if the rule is
 * broken. */
static void many_pieces(void)
{
    qnt_context *c = check_context(), *other = check_context();
    size_t calls = 0;
    OK(qnt_context_set_parallel(other, backwards, &calls, 3));
    enum { ROWS = 4099, COLUMNS = 67, COUNT = ROWS * COLUMNS };
    float *x = malloc(COUNT * sizeof *x);
    uint8_t *a = malloc(COUNT), *b = malloc(COUNT);
    for (size_t i = 0; i < COUNT; i++) x[i] = (float)random_gauss();
    for (int grain = 0; grain < 6; grain++) {
        qnt_spec spec = {.size = sizeof spec, .method = QNT_MINMAX, .bits = 3, .flags = QNT_DYNAMIC};
        spec.grain = grain / 2;
        spec.axis = grain % 2;
        spec.block = spec.grain == QNT_PER_BLOCK ? 32 : 0;
        qnt_quantizer *q, *fixed;
        OK(qnt_quantizer_create(c, &spec, &q));
        float *y = malloc(COUNT * sizeof *y), *z = malloc(COUNT * sizeof *z);
        qnt_tensor *view = TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS);
        OK(qnt_quantizer_apply(c, q, view, TENSOR(y, QNT_FLOAT, 32, ROWS, COLUMNS)));
        OK(qnt_quantizer_apply(other, q, view, TENSOR(z, QNT_FLOAT, 32, ROWS, COLUMNS)));
        CHECK(!memcmp(y, z, COUNT * sizeof *y));
        qnt_quantizer_destroy(q);

        spec.flags = 0;
        spec.method = QNT_FIXED;
        struct qnt__grouping grouping;
        qnt__grouping_of(c, "x", &spec, 2, view->shape, &grouping);
        double *scales = malloc(grouping.groups * sizeof *scales);
        for (size_t g = 0; g < grouping.groups; g++) scales[g] = 0.1 + random_unit();
        OK(qnt_quantizer_create(c, &spec, &fixed));
        OK(qnt_quantizer_set(c, fixed, QNT_P_SCALE, scales, grouping.groups));
        memset(a, 0xff, COUNT);
        memset(b, 0, COUNT);
        OK(qnt_quantizer_encode(c, fixed, view, TENSOR(a, QNT_UINT, 3, ROWS, COLUMNS)));
        OK(qnt_quantizer_encode(other, fixed, view, TENSOR(b, QNT_UINT, 3, ROWS, COLUMNS)));
        size_t bytes = (COUNT * 3 + 7) / 8;
        CHECK(!memcmp(a, b, bytes - 1));
        CHECK(((a[bytes - 1] ^ b[bytes - 1]) & ((1 << (COUNT * 3 % 8)) - 1)) == 0);
        qnt_quantizer_destroy(fixed);
        free(scales);
        free(y);
        free(z);
    }
    CHECK(calls > 0);
    free(x);
    free(a);
    free(b);
    qnt_context_destroy(c);
    qnt_context_destroy(other);
}

/* Pieces cover every element once and begin at whole bytes of packed codes of any width. */
static void pieces(void)
{
    for (int i = 0; i < 60; i++) {
        int64_t shape[3] = {random_in(1, 300), random_in(1, 90), random_in(1, 40)};
        qnt_spec spec = {.bits = 3, .grain = (int32_t)random_in(0, 2), .block = random_in(1, 40),
                         .axis = (int32_t)random_in(0, 2)};
        struct qnt__grouping g;
        OK(qnt__grouping_of(NULL, "x", &spec, 3, shape, &g));
        size_t count = (size_t)(shape[0] * shape[1] * shape[2]), covered = 0;
        for (size_t k = 0; k < qnt__element_pieces(&g); k++) {
            struct qnt__piece p = qnt__element_piece(&g, k);
            size_t first = p.row * p.pitch + p.column;
            CHECK(first == covered && first % 8 == 0);
            covered += (p.row_end - p.row) * (p.column_end - p.column);
        }
        CHECK(covered == count);
    }
}

static int32_t counting(void *user, qnt_task_fn run, void *task, size_t count)
{
    if (count > *(size_t *)user) *(size_t *)user = count;
    for (size_t i = 0; i < count; i++) run(task, i, 0);
    return 0;
}

/* Packed codes with gaps go to one worker, since any two may share a byte. */
static void strided_codes(void)
{
    qnt_context *c = check_context();
    size_t most = 0;
    OK(qnt_context_set_parallel(c, counting, &most, 4));
    enum { ROWS = 400, COLUMNS = 999 };
    qnt_spec spec = {.size = sizeof spec, .bits = 4};
    qnt_quantizer *q;
    double one = 1;
    OK(qnt_quantizer_create(c, &spec, &q));
    OK(qnt_quantizer_set(c, q, QNT_P_SCALE, &one, 1));
    float *x = calloc(ROWS * COLUMNS, sizeof *x);
    uint8_t *codes = calloc(ROWS, 600);
    qnt_tensor *view = TENSOR(codes, QNT_UINT, 4, ROWS, COLUMNS);
    OK(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), view));
    CHECK(most > 1);
    most = 0;
    view->strides[0] = COLUMNS + 2;
    OK(qnt_quantizer_encode(c, q, TENSOR(x, QNT_FLOAT, 32, ROWS, COLUMNS), view));
    CHECK(most <= 1);
    free(x);
    free(codes);
    qnt_quantizer_destroy(q);
    qnt_context_destroy(c);
}

/* Code i of `bits` in a run of packed ones. */
static unsigned packed_code(const uint8_t *packed, size_t i, int bits)
{
    unsigned code = 0;
    for (size_t k = 0, at = i * (size_t)bits; k < (size_t)bits; k++, at++) {
        code |= (unsigned)(packed[at / 8] >> at % 8 & 1) << k;
    }
    return code;
}

/* Long rows that begin inside of bytes or not: packed codes are the low bits of those in bytes. */
static void packed_rows(void)
{
    enum { MOST_ROWS = 9, COLUMNS = 9000 };
    static float x[MOST_ROWS * COLUMNS];
    static double scale[MOST_ROWS * COLUMNS];
    static uint8_t codes[MOST_ROWS * COLUMNS], packed[MOST_ROWS * COLUMNS];
    for (size_t i = 0; i < MOST_ROWS * COLUMNS; i++) x[i] = (float)random_gauss();
    for (int round = 0; round < 200; round++) {
        qnt_context *c = check_context();
        const int64_t rows = random_in(1, MOST_ROWS);
        const int64_t n = random_in(0, 1) ? random_in(500, 700) : 8 * random_in(60, COLUMNS / 8);
        qnt_spec spec = {.size = sizeof spec, .bits = (int32_t)random_in(1, 7),
                         .grain = (int32_t)random_in(0, 2), .axis = (int32_t)random_in(0, 1)};
        if (random_in(0, 2) == 0) spec.bits = 4;
        if (spec.grain == QNT_PER_TENSOR) spec.axis = 0;
        const int64_t block = spec.axis ? random_in(1, 200) : random_in(1, 3);
        const int64_t blocks = ((spec.axis ? n : rows) + block - 1) / block;
        if (spec.grain == QNT_PER_BLOCK) spec.block = block;
        const int64_t groups = spec.grain == QNT_PER_TENSOR ? 1
                               : spec.grain == QNT_PER_AXIS ? (spec.axis ? n : rows)
                                                            : blocks * (spec.axis ? rows : n);
        const size_t count = (size_t)(rows * n);
        for (int64_t g = 0; g < groups; g++) scale[g] = 0.1 + 0.01 * (double)random_in(0, 99);
        qnt_quantizer *q;
        OK(qnt_quantizer_create(c, &spec, &q));
        OK(qnt_quantizer_set(c, q, QNT_P_SCALE, scale, (size_t)groups));
        qnt_tensor *view = TENSOR(x, QNT_FLOAT, 32, rows, n);
        OK(qnt_quantizer_encode(c, q, view, TENSOR(codes, QNT_UINT, 8, rows, n)));
        memset(packed, 0x55, sizeof packed);
        OK(qnt_quantizer_encode(c, q, view, TENSOR(packed, QNT_UINT, spec.bits, rows, n)));
        size_t wrong = 0;
        for (size_t i = 0; i < count; i++) wrong += packed_code(packed, i, spec.bits) != codes[i];
        CHECK_MSG(wrong == 0, "%d rows of %d, %d bits, grain %d, axis %d, block %d: %zu of %zu", (int)rows,
                  (int)n, (int)spec.bits, (int)spec.grain, (int)spec.axis, (int)block, wrong, count);
        CHECK(packed[(count * (size_t)spec.bits + 7) / 8] == 0x55);
        qnt_quantizer_destroy(q);
        qnt_context_destroy(c);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(random_cases);
    RUN(many_pieces);
    RUN(pieces);
    RUN(strided_codes);
    RUN(packed_rows);
    return DONE;
}
