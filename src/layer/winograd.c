/*
 * Which convolutions of 3 x 3 taps run by minimal filtering (simd/slots_winograd.h), and what that takes.
 *
 * Results are the same integers. Words at the points multiply at half the pace of bytes, or at the same
 * one, and there are a fourth as many of them.
 */
#include "winograd.h"

#include "base/carve.h"

enum {
    FEWEST = 32, /* channels and outputs of a group */
    PIXELS_BYTES = 1 << 20, /* of filtered pixels, which caches hold while all weights meet them */
    LINES = QNT__WINOGRAD_POINTS,
    TILE = QNT__WINOGRAD_TILE,
    RUN_PIXELS = 4 * QNT__WINOGRAD_RUN + 2
};

/* A sum becomes 576 times as large modulo 2^32, which leaves 64 times the sum after a division by 9: it has
 * to be below 2^25, and is at most QNT__WINOGRAD_CENTRE times the magnitudes of the weights. */
enum { REACH = 1 << 18, LARGEST = 128 };

static bool may_serve(const qnt_layer *layer)
{
    const struct qnt__layer_head *h = &layer->head;
    const struct qnt__layer_shape *s = &layer->shape;
    for (int i = 0; i < 2; i++)
        if (h->kernel[i] != 3 || h->stride[i] != 1 || h->dilation[i] != 1) return false;
    return h->kind == QNT_CONV && h->arithmetic == QNT__INTEGER && h->channels >= FEWEST &&
           s->group_outputs >= FEWEST && !layer->zero && !layer->start && s->merged == 1 &&
           s->tap_count * s->panel_depth == s->inputs;
}

/* The largest sum of magnitudes of a column of a panel of bytes. */
static size_t panel_reach(const uint8_t *panel, size_t bytes)
{
    size_t sum[QNT__PANEL] = {0}, most = 0;
    for (size_t i = 0; i < bytes; i++) {
        const int w = (int8_t)panel[i];
        sum[i / 4 % QNT__PANEL] += (size_t)(w < 0 ? -w : w);
    }
    for (size_t c = 0; c < QNT__PANEL; c++) most = qnt__max(most, sum[c]);
    return most;
}

/* No sum of the magnitudes of an output's weights exceeds this. */
static size_t reach_of(const qnt_layer *layer)
{
    const struct qnt__layer_shape *s = &layer->shape;
    const int bits = layer->head.cell_bits;
    size_t reach = 0;
    if (bits < 8 && !layer->tables) return s->inputs << (bits - 1);
    if (s->inputs * LARGEST < REACH || layer->tables) return s->inputs * LARGEST;
    for (size_t p = 0; p < s->panels; p++)
        reach = qnt__max(reach, panel_reach(layer->weight + p * s->panel_bytes, s->panel_bytes));
    return reach;
}

void qnt__winograd_measure(qnt_layer *layer)
{
    const size_t cell = qnt__cell_depth(8), most = (REACH - 1) / (9 * LARGEST) / cell * cell;
    if (!may_serve(layer)) return;
    layer->winograd_depth = (size_t)layer->head.channels;
    if (reach_of(layer) >= REACH) layer->winograd_depth = most;
}

static bool plan_scratch(struct qnt__run *run)
{
    struct qnt__winograd_plan *w = &run->winograd;
    struct qnt__scratch *c = &run->scratch;
    const size_t channels = (size_t)run->layer->head.channels, places = QNT__WINOGRAD_PLACES,
                 panel = channels * QNT__PANEL, taps = w->panels * panel + QNT__WINOGRAD_APART,
                 cells = run->layer->head.cell_bits == 8 ? 0 : 9 * w->panels;
    size_t pixels;
    return qnt__mul(run->g.channels, LINES * RUN_PIXELS, &pixels) &&
           qnt__append(&c->end, pixels, sizeof(int16_t), &w->lines) &&
           qnt__append(&c->end, taps, places * sizeof(int16_t), &w->taps) &&
           qnt__append(&c->end, panel, cells, &w->cells) &&
           qnt__append(&c->end, w->place, LINES * sizeof(int32_t), &w->products) &&
           qnt__append(&c->end, w->place, LINES * TILE * sizeof(int32_t), &w->sums) &&
           qnt__append(&c->end, w->place, TILE * TILE * sizeof(int32_t), &w->results);
}

bool qnt__winograd_plan(struct qnt__run *run)
{
    struct qnt__winograd_plan *w = &run->winograd;
    const struct qnt__geometry *g = &run->g;
    if (!run->layer->winograd_depth || g->batch == 0 || g->out_height < 4 || g->out_width < 4)
        return true;
    const struct qnt__winograd_axis down = qnt__winograd_axis(g->out_height),
                                    across = qnt__winograd_axis(g->out_width);
    const size_t workers = run->context->workers;
    size_t row, all;
    w->panels = qnt__winograd_panels(run);
    w->place = QNT__WINOGRAD_TILES * w->panels * QNT__PANEL + QNT__PANEL;
    if (!qnt__mul(g->channels, QNT__WINOGRAD_PLACES, &w->tile) ||
        !qnt__add(w->tile, QNT__WINOGRAD_APART, &w->tile) ||
        !qnt__mul(w->tile, (across.fours + across.twos) * sizeof(int16_t), &row) ||
        !qnt__mul(g->batch, down.fours + down.twos, &all)) {
        return true; /* not this way */
    }
    w->rows = qnt__min(all, qnt__max(PIXELS_BYTES / row, 1));
    w->chunks = qnt__ceil_div(all, w->rows);
    w->blocks = g->groups * qnt__ceil_div(run->layer->shape.group_panels, w->panels);
    w->parts = w->blocks % workers == 0 ? 1 : qnt__ceil_div(4 * workers, w->blocks);
    w->serves = qnt__winograd_pays(run, &down, &across);
    if (!w->serves) return true;
    return qnt__mul(row, w->rows, &w->bytes) && plan_scratch(run);
}
