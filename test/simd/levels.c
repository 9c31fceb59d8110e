/*
 * Looking up levels, and products of levels, of every CPU level against the portable definition,
 * byte for byte: random shapes with all tails, extremes, wrapping sums, guard pages around all that
 * is read and written.
 */
#include <math.h>

#include "check.h"
#include "simd/layout.h"
#include "simd_levels.h"

enum { MAX_TAPS = 5 };

/* Random bytes in guarded memory, or one of the extremes everywhere. */
static guarded input(size_t size)
{
    static const uint8_t extremes[] = {0x00, 0xff, 0x80, 0x7f};
    guarded g = guard(size, random_in(0, 1));
    int kind = random_in(0, 2) ? 4 : (int)random_in(0, 3);
    for (size_t i = 0; i < size; i++) {
        g.data[i] = kind < 4 ? extremes[kind] : (uint8_t)(random_u64() >> 40);
    }
    return g;
}

static void look_up_8(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        int bits = 1 + i % 8;
        size_t n = (size_t)random_in(0, 200);
        guarded table = input((size_t)1 << bits), codes = input(n), out = guard(n, random_in(0, 1));
        uint8_t want[200];
        for (size_t e = 0; e < n; e++) codes.data[e] &= (uint8_t)((1 << bits) - 1);
        qnt__look_up_8_c(table.data, bits, codes.data, n, want);
        for (int l = 0; l < levels; l++) {
            tables[l].look_up_8(table.data, bits, codes.data, n, out.data);
            CHECK_MSG(!memcmp(out.data, want, n), "%s bits %d n %zu", names[l], bits, n);
            memcpy(out.data, codes.data, n);
            tables[l].look_up_8(table.data, bits, out.data, n, out.data);
            CHECK_MSG(!memcmp(out.data, want, n), "%s bits %d n %zu in place", names[l], bits, n);
        }
        unguard(&table), unguard(&codes), unguard(&out);
    }
}

static void look_up_16(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        int bits = 1 + i % 8;
        size_t n = (size_t)random_in(0, 200);
        guarded table = input((size_t)2 << bits), codes = input(n),
                out = guard(2 * n, random_in(0, 1));
        int16_t want[200];
        for (size_t e = 0; e < n; e++) codes.data[e] &= (uint8_t)((1 << bits) - 1);
        qnt__look_up_16_c((void *)table.data, bits, codes.data, n, want);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, 2 * n);
            tables[l].look_up_16((void *)table.data, bits, codes.data, n, (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want, 2 * n), "%s bits %d n %zu", names[l], bits, n);
        }
        unguard(&table), unguard(&codes), unguard(&out);
    }
}

static void look_up_f32(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        int bits = 1 + i % 8;
        size_t n = (size_t)random_in(0, 200);
        guarded table = input((size_t)4 << bits), codes = input(n),
                out = guard(4 * n, random_in(0, 1));
        float want[200];
        qnt__look_up_f32_c((void *)table.data, bits, codes.data, n, want);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, 4 * n);
            tables[l].look_up_f32((void *)table.data, bits, codes.data, n, (void *)out.data);
            CHECK_MSG(!memcmp(out.data, want, 4 * n), "%s bits %d n %zu", names[l], bits, n);
        }
        unguard(&table), unguard(&codes), unguard(&out);
    }
}

/* `used` ascending thresholds: steps that may be empty, nearly even ones, powers of a base, even ones,
 * or even ones of which two are next to 0 instead. */
static void random_thresholds(struct qnt__thresholds *t, int used)
{
    const int kind = (int)random_in(0, 4), zero = kind == 4 ? used / 2 : (int)random_in(0, used);
    const float base = 1.2f + 0.1f * (float)random_in(0, 20);
    float at = -4;
    for (int k = 0; k < 256; k++) {
        if (kind == 0) at += 0.25f * (float)random_in(0, 2);
        else if (kind == 1) at += 0.25f + 0.001f * (float)random_in(0, 100);
        else if (kind == 3) at = 0.25f * ((float)(k - zero) + 0.5f * (float)(used % 2 == 0));
        else if (k == zero) at = 0.0f;
        else if (kind == 4) at = 0.25f * (float)(k - zero) + (k < zero ? 0.125f : -0.125f);
        else at = k < zero ? -powf(base, (float)(zero - k)) : powf(base, (float)(k - zero));
        t->value[k] = k < used ? at : INFINITY;
    }
    if (kind == 4 && zero > 1) t->value[zero - 1] = -1e-45f;
    if (kind == 2 && random_in(0, 1) && zero < used) {
        t->value[zero] = random_in(0, 1) ? -0.0f : -1e-45f;
    }
    t->nan = (int32_t)random_in(0, used);
}

