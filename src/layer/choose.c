/* Chooses how a layer computes, from its formats and the codes of its weights. */
#include <stdlib.h>

#include "base/arith.h"
#include "base/try.h"
#include "kernel/panels.h"
#include "prepare.h"

/* What the codes say about the sums. */
struct extremes {
    bool any_zero;    /* some zero point is not 0 after the shift */
    bool zero_bytes;  /* all zero points fit in int8 */
    bool code_bytes;  /* all code - zero fit in int8 */
    uint64_t largest; /* most that the sum of |code - zero| of one output can be */
};

static uint64_t add_block(const int8_t *codes, size_t n, int32_t zero, struct extremes *e)
{
    int32_t low = 0, high = 0;
    uint64_t sum = 0;
    for (size_t k = 0; k < n; k++) {
        int32_t code = codes[k] - zero;
        low = code < low ? code : low;
        high = code > high ? code : high;
        sum += (uint64_t)abs(code);
    }
    e->any_zero = e->any_zero || zero != 0;
    e->zero_bytes = e->zero_bytes && zero >= INT8_MIN && zero <= INT8_MAX;
    e->code_bytes = e->code_bytes && low >= INT8_MIN && high <= INT8_MAX;
    return sum;
}

static uint64_t add_output(const struct qnt__recipe *r, size_t n, struct extremes *e)
{
    uint64_t sum = 0;
    for (size_t k = 0; k < r->inputs; k += r->block) {
        int32_t zero = qnt__recipe_zero(r, qnt__recipe_group(r, n, k));
        size_t length = qnt__min(r->inputs - k, r->block);
        sum += add_block(r->codes + n * r->inputs + k, length, zero, e);
    }
    return sum;
}

static struct extremes survey(const struct qnt__recipe *r)
{
    struct extremes e = {.zero_bytes = true, .code_bytes = true};
    if (r->inputs == 0) return e; /* no codes bound the number of outputs then */
    for (size_t n = 0; n < (size_t)r->head.outputs; n++) {
        uint64_t sum = add_output(r, n, &e);
        if (sum > e.largest) e.largest = sum;
    }
    return e;
}

/* Most that |code - zero| of an input can be. */
static uint64_t input_reach(const struct qnt__layer_head *h)
{
    const struct qnt__layer_codes *c = &h->input;
    if (h->arrays & QNT__HAS_INPUT_LEVELS) return 128;
    qnt_spec spec = {.bits = c->bits, .flags = c->flags};
    int32_t low = qnt__code_low(&spec), high = qnt__code_high(&spec);
    int32_t reach = high - c->zero > c->zero - low ? high - c->zero : c->zero - low;
    if (c->kind == QNT__IN_DYNAMIC) reach = high - low;
    return reach > 1 ? (uint64_t)reach : 1;
}

/* Is the zero point of every row 0 when its codes are seen as signed bytes? */
static bool is_centred(const struct qnt__layer_codes *c)
{
    return (c->flags & QNT_SYMMETRIC) && ((c->flags & QNT_SIGNED) || c->bits == 8);
}

static qnt_status choose_blocks(struct qnt__recipe *r, const struct extremes *e, size_t block)
{
    if (!e->zero_bytes) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED,
                         "weight_q: a zero point is too far from the codes for blocks");
    }
    r->head.arithmetic = QNT__BLOCKS;
    r->head.block = (int64_t)block;
    if (r->head.input.kind == QNT__IN_DYNAMIC && !is_centred(&r->head.input)) {
        r->head.arrays |= QNT__HAS_SUM;
    }
    return QNT_OK;
}

/* Sums that could leave int32 are formed in blocks that cannot, all with the same scale. */
static qnt_status choose_split(struct qnt__recipe *r, const struct extremes *e)
{
    if (r->head.kind != QNT_DENSE) {
        return qnt__fail(
            r->context, QNT_E_UNSUPPORTED,
            "weight: sums over %zu inputs can leave int32 (sum of |code| is up to %llu)", r->inputs,
            (unsigned long long)e->largest);
    }
    size_t parts = qnt__ceil_div(r->inputs, 65536);
    return choose_blocks(r, e, qnt__round_up(qnt__ceil_div(r->inputs, parts), 16));
}

static bool is_depthwise(const struct qnt__layer_head *h)
{
    return h->groups > 1 && h->channels == 1 && h->outputs == h->groups;
}

static qnt_status choose_integer(struct qnt__recipe *r, const struct extremes *e)
{
    struct qnt__layer_head *h = &r->head;
    if (r->blocks > 1) return choose_blocks(r, e, r->block);
    if (e->largest > INT32_MAX / input_reach(h)) return choose_split(r, e);
    h->arrays |= QNT__HAS_SUM;
    h->arithmetic = QNT__INTEGER;
    if (!is_depthwise(h) || !e->code_bytes) return QNT_OK;
    h->arithmetic = QNT__DEPTHWISE; /* the zero points go into the codes */
    h->cell_bits = 8;
    h->arrays &= ~QNT__HAS_ZERO;
    return QNT_OK;
}

bool qnt__recipe_saves(const struct qnt__recipe *r, const struct qnt__layer_head *head)
{
    struct qnt__layer_shape shape;
    size_t now, then;
    return qnt__layer_measure(r->context, QNT_E_INVALID, &r->head, &shape, &now) == QNT_OK &&
           qnt__layer_measure(r->context, QNT_E_INVALID, head, &shape, &then) == QNT_OK &&
           then < now;
}

/* Codes of 5 to 7 bits that are looked up as floats stay so wide, unless the padding of taps takes more. */
static void keep_wide(struct qnt__recipe *r)
{
    struct qnt__layer_head wide = r->head;
    wide.cell_bits = qnt__place_bits(wide.weight_bits);
    if (qnt__recipe_saves(r, &wide)) r->head = wide;
}

qnt_status qnt__recipe_choose(struct qnt__recipe *r)
{
    struct qnt__layer_head *h = &r->head;
    struct extremes e = survey(r);
    h->arrays |= e.any_zero ? QNT__HAS_ZERO : 0;
    if (r->has_bias) h->arrays |= QNT__HAS_BIAS;
    h->cell_bits = qnt__panel_bits(h->weight_bits);
    h->block = 0;
    if (r->words) {
        qnt__recipe_choose_words(r);
    } else if (!r->floats) {
        QNT__TRY(choose_integer(r, &e));
        if (r->integers) qnt__recipe_pack(r);
        qnt__recipe_points(r);
        qnt__recipe_planes(r);
    } else {
        h->arithmetic = QNT__DECODE;
        if (r->blocks > 1) h->block = (int64_t)r->block;
        if (r->weight_q->spec.flags & QNT_REAL_OFFSET) h->arrays |= QNT__HAS_OFFSET;
        bool shared = r->weight_q->own_count == 0 || r->weight_q->groups == 1;
        if (r->levels) h->arrays |= shared ? QNT__HAS_LEVELS : QNT__HAS_OWN_LEVELS;
        if (r->levels) keep_wide(r);
        if (r->integers) qnt__recipe_pack(r);
    }
    /* Constants of the input's zero point, and of a real offset, become part of the bias. */
    bool folds = h->arithmetic == QNT__BLOCKS && h->input.kind == QNT__IN_STATIC;
    if (folds || (h->output.flags & QNT_REAL_OFFSET)) h->arrays |= QNT__HAS_BIAS;
    return QNT_OK;
}
