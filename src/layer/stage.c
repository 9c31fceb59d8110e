/* Brings the input into the form that the kernels read: rows of bytes or floats, padded. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "quantizer/quantizer.h"
#include "quantizer/range.h"
#include "stage.h"

int32_t qnt__run_zero(const struct qnt__run *run, int32_t zero)
{
    const struct qnt__layer_head *h = &run->layer->head;
    bool is_signed = h->input.flags & QNT_SIGNED;
    if (h->arithmetic == QNT__DECODE) return zero;
    if (run->words.bytes && run->layer->input_words) return run->words.zero;
    if (qnt__layer_takes_signs(h)) return 1; /* of 2 code - 1 */
    if (h->arithmetic == QNT__BLOCKS) return is_signed ? zero : zero - 128;
    if (h->arithmetic == QNT__PLANES) return is_signed ? zero + (1 << (h->input.bits - 1)) : zero;
    return is_signed ? zero + 128 : zero;
}

static qnt_spec spec_of(const struct qnt__layer_codes *c)
{
    return (qnt_spec){.bits = c->bits, .flags = c->flags};
}

/* The static format as the encode slot takes it, giving bytes as the kernels want them. */
static struct qnt__affine static_input(const struct qnt__run *run)
{
    const struct qnt__layer_codes *c = &run->layer->head.input;
    qnt_spec spec = spec_of(c);
    return (struct qnt__affine){.scale = c->scale,
                                .offset = c->offset,
                                .low = (float)(qnt__code_low(&spec) - c->zero),
                                .high = (float)(qnt__code_high(&spec) - c->zero),
                                .zero = qnt__run_zero(run, c->zero)};
}

bool qnt__stage_again(const struct qnt__run *run, struct qnt__measured *m)
{
    if (!(run->layer->head.arrays & QNT__HAS_INPUT_LEVELS) || m->sums) return false;
    m->largest = qnt__magnitude_largest(m->range);
    return m->sums = true;
}

struct qnt__affine qnt__stage_dynamic(const struct qnt__run *run, const struct qnt__measured *m,
                                      size_t n)
{
    qnt_spec spec = spec_of(&run->layer->head.input);
    struct qnt__affine q = {0};
    if (m->sums)
        q.scale = qnt__magnitude_mean(m->largest, m->sum, n);
    else
        q = qnt__affine_of_range(&spec, m->range);
    q.zero = qnt__run_zero(run, q.zero);
    return q;
}

const float *qnt__stage_floats_at(const struct qnt__view *x, int64_t at, int64_t step)
{
    const uint8_t *p = x->data + at * 4;
    if (x->bits != 32 || step != 1 || (uintptr_t)p % sizeof(float) != 0) return NULL;
    return (const void *)p;
}

void qnt__stage_measure(const struct qnt__run *run, uint8_t *scratch, int64_t at, int64_t step,
                        size_t n, struct qnt__measured *m)
{
    const struct qnt__simd *simd = &run->context->simd;
    float *chunk = (void *)(scratch + run->scratch.floats), part[2];
    if (n == 0) return;
    const float *all = qnt__stage_floats_at(&run->x, at, step);
    size_t most = all ? n : QNT__CHUNK;
    for (size_t i = 0; i < n; i += most) {
        size_t length = qnt__min(n - i, most);
        if (!all) qnt__read_f32(simd, &run->x, at + (int64_t)i * step, step, length, chunk);
        if (m->sums) {
            m->sum += qnt__magnitude_sum(m->largest, all ? all : chunk, length);
            continue;
        }
        simd->minmax(all ? all : chunk, length, part);
        m->range[0] = part[0] < m->range[0] ? part[0] : m->range[0];
        m->range[1] = part[1] > m->range[1] ? part[1] : m->range[1];
    }
}

/* Eight bytes at a time. */
static void flip(uint8_t *bytes, size_t n, uint8_t bit)
{
    uint64_t eight;
    for (; n >= sizeof eight; n -= sizeof eight, bytes += sizeof eight) {
        memcpy(&eight, bytes, sizeof eight);
        eight ^= bit * UINT64_C(0x0101010101010101);
        memcpy(bytes, &eight, sizeof eight);
    }
    for (size_t i = 0; i < n; i++) bytes[i] ^= bit;
}