/* A value beside a threshold, on a grid of thresholds, or an odd one. */
static float random_beside(const struct qnt__thresholds *t, int used)
{
    const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e-45f, -1e-45f, 3e38f, -3e38f};
    if (random_in(0, 3) == 0) return odd[random_in(0, 8)];
    if (random_in(0, 1)) return 0.125f * (float)random_in(-40, 400);
    return nextafterf(t->value[random_in(0, used)], (float)random_in(-1, 1));
}

/* A value near a threshold, seldom so near as to take an exact comparison. */
static float random_around(const struct qnt__thresholds *t, int used)
{
    float at = t->value[random_in(0, used > 1 ? used - 1 : 0)];
    if (random_in(0, 200) == 0) return random_beside(t, used);
    if (at > 3e38f) at = 0.0f;
    return at * (1.0f + 0.01f * (float)random_in(-30, 30)) + 0.003f * (float)random_in(-40, 40);
}

/* Thresholds with ties and infinities; values on, beside and between them, NaN and infinities, many or
 * few. */
static void rank_f32(void)
{
    enum { LONG = 1500 };
    for (int i = 0; i < ROUNDS(400); i++) {
        struct qnt__thresholds t = {.steps = 1 + i % 8};
        int most = (1 << t.steps) - 1, used = (int)random_in(most / 2, most);
        bool calm = random_in(0, 1);
        size_t n = (size_t)(random_in(0, 1) ? random_in(0, 200) : random_in(1000, LONG));
        guarded x = guard(4 * n, random_in(0, 1)), out = guard(n, random_in(0, 1));
        float *v = (void *)x.data;
        uint8_t want[LONG];
        random_thresholds(&t, used);
        for (size_t k = 0; k < n; k++) v[k] = calm ? random_around(&t, used) : random_beside(&t, used);
        qnt__rank_f32_c(&t, v, n, want);
        for (size_t k = 0; k < n; k++) { /* the definition of a rank */
            int smaller = 0;
            for (int j = 0; j < most; j++) smaller += t.value[j] < v[k];
            CHECK_MSG(want[k] == (isnan(v[k]) ? t.nan : smaller), "%g", (double)v[k]);
        }
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, n);
            tables[l].rank_f32(&t, v, n, out.data);
            CHECK_MSG(!memcmp(out.data, want, n), "%s steps %d n %zu", names[l], t.steps, n);
        }
        unguard(&x), unguard(&out);
    }
}

/* Packed codes of ranks are those of each step by itself. */
static void pack_ranks(void)
{
    enum { LONG = 9000 };
    static uint8_t codes[LONG], want[LONG];
    for (int i = 0; i < ROUNDS(600); i++) {
        struct qnt__thresholds t = {.steps = i % 2 ? 4 : 1 + i / 2 % 7};
        int most = (1 << t.steps) - 1, used = (int)random_in(most / 2, most);
        int bits = i % 3 && t.steps <= 4 ? 4 : (int)random_in(t.steps, 7);
        bool calm = random_in(0, 3), stream = random_in(0, 1);
        size_t n = (size_t)(random_in(0, 1) ? random_in(0, 200) : random_in(500, i % 16 ? 1500 : LONG));
        size_t bytes = (n * (size_t)bits + 7) / 8;
        guarded x = guard(4 * n, random_in(0, 1)), code = input((size_t)1 << t.steps),
                out = guard(bytes, random_in(0, 1));
        float *v = (void *)x.data;
        random_thresholds(&t, used);
        for (size_t k = 0; k < n; k++) v[k] = calm ? random_around(&t, used) : random_beside(&t, used);
        qnt__rank_f32_c(&t, v, n, codes);
        for (size_t k = 0; k < n; k++) codes[k] = code.data[codes[k]];
        qnt__pack_codes_c(codes, n, bits, false, want);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, bytes);
            tables[l].pack_ranks(&t, code.data, v, n, bits, stream, out.data);
            CHECK_MSG(!memcmp(out.data, want, bytes), "%s steps %d bits %d n %zu", names[l], t.steps, bits,
                      n);
        }
        unguard(&x), unguard(&code), unguard(&out);
    }
}

