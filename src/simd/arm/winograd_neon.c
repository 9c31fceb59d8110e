/*
 * Minimal filtering: eight words or four sums at a time. Filters are linear and all but one give 0 for what
 * is the same everywhere, so differences of bytes are words at once and the centre is taken off one point
 * only.
 *
 * The last step of a run meets the one before where n is no multiple: it computes the same again.
 */
#include "../slots.h"
#include "fields.h"

enum { POINTS = QNT__WINOGRAD_POINTS, WORDS = 8, SUMS = 4, NINTH = 0x38e38e39 };

/* Lines have pointers of their own and share an index: compilers would rather add distances each time. */
#define HOLD(pointer) __asm__("" : "+r"(pointer))

/* ---- pixels ---- */

/* A filter of pixels of a type, from the sum and the difference of two and a word less three of them. */
#define FILTER_PIXELS(name, pixels, ADD, SUBTRACT, LESS_THREE)                                     \
    INLINE void name(const pixels *d, int results, int16x8_t *p)                                   \
    {                                                                                              \
        if (results == 2) {                                                                        \
            p[0] = SUBTRACT(d[0], d[2]);                                                           \
            p[1] = ADD(d[1], d[2]);                                                                \
            p[2] = SUBTRACT(d[2], d[1]);                                                           \
            p[3] = SUBTRACT(d[3], d[1]);                                                           \
            return;                                                                                \
        }                                                                                          \
        const int16x8_t even2 = SUBTRACT(d[4], d[2]), half2 = SUBTRACT(d[3], d[1]);                \
        const int16x8_t even = LESS_THREE(even2, d[2]), odd = LESS_THREE(half2, d[1]);             \
        p[0] = vaddq_s16(even2, vshlq_n_s16(SUBTRACT(d[0], d[2]), 2));                             \
        p[1] = vaddq_s16(even, odd);                                                               \
        p[2] = vsubq_s16(even, odd);                                                               \
        p[3] = vsubq_s16(SUBTRACT(d[5], d[3]), vshlq_n_s16(half2, 2));                             \
        p[4] = vaddq_s16(even2, vaddq_s16(half2, half2));                                          \
        p[5] = vsubq_s16(even2, vaddq_s16(half2, half2));                                          \
    }

#define ADD_BYTES(a, b) vreinterpretq_s16_u16(vaddl_u8(a, b))
#define SUBTRACT_BYTES(a, b) vreinterpretq_s16_u16(vsubl_u8(a, b))
#define LESS_THREE_BYTES(a, b)                                                                     \
    vreinterpretq_s16_u16(vmlsl_u8(vreinterpretq_u16_s16(a), b, vdup_n_u8(3)))
#define LESS_THREE_WORDS(a, b) vmlsq_n_s16(a, b, 3)

FILTER_PIXELS(filter_bytes, uint8x8_t, ADD_BYTES, SUBTRACT_BYTES, LESS_THREE_BYTES)
FILTER_PIXELS(filter_words, int16x8_t, vaddq_s16, vsubq_s16, LESS_THREE_WORDS)

INLINE void filter_runs(const struct qnt__winograd_pass *w, bool bytes, int results)
{
    const size_t element = bytes ? 1 : 2, last = w->n - WORDS, points = (size_t)results + 2;
    const int16x8_t centre = vdupq_n_s16((results == 2 ? -2 : 6) * QNT__WINOGRAD_CENTRE);
    for (size_t r = 0; r < w->count; r++) {
        const uint8_t *in[POINTS];
        int16_t *out[POINTS];
        UNROLL for (size_t i = 0; i < points; i++) {
            in[i] = (const uint8_t *)w->in + (r * w->in_step + i * w->in_ld) * element;
            out[i] = (int16_t *)w->out + r * w->out_step + i * w->out_ld;
            HOLD(in[i]);
            HOLD(out[i]);
        }
        for (size_t c = 0;; c = c + WORDS < last ? c + WORDS : last) {
            uint8x8_t b[POINTS];
            int16x8_t d[POINTS], p[POINTS];
            UNROLL for (size_t i = 0; i < points; i++) {
                if (bytes) b[i] = vld1_u8(in[i] + c);
                else d[i] = vld1q_s16((const void *)(in[i] + 2 * c));
            }
            if (bytes) filter_bytes(b, results, p);
            else filter_words(d, results, p);
            if (bytes) p[1] = vaddq_s16(p[1], centre);
            UNROLL for (size_t i = 0; i < points; i++) vst1q_s16(out[i] + c, p[i]);
            if (c == last) break;
        }
    }
}

void qnt__winograd_bytes_neon(const struct qnt__winograd_pass *w)
{
    if (w->n < WORDS) qnt__winograd_bytes_c(w);
    else if (w->results == 2) filter_runs(w, true, 2);
    else filter_runs(w, true, 4);
}

void qnt__winograd_words_neon(const struct qnt__winograd_pass *w)
{
    if (w->n < WORDS) qnt__winograd_words_c(w);
    else if (w->results == 2) filter_runs(w, false, 2);
    else filter_runs(w, false, 4);
}

/* ---- taps ---- */

