/*
 * Which way to multiply bit planes costs least. doc/methods.md, "Bit planes", has the model and where its
 * numbers come from. Results do not depend on it.
 */
#include "base/arith.h"
#include "bits.h"

/* Cycles of one core, for a thousand products of a number and a plane. */
struct rates {
    uint64_t cpu;    /* the level from which they hold */
    double count;    /* of a pair of planes */
    double bytes;    /* whatever planes are merged */
    double table[6]; /* of codes of 1 to 6 bits, in one set of tables */
    double tabulate; /* of a thousand codes and a set */
    double index;    /* of a thousand bits of a plane, for a block of rows */
    double expand;   /* the same, into bytes */
};

static const struct rates levels[] = {
    {0, 60, 1000, {1000, 1000, 1000, 1000, 1000, 1000}, 1000, 10, 4000},
    {QNT_CPU_AVX2, 8, 40, {7, 7, 8, 9, 12, 20}, 500, 100, 500},
    {QNT_CPU_AVX512VBMI, 3.3, 9, {5, 5, 5, 5, 5, 5}, 70, 6, 50},
};

enum qnt__bits_path qnt__bits_choose(const struct qnt__bits_product *g)
{
    const struct rates *r = levels;
    for (size_t i = 1; i < sizeof levels / sizeof *levels; i++)
        if (g->context->cpu & levels[i].cpu) r = &levels[i];
    if (g->signs) return QNT__BITS_COUNT;
    return r->count > 0 ? QNT__BITS_TABLE : QNT__BITS_COUNT;
}