/* Outputs hold the same random bytes before each version, so that what must stay is compared too.
 */
static void gemm_s16(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t m = (size_t)random_in(1, QNT__BLOCK_ROWS),
               panels = (size_t)random_in(1, QNT__BLOCK_PANELS);
        size_t depth = 2 * (size_t)random_in(1, i % 9 ? 20 : 300),
               stride = depth + (size_t)random_in(0, 3);
        size_t ld = panels * QNT__PANEL + (size_t)random_in(0, 5);
        size_t size = 4 * ((m - 1) * ld + panels * QNT__PANEL);
        size_t gap = QNT__PANEL * (size_t)(i % 4 ? 0 : random_in(0, 3));
        guarded x = input(2 * ((m - 1) * stride + depth)),
                w = input(2 * (panels * QNT__PANEL * depth + (panels - 1) * gap));
        guarded acc = guard(size, random_in(0, 1)), want = input(size), before = guard(size, true);
        const int16_t *rows[QNT__BLOCK_ROWS];
        for (size_t r = 0; r < m; r++) rows[r] = (const int16_t *)(void *)x.data + r * stride;
        struct qnt__gemm_s16 g = {.rows = rows,
                                  .weight = (void *)w.data,
                                  .m = m,
                                  .panels = panels,
                                  .depth = depth,
                                  .panel_words = QNT__PANEL * depth + gap,
                                  .ld = ld,
                                  .results = random_results(),
                                  .acc = (void *)want.data};
        memcpy(before.data, want.data, size);
        qnt__gemm_s16_c(&g);
        for (int l = 0; l < levels; l++) {
            memcpy(acc.data, before.data, size);
            g.acc = (void *)acc.data;
            tables[l].gemm_s16(&g);
            CHECK_MSG(!memcmp(acc.data, want.data, size), "%s m %zu panels %zu depth %zu", names[l],
                      m, panels, depth);
        }
        unguard(&x), unguard(&w), unguard(&acc), unguard(&want), unguard(&before);
    }
}

static void expand_words(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        int bits = 2 + i % 7, field_bits = bits < 8 ? bits : (int)random_in(1, 8);
        size_t cells = (size_t)random_in(0, 9), size = 32 * cells * qnt__cell_depth(bits);
        guarded cell = input(cells * qnt__cell_bytes(bits)), table = input((size_t)2 << field_bits);
        guarded want = guard(size, true), out = guard(size, random_in(0, 1));
        struct qnt__expand_words e = {.cell = cell.data,
                                      .cells = cells,
                                      .bits = bits,
                                      .field_bits = field_bits,
                                      .words = (void *)table.data,
                                      .out = (void *)want.data};
        for (size_t b = 0; bits == 8 && b < 64 * cells; b++)
            cell.data[b] &= (uint8_t)((1 << field_bits) - 1);
        qnt__expand_words_c(&e);
        e.out = (void *)out.data;
        for (int l = 0; l < levels; l++) {
            if (size) memset(out.data, 0x55, size);
            tables[l].expand_words(&e);
            CHECK_MSG(!memcmp(out.data, want.data, size), "%s bits %d of %d cells %zu", names[l],
                      field_bits, bits, cells);
        }
        unguard(&cell), unguard(&table), unguard(&want), unguard(&out);
    }
}

static void split_words(void)
{
    for (int i = 0; i < ROUNDS(100); i++) {
        size_t n = (size_t)random_in(0, 100);
        guarded words = input(2 * n), low = guard(2 * n, random_in(0, 1)), high = guard(2 * n, true);
        const int16_t *w = (void *)words.data, *a = (void *)low.data, *b = (void *)high.data;
        for (int l = 0; l < levels; l++) {
            if (n) memcpy(low.data, words.data, 2 * n);
            tables[l].split_words((void *)low.data, n, (void *)high.data);
            for (size_t e = 0; e < n; e++) {
                CHECK_MSG(a[e] >= -128 && a[e] < 128 && 256 * b[e] + a[e] == w[e],
                          "%s n %zu element %zu", names[l], n, e);
            }
        }
        unguard(&words), unguard(&low), unguard(&high);
    }
}

