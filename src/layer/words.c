/*
 * Layers with integers that int8 does not hold, of weights, inputs or both: QNT__WORDS. Zero points go
 * into the integers. Weights whose scale groups all have the same integers stay codes, which one table
 * turns into words; others are words.
 */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "kernel/panels.h"
#include "prepare.h"
#include "quantizer/codebook.h"

/* Are all levels of all groups integers that int8, or int16, holds? */
bool qnt__recipe_has_integers(const qnt_quantizer *q, bool words)
{
    int8_t byte[QNT__BOOK];
    int16_t word[QNT__BOOK];
    size_t groups = q->own_count ? q->groups : 1;
    for (size_t g = 0; g < groups; g++) {
        if (!(words ? qnt__codebook_words(q, g, word) : qnt__codebook_bytes(q, g, byte))) return false;
    }
    return true;
}

static bool is_one_sign(const qnt_quantizer *q)
{
    return q->spec.scheme == QNT_POINTS && qnt__code_bits(q) == 1;
}

bool qnt__recipe_needs_words(const struct qnt__recipe *r)
{
    const qnt_quantizer *w = r->weight_q, *x = r->input_q;
    if (!x || (x->scheme->values && !is_one_sign(x) && (!x->ready || x->groups != 1))) return false;
    bool w_free = !w->scheme->values, x_free = !x->scheme->values || is_one_sign(x);
    bool w_bytes = w_free || qnt__recipe_has_integers(w, false);
    bool x_bytes = x_free || qnt__recipe_has_integers(x, false);
    if (w_bytes && x_bytes) return false;
    return (w_bytes || qnt__recipe_has_integers(w, true)) &&
           (x_bytes || qnt__recipe_has_integers(x, true));
}

void qnt__recipe_word_table(const struct qnt__recipe *r, size_t group, int16_t word[QNT__BOOK])
{
    const int32_t size = 1 << qnt__code_bits(r->weight_q), bits = r->head.cell_bits;
    const int32_t zero = qnt__recipe_zero(r, group), bias = bits < 8 ? 1 << (bits - 1) : 0;
    int16_t level[QNT__BOOK];
    if (r->levels) qnt__codebook_words(r->weight_q, group, level);
    memset(word, 0, QNT__BOOK * sizeof *word);
    for (int32_t i = 0; i < size; i++) {
        int32_t code = i - size / 2;
        word[(uint8_t)(code + bias)] = (int16_t)(r->levels ? level[i] : code - zero);
    }
}

/* Does one table serve all groups? */
static bool has_one_table(const struct qnt__recipe *r)
{
    int16_t first[QNT__BOOK], word[QNT__BOOK];
    bool own = r->levels ? r->weight_q->own_count > 0 : true;
    size_t groups = own ? r->weight_q->groups : qnt__min(r->weight_q->groups, 1);
    for (size_t g = 0; g < groups; g++) {
        qnt__recipe_word_table(r, g, g ? word : first);
        if (g && memcmp(first, word, sizeof first) != 0) return false;
    }
    return true;
}

/* Padding is the value 0, which some byte has to stand for: a code, or one that is none. */
static bool has_zero(const struct qnt__recipe *r)
{
    int16_t level[QNT__BOOK];
    if (!(r->head.arrays & QNT__HAS_INPUT_LEVELS) || r->head.input.bits < 8) return true;
    qnt__codebook_words(r->input_q, 0, level);
    for (int32_t i = 0; i < QNT__BOOK; i++) {
        if (level[i] == 0) return true;
    }
    return false;
}

/* Lets weights stay codes where that takes less memory, padding included. */
static void keep_codes(struct qnt__recipe *r)
{
    const struct qnt__layer_head words = r->head;
    struct qnt__layer_head codes = words;
    codes.cell_bits = qnt__place_bits(codes.weight_bits);
    codes.arrays |= QNT__HAS_TABLE;
    if (!qnt__recipe_saves(r, &codes)) return;
    r->head = codes; /* tables follow from the cells */
    if (!has_one_table(r)) r->head = words;
}

qnt_status qnt__recipe_choose_words(struct qnt__recipe *r)
{
    struct qnt__layer_head *h = &r->head;
    const int32_t *pad = h->pad;
    const bool zero = has_zero(r);
    if (r->blocks > 1 && (r->block % 16 != 0 || r->block > 65536)) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED,
                         "weight_q: block is %zu, expected a multiple of 16 up to 65536 where the input "
                         "is quantized",
                         r->block);
    }
    if (!zero && (pad[0] | pad[1] | pad[2] | pad[3])) {
        return qnt__fail(r->context, QNT_E_UNSUPPORTED,
                         "input_q: no level is 0, expected one for the padding");
    }
    h->arithmetic = QNT__WORDS;
    h->block = r->blocks > 1 ? (int64_t)r->block : 0;
    h->arrays &= ~QNT__HAS_ZERO;
    h->cell_bits = QNT__WORD_BITS;
    if (zero) keep_codes(r);
    return QNT_OK;
}

/* Weights that are words themselves: [panel][tap][k / 2][16][2]; 0 where a column is of another of the
 * groups that run as one. */
void qnt__recipe_fill_words(const struct qnt__recipe *r, const qnt_layer *layer, int16_t *weight)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const size_t panel_words = QNT__PANEL * s->tap_count * s->panel_depth;
    const size_t depth = s->depth / s->merged; /* of one group */
    for (size_t n = 0; n < (size_t)r->head.outputs; n++) {
        size_t column = qnt__recipe_column(layer, n), filled = SIZE_MAX;
        int16_t *panel = weight + column / QNT__PANEL * panel_words, word[QNT__BOOK];
        for (size_t k = 0; k < r->inputs; k++) {
            size_t group = qnt__recipe_group(r, n, k);
            size_t at = k / depth * s->panel_depth + n % s->merged * depth + k % depth;
            if (group != filled) qnt__recipe_word_table(r, filled = group, word);
            panel[at / 2 * 2 * QNT__PANEL + column % QNT__PANEL * 2 + at % 2] =
                word[(uint8_t)r->codes[n * r->inputs + k]];
        }
    }
}
