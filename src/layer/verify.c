/* What running relies on and making a layer guarantees, checked for a layer that came from a
 * blob. */
#include <string.h>

#include "base/numeric.h"
#include "layer.h"

/* Weights and their zero points are bytes after the shift to two's complement. */
enum { ZERO_LOW = -128, ZERO_HIGH = 127 };

static bool is_finite(float x)
{
    return (qnt__bits_of_f32(x) & 0x7fffffffu) < 0x7f800000u;
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; x && i < n; i++)
        if (!is_finite(x[i])) return false;
    return true;
}

bool qnt__layer_is_finite(const qnt_layer *layer)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t scales = s->columns * s->blocks, levels = (size_t)1 << layer->head.weight_bits;
    const size_t tables = layer->head.arrays & QNT__HAS_OWN_LEVELS ? scales : 1;
    return all_finite(layer->scale, scales) && all_finite(layer->offset, scales) &&
           all_finite(layer->fsum, s->columns) && all_finite(layer->bias, s->columns) &&
           all_finite(layer->levels, tables * levels);
}

static bool codes_hold(const struct qnt__layer_codes *c)
{
    const int32_t known =
        QNT_SIGNED | QNT_SYMMETRIC | QNT_NARROW | QNT_DYNAMIC | QNT_LITERAL | QNT_REAL_OFFSET;
    bool dynamic = c->flags & QNT_DYNAMIC, real = c->flags & QNT_REAL_OFFSET;
    if (c->kind == QNT__IN_FLOAT) return c->flags == 0;
    return !(c->flags & ~known) && dynamic == (c->kind == QNT__IN_DYNAMIC) &&
           !((c->flags & QNT_NARROW) && c->bits == 1) && (!real || c->zero == 0) &&
           (real ? is_finite(c->offset) : c->offset == 0.0f);
}

static bool activation_holds(const struct qnt__layer_head *h)
{
    float infinity = qnt__f32_of_bits(0x7f800000u);
    float low = h->activation == QNT_RELU ? 0.0f : -infinity;
    if (h->activation == QNT_CLAMP)
        return h->low <= h->high && h->low < infinity && h->high > -infinity;
    return h->low == low && h->high == infinity;
}

/* The arrays that the arithmetic reads without asking. */
static bool arrays_hold(const struct qnt__layer_head *h)
{
    bool sum = h->arrays & QNT__HAS_SUM;
    int32_t levels = h->arrays & (QNT__HAS_LEVELS | QNT__HAS_OWN_LEVELS);
    if (levels && (levels == (QNT__HAS_LEVELS | QNT__HAS_OWN_LEVELS) ||
                   (h->arrays & (QNT__HAS_ZERO | QNT__HAS_OFFSET)))) {
        return false;
    }
    int32_t tables = h->arrays & QNT__HAS_TABLES;
    if (tables &&
        ((tables & (tables - 1)) != 0 || levels ||
         (h->arrays & (QNT__HAS_ZERO | QNT__HAS_OFFSET)))) {
        return false;
    }
    if ((h->arrays & QNT__HAS_OUTPUT_BOOK) &&
        (h->output.kind != QNT__IN_STATIC || h->output.flags != 0)) {
        return false;
    }
    bool dynamic = h->input.kind == QNT__IN_DYNAMIC;
    if ((h->arrays & QNT__HAS_INPUT_LEVELS) &&
        (h->input.zero != 0 || !(h->input.flags & QNT_SIGNED) || (dynamic && h->input.bits != 1) ||
         (dynamic && !(h->input.flags & QNT_SYMMETRIC)))) {
        return false;
    }
    switch (h->arithmetic) {
    case QNT__INTEGER:
        return sum && !((h->arrays & QNT__HAS_POINTS) && (h->arrays & QNT__HAS_ZERO));
    case QNT__DEPTHWISE: return sum && !(h->arrays & QNT__HAS_ZERO);
    case QNT__PLANES:
        return sum && !(h->arrays & QNT__HAS_ZERO) &&
               (!(h->arrays & QNT__HAS_INPUT_LEVELS) ||
                (h->input.bits == 1 && !(h->arrays & QNT__HAS_INPUT_THRESHOLDS)));
    case QNT__BLOCKS: return !sum || h->input.kind == QNT__IN_DYNAMIC;
    default: return true;
    }
}

/* Thresholds of all codes but the first that do not decrease, among levels that do not either. */
static bool thresholds_hold(const qnt_layer *layer)
{
    const float *threshold = layer->input_thresholds;
    if (!threshold) return true;
    const int8_t *byte = layer->input_levels;
    const int16_t *word = layer->input_words;
    if (!(byte || word) || layer->head.input.bits > 8) return false;
    for (int i = 0; i < (1 << layer->head.input.bits) - 1; i++) {
        bool ascends = i == 0 ? threshold[0] == threshold[0] : threshold[i] >= threshold[i - 1];
        if (!ascends || (byte ? byte[i + 1] < byte[i] : word[i + 1] < word[i])) return false;
    }
    return true;
}

/* Thresholds that do not decrease, and codes of the format's bits. */
static bool book_holds(const struct qnt__book *book, const struct qnt__layer_codes *c)
{
    if (!book) return true;
    if (c->kind == QNT__IN_FLOAT || c->bits > 8) return false;
    const int size = 1 << c->bits;
    for (int i = 0; i < size; i++) {
        bool ascends = i == 0 ? book->threshold[0] == book->threshold[0]
                              : book->threshold[i] >= book->threshold[i - 1];
        if (!ascends || book->code[i] >= size) return false;
    }
    return true;
}

static bool values_hold(const qnt_layer *layer)
{
    if (!layer->input_values) return true; /* bits may be any number then */
    return all_finite(layer->input_values, (size_t)1 << layer->head.input.bits);
}

