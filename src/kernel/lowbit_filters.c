/*
 * Weights of layers that run in tiles, filtered when the layer is made: as the numbers that digits stand
 * for, so that sums need no box sums, and with thresholds for what comes out. Where filters would be many,
 * three taps become a byte instead, and filters are made of these when the layer runs.
 */
#include <string.h>

#include "lowbit.h"
#include "lowbit_filters.h"

enum {
    COLUMNS = QNT__LOWBIT_COLUMNS,
    PLACES = QNT__LOWBIT_PLACES,
    TAPS = 9,
    LARGEST = 6,               /* weight whose filtered forms, 21 times as large at most, are bytes */
    REACH = INT16_MAX / 3 * 2, /* sums of which 3 / 2 are below the largest int16 */
    FEWEST = 16,               /* channels of a group */
    MOST = 7 << 18,            /* bytes of a group's filters, which are to stay in the second cache */
    MOST_SUM = INT32_MAX / 48  /* of sums of tiles */
};

static int32_t weight_of(const struct qnt__lowbit_conv *c, int digit)
{
    return c->zero + digit * c->step;
}

static bool is_small(int32_t weight)
{
    return weight >= -LARGEST && weight <= LARGEST;
}

/* Weights of one bit are looked up faster than their filters are made. */
enum qnt__lowbit_making qnt__lowbit_making(const struct qnt__lowbit_conv *c)
{
    const struct qnt__geometry *g = &c->g;
    size_t group;
    for (int i = 0; i < 2; i++)
        if (g->kernel[i] != 3 || g->stride[i] != 1 || g->dilation[i] != 1) return QNT__NO_FILTERS;
    if (g->channels / g->groups < FEWEST) return QNT__NO_FILTERS;
    if (!is_small(weight_of(c, 0)) || !is_small(weight_of(c, 3))) return QNT__NO_FILTERS;
    if (qnt__lowbit_reach(c) < REACH &&
        qnt__mul(c->blocks, qnt__lowbit_filter_block_bytes(c, false), &group) && group <= MOST)
        return QNT__FILTERS_READY;
    return c->sixes || qnt__lowbit_reach(c) > MOST_SUM ? QNT__NO_FILTERS : QNT__FILTERS_MADE;
}

size_t qnt__lowbit_filter_bytes(const struct qnt__lowbit_conv *c)
{
    const enum qnt__lowbit_making making = qnt__lowbit_making(c);
    const bool made = making == QNT__FILTERS_MADE;
    size_t bytes;
    if (making == QNT__NO_FILTERS) return 0;
    if (!qnt__mul(c->g.groups * c->blocks, qnt__lowbit_filter_block_bytes(c, made), &bytes) ||
        !qnt__add(bytes, made ? QNT__LOWBIT_TABLES : 0, &bytes))
        return SIZE_MAX;
    return bytes;
}

/* The digit of a tap for one channel; in a six, an odd triple is second, and so is the last one of an
 * odd number. */
static int digit_of(const struct qnt__lowbit_conv *c, const uint8_t *column, size_t tap,
                    size_t channel)
{
    const size_t t = channel % c->triples, s = channel / c->triples;
    if (!c->sixes) return column[(t * TAPS + tap) * COLUMNS] >> 2 * s & 3;
    const size_t second = t % 2 || t + 1 == c->triples;
    return column[(t / 2 * TAPS + tap) * COLUMNS] >> (s + 3 * second) & 1;
}

/* Three taps down, w a line apart, doubled. */
static void filter_down(const int32_t *w, int32_t u[4])
{
    u[0] = 2 * w[0];
    u[1] = w[0] + w[3] + w[6];
    u[2] = w[0] - w[3] + w[6];
    u[3] = 2 * w[6];
}

/* Three taps across; with the factors of the results, 24 times what they are. */
static void filter_across(const int32_t w[3], int32_t u[6])
{
    u[0] = 3 * w[0];
    u[1] = w[0] + w[1] + w[2];
    u[2] = w[0] - w[1] + w[2];
    u[3] = w[0] + 2 * w[1] + 4 * w[2];
    u[4] = w[0] - 2 * w[1] + 4 * w[2];
    u[5] = 3 * w[2];
}

