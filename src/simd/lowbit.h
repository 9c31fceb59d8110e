/*
 * The tile of conv_lowbit and codes_lowbit, for vectors of any width: a table of products is looked up
 * instead of multiplied. The including file defines
 *     vec, LANES, PIXELS            a vector of bytes, how many, pixels of the largest tile
 *     struct index, load_index(w)   LANES bytes of weights, made ready
 *     struct row, load_row(x)       the table's row for a byte of x
 *     look_up(index, row)           LANES products of three digits each, at most 27
 *     ASSEMBLED                     1 if there are, for PIXELS pixels, add_one_tap(sum, x, step, weight,
 *                                   fresh), add_three_taps(..), and add_four_taps(..) with half of step
 *     add_8 (an asm: regrouped sums would spill), add_16, sub_16, high_16, low_to_high_16
 *     zero(), set_16(x), load(from), either(a, b), differ(a, b)
 *     halves(a, b)                  lower half of a, upper half of b; of 64 lanes only
 *     less_if_below(n, s, limit)    n less 1 in 16 bits where s < limit
 *     store(even, odd, acc, add)    16-bit sums of even and odd channels as int32
 *     store_codes(codes, v)
 *
 * Nine look-ups (9 * 27 = 243) fit a byte. Then they move to sums of 16 bits: `wide` takes odd * 256 +
 * even modulo 2^16, `odd` the odd channels; even = wide - odd * 256 is exact modulo 2^16.
 *
 * Where taps come in threes that are neighbouring pixels and registers suffice for three indices, a row
 * is loaded once for three taps: sum[i] takes the products of pixels i to i + 2, for all PIXELS pixels of
 * a tile. Likewise for two pixels where taps come in fours, half a pixel from each other: pairs of pixels.
 * The limits below are multiples of three and of four.
 */
enum { QNT__NARROW_STEPS = 9, QNT__NARROW_FOURS = 8, QNT__WIDE_STEPS = 65535 / 27 / 12 * 12 };

/* Where a tile is: what comes next, and how many steps are left. */
struct walk {
    const struct qnt__lowbit *g;
    const uint8_t *x, *weight;
    size_t triple, tap, left;
};

INLINE vec plus(vec sum, vec product, int fresh)
{
    return fresh ? product : add_8(sum, product);
}

INLINE void add_tap(vec *sum, const uint8_t *x, size_t step, const uint8_t *weight, int pixels,
                    int fresh)
{
    struct index index = load_index(weight);
    UNROLL for (int i = 0; i < pixels; i++) {
        sum[i] = plus(sum[i], look_up(index, load_row(x[(size_t)i * step])), fresh);
    }
}

#if ASSEMBLED
/* Whether taps come in runs of n that are `apart` bytes from each other. */
static int in_runs(const struct qnt__lowbit *g, size_t n, size_t apart)
{
    if (g->tap_count % n) return 0;
    for (size_t p = 0; p < g->tap_count; p++)
        if (p % n && g->taps[p] - g->taps[p - 1] != (ptrdiff_t)apart) return 0;
    return 1;
}
#endif

/* One step, or as many as rows serve at once. */
INLINE void advance(struct walk *w, vec *sum, int pixels, int at_once, int fresh)
{
    const uint8_t *from = w->x + w->g->taps[w->tap] + (ptrdiff_t)w->triple;
#if ASSEMBLED
    if (at_once == 3)
        add_three_taps(sum, from, w->g->step, w->weight, fresh);
    else if (at_once == 4)
        add_four_taps(sum, from, w->g->step / 2, w->weight, fresh);
    else if (pixels == PIXELS)
        add_one_tap(sum, from, w->g->step, w->weight, fresh);
    else
#endif
        add_tap(sum, from, w->g->step, w->weight, pixels, fresh);
    w->weight += at_once * QNT__LOWBIT_COLUMNS;
    w->tap += (size_t)at_once;
    if (w->tap == w->g->tap_count) w->tap = 0, w->triple++;
}

/* At most this many steps. Nine at a time, or eight, are written out, so that sums stay in place. */
INLINE void add_steps(struct walk *w, vec *wide, vec *odd, int pixels, int at_once, size_t most)
{
    const size_t narrow = at_once == 4 ? QNT__NARROW_FOURS : QNT__NARROW_STEPS;
    size_t block = w->left < most ? w->left : most;
    w->left -= block;
    UNROLL for (int i = 0; i < pixels; i++) wide[i] = odd[i] = zero();
    while (block) {
        vec sum[PIXELS];
        UNROLL for (int i = 0; i < pixels; i++) sum[i] = zero();
        if (block >= narrow) {
            UNROLL for (size_t s = 0; s < narrow; s += (size_t)at_once)
                advance(w, sum, pixels, at_once, s == 0);
            block -= narrow;
        } else {
            for (; block; block -= (size_t)at_once) advance(w, sum, pixels, at_once, 0);
        }
        UNROLL for (int i = 0; i < pixels; i++) {
            wide[i] = add_16(wide[i], sum[i]);
            odd[i] = add_16(odd[i], high_16(sum[i]));
        }
    }
}

