/*
 * Whether a convolution is faster by minimal filtering. For one channel and one output,
 *
 *     otherwise:  9 pixels bytes
 *     this way:   products words + tasks taps + groups reads
 *                 + tiles filters (1 / channels + 1 / outputs)
 *
 * with the products of all tiles at their places, tasks that filter the same taps, and groups of tiles that
 * are multiplied together and read these from wherever a cache has them. Results do not depend on it.
 */
#include "winograd.h"

/* Cycles of one core for a thousand of each: products of bytes and of words, pairs of a channel and an
 * output whose taps are filtered, tiles of a channel or an output that are filtered or finished. */
struct rates {
    uint64_t cpu;       /* the level from which they hold */
    size_t most, least; /* panels that are best multiplied together */
    double bytes, words, taps, filters;
};

/* clang-format off */
static const struct rates levels[] = {
    {0, 2, 1, .bytes = 900, .words = 580, .taps = 85000, .filters = 280000},
    {QNT_CPU_AVX2, 2, 1, .bytes = 36, .words = 46, .taps = 5400, .filters = 23000},
    {QNT_CPU_AVXVNNI, 2, 1, .bytes = 18, .words = 36, .taps = 5400, .filters = 23000},
    {QNT_CPU_AVX512VNNI, 4, 2, .bytes = 8.2, .words = 17, .taps = 4800, .filters = 16000},
    {QNT_CPU_NEON, 2, 1, .bytes = 67, .words = 130, .taps = 10000, .filters = 40000},
    {QNT_CPU_NEONDOT, 2, 1, .bytes = 34, .words = 130, .taps = 10000, .filters = 40000},
};
/* clang-format on */

/* Bytes of taps that a second-level cache holds beside pixels, and those of which it holds none when they
 * are read again; cycles in which those of a thousand pairs of a channel and an output come from the third
 * one. */
enum { HELD = 3 << 18, SPILLED = 1 << 21, SPILL = 9000 };

static const struct rates *rates_of(const qnt_context *context)
{
    const struct rates *rates = levels;
    for (size_t i = 1; i < sizeof levels / sizeof *levels; i++)
        if (context->cpu & levels[i].cpu) rates = &levels[i];
    return rates;
}

/* Filtered taps of panels that are multiplied together. */
static size_t taps_bytes(size_t panels, size_t channels)
{
    return panels * QNT__PANEL * QNT__WINOGRAD_PLACES * sizeof(int16_t) * channels;
}

size_t qnt__winograd_panels(const struct qnt__run *run)
{
    const struct rates *r = rates_of(run->context);
    size_t panels = qnt__min(r->most, run->layer->shape.group_panels);
    while (panels > r->least && taps_bytes(panels, (size_t)run->layer->head.channels) > HELD) panels /= 2;
    return panels;
}

/* Points of all tiles of an axis. */
static double points(const struct qnt__winograd_axis *a)
{
    return (double)(6 * a->fours + 4 * a->twos);
}

/* The part of reading taps that is from beyond the second-level cache, times what that takes. */
static double reads(const struct qnt__run *run)
{
    const double bytes =
                     (double)taps_bytes(run->winograd.panels, (size_t)run->layer->head.channels),
                 part = (bytes - HELD) / (SPILLED - HELD);
    return part < 0 ? 0 : part < 1 ? part * SPILL : SPILL;
}

bool qnt__winograd_pays(const struct qnt__run *run, const struct qnt__winograd_axis *down,
                        const struct qnt__winograd_axis *across)
{
    const struct rates *r = rates_of(run->context);
    if (run->context->winograd != 0) return run->context->winograd > 0;
    const double images = (double)run->g.batch, channels = (double)run->layer->head.channels,
                 outputs = (double)run->layer->shape.group_outputs,
                 pixels = images * (double)down->extent * (double)across->extent,
                 products = images * points(down) * points(across),
                 tiles = images * (double)(down->fours + down->twos) *
                         (double)(across->fours + across->twos),
                 tasks = (double)(run->winograd.chunks * run->winograd.parts),
                 groups = tasks + tiles / QNT__WINOGRAD_TILES;
    return products * r->words + tasks * r->taps + groups * reads(run) +
               tiles * r->filters * (1 / channels + 1 / outputs) <
           9 * pixels * r->bytes;
}