static void bytes_of_words(void)
{
    for (int i = 0; i < ROUNDS(100); i++) {
        size_t n = i ? (size_t)random_in(0, 100) : 65536;
        guarded words = input(2 * n), low = guard(n, random_in(0, 1)), high = guard(n, true);
        int16_t *w = (void *)words.data;
        for (size_t e = 0; i == 0 && e < n; e++) w[e] = (int16_t)((int)e - 32768);
        for (int l = 0; l < levels; l++) {
            memset(low.data, 0x55, n), memset(high.data, 0x55, n);
            tables[l].bytes_of_words(w, n, low.data, high.data);
            for (size_t e = 0; e < n; e++) {
                CHECK_MSG(256 * high.data[e] + low.data[e] == w[e] + 32768, "%s word %d", names[l],
                          w[e]);
            }
        }
        unguard(&words), unguard(&low), unguard(&high);
    }
}

/* All words, and their residues in place of sums as far apart as they may be. */
static void residues(void)
{
    const int64_t most = 255 * ((int64_t)1 << 31) - 1;
    for (int i = 0; i < ROUNDS(100); i++) {
        size_t n = i ? (size_t)random_in(0, 100) : 65536;
        guarded words = input(2 * n), out = guard(n, random_in(0, 1));
        int16_t *w = (void *)words.data;
        for (size_t e = 0; i == 0 && e < n; e++) w[e] = (int16_t)((int)e - 32768);
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, n);
            tables[l].residues_255(w, n, out.data);
            for (size_t e = 0; e < n; e++) {
                CHECK_MSG(out.data[e] < 255 && (w[e] - out.data[e]) % 255 == 0, "%s word %d",
                          names[l], w[e]);
            }
        }
        unguard(&words), unguard(&out);
    }
    for (int i = 0; i < ROUNDS(200); i++) {
        size_t n = (size_t)random_in(0, 70);
        guarded low = guard(4 * n, true), residue = guard(4 * n, random_in(0, 1));
        guarded start = guard(8 * n, true), want = guard(8 * n, true),
                sum = guard(8 * n, random_in(0, 1));
        double *first = (void *)start.data, *ws = (void *)want.data, *s = (void *)sum.data;
        int32_t *lo = (void *)low.data, *r = (void *)residue.data;
        for (size_t e = 0; e < n; e++) {
            int extreme = (int)random_in(0, 5);
            int64_t number = extreme == 0 ? most : extreme == 1 ? -most : random_in(-most, most);
            lo[e] = (int32_t)(uint32_t)(uint64_t)number;
            r[e] = (int32_t)(number % 255 + 255 * random_in(-131000, 131000));
            first[e] = (double)random_in(-1000000, 1000000);
            ws[e] = first[e] + (double)number;
        }
        for (int l = -1; l < levels; l++) {
            if (n) memcpy(s, first, 8 * n);
            if (l < 0)
                qnt__add_residues_f64_c(s, lo, r, n);
            else
                tables[l].add_residues_f64(s, lo, r, n);
            CHECK_MSG(!memcmp(s, ws, 8 * n), "%s n %zu", l < 0 ? "c" : names[l], n);
        }
        unguard(&low), unguard(&residue), unguard(&start), unguard(&want), unguard(&sum);
    }
}

