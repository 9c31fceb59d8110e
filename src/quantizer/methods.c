/* The table of methods. */
#include "methods.h"

static const struct qnt__method methods[] = {
    [QNT_FIXED] = {.name = "QNT_FIXED", .schemes = QNT__FOR_AFFINE, .flags = QNT_REAL_OFFSET},
    [QNT_MINMAX] = {.name = "QNT_MINMAX", .schemes = QNT__FOR_AFFINE, .fit = qnt__fit_minmax,
                    .flags = QNT_DYNAMIC | QNT_REAL_OFFSET},
    [QNT_PERCENTILE] = {.name = "QNT_PERCENTILE", .schemes = QNT__FOR_AFFINE, .sorted = true,
                        .fit = qnt__fit_percentile, .flags = QNT_REAL_OFFSET},
    [QNT_ENTROPY] = {.name = "QNT_ENTROPY", .schemes = QNT__FOR_AFFINE,
                     .scratch = qnt__fit_entropy_scratch, .fit = qnt__fit_entropy,
                     .flags = QNT_REAL_OFFSET},
    [QNT_ANALYTIC] = {.name = "QNT_ANALYTIC", .schemes = QNT__FOR_AFFINE,
                      .prepare = qnt__prepare_analytic, .fit = qnt__fit_analytic,
                      .flags = QNT_REAL_OFFSET},
    [QNT_MSE] = {.name = "QNT_MSE", .schemes = QNT__FOR_AFFINE, .scratch = qnt__fit_mse_scratch,
                 .fit = qnt__fit_mse, .flags = QNT_REAL_OFFSET}};

const struct qnt__method *qnt__method_of(int32_t method)
{
    size_t count = sizeof methods / sizeof *methods;
    return method >= 0 && (size_t)method < count && methods[method].name ? &methods[method] : NULL;
}
