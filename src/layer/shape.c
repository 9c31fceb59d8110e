/* Checks a layer's numbers, and derives the shape of its weights and the sections of its data. */
#include "base/arith.h"
#include "base/try.h"
#include "kernel/bits.h"
#include "kernel/panels.h"
#include "layer.h"
#include "quantizer/quantizer.h"

/* Beyond any memory, and far from overflow of the sums formed here, on machines with 32-bit sizes too. */
#define LARGEST ((int64_t)1 << (sizeof(size_t) > 4 ? 40 : 26))

/* A number of the head and the range that it must be in. */
struct rule {
    const char *name;
    int64_t value, low, high;
};

static qnt_status check_rules(const qnt_context *context, qnt_status status,
                              const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct rule *r = &rules[i];
        if (r->value >= r->low && r->value <= r->high) continue;
        return qnt__fail(context, status, "%s is %lld, expected %lld to %lld", r->name,
                         (long long)r->value, (long long)r->low, (long long)r->high);
    }
    return QNT_OK;
}

/* Extents are a matter of shape if they are the caller's. */
static qnt_status shape_status(qnt_status status)
{
    return status == QNT_E_INVALID ? QNT_E_SHAPE : status;
}

static qnt_status check_geometry(const qnt_context *context, qnt_status status,
                                 const struct qnt__layer_head *h)
{
    const struct rule rules[] = {
        {"kind", h->kind, QNT_DENSE, QNT_CONV},
        {"layout (QNT_NHWC, QNT_NCHW)", h->layout, QNT_NHWC, QNT_NCHW},
        {"activation (QNT_LINEAR, QNT_RELU, QNT_CLAMP)", h->activation, QNT_LINEAR, QNT_CLAMP},
        {"flags (QNT_ACCUMULATE)", h->flags, 0, QNT_ACCUMULATE},
        {"groups", h->groups, 1, INT32_MAX},
        {"group_shift", h->group_shift, 0, (int64_t)h->groups - 1},
        {"stride[0]", h->stride[0], 1, INT32_MAX},
        {"stride[1]", h->stride[1], 1, INT32_MAX},
        {"dilation[0]", h->dilation[0], 1, INT32_MAX},
        {"dilation[1]", h->dilation[1], 1, INT32_MAX},
        {"pad[0]", h->pad[0], 0, INT32_MAX},
        {"pad[1]", h->pad[1], 0, INT32_MAX},
        {"pad[2]", h->pad[2], 0, INT32_MAX},
        {"pad[3]", h->pad[3], 0, INT32_MAX},
        {"outputs", h->outputs, 0, LARGEST},
        {"input channels", h->channels, 0, LARGEST},
        {"kernel height", h->kernel[0], 1, LARGEST},
        {"kernel width", h->kernel[1], 1, LARGEST},
    };
    QNT__TRY(check_rules(context, status, rules, sizeof rules / sizeof *rules));
    if (h->outputs % h->groups != 0) {
        return qnt__fail(context, shape_status(status),
                         "%lld outputs, expected a multiple of %d groups", (long long)h->outputs,
                         (int)h->groups);
    }
    bool plain = h->groups == 1 && h->kernel[0] == 1 && h->kernel[1] == 1 && h->stride[0] == 1 &&
                 h->stride[1] == 1 && h->dilation[0] == 1 && h->dilation[1] == 1 &&
                 !(h->pad[0] | h->pad[1] | h->pad[2] | h->pad[3]);
    if (h->kind == QNT_DENSE && !(plain && h->layout == QNT_NHWC)) {
        return qnt__fail(context, status,
                         "kind is QNT_DENSE, which has no layout, groups, stride, dilation or pad");
    }
    return QNT_OK;
}

static qnt_status check_codes(const qnt_context *context, qnt_status status, const char *name,
                              const struct qnt__layer_codes *c, int32_t last_kind)
{
    const struct rule kind = {name, c->kind, QNT__IN_FLOAT, last_kind};
    QNT__TRY(check_rules(context, status, &kind, 1));
    if (c->kind == QNT__IN_FLOAT) return QNT_OK;
    const struct rule bits = {name, c->bits, 1, 8};
    QNT__TRY(check_rules(context, status, &bits, 1));
    /* the zero point may be the code that QNT_NARROW does not use */
    qnt_spec spec = {.bits = c->bits, .flags = c->flags & ~QNT_NARROW};
    const struct rule zero = {name, c->zero, qnt__code_low(&spec), qnt__code_high(&spec)};
    if (c->kind == QNT__IN_STATIC && !(c->flags & QNT_REAL_OFFSET)) {
        QNT__TRY(check_rules(context, status, &zero, 1));
    }
    if (c->kind == QNT__IN_STATIC && !(c->scale > 0.0f && c->scale <= 3.402823466e38f)) {
        return qnt__fail(context, status, "%s: scale is %g, expected a finite number above 0", name,
                         (double)c->scale);
    }
    return QNT_OK;
}

