/* qnt_gemm_bits: what a product of bit planes asks for, and whether it can be had. */
#include <string.h>

#include "base/arith.h"
#include "base/try.h"
#include "bits.h"
#include "qnt/kernel.h"
#include "simd/layout.h"

enum { PLANES = QNT__BITS_PLANES, LARGEST_K = 1 << 23 /* 2^23 * 255 < 2^31 */ };

static qnt_status open_planes(struct qnt__bits_product *g, const qnt_tensor *b)
{
    const struct qnt__view *v = &g->b;
    QNT__TRY(qnt__view_open(g->context, "b", b, QNT__CODES, &g->b));
    bool bytes = v->code == QNT_UINT && v->bits == 8 && v->ndim == 4 && qnt__view_is_compact(v);
    if (!bytes || v->shape[1] < 1 || v->shape[1] > PLANES || v->shape[2] != (int64_t)g->words + 1 ||
        v->shape[3] != 8 * QNT__PANEL || (uintptr_t)v->data % sizeof(uint64_t) != 0) {
        return qnt__fail(
            g->context, QNT_E_SHAPE,
            "b: expected planes of qnt_pack_bits, compact bytes [panels, 1 to %d, %zu, %d] "
            "aligned to 8 for K = %zu",
            PLANES, g->words + 1, 8 * QNT__PANEL, g->k);
    }
    g->b_planes = (size_t)v->shape[1];
    return QNT_OK;
}

/* Coefficients are [N, blocks, planes]. */
static qnt_status check_blocks(struct qnt__bits_product *g)
{
    size_t blocks = (size_t)g->b_coef.shape[1];
    if (blocks != 1 && (blocks == 0 || g->k % blocks != 0 || g->k < blocks || g->k / blocks % 64 != 0)) {
        return qnt__fail(
            g->context, QNT_E_SHAPE,
            "b_coef: %zu blocks of K = %zu, expected blocks of the same multiple of 64", blocks,
            g->k);
    }
    g->blocks = blocks;
    return QNT_OK;
}

static qnt_status check_apart(const struct qnt__bits_product *g, const struct qnt__view *input)
{
    if (!qnt__view_overlaps(&g->c, input)) return QNT_OK;
    return qnt__fail(g->context, QNT_E_INVALID, "c overlaps an input, expected disjoint memory");
}

static qnt_status open_coefs(struct qnt__bits_product *g, const qnt_tensor *a_coef,
                             const qnt_tensor *b_coef)
{
    struct qnt__view v;
    g->signs = a_coef;
    g->has_b_coef = b_coef;
    if (a_coef) {
        QNT__TRY(qnt__view_open(g->context, "a_coef", a_coef, QNT__FLOAT32, &v));
        if (v.ndim != 1 || v.count != g->a_planes) {
            return qnt__fail(g->context, QNT_E_SHAPE,
                             "a_coef: %d axes of %zu elements, expected 1 of %zu", v.ndim, v.count,
                             g->a_planes);
        }
        QNT__TRY(check_apart(g, &v));
        qnt__read_f32(&g->context->simd, &v, 0, v.strides[0], v.count, g->a_coef);
    }
    if (!b_coef && g->b_planes == 1) return QNT_OK;
    if (!b_coef) {
        return qnt__fail(g->context, QNT_E_INVALID,
                         "b_coef is NULL, expected coefficients of %zu planes", g->b_planes);
    }
    QNT__TRY(qnt__view_open(g->context, "b_coef", b_coef, QNT__FLOAT32, &g->b_coef));
    const struct qnt__view *coef = &g->b_coef;
    bool fits = (coef->ndim == 2 || coef->ndim == 3) && (size_t)coef->shape[0] == g->n &&
                (size_t)coef->shape[coef->ndim - 1] == g->b_planes;
    if (!fits) {
        return qnt__fail(g->context, QNT_E_SHAPE,
                         "b_coef: %d axes of %zu elements, expected %zu x %zu, or blocks between",
                         coef->ndim, coef->count, g->n, g->b_planes);
    }
    return coef->ndim == 3 ? check_blocks(g) : QNT_OK;
}

