/*
 * Matrix kernels of every level against the portable definition, byte for byte: random shapes with
 * all tails, extremes, wrapping sums, any alignment, guard pages around all inputs, outputs
 * compared with all that lies between and around their rows.
 *
 * A level's table holds the best version up to that level, so a slot without a version of its own
 * is tested once more through a lower one.
 */
#include "base/arith.h"
#include "check.h"
#include "simd/layout.h"
#include "simd_levels.h"

enum { ROUNDS = 400, MAX_TAPS = 9 };

static const int widths[] = {8, 4, 3, 2};

/* Random bytes, or one of the extremes everywhere. */
static void fill(uint8_t *bytes, size_t size, int kind)
{
    static const uint8_t extremes[] = {0x00, 0xff, 0x80, 0x7f};
    for (size_t i = 0; i < size; i++) {
        bytes[i] = kind < 4 ? extremes[kind] : (uint8_t)(random_u64() >> 40);
    }
}

enum { LARGEST = 1 };

static bool only_largest; /* inputs are of that kind */

static int random_kind(void)
{
    if (only_largest) return LARGEST;
    return random_in(0, 2) ? 4 : (int)random_in(0, 3);
}

/* A guarded block of random bytes that ends, or begins, at a page nobody may touch. */
static guarded input(size_t size, int kind)
{
    guarded g = guard(size, random_in(0, 1));
    fill(g.data, size, kind);
    return g;
}

/* Rows at a common distance in one block, each `reach` elements long. */
static size_t place_rows(size_t m, size_t reach, size_t *stride)
{
    *stride = reach + (size_t)random_in(0, 9);
    return (m - 1) * *stride + reach;
}

/* Taps at random places, overlapping or not, the first at 0; returns how far they reach. */
static size_t place_taps(size_t tap_count, size_t depth, ptrdiff_t *taps)
{
    size_t reach = depth * tap_count + (tap_count > 1 ? (size_t)random_in(0, 20) : 0);
    for (size_t t = 0; t < tap_count; t++)
        taps[t] = (ptrdiff_t)random_in(0, (int64_t)(reach - depth));
    taps[tap_count - 1] = (ptrdiff_t)(reach - depth);
    taps[0] = 0;
    return reach;
}

/* Two copies of an output with the same random content: one for C, one for the version under
 * test. */
struct output {
    guarded block;
    uint8_t *expected, *before;
    size_t size;
};

static struct output output(size_t size)
{
    struct output o = {.block = guard(size, random_in(0, 1)), .expected = malloc(size),
                       .before = malloc(size), .size = size};
    fill(o.before, size, 4);
    memcpy(o.expected, o.before, size);
    return o;
}

static bool output_matches(const struct output *o)
{
    return memcmp(o->block.data, o->expected, o->size) == 0;
}

static void output_free(struct output *o)
{
    unguard(&o->block);
    free(o->expected);
    free(o->before);
}

/* ---- gemm_s8 ---- */

/* Pairs of weights that add up to at most 127, 128 or 129 in each 64 bytes, often exactly: 255 times
 * 129 no longer fits into 16 bits, where some kernels add pairs. Some reach it on one side only. */
static void fill_near_limit(uint8_t *w, size_t size)
{
    int64_t side = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        if (i % 64 == 0) side = random_in(-1, 1);
        int64_t limit = 127 + (int64_t)(i / 64 * 7 % 3);
        int64_t sum = random_in(side > 0 ? 0 : -limit, side < 0 ? 0 : limit);
        if (random_in(0, 1)) sum = sum < 0 ? -limit : limit;
        int64_t low = sum >= 0 ? sum - 127 : -128, high = sum < 0 ? sum + 128 : 127;
        int64_t first = random_in(low, high);
        w[i] = (uint8_t)first;
        w[i + 1] = (uint8_t)(sum - first);
    }
}