enum { HALF = QNT__LOWBIT_COLUMNS / 2 };

/* What the box sum of a pixel makes of thresholds: of the pixel with these columns, or, of 64 lanes that
 * are two pixels, of both. */
struct aim {
    vec shift;
    const int16_t *limit[2];
    int two;
};

INLINE vec shift_and_set(const struct qnt__lowbit_codes *f, size_t i, int column,
                         const int16_t **limit)
{
    const int32_t z = -f->zero * qnt__lowbit_box(&f->box, i, column);
    *limit = f->limit + (z & f->half) * 3 * QNT__LOWBIT_COLUMNS;
    return set_16((int16_t)(z >> f->half));
}

INLINE struct aim take_aim(const struct qnt__lowbit_codes *f, size_t i, int column)
{
    struct aim a = {.two = (int)LANES > (int)HALF && f->box.half != 0};
    a.shift = shift_and_set(f, i, column, &a.limit[0]);
    if (a.two) a.shift = halves(a.shift, shift_and_set(f, i, HALF, &a.limit[1]));
    return a;
}

/* How many thresholds are reached, out of three; `at` is the first number of the lanes. */
INLINE vec count_reached(vec sum, const struct qnt__lowbit_codes *f, const struct aim *a, int at)
{
    vec s = differ(sub_16(sum, a->shift), load(f->flip + at)), n = set_16(3);
    UNROLL for (int t = 0; t < 3; t++, at += QNT__LOWBIT_COLUMNS) {
        vec limit = load(a->limit[0] + at);
        if (a->two) limit = halves(limit, load(a->limit[1] + at));
        n = less_if_below(n, s, limit);
    }
    return n;
}

INLINE void finish(const struct qnt__lowbit_codes *f, size_t i, int column, vec even, vec odd)
{
    const struct aim a = take_aim(f, i, column);
    vec low = count_reached(even, f, &a, column / 2);
    vec high = count_reached(odd, f, &a, column / 2 + HALF);
    store_codes(f->codes + i * QNT__LOWBIT_COLUMNS + column, either(low, low_to_high_16(high)));
}

/* `pixels` pixels from number i on, LANES columns from `column` on; as codes if there is an f. */
INLINE void tile(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f, size_t i, int column,
                 int pixels, int at_once)
{
    struct walk w = {.g = g,
                     .x = g->x + i * g->step,
                     .weight = g->weight + column,
                     .left = g->triples * g->tap_count};
    int32_t *acc = f ? NULL : g->acc + i * QNT__LOWBIT_COLUMNS + column;
    vec wide[PIXELS], odd[PIXELS];
    for (int add = 0; w.left || !add; add = 1) {
        /* codes count modulo 2^16, sums do not */
        add_steps(&w, wide, odd, pixels, at_once, f ? SIZE_MAX : QNT__WIDE_STEPS);
        UNROLL for (int k = 0; k < pixels; k++) {
            vec even = sub_16(wide[k], low_to_high_16(odd[k]));
            if (f) finish(f, i + (size_t)k, column, even, odd[k]);
            else store(even, odd[k], acc + k * QNT__LOWBIT_COLUMNS, add);
        }
    }
}

/* The largest tiles of LANES columns; how many pixels they took. Each of its own, as the compiler
 * deals out registers over a whole function. */
#define TILES(name, at_once)                                                                       \
    static __attribute__((noinline)) size_t name(const struct qnt__lowbit *g,                      \
                                                 const struct qnt__lowbit_codes *f, int column)    \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + PIXELS <= g->m; i += PIXELS) tile(g, f, i, column, PIXELS, at_once);            \
        return i;                                                                                  \
    }
TILES(run_tiles, 1)
#if ASSEMBLED
TILES(run_tiles_of_threes, 3)
TILES(run_tiles_of_fours, 4)
#endif

INLINE void convolve(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    size_t (*run)(const struct qnt__lowbit *, const struct qnt__lowbit_codes *, int) = run_tiles;
#if ASSEMBLED
    if (in_runs(g, 3, g->step)) run = run_tiles_of_threes;
    else if (g->step % 2 == 0 && in_runs(g, 4, g->step / 2)) run = run_tiles_of_fours;
#endif
    for (int c = 0; c < QNT__LOWBIT_COLUMNS; c += LANES)
        for (size_t i = run(g, f, c); i < g->m; i++) tile(g, f, i, c, 1, 1);
}
