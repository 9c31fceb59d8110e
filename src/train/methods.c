/* The table of methods of training. */
#include "rows.h"

int32_t qnt__levels_of_interval(const qnt_spec *spec, double level[256])
{
    const int32_t count = 1 << spec->bits, weights = (spec->flags & QNT_SIGNED) != 0;
    for (int32_t i = 0; i < count; i++) level[i] = weights ? 2 * i - (count - 1) : i;
    return count;
}

#define RELAXED                                                                                    \
    .least_bits = 2, .most_bits = 8, .weights = true, .activations = true,                         \
    .count = qnt__relaxed_count, .space = qnt__relaxed_space, .start = qnt__relaxed_start,         \
    .project = qnt__relaxed_project, .affine = qnt__relaxed_affine,                                \
    .forward = qnt__relaxed_forward, .backward = qnt__relaxed_backward
#define INTERVAL                                                                                   \
    .least_bits = 1, .most_bits = 8, .weights = true, .activations = true, .table = {true, true},  \
    .levels = qnt__interval_levels, .count = qnt__interval_count, .start = qnt__interval_start,    \
    .project = qnt__interval_project, .scale = qnt__interval_scale, .rank = qnt__interval_rank,    \
    .backward = qnt__interval_backward
#define VALUES                                                                                     \
    .least_bits = 1, .most_bits = 4, .activations = true, .whole = true, .table = {true, true},    \
    .levels = qnt__interval_levels, .count = qnt__values_count, .start = qnt__values_start,        \
    .project = qnt__values_project, .levels_now = qnt__values_levels, .scale = qnt__values_scale,  \
    .rank = qnt__values_rank, .refit = qnt__values_refit, .backward = qnt__values_backward
#define LEARNED_STEP                                                                               \
    .least_bits = 2, .most_bits = 8, .weights = true, .activations = true,                         \
    .count = qnt__lsq_count, .space = qnt__lsq_space, .project = qnt__lsq_project,                 \
    .affine = qnt__lsq_affine, .backward = qnt__lsq_backward

static const struct qnt__train_method methods[] = {
    {.name = "QNT_BALANCED",
     .method = QNT_BALANCED,
     .fits = true,
     .least_bits = 1,
     .most_bits = 8,
     .weights = true,
     .table = {true, true},
     .levels = qnt__interval_levels,
     .count = qnt__dorefa_count,
     .backward = qnt__balanced_backward},
    {.name = "QNT_LSQ", .method = QNT_LSQ, LEARNED_STEP, .start = qnt__lsq_start},
    {.name = "QNT_LSQPLUS", .method = QNT_LSQPLUS, LEARNED_STEP, .start = qnt__lsqplus_start},
    {.name = "QNT_PACT",
     .method = QNT_PACT,
     .least_bits = 2,
     .most_bits = 8,
     .weights = true,
     .activations = true,
     .count = qnt__pact_count,
     .start = qnt__pact_start,
     .project = qnt__pact_project,
     .affine = qnt__pact_affine,
     .backward = qnt__pact_backward},
    {.name = "QNT_DOREFA",
     .method = QNT_DOREFA,
     .least_bits = 1,
     .most_bits = 8,
     .weights = true,
     .activations = true,
     .table = {false, true},
     .levels = qnt__dorefa_levels,
     .count = qnt__dorefa_count,
     .facts = qnt__dorefa_facts,
     .affine = qnt__dorefa_affine,
     .scale = qnt__dorefa_scale,
     .rank = qnt__dorefa_rank,
     .pulled = QNT__DOREFA_PULL,
     .pull = qnt__dorefa_pull,
     .backward = qnt__dorefa_backward},
    {.name = "QNT_EWGS", .method = QNT_EWGS, INTERVAL},
    {.name = "QNT_INTERVAL", .method = QNT_INTERVAL, INTERVAL},
    {.name = "QNT_N2UQ",
     .method = QNT_N2UQ,
     .least_bits = 1,
     .most_bits = 8,
     .weights = true,
     .activations = true,
     .table = {true, true},
     .levels = qnt__interval_levels,
     .count = qnt__n2uq_count,
     .facts = qnt__n2uq_facts,
     .start = qnt__n2uq_start,
     .project = qnt__n2uq_project,
     .scale = qnt__n2uq_scale,
     .rank = qnt__n2uq_rank,
     .backward = qnt__n2uq_backward},
    {.name = "QNT_STAIRCASE",
     .method = QNT_STAIRCASE,
     .least_bits = 1,
     .most_bits = 8,
     .weights = true,
     .activations = true,
     .table = {true, true},
     .levels = qnt__staircase_levels,
     .count = qnt__staircase_count,
     .space = qnt__staircase_space,
     .start = qnt__staircase_start,
     .project = qnt__staircase_project,
     .scale = qnt__staircase_scale,
     .rank = qnt__staircase_rank,
     .forward = qnt__staircase_forward,
     .backward = qnt__staircase_backward},
    {.name = "QNT_RQ", .method = QNT_RQ, RELAXED},
    {.name = "QNT_SRQ",
     .method = QNT_SRQ,
     RELAXED,
     .gates = qnt__relaxed_gates,
     .penalty = qnt__relaxed_penalty},
    {.name = "QNT_ALQ", .method = QNT_ALQ, VALUES},
    {.name = "QNT_LQ", .method = QNT_LQ, VALUES}};

const struct qnt__train_method *qnt__train_method_of(int32_t method)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (methods[i].method == method) return &methods[i];
    }
    return NULL;
}