/* Stretches of zeros in some of the rows, as padding is: kernels may leave them out. */
static void zero_stretches(uint8_t *x, size_t m, size_t stride, size_t reach)
{
    for (size_t i = 0; i < m; i++) {
        size_t first = (size_t)random_in(0, (int64_t)reach), end = (size_t)random_in(0, (int64_t)reach);
        if (random_in(0, 3) == 0) first = 0, end = reach;
        if (first < end && random_in(0, 1)) memset(x + i * stride + first, 0, end - first);
    }
}

static void gemm_s8_once(size_t m, size_t panels, size_t tap_count, size_t depth, int bits)
{
    ptrdiff_t taps[MAX_TAPS];
    size_t stride, reach = place_taps(tap_count, depth, taps);
    size_t row_bytes = place_rows(m, reach, &stride);
    size_t cell_bytes = qnt__cell_bytes(bits), cells = depth / qnt__cell_depth(bits) * tap_count;
    size_t gap = random_in(0, 2) ? 0 : cell_bytes * (size_t)random_in(1, 5);
    size_t used = cells * cell_bytes + (tap_count - 1) * gap;
    size_t panel_bytes = used + 32 * (size_t)random_in(0, 1);
    size_t weight_bytes = (panels - 1) * panel_bytes + used;
    guarded x = input(row_bytes, random_kind()), w = input(weight_bytes, random_kind());
    if (bits == 8 && random_in(0, 1)) {
        fill_near_limit(w.data, weight_bytes);
        if (random_in(0, 1)) fill(x.data, row_bytes, 1);
    }
    if (!only_largest && random_in(0, 1)) zero_stretches(x.data, m, stride, reach);
    size_t ld = panels * QNT__PANEL + (size_t)random_in(0, 5);
    struct output y = output(((m - 1) * ld + panels * QNT__PANEL) * sizeof(int32_t));
    const uint8_t *rows[QNT__GEMM_ROWS];
    for (size_t i = 0; i < m; i++) rows[i] = x.data + i * stride;
    guarded start = input(panels * QNT__PANEL * sizeof(int32_t), random_kind());

    struct qnt__gemm g = {.rows = rows, .taps = taps, .weight = w.data, .m = m, .panels = panels,
                          .tap_count = tap_count, .depth = depth, .panel_bytes = panel_bytes,
                          .gap = gap, .ld = ld, .bits = bits,
                          .start = bits == 8 && random_in(0, 1) ? (const void *)start.data : NULL,
                          .results = random_results()};
    g.acc = (void *)y.expected;
    qnt__gemm_s8_c(&g);
    for (int l = 0; l < levels; l++) {
        memcpy(y.block.data, y.before, y.size);
        g.acc = (void *)y.block.data;
        tables[l].gemm_s8(&g);
        CHECK_MSG(output_matches(&y), "%s m %zu panels %zu taps %zu depth %zu gap %zu bits %d",
                  names[l], m, panels, tap_count, depth, gap, bits);
    }
    output_free(&y);
    unguard(&x), unguard(&w), unguard(&start);
}

static void gemm_s8(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        int bits = widths[i % 4];
        size_t cells = (size_t)(random_in(0, 3) ? random_in(1, 9) : random_in(10, 70));
        gemm_s8_once((size_t)random_in(1, QNT__GEMM_ROWS), (size_t)random_in(1, QNT__BLOCK_PANELS),
                     (size_t)(random_in(0, 1) ? 1 : random_in(1, MAX_TAPS)),
                     cells * qnt__cell_depth(bits), bits);
    }
}

/* Every number of rows and panels at least once. */
static void gemm_s8_shapes(void)
{
    for (size_t m = 1; m <= QNT__GEMM_ROWS; m += m < QNT__BLOCK_ROWS ? 1 : 5) {
        for (size_t panels = 1; panels <= QNT__BLOCK_PANELS; panels++) {
            for (int b = 0; b < 4; b++) gemm_s8_once(m, panels, 1 + m % 3, 48, widths[b]);
        }
    }
}

