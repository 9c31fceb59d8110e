/* The table of methods. */
#include "methods.h"

static const struct qnt__method methods[] = {
    [QNT_FIXED] = {.name = "QNT_FIXED", .flags = QNT_REAL_OFFSET},
    [QNT_MINMAX] = {.name = "QNT_MINMAX", .fit = qnt__fit_minmax,
                    .flags = QNT_DYNAMIC | QNT_REAL_OFFSET},
    [QNT_PERCENTILE] = {.name = "QNT_PERCENTILE", .sorted = true, .fit = qnt__fit_percentile,
                        .flags = QNT_REAL_OFFSET},
    [QNT_ENTROPY] = {.name = "QNT_ENTROPY", .scratch = qnt__fit_entropy_scratch,
                     .fit = qnt__fit_entropy, .flags = QNT_REAL_OFFSET},
    [QNT_ANALYTIC] = {.name = "QNT_ANALYTIC", .prepare = qnt__prepare_analytic,
                      .fit = qnt__fit_analytic, .flags = QNT_REAL_OFFSET},
    [QNT_MSE] = {.name = "QNT_MSE", .scratch = qnt__fit_mse_scratch, .fit = qnt__fit_mse,
                 .flags = QNT_REAL_OFFSET}};

const struct qnt__method *qnt__method_of(int32_t method)
{
    return method >= QNT_FIXED && method <= QNT_MSE ? &methods[method] : NULL;
}
