/*
 * The tile of conv_lowbit and codes_lowbit, for vectors of any width: a table of products is looked up
 * instead of multiplied. The including file defines
 *     vec, LANES, PIXELS            a vector of bytes, how many, pixels of the largest tile
 * and, for a form of bytes that the compiler knows,
 *     struct index, load_index(w, form)   LANES bytes of weights, made ready
 *     struct row, load_row(x, form)       the table's row for a byte of x, or for two
 *     look_up(index, row, form)     LANES products: of triples at most 27, of sixes 18 or 6
 *     ASSEMBLED                     1 if there are, for PIXELS pixels, add_one_tap(sum, x, step, weight,
 *                                   fresh, form), add_three_taps(..), add_four_taps(..) with half of
 *                                   step, and add_two_blocks(.., weight_ld, ..)
 *     add_8 (an asm: regrouped sums would spill), add_16, sub_16, high_16, low_to_high_16
 *     zero(), set_16(x), load(from), differ(a, b)
 *     halves(a, b)                  lower half of a, upper half of b; of 64 lanes only
 *     add_reached(n, s, limit, high)   n and the number of limit[0] <= limit[1] <= limit[2] that s
 *                                   reaches, in 16 bits, that times 256 if `high`
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
 * Otherwise two blocks of outputs share a row: sum[PIXELS + i] are those of the second one. The limits
 * below are multiples of three and of four.
 */
enum {
    QNT__WIDE_STEPS = 65535 / 27 / 12 * 12,
    HALF = QNT__LOWBIT_COLUMNS / 2,
    MOST_SUMS = (1 + ASSEMBLED) * PIXELS
};

/* Steps whose sums fit a byte, as many as are written out. */
INLINE size_t narrow_steps(int form, int at_once)
{
    if (form == QNT__TRIPLES) return at_once == 4 ? 8 : 9;
    if (form == QNT__SIXES_ON_TWO) return 12; /* 12 * 18 = 216 */
    return at_once == 1 ? 12 : 36;            /* 36 * 6 = 216 */
}

/* What a tile is made of: pixels, blocks of outputs, taps that a row serves, the form of bytes. */
struct shape {
    int pixels, blocks, at_once, form;
};

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
INLINE void advance(struct walk *w, vec *sum, struct shape s, int fresh)
{
    size_t place = w->depth;
    if (s.form == QNT__SIXES_ON_TWO) place = 2 * place < w->g->last ? 2 * place : w->g->last;
    const uint8_t *from = w->x + w->g->taps[w->tap] + (ptrdiff_t)place;
#if ASSEMBLED
    if (s.blocks == 2)
        add_two_blocks(sum, from, w->g->step, w->weight, w->g->weight_ld, fresh, s.form);
    else if (s.at_once == 3)
        add_three_taps(sum, from, w->g->step, w->weight, fresh, s.form);
    else if (s.at_once == 4)
        add_four_taps(sum, from, w->g->step / 2, w->weight, fresh, s.form);
    else if (s.pixels == PIXELS)
        add_one_tap(sum, from, w->g->step, w->weight, fresh, s.form);
    else
#endif
        add_tap(sum, from, w->g->step, w->weight, s.pixels, fresh, s.form);
    w->weight += s.at_once * QNT__LOWBIT_COLUMNS;
    w->tap += (size_t)s.at_once;
    if (w->tap == w->g->tap_count) w->tap = 0, w->depth++;
}

/* At most this many steps. Those whose sums fit a byte are written out, so that sums stay in place. */
INLINE void add_steps(struct walk *w, vec *wide, vec *odd, struct shape s, size_t most)
{
    const size_t narrow = narrow_steps(s.form, s.at_once), step = (size_t)s.at_once;
    const int all = s.pixels * s.blocks;
    size_t steps = w->left < most ? w->left : most;
    w->left -= steps;
    UNROLL for (int i = 0; i < all; i++) wide[i] = odd[i] = zero();
    while (steps) {
        vec sum[MOST_SUMS];
        UNROLL for (int i = 0; i < all; i++) sum[i] = zero();
        if (steps >= narrow) {
            UNROLL for (size_t k = 0; k < narrow; k += step) advance(w, sum, s, k == 0);
            steps -= narrow;
        } else {
            UNROLL for (size_t k = 0; k < narrow; k += step) {
                if (k == steps) break;
                advance(w, sum, s, k == 0);
            }
            steps = 0;
        }
        UNROLL for (int i = 0; i < all; i++) {
            wide[i] = add_16(wide[i], sum[i]);
            odd[i] = add_16(odd[i], high_16(sum[i]));
        }
    }
}

