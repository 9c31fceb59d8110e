/*
 * The tile of conv_lowbit, for vectors of any width: a table of products is looked up instead of
 * multiplied. The including file defines
 *     vec, LANES, PIXELS            a vector of bytes, how many, pixels of the largest tile
 *     struct index, load_index(w)   LANES bytes of weights, made ready
 *     struct row, load_row(x)       the table's row for a byte of x
 *     look_up(index, row)           LANES products of three digits each, at most 27
 *     SLIDE                         1 if registers suffice for three indices
 *     add_8 (an asm: regrouped sums would spill), add_16, sub_16, high_16, low_to_high_16
 *     zero()
 *     store(even, odd, acc, add)    16-bit sums of even and odd channels as int32
 *
 * Nine look-ups (9 * 27 = 243) fit a byte. Then they move to sums of 16 bits: `wide` takes odd * 256 +
 * even modulo 2^16, `odd` the odd channels; even = wide - odd * 256 is exact while it is below 2^16.
 *
 * Where taps come in threes that are neighbouring pixels, a row is loaded once for three taps. Both
 * limits below are multiples of three.
 */
enum { QNT__NARROW_STEPS = 9, QNT__WIDE_STEPS = 65535 / 27 };

struct at { size_t triple, tap; };

INLINE void add_tap(vec *sum, const uint8_t *x, size_t step, const uint8_t *weight, int pixels)
{
    struct index index = load_index(weight);
    UNROLL for (int i = 0; i < pixels; i++) {
        sum[i] = add_8(sum[i], look_up(index, load_row(x[(size_t)i * step])));
    }
}

INLINE void add_three_taps(vec *sum, const uint8_t *x, size_t step, const uint8_t *weight, int pixels)
{
    struct index index[3] = {load_index(weight), load_index(weight + QNT__LOWBIT_COLUMNS),
                             load_index(weight + 2 * QNT__LOWBIT_COLUMNS)};
    UNROLL for (int i = -2; i < pixels; i++) {
        struct row row = load_row(x[(size_t)(i + 2) * step]);
        UNROLL for (int d = 2; d >= 0; d--) {
            int to = i + 2 - d;
            if (to >= 0 && to < pixels) sum[to] = add_8(sum[to], look_up(index[d], row));
        }
    }
}

static int in_threes(const struct qnt__lowbit *g)
{
    if (g->tap_count % 3) return 0;
    for (size_t p = 0; p < g->tap_count; p++) {
        if (p % 3 && g->taps[p] - g->taps[p - 1] != (ptrdiff_t)g->step) return 0;
    }
    return 1;
}

INLINE void tile(const struct qnt__lowbit *g, const uint8_t *x, const uint8_t *weight, int32_t *acc,
                 int pixels, size_t at_once)
{
    size_t left = g->triples * g->tap_count;
    struct at at = {0, 0};
    for (int add = 0; left || !add; add = 1) {
        vec wide[PIXELS], odd[PIXELS];
        UNROLL for (int i = 0; i < pixels; i++) wide[i] = odd[i] = zero();
        size_t block = left < QNT__WIDE_STEPS ? left : QNT__WIDE_STEPS;
        left -= block;
        while (block) {
            size_t steps = block < QNT__NARROW_STEPS ? block : QNT__NARROW_STEPS;
            vec sum[PIXELS];
            block -= steps;
            UNROLL for (int i = 0; i < pixels; i++) sum[i] = zero();
            for (; steps; steps -= at_once) {
                const uint8_t *from = x + g->taps[at.tap] + (ptrdiff_t)at.triple;
                if (at_once == 3) add_three_taps(sum, from, g->step, weight, pixels);
                else add_tap(sum, from, g->step, weight, pixels);
                weight += at_once * QNT__LOWBIT_COLUMNS;
                at.tap += at_once;
                if (at.tap == g->tap_count) at.tap = 0, at.triple++;
            }
            UNROLL for (int i = 0; i < pixels; i++) {
                wide[i] = add_16(wide[i], sum[i]);
                odd[i] = add_16(odd[i], high_16(sum[i]));
            }
        }
        UNROLL for (int i = 0; i < pixels; i++) {
            vec even = sub_16(wide[i], low_to_high_16(odd[i]));
            store(even, odd[i], acc + (size_t)i * QNT__LOWBIT_COLUMNS, add);
        }
    }
}

INLINE void conv_lowbit(const struct qnt__lowbit *g)
{
    const int slide = SLIDE && in_threes(g);
    for (int c = 0; c < QNT__LOWBIT_COLUMNS; c += LANES) {
        const uint8_t *x = g->x;
        int32_t *acc = g->acc + c;
        size_t m = g->m;
        for (; m >= PIXELS; m -= PIXELS) {
            if (slide) tile(g, x, g->weight + c, acc, PIXELS, 3);
            else tile(g, x, g->weight + c, acc, PIXELS, 1);
            x += PIXELS * g->step, acc += PIXELS * QNT__LOWBIT_COLUMNS;
        }
        for (; m; m--) {
            tile(g, x, g->weight + c, acc, 1, 1);
            x += g->step, acc += QNT__LOWBIT_COLUMNS;
        }
    }
}
