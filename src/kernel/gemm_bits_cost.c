/*
 * Which way to multiply bit planes costs least; doc/bit_planes.md has the model. Results do not depend on
 * it.
 */
#include "base/arith.h"
#include "bits.h"
#include "simd/layout.h"

enum {
    COUNT_BLOCK = QNT__TABLE_ROWS,
    BYTE_BLOCK = 256,   /* rows that share a pass over b, more where k is below 4,096 */
    PAIRS_BLOCK = 1024, /* the same of seven products */
    ADDER_COLUMNS = QNT__ADDER_PANELS * QNT__PANEL
};

/* Cycles for a thousand products, codes or bits of one core. */
struct rates {
    uint64_t cpu;          /* the level from which they hold */
    bool wide_shuffles;    /* only where a core has as many shuffles as multiplications */
    double count;          /* products of a plane of a and a plane of b */
    /* products of a digit of a and a plane of b, by the bits of the digit */
    double table[QNT__DIGIT_MOST];
    /* the same, indices included, of each of a few rows of one digit or two; 0: as of many */
    double few[2];
    double six[4];         /* the same by tables of six codes; 0: there is no instruction for it */
    double adders;         /* as `count`, by adders; 0: there is no instruction for it */
    double bytes;          /* products of a and any number of planes of b */
    double tabulate;       /* codes, for each digit: tables are made of them */
    double tabulate_six;   /* the same of six codes */
    double index_adders;   /* codes, for each of their planes */
    double read;           /* bits of b, to count */
    double index;          /* bits of b, to look up */
    double index_six;      /* the same in tables of six codes */
    double turn;           /* bits of b, to be tables of adders */
    double turn_back;      /* sums of adders, of any number of k and of planes that are merged */
    double first, another; /* bits of b as bytes: of the first plane, of another one */
    double form_b, form_a; /* codes, for seven products instead of eight */
    double join;           /* sums of a chunk of k, of the same */
};

static const struct rates levels[] = {
    {.count = 50,
     .table = {870, 870, 870, 870, 870, 870},
     .bytes = 900,
     .tabulate = 4000,
     .read = 10,
     .index = 10,
     .first = 3000,
     .another = 1500,
     .form_b = 6000,
     .form_a = 8000,
     .join = 10000},
    {.cpu = QNT_CPU_AVX2,
     .count = 10,
     .table = {8.5, 8.5, 9.6, 11, 15, 25},
     .bytes = 60,
     .tabulate = 500,
     .read = 10,
     .index = 16,
     .first = 63,
     .another = 50,
     .form_b = 200,
     .form_a = 300,
     .join = 1200},
    {.cpu = QNT_CPU_AVXVNNI, /* as AVX2 but for bytes */
     .count = 10,
     .table = {8.5, 8.5, 9.6, 11, 15, 25},
     .bytes = 19,
     .tabulate = 500,
     .read = 10,
     .index = 16,
     .first = 63,
     .another = 50,
     .form_b = 200,
     .form_a = 300,
     .join = 1200},
    {.cpu = QNT_CPU_AVX512VNNI, /* the same */
     .count = 10,
     .table = {8.5, 8.5, 9.6, 11, 15, 25},
     .bytes = 9.9,
     .tabulate = 500,
     .read = 10,
     .index = 16,
     .first = 120,
     .another = 100,
     .form_b = 120,
     .form_a = 200,
     .join = 1000},
    {.cpu = QNT_CPU_AVX512VBMI,
     .count = 3.2,
     .table = {5.4, 5.4, 5.4, 5.4, 5.4, 5.4},
     .few = {11, 9},
     .six = {3.8, 4.0, 4.3, 5.4},
     .adders = 1.8,
     .bytes = 8.5,
     .tabulate = 250,
     .tabulate_six = 500,
     .index_adders = 120,
     .read = 5.3,
     .index = 14,
     .index_six = 15,
     .turn = 60,
     .turn_back = 350,
     .first = 65,
     .another = 31,
     .form_b = 85,
     .form_a = 150,
     .join = 500},
    {.cpu = QNT_CPU_AVX512VBMI,
     .wide_shuffles = true,
     .count = 1.35,
     .table = {4.2, 4.2, 4.2, 4.2, 4.2, 4.2},
     .few = {5, 4},
     .six = {2.1, 2.1, 2.3, 2.7},
     .adders = 1.3,
     .bytes = 8.3,
     .tabulate = 140,
     .tabulate_six = 300,
     .index_adders = 80,
     .read = 2.6,
     .index = 7,
     .index_six = 8,
     .turn = 20,
     .turn_back = 250,
     .first = 35,
     .another = 18,
     .form_b = 70,
     .form_a = 60,
     .join = 200},
    {.cpu = QNT_CPU_NEON,
     .count = 20,
     .table = {16, 16, 18, 22, 30, 45},
     .bytes = 67,
     .tabulate = 1000,
     .read = 10,
     .index = 30,
     .first = 120,
     .another = 90,
     .form_b = 300,
     .form_a = 400,
     .join = 1500},
};

