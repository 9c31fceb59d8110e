/* From int32 sums to codes. The contract is in qnt/kernel.h. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "context/context.h"
#include "qnt/kernel.h"
#include "tensor/view.h"

/* Work goes tile by tile through small buffers on the stack. */
enum { TILE = 1024, TILE_COLUMNS = 1024, TILE_ROWS = 64, PIECE = 1 << 16 };

struct task {
    const struct qnt__simd *simd;
    struct qnt__view acc, bias, scale, y;
    bool has_bias, compact; /* compact: acc and y both, so that rows need no search */
    bool stream;            /* write past the caches */
    int32_t zero;
    float low, high; /* of codes minus zero */
    size_t rows, columns, piece_rows;
};

/* What belongs to a stretch of columns. The kernels subtract a_zero w_sum, so a bias enters as
 * -1 times itself. */
struct columns {
    size_t first, count;
    const int32_t *bias;
    const float *scale;
    int32_t bias_buffer[TILE_COLUMNS];
    float scale_buffer[TILE_COLUMNS];
};

static const int32_t minus_one[TILE_ROWS] = {
#define EIGHT -1, -1, -1, -1, -1, -1, -1, -1
    EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT
#undef EIGHT
};

/* Elements of four bytes, any stride and alignment. */
static void read_words(const struct qnt__view *view, int64_t at, int64_t step, size_t n, void *out)
{
    const uint8_t *p = view->data + at * 4;
    uint8_t *to = out;
    if (step == 1) {
        memcpy(to, p, n * 4);
        return;
    }
    for (size_t i = 0; i < n; i++, p += step * 4, to += 4) memcpy(to, p, 4);
}

/* n values of a vector from `first` on: where they are if they can be used there, else copied. */
static const void *values(const struct qnt__view *vector, size_t first, size_t n, void *buffer)
{
    int64_t step = vector->strides[0], at = (int64_t)first * step;
    const uint8_t *here = vector->data + at * 4;
    if (step == 1 && (uintptr_t)here % 4 == 0) return here;
    read_words(vector, at, step, n, buffer);
    return buffer;
}

/* A single scale is spread over the buffer once. */
static void begin_columns(const struct task *t, struct columns *c)
{
    c->bias = NULL;
    c->scale = c->scale_buffer;
    size_t most = qnt__min(t->columns, TILE_COLUMNS);
    if (t->scale.shape[0] == 1) read_words(&t->scale, 0, 0, most, c->scale_buffer);
}

static void load_columns(const struct task *t, size_t first, struct columns *c)
{
    c->first = first;
    c->count = qnt__min(t->columns - first, TILE_COLUMNS);
    if (t->scale.shape[0] != 1) c->scale = values(&t->scale, first, c->count, c->scale_buffer);
    if (t->has_bias) c->bias = values(&t->bias, first, c->count, c->bias_buffer);
}

static int64_t last_stride(const struct qnt__view *view)
{
    return view->strides[view->ndim - 1];
}

/* Offset of a row's element in the first of the columns. */
static int64_t position(const struct task *t, const struct qnt__view *view, size_t row,
                        const struct columns *c)
{
    if (t->compact) return (int64_t)(row * t->columns + c->first);
    return qnt__view_row(view, row) + (int64_t)c->first * last_stride(view);
}

/* Can the kernel run on these rows where they are? Then *ld is the distance between rows. */
static bool in_place(const struct task *t, const struct qnt__view *view, size_t row, size_t rows,
                     const struct columns *c, size_t *ld)
{
    if ((uintptr_t)view->data % (view->bits / 8u) != 0) return false;
    *ld = t->columns;
    if (t->compact) return true;
    if (last_stride(view) != 1 && c->count > 1) return false;
    int64_t first = qnt__view_row(view, row), step = (int64_t)c->count;
    if (rows > 1) step = qnt__view_row(view, row + 1) - first;
    if (step < 0) return false;
    for (size_t r = 2; r < rows; r++) {
        if (qnt__view_row(view, row + r) - first != (int64_t)r * step) return false;
    }
    *ld = (size_t)step;
    return true;
}

