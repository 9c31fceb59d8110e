/* The bounds behind the certificates: no point of an interval or box has a smaller error. */
#include "quantizer/box.h"
#include "quantizer/cut.h"
#include "solve.h"

enum { MAX = 40, LEVELS = 16 };

/* Error of levels lowest + s k, k = 0..steps, in double precision. */
static double error_at(const float *x, const double *h, size_t n, double lowest, double s,
                       int steps)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double k = fmin(fmax(nearbyint(((double)x[i] - lowest) / s), 0.0), steps);
        double away = (double)x[i] - lowest - k * s;
        sum += (h ? h[i] : 1.0) * away * away;
    }
    return sum;
}

static void intervals(void)
{
    struct qnt__mark marks[4][LEVELS + 2];
    struct qnt__part parts[2][LEVELS + 1];
    void *space = aligned_alloc(64, (qnt__sort_bytes(MAX) + 63) / 64 * 64);
    double tightest = INFINITY;
    for (int round = 0; round < ROUNDS(4000); round++) {
        float x[MAX];
        double h[MAX];
        int steps = (int)random_in(1, LEVELS), below = (int)random_in(0, steps);
        fill(x, h, MAX, round % KINDS);
        struct qnt__sorted sorted;
        qnt__sort(x, h, MAX, QNT__SIDES, space, &sorted);
        struct qnt__grid grid = {&sorted, steps, below, below,
                                 {(size_t)(steps - below), (size_t)below}, {parts[0], parts[1]}};
        double s1 = exp(4.0 * random_unit() - 3.0), s2 = s1 * (1.0 + 0.3 * pow(random_unit(), 3.0));
        struct qnt__cut left = {s1, {marks[0], marks[1]}}, right = {s2, {marks[2], marks[3]}};
        qnt__cut_place(&grid, &right, NULL, NULL);
        qnt__cut_place(&grid, &left, NULL, &right);
        bool settled;
        int32_t first, last;
        double bound = qnt__cut_bound(&grid, &left, &right, &settled), tiny = 1e-13 * sorted.energy;
        double clipping = qnt__cut_clipping(&grid, &right, INFINITY, &first, &last);
        for (int i = 0; i <= 20; i++) {
            double s = s1 + (s2 - s1) * i / 20.0;
            double e = error_at(x, h, MAX, -s * below, s, steps);
            CHECK_MSG(bound <= e + tiny, "%d levels: bound %.17g, error %.17g", steps, bound, e);
            CHECK_MSG(clipping <= e + tiny, "%d levels: clipping %.17g, error %.17g", steps,
                      clipping, e);
            if (e > 0.0) tightest = fmin(tightest, (e - bound) / e);
        }
    }
    CHECK(tightest < 1e-6);
    free(space);
}

static void boxes(void)
{
    struct qnt__mark marks[2][LEVELS], at[LEVELS];
    void *space = aligned_alloc(64, (qnt__sort_bytes(MAX) + 63) / 64 * 64);
    double tightest = INFINITY;
    for (int round = 0; round < ROUNDS(4000); round++) {
        float x[MAX];
        double h[MAX];
        int steps = (int)random_in(1, LEVELS);
        fill(x, h, MAX, round % KINDS);
        struct qnt__sorted sorted;
        qnt__sort(x, h, MAX, QNT__SIGNED, space, &sorted);
        struct qnt__line line = {&sorted, steps, at};
        double s = exp(3.0 * random_unit() - 2.0), c = random_gauss();
        double ds = 0.3 * s * pow(random_unit(), 3.0), dc = s * pow(random_unit(), 3.0);
        struct qnt__box box = {{s, s + ds}, {c, c + dc}, marks[0], marks[1]};
        qnt__box_place(&line, &box, NULL);
        bool settled;
        double bound = qnt__box_bound(&line, &box, &settled);
        double tiny = 1e-12 * (sorted.energy + c * c * MAX + energy(x, h, MAX));
        for (int i = 0; i < 36; i++) { /* corners, edges and inside */
            double si = s + ds * (i % 6) / 5.0, ci = c + dc * (i / 6) / 5.0;
            double e = error_at(x, h, MAX, sorted.origin + ci - 0.5 * steps * si, si, steps);
            CHECK_MSG(bound <= e + tiny, "%d levels: bound %.17g, error %.17g", steps, bound, e);
            if (e > 0.0) tightest = fmin(tightest, (e - bound) / e);
        }
        struct qnt__point point = qnt__box_regress(&line, s + 0.5 * ds, c + 0.5 * dc, &box);
        double e =
            error_at(x, h, MAX, sorted.origin + point.c - 0.5 * steps * point.s, point.s, steps);
        CHECK_MSG(e <= point.error + tiny, "%d levels: says %.17g, is %.17g", steps, point.error,
                  e);
    }
    CHECK(tightest < 1e-6);
    free(space);
}

int main(int argc, char **argv)
{
    CHECK_INIT;
    RUN(intervals);
    RUN(boxes);
    return DONE;
}
