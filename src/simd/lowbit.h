/*
 * The tile of conv_lowbit, for vectors of any width: a table of products is looked up instead of
 * multiplied. The including file defines
 *     vec, LANES, PIXELS            a vector of bytes, how many, pixels of the largest tile
 *     KEEP(v)                       an empty asm that keeps the compiler from regrouping sums, which
 *                                   spills registers
 *     struct index, load_index(w)   LANES bytes of weights, made ready
 *     look_up(index, x)             LANES products of three digits each, at most 27
 *     add_8, add_16, sub_16, high_16, low_to_high_16
 *     zero()
 *     store(even, odd, acc, add)    16-bit sums of even and odd channels as int32
 *
 * Nine look-ups (9 * 27 = 243) fit a byte. Then they move to sums of 16 bits: `wide` takes odd * 256 +
 * even modulo 2^16, `odd` the odd channels; even = wide - odd * 256 is exact while it is below 2^16.
 */
enum { QNT__NARROW_STEPS = 9, QNT__WIDE_STEPS = 65535 / 27 };

struct at { size_t triple, tap; };

INLINE void tile(const struct qnt__lowbit *g, const uint8_t *x, const uint8_t *weight, int32_t *acc,
                 int pixels)
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
            for (; steps; steps--) {
                const uint8_t *from = x + g->taps[at.tap] + (ptrdiff_t)at.triple;
                struct index index = load_index(weight);
                UNROLL for (int i = 0; i < pixels; i++) {
                    sum[i] = add_8(sum[i], look_up(index, from[(size_t)i * g->step]));
                    KEEP(sum[i]);
                }
                weight += QNT__LOWBIT_COLUMNS;
                if (++at.tap == g->tap_count) at.tap = 0, at.triple++;
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
    for (int c = 0; c < QNT__LOWBIT_COLUMNS; c += LANES) {
        const uint8_t *x = g->x;
        int32_t *acc = g->acc + c;
        size_t m = g->m;
        for (; m >= PIXELS; m -= PIXELS) {
            tile(g, x, g->weight + c, acc, PIXELS);
            x += PIXELS * g->step, acc += PIXELS * QNT__LOWBIT_COLUMNS;
        }
        for (; m; m--) {
            tile(g, x, g->weight + c, acc, 1);
            x += g->step, acc += QNT__LOWBIT_COLUMNS;
        }
    }
}
