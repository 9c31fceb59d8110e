/* The table of methods. */
#include "methods.h"

#define SCALE_ONLY                                                                                 \
    .schemes = QNT__FOR_TABLE, .scratch = qnt__fit_scale_scratch, .fit = qnt__fit_scale, .certified = true
#define OWN_LEVELS                                                                                 \
    .schemes = QNT__FOR_TABLE, .scratch = qnt__fit_own_levels_scratch,                             \
    .prepare = qnt__prepare_levels, .fit = qnt__fit_own_levels

static const struct qnt__method methods[] = {
    [QNT_FIXED] = {.name = "QNT_FIXED", .schemes = QNT__FOR_AFFINE | QNT__FOR_EXP,
                   .flags = QNT_REAL_OFFSET},
    [QNT_MINMAX] = {.name = "QNT_MINMAX", .schemes = QNT__FOR_AFFINE, .fit = qnt__fit_minmax,
                    .flags = QNT_DYNAMIC | QNT_REAL_OFFSET},
    [QNT_PERCENTILE] = {.name = "QNT_PERCENTILE", .schemes = QNT__FOR_AFFINE, .sorted = true,
                        .fit = qnt__fit_percentile, .flags = QNT_REAL_OFFSET},
    [QNT_ENTROPY] = {.name = "QNT_ENTROPY", .schemes = QNT__FOR_AFFINE,
                     .scratch = qnt__fit_entropy_scratch, .fit = qnt__fit_entropy,
                     .flags = QNT_REAL_OFFSET},
    [QNT_ANALYTIC] = {.name = "QNT_ANALYTIC", .schemes = QNT__FOR_AFFINE | QNT__FOR_TABLE,
                      .scratch = qnt__fit_analytic_scratch, .prepare = qnt__prepare_analytic,
                      .fit = qnt__fit_analytic, .flags = QNT_REAL_OFFSET},
    [QNT_MSE] = {.name = "QNT_MSE", .schemes = QNT__FOR_AFFINE, .scratch = qnt__fit_mse_scratch,
                 .fit = qnt__fit_mse, .certified = true, .flags = QNT_REAL_OFFSET},
    [QNT_BALANCED] = {.name = "QNT_BALANCED", .schemes = QNT__FOR_TABLE, .sorted = true,
                      .fit = qnt__fit_balanced},
    [QNT_BASES] = {.name = "QNT_BASES", .schemes = QNT__FOR_POINTS, .fit_all = qnt__fit_points},
    [QNT_MULTIPOINT] = {.name = "QNT_MULTIPOINT", .schemes = QNT__FOR_POINTS, .fit_all = qnt__fit_points},
    [QNT_TEQ] = {.name = "QNT_TEQ", .schemes = QNT__FOR_EXP, .fit_all = qnt__fit_teq},
    [QNT_KMEANS] = {.name = "QNT_KMEANS", OWN_LEVELS, .certified = true},
    [QNT_LLOYD] = {.name = "QNT_LLOYD", OWN_LEVELS},
    [QNT_NF4] = {.name = "QNT_NF4", SCALE_ONLY},
    [QNT_FP4] = {.name = "QNT_FP4", SCALE_ONLY},
    [QNT_POT] = {.name = "QNT_POT", SCALE_ONLY},
    [QNT_APOT] = {.name = "QNT_APOT", SCALE_ONLY},
    [QNT_LEVELS] = {.name = "QNT_LEVELS", SCALE_ONLY, .fit_all = qnt__fit_levels_ready}};

const struct qnt__method *qnt__method_of(int32_t method)
{
    size_t count = sizeof methods / sizeof *methods;
    return method >= 0 && (size_t)method < count && methods[method].name ? &methods[method] : NULL;
}