/* One block of outputs: as codes, or without f as sums. Nothing of g and f is copied, as loads wait that
 * come right after stores of other widths. */
struct outputs {
    const struct qnt__lowbit *g;
    const struct qnt__lowbit_codes *f;
    const uint8_t *weight;
    int32_t *acc;
    const int16_t *limit, *flip;
    uint8_t *codes;
};

INLINE void find_outputs(struct outputs *o, const struct qnt__lowbit *g,
                         const struct qnt__lowbit_codes *f, size_t block)
{
    o->g = g;
    o->f = f;
    o->weight = g->weight + block * g->weight_ld;
    if (f) {
        o->limit = f->limit + block * f->limit_ld;
        o->flip = f->flip + block * f->limit_ld;
        o->codes = f->codes + block * QNT__LOWBIT_COLUMNS;
    } else {
        o->acc = g->acc + block * g->m * QNT__LOWBIT_COLUMNS;
    }
}

/* What the box sum of a pixel makes of thresholds: of the pixel with these columns, or, of 64 lanes that
 * are two pixels, of both. */
struct aim {
    vec shift;
    const int16_t *limit[2];
    int two;
};

INLINE vec shift_and_set(const struct outputs *o, size_t i, int column, const int16_t **limit)
{
    const struct qnt__lowbit_codes *f = o->f;
    const int32_t z = -f->zero * qnt__lowbit_box(&f->box, i, column);
    *limit = o->limit + (z & f->half) * 3 * QNT__LOWBIT_COLUMNS;
    return set_16((int16_t)(z >> f->half));
}

INLINE struct aim take_aim(const struct outputs *o, size_t i, int column, int two)
{
    struct aim a = {.two = two};
    a.shift = shift_and_set(o, i, column, &a.limit[0]);
    if (two) a.shift = halves(a.shift, shift_and_set(o, i, HALF, &a.limit[1]));
    return a;
}

/* How many thresholds are reached, out of three, added to n; `at` is the first number of the lanes. */
INLINE vec count_reached(vec n, vec sum, vec flip, const struct aim *a, int at, int high)
{
    vec limit[3];
    UNROLL for (int t = 0; t < 3; t++, at += QNT__LOWBIT_COLUMNS) {
        limit[t] = load(a->limit[0] + at);
        if (a->two) limit[t] = halves(limit[t], load(a->limit[1] + at));
    }
    return add_reached(n, differ(sub_16(sum, a->shift), flip), limit, high);
}

/* Sums of 16 bits, of even and of odd channels. */
struct total {
    vec even, odd;
};

INLINE void find_codes(const struct outputs *outputs, size_t i, int column, const struct total *sum,
                       int pixels, int two)
{
    const struct qnt__lowbit_codes f = *outputs->f; /* which no byte of codes is part of */
    struct outputs o = *outputs;
    o.f = &f;
    if ((int)LANES == (int)QNT__LOWBIT_COLUMNS) column = 0; /* compilers do not know */
    const vec flip[2] = {load(o.flip + column / 2), load(o.flip + column / 2 + HALF)};
    for (int k = 0; k < pixels; k++) {
        const struct aim a = take_aim(&o, i + (size_t)k, column, two);
        vec n = count_reached(zero(), sum[k].even, flip[0], &a, column / 2, 0);
        n = count_reached(n, sum[k].odd, flip[1], &a, column / 2 + HALF, 1);
        store_codes(o.codes + (i + (size_t)k) * f.step + column, n);
    }
}

/* Once for all forms of tiles. */
static __attribute__((noinline)) void finish(const struct outputs *o, size_t i, int column,
                                             const struct total *sum, int pixels, int add)
{
    if (o->f) {
        if ((int)LANES > (int)HALF && o->f->box.half)
            find_codes(o, i, column, sum, pixels, 1);
        else
            find_codes(o, i, column, sum, pixels, 0);
        return;
    }
    int32_t *acc = o->acc + i * QNT__LOWBIT_COLUMNS + column;
    for (int k = 0; k < pixels; k++, acc += QNT__LOWBIT_COLUMNS)
        store(sum[k].even, sum[k].odd, acc, add);
}