bool qnt__layer_may_pack(const struct qnt__layer_head *h)
{
    return (h->arithmetic == QNT__INTEGER || h->arithmetic == QNT__BLOCKS ||
            h->arithmetic == QNT__DECODE) &&
           h->weight_bits <= QNT__TABLE_BITS;
}

static qnt_status check_arithmetic(const qnt_context *context, qnt_status status,
                                   const struct qnt__layer_head *h)
{
    bool blocks = h->arithmetic == QNT__BLOCKS, dense = h->kind == QNT_DENSE;
    bool decode = h->arithmetic == QNT__DECODE, words = h->arithmetic == QNT__WORDS;
    const bool points = h->arrays & QNT__HAS_POINTS;
    const struct rule rules[] = {
        {"arithmetic", h->arithmetic, QNT__DECODE, QNT__WORDS},
        {"weight bits", h->weight_bits, 1, 8},
        {"arrays", h->arrays, 0, 2 * QNT__HAS_POINTS - 1},
        {"panels", h->panels, points ? (h->outputs / h->groups - 1) / QNT__PANEL + 1 : 0,
         points ? LARGEST : 0},
        {"block", h->block, blocks ? 16 : 0,
         blocks || (dense && words) ? 65536
         : dense && decode          ? LARGEST
                                    : 0},
    };
    QNT__TRY(check_rules(context, status, rules, sizeof rules / sizeof *rules));
    const int32_t tables = h->arrays & QNT__HAS_TABLES;
    int32_t cell_bits = h->arithmetic == QNT__DEPTHWISE ? 8
                        : h->arithmetic == QNT__PLANES  ? 1
                        : words && !tables              ? QNT__WORD_BITS
                        : tables                        ? qnt__place_bits(h->weight_bits)
                                                        : qnt__panel_bits(h->weight_bits);
    bool depthwise = h->groups == h->outputs && h->channels == 1 && h->groups > 1;
    bool levels = h->arrays & (QNT__HAS_LEVELS | QNT__HAS_OWN_LEVELS);
    if (decode && levels && h->cell_bits == qnt__place_bits(h->weight_bits)) cell_bits = h->cell_bits;
    if (h->cell_bits != cell_bits || (blocks && !dense) ||
        ((blocks || words) && h->block % 16 != 0) ||
        (h->arithmetic == QNT__DEPTHWISE && !depthwise) ||
        (points && (h->arithmetic != QNT__INTEGER || tables || h->weight_bits < 2 ||
                    h->weight_bits > QNT__NARROW_BITS || h->outputs == 0 ||
                    h->outputs / h->groups > INT32_MAX)) ||
        (!decode && h->input.kind == QNT__IN_FLOAT) ||
        (decode && (h->arrays & (QNT__HAS_SUM | QNT__HAS_INPUT_THRESHOLDS))) ||
        (!decode && (h->arrays & (QNT__HAS_OFFSET | QNT__HAS_LEVELS | QNT__HAS_OWN_LEVELS))) ||
        (words ? h->arrays & (QNT__HAS_OWN_TABLES | QNT__HAS_BLOCK_TABLES | QNT__HAS_ZERO | QNT__HAS_SUM)
               : tables && !qnt__layer_may_pack(h))) {
        return qnt__fail(context, status, "arithmetic %d does not fit the other numbers",
                         (int)h->arithmetic);
    }
    return QNT_OK;
}

/* Depthwise words: the weights of 16 channels are the diagonal of a matrix, so that rows of the input are
 * read along the channels and columns of a panel are all in use. */
static size_t merged_groups(const struct qnt__layer_head *h)
{
    bool depthwise = h->groups > 1 && h->channels == 1 && h->outputs == h->groups;
    bool words = h->arithmetic == QNT__WORDS && h->cell_bits == QNT__WORD_BITS;
    return words && depthwise && h->groups % QNT__PANEL == 0 ? QNT__PANEL : 1;
}

