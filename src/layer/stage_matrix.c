/* Stages the rows of a matrix, each with parameters of its own if they are dynamic, and prepares them where
 * the kernels want that. */
#include <string.h>

#include "base/arith.h"
#include "stage.h"

enum { STAGE_ROWS = 16 }; /* rows in one task */

static void stage_row(const struct qnt__run *run, uint8_t *scratch, size_t row)
{
    const struct qnt__view *x = &run->x;
    size_t n = run->g.channels;
    int64_t at = qnt__view_row(x, row), step = x->strides[x->ndim - 1];
    uint8_t *out = qnt__run_image(run) + (ptrdiff_t)row * run->pixel_step;
    const struct qnt__affine *q = &run->input;
    if (run->dynamic) {
        struct qnt__measured m = {.sum = 0.0};
        do {
            qnt__stage_measure(run, scratch, at, step, n, &m);
        } while (qnt__stage_again(run, &m));
        run->dynamic[row] = qnt__stage_dynamic(run, &m, n);
        q = &run->dynamic[row];
    }
    qnt__stage_elements(run, scratch, q, at, step, n, out);
    const size_t bytes = n * run->element;
    /* What follows meets weights of 0, or places that stand for any word and must meet inputs of 0. */
    memset(out + bytes, run->words.bytes && run->element == 1 ? q->zero : 0,
           (size_t)run->pixel_step - bytes);
}

static void stage_rows(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    size_t end = qnt__min(run->rows, (index + 1) * STAGE_ROWS);
    for (size_t row = index * STAGE_ROWS; row < end; row++) {
        const uint8_t *bytes = run->base + (ptrdiff_t)row * run->pixel_step;
        if (run->base == qnt__run_image(run)) stage_row(run, qnt__run_scratch(run, worker), row);
        if (run->ready && !run->ready_late)
            run->context->simd.prepare_row(bytes, run->layer->shape.panel_depth, qnt__run_ready(run, row));
    }
}

/* Rows that follow each other in equal steps, readable to the panel depth. */
static bool matrix_in_place(struct qnt__run *run)
{
    const struct qnt__view *x = &run->x;
    int64_t step = 0, extent = 1;
    if (run->g.channels == 0) return false;
    if (run->layer->shape.panel_depth != run->g.channels && run->element == 1) return false;
    if (x->strides[x->ndim - 1] != 1 && run->g.channels > 1) return false;
    for (int d = x->ndim - 2; d >= 0; d--) {
        if (x->shape[d] == 1) continue;
        if (extent > 1 && x->strides[d] != step * extent) return false;
        if (extent == 1) step = x->strides[d];
        extent *= x->shape[d];
    }
    run->pixel_step = (ptrdiff_t)step * (ptrdiff_t)run->element;
    return true;
}

qnt_status qnt__stage_matrix(struct qnt__run *run, bool may_stay)
{
    const bool stays = may_stay && matrix_in_place(run);
    run->base = stays ? run->x.data : qnt__run_image(run);
    if (stays && (!run->ready || run->ready_late)) return QNT_OK;
    if (!stays) run->pixel_step = (ptrdiff_t)(run->layer->shape.panel_depth * run->element);
    return qnt__run_share(run, stage_rows, qnt__ceil_div(run->rows, STAGE_ROWS),
                          run->rows * run->g.channels);
}
