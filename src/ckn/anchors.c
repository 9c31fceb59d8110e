/* Anchors: rounding them, the inverse square root of their kernel matrix, and the forms that
 * products take. */
#include <math.h>
#include <string.h>

#include "base/carve.h"
#include "base/exponential.h"
#include "base/numeric.h"
#include "base/try.h"
#include "ckn.h"
#include "kernel/panels.h"
#include "simd/layout.h"

int32_t qnt__ckn_round(const float *v, size_t n, int32_t bits, int8_t *code)
{
    if (bits == 1) {
        for (size_t i = 0; i < n; i++) code[i] = v[i] >= 0.0f ? 1 : -1;
        return (int32_t)n;
    }
    return qnt__round_f32_c(v, n, (float)((1 << (bits - 1)) - 1), 0, (uint8_t *)code);
}

/* ---- what a layer keeps ---- */

size_t qnt__ckn_numbers(const qnt_ckn *ckn)
{
    return ckn->depth + (ckn->spec.flags & QNT_LITERAL ? 1 : 0);
}

size_t qnt__ckn_code_bytes(const qnt_ckn *ckn)
{
    return ckn->panels * qnt__panel_bytes(1, ckn->depth, ckn->code_bits);
}

qnt_status qnt__ckn_open_block(const qnt_context *context, qnt_ckn *next)
{
    const size_t filters = (size_t)next->spec.filters, columns = next->panels * QNT__PANEL;
    const bool codes = next->spec.anchor_bits != QNT__CKN_FLOATS,
               floats = next->spec.patch_bits == QNT__CKN_FLOATS;
    const bool literal = next->spec.flags & QNT_LITERAL;
    const bool signs = next->spec.anchor_bits == 1 && next->spec.patch_bits == 1;
    size_t end = 0, at[9] = {0}, weights = literal ? columns : 0;
    bool fits = qnt__append(&end, literal ? 0 : columns * filters, sizeof(float), &at[0]) &&
                qnt__append(&end, weights, sizeof(float), &at[5]) &&
                qnt__append(&end, weights, sizeof(float), &at[6]) &&
                qnt__append(&end, weights, sizeof(float), &at[7]) &&
                qnt__append(&end, floats ? columns * next->depth : 0, sizeof(float), &at[1]) &&
                qnt__append(&end, codes ? columns : 0, sizeof(int32_t), &at[2]) &&
                qnt__append(&end, codes ? columns : 0, sizeof(float), &at[3]) &&
                qnt__append(&end, codes ? qnt__ckn_code_bytes(next) : 0, 1, &at[4]) &&
                qnt__append(&end, signs ? columns * next->words : 0, sizeof(uint64_t), &at[8]);
    void *block;
    QNT__TRY(qnt__allocate(context, &next->memory, fits ? end : SIZE_MAX, &block));
    uint8_t *bytes = memset(block, 0, end);
    next->block = block;
    next->bytes = end;
    next->projection = literal ? NULL : (float *)(bytes + at[0]);
    next->eta = literal ? (float *)(bytes + at[5]) : NULL;
    next->factor = literal ? (float *)(bytes + at[6]) : NULL;
    next->shift = literal ? (float *)(bytes + at[7]) : NULL;
    next->anchor_panel = floats ? (float *)(bytes + at[1]) : NULL;
    next->code_sum = codes ? (int32_t *)(bytes + at[2]) : NULL;
    next->code_inverse = codes ? (float *)(bytes + at[3]) : NULL;
    next->code_panel = codes ? bytes + at[4] : NULL;
    next->bit_panel = signs ? (uint64_t *)(bytes + at[8]) : NULL;
    return QNT_OK;
}

void qnt__ckn_replace(qnt_ckn *ckn, const qnt_ckn *next)
{
    qnt__free(&ckn->memory, ckn->block, ckn->bytes);
    *ckn = *next;
}

