/*
 * Layers with integers that int8 does not hold, of weights, inputs or both: QNT__WORDS. Zero points go
 * into the integers. Weights whose scale groups all have the same integers stay codes, which one table
 * turns into words; others are words.
 */
#include <string.h>

#include "base/arith.h"
#include "kernel/panels.h"
#include "prepare.h"
#include "quantizer/codebook.h"

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

void qnt__recipe_choose_words(struct qnt__recipe *r)
{
    struct qnt__layer_head *h = &r->head;
    h->arithmetic = QNT__WORDS;
    h->block = r->blocks > 1 ? (int64_t)r->block : 0;
    h->arrays &= ~QNT__HAS_ZERO;
    h->cell_bits = QNT__WORD_BITS;
    keep_codes(r);
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
