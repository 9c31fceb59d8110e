/* Anchors: rounding them, the inverse square root of their kernel matrix, and the forms that
 * products take. */
#include <math.h>
#include <string.h>

#include "base/carve.h"
#include "base/numeric.h"
#include "base/try.h"
#include "ckn.h"
#include "kernel/panels.h"
#include "simd/layout.h"

enum { FLOATS = 32 /* bits of what is not rounded */ };

int32_t qnt__ckn_round(const float *v, size_t n, int32_t bits, int8_t *code)
{
    float most = 0.0f;
    int32_t square = 0;
    for (size_t i = 0; i < n; i++) most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
    float top = bits == 1 ? 1.0f : (float)((1 << (bits - 1)) - 1);
    for (size_t i = 0; i < n; i++) {
        float share = most > 0.0f ? v[i] / most : 0.0f; /* within -1 and 1 */
        int32_t c = bits == 1 ? (v[i] >= 0.0f ? 1 : -1) : qnt__round_even(share * top);
        code[i] = (int8_t)c;
        square += c * c;
    }
    return square;
}

/* The block with everything at its place, all 0. */
static qnt_status open_block(const qnt_context *context, qnt_ckn *next)
{
    const size_t filters = (size_t)next->spec.filters, columns = next->panels * QNT__PANEL;
    const bool codes = next->spec.anchor_bits != FLOATS;
    size_t end = 0, at[6] = {0},
           cells = codes ? next->panels * qnt__panel_bytes(1, next->depth, next->code_bits) : 0;
    bool fits = qnt__append(&end, filters * next->depth, sizeof(float), &at[0]) &&
                qnt__append(&end, columns * next->depth, sizeof(float), &at[1]) &&
                qnt__append(&end, columns * filters, sizeof(float), &at[2]) &&
                qnt__append(&end, columns, sizeof(int32_t), &at[3]) &&
                qnt__append(&end, columns, sizeof(float), &at[4]) &&
                qnt__append(&end, cells, 1, &at[5]);
    void *block;
    QNT__TRY(qnt__allocate(context, &next->memory, fits ? end : SIZE_MAX, &block));
    memset(block, 0, end);
    next->bytes = end;
    next->anchor = block;
    next->anchor_panel = (float *)((uint8_t *)block + at[1]);
    next->projection = (float *)((uint8_t *)block + at[2]);
    next->code_sum = (int32_t *)((uint8_t *)block + at[3]);
    next->code_inverse = (float *)((uint8_t *)block + at[4]);
    next->code_panel = codes ? (uint8_t *)block + at[5] : NULL;
    return QNT_OK;
}

/* Anchors of norm 1 in their bits; codes[filters][depth]. */
static void round_anchors(qnt_ckn *next, const double *anchor, int8_t *codes)
{
    for (size_t c = 0; c < (size_t)next->spec.filters; c++) {
        const double *from = anchor + c * next->depth;
        float *to = next->anchor + c * next->depth;
        double square = 0.0;
        for (size_t k = 0; k < next->depth; k++) square += from[k] * from[k];
        for (size_t k = 0; k < next->depth; k++) to[k] = (float)(from[k] / sqrt(square));
        if (!next->code_panel) continue;
        int8_t *code = codes + c * next->depth;
        int32_t sum = qnt__ckn_round(to, next->depth, next->spec.anchor_bits, code);
        next->code_inverse[c] = 1.0f / sqrtf((float)sum);
        for (size_t k = 0; k < next->depth; k++) {
            to[k] = (float)code[k] * next->code_inverse[c];
            next->code_sum[c] += code[k];
        }
    }
}

static void pack_anchors(qnt_ckn *next, const int8_t *codes)
{
    const size_t filters = (size_t)next->spec.filters, depth = next->depth;
    for (size_t c = 0; c < filters; c++) {
        float *panel = next->anchor_panel + c / QNT__PANEL * depth * QNT__PANEL + c % QNT__PANEL;
        for (size_t k = 0; k < depth; k++) panel[k * QNT__PANEL] = next->anchor[c * depth + k];
    }
    for (size_t p = 0; next->code_panel && p < next->panels; p++) {
        size_t first = p * QNT__PANEL, columns = qnt__min(QNT__PANEL, filters - first);
        qnt__pack_panel(codes + first * depth, columns, depth, 1, depth, next->code_bits,
                        next->code_panel + p * qnt__panel_bytes(1, depth, next->code_bits));
    }
}

/* A for the anchors as they are kept, in double. */
static void project(qnt_ckn *next, double *k)
{
    const size_t n = (size_t)next->spec.filters;
    const double alpha = 1.0 / ((double)next->spec.sigma * (double)next->spec.sigma);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (size_t e = 0; e < next->depth; e++) {
                sum += (double)next->anchor[i * next->depth + e] *
                       (double)next->anchor[j * next->depth + e];
            }
            k[i * n + j] = exp(alpha * (fmin(fmax(sum, -1.0), 1.0) - 1.0));
        }
    }
    qnt__inverse_root(k, n, (double)next->spec.regulariser, k + n * n);
    for (size_t j = 0; j < n; j++) { /* column j of A: outputs are columns of the product */
        float *panel = next->projection + j / QNT__PANEL * n * QNT__PANEL + j % QNT__PANEL;
        for (size_t i = 0; i < n; i++) panel[i * QNT__PANEL] = (float)k[i * n + j];
    }
}

qnt_status qnt__ckn_take(const qnt_context *context, const double *anchor, qnt_ckn *next)
{
    const size_t n = (size_t)next->spec.filters;
    size_t code_bytes = n * next->depth, matrix_bytes = 3 * n * n * sizeof(double);
    void *codes, *matrix;
    QNT__TRY(qnt__allocate(context, &context->memory, code_bytes, &codes));
    qnt_status status = qnt__allocate(context, &context->memory, matrix_bytes, &matrix);
    if (status == QNT_OK) {
        status = open_block(context, next);
        if (status == QNT_OK) {
            round_anchors(next, anchor, codes);
            pack_anchors(next, codes);
            project(next, matrix);
        }
        qnt__free(&context->memory, matrix, matrix_bytes);
    }
    qnt__free(&context->memory, codes, code_bytes);
    return status;
}

void qnt__ckn_replace(qnt_ckn *ckn, const qnt_ckn *next)
{
    qnt__free(&ckn->memory, ckn->anchor, ckn->bytes);
    *ckn = *next;
}