/* Points f to the sums of the rows, copied to `buffer` unless they can stay. */
static void locate_sums(const struct task *t, size_t row, const struct columns *c, int32_t *buffer,
                        struct qnt__finish *f)
{
    if (in_place(t, &t->acc, row, f->m, c, &f->ld)) {
        f->acc = (const void *)(t->acc.data + position(t, &t->acc, row, c) * 4);
        return;
    }
    for (size_t r = 0; r < f->m; r++) {
        read_words(&t->acc, position(t, &t->acc, row + r, c), last_stride(&t->acc), c->count,
                   buffer + r * c->count);
    }
    f->acc = buffer;
    f->ld = c->count;
}

/* Codes of a row, one by one: 16 bits wherever they lie, or packed. */
static void write_row(const struct task *t, int64_t at, size_t n, const void *codes)
{
    const int64_t step = last_stride(&t->y);
    const uint8_t *from = codes;
    if (t->y.bits < 16) {
        qnt__write_codes(t->simd, &t->y, at, step, n, from);
        return;
    }
    uint8_t *to = t->y.data + at * 2;
    for (size_t i = 0; i < n; i++, to += 2 * step, from += 2) memcpy(to, from, 2);
}

static void finish(const struct task *t, size_t row, const struct columns *c, struct qnt__finish *f)
{
    const bool wide = t->y.bits == 16;
    void (*finish_codes)(const struct qnt__finish *) =
        wide ? t->simd->finish_codes_16 : t->simd->finish_codes;
    uint16_t codes[TILE];
    if (t->y.bits >= 8 && in_place(t, &t->y, row, f->m, c, &f->y_ld)) {
        f->y = t->y.data + position(t, &t->y, row, c) * (t->y.bits / 8);
        f->stream = t->stream;
        finish_codes(f);
        return;
    }
    f->y = codes;
    f->y_ld = c->count;
    finish_codes(f);
    for (size_t r = 0; r < f->m; r++) {
        write_row(t, position(t, &t->y, row + r, c), c->count,
                  (const uint8_t *)codes + r * c->count * (wide ? 2 : 1));
    }
}

static void run_tile(const struct task *t, size_t row, size_t rows, const struct columns *c)
{
    int32_t sums[TILE];
    struct qnt__finish f = {
        .a_zero = t->has_bias ? minus_one : NULL,
        .w_sum = t->has_bias ? c->bias : NULL,
        .multiplier = c->scale,
        .m = rows,
        .n = c->count,
        .low = t->low,
        .high = t->high,
        .zero = t->zero,
    };
    locate_sums(t, row, c, sums, &f);
    finish(t, row, c, &f);
}

static void run_piece(void *task, size_t index, size_t worker)
{
    const struct task *t = task;
    size_t begin = index * t->piece_rows, end = qnt__min(begin + t->piece_rows, t->rows);
    size_t most = qnt__max(qnt__min(TILE / t->columns, TILE_ROWS), 1);
    struct columns c;
    (void)worker;
    begin_columns(t, &c);
    for (size_t row = begin; row < end; row += most) {
        for (size_t first = 0; first < t->columns; first += TILE_COLUMNS) {
            load_columns(t, first, &c);
            run_tile(t, row, qnt__min(end - row, most), &c);
        }
    }
    if (t->stream) t->simd->stream_end();
}

/* Pieces must not share a byte of y: eight rows are whole bytes if y is compact. */
static size_t choose_piece_rows(const struct task *t)
{
    if (t->y.bits < 8 && !qnt__view_is_compact(&t->y)) return t->rows;
    return qnt__round_up(qnt__ceil_div(PIECE, t->columns), 8);
}