/* Sums beyond int32 wrap alike. */
static void gemm_s8_wraps(void)
{
    for (int i = 0; i < 12; i++) {
        size_t m = i < 8 ? 1 : (size_t)random_in(2, 6);
        gemm_s8_once(m, 1, i % 2 ? 1 : 3, 16 * (size_t)random_in(4200, i % 2 ? 20000 : 7000),
                     widths[i % 4]);
    }
}

/* One row so long that its largest sums leave 32 bits where fields are multiplied above their place. */
static void gemm_s8_long_row(void)
{
    only_largest = true;
    for (int b = 1; b < 4; b++) {
        gemm_s8_once(1, 1, 1, qnt__cell_depth(widths[b]) * 16384, widths[b]);
        gemm_s8_once(1, 1, 1, qnt__cell_depth(widths[b]) * 90000, widths[b]);
    }
    only_largest = false;
}

/* ---- prepared rows ---- */

/* Activations of which many are 255 behind large ones, or few. */
static void fill_near_255(uint8_t *row, size_t size)
{
    const int64_t one_in = random_in(0, 1) ? 2 : 60;
    for (size_t k = 0; k < size; k++)
        if (random_in(1, one_in) == 1) row[k] = (uint8_t)random_in(252, 255);
}

static guarded prepared_input(size_t size)
{
    guarded x = input(size, random_kind());
    if (random_in(0, 2) == 0) fill_near_255(x.data, size);
    return x;
}

static void prepare_row(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        const size_t depth = 4 * (size_t)(i < 100 ? i + 1 : random_in(1, 700));
        guarded row = prepared_input(depth);
        struct output y = output(qnt__prepared_bytes(depth));
        qnt__prepare_row_c(row.data, depth, y.expected);
        for (int l = 0; l < levels; l++) {
            memcpy(y.block.data, y.before, y.size);
            tables[l].prepare_row(row.data, depth, y.block.data);
            CHECK_MSG(output_matches(&y), "%s depth %zu", names[l], depth);
        }
        output_free(&y);
        unguard(&row);
    }
}

/* Rows that are said to be done: in order, once, with sums that are complete. */
struct done {
    const int32_t *acc, *expected;
    size_t ld, columns, rows;
    bool right;
};

static void rows_done(void *of, size_t row, size_t rows)
{
    struct done *d = of;
    d->right = d->right && row == d->rows;
    d->rows += rows;
    for (size_t at = row * d->ld; at < d->rows * d->ld && d->right; at += d->ld)
        d->right = memcmp(d->acc + at, d->expected + at, d->columns * sizeof *d->acc) == 0;
}

/* Against the product of the rows as they are. */
static void gemm_prepared_once(size_t m, size_t panels, size_t depth)
{
    static const ptrdiff_t tap;
    const size_t row_step = depth + (size_t)random_in(0, 3), bytes = qnt__prepared_bytes(depth);
    const size_t used = depth * QNT__PANEL, panel_bytes = used + 64 * (size_t)random_in(0, 1);
    const size_t weight_bytes = (panels - 1) * panel_bytes + used;
    guarded x = prepared_input((m - 1) * row_step + depth), w = input(weight_bytes, random_kind()),
            prepared = input(m * bytes, random_kind());
    const size_t ld = panels * QNT__PANEL + (size_t)random_in(0, 5);
    struct output y = output(((m - 1) * ld + panels * QNT__PANEL) * sizeof(int32_t));
    for (size_t i = 0; i < m; i++) {
        const uint8_t *row = x.data + i * row_step;
        const struct qnt__gemm g = {.rows = &row, .taps = &tap, .weight = w.data, .m = 1, .panels = panels,
                                    .tap_count = 1, .depth = depth, .panel_bytes = panel_bytes, .ld = ld,
                                    .bits = 8, .acc = (int32_t *)(void *)y.expected + i * ld};
        qnt__gemm_s8_c(&g);
        qnt__prepare_row_c(row, depth, prepared.data + i * bytes);
    }
    struct qnt__gemm_prepared g = {.prepared = prepared.data, .row = x.data,
                                   .row_step = (ptrdiff_t)row_step, .weight = w.data, .m = m,
                                   .panels = panels, .depth = depth, .panel_bytes = panel_bytes,
                                   .ld = ld, .results = random_results(), .done = rows_done};
    for (int l = -1; l < levels; l++) {
        memcpy(y.block.data, y.before, y.size);
        g.acc = (void *)y.block.data;
        struct done done = {g.acc, (void *)y.expected, ld, panels * QNT__PANEL, 0, true};
        g.of = &done;
        if (l < 0) qnt__gemm_prepared_c(&g);
        else tables[l].gemm_prepared(&g);
        CHECK_MSG(output_matches(&y) && done.right && done.rows == m, "%s m %zu panels %zu depth %zu",
                  l < 0 ? "c" : names[l], m, panels, depth);
    }
    output_free(&y);
    unguard(&x);
    unguard(&w);
    unguard(&prepared);
}

