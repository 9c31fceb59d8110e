/*
 * libFuzzer target: pictures of any size, tables, levels and answers of any value.
 *
 * The bytes are read as a request, tables, levels that the caller changed, and the rest as pixels.
 * What portable C says must be what the best CPU level says, and levels must count the same bytes
 * before and after somebody looked at them. A search is told the same bytes as rates and utilities.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qnt.h"

enum { MOST_SIDE = 40, MOST_BYTES = 3 * MOST_SIDE * MOST_SIDE };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Bytes from the front; zeros when they run out. */
struct input {
    const uint8_t *at;
    size_t left;
};

static void take(struct input *in, void *to, size_t n)
{
    size_t there = n < in->left ? n : in->left;
    memset(to, 0, n);
    if (there) memcpy(to, in->at, there);
    in->at += there;
    in->left -= there;
}

static uint8_t take_byte(struct input *in)
{
    uint8_t byte;
    take(in, &byte, 1);
    return byte;
}

struct picture {
    qnt_context *context;
    qnt_image *image;
    qnt_image_bytes bytes[2];
    uint8_t *decoded; /* exactly as many as are written */
};

/* Statuses of both codes and of decoding, one behind the other. */
static void measure(struct picture *p, size_t row, qnt_status status[3])
{
    for (int32_t huffman = 0; huffman < 2; huffman++) {
        p->bytes[huffman] = (qnt_image_bytes){.size = sizeof p->bytes[huffman]};
        status[huffman] = qnt_image_size(p->context, p->image, huffman, &p->bytes[huffman]);
        const qnt_image_bytes *b = &p->bytes[huffman];
        if (status[huffman]) continue;
        demand(b->file == b->header + b->entropy, "file is not header and entropy");
        demand(b->entropy == (b->bits + 7) / 8 + b->stuffed, "entropy is not bits and stuffing");
    }
    status[2] = qnt_image_write(p->context, p->image, p->decoded, row);
}

/* Both have measured the same. */
static void compare(struct picture p[2], size_t row, size_t bytes)
{
    qnt_status status[2][3];
    for (int i = 0; i < 2; i++) measure(&p[i], row, status[i]);
    demand(!memcmp(status[0], status[1], sizeof status[0]), "statuses differ");
    demand(!memcmp(p[0].bytes, p[1].bytes, sizeof p[0].bytes), "sizes differ");
    demand(status[0][2] || !memcmp(p[0].decoded, p[1].decoded, bytes), "pixels differ");
}

static void change_levels(struct picture p[2], struct input *in, int32_t components)
{
    for (int32_t c = 0; c < components; c++) {
        int16_t *level[2];
        size_t wide[2], high[2];
        for (int i = 0; i < 2; i++) {
            qnt_status status =
                qnt_image_levels(p[i].context, p[i].image, c, &level[i], &wide[i], &high[i]);
            demand(status == QNT_OK, "no levels");
        }
        size_t count = 64 * wide[0] * high[0];
        demand(!memcmp(level[0], level[1], count * sizeof *level[0]), "levels differ");
        for (uint8_t changes = take_byte(in) & 7; changes; changes--) {
            uint16_t place;
            int16_t value;
            take(in, &place, sizeof place), take(in, &value, sizeof value);
            level[0][place % count] = level[1][place % count] = value;
        }
    }
}

