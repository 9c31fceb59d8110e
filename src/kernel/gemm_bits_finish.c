/* Integers of bit planes to results: the epilogue of integer products, which makes floats of them. */
#include <math.h>

#include "bits_block.h"

enum { COLUMNS = QNT__BITS_COLUMNS };

/*
 * From integers to products: v = acc - a_zero w_sum - w_zero a_sum.
 * Counting: D - (2^bits - 1) (places - P), of signs 2 D - (2 places - K). Tables: 2 T - S. Planes
 * that were summed have all of it summed. Bytes have an excess of each column, or none; adders none.
 */
static void describe(struct qnt__bits_block *b, const struct qnt__bits_result *to,
                     const struct qnt__bits_piece *piece, struct qnt__finish *f)
{
    const struct qnt__bits_job *r = b->job;
    const struct qnt__bits_product *g = r->g;
    *f = (struct qnt__finish){.acc = piece->acc,
                              .m = piece->m,
                              .n = piece->n,
                              .ld = piece->ld,
                              .low = -INFINITY,
                              .high = INFINITY,
                              .accumulate = to->accumulate,
                              .y = to->y + piece->row * to->ld + piece->column,
                              .y_ld = piece->apart * to->ld};
    if (r->path == QNT__BITS_COUNT) {
        const uint32_t places = (uint32_t)(64 * g->words);
        for (size_t c = 0; c < b->n; c++) {
            uint32_t sum = 0;
            for (size_t p = 0; p < to->planes; p++)
                sum += (places - (uint32_t)b->ones[to->plane + p][c]) << p;
            b->w_sum[c] =
                (int32_t)(g->signs ? 2 * places - (uint32_t)g->k : ((1u << g->a_planes) - 1) * sum);
        }
        f->w_sum = b->w_sum;
    } else if (r->path == QNT__BITS_BYTES || r->path == QNT__BITS_STRASSEN) {
        f->w_sum = piece->excess;
    } else if (r->path != QNT__BITS_ADDERS) {
        for (size_t c = 0; c < b->n; c++) b->w_sum[c] = (1 << to->planes) - 1;
        f->w_zero = b->w_sum, f->a_sum = b->sums + (b->row - b->base + piece->row);
    }
    if (!f->w_sum) return;
    for (size_t i = 0; i < piece->m; i++) b->one[i] = 1;
    f->a_zero = b->one;
}

/* The integers themselves, of one plane. */
static void finish_integers(const struct qnt__finish *f)
{
    uint32_t *y = f->y;
    for (size_t r = 0; r < f->m; r++) {
        for (size_t c = 0; c < f->n; c++) {
            uint32_t v = (uint32_t)f->acc[r * f->ld + c];
            if (f->w_sum) v -= (uint32_t)f->w_sum[c];
            if (f->w_zero) v -= (uint32_t)f->a_sum[r];
            y[r * f->y_ld + c] = v;
        }
    }
}

void qnt__bits_finish(struct qnt__bits_block *b, const struct qnt__bits_result *to,
                      const struct qnt__bits_piece *piece)
{
    const struct qnt__bits_product *g = b->job->g;
    const float *b_coef = b->coef[to->plane] + piece->column;
    float coef[COLUMNS];
    struct qnt__finish f;
    describe(b, to, piece, &f);
    if (g->c.code == QNT_INT) {
        finish_integers(&f);
        return;
    }
    for (size_t c = 0; g->signs && c < piece->n; c++) coef[c] = to->a_coef * b_coef[c];
    f.multiplier = g->signs ? coef : b_coef;
    g->context->simd.finish_s32(&f);
}