/* Parts in any range; sums that leave float32's precision, so that one rounding is seen. */
static void sums_f64(void)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        size_t n = (size_t)random_in(0, 70);
        guarded part = input(4 * n), start = guard(8 * n, true), sum = guard(8 * n, random_in(0, 1));
        guarded scale = guard(4 * n, random_in(0, 1)), y = guard(4 * n, random_in(0, 1));
        guarded want = guard(8 * n, true), want_y = guard(4 * n, true), before = guard(4 * n, true);
        const double factor = i % 2 ? 256.0 : 1.0;
        double *first = (void *)start.data, *s = (void *)sum.data, *ws = (void *)want.data;
        float *f = (void *)scale.data, *yy = (void *)y.data, *wy = (void *)want_y.data,
              *b = (void *)before.data;
        const int32_t *p = (void *)part.data;
        for (size_t e = 0; e < n; e++) {
            first[e] = (double)random_in(-2000000000, 2000000000) * (double)random_in(1, 100000);
            f[e] = (float)random_in(-1000, 1000) * 1.1e-7f;
            b[e] = (float)random_in(-1000, 1000) * 1e-3f;
            ws[e] = first[e] + factor * (double)p[e];
            wy[e] = b[e] + (float)ws[e] * f[e];
        }
        for (int l = 0; l < levels; l++) {
            if (n) memcpy(s, first, 8 * n), memcpy(yy, b, 4 * n);
            tables[l].add_parts_f64(s, p, n, factor);
            CHECK_MSG(!memcmp(s, ws, 8 * n), "%s parts, n %zu", names[l], n);
            tables[l].scale_sums_f64(s, f, n, yy);
            CHECK_MSG(!memcmp(yy, wy, 4 * n), "%s scaled, n %zu", names[l], n);
            for (size_t e = 0; e < n; e++) CHECK_MSG(s[e] == 0.0, "%s rests, n %zu", names[l], n);
        }
        unguard(&part), unguard(&start), unguard(&sum), unguard(&scale), unguard(&y);
        unguard(&want), unguard(&want_y), unguard(&before);
    }
}

/* Sums as far apart as bytes of words leave them; with some scales products become 0 from below. */
static void join_words(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        const size_t n = (size_t)random_in(0, 70), parts = (size_t)1 << i % 3;
        guarded acc[4], column = guard(8 * n, true), scale = guard(4 * n, random_in(0, 1));
        guarded y = guard(4 * n, random_in(0, 1)), want = guard(4 * n, true);
        struct qnt__join_words j = {.parts = parts,
                                    .column = (void *)column.data,
                                    .scale = (void *)scale.data,
                                    .row = (double)random_in(-2000000000, 2000000000) * 256,
                                    .zero = (double)random_in(0, i % 2 ? 255 : 32768)};
        for (size_t p = 0; p < 4; p++) {
            acc[p] = input(4 * n);
            j.acc[p] = (void *)acc[p].data;
            j.factor[p] = p == 0 ? 1 : p == 3 ? 65536 : 256;
        }
        for (size_t e = 0; e < n; e++) {
            ((double *)(void *)column.data)[e] = (double)random_in(-2000000000, 2000000000);
            ((float *)(void *)scale.data)[e] =
                (float)random_in(-1000, 1000) * (e % 5 ? 1.1e-7f : 1e-45f);
            int64_t sum = (int64_t)j.row - (int64_t)j.zero * (int64_t)j.column[e];
            for (size_t p = 0; p < parts; p++) sum += (int64_t)j.factor[p] * j.acc[p][e];
            float product = (float)sum * j.scale[e];
            ((float *)(void *)want.data)[e] = 0.0f + product;
        }
        for (int l = 0; l < levels; l++) {
            if (n) memset(y.data, 0x55, 4 * n);
            tables[l].join_words(&j, n, (void *)y.data);
            CHECK_MSG(!memcmp(y.data, want.data, 4 * n), "%s n %zu parts %zu", names[l], n, parts);
        }
        for (size_t p = 0; p < 4; p++) unguard(&acc[p]);
        unguard(&column), unguard(&scale), unguard(&y), unguard(&want);
    }
}

