/* Input codes that stand for integer levels: looked up, from codes or from the ranks of floats. */
#include <stdlib.h>

#include "base/arith.h"
#include "base/numeric.h"
#include "quantizer/codebook.h"
#include "stage.h"

static int level_of(const qnt_layer *layer, int code)
{
    return layer->input_words ? layer->input_words[code] : layer->input_levels[code];
}

/* Kernels take unsigned bytes, QNT__BLOCKS signed ones, QNT__PLANES bits of signs; words that are staged
 * follow from codes. */
static uint8_t byte_of(const struct qnt__run *run, int code)
{
    int level = level_of(run->layer, code);
    if (run->layer->input_words)
        return (uint8_t)(run->element > 1 ? code : level + run->words.zero);
    if (qnt__layer_takes_signs(&run->layer->head)) return level > 0;
    return (uint8_t)(run->layer->head.arithmetic == QNT__BLOCKS ? level : level + 128);
}

/* Codes of floats are counted by thresholds that the layer keeps; those of repeated levels do not occur.
 */
static void open_thresholds(const struct qnt__run *run, struct qnt__input_levels *l)
{
    const int bits = run->layer->head.input.bits;
    int32_t level[256], last = 0;
    for (int32_t i = 0; i < 1 << bits; i++) level[i] = level_of(run->layer, i);
    while (last < (1 << bits) - 1 && level[last + 1] > level[last]) last++;
    l->thresholds = (struct qnt__thresholds){.steps = bits};
    for (int32_t i = 0; i < 1 << bits; i++) {
        l->by_rank[i] = l->by_code[i];
        if (i <= last && abs(level[i]) < abs(level[l->thresholds.nan])) l->thresholds.nan = i;
        l->thresholds.value[i] =
            i < last ? run->layer->input_thresholds[i] : qnt__f32_of_bits(0x7f800000u);
    }
}

/* Codes in ascending order of their levels, one for each; returns how many. */
static int32_t order_codes(const qnt_layer *layer, uint8_t code[256])
{
    int32_t count = 0, kept = 0;
    for (int i = 0; i < 1 << layer->head.input.bits; i++) {
        int32_t at = count++;
        for (; at > 0 && level_of(layer, code[at - 1]) > level_of(layer, i); at--) {
            code[at] = code[at - 1];
        }
        code[at] = (uint8_t)i;
    }
    for (int32_t i = 0; i < count; i++) {
        if (kept == 0 || level_of(layer, code[i]) > level_of(layer, code[kept - 1]))
            code[kept++] = code[i];
    }
    return kept;
}

void qnt__stage_levels_open(struct qnt__run *run)
{
    const struct qnt__layer_codes *c = &run->layer->head.input;
    struct qnt__input_levels *l = &run->levels;
    uint8_t code[256];
    float value[256];
    const int32_t count = order_codes(run->layer, code);
    for (int i = 0; i < 1 << c->bits; i++) l->by_code[i] = byte_of(run, i);
    if (run->layer->input_thresholds) {
        open_thresholds(run, l);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        float level = (float)level_of(run->layer, code[i]);
        l->by_rank[i] = byte_of(run, code[i]);
        value[i] = run->dynamic ? level : c->scale * level;
    }
    for (int32_t i = count; i < 256; i++) l->by_rank[i] = 0;
    qnt__thresholds_between(value, count, &l->thresholds);
}

static void from_floats(const struct qnt__run *run, const float *x, size_t n, uint8_t *out)
{
    const struct qnt__input_levels *l = &run->levels;
    run->context->simd.rank_f32(&l->thresholds, x, n, out);
    run->context->simd.look_up_8(l->by_rank, l->thresholds.steps, out, n, out);
}

void qnt__stage_levels(const struct qnt__run *run, uint8_t *scratch, int64_t at, int64_t step,
                       size_t n, uint8_t *out)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__view *x = &run->x;
    const int bits = run->layer->head.input.bits;
    if (x->code == QNT_UINT) {
        qnt__read_codes(simd, x, at, step, n, out);
        for (size_t i = 0; x->bits > bits && i < n; i++) out[i] &= (uint8_t)((1 << bits) - 1);
        simd->look_up_8(run->levels.by_code, bits, out, n, out);
        return;
    }
    const float *all = qnt__stage_floats_at(x, at, step);
    if (all) {
        from_floats(run, all, n, out);
        return;
    }
    float *chunk = (void *)(scratch + run->scratch.floats);
    for (size_t i = 0; i < n; i += QNT__CHUNK) {
        size_t length = qnt__min(n - i, QNT__CHUNK);
        qnt__read_f32(simd, x, at + (int64_t)i * step, step, length, chunk);
        from_floats(run, chunk, length, out + i);
    }
}