/* Outputs follow each other in blocks that hold them; points behind the first ones belong to these. */
static bool points_hold(const qnt_layer *layer)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const int32_t *start = layer->start;
    const size_t blocks = start ? qnt__layer_blocks(s) : 0;
    for (size_t g = 0; start && g < (size_t)layer->head.groups; g++, start += blocks + 1) {
        if (start[0] != 0 || (size_t)start[blocks] != s->group_outputs) return false;
        for (size_t b = 0; b < blocks; b++) {
            const size_t panel = b * QNT__BLOCK_PANELS;
            const size_t columns =
                QNT__PANEL * qnt__min(s->group_panels - panel, QNT__BLOCK_PANELS);
            const uint8_t *output = layer->output + (g * s->group_panels + panel) * QNT__PANEL;
            const size_t n = (size_t)start[b + 1] - (size_t)start[b];
            if (n > columns) return false; /* or below 0 */
            for (size_t c = n; c < columns && n > 0; c++) {
                if (output[c] >= n) return false;
            }
        }
    }
    for (size_t i = 0; layer->start && i < QNT__PANEL * s->panels; i++) {
        if (layer->coef[i] < INT8_MIN || layer->coef[i] > -INT8_MIN) return false;
    }
    return true;
}

/* None is below 0; that of an only plane is 1, doubled, or 0 where an output has no base. */
static bool coefs_hold(const qnt_layer *layer)
{
    const bool planes = layer->head.arithmetic == QNT__PLANES;
    size_t n = planes ? layer->shape.columns * (size_t)layer->head.weight_bits : 0;
    for (size_t i = 0; i < n; i++) {
        if (layer->coef[i] < 0 || layer->coef[i] > 512) return false;
        if (layer->head.weight_bits == 1 && layer->coef[i] != 0 && layer->coef[i] != 2)
            return false;
    }
    return true;
}

/* The integer that column c of a panel has at k of a tap. */
static int integer_at(const qnt_layer *layer, size_t panel, const uint8_t *tap, size_t c, size_t k)
{
    const int bits = layer->head.cell_bits;
    const size_t depth = qnt__cell_depth(bits);
    const uint8_t *cell = tap + k / depth * qnt__cell_bytes(bits);
    if (bits == QNT__WORD_BITS) {
        int16_t word;
        memcpy(&word, cell + 4 * c + 2 * (k % depth), sizeof word);
        return word;
    }
    const int code = qnt__cell_code(cell, bits, c, k % depth);
    if (!layer->tables) return code;
    const size_t own = qnt__layer_has_own_tables(&layer->head) ? c * qnt__layer_table(&layer->head) : 0;
    return qnt__layer_tables(layer, panel, 0)[own + (size_t)(code + (1 << (bits - 1)))];
}

/* What fills the last cell of a tap is 0: images are read where they are, so kernels multiply it with
 * whatever follows, each with as much as it likes. Words that are looked up meet 0 there instead. */
static bool padding_holds(const qnt_layer *layer)
{
    const struct qnt__layer_head *h = &layer->head;
    const struct qnt__layer_shape *s = &layer->shape;
    const bool words = h->arithmetic == QNT__WORDS && !layer->table_words;
    if (!words && h->arithmetic != QNT__INTEGER) return true;
    for (size_t t = 0; t < s->panels * s->tap_count; t++) {
        const uint8_t *tap = layer->weight + t * (s->panel_bytes / s->tap_count);
        for (size_t k = s->depth; k < s->panel_depth; k++) {
            for (size_t c = 0; c < QNT__PANEL; c++)
                if (integer_at(layer, t / s->tap_count, tap, c, k) != 0) return false;
        }
    }
    return true;
}

static bool zeros_hold(const qnt_layer *layer)
{
    size_t n = layer->zero ? layer->shape.columns * layer->shape.blocks : 0;
    for (size_t i = 0; i < n; i++) {
        if (layer->zero[i] < ZERO_LOW || layer->zero[i] > ZERO_HIGH) return false;
    }
    return true;
}

qnt_status qnt__layer_verify(const qnt_context *context, const qnt_layer *layer)
{
    const struct qnt__layer_head *h = &layer->head;
    const char *damage = NULL;
    bool accumulates = h->flags & QNT_ACCUMULATE, real = h->input.flags & QNT_REAL_OFFSET;
    bool decoded = h->arithmetic == QNT__DECODE && !(h->arrays & QNT__HAS_INPUT_LEVELS);
    if (!codes_hold(&h->input) || (real && !decoded))
        damage = "the input's format";
    else if (!codes_hold(&h->output))
        damage = "the output's format";
    else if (accumulates && h->output.kind != QNT__IN_FLOAT)
        damage = "accumulation into codes";
    else if (!activation_holds(h))
        damage = "the activation's bounds";
    else if (!arrays_hold(h))
        damage = "the set of arrays";
    else if (!padding_holds(layer))
        damage = "a weight behind the last one of a tap";
    else if (!qnt__layer_is_finite(layer))
        damage = "a scale, offset, level or bias that is not finite";
    else if (!zeros_hold(layer))
        damage = "a zero point";
    else if (!thresholds_hold(layer))
        damage = "a threshold of the input";
    else if (!coefs_hold(layer))
        damage = "a coefficient of a plane";
    else if (!points_hold(layer))
        damage = "the place of a point";
    else if (!book_holds(layer->output_book, &h->output))
        damage = "the codebook of the output";
    else if (!book_holds(layer->input_book, &h->input) || !values_hold(layer))
        damage = "the codebook of the input";
    if (!damage) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT, "data: %s cannot come from a layer", damage);
}
