/*
 * Which numbers hold the weights and the inputs of a layer exactly: integers of 8 bits, of 16 bits, or
 * floats. Where one side needs floats, both are decoded and the product is one of floats.
 */
#include "base/arith.h"
#include "prepare.h"
#include "quantizer/codebook.h"

enum numbers { BYTES, WORDS, REALS };

/* Are all levels of all groups integers that int8, or int16, holds? */
static bool has_integers(const qnt_quantizer *q, bool words)
{
    int8_t byte[QNT__BOOK];
    int16_t word[QNT__BOOK];
    size_t groups = q->own_count ? q->groups : 1;
    for (size_t g = 0; g < groups; g++) {
        if (!(words ? qnt__codebook_words(q, g, word) : qnt__codebook_bytes(q, g, byte))) return false;
    }
    return true;
}

static enum numbers numbers_of(const qnt_quantizer *q)
{
    if (!q->scheme->values) return q->spec.flags & QNT_REAL_OFFSET ? REALS : BYTES;
    return has_integers(q, false) ? BYTES : has_integers(q, true) ? WORDS : REALS;
}

/* One base of signs is -1 and 1, its value a scale unless that is 0. */
bool qnt__recipe_input_is_signs(const qnt_quantizer *q)
{
    float value[QNT__BOOK];
    if (q->spec.scheme != QNT_POINTS || qnt__code_bits(q) != 1) return false;
    if (q->spec.flags & QNT_DYNAMIC) return true;
    q->scheme->values(q, 0, value);
    return value[0] != 0.0f;
}

/* What cannot be an input is refused later. */
static enum numbers numbers_of_input(const qnt_quantizer *q)
{
    const bool fixed = q->ready && q->groups == 1, dynamic = q->spec.flags & QNT_DYNAMIC;
    if (!fixed && !dynamic) return BYTES;
    return qnt__recipe_input_is_signs(q) ? BYTES : numbers_of(q);
}

/* Products of integers take blocks of whole cells, which sums in int32 hold. */
static bool has_odd_blocks(const struct qnt__recipe *r)
{
    const qnt_spec *spec = &r->weight_q->spec;
    return spec->grain == QNT_PER_BLOCK && r->head.channels > spec->block &&
           (spec->block % 16 != 0 || spec->block > 65536);
}

void qnt__recipe_choose_numbers(struct qnt__recipe *r)
{
    enum numbers w = numbers_of(r->weight_q);
    enum numbers x = r->input_q ? numbers_of_input(r->input_q) : REALS;
    r->floats = w == REALS || x == REALS || has_odd_blocks(r);
    r->words = !r->floats && (w == WORDS || x == WORDS);
}

bool qnt__recipe_has_bytes(const qnt_quantizer *q)
{
    return has_integers(q, false);
}
