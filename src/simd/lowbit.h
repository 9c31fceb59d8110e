/*
 * The tile of conv_lowbit and codes_lowbit, for vectors of any width: a table of products is looked up
 * instead of multiplied. The including file defines
 *     vec, LANES, PIXELS            a vector of bytes, how many, pixels of the largest tile
 * and, for a form of bytes that the compiler knows,
 *     struct index, load_index(w, form)   LANES bytes of weights, made ready
 *     struct row, load_row(x, form)       the table's row for a byte of x, or for two
 *     look_up(index, row, form)     LANES products: of triples at most 27, of sixes 18 or 6
 *     ASSEMBLED                     1 if there are, for PIXELS pixels, add_one_tap(sum, x, step, weight,
 *                                   fresh, form), add_three_taps(..), and add_four_taps(..) with half of
 *                                   step
 *     add_8 (an asm: regrouped sums would spill), add_16, sub_16, high_16, low_to_high_16
 *     zero(), set_16(x), load(from), either(a, b), differ(a, b)
 *     halves(a, b)                  lower half of a, upper half of b; of 64 lanes only
 *     less_if_below(n, s, limit)    n less 1 in 16 bits where s < limit
 *     store(even, odd, acc, add)    16-bit sums of even and odd channels as int32
 *     store_codes(codes, v)
 *
 * Nine look-ups of triples (9 * 27 = 243) fit a byte, and of sixes more. Then they move to sums of 16
 * bits: `wide` takes odd * 256 + even modulo 2^16, `odd` the odd channels; even = wide - odd * 256 is exact
 * modulo 2^16.
 *
 * Where taps come in threes that are neighbouring pixels and registers suffice for three indices, a row
 * is loaded once for three taps: sum[i] takes the products of pixels i to i + 2, for all PIXELS pixels of
 * a tile. Likewise for two pixels where taps come in fours, half a pixel from each other: pairs of pixels.
 * The limits below are multiples of three and of four.
 */
enum { QNT__WIDE_STEPS = 65535 / 27 / 12 * 12 };

/* Steps whose sums fit a byte, as many as are written out. */
INLINE size_t narrow_steps(int form, int at_once)
{
    if (form == QNT__TRIPLES) return at_once == 4 ? 8 : 9;
    if (form == QNT__SIXES_ON_TWO) return 12; /* 12 * 18 = 216 */
    return at_once == 1 ? 12 : 36;            /* 36 * 6 = 216 */
}

/* Where a tile is: what comes next, and how many steps are left. */
struct walk {
    const struct qnt__lowbit *g;
    const uint8_t *x, *weight;
    size_t depth, tap, left;
};

INLINE vec plus(vec sum, vec product, int fresh)
{
    return fresh ? product : add_8(sum, product);
}