/* Derives the shape; all extents are known to be in range. */
static bool derive(const struct qnt__layer_head *h, struct qnt__layer_shape *s)
{
    size_t height = (size_t)h->kernel[0], width = (size_t)h->kernel[1], area;
    if (!qnt__mul(height, width, &area) || !qnt__mul(area, (size_t)h->channels, &s->inputs) ||
        area > (size_t)LARGEST || s->inputs > (size_t)LARGEST) {
        return false;
    }
    bool rows = h->groups == 1 && h->dilation[1] == 1;
    s->tap_count = rows ? height : area;
    s->merged = merged_groups(h);
    s->depth = qnt__max((size_t)h->channels * s->merged * (rows ? width : 1), 1);
    bool blocks = h->arithmetic == QNT__BLOCKS;
    bool planes = h->arithmetic == QNT__PLANES, words = h->arithmetic == QNT__WORDS;
    s->panel_depth = planes   ? s->depth
                     : blocks || (words && h->block) ? qnt__round_up(s->depth, (size_t)h->block)
                              : qnt__panel_depth(s->depth, h->cell_bits);
    s->tap_parts = rows && h->channels % (int64_t)qnt__cell_depth(h->cell_bits) == 0 && h->channels > 0
                       ? width
                       : 1;
    s->group_outputs = (size_t)(h->outputs / h->groups) * s->merged;
    s->group_columns = qnt__round_up(s->group_outputs, QNT__PANEL);
    s->group_panels = h->panels ? (size_t)h->panels : s->group_columns / QNT__PANEL;
    s->columns = s->group_columns * ((size_t)h->groups / s->merged);
    if (!qnt__mul(s->group_panels, (size_t)h->groups / s->merged, &s->panels)) return false;
    if (h->arithmetic == QNT__DEPTHWISE) { /* one row of columns instead of one panel each */
        s->group_outputs = (size_t)h->outputs;
        s->group_panels = s->panels = 0;
        s->columns = s->group_columns = s->group_outputs;
    }
    s->blocks = h->block ? qnt__max(qnt__ceil_div(s->depth, (size_t)h->block), 1) : 1;
    if (planes) {
        s->panel_bytes = 8 * QNT__PANEL * (qnt__bits_words(s->inputs) + 1) * (size_t)h->weight_bits;
        return true; /* of at most LARGEST inputs */
    }
    return qnt__mul(s->tap_count, s->panel_depth / qnt__cell_depth(h->cell_bits),
                    &s->panel_bytes) &&
           qnt__mul(s->panel_bytes, qnt__cell_bytes(h->cell_bits), &s->panel_bytes);
}

enum { SECTIONS = 15 };

