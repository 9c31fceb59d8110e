/* Minimal filtering of convolutions of 3 x 3 taps, as slots_winograd.h writes it down. */
#include "../layout.h"
#include "../slots.h"

enum { POINTS = QNT__WINOGRAD_POINTS, NINTH = 0x38e38e39 };

static void filter_pixels(const int32_t d[POINTS], int results, int32_t p[POINTS])
{
    if (results == 2) {
        p[0] = d[0] - d[2];
        p[1] = d[1] + d[2];
        p[2] = d[2] - d[1];
        p[3] = d[3] - d[1];
        return;
    }
    p[0] = 4 * d[0] - 5 * d[2] + d[4];
    p[1] = -4 * (d[1] + d[2]) + d[3] + d[4];
    p[2] = 4 * (d[1] - d[2]) - d[3] + d[4];
    p[3] = 4 * d[1] - 5 * d[3] + d[5];
    p[4] = 2 * (d[3] - d[1]) - d[2] + d[4];
    p[5] = 2 * (d[1] - d[3]) - d[2] + d[4];
}

static int points_of(const struct qnt__winograd_pass *w)
{
    return w->results + 2;
}

void qnt__winograd_bytes_c(const struct qnt__winograd_pass *w)
{
    const uint8_t *in = w->in;
    int16_t *out = w->out;
    for (size_t r = 0; r < w->count; r++, in += w->in_step, out += w->out_step) {
        for (size_t c = 0; c < w->n; c++) {
            int32_t d[POINTS] = {0}, p[POINTS];
            for (int i = 0; i < points_of(w); i++)
                d[i] = in[(size_t)i * w->in_ld + c] - QNT__WINOGRAD_CENTRE;
            filter_pixels(d, w->results, p);
            for (int i = 0; i < points_of(w); i++) out[(size_t)i * w->out_ld + c] = (int16_t)p[i];
        }
    }
}

void qnt__winograd_words_c(const struct qnt__winograd_pass *w)
{
    const int16_t *in = w->in;
    int16_t *out = w->out;
    for (size_t r = 0; r < w->count; r++, in += w->in_step, out += w->out_step) {
        for (size_t c = 0; c < w->n; c++) {
            int32_t d[POINTS] = {0}, p[POINTS];
            for (int i = 0; i < points_of(w); i++) d[i] = in[(size_t)i * w->in_ld + c];
            filter_pixels(d, w->results, p);
            for (int i = 0; i < points_of(w); i++) out[(size_t)i * w->out_ld + c] = (int16_t)p[i];
        }
    }
}

static void filter_taps(const int w[3], int u[POINTS])
{
    u[0] = 3 * w[0];
    u[1] = w[0] + w[1] + w[2];
    u[2] = w[0] - w[1] + w[2];
    u[3] = 3 * w[2];
    u[4] = w[0] + 2 * w[1] + 4 * w[2];
    u[5] = w[0] - 2 * w[1] + 4 * w[2];
}

void qnt__winograd_taps_c(const struct qnt__winograd_taps *t)
{
    const size_t cell_bytes = qnt__cell_bytes(8);
    for (size_t e = 0; e < t->cells; e++) {
        for (size_t b = 0; b < cell_bytes; b++) {
            const size_t column = b / 4, k = b % 4;
            int down[3][POINTS], across[POINTS];
            for (size_t j = 0; j < 3; j++) {
                int w[3];
                for (size_t i = 0; i < 3; i++)
                    w[i] = (int8_t)t->panel[((3 * i + j) * t->cells + e) * cell_bytes + b];
                filter_taps(w, down[j]);
            }
            int16_t *out = t->out + (2 * e + k / 2) * 2 * QNT__PANEL + 2 * column + k % 2;
            for (size_t i = 0; i < POINTS; i++) {
                filter_taps((const int[3]){down[0][i], down[1][i], down[2][i]}, across);
                for (size_t j = 0; j < POINTS; j++)
                    out[(POINTS * i + j) * t->ld] = (int16_t)across[j];
            }
        }
    }
}

/* Unsigned, so that they wrap. */
static void add_products(const uint32_t m[POINTS], int results, uint32_t y[4])
{
    const uint32_t sum = m[1] + m[2], difference = m[1] - m[2];
    if (results == 2) {
        y[0] = 2 * m[0] + 3 * sum;
        y[1] = 3 * difference + 2 * m[3];
        return;
    }
    const uint32_t sum2 = m[4] + m[5], difference2 = m[4] - m[5];
    y[0] = 2 * m[0] - 4 * sum + sum2;
    y[1] = 2 * difference2 - 4 * difference;
    y[2] = 4 * sum2 - 4 * sum;
    y[3] = 8 * (difference2 + m[3]) - 4 * difference;
}

static void add_all(const struct qnt__winograd_pass *w, uint32_t factor, int shift, bool add)
{
    const int32_t *in = w->in;
    int32_t *out = w->out;
    for (size_t r = 0; r < w->count; r++, in += w->in_step, out += w->out_step) {
        for (size_t c = 0; c < w->n; c++) {
            uint32_t m[POINTS] = {0}, y[4];
            for (int i = 0; i < points_of(w); i++) m[i] = (uint32_t)in[(size_t)i * w->in_ld + c];
            add_products(m, w->results, y);
            for (int i = 0; i < w->results; i++) {
                int32_t *to = out + (size_t)i * w->out_ld + c;
                const int32_t result = (int32_t)(factor * y[i]) >> shift;
                *to = add ? (int32_t)((uint32_t)*to + (uint32_t)result) : result;
            }
        }
    }
}

void qnt__winograd_sums_c(const struct qnt__winograd_pass *w)
{
    add_all(w, 1, 0, false);
}

void qnt__winograd_results_c(const struct qnt__winograd_pass *w)
{
    add_all(w, NINTH, w->shift, w->add);
}
