/*
 * Scales and centres seen from signed data: levels c + s (k - steps / 2), thresholds half way
 * between.
 *
 * At one point (s, c) the thresholds give the error and, by linear regression on the codes, a
 * better point; a box of points gives a bound for all of them.
 */
#ifndef QNT__QUANTIZER_BOX_H
#define QNT__QUANTIZER_BOX_H

#include "sorted.h"

/* s[0]..s[1] times c[0]..c[1], and the least and the greatest of every threshold in it. */
struct qnt__box {
    double s[2], c[2];
    struct qnt__mark *low, *high; /* [steps] */
};

struct qnt__point {
    double error, s, c;
    double code; /* weighted mean of k - steps / 2 */
};

struct qnt__line {
    const struct qnt__sorted *data;
    int32_t steps;
    struct qnt__mark *at; /* [steps], scratch */
};

/* Places the thresholds of a box, which lie between those of `outer`; NULL: anywhere. */
void qnt__box_place(const struct qnt__line *line, struct qnt__box *box,
                    const struct qnt__box *outer);

/* Lower bound of the error in the box; *settled tells that no code changes in it. */
double qnt__box_bound(const struct qnt__line *line, const struct qnt__box *box, bool *settled);

/* The least error with the codes of (s, c), and where it is. `box` as in qnt__box_place(). */
struct qnt__point qnt__box_regress(const struct qnt__line *line, double s, double c,
                                   const struct qnt__box *box);

#endif