/* Bytes of each section, in the order of struct qnt_layer; 0 if it is absent. */
static bool section_bytes(const struct qnt__layer_head *h, const struct qnt__layer_shape *s,
                          size_t bytes[SECTIONS])
{
    bool depthwise = h->arithmetic == QNT__DEPTHWISE, blocks = h->arithmetic == QNT__BLOCKS;
    size_t scales, weight;
    if (!qnt__mul(s->columns, s->blocks, &scales) || scales > SIZE_MAX / 64) return false;
    if (!(depthwise ? qnt__mul(s->tap_count, s->columns, &weight)
                    : qnt__mul(s->panels, s->panel_bytes, &weight))) {
        return false;
    }
    size_t zero = h->arrays & QNT__HAS_ZERO ? scales : 0;
    bytes[0] = weight;
    bytes[1] = 4 * scales;
    bytes[2] = blocks ? 0 : 4 * zero;
    bytes[3] = blocks ? zero : 0;
    bytes[4] = h->arrays & QNT__HAS_OFFSET ? 4 * scales : 0;
    bytes[5] = h->arrays & QNT__HAS_SUM ? 4 * s->columns : 0;
    bytes[6] = h->arrays & QNT__HAS_BIAS ? 4 * s->columns : 0;
    size_t levels = (size_t)4 << h->weight_bits; /* bytes of one table */
    bytes[7] = h->arrays & QNT__HAS_LEVELS ? levels : 0;
    const bool decode = h->arithmetic == QNT__DECODE, levels_in = h->arrays & QNT__HAS_INPUT_LEVELS;
    const size_t element = decode ? sizeof(float) : h->arithmetic == QNT__WORDS ? sizeof(int16_t) : 1;
    bytes[8] = levels_in ? 256 * element : 0;
    bytes[9] = h->arrays & QNT__HAS_INPUT_THRESHOLDS ? 256 * sizeof(float) : 0;
    if (decode && levels_in) bytes[9] = sizeof(struct qnt__book);
    size_t table = h->arrays & QNT__HAS_TABLES ? qnt__layer_table(h) : 0;
    if (table && h->arithmetic == QNT__WORDS) table = 256 * element;
    const size_t tables = h->arrays & QNT__HAS_BLOCK_TABLES ? scales
                          : h->arrays & QNT__HAS_OWN_TABLES ? s->columns
                                                            : 1;
    if (!qnt__mul(table, tables, &bytes[10])) return false;
    bytes[11] = h->arrays & QNT__HAS_OUTPUT_BOOK ? sizeof(struct qnt__book) : 0;
    bytes[12] = h->arithmetic == QNT__PLANES ? 4 * s->columns * (size_t)h->weight_bits : 0;
    bytes[13] = bytes[14] = 0;
    if (h->arrays & QNT__HAS_POINTS) {
        const size_t starts = qnt__layer_blocks(s) + 1;
        if (s->panels > SIZE_MAX / (8 * QNT__PANEL) || !qnt__mul(starts, 4 * (size_t)h->groups, &bytes[13]))
            return false;
        bytes[12] = 4 * QNT__PANEL * s->panels;
        bytes[14] = QNT__PANEL * s->panels;
    }
    return !(h->arrays & QNT__HAS_OWN_LEVELS) || qnt__mul(levels, scales, &bytes[7]);
}

qnt_status qnt__layer_measure(const qnt_context *context, qnt_status status,
                              const struct qnt__layer_head *head, struct qnt__layer_shape *shape,
                              size_t *bytes)
{
    QNT__TRY(check_geometry(context, status, head));
    QNT__TRY(check_codes(context, status, "input_q", &head->input, QNT__IN_DYNAMIC));
    QNT__TRY(check_codes(context, status, "output_q", &head->output, QNT__IN_STATIC));
    QNT__TRY(check_arithmetic(context, status, head));

    size_t sections[SECTIONS];
    bool fits = derive(head, shape) && section_bytes(head, shape, sections);
    *bytes = 0;
    for (int i = 0; fits && i < SECTIONS; i++) {
        fits =
            sections[i] <= SIZE_MAX / 2 && qnt__add(*bytes, qnt__round_up(sections[i], 64), bytes);
    }
    if (fits) return QNT_OK;
    return qnt__fail(context, shape_status(status),
                     "%lld outputs of %lld x %lld x %lld inputs overflow", (long long)head->outputs,
                     (long long)head->kernel[0], (long long)head->kernel[1],
                     (long long)head->channels);
}

void qnt__layer_attach(qnt_layer *layer, const uint8_t *data, size_t bytes)
{
    size_t sections[SECTIONS];
    const void *at[SECTIONS];
    section_bytes(&layer->head, &layer->shape, sections); /* has succeeded in measure */
    layer->data = data;
    layer->bytes = bytes;
    for (int i = 0; i < SECTIONS; i++) {
        at[i] = sections[i] ? data : NULL;
        data += qnt__round_up(sections[i], 64);
    }
    bool blocks = layer->head.arithmetic == QNT__BLOCKS;
    bool words = layer->head.arithmetic == QNT__WORDS, decode = layer->head.arithmetic == QNT__DECODE;
    layer->weight = at[0];
    layer->scale = at[1];
    layer->zero = at[2];
    layer->zero8 = at[3];
    layer->offset = at[4];
    layer->sum = blocks ? NULL : at[5];
    layer->fsum = blocks ? at[5] : NULL;
    layer->bias = at[6];
    layer->levels = at[7];
    layer->input_levels = words || decode ? NULL : at[8];
    layer->input_words = words ? at[8] : NULL;
    layer->input_values = decode ? at[8] : NULL;
    layer->input_thresholds = decode ? NULL : at[9];
    layer->input_book = decode ? at[9] : NULL;
    layer->tables = words ? NULL : at[10];
    layer->table_words = words ? at[10] : NULL;
    layer->output_book = at[11];
    layer->coef = at[12];
    layer->start = at[13];
    layer->output = at[14];
}
