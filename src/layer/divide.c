/*
 * Integer levels that have a divisor in common: bases of one sign are +-c, points of 4 bits c times
 * -8..7, two radix points of 2 bits c times -8..4. Without c they fit in packed panels; the scale
 * takes it. Exact sums stay exact, with as many times less memory.
 */
#include "base/arith.h"
#include "kernel/panels.h"
#include "prepare.h"
#include "quantizer/codebook.h"

/* The greatest common divisor of all levels, and the bits that they need without it. */
static int32_t divisor_of(const int8_t *level, int32_t count, int32_t *bits)
{
    int32_t divisor = 0, low = 0, high = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t a = level[i] < 0 ? -level[i] : level[i];
        low = level[i] < low ? level[i] : low;
        high = level[i] > high ? level[i] : high;
        while (a != 0) { /* Euclid */
            int32_t rest = divisor % a;
            divisor = a;
            a = rest;
        }
    }
    if (divisor == 0) divisor = 1; /* nothing but zeros */
    *bits = 1;
    while (low / divisor < -(1 << (*bits - 1)) || high / divisor >= 1 << (*bits - 1)) ++*bits;
    return divisor;
}

static int32_t divisor_at(const struct qnt__recipe *r, size_t group, int32_t *bits)
{
    int8_t level[256] = {0};
    qnt__codebook_bytes(r->weight_q, group, level);
    return divisor_of(level, 1 << qnt__code_bits(r->weight_q), bits);
}

int32_t qnt__recipe_divisor(const struct qnt__recipe *r, size_t group)
{
    int32_t bits;
    return r->divided ? divisor_at(r, group, &bits) : 1;
}

void qnt__recipe_divide(struct qnt__recipe *r)
{
    const qnt_quantizer *q = r->weight_q;
    size_t groups = q->own_count ? q->groups : qnt__min(q->groups, 1);
    int32_t most = 1, bits;
    if (!r->integers || r->floats) return;
    for (size_t g = 0; g < groups; g++) {
        divisor_at(r, g, &bits);
        if (qnt__panel_bits(bits) == 8) return;
        if (bits > most) most = bits;
    }
    r->divided = true;
    r->head.weight_bits = most;
}