static qnt_status open_result(struct qnt__bits_product *g, qnt_tensor *c)
{
    QNT__TRY(qnt__view_open_output(g->context, "c", c, QNT__INT32 | QNT__FLOAT32, &g->c));
    if (g->c.ndim != 2 || (size_t)g->c.shape[0] != g->m) {
        return qnt__fail(g->context, QNT_E_SHAPE,
                         "c: %d axes of %zu elements, expected 2 with %zu rows", g->c.ndim,
                         g->c.count, g->m);
    }
    g->n = (size_t)g->c.shape[1];
    if (qnt__ceil_div(g->n, QNT__PANEL) != (size_t)g->b.shape[0]) {
        return qnt__fail(g->context, QNT_E_SHAPE, "c has %zu columns, but b %lld panels of 16",
                         g->n, (long long)g->b.shape[0]);
    }
    return QNT_OK;
}

static qnt_status check_result(const struct qnt__bits_product *g)
{
    bool whole = !g->signs && !g->has_b_coef;
    if (g->c.code == QNT_INT && !whole) {
        return qnt__fail(g->context, QNT_E_DTYPE,
                         "c: int32, expected float32 where there are coefficients");
    }
    QNT__TRY(check_apart(g, &g->a));
    QNT__TRY(check_apart(g, &g->b));
    return g->has_b_coef ? check_apart(g, &g->b_coef) : QNT_OK;
}

/* A path that the product has. */
static enum qnt__bits_path path_of(const struct qnt__bits_product *g, enum qnt__bits_path asked)
{
    if (asked == QNT__BITS_CHOOSE) asked = qnt__bits_choose(g);
    if (g->blocks > 1) {
        bool count = g->signs || (asked == QNT__BITS_COUNT && g->a_planes == 1);
        return count ? QNT__BITS_COUNT : QNT__BITS_TABLE;
    }
    if (asked == QNT__BITS_STRASSEN && !qnt__bits_has_strassen(g)) asked = QNT__BITS_BYTES;
    bool bytes = asked == QNT__BITS_BYTES && g->b_planes == PLANES; /* merged, they are more */
    if (asked == QNT__BITS_SIX && g->a_planes > QNT__SIX_BITS) asked = QNT__BITS_TABLE;
    return g->signs || bytes ? QNT__BITS_COUNT : asked;
}

qnt_status qnt__gemm_bits(enum qnt__bits_path path, const qnt_context *context, const qnt_tensor *a,
                          const qnt_tensor *a_coef, const qnt_tensor *b, const qnt_tensor *b_coef,
                          qnt_tensor *c)
{
    if (!context) return QNT_E_INVALID;
    struct qnt__bits_product g = {.context = context, .pairs = true, .blocks = 1};
    QNT__TRY(qnt__bits_open(context, "a", a, &g.a));
    g.m = (size_t)g.a.shape[0];
    g.k = (size_t)g.a.shape[1];
    g.a_planes = g.a.bits;
    if (g.k > LARGEST_K) {
        return qnt__fail(context, QNT_E_SHAPE, "a: extent 1 is %zu, expected at most %d", g.k,
                         LARGEST_K);
    }
    g.words = qnt__bits_words(g.k);
    QNT__TRY(open_planes(&g, b));
    QNT__TRY(open_result(&g, c));
    QNT__TRY(open_coefs(&g, a_coef, b_coef));
    QNT__TRY(check_result(&g));
    return g.c.count == 0 ? QNT_OK : qnt__bits_run(&g, path_of(&g, path));
}

qnt_status qnt_gemm_bits(const qnt_context *context, const qnt_tensor *a, const qnt_tensor *a_coef,
                         const qnt_tensor *b, const qnt_tensor *b_coef, qnt_tensor *c)
{
    return qnt__gemm_bits(QNT__BITS_CHOOSE, context, a, a_coef, b, b_coef, c);
}
