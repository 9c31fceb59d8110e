/* Fills a layer's arrays: panels, multipliers, zero points, sums, bias. doc/numerics.md has the
 * formulas; everything is folded in double and rounded once. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/numeric.h"
#include "base/try.h"
#include "kernel/panels.h"
#include "prepare.h"
#include "quantizer/codebook.h"

/* The sections of data, writable. */
struct arrays {
    uint8_t *weight;
    float *scale;
    int32_t *zero;
    int8_t *zero8;
    float *offset;
    int32_t *sum;
    float *fsum;
    float *bias;
    float *levels;
    int8_t *input_levels;
    int16_t *input_words;
    float *input_values;
    struct qnt__book *input_book;
    float *input_thresholds;
    int8_t *tables;
    int16_t *table_words;
    struct qnt__book *output_book;
    int32_t *coef, *start;
    uint8_t *output;
};

/* The same section as `at` of the layer, in the buffer that is being filled. */
static void *section(const qnt_layer *layer, uint8_t *data, const void *at)
{
    return at ? data + ((const uint8_t *)at - layer->data) : NULL;
}

static struct arrays open_arrays(const qnt_layer *l, uint8_t *data)
{
    return (struct arrays){section(l, data, l->weight),
                           section(l, data, l->scale),
                           section(l, data, l->zero),
                           section(l, data, l->zero8),
                           section(l, data, l->offset),
                           section(l, data, l->sum),
                           section(l, data, l->fsum),
                           section(l, data, l->bias),
                           section(l, data, l->levels),
                           section(l, data, l->input_levels),
                           section(l, data, l->input_words),
                           section(l, data, l->input_values),
                           section(l, data, l->input_book),
                           section(l, data, l->input_thresholds),
                           section(l, data, l->tables),
                           section(l, data, l->table_words),
                           section(l, data, l->output_book),
                           section(l, data, l->coef),
                           section(l, data, l->start),
                           section(l, data, l->output)};
}

static double scale_of(const struct qnt__recipe *r, size_t group)
{
    const struct qnt__layer_head *h = &r->head;
    double scale = (double)r->weight_q->scale[group] * qnt__recipe_divisor(r, group);
    if (h->arithmetic == QNT__DECODE) return scale;
    if (h->input.kind == QNT__IN_STATIC) scale *= h->input.scale;
    if (qnt__layer_sums_integers(h) && !qnt__layer_finishes_floats(h)) scale /= h->output.scale;
    return scale;
}

/* The zero point of static input codes as the kernel sees them. */
static int32_t input_zero(const struct qnt__layer_head *h)
{
    bool is_signed = h->input.flags & QNT_SIGNED;
    if (h->input.kind != QNT__IN_STATIC) return 0;
    if (h->arithmetic == QNT__BLOCKS) return h->input.zero - (is_signed ? 0 : 128);
    return h->input.zero + (is_signed ? 128 : 0);
}

static float given_bias(const struct qnt__recipe *r, size_t n)
{
    float given = 0.0f;
    if (r->has_bias) {
        qnt__read_f32(&r->context->simd, &r->bias, (int64_t)n * r->bias.strides[0], 1, 1, &given);
    }
    return given;
}

static float bias_of(const struct qnt__recipe *r, size_t n, double block_sum)
{
    const struct qnt__layer_head *h = &r->head;
    float given = given_bias(r, n);
    if (h->arithmetic == QNT__DECODE || h->arithmetic == QNT__WORDS) return given;
    if (h->arithmetic == QNT__BLOCKS) return (float)((double)given - input_zero(h) * block_sum);
    if (qnt__layer_finishes_floats(h)) return given;
    return (float)(((double)given - (double)h->output.offset) / (double)h->output.scale);
}

/* Sum over one block of code - zero. */
static int64_t sum_block(const struct qnt__recipe *r, size_t n, size_t first, size_t end,
                         int32_t zero)
{
    int64_t sum = 0;
    for (size_t k = first; k < end; k++) sum += r->codes[n * r->inputs + k] - zero;
    return sum;
}

/* The values of a group by code, over the scale that the layer multiplies with. */
static void fill_levels(const struct qnt__recipe *r, size_t group, float *levels)
{
    float value[256];
    r->weight_q->scheme->values(r->weight_q, group, value);
    memcpy(levels, value, sizeof(float) << qnt__code_bits(r->weight_q));
}