/* Places as pixels have them, 4 j + r. */
static void filter_taps(const int32_t w[TAPS], int32_t u[PLACES])
{
    int32_t down[3][4], across[6];
    for (size_t j = 0; j < 3; j++) filter_down(w + j, down[j]);
    for (size_t r = 0; r < 4; r++) {
        filter_across((const int32_t[3]){down[0][r], down[1][r], down[2][r]}, across);
        for (size_t j = 0; j < 6; j++) u[4 * j + r] = across[j];
    }
}

/*
 * Raised pixels add RAISE all[p] to the product of place p, where all[p] is the sum of its filters
 * over channels. Together that is RAISE (all[0] + all[1] + all[2]) and RAISE (all[1] - all[2] +
 * all[3]), and what two of the four begin with makes up for both.
 */
static void find_start(const int32_t all[4], int32_t start[2])
{
    start[0] = -QNT__LOWBIT_RAISE / 2 * (all[0] + 2 * all[1] + all[3]);
    start[1] = -QNT__LOWBIT_RAISE / 2 * (all[0] + 2 * all[2] - all[3]);
}

/* Filters of channel k of a column, at all places. */
static void keep_filters(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_filters *f,
                         size_t column, size_t k, const int32_t u[PLACES])
{
    for (size_t p = 0; p < PLACES; p++) {
        uint8_t *panel = f->panels + (p * QNT__BLOCK_PANELS + column / QNT__PANEL) *
                                         qnt__lowbit_panel_bytes(c);
        panel[k / 4 * 64 + column % QNT__PANEL * 4 + k % 4] = (uint8_t)u[p];
    }
}

/* Its taps, row by row. */
static void keep_taps(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_filters *f,
                      size_t column, size_t k, const int digit[TAPS])
{
    const size_t panel = column / QNT__PANEL * qnt__lowbit_panel_bytes(c);
    uint8_t *cell = f->panels + 3 * (panel + k / 4 * 64);
    for (size_t row = 0; row < 3; row++, digit += 3)
        cell[row * 64 + column % QNT__PANEL * 4 + k % 4] =
            (uint8_t)(digit[0] | digit[1] << 2 | digit[2] << 4);
}

/* What three taps in a row become across, for each j. */
static void fill_tables(const struct qnt__lowbit_conv *c, int8_t *tables)
{
    for (int taps = 0; taps < 64; taps++) {
        int32_t w[3], u[6];
        for (int i = 0; i < 3; i++) w[i] = weight_of(c, taps >> 2 * i & 3);
        filter_across(w, u);
        for (int j = 0; j < 6; j++) tables[64 * j + taps] = (int8_t)u[j];
    }
}

/* Filters of a column; returns the magnitude that none of its sums exceeds, as digits are 0 to 3. Where
 * filters are made, channels that fill up the last cell have the digits 0: their pixels are 0, and what
 * these are raised by is made up for as well. */
static int32_t filter_column(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_filters *f,
                             bool made, const uint8_t *taps, size_t column)
{
    const size_t channels = c->g.channels / c->g.groups;
    int32_t all[PLACES] = {0}, rises = 0, falls = 0;
    for (size_t k = 0; k < (made ? qnt__lowbit_filter_depth(c) : channels); k++) {
        int digit[TAPS] = {0};
        int32_t w[TAPS], u[PLACES];
        for (size_t p = 0; p < TAPS; p++) {
            if (k < channels) digit[p] = digit_of(c, taps + column, p, k);
            w[p] = weight_of(c, digit[p]);
            rises += w[p] > 0 ? 3 * w[p] : 0;
            falls += w[p] < 0 ? -3 * w[p] : 0;
        }
        filter_taps(w, u);
        for (size_t p = 0; p < PLACES; p++) all[p] += u[p];
        if (made) keep_taps(c, f, column, k, digit);
        else keep_filters(c, f, column, k, u);
    }
    for (size_t j = 0; j < PLACES / 4; j++) {
        int32_t start[2];
        find_start(all + 4 * j, start);
        for (size_t i = 0; i < 2; i++) f->start[(2 * j + i) * COLUMNS + column] = start[i];
    }
    return rises > falls ? rises : falls;
}