int qnt__ckn_code(const qnt_ckn *ckn, size_t anchor, size_t k)
{
    const size_t deep = qnt__cell_depth(ckn->code_bits);
    const uint8_t *panel =
        ckn->code_panel + anchor / QNT__PANEL * qnt__panel_bytes(1, ckn->depth, ckn->code_bits);
    return qnt__cell_code(panel + k / deep * qnt__cell_bytes(ckn->code_bits), ckn->code_bits,
                          anchor % QNT__PANEL, k % deep);
}

static float *panel_place(const qnt_ckn *ckn, size_t anchor, size_t k)
{
    size_t panel = anchor / QNT__PANEL;
    return ckn->anchor_panel + (panel * ckn->depth + k) * QNT__PANEL + anchor % QNT__PANEL;
}

float qnt__ckn_anchor(const qnt_ckn *ckn, size_t anchor, size_t k)
{
    if (ckn->anchor_panel) return *panel_place(ckn, anchor, k);
    return (float)qnt__ckn_code(ckn, anchor, k) * ckn->code_inverse[anchor];
}

static void derive_weights(qnt_ckn *ckn)
{
    for (size_t c = 0; c < (size_t)ckn->spec.filters; c++) {
        double square = 0.0;
        for (size_t k = 0; k < ckn->depth; k++) {
            double w = (double)*panel_place(ckn, c, k);
            square += w * w;
        }
        ckn->factor[c] = sqrtf(ckn->eta[c]);
        ckn->shift[c] = (float)((1.0 + square) / 2.0);
    }
}

/* Bits where codes are negative, stored as simd/slots_bits.h has them. */
static void derive_bits(qnt_ckn *ckn, size_t anchor)
{
    uint64_t parity = 0;
    for (size_t w = 0; w < ckn->words; w++) {
        const size_t first = 64 * w, panel = anchor / QNT__PANEL;
        uint64_t own = 0;
        for (size_t k = first; k < qnt__min(first + 64, ckn->depth); k++)
            own |= (uint64_t)(qnt__ckn_code(ckn, anchor, k) < 0) << k % 64;
        parity ^= own;
        ckn->bit_panel[(panel * ckn->words + w) * QNT__PANEL + anchor % QNT__PANEL] =
            w % 2 ? parity : own;
    }
}

bool qnt__ckn_derive(qnt_ckn *ckn)
{
    if (ckn->eta) derive_weights(ckn);
    if (!ckn->code_panel) return true;
    for (size_t c = 0; c < (size_t)ckn->spec.filters; c++) {
        int32_t square = 0;
        for (size_t k = 0; k < ckn->depth; k++) {
            int32_t code = qnt__ckn_code(ckn, c, k);
            ckn->code_sum[c] += code;
            square += code * code;
        }
        if (square == 0) return false;
        if (ckn->bit_panel) derive_bits(ckn, c);
        float inverse = ckn->code_inverse[c] = 1.0f / sqrtf((float)square);
        for (size_t k = 0; ckn->anchor_panel && k < ckn->depth; k++)
            *panel_place(ckn, c, k) = (float)qnt__ckn_code(ckn, c, k) * inverse;
    }
    return true;
}

/* ---- taking anchors ---- */

/* Anchors of norm 1, [filters][depth]; of low bits into codes[filters][depth] too. */
static void normalise(const qnt_ckn *next, const double *anchor, float *unit, int8_t *codes)
{
    for (size_t c = 0; c < (size_t)next->spec.filters; c++) {
        const size_t first = c * next->depth;
        double square = 0.0;
        for (size_t k = 0; k < next->depth; k++) square += anchor[first + k] * anchor[first + k];
        for (size_t k = 0; k < next->depth; k++)
            unit[first + k] = (float)(anchor[first + k] / sqrt(square));
        if (next->code_panel)
            qnt__ckn_round(unit + first, next->depth, next->spec.anchor_bits, codes + first);
    }
}