static void gemm_levels(void)
{
    for (int i = 0; i < ROUNDS(400); i++) {
        int bits = 2 + i % 3;
        size_t m = (size_t)random_in(1, QNT__GEMM_ROWS),
               panels = (size_t)random_in(1, QNT__BLOCK_PANELS);
        size_t taps = random_in(0, 2) ? 1 : (size_t)random_in(2, MAX_TAPS);
        size_t cells = (size_t)random_in(1, i % 7 ? 9 : 70), depth = cells * qnt__cell_depth(bits);
        size_t gap = random_in(0, 2) ? 0 : qnt__cell_bytes(bits) * (size_t)random_in(1, 3);
        size_t used = taps * cells * qnt__cell_bytes(bits) + (taps - 1) * gap;
        size_t panel_bytes = used + 32 * (size_t)random_in(0, 1);
        size_t reach = depth + (size_t)random_in(0, 30),
               ld = panels * QNT__PANEL + (size_t)random_in(0, 5);
        size_t size = 4 * ((m - 1) * ld + panels * QNT__PANEL);
        ptrdiff_t at[MAX_TAPS];
        for (size_t t = 0; t < taps; t++) at[t] = (ptrdiff_t)random_in(0, (int64_t)(reach - depth));
        guarded x = input((m - 1) * reach + reach), w = input((panels - 1) * panel_bytes + used);
        guarded table = input((size_t)1 << bits), acc = guard(size, random_in(0, 1));
        guarded want = input(size), before = guard(size, true);
        const uint8_t *rows[QNT__GEMM_ROWS];
        for (size_t r = 0; r < m; r++) rows[r] = x.data + r * reach;
        struct qnt__gemm g = {.rows = rows,
                              .taps = at,
                              .weight = w.data,
                              .m = m,
                              .panels = panels,
                              .tap_count = taps,
                              .depth = depth,
                              .panel_bytes = panel_bytes,
                              .gap = gap,
                              .ld = ld,
                              .bits = bits,
                              .results = random_results(),
                              .acc = (void *)want.data};
        memcpy(before.data, want.data, size);
        qnt__gemm_levels_c(&g, (void *)table.data);
        for (int l = 0; l < levels; l++) {
            memcpy(acc.data, before.data, size);
            g.acc = (void *)acc.data;
            tables[l].gemm_levels(&g, (void *)table.data);
            CHECK_MSG(!memcmp(acc.data, want.data, size),
                      "%s m %zu panels %zu taps %zu depth %zu bits %d", names[l], m, panels, taps,
                      depth, bits);
        }
        unguard(&x), unguard(&w), unguard(&table), unguard(&acc), unguard(&want), unguard(&before);
    }
}

/* One table for all columns, or one for each. */
static void expand_levels(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        int bits = 2 + i % 6;
        const size_t entries = (size_t)1 << (bits < 4 ? 4 : bits);
        size_t cells = (size_t)random_in(0, 9), step = random_in(0, 1) ? entries : 0;
        size_t size = 16 * cells * qnt__cell_depth(bits);
        guarded cell = input(cells * qnt__cell_bytes(bits)), out = guard(size, random_in(0, 1));
        guarded table = input(step ? 16 * step : (size_t)1 << bits), want = guard(size, true);
        struct qnt__expand e = {.cell = cell.data,
                                .cells = cells,
                                .bits = bits,
                                .levels = (void *)table.data,
                                .step = step,
                                .out = want.data};
        qnt__expand_levels_c(&e);
        e.out = out.data;
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, size);
            tables[l].expand_levels(&e);
            CHECK_MSG(!memcmp(out.data, want.data, size), "%s bits %d cells %zu step %zu", names[l],
                      bits, cells, step);
        }
        unguard(&cell), unguard(&out), unguard(&table), unguard(&want);
    }
}

/* Affine codes with and without zero points and offsets, levels of all widths; any part of the k.
 */