INLINE void filter_taps(int16x8_t w0, int16x8_t w1, int16x8_t w2, int16x8_t u[POINTS])
{
    const int16x8_t even = vaddq_s16(w0, w2), even2 = vaddq_s16(w0, vshlq_n_s16(w2, 2));
    const int16x8_t twice1 = vaddq_s16(w1, w1);
    u[0] = vmulq_n_s16(w0, 3);
    u[1] = vaddq_s16(even, w1);
    u[2] = vsubq_s16(even, w1);
    u[3] = vmulq_n_s16(w2, 3);
    u[4] = vaddq_s16(even2, twice1);
    u[5] = vsubq_s16(even2, twice1);
}

/* Pair `pair` of the four k of four columns. */
INLINE int16x8_t load_pairs(const uint8_t *quads, size_t pair)
{
    const uint32x4_t quad = vreinterpretq_u32_u8(vld1q_u8(quads));
    return vmovl_s8(vreinterpret_s8_u16(pair ? vshrn_n_u32(quad, 16) : vmovn_u32(quad)));
}

void qnt__winograd_taps_neon(const struct qnt__winograd_taps *t)
{
    const size_t cell_bytes = qnt__cell_bytes(8), tap_bytes = t->cells * cell_bytes, ld = t->ld;
    for (size_t e = 0, quarters = 4 * t->cells; e < quarters; e++) {
        UNROLL for (size_t pair = 0; pair < 2; pair++) {
            const uint8_t *tap = t->panel + 16 * e;
            int16_t *out = t->out + 2 * QNT__PANEL * (e / 4 * 2 + pair) + e % 4 * WORDS;
            int16x8_t down[3][POINTS], across[POINTS];
            UNROLL for (size_t j = 0; j < 3; j++, tap += tap_bytes) {
                filter_taps(load_pairs(tap, pair), load_pairs(tap + 3 * tap_bytes, pair),
                            load_pairs(tap + 6 * tap_bytes, pair), down[j]);
            }
            UNROLL for (size_t i = 0; i < POINTS; i++, out += POINTS * ld) {
                filter_taps(down[0][i], down[1][i], down[2][i], across);
                UNROLL for (size_t j = 0; j < POINTS; j++) vst1q_s16(out + j * ld, across[j]);
            }
        }
    }
}

/* ---- products ---- */

INLINE int32x4_t twice(int32x4_t x)
{
    return vaddq_s32(x, x);
}

/* How often y[i] has to be doubled after add_products: multiplying does it as well. */
INLINE int doubled(int results, int i)
{
    return results == 2 ? 0 : i ? 1 + (i > 1) : 0;
}

INLINE void add_products(const int32x4_t *m, int results, int32x4_t *y)
{
    const int32x4_t sum = vaddq_s32(m[1], m[2]), difference = vsubq_s32(m[1], m[2]);
    if (results == 2) {
        y[0] = vaddq_s32(sum, twice(vaddq_s32(m[0], sum)));
        y[1] = vaddq_s32(difference, twice(vaddq_s32(difference, m[3])));
        return;
    }
    const int32x4_t sum2 = vaddq_s32(m[4], m[5]), difference2 = vsubq_s32(m[4], m[5]);
    y[0] = vaddq_s32(sum2, twice(vsubq_s32(m[0], twice(sum))));
    y[1] = vsubq_s32(difference2, twice(difference));
    y[2] = vsubq_s32(sum2, sum);
    y[3] = vsubq_s32(twice(vaddq_s32(difference2, m[3])), difference);
}

INLINE void add_runs(const struct qnt__winograd_pass *w, int results, bool finally, bool add)
{
    const int32x4_t shift = vdupq_n_s32(-w->shift);
    for (size_t r = 0; r < w->count; r++) {
        const int32_t *in[POINTS];
        int32_t *out[4];
        UNROLL for (size_t i = 0; i < (size_t)results + 2; i++) {
            in[i] = (const int32_t *)w->in + r * w->in_step + i * w->in_ld;
            HOLD(in[i]);
        }
        UNROLL for (size_t i = 0; i < (size_t)results; i++) {
            out[i] = (int32_t *)w->out + r * w->out_step + i * w->out_ld;
            HOLD(out[i]);
        }
        for (size_t c = 0; c < w->n; c += SUMS) {
            int32x4_t m[POINTS], y[4];
            UNROLL for (int i = 0; i < results + 2; i++) m[i] = vld1q_s32(in[i] + c);
            add_products(m, results, y);
            UNROLL for (int i = 0; i < results; i++) {
                const int32_t factor = finally ? NINTH : 1;
                y[i] = vmulq_n_s32(y[i], (int32_t)((uint32_t)factor << doubled(results, i)));
                if (finally) y[i] = vshlq_s32(y[i], shift);
                if (add) y[i] = vaddq_s32(y[i], vld1q_s32(out[i] + c));
                vst1q_s32(out[i] + c, y[i]);
            }
        }
    }
}

void qnt__winograd_sums_neon(const struct qnt__winograd_pass *w)
{
    if (w->results == 2) add_runs(w, 2, false, false);
    else add_runs(w, 4, false, false);
}

void qnt__winograd_results_neon(const struct qnt__winograd_pass *w)
{
    if (w->results == 2) add_runs(w, 2, true, w->add);
    else add_runs(w, 4, true, w->add);
}