/*
 * A threshold for what is 3 / 2 of a sum, rounded down, or of pairs 8 times the sum, which grow with it:
 * v >= t where that reaches floor(3 t / 2) or 8 t, and v <= t where it is no more. No sum reaches the
 * largest int16.
 */
static int16_t scale_limit(const struct qnt__lowbit_filters *f, int64_t t, bool falls)
{
    t = falls ? ~t : t;
    t = *f->paired ? 8 * t : (3 * t - (t & 1)) / 2;
    t = falls ? ~t : t;
    return (int16_t)(t < INT16_MIN ? INT16_MIN : t > INT16_MAX ? INT16_MAX : t);
}

static void scale_limits(const struct qnt__lowbit_filters *f, const int32_t *from)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        f->flip[i] = (int16_t)from[3 * COLUMNS + i];
        for (size_t k = 0; k < 3 * COLUMNS; k += COLUMNS)
            f->limit[k + i] = scale_limit(f, from[k + i], f->flip[i]);
    }
}

/*
 * Thresholds of sums and what these are flipped with, [4][64], from those of sums that were halved: one set
 * for each remainder r. With v = 2 s - r set r says s >= ceil((t + r) / 2), so that t is the sum of both
 * less 1; or s <= floor((t + r) / 2), and t is the sum of both.
 */
static void widen(const int16_t *from, int32_t half, int32_t *to)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        const size_t at = i % 2 * (COLUMNS / 2) + i / 2; /* even channels first */
        const int32_t flip = from[(size_t)(half + 1) * 3 * COLUMNS + at];
        to[3 * COLUMNS + i] = flip;
        for (size_t k = 0; k < 3; k++) {
            int32_t t = from[k * COLUMNS + at];
            if (half) {
                const int32_t other = from[(3 + k) * COLUMNS + at];
                t = flip ? ~(~t + ~other) : t + other - 1;
            }
            to[k * COLUMNS + i] = t;
        }
    }
}

/* Thresholds for 48 times the sums, which int32 hold. */
static void widen_limits(const struct qnt__lowbit_filters *f, const int32_t *from)
{
    for (size_t i = 0; i < 3 * COLUMNS; i++) {
        const bool falls = from[3 * COLUMNS + i % COLUMNS];
        int64_t t = 48 * (int64_t)(falls ? ~from[i] : from[i]);
        t = falls ? ~t : t;
        f->wide[i] = (int32_t)(t < INT32_MIN ? INT32_MIN : t > INT32_MAX ? INT32_MAX : t);
    }
    memcpy(f->wide + 3 * COLUMNS, from + 3 * COLUMNS, COLUMNS * sizeof *from);
}

static void take_limits(const struct qnt__lowbit_conv *c, const struct qnt__lowbit_filters *f, bool made,
                        const void *from)
{
    int32_t wide[4 * COLUMNS];
    if (c->limits.half < 0) memcpy(wide, from, sizeof wide);
    else widen(from, c->limits.half, wide);
    if (made) widen_limits(f, wide);
    else scale_limits(f, wide);
}

void qnt__lowbit_filter(const struct qnt__lowbit_conv *c, uint8_t *filters)
{
    const bool made = qnt__lowbit_making(c) == QNT__FILTERS_MADE;
    memset(filters, 0, qnt__lowbit_filter_bytes(c));
    if (made) fill_tables(c, (int8_t *)filters);
    for (size_t b = 0; b < c->g.groups * c->blocks; b++) {
        const struct qnt__lowbit_filters f =
            qnt__lowbit_find_filters(c, made, filters, b / c->blocks, b % c->blocks);
        const size_t n = qnt__min(COLUMNS, c->group_outputs - b % c->blocks * COLUMNS);
        int32_t reach = 0;
        for (size_t column = 0; column < n; column++) {
            const int32_t sum =
                filter_column(c, &f, made, c->taps + b * c->depth * TAPS * COLUMNS, column);
            if (sum > reach) reach = sum;
        }
        if (!c->limits.data) continue;
        *f.paired = 8 * reach < INT16_MAX;
        const void *limits =
            (const uint8_t *)c->limits.data + b * qnt__lowbit_block_bytes(c->limits.half);
        take_limits(c, &f, made, limits);
    }
}