static void decode_cells(void)
{
    static const int all_bits[] = {2, 3, 4, 8};
    for (int i = 0; i < ROUNDS(600); i++) {
        int bits = all_bits[i % 4],
            kind = i / 4 % 4; /* affine, with offset, shared levels, own levels */
        int level_bits = bits == 8 ? (int)random_in(5, 8) : bits == 2 ? (int)random_in(1, 2) : bits;
        size_t end = (size_t)random_in(1, 70),
               first = random_in(0, 1) ? 0 : (size_t)random_in(0, (int64_t)end);
        size_t depth = qnt__cell_depth(bits), size = 64 * (end - first);
        size_t books = kind == 2 ? 1 : 16, step = kind == 2 ? 0 : (size_t)1 << level_bits;
        guarded cell = input((end + depth - 1) / depth * qnt__cell_bytes(bits));
        guarded scale = guard(64, true), zero = guard(64, false), offset = guard(64, true);
        guarded table = guard((books << level_bits) * 4, random_in(0, 1));
        guarded out = guard(size, random_in(0, 1)), want = guard(size, true);
        for (size_t c = 0; c < 16; c++) {
            ((float *)(void *)scale.data)[c] = (float)random_unit();
            ((float *)(void *)offset.data)[c] = random_in(0, 3) ? (float)random_laplace() : -0.0f;
            ((int32_t *)(void *)zero.data)[c] = (int32_t)random_in(-300, 300);
        }
        for (size_t e = 0; e < books << level_bits; e++) {
            ((float *)(void *)table.data)[e] = random_in(0, 9) ? (float)random_laplace() : -0.0f;
        }
        struct qnt__decode_cells d = {.cell = cell.data,
                                      .first = first,
                                      .end = end,
                                      .bits = bits,
                                      .scale = (void *)scale.data,
                                      .out = (void *)want.data};
        if (kind < 2 && random_in(0, 1)) d.zero = (void *)zero.data;
        if (kind == 1) d.offset = (void *)offset.data;
        if (kind > 1) d.levels = (void *)table.data, d.step = step, d.level_bits = level_bits;
        qnt__decode_cells_c(&d);
        d.out = (void *)out.data;
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, size);
            tables[l].decode_cells(&d);
            CHECK_MSG(!memcmp(out.data, want.data, size), "%s bits %d kind %d k %zu to %zu",
                      names[l], bits, kind, first, end);
        }
        unguard(&cell), unguard(&scale), unguard(&zero), unguard(&offset), unguard(&table);
        unguard(&out), unguard(&want);
    }
}

/* With the levels -2^(bits - 1), ... the numbers are affine codes: both products are one. */
static void affine_levels(void)
{
    for (int round = 0; round < 30; round++) {
        int bits = 2 + round % 3;
        int8_t ascending[16];
        for (int u = 0; u < 1 << bits; u++) ascending[u] = (int8_t)(u - (1 << (bits - 1)));
        size_t depth = 5 * qnt__cell_depth(bits), bytes = 5 * qnt__cell_bytes(bits);
        guarded x = input(3 * depth), w = input(2 * bytes);
        const uint8_t *rows[3] = {x.data, x.data + depth, x.data + 2 * depth};
        const ptrdiff_t tap = 0;
        int32_t a[96], b[96];
        struct qnt__gemm g = {.rows = rows,
                              .taps = &tap,
                              .weight = w.data,
                              .m = 3,
                              .panels = 2,
                              .tap_count = 1,
                              .depth = depth,
                              .panel_bytes = bytes,
                              .ld = 32,
                              .bits = bits};
        for (int l = 0; l < levels; l++) {
            g.acc = a;
            tables[l].gemm_levels(&g, ascending);
            g.acc = b;
            tables[l].gemm_s8(&g);
            CHECK_MSG(!memcmp(a, b, sizeof a), "%s bits %d", names[l], bits);
        }
        struct qnt__expand e = {.cell = w.data, .cells = 10, .bits = bits, .levels = ascending};
        uint8_t bytes_of[2 * 5 * 4 * 64];
        e.out = bytes_of;
        for (int l = 0; l < levels; l++) { /* so are bytes, of both panels at once */
            tables[l].expand_levels(&e);
            g.acc = b, g.weight = bytes_of, g.panel_bytes = 16 * depth, g.bits = 8;
            tables[l].gemm_s8(&g);
            CHECK_MSG(!memcmp(a, b, sizeof a), "%s bits %d", names[l], bits);
        }
        unguard(&x), unguard(&w);
    }
}

static void interleave_rows(void)
{
    for (int i = 0; i < ROUNDS(300); i++) {
        size_t columns = i % 3 ? QNT__PANEL : (size_t)random_in(1, QNT__PANEL);
        size_t quads = (size_t)random_in(0, 40), ld = 4 * quads + (size_t)random_in(0, 9);
        size_t size = 64 * quads;
        guarded rows = input((columns - 1) * ld + 4 * quads), out = guard(size, random_in(0, 1));
        guarded want = guard(size, true);
        for (size_t e = 0; e < size; e++) {
            size_t cell = e / 64, c = e % 64 / 4;
            want.data[e] = c < columns ? rows.data[c * ld + 4 * cell + e % 4] : 0;
        }
        for (int l = 0; l < levels; l++) {
            memset(out.data, 0x55, size);
            tables[l].interleave_rows(rows.data, columns, ld, quads, out.data);
            CHECK_MSG(!memcmp(out.data, want.data, size), "%s columns %zu quads %zu ld %zu",
                      names[l], columns, quads, ld);
        }
        unguard(&rows), unguard(&out), unguard(&want);
    }
}

