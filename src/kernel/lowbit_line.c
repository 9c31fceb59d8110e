/* What becomes of sums and codes of a line of the result of a convolution of packed digits. */
#include "lowbit_line.h"

#include <string.h>

enum { COLUMNS = QNT__LOWBIT_COLUMNS };

/* To the line, transposed if that is asked for. */
void qnt__lowbit_keep_sums(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                           const int32_t *acc, size_t ld, size_t column, size_t m, size_t output,
                           size_t n)
{
    int32_t *to = l->sum + column * l->outputs;
    for (size_t i = 0; i < m; i++, acc += ld, to += l->outputs) {
        if (!c->affine->transpose) {
            memcpy(to + output - l->first, acc, n * sizeof *to);
            continue;
        }
        const size_t group = output / c->group_outputs, at = output % c->group_outputs;
        for (size_t j = 0; j < n; j++) to[(at + j) * c->g.groups + group] = acc[j];
    }
}

/* Where codes of the line are as they leave a slot: outputs of one group of the result. */
uint8_t *qnt__lowbit_find_codes(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                                size_t column, size_t output, size_t n)
{
    const size_t channels = c->g.outputs / c->packed.groups, first = output - l->first;
    if (first % channels + n > channels) return NULL;
    return l->code + column * l->pixel + first / channels * 3 * c->packed.triples +
           first % channels;
}

/* Codes to the line, run by run of one group of the result. */
void qnt__lowbit_keep_codes(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l,
                            const uint8_t *codes, size_t ld, size_t column, size_t m, size_t output,
                            size_t n)
{
    const size_t channels = c->g.outputs / c->packed.groups, first = output - l->first;
    for (size_t j = 0; j < n;) {
        size_t group = (first + j) / channels, at = (first + j) % channels;
        size_t run = qnt__min(channels - at, n - j);
        uint8_t *to = l->code + column * l->pixel + group * 3 * c->packed.triples + at;
        if (run == COLUMNS) { /* a length that the compiler knows */
            for (size_t i = 0; i < m; i++) memcpy(to + i * l->pixel, codes + i * ld + j, COLUMNS);
        } else if (run == COLUMNS / 2) {
            for (size_t i = 0; i < m; i++)
                memcpy(to + i * l->pixel, codes + i * ld + j, COLUMNS / 2);
        } else {
            for (size_t i = 0; i < m; i++) memcpy(to + i * l->pixel, codes + i * ld + j, run);
        }
        j += run;
    }
}

static uint8_t *float_at(const struct qnt__view *v, const struct qnt__lowbit_line *l, size_t x)
{
    if (!v) return NULL;
    int64_t at = (int64_t)l->image * v->strides[0] + (int64_t)l->row * v->strides[1] +
                 (int64_t)x * v->strides[2] + (int64_t)l->first;
    return v->data + 4 * at;
}

void qnt__lowbit_run_floats(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l)
{
    const struct qnt__lowbit_affine *a = c->affine;
    const size_t channels = c->packed.data ? c->g.outputs / c->packed.groups : l->outputs;
    struct qnt__lowbit_floats f = {.first = a->first, .last = a->last};
    memcpy(f.limit, a->limit, sizeof f.limit);
    for (size_t x = 0; x < c->g.out_width; x++) {
        const uint8_t *identity = float_at(c->identity, l, x);
        uint8_t *y = float_at(c->y, l, x);
        for (size_t o = 0; o < l->outputs; o += f.n) {
            f.n = qnt__min(channels, l->outputs - o);
            f.sum = l->sum + x * l->outputs + o;
            f.scale = a->scale + l->first + o;
            f.shift = a->shift + l->first + o;
            f.identity = identity ? identity + 4 * o : NULL;
            f.y = y ? y + 4 * o : NULL;
            if (c->packed.data)
                f.codes = l->code + x * l->pixel + o / channels * 3 * c->packed.triples;
            c->context->simd.floats_lowbit(&f);
        }
    }
}

/* The line's codes to their place in the packed result. */
void qnt__lowbit_pack_line(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_line *l)
{
    const struct qnt__lowbit_packed *p = &c->packed;
    const size_t groups = p->groups / c->parts, bytes = p->groups * p->triples;
    const size_t group = l->first / (c->g.outputs / p->groups);
    uint8_t *to = p->data +
                  ((l->image * p->height + p->top + l->row) * p->width + p->left) * bytes +
                  group * p->triples;
    for (size_t g = 0; g < groups; g++) {
        c->context->simd.pack_lowbit(l->code + g * 3 * p->triples, l->pixel, c->g.out_width,
                                     p->triples, to + g * p->triples, bytes);
    }
}

void qnt__lowbit_clear_border(const struct qnt__lowbit_conv *c)
{
    const struct qnt__lowbit_packed *p = &c->packed;
    const size_t pixel = p->groups * p->triples, inside = c->g.out_width * pixel;
    const size_t line = p->width * pixel, left = p->left * pixel;
    uint8_t *to = p->data;
    for (size_t i = 0; i < c->g.batch * p->height; i++, to += line) {
        const size_t row = i % p->height;
        if (row < p->top || row - p->top >= c->g.out_height) {
            memset(to, 0, line);
            continue;
        }
        memset(to, 0, left);
        memset(to + left + inside, 0, line - left - inside);
    }
}