static void keep(qnt_ckn *next, const float *unit, const int8_t *codes)
{
    const size_t filters = (size_t)next->spec.filters, depth = next->depth;
    for (size_t c = 0; !next->code_panel && c < filters; c++)
        for (size_t k = 0; k < depth; k++) *panel_place(next, c, k) = unit[c * depth + k];
    if (!next->code_panel) return;
    for (size_t p = 0; p < next->panels; p++) {
        size_t first = p * QNT__PANEL, columns = qnt__min(QNT__PANEL, filters - first);
        qnt__pack_panel(codes + first * depth, columns, depth, 1, depth, next->code_bits,
                        next->code_panel + p * qnt__panel_bytes(1, depth, next->code_bits));
    }
    qnt__ckn_derive(next);
}

void qnt__ckn_gram(const qnt_ckn *ckn, const float *unit, double *k)
{
    const size_t n = (size_t)ckn->spec.filters, depth = ckn->depth;
    const double alpha = 1.0 / ((double)ckn->spec.sigma * (double)ckn->spec.sigma);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0.0;
            for (size_t e = 0; e < depth; e++)
                sum += (double)unit[i * depth + e] * (double)unit[j * depth + e];
            sum = sum < -1.0 ? -1.0 : sum > 1.0 ? 1.0 : sum;
            k[i * n + j] = k[j * n + i] = qnt__exp_f64(alpha * (sum - 1.0));
        }
    }
}

/* A for the anchors as they are kept, in double. */
static void project(qnt_ckn *next, float *kept, double *k)
{
    const size_t n = (size_t)next->spec.filters, depth = next->depth;
    for (size_t i = 0; i < n; i++)
        for (size_t e = 0; e < depth; e++) kept[i * depth + e] = qnt__ckn_anchor(next, i, e);
    qnt__ckn_gram(next, kept, k);
    qnt__inverse_root(k, n, (double)next->spec.regulariser, k + n * n);
    for (size_t j = 0; j < n; j++) { /* column j of A: outputs are columns of the product */
        float *panel = next->projection + j / QNT__PANEL * n * QNT__PANEL + j % QNT__PANEL;
        for (size_t i = 0; i < n; i++) panel[i * QNT__PANEL] = (float)k[i * n + j];
    }
}

/* The map of 2014: anchors as they are, with their weights. */
static void keep_weighted(qnt_ckn *next, const double *anchor)
{
    for (size_t c = 0; c < (size_t)next->spec.filters; c++, anchor += next->depth + 1) {
        for (size_t k = 0; k < next->depth; k++) *panel_place(next, c, k) = (float)anchor[k];
        next->eta[c] = (float)anchor[next->depth];
    }
    qnt__ckn_derive(next);
}

qnt_status qnt__ckn_take(const qnt_context *context, const double *anchor, qnt_ckn *next)
{
    const size_t n = (size_t)next->spec.filters;
    size_t end = 0, at[3] = {0};
    bool fits = qnt__append(&end, 3 * n * n, sizeof(double), &at[0]) &&
                qnt__append(&end, n * next->depth, sizeof(float), &at[1]) &&
                qnt__append(&end, n * next->depth, 1, &at[2]);
    void *space;
    if (next->spec.flags & QNT_LITERAL) {
        QNT__TRY(qnt__ckn_open_block(context, next));
        keep_weighted(next, anchor);
        return QNT_OK;
    }
    QNT__TRY(qnt__allocate(context, &context->memory, fits ? end : SIZE_MAX, &space));
    uint8_t *bytes = space;
    float *unit = (float *)(bytes + at[1]);
    qnt_status status = qnt__ckn_open_block(context, next);
    if (status == QNT_OK) {
        normalise(next, anchor, unit, (int8_t *)bytes + at[2]);
        keep(next, unit, (int8_t *)bytes + at[2]);
        project(next, unit, (double *)(bytes + at[0]));
    }
    qnt__free(&context->memory, space, end);
    return status;
}