static const struct rates *rates_of(const qnt_context *context)
{
    const struct rates *rates = levels;
    for (size_t i = 1; i < sizeof levels / sizeof *levels; i++) {
        const struct rates *level = &levels[i];
        if (context->cpu & level->cpu && level->wide_shuffles <= context->wide_shuffles)
            rates = level;
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

struct way {
    enum qnt__bits_path path;
    double cycles;
};

static void take(struct way *best, enum qnt__bits_path path, double cycles)
{
    if (cycles < best->cycles) *best = (struct way){path, cycles};
}

/* Of seven products of bytes; `merged` times for `planes` planes. */
static double strassen(const struct qnt__bits_product *g, const struct rates *r, double merged,
                       double planes)
{
    const double rows = (double)qnt__round_up(g->m, 2),
                 columns = (double)qnt__round_up(g->n, 2 * QNT__PANEL),
                 depth = (double)qnt__round_up(g->words, 4) / (double)g->words,
                 chunks = (double)qnt__ceil_div(g->words, 2 * QNT__BITS_HALF_WORDS),
                 shared = (double)qnt__ceil_div(g->m, PAIRS_BLOCK);
    const double sums = chunks * r->join / (double)qnt__max(g->k, 1),
                 codes = merged * (r->first + r->form_b) + (planes - merged) * r->another;
    return columns * (merged * rows * (0.875 * depth * r->bytes + sums) + shared * codes) +
           rows * r->form_a;
}

enum qnt__bits_path qnt__bits_choose(const struct qnt__bits_product *g)
{
    if (g->signs) return QNT__BITS_COUNT;
    const struct rates *r = rates_of(g->context);
    if (g->blocks > 1) return r->count < r->table[0] ? QNT__BITS_COUNT : QNT__BITS_TABLE;
    const struct passes p = passes_of(g);
    const double m = (double)g->m, n = (double)g->n, w = (double)g->b_planes,
                 a = (double)g->a_planes, digits = g->a_planes > QNT__DIGIT_MOST ? 2 : 1,
                 planes = w * (p.separate + p.combined),
                 merged = (p.separate ? w : 0) + (p.combined ? 1 : 0);
    const double shared = (double)qnt__ceil_div(g->m, COUNT_BLOCK),
                 long_shared = (double)qnt__ceil_div(g->m, BYTE_BLOCK);
    const double look_up = r->table[(digits > 1 ? QNT__LOW_DIGIT : g->a_planes) - 1];
    const double few = r->few[g->a_planes > QNT__DIGIT_MOST];
    const double tables = few > 0 && g->m <= QNT__TABLE_FEW
                              ? m * digits * few
                              : m * digits * look_up + shared * r->index;
    struct way best = {QNT__BITS_COUNT, n * planes * (m * a * r->count + shared * r->read)};
    take(&best, QNT__BITS_TABLE, n * planes * tables + m * digits * r->tabulate);
    if (g->a_planes <= QNT__SIX_BITS && r->six[0] > 0)
        take(&best, QNT__BITS_SIX,
             n * planes * (m * r->six[g->a_planes - 1] + shared * r->index_six) +
                 m * r->tabulate_six);
    if (r->adders > 0) {
        const double all = (double)qnt__round_up(g->n, ADDER_COLUMNS),
                     adder_shared = (double)qnt__ceil_div(g->m, QNT__ADDER_ROWS);
        take(&best, QNT__BITS_ADDERS,
             all * planes * (m * a * r->adders + adder_shared * r->turn) + m * a * r->index_adders +
                 all * merged * m * r->turn_back / (double)qnt__max(g->k, 1));
    }
    take(&best, QNT__BITS_BYTES,
         n * (merged * m * r->bytes +
              long_shared * (merged * r->first + (planes - merged) * r->another)));
    if (qnt__bits_has_strassen(g)) take(&best, QNT__BITS_STRASSEN, strassen(g, r, merged, planes));
    return best.path;
}