/* Rows of packed codes and of bytes, also of portable C. */
static void level_cells(void)
{
    struct qnt__simd portable;
    qnt__simd_choose(&portable, 0);
    for (int i = 0; i < ROUNDS(400); i++) {
        const int widths[] = {2, 4, 8}, bits = widths[i % 3], mask = (1 << bits) - 1;
        const int level_bits = bits == 8 ? (int)random_in(1, 8) : bits;
        const size_t columns = i % 4 ? QNT__PANEL : (size_t)random_in(1, QNT__PANEL);
        const size_t quads = (size_t)random_in(0, 90), ld = 4 * quads + (size_t)random_in(0, 9);
        const size_t fields = (size_t)(8 / bits), size = 64 * fields * quads;
        guarded table = input((size_t)1 << level_bits), rows = input((columns - 1) * ld + 4 * quads),
                out = guard(size, random_in(0, 1)), want = guard(size, true);
        for (size_t e = 0; bits == 8 && e < (columns - 1) * ld + 4 * quads; e++)
            rows.data[e] &= (uint8_t)((1 << level_bits) - 1);
        for (size_t e = 0; e < size; e++) {
            const size_t cell = e / 64, c = e % 64 / 4, f = cell % fields;
            const int byte = c < columns ? rows.data[c * ld + 4 * (cell / fields) + e % 4] : 0;
            want.data[e] = table.data[byte >> f * (size_t)bits & mask];
        }
        const struct qnt__level_cells c = {.rows = rows.data, .columns = columns, .ld = ld, .quads = quads,
                                           .bits = bits, .level_bits = level_bits, .levels = table.data,
                                           .out = out.data};
        for (int l = -1; l < levels; l++) {
            if (size) memset(out.data, 0x55, size);
            (l < 0 ? &portable : &tables[l])->level_cells(&c);
            CHECK_MSG(!size || !memcmp(out.data, want.data, size),
                      "%s bits %d of %d columns %zu quads %zu ld %zu",
                      l < 0 ? "C" : names[l], level_bits, bits, columns, quads, ld);
        }
        unguard(&table), unguard(&rows), unguard(&out), unguard(&want);
    }
}

/* Groups of codes, also of portable C. */
static void order_codes(void)
{
    struct qnt__simd portable;
    qnt__simd_choose(&portable, 0);
    for (int i = 0; i < ROUNDS(200); i++) {
        const int bits = i % 2 ? 4 : 2;
        const size_t fields = (size_t)(8 / bits), group = 4 * fields, n = group * (size_t)random_in(0, 20);
        guarded codes = input(n), out = guard(n, random_in(0, 1));
        for (int l = -1; l < levels; l++) {
            if (n) memcpy(out.data, codes.data, n);
            (l < 0 ? &portable : &tables[l])->order_codes(out.data, n, bits);
            for (size_t e = 0; e < n; e++) {
                const size_t at = e % group, from = e - at + fields * (at % 4) + at / 4;
                CHECK_MSG(out.data[e] == codes.data[from], "%s bits %d code %zu of %zu",
                          l < 0 ? "C" : names[l], bits, e, n);
            }
        }
        unguard(&codes), unguard(&out);
    }
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    choose_levels(false);
    RUN(look_up_8);
    RUN(look_up_16);
    RUN(look_up_f32);
    RUN(rank_f32);
    RUN(pack_ranks);
    RUN(gemm_s16);
    RUN(expand_words);
    RUN(split_words);
    RUN(bytes_of_words);
    RUN(residues);
    RUN(sums_f64);
    RUN(join_words);
    RUN(gemm_levels);
    RUN(expand_levels);
    RUN(decode_cells);
    RUN(interleave_rows);
    RUN(level_cells);
    RUN(order_codes);
    RUN(affine_levels);
    return DONE;
}
