/*
 * Weights that are sums of signs, kept as one plane of bits for each base: when that pays, and how
 * they are filled in. The integers are those that panels would hold, so are all results.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "kernel/bits.h"
#include "prepare.h"
#include "quantizer/codebook.h"
#include "quantizer/points.h"

enum { PLANES = QNT__BITS_PLANES, LEAST = 64 /* outputs and inputs that whole registers take */ };

/*
 * Cycles for a thousand products, with AVX-512 VBMI (doc/bit_planes.md): the choice is a matter of
 * the format and does not depend on the CPU at hand.
 */
static const double bytes_rate = 9.5, count_rate = 2.9, table_rate = 4.9;
static const double count_start = 600, table_start = 1100; /* for a thousand codes of the input */
static const double sum_rate = 3700;   /* for a thousand integers, where there are several planes */
static const double memory_gain = 1.1; /* that half of the memory may cost */

/* Most bases of one output. */
static size_t count_planes(const qnt_quantizer *q)
{
    size_t most = 0;
    for (size_t g = 0; g < q->groups; g++) {
        size_t count = qnt__points_of(q, g);
        if (count > most) most = count;
    }
    return most;
}

/* Input codes that are bits of numbers, or signs where no padding asks for a 0. */
static int input_bits(const struct qnt__recipe *r)
{
    const struct qnt__layer_head *h = &r->head;
    bool padded = h->pad[0] | h->pad[1] | h->pad[2] | h->pad[3];
    if (!(h->arrays & QNT__HAS_INPUT_LEVELS)) return h->input.bits;
    return r->signs && !padded ? 1 : 0;
}

/* Do `planes` planes cost less than bytes, or not much more, for many rows? */
static bool pays(const struct qnt__recipe *r, size_t planes, int bits)
{
    double outputs = (double)(r->head.outputs / r->head.groups), digits = bits > QNT__DIGIT_MOST ? 2 : 1;
    double padded = 64 * (double)qnt__bits_words(r->inputs) / (double)r->inputs;
    double sums = planes > 1 ? sum_rate / (double)r->inputs : 0;
    double products = outputs * (double)planes;
    double count = (products * count_rate + count_start) * bits * padded;
    double table = (products * table_rate + table_start) * digits * padded;
    return (count < table ? count : table) + products * sums < memory_gain * outputs * bytes_rate;
}

/* Codes stay below 2^8, sums of levels below 128 times that, twice: then their sums are int32. */
static bool holds(const struct qnt__recipe *r, int bits)
{
    return r->inputs <= (size_t)INT32_MAX / 512 >> bits;
}

void qnt__recipe_planes(struct qnt__recipe *r)
{
    struct qnt__layer_head *h = &r->head;
    const qnt_quantizer *q = r->weight_q;
    bool bases = q->spec.scheme == QNT_POINTS && q->spec.method == QNT_BASES && r->integers;
    if (!bases || h->arithmetic != QNT__INTEGER || r->blocks != 1) return;
    if (h->outputs / h->groups < LEAST || r->inputs < LEAST) return;
    size_t planes = count_planes(q);
    int bits = input_bits(r);
    if (planes == 0 || bits == 0 || !holds(r, bits) || !pays(r, planes, bits)) return;
    h->arithmetic = QNT__PLANES;
    h->arrays &= ~QNT__HAS_TABLES;
    h->weight_bits = (int32_t)planes;
    h->cell_bits = 1;
}

/* Twice the weights of a group's planes in units of its integers - sums of odd numbers may have had
 * the divisor 2 -, and by integer (as a byte) a code that stands for it. A falling plane is one
 * that rises with its bits turned over. */
static void describe(const struct qnt__recipe *r, size_t group, size_t planes, int32_t coef[PLANES],
                     uint8_t code[256])
{
    const qnt_quantizer *q = r->weight_q;
    const float *own = q->own + group * q->own_count;
    const int32_t divisor = qnt__recipe_divisor(r, group);
    int8_t level[256];
    uint8_t turned = 0;
    qnt__codebook_bytes(q, group, level);
    for (size_t p = 0; p < planes; p++) {
        int32_t twice = (int32_t)(2.0 * (double)own[p]) / divisor;
        if (twice < 0) turned |= (uint8_t)(1u << p);
        coef[p] = twice < 0 ? -twice : twice;
    }
    for (int32_t c = 0; c < 1 << planes; c++)
        code[(uint8_t)(level[c] / divisor)] = (uint8_t)c ^ turned;
}

static void fill_column(const struct qnt__recipe *r, size_t n, size_t planes, size_t words,
                        uint8_t *bytes, int32_t *coef, uint64_t *to)
{
    uint8_t code[256];
    describe(r, qnt__recipe_group(r, n, 0), planes, coef, code);
    for (size_t k = 0; k < r->inputs; k++) bytes[k] = code[(uint8_t)r->codes[n * r->inputs + k]];
    qnt__bits_slice_bytes(&r->context->simd, bytes, r->inputs, (int)planes, words, words + 1,
                          QNT__PANEL, to);
}

qnt_status qnt__recipe_fill_planes(const struct qnt__recipe *r, const qnt_layer *layer,
                                   uint8_t *weight, int32_t *coef)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t planes = (size_t)layer->head.weight_bits, words = qnt__bits_words(r->inputs);
    void *bytes;
    QNT__TRY(qnt__allocate(r->context, &r->context->memory, r->inputs, &bytes));
    for (size_t n = 0; n < (size_t)layer->head.outputs; n++) {
        int32_t own[PLANES];
        size_t column = qnt__recipe_column(layer, n);
        void *panel = weight + column / QNT__PANEL * s->panel_bytes;
        fill_column(r, n, planes, words, bytes, own, (uint64_t *)panel + column % QNT__PANEL);
        for (size_t p = 0; p < planes; p++) coef[p * s->columns + column] = own[p];
    }
    qnt__free(&r->context->memory, bytes, r->inputs);
    return QNT_OK;
}
