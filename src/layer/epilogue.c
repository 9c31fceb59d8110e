/* From sums to y: zero points, multiplier, bias, activation, rounding; then the type of y. */
#include "run.h"

/* Output offsets of a block's rows. */
static int64_t row_offset(const struct qnt__run *run, size_t row)
{
    return run->collapsed ? (int64_t)row * run->y_step : qnt__view_row(&run->y, row);
}

static int64_t column_step(const struct qnt__run *run)
{
    return run->y.strides[run->y.ndim - 1];
}

static bool is_float(const struct qnt__run *run)
{
    return run->y.code == QNT_FLOAT || run->y.code == QNT_BFLOAT;
}

/* Address of the block's first element in y. */
static uint8_t *target(const struct qnt__run *run, const struct qnt__block *b)
{
    int64_t at = row_offset(run, b->first_row) + (int64_t)b->output;
    return run->y.data + at * (run->y.bits / 8);
}

/* Integer sums to floats or codes at y. */
static void finish_integer(const struct qnt__run *run, const struct qnt__block *b, bool codes,
                           void *y, size_t y_ld)
{
    const qnt_layer *l = run->layer;
    const struct qnt__finish f = {.acc = b->acc,
                                  .m = b->m,
                                  .n = b->n,
                                  .ld = b->ld,
                                  .a_zero = b->a_zero,
                                  .w_sum = b->w_sum,
                                  .a_sum = b->a_sum,
                                  .w_zero = b->w_zero,
                                  .multiplier = l->scale + b->column,
                                  .row_scale = b->scale,
                                  .bias = l->bias ? l->bias + b->column : NULL,
                                  .low = run->low,
                                  .high = run->high,
                                  .zero = run->output.zero,
                                  .accumulate = l->head.flags & QNT_ACCUMULATE,
                                  .y = y,
                                  .y_ld = y_ld};
    if (codes)
        run->context->simd.finish_codes(&f);
    else
        run->context->simd.finish_s32(&f);
}

static void finish_floats(const struct qnt__run *run, const struct qnt__block *b, float *y,
                          size_t y_ld)
{
    const qnt_layer *l = run->layer;
    const struct qnt__finish_f32 f = {.acc = b->acc,
                                      .m = b->m,
                                      .n = b->n,
                                      .ld = b->ld,
                                      .row_scale = b->scale,
                                      .bias = l->bias ? l->bias + b->column : NULL,
                                      .low = run->low,
                                      .high = run->high,
                                      .accumulate = l->head.flags & QNT_ACCUMULATE,
                                      .y = y,
                                      .y_ld = y_ld};
    run->context->simd.finish_f32(&f);
}

static void finish(const struct qnt__run *run, const struct qnt__block *b, bool codes, void *y,
                   size_t y_ld)
{
    if (qnt__layer_sums_integers(&run->layer->head))
        finish_integer(run, b, codes, y, y_ld);
    else
        finish_floats(run, b, y, y_ld);
}

/* Finished floats in the tile go out as floats. */
static void store_floats(const struct qnt__run *run, const struct qnt__block *b, float *tile)
{
    const struct qnt__simd *simd = &run->context->simd;
    int64_t step = column_step(run), shift = (int64_t)b->output * step;
    if (run->layer->head.flags & QNT_ACCUMULATE) {
        for (size_t i = 0; i < b->m; i++) {
            int64_t at = row_offset(run, b->first_row + i * b->row_step) + shift;
            qnt__read_f32(simd, &run->y, at, step, b->n, tile + i * b->n);
        }
    }
    finish(run, b, false, tile, b->n);
    for (size_t i = 0; i < b->m; i++) {
        int64_t at = row_offset(run, b->first_row + i * b->row_step) + shift;
        qnt__write_f32(simd, &run->y, at, step, b->n, tile + i * b->n);
    }
}

/* Codes of a block: the integer epilogue rounds itself, floats are encoded. */
static void form_codes(const struct qnt__run *run, const struct qnt__block *b, float *tile,
                       uint8_t *codes)
{
    const struct qnt__simd *simd = &run->context->simd;
    const struct qnt__book *book = run->layer->output_book;
    if (book) {
        finish(run, b, false, tile, b->n);
        simd->rank_f32(&run->ranks, tile, b->m * b->n, codes);
        simd->look_up_8(book->code, run->ranks.steps, codes, b->m * b->n, codes);
    } else if (qnt__layer_sums_integers(&run->layer->head)) {
        finish_integer(run, b, true, codes, b->n);
    } else {
        finish_floats(run, b, tile, b->n);
        simd->encode_8(&run->output, tile, b->m * b->n, codes);
    }
}

static void store_codes(const struct qnt__run *run, uint8_t *scratch, const struct qnt__block *b)
{
    const struct qnt__simd *simd = &run->context->simd;
    int64_t step = column_step(run), shift = (int64_t)b->output * step;
    uint8_t *codes = scratch + run->scratch.codes;
    form_codes(run, b, (void *)(scratch + run->scratch.tile), codes);
    for (size_t i = 0; i < b->m; i++) {
        int64_t at = row_offset(run, b->first_row + i * b->row_step) + shift;
        qnt__write_codes(simd, &run->y, at, step, b->n, codes + i * b->n);
    }
}

void qnt__run_epilogue(const struct qnt__run *run, uint8_t *scratch, const struct qnt__block *block)
{
    if (run->direct) {
        size_t ld = block->m > 1 ? (size_t)run->y_step * block->row_step : block->n;
        finish(run, block, !is_float(run), target(run, block), ld);
    } else if (is_float(run)) {
        store_floats(run, block, (void *)(scratch + run->scratch.tile));
    } else {
        store_codes(run, scratch, block);
    }
}

struct qnt__results qnt__run_results(const struct qnt__run *run, const struct qnt__block *b)
{
    const size_t element = run->y.bits / 8, pitch = (size_t)run->y_step * element;
    if (!run->direct) return (struct qnt__results){0};
    return (struct qnt__results){.at = run->y.data + b->first_row * pitch + b->output * element,
                                 .pitch = b->row_step * pitch,
                                 .bytes = b->n * element};
}
