/*
 * Which way to multiply bit planes costs least; doc/bit_planes.md has the model. Results do not depend on
 * it.
 */
#include "base/arith.h"
#include "bits.h"
#include "simd/layout.h"

enum { COUNT_BLOCK = QNT__TABLE_ROWS, BYTE_BLOCK = 256 /* rows that share a pass over b */ };

/* Cycles for a thousand products, codes or bits, measured on one core. */
struct rates {
    uint64_t cpu;     /* the level from which they hold */
    double count;     /* products of a plane of a and a plane of b */
    double table;     /* products of a digit of a and a plane of b */
    double bytes;     /* products of a and any number of planes of b */
    double tabulate;  /* codes, for each digit: tables are made of them */
    double read;      /* bits of b, to count */
    double index;     /* bits of b, to look up */
    double expand[2]; /* bits of b as bytes: of the first plane, of another one */
};

static const struct rates levels[] = {
    {0, 50, 870, 3900, 4000, 10, 10, {3000, 1500}},
    {QNT_CPU_AVX2, 10, 300, 67, 1000, 10, 3000, {3000, 2800}},
    {QNT_CPU_AVX512VBMI, 2.9, 4.9, 9.5, 250, 10, 14, {70, 31}},
    {QNT_CPU_NEON, 20, 870, 67, 4000, 10, 10, {3000, 2800}},
};

static const struct rates *rates_of(uint64_t cpu)
{
    const struct rates *rates = levels;
    for (size_t i = 1; i < sizeof levels / sizeof *levels; i++) {
        if (cpu & levels[i].cpu) rates = &levels[i];
    }
    return rates;
}

/* How often planes are multiplied: each by itself, and as one number, in some blocks both. */
struct passes {
    bool separate, combined;
};

static struct passes passes_of(const struct qnt__bits_product *g)
{
    struct passes p = {g->b_planes == 1, false};
    bool combine = qnt__bits_combine(g);
    for (size_t c = 0; c < g->n && g->b_planes > 1 && !(p.separate && p.combined); c++) {
        if (combine && qnt__bits_doubling(g, c)) p.combined = true;
        else p.separate = true;
    }
    return p;
}

enum qnt__bits_path qnt__bits_choose(const struct qnt__bits_product *g)
{
    if (g->signs) return QNT__BITS_COUNT;
    const struct rates *r = rates_of(g->context->cpu);
    const struct passes p = passes_of(g);
    const double m = (double)g->m, n = (double)g->n, w = (double)g->b_planes,
                 a = (double)g->a_planes, digits = g->a_planes > 6 ? 2 : 1,
                 planes = w * (p.separate + p.combined),
                 merged = (p.separate ? w : 0) + (p.combined ? 1 : 0);
    const double shared = (double)qnt__ceil_div(g->m, COUNT_BLOCK),
                 long_shared = (double)qnt__ceil_div(g->m, BYTE_BLOCK);
    double count = n * planes * (m * a * r->count + shared * r->read);
    double table =
        n * planes * (m * digits * r->table + shared * r->index) + m * digits * r->tabulate;
    double bytes = n * (merged * m * r->bytes +
                        long_shared * (merged * r->expand[0] + (planes - merged) * r->expand[1]));
    if (count <= table && count <= bytes) return QNT__BITS_COUNT;
    return table <= bytes ? QNT__BITS_TABLE : QNT__BITS_BYTES;
}