static void gemm_prepared(void)
{
    for (size_t m = 1; m <= 30; m++) gemm_prepared_once(m, 1 + m % QNT__BLOCK_PANELS, 4 * m);
    for (int i = 0; i < ROUNDS / 4; i++) {
        gemm_prepared_once((size_t)random_in(1, random_in(0, 7) ? 40 : QNT__PREPARED_ROWS),
                           (size_t)random_in(1, QNT__BLOCK_PANELS),
                           4 * (size_t)random_in(1, i % 4 ? 80 : 700));
    }
    only_largest = true;
    gemm_prepared_once(7, 1, 4 * 20000);
    only_largest = false;
}

/* ---- gemm_blocks ---- */

static void gemm_blocks_once(size_t m, size_t panels, size_t blocks, size_t block, int bits)
{
    size_t depth = blocks * block, stride, cells = depth / qnt__cell_depth(bits);
    size_t row_bytes = place_rows(m, depth, &stride);
    size_t panel_bytes = cells * qnt__cell_bytes(bits) + 32 * (size_t)random_in(0, 1);
    size_t weight_bytes = (panels - 1) * panel_bytes + cells * qnt__cell_bytes(bits);
    guarded x = input(row_bytes, random_kind()), w = input(weight_bytes, random_kind());
    size_t scales = panels * blocks * QNT__PANEL;
    guarded scale = guard(scales * sizeof(float), random_in(0, 1));
    guarded zero = input(scales, random_kind());
    for (size_t i = 0; i < scales; i++) {
        ((float *)(void *)scale.data)[i] =
            (float)ldexp(random_gauss(), (int)random_in(0, 20) ? -6 : (int)random_in(-140, 100));
    }
    size_t ld = panels * QNT__PANEL + (size_t)random_in(0, 5);
    struct output y = output(((m - 1) * ld + panels * QNT__PANEL) * sizeof(float));
    const int8_t *rows[QNT__BLOCK_ROWS];
    for (size_t i = 0; i < m; i++) rows[i] = (const int8_t *)x.data + i * stride;

    struct qnt__gemm_blocks g = {.rows = rows, .weight = w.data, .scale = (void *)scale.data,
                                 .zero = random_in(0, 1) ? (const int8_t *)zero.data : NULL, .m = m,
                                 .panels = panels, .depth = depth, .block = block,
                                 .panel_bytes = panel_bytes, .ld = ld, .bits = bits};
    g.y = (void *)y.expected;
    qnt__gemm_blocks_c(&g);
    for (int l = 0; l < levels; l++) {
        memcpy(y.block.data, y.before, y.size);
        g.y = (void *)y.block.data;
        tables[l].gemm_blocks(&g);
        CHECK_MSG(output_matches(&y), "%s m %zu panels %zu blocks %zu of %zu bits %d zero %d",
                  names[l], m, panels, blocks, block, bits, g.zero != NULL);
    }
    output_free(&y);
    unguard(&x);
    unguard(&w);
    unguard(&scale);
    unguard(&zero);
}

