/*
 * Methods: how the parameters of one group are found. One row of the table in methods.c for each.
 *
 * fit.c calls a method once for each group, for several groups at once on different workers. A
 * method reads its arguments, writes *fit, and nothing else. It allocates nothing: it says in
 * advance how much scratch it needs. fit.c then measures QNT_P_ERROR with the stored numbers, for
 * all methods alike.
 */
#ifndef QNT__QUANTIZER_METHODS_H
#define QNT__QUANTIZER_METHODS_H

#include "quantizer.h"
#include "statistics.h"

enum {
    QNT__SHARED = 256,
    /* bits of `schemes` */
    QNT__FOR_AFFINE = 1 << QNT_AFFINE,
    QNT__FOR_POINTS = 1 << QNT_POINTS,
    QNT__FOR_EXP = 1 << QNT_EXP,
    QNT__FOR_TABLE = 1 << QNT_TABLE
};

/* What is known of one group; moments->count is at least 1. */
struct qnt__group_data {
    const float *values;    /* [n]; ascending if the method's row says `sorted`, else as observed */
    const double *weights;  /* [n], > 0; NULL: all 1 */
    size_t n;               /* at least 1 */
    bool binned;            /* values are the exact centroids of histogram bins, ascending, rounded to
                               float32, and weights the bins' weights */
    double bin_width;       /* binned: of the bins, which begin at its whole multiples */
    double within;          /* binned: weighted squared distance of the data to its centroids; else 0 */
    const struct qnt__moments *moments; /* of the data, exact also if binned */
    const double *shared;   /* [QNT__SHARED], what `prepare` computed once for all groups */
    void *scratch;          /* scratch(quantizer, n) bytes, 64-byte aligned, of this worker */
};

/* The answer; all zero before the call but for `own`, which points to the defaults. */
struct qnt__group_fit {
    float scale;    /* > 0, finite */
    float offset;   /* value of code 0 with QNT_REAL_OFFSET, else 0 */
    int32_t zero;   /* code of the value 0; 0 with QNT_REAL_OFFSET */
    float *own;     /* [own_count] of the handle, what the scheme keeps for the group besides */
    double bound;   /* proven lower bound of the squared error of (values, weights), or 0 */
    double visited; /* nodes of a branch and bound, or 0 */
};

struct qnt__method {
    const char *name;
    uint32_t schemes; /* QNT__FOR_ bits */
    bool sorted; /* values must be ascending */
    /* Bytes of scratch for n values; NULL: none. SIZE_MAX if that overflows. */
    size_t (*scratch)(const qnt_quantizer *quantizer, size_t n);
    /* Computes what is the same for all groups; NULL: nothing. */
    void (*prepare)(const qnt_quantizer *quantizer, double shared[QNT__SHARED]);
    /* Fits all groups together, where they depend on each other, and writes the parameters of `next`
     * itself; NULL: `fit` does each on its own. Called on one thread; may share work among workers;
     * reports progress to the end unless there is `fit` as well. `seen` has values or bins for every
     * group. */
    qnt_status (*fit_all)(const qnt_context *context, const struct qnt__statistics *seen,
                          qnt_quantizer *next);
    /* NULL: there is nothing to fit (QNT_FIXED), or fit_all does. */
    void (*fit)(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                struct qnt__group_fit *fit);
    bool certified; /* `bound` and `visited` are proven, not 0 */
    int32_t flags; /* flags of qnt_spec that the method serves, beyond SIGNED, SYMMETRIC, NARROW */
};

/* The row of a method; NULL if the number is unknown. */
const struct qnt__method *qnt__method_of(int32_t method);

/* fit.c: may the quantizer be fitted? Tells the reason if not. And what is left to do when new parameters
 * are allocated: fitting group by group, if that is how the method does it, and measuring. */
qnt_status qnt__fit_check(const qnt_context *context, const qnt_quantizer *quantizer);
qnt_status qnt__fit_finish(const qnt_context *context, qnt_quantizer *next);

/* fit_mse.c */
size_t qnt__fit_mse_scratch(const qnt_quantizer *quantizer, size_t n);
void qnt__fit_mse(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                  struct qnt__group_fit *fit);

/* fit_minmax.c */
void qnt__fit_minmax(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                     struct qnt__group_fit *fit);

/* The arithmetic of QNT_MINMAX for a range low <= high of finite values: ONNX
 * DynamicQuantizeLinear. With QNT_SYMMETRIC the range is [-m, m], m the larger magnitude. */
void qnt__fit_range(const qnt_spec *spec, float low, float high, struct qnt__group_fit *fit);

/* fit_percentile.c */
void qnt__fit_percentile(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                         struct qnt__group_fit *fit);

/* fit_entropy.c */
size_t qnt__fit_entropy_scratch(const qnt_quantizer *quantizer, size_t n);
void qnt__fit_entropy(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                      struct qnt__group_fit *fit);

/* fit_analytic.c */
size_t qnt__fit_analytic_scratch(const qnt_quantizer *quantizer, size_t n);
void qnt__prepare_analytic(const qnt_quantizer *quantizer, double shared[QNT__SHARED]);
void qnt__fit_analytic(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                       struct qnt__group_fit *fit);

/* fit_balanced.c */
void qnt__fit_balanced(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                       struct qnt__group_fit *fit);

/* fit_points.c */
qnt_status qnt__fit_points(const qnt_context *context, const struct qnt__statistics *seen,
                           qnt_quantizer *next);

/* fit_teq.c */
qnt_status qnt__fit_teq(const qnt_context *context, const struct qnt__statistics *seen,
                        qnt_quantizer *next);

/* fit_levels.c: of the table scheme, QNT_LEVELS and the standard tables, and the rest */
size_t qnt__fit_scale_scratch(const qnt_quantizer *quantizer, size_t n);
void qnt__fit_scale(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                    struct qnt__group_fit *fit);
qnt_status qnt__fit_levels_ready(const qnt_context *context, const struct qnt__statistics *seen,
                                 qnt_quantizer *next);
size_t qnt__fit_own_levels_scratch(const qnt_quantizer *quantizer, size_t n);
void qnt__prepare_levels(const qnt_quantizer *quantizer, double shared[QNT__SHARED]);
void qnt__fit_own_levels(const qnt_quantizer *quantizer, const struct qnt__group_data *data,
                         struct qnt__group_fit *fit);

#endif