/* The pixels of a tile from number i on, LANES columns from `column` on. */
INLINE void tile(const struct outputs *o, size_t i, int column, struct shape s)
{
    const struct qnt__lowbit *g = o->g;
    struct walk w = {.g = g,
                     .x = g->x + i * g->step,
                     .weight = o->weight + column,
                     .left = g->depth * g->tap_count};
    vec wide[MOST_SUMS], odd[MOST_SUMS];
    struct total sum[MOST_SUMS];
    for (int add = 0; w.left || !add; add = 1) {
        /* codes count modulo 2^16, sums do not */
        add_steps(&w, wide, odd, s, o->f ? SIZE_MAX : QNT__WIDE_STEPS);
        UNROLL for (int k = 0; k < s.pixels * s.blocks; k++) {
            sum[k].even = sub_16(wide[k], low_to_high_16(odd[k]));
            sum[k].odd = odd[k];
        }
        for (int b = 0; b < s.blocks; b++)
            finish(o + b, i, column, sum + b * s.pixels, s.pixels, add);
    }
}

/* The largest tiles of LANES columns; how many pixels they took. Each of its own, as the compiler
 * deals out registers over a whole function. */
#define TILES(name, of_blocks, of_taps, of_form)                                                   \
    static __attribute__((noinline)) size_t name(const struct outputs *o, int column)              \
    {                                                                                              \
        const struct shape shape = {PIXELS, of_blocks, of_taps, of_form};                          \
        size_t i = 0;                                                                              \
        for (; i + PIXELS <= o->g->m; i += PIXELS) tile(o, i, column, shape);                      \
        return i;                                                                                  \
    }

/* What is left, pixel by pixel. */
#define REST(name, of_form)                                                                        \
    static __attribute__((noinline)) void name(const struct outputs *o, size_t i, int column)      \
    {                                                                                              \
        const struct shape shape = {1, 1, 1, of_form};                                             \
        for (; i < o->g->m; i++) tile(o, i, column, shape);                                        \
    }

/* Ways to serve: one tap, three, four, or two blocks. */
#define FORM(name, form)                                                                           \
    TILES(name##_by_one, 1, 1, form) BY_MANY(name, form) REST(name##_rest, form)
#if ASSEMBLED
#define BY_MANY(name, form)                                                                        \
    TILES(name##_by_three, 1, 3, form)                                                             \
    TILES(name##_by_four, 1, 4, form) TILES(name##_by_blocks, 2, 1, form)
#define BY(name) {name##_by_one, name##_by_three, name##_by_four, name##_by_blocks}
#else
#define BY_MANY(name, form)
#define BY(name) {name##_by_one}
#endif
enum { BY_ONE, BY_THREE, BY_FOUR, BY_BLOCKS, WAYS };
FORM(triples, QNT__TRIPLES)
FORM(sixes_on_two, QNT__SIXES_ON_TWO)
FORM(sixes, QNT__SIXES_ON_SIX)

INLINE int find_way(const struct qnt__lowbit *g)
{
#if ASSEMBLED
    if (in_runs(g, 3, g->step)) return BY_THREE;
    if (g->step % 2 == 0 && in_runs(g, 4, g->step / 2)) return BY_FOUR;
    if (g->blocks == 2) return BY_BLOCKS;
#endif
    (void)g;
    return BY_ONE;
}

typedef size_t (*tiles_fn)(const struct outputs *, int);
typedef void (*rest_fn)(const struct outputs *, size_t, int);

INLINE void convolve(const struct qnt__lowbit *g, const struct qnt__lowbit_codes *f)
{
    static const tiles_fn run[][WAYS] = {[QNT__TRIPLES] = BY(triples),
                                         [QNT__SIXES_ON_TWO] = BY(sixes_on_two),
                                         [QNT__SIXES_ON_SIX] = BY(sixes)};
    static const rest_fn rest[] = {[QNT__TRIPLES] = triples_rest,
                                   [QNT__SIXES_ON_TWO] = sixes_on_two_rest,
                                   [QNT__SIXES_ON_SIX] = sixes_rest};
    const int way = find_way(g);
    struct outputs o[2];
    for (size_t b = 0; b < g->blocks; b++) find_outputs(&o[b], g, f, b);
    size_t done = way == BY_BLOCKS ? run[g->form][way](o, 0) : 0;
    for (size_t b = 0; b < g->blocks; b++) {
        for (int c = 0; c < QNT__LOWBIT_COLUMNS; c += LANES) {
            if (way != BY_BLOCKS) done = run[g->form][way](&o[b], c);
            if (done < g->m) rest[g->form](&o[b], done, c);
        }
    }
}