static void gemm_blocks(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        size_t block = random_in(0, 2) ? 32u << random_in(0, 3) : 16 * (size_t)random_in(1, 20);
        gemm_blocks_once((size_t)random_in(1, QNT__BLOCK_ROWS),
                         (size_t)random_in(1, QNT__BLOCK_PANELS), (size_t)random_in(1, 8), block,
                         widths[i % 4]);
    }
    for (int b = 0; b < 4; b++) {
        gemm_blocks_once(1, 1, 2, 65536, widths[b]);
        gemm_blocks_once(1, 2, 600, 16, widths[b]);
        gemm_blocks_once(2, 1, 600, 16, widths[b]);
    }
}

/* ---- gemm_f32 ---- */

static void fill_f32(guarded *g, size_t n)
{
    float *x = (void *)g->data;
    int wide = random_in(0, 7) == 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)ldexp(random_gauss(), wide ? (int)random_in(-140, 100) : 0);
    }
}

static void gemm_f32_once(size_t m, size_t panels, size_t tap_count, size_t depth)
{
    ptrdiff_t taps[MAX_TAPS];
    size_t stride, reach = place_taps(tap_count, depth, taps);
    size_t row_count = place_rows(m, reach, &stride);
    size_t weights = panels * tap_count * depth * QNT__PANEL;
    guarded x = guard(row_count * sizeof(float), random_in(0, 1));
    guarded w = guard(weights * sizeof(float), random_in(0, 1));
    fill_f32(&x, row_count);
    fill_f32(&w, weights);
    size_t ld = panels * QNT__PANEL + (size_t)random_in(0, 5);
    struct output y = output(((m - 1) * ld + panels * QNT__PANEL) * sizeof(float));
    const float *rows[QNT__BLOCK_ROWS];
    for (size_t i = 0; i < m; i++) rows[i] = (const float *)(void *)x.data + i * stride;

    struct qnt__gemm_f32 g = {.rows = rows, .taps = taps, .weight = (void *)w.data, .m = m,
                              .panels = panels, .tap_count = tap_count, .depth = depth, .ld = ld};
    g.y = (void *)y.expected;
    qnt__gemm_f32_c(&g);
    for (int l = 0; l < levels; l++) {
        memcpy(y.block.data, y.before, y.size);
        g.y = (void *)y.block.data;
        tables[l].gemm_f32(&g);
        CHECK_MSG(output_matches(&y), "%s m %zu panels %zu taps %zu depth %zu", names[l], m, panels,
                  tap_count, depth);
    }
    output_free(&y);
    unguard(&x);
    unguard(&w);
}

static void gemm_f32(void)
{
    for (size_t m = 1; m <= QNT__BLOCK_ROWS; m++) {
        for (size_t panels = 1; panels <= QNT__BLOCK_PANELS; panels++) {
            gemm_f32_once(m, panels, 1 + m % 3, (size_t)random_in(1, 40));
            gemm_f32_once(m, panels, (size_t)random_in(1, MAX_TAPS), (size_t)random_in(1, 12));
        }
    }
}

/* ---- sum_rows ---- */

static void sum_rows(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        ptrdiff_t taps[MAX_TAPS];
        size_t m = (size_t)random_in(1, QNT__BLOCK_ROWS),
               tap_count = (size_t)random_in(1, MAX_TAPS);
        size_t depth = (size_t)(random_in(0, 9) ? random_in(1, 200) : random_in(1000, 9000)),
               stride;
        size_t reach = place_taps(tap_count, depth, taps);
        guarded x = input(place_rows(m, reach, &stride), random_kind());
        struct output y = output(m * sizeof(int32_t));
        const uint8_t *rows[QNT__BLOCK_ROWS];
        for (size_t r = 0; r < m; r++) rows[r] = x.data + r * stride;

        qnt__sum_rows_c(rows, m, taps, tap_count, depth, (void *)y.expected);
        for (int l = 0; l < levels; l++) {
            memcpy(y.block.data, y.before, y.size);
            tables[l].sum_rows(rows, m, taps, tap_count, depth, (void *)y.block.data);
            CHECK_MSG(output_matches(&y), "%s m %zu taps %zu depth %zu", names[l], m, tap_count,
                      depth);
        }
        output_free(&y);
        unguard(&x);
    }
}