static void fill_output(const struct qnt__recipe *r, const qnt_layer *layer, const struct arrays *a,
                        size_t n)
{
    const struct qnt__layer_shape *s = &layer->shape;
    size_t column = qnt__recipe_column(layer, n),
           length = qnt__ceil_div(qnt__max(r->inputs, 1), s->blocks);
    if (layer->head.block) length = (size_t)layer->head.block;
    double block_sum = 0.0;
    int64_t sum = 0;

    for (size_t b = 0; b < s->blocks; b++) {
        size_t first = b * length, group = qnt__recipe_group(r, n, first);
        size_t at = (column / QNT__PANEL * s->blocks + b) * QNT__PANEL + column % QNT__PANEL;
        int32_t zero = qnt__recipe_zero(r, group);
        int64_t here = sum_block(r, n, first, qnt__min(first + length, r->inputs), zero);
        a->scale[at] = (float)scale_of(r, group);
        if (a->zero) a->zero[at] = zero;
        if (a->zero8) a->zero8[at] = (int8_t)zero;
        if (a->offset) a->offset[at] = r->weight_q->offset[group];
        if (a->levels && r->weight_q->own_count) a->scale[at] = 1.0f;
        if (layer->head.arrays & QNT__HAS_OWN_LEVELS) {
            fill_levels(r, group, a->levels + (at << layer->head.weight_bits));
        }
        sum += here;
        block_sum += (double)a->scale[at] * (double)here;
    }
    if (a->sum) a->sum[column] = (int32_t)sum;
    if (a->fsum) a->fsum[column] = (float)block_sum;
    if (a->bias) a->bias[column] = bias_of(r, n, block_sum);
}

/* Depthwise weights: [taps][columns], zero points subtracted. */
static void fill_depthwise(const struct qnt__recipe *r, const qnt_layer *layer, uint8_t *weight)
{
    for (size_t n = 0; n < (size_t)r->head.outputs; n++) {
        int32_t zero = qnt__recipe_zero(r, qnt__recipe_group(r, n, 0));
        for (size_t t = 0; t < r->inputs; t++) {
            weight[t * layer->shape.columns + n] = (uint8_t)(r->codes[n * r->inputs + t] - zero);
        }
    }
}

static void fill_input(const struct qnt__recipe *r, int8_t *levels)
{
    float value[256];
    if (!r->signs) {
        qnt__codebook_bytes(r->input_q, 0, levels);
        return;
    }
    levels[0] = -1, levels[1] = 1;
    if (r->head.input.kind == QNT__IN_DYNAMIC) return;
    r->input_q->scheme->values(r->input_q, 0, value);
    if (value[1] < 0.0f) levels[0] = 1, levels[1] = -1;
}

static void fill_input_words(const struct qnt__recipe *r, int16_t *words)
{
    int8_t sign[QNT__BOOK];
    if (!r->signs) {
        qnt__codebook_words(r->input_q, 0, words);
        return;
    }
    fill_input(r, sign);
    words[0] = sign[0], words[1] = sign[1];
}

/* Returns the rank of NaN. */
static int32_t fill_book(const struct qnt__ranks *r, struct qnt__book *book)
{
    memcpy(book->code, r->code, sizeof book->code);
    for (int32_t i = 0; i < 256; i++) {
        book->threshold[i] = i < r->count - 1 ? r->thresholds.value[i] : qnt__f32_of_bits(0x7f800000u);
    }
    return r->thresholds.nan;
}

static void fill_input_values(const struct qnt__recipe *r, float *value, struct qnt__book *book)
{
    struct qnt__ranks ranks = {.code = {0, 1}, .count = 2};
    value[0] = -1.0f, value[1] = 1.0f;
    if (r->head.input.kind == QNT__IN_DYNAMIC) {
        qnt__thresholds_between(value, 2, &ranks.thresholds);
    } else {
        float all[QNT__BOOK];
        r->input_q->scheme->values(r->input_q, 0, all);
        memcpy(value, all, sizeof *value << r->head.input.bits);
        qnt__codebook_ranks(r->input_q, 0, &ranks);
    }
    fill_book(&ranks, book);
}

static void fill_output_book(const struct qnt__recipe *r, qnt_layer *layer, struct qnt__book *book)
{
    struct qnt__ranks ranks;
    qnt__codebook_ranks(r->output_q, 0, &ranks);
    layer->head.output.zero = fill_book(&ranks, book);
}

/* Integers of output n become their places, block by block; tables of its own go to `tables`. */
static void fill_places(const struct qnt__recipe *r, const qnt_layer *layer, size_t n,
                        int8_t *codes, int8_t *tables)
{
    const bool each = layer->head.arrays & QNT__HAS_BLOCK_TABLES;
    const size_t length = each ? r->block : r->inputs, column = qnt__recipe_column(layer, n);
    for (size_t k = 0; k < r->inputs; k += length) {
        int8_t place[256];
        size_t at = (size_t)(qnt__layer_tables(layer, column / QNT__PANEL, k / length) - layer->tables);
        const bool own = qnt__layer_has_own_tables(&layer->head);
        if (own) at += column % QNT__PANEL * qnt__layer_table(&layer->head);
        qnt__recipe_table(r, own ? qnt__recipe_group(r, n, k) : 0, tables + at, place);
        for (size_t i = k; i < qnt__min(k + length, r->inputs); i++) codes[i] = place[(uint8_t)codes[i]];
    }
}

