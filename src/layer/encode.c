/* Turns the weights into two's complement codes, output by output in the order of the kernels. */
#include "base/arith.h"
#include "base/try.h"
#include "prepare.h"
#include "quantizer/codebook.h"

enum { CHUNK = 512 };

/* Unsigned codes move down by half their range, zero points with them. */
static int32_t shift_of(const qnt_spec *spec)
{
    return spec->flags & QNT_SIGNED ? 0 : 1 << (spec->bits - 1);
}

size_t qnt__recipe_group(const struct qnt__recipe *r, size_t n, size_t k)
{
    switch (r->weight_q->spec.grain) {
    case QNT_PER_AXIS: return n;
    case QNT_PER_BLOCK: return n * r->blocks + k / r->block;
    default: return 0;
    }
}

int32_t qnt__recipe_zero(const struct qnt__recipe *r, size_t group)
{
    if (r->integers || r->levels) return 0;
    return r->weight_q->zero[group] - shift_of(&r->weight_q->spec);
}

/* Codes of a codebook, which are unsigned, as its integers or as they are. */
static qnt_status take_levels(const struct qnt__recipe *r, size_t group, const uint8_t *bytes, size_t n,
                              int8_t *out)
{
    const int32_t size = 1 << qnt__code_bits(r->weight_q);
    int8_t level[256];
    int32_t divisor = qnt__recipe_divisor(r, group);
    if (r->integers) qnt__codebook_bytes(r->weight_q, group, level);
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] >= size) {
            return qnt__fail(r->context, QNT_E_INVALID,
                             "weight: code %d does not fit the %d bits of weight_q", bytes[i],
                             qnt__code_bits(r->weight_q));
        }
        if (r->integers)
            out[i] = (int8_t)(level[bytes[i]] / divisor);
        else
            out[i] = (int8_t)(bytes[i] - size / 2);
    }
    return QNT_OK;
}

/* Codes held one per byte may lie; those that were packed or encoded cannot. */
static qnt_status shift_codes(const struct qnt__recipe *r, const uint8_t *bytes, size_t n,
                              int8_t *out)
{
    const qnt_spec *spec = &r->weight_q->spec;
    bool is_signed = spec->flags & QNT_SIGNED;
    int32_t shift = shift_of(spec), low = -(1 << (spec->bits - 1)), high = -low - 1;
    for (size_t i = 0; i < n; i++) {
        int32_t code = (is_signed ? (int8_t)bytes[i] : bytes[i]) - shift;
        if (code < low || code > high) {
            return qnt__fail(r->context, QNT_E_INVALID,
                             "weight: code %d does not fit the %d bits of weight_q",
                             (int)(code + shift), (int)spec->bits);
        }
        out[i] = (int8_t)code;
    }
    return QNT_OK;
}

/* n inputs of one output, all of one group, that lie in one run along the channels. */
static qnt_status encode_run(const struct qnt__recipe *r, int64_t at, size_t n, size_t group,
                             int8_t *out)
{
    const struct qnt__simd *simd = &r->context->simd;
    const struct qnt__scheme *scheme = r->weight_q->scheme;
    bool codebook = r->integers || r->levels;
    int64_t step = r->weight.strides[3];
    bool floats = r->weight.code != QNT_INT && r->weight.code != QNT_UINT;
    float values[CHUNK];
    uint8_t bytes[CHUNK];

    for (size_t i = 0; i < n; i += CHUNK, at += CHUNK * step) {
        size_t length = qnt__min(n - i, CHUNK);
        if (floats) {
            qnt__read_f32(simd, &r->weight, at, step, length, values);
            const struct qnt__segment segment = {.group = group, .n = length, .run = length};
            scheme->encode(simd, r->weight_q, &segment, values, bytes);
        } else {
            qnt__read_codes(simd, &r->weight, at, step, length, bytes);
        }
        if (codebook) QNT__TRY(take_levels(r, group, bytes, length, out + i));
        else QNT__TRY(shift_codes(r, bytes, length, out + i));
    }
    return QNT_OK;
}

static qnt_status encode_output(const struct qnt__recipe *r, size_t n, int8_t *out)
{
    const struct qnt__view *w = &r->weight;
    size_t width = (size_t)w->shape[2], area = (size_t)w->shape[1] * width;
    size_t channels = (size_t)w->shape[3];
    for (size_t e = 0; e < area; e++, out += channels) {
        int64_t at = (int64_t)n * w->strides[0] + (int64_t)(e / width) * w->strides[1] +
                     (int64_t)(e % width) * w->strides[2];
        for (size_t c = 0; c < channels; c += r->block) { /* blocks: dense, area is 1 */
            size_t length = qnt__min(channels - c, r->block);
            QNT__TRY(encode_run(r, at + (int64_t)c * w->strides[3], length,
                                qnt__recipe_group(r, n, c), out + c));
        }
    }
    return QNT_OK;
}

qnt_status qnt__recipe_encode(struct qnt__recipe *r)
{
    if (r->weight.count == 0) return QNT_OK;
    for (size_t n = 0; n < (size_t)r->head.outputs; n++) {
        QNT__TRY(encode_output(r, n, r->codes + n * r->inputs));
    }
    return QNT_OK;
}
