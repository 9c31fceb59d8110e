/*
 * Minimal filtering of every CPU level against the portable definition, byte for byte, and what it is for:
 * whole small convolutions against sums of products. Random distances, all tails, extremes, wrapping sums,
 * guard pages around all that is read and written; what lies between runs must stay.
 */
#include "check.h"
#include "simd/layout.h"
#include "simd_levels.h"

enum { POINTS = QNT__WINOGRAD_POINTS, PLACES = QNT__WINOGRAD_PLACES, MAX_N = 200, MAX_RUNS = 5 };

/* Random elements of `width` bytes, one of the extremes everywhere, or any of the extremes. */
static void fill(uint8_t *data, size_t count, size_t width)
{
    const int32_t extremes[] = {0, -1, INT32_MIN, INT32_MAX};
    const int64_t kind = random_in(0, 6);
    for (size_t i = 0; i < count; i++) {
        int32_t element = (int32_t)(random_u64() >> 20);
        if (kind < 5) element = extremes[kind < 4 ? kind : random_in(0, 3)];
        element >>= 32 - 8 * width; /* the same extremes of fewer bits */
        memcpy(data + i * width, &element, width);
    }
}

/* Where runs are: `size` elements in all. */
struct place {
    size_t ld, step, size;
};

/* What is read may overlap in any way. */
static struct place any_place(size_t rows, size_t n, size_t count)
{
    struct place p = {.ld = (size_t)random_in(0, (int64_t)n + 9),
                      .step = (size_t)random_in(0, 3 * MAX_N)};
    if (random_in(0, 1)) p.ld = n + (size_t)random_in(0, 9), p.step = 4 * p.ld; /* as tiles do */
    p.size = count ? (rows - 1) * p.ld + (count - 1) * p.step + n : 0;
    return p;
}

/* What is written must not: runs one after the other, or element by element. */
static struct place place_apart(size_t rows, size_t n, size_t count)
{
    struct place p;
    if (random_in(0, 1)) {
        p.ld = n + (size_t)random_in(0, 9);
        p.step = rows * p.ld + (size_t)random_in(0, 9);
    } else {
        p.step = n + (size_t)random_in(0, 9);
        p.ld = count * p.step + (size_t)random_in(0, 9);
    }
    p.size = count ? (rows - 1) * p.ld + (count - 1) * p.step + n : 0;
    return p;
}

/* The slots of one direction, and what they read and write. */
enum slot { BYTES, WORDS, SUMS, RESULTS };

static const size_t width_in[] = {1, 2, 4, 4}, width_out[] = {2, 2, 4, 4};

static void call(const struct qnt__simd *simd, enum slot slot, const struct qnt__winograd_pass *w)
{
    switch (slot) {
    case BYTES: simd->winograd_bytes(w); break;
    case WORDS: simd->winograd_words(w); break;
    case SUMS: simd->winograd_sums(w); break;
    case RESULTS: simd->winograd_results(w); break;
    }
}

static void direction_once(enum slot slot, int results, size_t n, size_t count)
{
    static const char *const slot_names[] = {"bytes", "words", "sums", "results"};
    const size_t points = (size_t)results + 2, width = width_out[slot];
    const bool forward = slot == BYTES || slot == WORDS;
    const struct place from = any_place(points, n, count);
    const struct place to = place_apart(forward ? points : (size_t)results, n, count);
    const size_t size = to.size * width;
    guarded in = guard(from.size * width_in[slot], random_in(0, 1)),
            out = guard(size, random_in(0, 1));
    guarded want = guard(size, true), before = guard(size, true);
    fill(in.data, from.size, width_in[slot]);
    fill(before.data, to.size, width);
    struct qnt__winograd_pass w = {.in = in.data,
                              .out = want.data,
                              .in_ld = from.ld,
                              .in_step = from.step,
                              .out_ld = to.ld,
                              .out_step = to.step,
                              .n = n,
                              .count = count,
                              .results = results,
                              .shift = 2 * (int)random_in(1, 3),
                              .add = random_in(0, 1)};
    memcpy(want.data, before.data, size);
    call(&tables[0], slot, &w);
    w.out = out.data;
    for (int l = 1; l < levels; l++) {
        memcpy(out.data, before.data, size);
        call(&tables[l], slot, &w);
        CHECK_MSG(!memcmp(out.data, want.data, size), "%s %s, %d results n %zu runs %zu shift %d",
                  names[l], slot_names[slot], results, n, count, w.shift);
    }
    unguard(&in), unguard(&out), unguard(&want), unguard(&before);
}