/* The codes of a column of a panel; false if it belongs to no output. */
static bool fill_column(const struct qnt__recipe *r, const qnt_layer *layer, size_t panel, size_t column,
                        int8_t *codes, int8_t *tables)
{
    const struct qnt__layer_shape *s = &layer->shape;
    if (layer->start) return qnt__recipe_fill_point(r, layer, panel, column, codes);
    const size_t within = panel % s->group_panels * QNT__PANEL + column;
    const size_t n = panel / s->group_panels * s->group_outputs + within;
    if (within >= s->group_outputs || r->inputs == 0) return false;
    memcpy(codes, r->codes + n * r->inputs, r->inputs);
    if (tables) fill_places(r, layer, n, codes, tables);
    return true;
}

/* Packs all panels; `padded` holds 16 columns of whole taps. */
static void fill_panels(const struct qnt__recipe *r, const qnt_layer *layer, int8_t *padded,
                        const struct arrays *a)
{
    uint8_t *weight = a->weight;
    const struct qnt__layer_shape *s = &layer->shape;
    size_t depth = layer->head.block ? s->panel_depth : s->depth, ld = s->tap_count * depth;

    for (size_t p = 0; p < s->panels; p++, weight += s->panel_bytes) {
        size_t columns = 0;
        memset(padded, 0, QNT__PANEL * ld);
        for (size_t c = 0; c < QNT__PANEL; c++) {
            if (fill_column(r, layer, p, c, padded + c * ld, a->tables)) columns = c + 1;
        }
        qnt__pack_panel(padded, columns, ld, s->tap_count, depth, layer->head.cell_bits, weight);
    }
}

/* NaN and infinities, which would differ in their signs from CPU to CPU once they meet. */
static qnt_status check_finite(const struct qnt__recipe *r, const qnt_layer *layer)
{
    for (size_t n = 0; r->has_bias && n < (size_t)r->head.outputs; n++) {
        const float given = given_bias(r, n);
        if (isfinite(given)) continue;
        return qnt__fail(r->context, QNT_E_INVALID, "bias: number %zu is %g, expected a finite one",
                         n, (double)given);
    }
    if (qnt__layer_is_finite(layer)) return QNT_OK;
    return qnt__fail(
        r->context, QNT_E_INVALID,
        "scales of weight_q, input_q and output_q: multipliers, or biases in units of the "
        "output, leave float32; expected scales and biases that go together");
}

qnt_status qnt__recipe_fill(const struct qnt__recipe *r, qnt_layer *layer, uint8_t *data)
{
    const struct qnt__layer_shape *s = &layer->shape;
    struct arrays a = open_arrays(layer, data);
    memset(data, 0, layer->bytes);
    if (layer->head.arithmetic == QNT__DEPTHWISE) {
        fill_depthwise(r, layer, a.weight);
    } else if (layer->head.cell_bits == QNT__WORD_BITS) {
        qnt__recipe_fill_words(r, layer, (void *)a.weight);
    } else if (layer->head.arithmetic == QNT__PLANES) {
        QNT__TRY(qnt__recipe_fill_planes(r, layer, a.weight, a.coef));
    } else {
        size_t bytes;
        void *padded;
        if (!qnt__mul(QNT__PANEL * s->tap_count, s->panel_depth, &bytes)) bytes = SIZE_MAX;
        QNT__TRY(qnt__allocate(r->context, &r->context->memory, bytes, &padded));
        if (a.start) qnt__recipe_place_points(r, layer, a.coef, a.start, a.output);
        fill_panels(r, layer, padded, &a);
        qnt__free(&r->context->memory, padded, bytes);
    }
    if (layer->head.arrays & QNT__HAS_LEVELS) {
        if (r->weight_q->own_count)
            fill_levels(r, 0, a.levels);
        else
            memcpy(a.levels, r->weight_q->shared, r->weight_q->shared_count * sizeof(float));
    }
    if (a.input_levels) fill_input(r, a.input_levels);
    if (a.input_words) fill_input_words(r, a.input_words);
    if (a.table_words) qnt__recipe_word_table(r, 0, a.table_words);
    if (a.input_thresholds) {
        memcpy(a.input_thresholds, r->input_q->own, r->input_q->own_count * sizeof(float));
    }
    if (a.input_values) fill_input_values(r, a.input_values, a.input_book);
    if (a.output_book) fill_output_book(r, layer, a.output_book);
    for (size_t n = 0; n < (size_t)r->head.outputs; n++) fill_output(r, layer, &a, n);
    return check_finite(r, layer);
}
