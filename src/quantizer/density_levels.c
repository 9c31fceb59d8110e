/*
 * Levels of least expected squared error for a density (Lloyd 1957, Max 1960), by shooting: the
 * first level decides all others, since a cell's mean is its level and boundaries lie midway;
 * whether the last cell, which has no end, has its mean at its level tells if the first was too
 * large. Both densities are log-concave, so there is one answer (Fleischer 1964).
 */
#include "levels.h"

#include <math.h>

enum { HALVINGS = 64 };

static const double pi = 3.14159265358979323846;

/* int_t^inf f and int_t^inf x f, up to a common factor. */
static double tail_mass(bool laplace, double t)
{
    return laplace ? exp(-t) : sqrt(pi / 2) * erfc(t / sqrt(2));
}

static double tail_moment(bool laplace, double t)
{
    return laplace ? (1 + t) * exp(-t) : exp(-t * t / 2);
}

/* Mean of the cell from a to b. */
static double cell_mean(bool laplace, double a, double b)
{
    double mass = tail_mass(laplace, a) - tail_mass(laplace, b);
    return mass > 0 ? (tail_moment(laplace, a) - tail_moment(laplace, b)) / mass : a;
}

static double last_mean(bool laplace, double a)
{
    if (laplace) return a + 1;
    double mass = tail_mass(false, a);
    return mass > 0 ? tail_moment(false, a) / mass : a;
}

/* Where the cell that begins at a ends, so that its mean is `level`, below that of the endless
 * cell. */
static double end_of_cell(bool laplace, double a, double level)
{
    double low = level, high = level + 1;
    while (cell_mean(laplace, a, high) < level) high = 2 * high - a;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = 0.5 * (low + high);
        if (cell_mean(laplace, a, middle) < level)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* Fills in all levels from the first one; true if that was too large. */
static bool shoot(bool laplace, int32_t count, double first, double *level)
{
    double begin = 0.0;
    level[0] = first;
    for (int32_t k = 0;; k++) {
        double most = last_mean(laplace, begin);
        if (k + 1 == count) return most < level[k];
        if (most <= level[k]) {
            for (int32_t i = k + 1; i < count; i++) level[i] = level[k];
            return true;
        }
        double end = end_of_cell(laplace, begin, level[k]);
        level[k + 1] = 2 * end - level[k];
        begin = end;
    }
}

void qnt__density_levels(bool laplace, int32_t count, double *positive)
{
    double low = 0.0, high = last_mean(laplace, 0.0);
    if (count == 2) {
        positive[0] = high;
        return;
    }
    for (int i = 0; i < HALVINGS; i++) {
        double middle = 0.5 * (low + high);
        if (shoot(laplace, count / 2, middle, positive))
            high = middle;
        else
            low = middle;
    }
    shoot(laplace, count / 2, low, positive);
}
