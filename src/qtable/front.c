/* What trials say together: the front, the reference curve through it, a box around part of it. */
#include <math.h>

#include "base/arith.h"
#include "base/try.h"
#include "search.h"

static qnt_status check_trials(const qnt_context *context, const qnt_trial *trials, size_t n)
{
    if (!trials && n) return qnt__fail(context, QNT_E_INVALID, "trials is NULL");
    for (size_t i = 0; i < n; i++) {
        if (isfinite(trials[i].rate) && isfinite(trials[i].utility)) continue;
        return qnt__fail(context, QNT_E_INVALID,
                         "trial %zu: rate %g and utility %g, expected finite numbers", i,
                         trials[i].rate, trials[i].utility);
    }
    return QNT_OK;
}

/* By falling rate, then by falling utility, then in the order given. */
static bool before(const qnt_trial *trials, size_t a, size_t b)
{
    if (trials[a].rate != trials[b].rate) return trials[a].rate > trials[b].rate;
    if (trials[a].utility != trials[b].utility) return trials[a].utility > trials[b].utility;
    return a < b;
}

static void sift(const qnt_trial *trials, size_t *heap, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(trials, heap[child], heap[child + 1])) child++;
        if (!before(trials, heap[root], heap[child])) return;
        size_t moved = heap[root];
        heap[root] = heap[child], heap[child] = moved;
    }
}

static void sort(const qnt_trial *trials, size_t *index, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) sift(trials, index, i, n);
    for (size_t i = n; i-- > 1;) {
        size_t first = index[0];
        index[0] = index[i], index[i] = first;
        sift(trials, index, 0, i);
    }
}

/* A trial belongs to the front if it has the largest utility of its rate, and all larger rates have
 * less. `front` has room for n. */
static size_t find_front(const qnt_trial *trials, size_t n, size_t *front)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) front[i] = i;
    sort(trials, front, n);
    for (size_t i = 0; i < n; i++) {
        const qnt_trial *trial = &trials[front[i]];
        if (count) {
            const qnt_trial *last = &trials[front[count - 1]];
            bool equal = trial->rate == last->rate && trial->utility == last->utility;
            if (!(trial->utility > last->utility) && !equal) continue;
        }
        front[count++] = front[i];
    }
    return count;
}

qnt_status qnt_search_front(const qnt_context *context, const qnt_trial *trials, size_t n,
                            size_t *front, size_t *count)
{
    if (!context) return QNT_E_INVALID;
    if (!count || (!front && n)) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", count ? "front" : "count");
    }
    QNT__TRY(check_trials(context, trials, n));
    *count = find_front(trials, n, front);
    return QNT_OK;
}

/* Indices of the front in memory of the library; the caller frees n of them. */
static qnt_status open_front(const qnt_context *context, const qnt_trial *trials, size_t n,
                             size_t **front, size_t *count)
{
    void *block;
    size_t bytes;
    QNT__TRY(check_trials(context, trials, n));
    if (!qnt__mul(n, sizeof **front, &bytes)) {
        return qnt__fail(context, QNT_E_INVALID, "n is %zu, which does not fit in memory", n);
    }
    QNT__TRY(qnt__allocate(context, &context->memory, bytes, &block));
    *front = block;
    *count = find_front(trials, n, *front);
    return QNT_OK;
}

/* Gauss elimination with pivots; false if the matrix is singular. a: 3 rows of 4. */
static bool solve(double a[3][4])
{
    for (int c = 0; c < 3; c++) {
        int pivot = c;
        for (int r = c + 1; r < 3; r++) {
            if (fabs(a[r][c]) > fabs(a[pivot][c])) pivot = r;
        }
        if (!(fabs(a[pivot][c]) > 1e-12)) return false;
        for (int k = 0; k < 4; k++) {
            double moved = a[c][k];
            a[c][k] = a[pivot][k], a[pivot][k] = moved;
        }
        for (int r = 0; r < 3; r++) {
            double factor = r == c ? 0.0 : a[r][c] / a[c][c];
            for (int k = c; k < 4; k++) a[r][k] -= factor * a[c][k];
        }
    }
    for (int c = 0; c < 3; c++) a[c][3] /= a[c][c];
    return true;
}