static void direction(enum slot slot)
{
    const bool forward = slot == BYTES || slot == WORDS;
    const size_t step = forward ? 1 : QNT__PANEL;
    for (int i = 0; i < ROUNDS(800); i++) {
        const size_t n = (size_t)random_in(1, random_in(0, 1) ? 40 : MAX_N);
        direction_once(slot, i % 2 ? 2 : 4, (n + step - 1) / step * step, (size_t)random_in(0, MAX_RUNS));
    }
    for (size_t n = step; n <= 70; n += step) { /* every tail */
        direction_once(slot, 4, n, 2);
        direction_once(slot, 2, n, 2);
    }
}

static void bytes(void)
{
    direction(BYTES);
}

static void words(void)
{
    direction(WORDS);
}

static void sums(void)
{
    direction(SUMS);
}

static void results(void)
{
    direction(RESULTS);
}

static void taps(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        const size_t cells = (size_t)random_in(1, 9), ld = 64 * cells + (size_t)random_in(0, 40);
        const size_t count = (PLACES - 1) * ld + 64 * cells, size = 2 * count;
        guarded panel = guard(9 * 64 * cells, random_in(0, 1)), out = guard(size, random_in(0, 1));
        guarded want = guard(size, true), before = guard(size, true);
        fill(panel.data, 9 * 64 * cells, 1);
        fill(before.data, count, 2);
        struct qnt__winograd_taps t = {
            .panel = panel.data, .cells = cells, .ld = ld, .out = (void *)want.data};
        memcpy(want.data, before.data, size);
        tables[0].winograd_taps(&t);
        t.out = (void *)out.data;
        for (int l = 1; l < levels; l++) {
            memcpy(out.data, before.data, size);
            tables[l].winograd_taps(&t);
            CHECK_MSG(!memcmp(out.data, want.data, size), "%s cells %zu ld %zu", names[l], cells,
                      ld);
        }
        unguard(&panel), unguard(&out), unguard(&want), unguard(&before);
    }
}

/* ---- a whole convolution: some cells of channels in, a panel out, one tile ---- */

enum { CELLS = 5, CHANNELS = 4 * CELLS, SIDE = 6 }; /* so few that 576 times a sum is an int32 */

struct tile {
    uint8_t pixels[SIDE][SIDE][CHANNELS];
    uint8_t panel[9][CELLS][QNT__PANEL][4];
};

static void random_tile(struct tile *t)
{
    static const uint8_t taps_of[] = {0x80, 0x7f}, pixels_of[] = {0, 255};
    const int64_t kind = random_in(0, 3); /* pixels are extreme, taps, both or none */
    const uint8_t tap = taps_of[random_in(0, 1)], pixel = pixels_of[random_in(0, 1)];
    const bool same = random_in(0, 1);
    fill(&t->pixels[0][0][0], sizeof t->pixels, 1);
    fill(&t->panel[0][0][0][0], sizeof t->panel, 1);
    for (size_t i = 0; i < sizeof t->pixels && kind & 1; i++)
        (&t->pixels[0][0][0])[i] = same ? pixel : pixels_of[random_in(0, 1)];
    for (size_t i = 0; i < sizeof t->panel && kind & 2; i++)
        (&t->panel[0][0][0][0])[i] = same ? tap : taps_of[random_in(0, 1)];
}