/* ---- reduce_points ---- */

static void reduce_points(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        const size_t columns = (size_t)random_in(1, QNT__BLOCK_PANELS * QNT__PANEL);
        const size_t n = (size_t)random_in(1, (int64_t)columns);
        const size_t m = (size_t)random_in(1, 14), ld = columns + (size_t)random_in(0, 20);
        guarded coef = input(columns * sizeof(int32_t), random_kind());
        guarded place = input(columns - n, LARGEST);
        struct output y = output(((m - 1) * ld + columns) * sizeof(int32_t));
        struct qnt__reduce_points r = {.coef = (const int32_t *)coef.data, .output = place.data,
                                       .m = m, .n = n, .extra = columns - n, .ld = ld};
        for (size_t e = 0; e < r.extra; e++) place.data[e] = (uint8_t)random_in(0, (int64_t)n - 1);
        const int32_t *before = (const int32_t *)y.before;
        int32_t *expected = (int32_t *)y.expected;
        r.acc = expected;
        qnt__reduce_points_c(&r);
        for (size_t k = 0; k < m; k++) {
            for (size_t j = 0; j < n; j++) {
                uint64_t sum = (uint64_t)before[k * ld + j] * (uint64_t)r.coef[j];
                for (size_t e = n; e < columns; e++) {
                    if (place.data[e - n] == j) sum += (uint64_t)before[k * ld + e] * (uint64_t)r.coef[e];
                }
                CHECK((uint32_t)expected[k * ld + j] == (uint32_t)sum);
            }
        }
        for (int l = 0; l < levels; l++) {
            memcpy(y.block.data, y.before, y.size);
            r.acc = (void *)y.block.data;
            tables[l].reduce_points(&r);
            CHECK_MSG(output_matches(&y), "%s m %zu n %zu of %zu", names[l], m, n, columns);
        }
        output_free(&y), unguard(&coef), unguard(&place);
    }
}

/* ---- depthwise_s8 ---- */

static void depthwise_s8(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        ptrdiff_t taps[150];
        size_t m = (size_t)random_in(1, 20), channels = (size_t)random_in(1, i % 4 ? 40 : 150);
        size_t tap_count = (size_t)(random_in(0, 1) ? 9 : random_in(1, i % 8 ? 25 : 150));
        size_t step = channels * (size_t)random_in(1, 2) + (size_t)random_in(0, 3), furthest = 0;
        for (size_t t = 0; t < tap_count; t++) {
            taps[t] = (ptrdiff_t)random_in(0, 300);
            furthest = qnt__max(furthest, (size_t)taps[t]);
        }
        guarded x = input(furthest + (m - 1) * step + channels, random_kind());
        guarded w = input(tap_count * channels, random_kind());
        struct output y = output(m * channels * sizeof(int32_t));

        struct qnt__depthwise d = {.x = x.data, .taps = taps, .weight = (const int8_t *)w.data,
                                   .m = m, .step = step, .channels = channels,
                                   .tap_count = tap_count};
        d.acc = (void *)y.expected;
        qnt__depthwise_s8_c(&d);
        for (int l = 0; l < levels; l++) {
            memcpy(y.block.data, y.before, y.size);
            d.acc = (void *)y.block.data;
            tables[l].depthwise_s8(&d);
            CHECK_MSG(output_matches(&y), "%s m %zu channels %zu taps %zu step %zu", names[l], m,
                      channels, tap_count, step);
        }
        output_free(&y);
        unguard(&x);
        unguard(&w);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(false);
    RUN(gemm_s8);
    RUN(gemm_s8_shapes);
    RUN(gemm_s8_wraps);
    RUN(gemm_s8_long_row);
    RUN(prepare_row);
    RUN(gemm_prepared);
    RUN(gemm_blocks);
    RUN(gemm_f32);
    RUN(sum_rows);
    RUN(reduce_points);
    RUN(depthwise_s8);
    return DONE;
}
