/* Depthwise convolution: one task for each row of the result. */
#include "base/arith.h"
#include "rows.h"

/* Output pixels of one block: as many as the tile holds. */
static size_t block_pixels(const struct qnt__run *run)
{
    size_t fit = QNT__TILE / qnt__max(run->layer->shape.columns, 1);
    return qnt__min(qnt__max(fit, 1), QNT__BLOCK_ROWS);
}

static void run_block(const struct qnt__run *run, uint8_t *scratch, size_t row, size_t m)
{
    const qnt_layer *layer = run->layer;
    const struct qnt__geometry *g = &run->g;
    size_t image;
    int32_t zero[QNT__BLOCK_ROWS];
    float scale[QNT__BLOCK_ROWS];

    const struct qnt__depthwise d = {.x = qnt__row_input(run, row, &image),
                                     .taps = run->taps,
                                     .weight = (const void *)layer->weight,
                                     .acc = (void *)(scratch + run->scratch.acc),
                                     .m = m,
                                     .step = g->stride[1] * (size_t)run->pixel_step,
                                     .channels = layer->shape.columns,
                                     .tap_count = layer->shape.tap_count};
    run->context->simd.depthwise_s8(&d);

    const struct qnt__affine *q = run->dynamic ? &run->dynamic[image] : &run->input;
    for (size_t i = 0; i < m; i++) {
        zero[i] = q->zero;
        scale[i] = q->scale;
    }
    const struct qnt__block block = {.acc = d.acc,
                                     .m = m,
                                     .n = g->outputs,
                                     .ld = d.channels,
                                     .first_row = row,
                                     .row_step = 1,
                                     .a_zero = q->zero ? zero : NULL,
                                     .w_sum = q->zero ? run->layer->sum : NULL,
                                     .scale = run->dynamic ? scale : NULL};
    qnt__run_epilogue(run, scratch, &block);
}

static void run_line(void *task, size_t line, size_t worker)
{
    const struct qnt__run *run = task;
    uint8_t *scratch = qnt__run_scratch(run, worker);
    size_t width = run->g.out_width, most = block_pixels(run);
    for (size_t x = 0; x < width; x += most) {
        run_block(run, scratch, line * width + x, qnt__min(width - x, most));
    }
}

qnt_status qnt__run_depthwise(struct qnt__run *run)
{
    size_t work = run->rows * run->layer->shape.inputs * qnt__ceil_div(run->g.outputs, 64);
    return qnt__run_share(run, run_line, run->g.batch * run->g.out_height,
                          run->shared_bytes ? 0 : work);
}