static int32_t plain_sum(const struct tile *t, int y, int x, size_t column)
{
    int32_t sum = 0;
    for (int tap = 0; tap < 9; tap++) {
        for (size_t k = 0; k < CHANNELS; k++) {
            const int pixel = t->pixels[y + tap / 3][x + tap % 3][k] - QNT__WINOGRAD_CENTRE;
            sum += pixel * (int8_t)t->panel[tap][k / 4][column][k % 4];
        }
    }
    return sum;
}

/* down x across results of a tile. */
static void convolve(const struct qnt__simd *simd, const struct tile *t, int down, int across,
                     int32_t y[4][4][QNT__PANEL])
{
    enum { ROW = SIDE * CHANNELS, PRODUCTS = POINTS * QNT__PANEL, JOINED = 4 * QNT__PANEL };
    int16_t weight[PLACES][CHANNELS * QNT__PANEL], half[POINTS][ROW], pixel[PLACES][CHANNELS];
    int32_t product[PLACES][QNT__PANEL], joined[POINTS][JOINED];
    const size_t points = (size_t)down + 2;
    simd->winograd_taps(&(struct qnt__winograd_taps){
        .panel = &t->panel[0][0][0][0], .cells = CELLS, .out = weight[0], .ld = CHANNELS * QNT__PANEL});
    struct qnt__winograd_pass w = {.in = t->pixels,
                              .in_ld = ROW,
                              .out = half,
                              .out_ld = ROW,
                              .n = ROW,
                              .count = 1,
                              .results = down};
    simd->winograd_bytes(&w);
    w = (struct qnt__winograd_pass){.in = half,
                               .in_ld = CHANNELS,
                               .in_step = ROW,
                               .out = pixel,
                               .out_ld = CHANNELS,
                               .out_step = POINTS * CHANNELS,
                               .n = CHANNELS,
                               .count = points,
                               .results = across};
    simd->winograd_words(&w);
    for (size_t i = 0; i < points; i++) {
        for (size_t j = 0; j < (size_t)across + 2; j++) {
            const size_t p = POINTS * i + j;
            const int16_t *row = pixel[p];
            simd->gemm_s16(&(struct qnt__gemm_s16){.rows = &row,
                                                   .weight = weight[p],
                                                   .acc = product[p],
                                                   .m = 1,
                                                   .panels = 1,
                                                   .depth = CHANNELS,
                                                   .panel_words = CHANNELS * QNT__PANEL,
                                                   .ld = QNT__PANEL});
        }
    }
    w = (struct qnt__winograd_pass){.in = product,
                               .in_ld = QNT__PANEL,
                               .in_step = PRODUCTS,
                               .out = joined,
                               .out_ld = QNT__PANEL,
                               .out_step = JOINED,
                               .n = QNT__PANEL,
                               .count = points,
                               .results = across};
    simd->winograd_sums(&w);
    w = (struct qnt__winograd_pass){.in = joined,
                               .in_ld = JOINED,
                               .out = y,
                               .out_ld = JOINED,
                               .n = (size_t)across * QNT__PANEL,
                               .count = 1,
                               .results = down,
                               .shift = (down == 4 ? 3 : 1) + (across == 4 ? 3 : 1)};
    simd->winograd_results(&w);
}

static void convolution(void)
{
    for (int i = 0; i < ROUNDS(400); i++) {
        const int down = i & 1 ? 2 : 4, across = i & 2 ? 2 : 4;
        struct tile t;
        random_tile(&t);
        for (int l = 0; l < levels; l++) {
            int32_t got[4][4][QNT__PANEL];
            convolve(&tables[l], &t, down, across, got);
            for (int y = 0; y < down; y++) {
                for (int x = 0; x < across; x++) {
                    for (size_t c = 0; c < QNT__PANEL; c++) {
                        const int32_t want = plain_sum(&t, y, x, c);
                        CHECK_MSG(got[y][x][c] == want,
                                  "%s %d x %d at %d, %d column %zu: %d, not %d", names[l], down,
                                  across, y, x, c, got[y][x][c], want);
                    }
                }
            }
        }
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(true);
    RUN(bytes);
    RUN(words);
    RUN(sums);
    RUN(results);
    RUN(taps);
    RUN(convolution);
    return DONE;
}