INLINE void add_tap(vec *sum, const uint8_t *x, size_t step, const uint8_t *weight, int pixels,
                    int fresh, int form)
{
    struct index index = load_index(weight, form);
    UNROLL for (int i = 0; i < pixels; i++) {
        sum[i] = plus(sum[i], look_up(index, load_row(x + (size_t)i * step, form), form), fresh);
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
INLINE void advance(struct walk *w, vec *sum, int pixels, int at_once, int fresh, int form)
{
    size_t place = w->depth;
    if (form == QNT__SIXES_ON_TWO) place = 2 * place < w->g->last ? 2 * place : w->g->last;
    const uint8_t *from = w->x + w->g->taps[w->tap] + (ptrdiff_t)place;
#if ASSEMBLED
    if (at_once == 3)
        add_three_taps(sum, from, w->g->step, w->weight, fresh, form);
    else if (at_once == 4)
        add_four_taps(sum, from, w->g->step / 2, w->weight, fresh, form);
    else if (pixels == PIXELS)
        add_one_tap(sum, from, w->g->step, w->weight, fresh, form);
    else
#endif
        add_tap(sum, from, w->g->step, w->weight, pixels, fresh, form);
    w->weight += at_once * QNT__LOWBIT_COLUMNS;
    w->tap += (size_t)at_once;
    if (w->tap == w->g->tap_count) w->tap = 0, w->depth++;
}

/* At most this many steps. Those whose sums fit a byte are written out, so that sums stay in place. */
INLINE void add_steps(struct walk *w, vec *wide, vec *odd, int pixels, int at_once, size_t most,
                      int form)
{
    const size_t narrow = narrow_steps(form, at_once);
    size_t block = w->left < most ? w->left : most;
    w->left -= block;
    UNROLL for (int i = 0; i < pixels; i++) wide[i] = odd[i] = zero();
    while (block) {
        vec sum[PIXELS];
        UNROLL for (int i = 0; i < pixels; i++) sum[i] = zero();
        if (block >= narrow) {
            UNROLL for (size_t s = 0; s < narrow; s += (size_t)at_once)
                advance(w, sum, pixels, at_once, s == 0, form);
            block -= narrow;
        } else {
            for (; block; block -= (size_t)at_once) advance(w, sum, pixels, at_once, 0, form);
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

/* Sums of 16 bits, of even and of odd channels. */
struct total {
    vec even, odd;
};

INLINE void finish_pixels(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f, size_t i,
                          int column, const struct total *sum, int pixels, int add)
{
    if (f) {
        UNROLL for (int k = 0; k < pixels; k++)
            finish(f, i + (size_t)k, column, sum[k].even, sum[k].odd);
        return;
    }
    int32_t *acc = g->acc + i * QNT__LOWBIT_COLUMNS + column;
    for (int k = 0; k < pixels; k++, acc += QNT__LOWBIT_COLUMNS)
        store(sum[k].even, sum[k].odd, acc, add);
}

/* Once for all forms of tiles, as it takes long to compile. */
static __attribute__((noinline)) void finish_tile(const struct qnt__lowbit *g,
                                                  const struct qnt__lowbit_codes *f, size_t i,
                                                  int column, const struct total *sum, int add)
{
    finish_pixels(g, f, i, column, sum, PIXELS, add);
}

static __attribute__((noinline)) void finish_pixel(const struct qnt__lowbit *g,
                                                   const struct qnt__lowbit_codes *f, size_t i,
                                                   int column, const struct total *sum, int add)
{
    finish_pixels(g, f, i, column, sum, 1, add);
}

/* `pixels` pixels from number i on, LANES columns from `column` on; as codes if there is an f. */
INLINE void tile(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f, size_t i, int column,
                 int pixels, int at_once, int form)
{
    struct walk w = {.g = g,
                     .x = g->x + i * g->step,
                     .weight = g->weight + column,
                     .left = g->depth * g->tap_count};
    vec wide[PIXELS], odd[PIXELS];
    struct total sum[PIXELS];
    for (int add = 0; w.left || !add; add = 1) {
        /* codes count modulo 2^16, sums do not */
        add_steps(&w, wide, odd, pixels, at_once, f ? SIZE_MAX : QNT__WIDE_STEPS, form);
        UNROLL for (int k = 0; k < pixels; k++) {
            sum[k].even = sub_16(wide[k], low_to_high_16(odd[k]));
            sum[k].odd = odd[k];
        }
        if (pixels == PIXELS) finish_tile(g, f, i, column, sum, add);
        else finish_pixel(g, f, i, column, sum, add);
    }
}

/* The largest tiles of LANES columns; how many pixels they took. Each of its own, as the compiler
 * deals out registers over a whole function. */
#define TILES(name, at_once, form)                                                                 \
    static __attribute__((noinline)) size_t name(const struct qnt__lowbit *g,                      \
                                                 const struct qnt__lowbit_codes *f, int column)    \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + PIXELS <= g->m; i += PIXELS) tile(g, f, i, column, PIXELS, at_once, form);      \
        return i;                                                                                  \
    }

/* What is left, pixel by pixel. */
#define REST(name, form)                                                                           \
    static __attribute__((noinline)) void name(                                                    \
        const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f, size_t i, int column)      \
    {                                                                                              \
        for (; i < g->m; i++) tile(g, f, i, column, 1, 1, form);                                   \
    }

#define FORM(name, form)                                                                           \
    TILES(name##_by_one, 1, form) BY_MANY(name, form) REST(name##_rest, form)
#if ASSEMBLED
#define BY_MANY(name, form) TILES(name##_by_three, 3, form) TILES(name##_by_four, 4, form)
#define BY(name) {name##_by_one, name##_by_three, name##_by_four}
enum { WAYS = 3 };
#else
#define BY_MANY(name, form)
#define BY(name) {name##_by_one}
enum { WAYS = 1 };
#endif
FORM(triples, QNT__TRIPLES)
FORM(sixes_on_two, QNT__SIXES_ON_TWO)
FORM(sixes, QNT__SIXES_ON_SIX)

typedef size_t (*tiles_fn)(const struct qnt__lowbit *, const struct qnt__lowbit_codes *, int);
typedef void (*rest_fn)(const struct qnt__lowbit *, const struct qnt__lowbit_codes *, size_t, int);

INLINE void convolve(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    static const tiles_fn run[][WAYS] = {[QNT__TRIPLES] = BY(triples),
                                         [QNT__SIXES_ON_TWO] = BY(sixes_on_two),
                                         [QNT__SIXES_ON_SIX] = BY(sixes)};
    static const rest_fn rest[] = {[QNT__TRIPLES] = triples_rest,
                                   [QNT__SIXES_ON_TWO] = sixes_on_two_rest,
                                   [QNT__SIXES_ON_SIX] = sixes_rest};
    int way = 0;
#if ASSEMBLED
    if (in_runs(g, 3, g->step)) way = 1;
    else if (g->step % 2 == 0 && in_runs(g, 4, g->step / 2)) way = 2;
#endif
    for (int c = 0; c < QNT__LOWBIT_COLUMNS; c += LANES)
        rest[g->form](g, f, run[g->form][way](g, f, c), c);
}