/* With rates centred and scaled to [-1, 1], which keeps the equations well conditioned. */
static bool fit(const qnt_trial *trials, const size_t *front, size_t count, double curve[3])
{
    if (count < 3) return false;
    double high = trials[front[0]].rate, low = trials[front[count - 1]].rate;
    double centre = 0.5 * (low + high), half = 0.5 * (high - low), a[3][4] = {{0.0}};
    if (!(half > 0.0)) return false;
    for (size_t i = 0; i < count; i++) {
        double t = (trials[front[i]].rate - centre) / half, power[3] = {1.0, t, t * t};
        for (int r = 0; r < 3; r++) {
            for (int c = 0; c < 3; c++) a[r][c] += power[r] * power[c] / (double)count;
            a[r][3] += power[r] * trials[front[i]].utility / (double)count;
        }
    }
    if (!solve(a)) return false;
    double p0 = a[0][3], p1 = a[1][3] / half, p2 = a[2][3] / (half * half);
    curve[0] = p0 - p1 * centre + p2 * centre * centre;
    curve[1] = p1 - 2.0 * p2 * centre;
    curve[2] = p2;
    return isfinite(curve[0]) && isfinite(curve[1]) && isfinite(curve[2]);
}

qnt_status qnt_search_curve(const qnt_context *context, const qnt_trial *trials, size_t n,
                            double curve[3])
{
    if (!context) return QNT_E_INVALID;
    if (!curve) return qnt__fail(context, QNT_E_INVALID, "curve is NULL");
    size_t *front, count;
    double found[3];
    QNT__TRY(open_front(context, trials, n, &front, &count));
    bool good = fit(trials, front, count, found);
    qnt__free(&context->memory, front, n * sizeof *front);
    if (!good) {
        return qnt__fail(context, QNT_E_STATE,
                         "the front has %zu trials, expected at least 3 different rates", count);
    }
    for (int i = 0; i < 3; i++) curve[i] = found[i];
    return QNT_OK;
}

/* ---- box ---- */

struct spread {
    double low, high, sum, squares;
};

static void widen(struct spread *s, double step)
{
    s->low = fmin(s->low, step);
    s->high = fmax(s->high, step);
    s->sum += step;
    s->squares += step * step;
}

static double clip(double step)
{
    return rint(fmin(fmax(step, 1.0), 255.0));
}

qnt_status qnt_search_box(const qnt_context *context, const qnt_trial *trials, size_t n,
                          double rate_low, double rate_high, double spread, qnt_qtable *low,
                          qnt_qtable *high)
{
    if (!context) return QNT_E_INVALID;
    if (!low || !high) {
        return qnt__fail(context, QNT_E_INVALID, "%s is NULL", low ? "high" : "low");
    }
    if (!(spread >= 0.0) || !isfinite(spread)) {
        return qnt__fail(context, QNT_E_INVALID, "spread is %g, expected 0 or more", spread);
    }
    size_t *front, count, inside = 0;
    QNT__TRY(open_front(context, trials, n, &front, &count));
    struct spread place[64];
    for (int i = 0; i < 64; i++) place[i] = (struct spread){.low = 255.0, .high = 1.0};
    for (size_t f = 0; f < count; f++) {
        const qnt_trial *trial = &trials[front[f]];
        if (!(trial->rate > rate_low && trial->rate < rate_high)) continue;
        inside++;
        for (int i = 0; i < 64; i++) {
            widen(&place[i], trial->table[0].step[i]);
            widen(&place[i], trial->table[0].step[i % 8 * 8 + i / 8]);
        }
    }
    qnt__free(&context->memory, front, n * sizeof *front);
    if (inside == 0) {
        return qnt__fail(context, QNT_E_STATE,
                         "none of %zu front trials has a rate between %g and %g", count, rate_low,
                         rate_high);
    }
    for (int i = 0; i < 64; i++) {
        double mean = place[i].sum / (2.0 * (double)inside);
        double variance = place[i].squares / (2.0 * (double)inside) - mean * mean;
        double wider = spread * sqrt(fmax(variance, 0.0));
        low->step[i] = (uint16_t)clip(place[i].low - wider);
        high->step[i] = (uint16_t)clip(place[i].high + wider);
    }
    return QNT_OK;
}