void qnt__stage_bytes(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q, int64_t at,
                      int64_t step, size_t n, uint8_t *out)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__view *x = &run->x;
    if (x->code == QNT_INT || x->code == QNT_UINT) {
        bool wants_signed = run->layer->head.arithmetic == QNT__BLOCKS;
        qnt__read_codes(simd, x, at, step, n, out);
        if ((x->code == QNT_INT) == wants_signed) return;
        const struct qnt__layer_head *h = &run->layer->head; /* planes use the low bits */
        uint8_t top = (uint8_t)(h->arithmetic == QNT__PLANES ? 1u << (h->input.bits - 1) : 0x80u);
        flip(out, n, top);
        return;
    }
    const float *all = qnt__stage_floats_at(x, at, step);
    if (all) {
        simd->encode_8(q, all, n, out);
        return;
    }
    float *chunk = (void *)(scratch + run->scratch.floats);
    for (size_t i = 0; i < n; i += QNT__CHUNK) {
        size_t length = qnt__min(n - i, QNT__CHUNK);
        qnt__read_f32(simd, x, at + (int64_t)i * step, step, length, chunk);
        simd->encode_8(q, chunk, length, out + i);
    }
}

void qnt__stage_elements(const struct qnt__run *run, uint8_t *scratch, const struct qnt__affine *q,
                         int64_t at, int64_t step, size_t n, uint8_t *out)
{
    if (n == 0) return;
    const struct qnt__layer_head *h = &run->layer->head;
    if (h->input.kind == QNT__IN_FLOAT)
        qnt__read_f32(&run->context->simd, &run->x, at, step, n, (void *)out);
    else if (h->arithmetic == QNT__DECODE)
        qnt__stage_decoded(run, scratch, q, at, step, n, (void *)out);
    else if (h->arithmetic == QNT__WORDS && run->element > 1)
        qnt__stage_words(run, scratch, q, at, step, n, (void *)out);
    else if (h->arrays & QNT__HAS_INPUT_LEVELS)
        qnt__stage_levels(run, scratch, at, step, n, out);
    else qnt__stage_bytes(run, scratch, q, at, step, n, out);
}

/* Offsets of the taps, in elements. */
static void place_taps(struct qnt__run *run)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const struct qnt__geometry *g = &run->g;
    size_t per_row = s->tap_count / g->kernel[0];
    for (size_t t = 0; t < s->tap_count; t++) {
        ptrdiff_t down = (ptrdiff_t)(t / per_row * g->dilation[0]) * run->row_step;
        ptrdiff_t right = (ptrdiff_t)(t % per_row * g->dilation[1]) * run->pixel_step;
        run->taps[t] = (down + right) / (ptrdiff_t)run->element;
    }
}

qnt_status qnt__run_stage(struct qnt__run *run)
{
    const struct qnt__layer_head *h = &run->layer->head;
    const struct qnt__view *x = &run->x;
    if (h->input.kind == QNT__IN_STATIC) {
        run->input = static_input(run);
        run->input_zero = run->input.zero;
    }
    if (h->input.kind == QNT__IN_DYNAMIC) {
        run->dynamic = (void *)(run->space + run->places.affine);
    }
    if (run->layer->input_book) qnt__stage_decoded_open(run);
    else if (h->arrays & QNT__HAS_INPUT_LEVELS) qnt__stage_levels_open(run);
    bool bytes = x->bits == 8 && x->code == (h->arithmetic == QNT__BLOCKS ? QNT_INT : QNT_UINT);
    bool floats = x->bits == 32 && (uintptr_t)x->data % sizeof(float) == 0;
    const int8_t *level = run->layer->input_levels;
    bool are_bits = !(h->arrays & QNT__HAS_INPUT_LEVELS) || (qnt__layer_takes_signs(h) && level[0] < 0);
    bool may_stay = h->input.kind == QNT__IN_FLOAT ? floats : run->element == 1 && bytes && are_bits;
    if (h->kind == QNT_CONV) {
        QNT__TRY(qnt__stage_images(run, may_stay));
    } else {
        QNT__TRY(qnt__stage_matrix(run, may_stay));
    }
    if (h->arithmetic == QNT__WORDS) QNT__TRY(qnt__stage_words_split(run));
    run->taps = (void *)(run->space + run->places.taps);
    place_taps(run);
    return QNT_OK;
}