/* The view of a value per column: [N], or [1] if `one` allows it. */
static qnt_status check_columns(const qnt_context *context, const char *name,
                                const struct qnt__view *view, int64_t columns, bool one)
{
    if (view->ndim == 1 && (view->shape[0] == columns || (one && view->shape[0] == 1)))
        return QNT_OK;
    return qnt__fail(context, QNT_E_SHAPE, "%s: %d dimensions, extent %lld; expected [%lld]%s",
                     name, view->ndim, view->ndim ? (long long)view->shape[0] : 0,
                     (long long)columns, one ? " or [1]" : "");
}

static qnt_status check_code(const qnt_context *context, const char *name, int32_t code,
                             int32_t low, int32_t high)
{
    if (code >= low && code <= high) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "%s is %d, expected %d to %d", name, (int)code,
                     (int)low, (int)high);
}

static qnt_status check_codes(const qnt_context *context, const struct qnt__view *y, int32_t zero,
                              int32_t low, int32_t high)
{
    int32_t least = y->code == QNT_INT ? -(1 << (y->bits - 1)) : 0;
    int32_t most = least + (1 << y->bits) - 1;
    QNT__TRY(check_code(context, "zero", zero, least, most));
    QNT__TRY(check_code(context, "low", low, least, most));
    return check_code(context, "high", high, low, most);
}

static qnt_status check_disjoint(const qnt_context *context, const struct qnt__view *y,
                                 const char *name, const struct qnt__view *input)
{
    if (!qnt__view_overlaps(y, input)) return QNT_OK;
    return qnt__fail(context, QNT_E_INVALID, "y: overlaps %s, expected disjoint memory", name);
}

static qnt_status check(const qnt_context *context, const qnt_tensor *acc, const qnt_tensor *bias,
                        const qnt_tensor *scale, qnt_tensor *y, struct task *t)
{
    QNT__TRY(qnt__view_open(context, "acc", acc, QNT__INT32, &t->acc));
    if (t->acc.ndim == 0) {
        return qnt__fail(context, QNT_E_SHAPE, "acc: ndim is 0, expected 1 to %d", QNT_MAX_NDIM);
    }
    int64_t columns = t->acc.shape[t->acc.ndim - 1];
    if (bias) {
        QNT__TRY(qnt__view_open(context, "bias", bias, QNT__INT32, &t->bias));
        QNT__TRY(check_columns(context, "bias", &t->bias, columns, false));
    }
    QNT__TRY(qnt__view_open(context, "scale", scale, QNT__FLOAT32, &t->scale));
    QNT__TRY(check_columns(context, "scale", &t->scale, columns, true));
    QNT__TRY(qnt__view_open_output(context, "y", y, QNT__CODES | QNT__CODES16, &t->y));
    QNT__TRY(qnt__view_same_shape(context, "acc", &t->acc, "y", &t->y));
    QNT__TRY(check_disjoint(context, &t->y, "acc", &t->acc));
    QNT__TRY(check_disjoint(context, &t->y, "scale", &t->scale));
    return bias ? check_disjoint(context, &t->y, "bias", &t->bias) : QNT_OK;
}

qnt_status qnt_requantize(const qnt_context *context, const qnt_tensor *acc, const qnt_tensor *bias,
                          const qnt_tensor *scale, int32_t zero, int32_t low, int32_t high,
                          qnt_tensor *y)
{
    if (!context) return QNT_E_INVALID;
    struct task t = {.simd = &context->simd, .has_bias = bias != NULL, .zero = zero};
    QNT__TRY(check(context, acc, bias, scale, y, &t));
    QNT__TRY(check_codes(context, &t.y, zero, low, high));
    if (t.acc.count == 0) return QNT_OK;

    t.low = (float)(low - zero);
    t.high = (float)(high - zero);
    t.rows = qnt__view_rows(&t.acc);
    t.columns = qnt__view_row_length(&t.acc);
    t.compact = qnt__view_is_compact(&t.acc) && qnt__view_is_compact(&t.y);
    t.stream = t.acc.count / 8 * (32u + t.y.bits) >= QNT__STREAM_BYTES;
    t.piece_rows = choose_piece_rows(&t);
    return qnt__parallel(context, run_piece, &t, qnt__ceil_div(t.rows, t.piece_rows));
}
