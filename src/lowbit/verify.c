/* What running relies on and making a layer of packed digits guarantees, checked for a layer that
 * came from a blob. */
#include "base/numeric.h"
#include "layer.h"

enum {
    FLAGS = QNT_RELU_FIRST | QNT_RELU_LAST | QNT_TRANSPOSE,
    RESULTS = QNT__LOWBIT_FLOATS | QNT__LOWBIT_DIGITS,
    COLUMNS = QNT__LOWBIT_COLUMNS,
    DIGITS = 63 /* the bits of three digits, or of six */
};

static bool is_finite(float x)
{
    return (qnt__bits_of_f32(x) & 0x7fffffffu) < 0x7f800000u;
}

static bool geometry_holds(const struct qnt__lowbit_head *h)
{
    if (h->groups < 1 || h->group_shift < 0 || h->group_shift >= h->groups) return false;
    if (h->outputs < 1 || h->channels < 1) return false;
    if (h->outputs % h->groups || h->channels % h->groups) return false;
    if (h->channels / h->groups > INT32_MAX / h->groups) return false;
    if (h->sixes && !qnt__lowbit_may_join((size_t)(h->channels / h->groups))) return false;
    for (int i = 0; i < 2; i++)
        if (h->stride[i] < 1 || h->dilation[i] < 1 || h->kernel[i] < 1) return false;
    return true;
}

static bool result_holds(const struct qnt__lowbit_head *h)
{
    for (int i = 0; i < 4; i++)
        if (h->pad[i] < 0 || h->pad[i] > 1 << 20) return false;
    if (h->out_groups < 1 || h->outputs % h->out_groups) return false;
    if (h->results < 1 || h->results > RESULTS || h->flags & ~FLAGS) return false;
    return h->results & QNT__LOWBIT_FLOATS || !h->flags;
}

/* Limits of floats do not fall; NaN, never reached, is last; only floats become digits by them. */
static bool limits_hold(const struct qnt__lowbit_head *h)
{
    for (int k = 0; k < 3; k++) {
        const float x = h->limit[k];
        if (x != x) continue;
        if (h->results != RESULTS || (k > 0 && !(x >= h->limit[k - 1]))) return false;
    }
    return true;
}

qnt_status qnt__lowbit_head_verify(const qnt_context *context, const struct qnt__lowbit_head *h)
{
    const char *damage = NULL;
    if (!geometry_holds(h))
        damage = "the geometry";
    else if (!result_holds(h))
        damage = "the result";
    else if (!limits_hold(h))
        damage = "a limit";
    if (!damage) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT, "data: %s cannot come from a layer of packed digits",
                     damage);
}

static bool taps_hold(const struct qnt__lowbit_conv *c)
{
    const size_t n = c->g.groups * c->blocks * c->depth * c->tap_count * COLUMNS;
    unsigned all = 0;
    for (size_t i = 0; i < n; i++) all |= c->taps[i];
    return (all & ~(unsigned)DIGITS) == 0;
}

/* One block of thresholds in 16 bits: they do not fall from digit to digit, and a flip is 0 or -1. */
static bool narrow_holds(const int16_t *block, int32_t half)
{
    for (int32_t r = 0; r <= half; r++, block += 3 * COLUMNS)
        for (int i = 0; i < 2 * COLUMNS; i++)
            if (block[i + COLUMNS] < block[i]) return false;
    for (int i = 0; i < COLUMNS; i++)
        if (block[i] != 0 && block[i] != -1) return false;
    return true;
}

static bool wide_holds(const int32_t *block)
{
    for (int i = 0; i < 2 * COLUMNS; i++)
        if (block[i + COLUMNS] < block[i]) return false;
    for (int i = 3 * COLUMNS; i < 4 * COLUMNS; i++)
        if (block[i] != 0 && block[i] != -1) return false;
    return true;
}

static bool thresholds_hold(const struct qnt__lowbit_conv *c)
{
    const int32_t half = c->limits.half;
    const uint8_t *block = c->limits.data;
    for (size_t b = 0; block && b < c->g.groups * c->blocks; b++) {
        const void *at = block + b * qnt__lowbit_block_bytes(half);
        if (half < 0 ? !wide_holds(at) : !narrow_holds(at, half)) return false;
    }
    return true;
}

static bool factors_hold(const qnt_lowbit_layer *l)
{
    for (size_t o = 0; l->affine.scale && o < l->conv.g.outputs; o++)
        if (!is_finite(l->affine.scale[o]) || !is_finite(l->affine.shift[o])) return false;
    return true;
}

qnt_status qnt__lowbit_layer_verify(const qnt_context *context, const qnt_lowbit_layer *layer)
{
    const char *damage = NULL;
    if (!taps_hold(&layer->conv))
        damage = "a tap";
    else if (!thresholds_hold(&layer->conv))
        damage = "a threshold";
    else if (!factors_hold(layer))
        damage = "a scale or shift";
    if (!damage) return QNT_OK;
    return qnt__fail(context, QNT_E_FORMAT, "data: %s cannot come from a layer of packed digits",
                     damage);
}
