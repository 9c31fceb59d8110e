/* Thresholds in the order in which slots read them, and whether sums fit 16 bits. */
#include "base/arith.h"
#include "base/try.h"
#include "lowbit.h"
#include "lowbit_conv.h"

enum {
    COLUMNS = QNT__LOWBIT_COLUMNS,
    ROW = 3 * COLUMNS,
    LIMIT = 1 << 15,  /* of step and zero */
    LARGEST = 1 << 20 /* kernel */
};

/* The largest magnitude of a weight. */
static size_t largest_weight(const struct qnt__lowbit_conv *c)
{
    int32_t low = c->zero, high = c->zero + 3 * c->step;
    low = low < 0 ? -low : low;
    high = high < 0 ? -high : high;
    return (size_t)(low > high ? low : high);
}

bool qnt__lowbit_may_join(size_t channels)
{
    return qnt__triples(channels) >= 2;
}

qnt_status qnt__lowbit_close(struct qnt__lowbit_conv *c, const char *name)
{
    const struct qnt__geometry *g = &c->g;
    size_t inputs, magnitude;
    if (c->step < -LIMIT || c->step > LIMIT || c->zero < -LIMIT || c->zero > LIMIT) {
        return qnt__fail(c->context, QNT_E_INVALID,
                         "%s: step %d, zero %d; expected magnitudes up to 2^15", name, (int)c->step,
                         (int)c->zero);
    }
    if (g->kernel[0] > LARGEST || g->kernel[1] > LARGEST ||
        !qnt__mul(g->kernel[0], g->kernel[1], &c->tap_count)) {
        return qnt__fail(c->context, QNT_E_SHAPE, "%s: a kernel of %zu x %zu is too large", name,
                         g->kernel[0], g->kernel[1]);
    }
    c->triples = qnt__triples(g->channels / g->groups);
    c->depth = c->sixes ? qnt__ceil_div(c->triples, 2) : c->triples;
    c->group_outputs = g->outputs / g->groups;
    c->blocks = qnt__ceil_div(c->group_outputs, COLUMNS);
    /* the parts of a sum, each on its own, fit int32 */
    magnitude =
        (size_t)(3 * (c->step < 0 ? -c->step : c->step) + (c->zero < 0 ? -c->zero : c->zero));
    if (qnt__mul(c->tap_count, 3 * c->triples, &inputs) &&
        qnt__mul(inputs, 3 * (magnitude ? magnitude : 1), &inputs) && inputs <= INT32_MAX) {
        return QNT_OK;
    }
    return qnt__fail(c->context, QNT_E_SHAPE,
                     "%s: sums over %zu taps of %zu channels may overflow int32", name,
                     c->tap_count, 3 * c->triples);
}

int32_t qnt__lowbit_reach(const struct qnt__lowbit_conv *c)
{
    return (int32_t)(c->tap_count * (c->g.channels / c->g.groups) * 3 * largest_weight(c));
}

/* |s| <= (|v| + 1) / step, and the largest int16 is left for thresholds that are never reached. */
int32_t qnt__lowbit_half(const struct qnt__lowbit_conv *c)
{
    if (c->step != 1 && c->step != 2) return -1;
    return qnt__lowbit_reach(c) / c->step + 1 < INT16_MAX ? c->step - 1 : -1;
}

size_t qnt__lowbit_block_bytes(int32_t half)
{
    if (half < 0) return (ROW + COLUMNS) * sizeof(int32_t);
    return ((size_t)(half + 1) * ROW + COLUMNS) * sizeof(int16_t);
}

void qnt__lowbit_limits_clear(const struct qnt__lowbit_conv *c)
{
    const int32_t half = c->limits.half;
    const size_t blocks = c->g.groups * c->blocks, bytes = qnt__lowbit_block_bytes(half);
    for (size_t b = 0; b < blocks; b++) {
        uint8_t *at = (uint8_t *)c->limits.data + b * bytes;
        for (size_t i = 0; half < 0 && i < ROW + COLUMNS; i++)
            ((int32_t *)(void *)at)[i] = i < ROW ? INT32_MAX : 0;
        const size_t rows = (size_t)(half + 1) * ROW;
        for (size_t i = 0; half >= 0 && i < rows + COLUMNS; i++)
            ((int16_t *)(void *)at)[i] = i < rows ? INT16_MAX : 0;
    }
}

static void set_wide(int32_t *block, size_t column, const int32_t row[3], bool falls)
{
    for (size_t t = 0; t < 3; t++) block[t * COLUMNS + column] = falls ? ~row[t] : row[t];
    block[ROW + column] = falls ? -1 : 0;
}

static int16_t narrow(int64_t x)
{
    return (int16_t)(x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x);
}

static int64_t floor_half(int64_t x, int half)
{
    return half ? (x - (x & 1)) / 2 : x;
}

/* With v = step s - r: v >= t where s >= ceil((t + r) / step), v <= t where s <= floor((t + r) /
 * step). */
static void set_narrow(int16_t *block, size_t column, int32_t half, const int32_t row[3],
                       bool falls)
{
    const size_t at = column % 2 * (COLUMNS / 2) + column / 2; /* even channels first */
    for (int r = 0; r <= half; r++) {
        for (size_t t = 0; t < 3; t++) {
            int64_t x = (int64_t)row[t] + r;
            x = falls ? ~floor_half(x, half) : floor_half(x + half, half);
            if (row[t] == (falls ? INT32_MIN : INT32_MAX)) x = INT16_MAX; /* never */
            block[(size_t)r * ROW + t * COLUMNS + at] = narrow(x);
        }
    }
    block[(size_t)(half + 1) * ROW + at] = falls ? -1 : 0;
}

void qnt__lowbit_limits_set(const struct qnt__lowbit_conv *c, size_t output, const int32_t row[3],
                            bool falls)
{
    const size_t column = output % c->group_outputs;
    const size_t block = output / c->group_outputs * c->blocks + column / COLUMNS;
    const bool twice = column / COLUMNS == c->blocks - 1 && qnt__lowbit_is_half(c);
    void *at = (uint8_t *)c->limits.data + block * qnt__lowbit_block_bytes(c->limits.half);
    for (size_t to = column % COLUMNS; to < COLUMNS; to += twice ? COLUMNS / 2 : COLUMNS) {
        if (c->limits.half < 0)
            set_wide(at, to, row, falls);
        else
            set_narrow(at, to, c->limits.half, row, falls);
    }
}