static void try_picture(qnt_context *const context[2], struct input *in)
{
    qnt_image_spec spec = {.size = sizeof spec};
    qnt_qtable tables[3];
    struct picture p[2];
    spec.width = take_byte(in) % (MOST_SIDE + 1), spec.height = take_byte(in) % (MOST_SIDE + 1);
    spec.components = take_byte(in) % 5, spec.sampling = take_byte(in) % 3;
    spec.transform = take_byte(in) % 3;
    size_t count = take_byte(in) % 5;
    take(in, tables, sizeof tables);
    for (int i = 0; i < 192 && take_byte(in) % 16; i++)
        tables[i / 64].step[i % 64] = (uint16_t)(tables[i / 64].step[i % 64] % 255 + 1);
    int32_t components = spec.components ? spec.components : 1;
    size_t row = (size_t)(spec.width * components), bytes = row * (size_t)spec.height;
    uint8_t *pixels = malloc(bytes + 1);
    struct input from_end = *in; /* pixels may be the same bytes as the changes */
    take(&from_end, pixels, bytes);
    for (int i = 0; i < 2; i++) {
        p[i].context = context[i];
        p[i].decoded = malloc(bytes + 1);
        qnt_status status = qnt_image_create(context[i], &spec, &p[i].image);
        if (status) demand(!p[i].image && status != QNT_E_NOMEM, "a handle after a failure");
    }
    demand(!p[0].image == !p[1].image, "creation differs");
    if (p[0].image) {
        qnt_status status[2];
        for (int i = 0; i < 2; i++) {
            demand(!qnt_image_read(context[i], p[i].image, pixels, row), "pixels are not read");
            status[i] = qnt_image_quantize(context[i], p[i].image, tables, count);
        }
        demand(status[0] == status[1], "quantizing differs");
        compare(p, row, bytes);
        qnt_image_bytes unseen[2] = {p[0].bytes[0], p[0].bytes[1]};
        struct input none = {in->at, 0};
        change_levels(p, &none, components);
        compare(p, row, bytes);
        demand(!memcmp(unseen, p[0].bytes, sizeof unseen), "looking at levels changes the size");
        change_levels(p, in, components);
        compare(p, row, bytes);
    }
    for (int i = 0; i < 2; i++) qnt_image_destroy(p[i].image), free(p[i].decoded);
    free(pixels);
}

static void try_search(const qnt_context *context, struct input *in)
{
    enum { TRIALS = 12 };
    qnt_search_spec spec;
    qnt_qtable corners[2], tables[3];
    qnt_trial trials[TRIALS], best;
    qnt_search *search;
    size_t count, front[TRIALS];
    double curve[3] = {0};
    take(in, &spec, offsetof(qnt_search_spec, low));
    take(in, corners, sizeof corners);
    spec.size = sizeof spec;
    spec.method &= 7, spec.tables &= 3, spec.start &= 7;
    spec.low = &corners[0], spec.high = &corners[1];
    for (int i = 0; i < 64; i++) {
        corners[0].step[i] &= 63;
        corners[1].step[i] = (uint16_t)(corners[0].step[i] + (corners[1].step[i] & 127));
    }
    if (qnt_search_create(context, &spec, &search)) return;
    for (int i = 0; i < TRIALS && in->left; i++) {
        double answer[2];
        demand(!qnt_search_ask(context, search, tables), "no question");
        for (int k = 0; k < 64; k++) {
            unsigned step = tables[0].step[k];
            demand(step >= 1 && step <= 255, "a step that no table has");
        }
        take(in, answer, sizeof answer);
        qnt_search_tell(context, search, answer[0], answer[1]);
    }
    demand(!qnt_search_trials(context, search, trials, TRIALS, &count), "no trials");
    demand(!qnt_search_front(context, trials, count, front, &count), "no front");
    qnt_search_best(context, search, &best);
    qnt_search_curve(context, trials, count, curve);
    qnt_search_box(context, trials, count, spec.rate_low, spec.rate_high, curve[0], &corners[0],
                   &corners[1]);
    qnt_search_destroy(search);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qnt_context *context[2];
    struct input in = {data, size};
    for (int i = 0; i < 2; i++) {
        demand(!qnt_context_create(NULL, NULL, NULL, &context[i]), "context");
    }
    demand(!qnt_context_set_cpu(context[0], 0), "portable C");
    if (take_byte(&in) & 1)
        try_search(context[1], &in);
    else
        try_picture(context, &in);
    for (int i = 0; i < 2; i++) qnt_context_destroy(context[i]);
    return 0;
}
