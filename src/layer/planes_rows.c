/*
 * The input of layers whose weights are planes of signs: rows of codes, gathered from an image or a
 * matrix, become planes of bits, tables of their sums, or stay bytes. Done once for all outputs.
 */
#include "base/arith.h"
#include "planes.h"

/* The codes of one row, 0 behind the last one, or all of their bits turned over. */
static void gather(const struct qnt__run *run, const uint8_t *at, uint8_t *codes)
{
    const struct qnt__layer_shape *s = &run->layer->shape;
    const uint8_t mask = (uint8_t)((1u << qnt__planes_code_bits(run)) - 1),
                  turn = run->planes.path == QNT__BITS_COUNT ? mask : 0;
    for (size_t t = 0; t < s->tap_count; t++)
        memcpy(codes + t * s->depth, at + run->taps[t], s->depth);
    memset(codes + s->inputs, 0, 64 * run->planes.words - s->inputs);
    for (size_t w = 0; w < run->planes.words; w++) {
        uint8_t *word = codes + 64 * w;
        for (size_t k = 0; k < 64; k++) word[k] = (uint8_t)((word[k] ^ turn) & mask);
    }
}

/* Codes for adders, or tables of them, of the low digit first where there are two; returns their sum. */
static int32_t tabulate(const struct qnt__run *run, uint8_t *codes, uint8_t *to)
{
    const struct qnt__simd *simd = &run->context->simd;
    const size_t words = run->planes.words;
    const uint8_t *all = codes;
    const ptrdiff_t tap = 0;
    uint8_t *high = codes + 64 * words;
    int32_t sum;
    simd->sum_rows(&all, 1, &tap, 1, 64 * words, &sum);
    if (run->planes.path == QNT__BITS_ADDERS) {
        const size_t chunks = qnt__adder_chunks(words), planes = (size_t)qnt__planes_code_bits(run);
        memset(high, 0, 64); /* chunks may have a word more */
        simd->index_adders(codes, chunks, planes, qnt__adder_plane(words), to);
        return sum;
    }
    if (run->planes.path == QNT__BITS_SIX) {
        simd->tabulate_six(codes, words, to);
        return sum;
    }
    if (qnt__planes_two_digits(run)) {
        for (size_t k = 0; k < 64 * words; k++) {
            high[k] = (uint8_t)(codes[k] >> QNT__LOW_DIGIT);
            codes[k] &= (1 << QNT__LOW_DIGIT) - 1;
        }
        simd->tabulate_bits(high, words, to + words * QNT__CODE_TABLES);
    }
    simd->tabulate_bits(codes, words, to);
    return sum;
}

static void prepare_row(const struct qnt__run *run, uint8_t *codes, const uint8_t *at, size_t row)
{
    const struct qnt__planes *p = &run->planes;
    uint8_t *to = qnt__planes_row(run, row);
    gather(run, at, p->path == QNT__BITS_BYTES ? to : codes);
    if (qnt__planes_tables(run)) {
        *qnt__planes_sum(run, row) = tabulate(run, codes, to);
    } else if (p->path == QNT__BITS_COUNT) {
        const int bits = qnt__planes_code_bits(run);
        qnt__bits_slice_bytes(&run->context->simd, codes, 64 * p->words, bits, p->words, p->words, 1,
                              (void *)to);
        *qnt__planes_sum(run, row) = 1;
    }
}

ptrdiff_t qnt__planes_slice(const struct qnt__run *run)
{
    size_t from = (run->planes.group + run->g.group_shift) % run->g.groups;
    return (ptrdiff_t)(from * (run->g.channels / run->g.groups));
}

void qnt__planes_prepare(void *task, size_t index, size_t worker)
{
    const struct qnt__run *run = task;
    size_t first = run->planes.first + index * QNT__BLOCK_ROWS;
    size_t end = qnt__min(first + QNT__BLOCK_ROWS, run->planes.end);
    struct qnt__walk walk = qnt__rows_walk(run, qnt__planes_slice(run), first, end);
    struct qnt__rows rows;
    uint8_t *codes = qnt__run_scratch(run, worker) + run->planes.codes;
    while (qnt__rows_next(&walk, &rows)) {
        for (size_t i = 0; i < rows.m; i++) prepare_row(run, codes, rows.at[i], rows.first_row + i);
    }
}
