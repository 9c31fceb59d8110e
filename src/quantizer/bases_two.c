/*
 * The best two bases, exactly. The sums +-a +-b are two magnitudes, u = a + b and v = a - b, either
 * sign of each: so two bases are the best two levels of the magnitudes |x|. Levels are means of
 * what is nearest to them, which is all magnitudes below some place and all above; every place is
 * tried.
 */
#include <math.h>

#include "bases.h"
#include "sorted.h"

static double total_weight(const double *h, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += h ? h[i] : 1.0;
    return sum;
}

bool qnt__bases_two(const float *x, const double *h, size_t n, void *space, double coef[2])
{
    struct qnt__sorted sorted;
    qnt__sort(x, h, n, QNT__FOLDED, space, &sorted);
    const struct qnt__side *side = &sorted.side[0];
    if (side->n == 0) return false;
    const struct qnt__sums all = side->sums[side->n];
    const double zeros =
        fmax(total_weight(h, n) - all.h, 0.0); /* the sorted side leaves them out */
    double most = 0.0;
    for (size_t i = 0; i < side->n; i++) {
        struct qnt__sums low = side->sums[i];
        double inner = zeros + low.h, outer = all.h - low.h, rest = all.hx - low.hx;
        if (!(inner > 0.0) || !(outer > 0.0)) continue;
        double saved = low.hx * low.hx / inner + rest * rest / outer;
        if (!(saved > most)) continue;
        most = saved;
        double v = low.hx / inner, u = rest / outer;
        coef[0] = 0.5 * (u - v);
        coef[1] = 0.5 * (u + v);
    }
    return most > 0.0 && coef[0] > 0.0;
}
