/* Recipes with weights that are not affine: sums of points, tables, exponents. */
#include "codebooks.h"

#include <string.h>

/* Bits of weights (of one point, with the sign of an exponent), of activations, points, mean bits.
 */
#define POINTS(how, bits, values, count, most)                                                     \
    {                                                                                              \
        .scheme = QNT_POINTS, .method = how, .grain = QNT_PER_AXIS, .weight_bits = bits,           \
        .value_bits = values, .points = count, .budget = most                                      \
    }
#define MORE_POINTS(bits, values, as_published)                                                    \
    {                                                                                              \
        .scheme = QNT_POINTS, .method = QNT_MULTIPOINT, .grain = QNT_PER_AXIS,                     \
        .weight_bits = bits, .value_bits = values, .points = 2, .extra = 0.1,                      \
        .literal = as_published                                                                    \
    }
#define PLACED_POINTS(bits, where, draw)                                                           \
    {                                                                                              \
        .scheme = QNT_POINTS, .method = QNT_MULTIPOINT, .grain = QNT_PER_AXIS,                     \
        .weight_bits = bits, .value_bits = 8, .points = 2, .extra = 0.1, .place = where,           \
        .seed = draw                                                                               \
    }
#define LITERAL_POINTS(how, bits, count, most)                                                     \
    {                                                                                              \
        .scheme = QNT_POINTS, .method = how, .grain = QNT_PER_AXIS, .weight_bits = bits,           \
        .literal = true, .points = count, .budget = most                                           \
    }
#define TABLE(how, bits)                                                                           \
    {                                                                                              \
        .scheme = QNT_TABLE, .method = how, .grain = QNT_PER_AXIS, .weight_bits = bits,            \
        .value_bits = 8                                                                            \
    }
#define EXP(bits)                                                                                  \
    {                                                                                              \
        .scheme = QNT_EXP, .method = QNT_TEQ, .grain = QNT_PER_AXIS, .weight_bits = bits,          \
        .value_bits = 8                                                                            \
    }
#define LITERAL_EXP(bits)                                                                          \
    {                                                                                              \
        .scheme = QNT_EXP, .method = QNT_TEQ, .grain = QNT_PER_AXIS, .weight_bits = bits,          \
        .literal = true                                                                            \
    }
#define EXP_PAIRS(exponent, as_published)                                                          \
    {                                                                                              \
        .scheme = QNT_EXP, .method = QNT_TEQ, .grain = QNT_PER_AXIS, .weight_bits = exponent + 1,  \
        .value_bits = exponent, .pairs = true, .literal = as_published                             \
    }
#define ADAPTIVE_PAIRS(as_published)                                                               \
    {                                                                                              \
        .scheme = QNT_EXP, .method = QNT_TEQ, .grain = QNT_PER_AXIS, .weight_bits = 8,             \
        .value_bits = 7, .pairs = true, .adaptive = true, .literal = as_published                  \
    }
#define ADAPTIVE_EXP(values, as_published)                                                         \
    {                                                                                              \
        .scheme = QNT_EXP, .method = QNT_TEQ, .grain = QNT_PER_AXIS, .weight_bits = 8,             \
        .value_bits = values, .adaptive = true, .literal = as_published                            \
    }
#define GAP                                                                                        \
    {                                                                                              \
        .weight_bits = 0                                                                           \
    }

int list_codebooks(struct recipe *out)
{
    static const struct recipe rows[] = {POINTS(QNT_BASES, 1, 8, 1, 0),
                                         POINTS(QNT_BASES, 1, 8, 2, 0),
                                         POINTS(QNT_BASES, 1, 8, 3, 0),
                                         POINTS(QNT_BASES, 1, 8, 4, 0),
                                         POINTS(QNT_BASES, 1, 8, 4, 2.0),
                                         POINTS(QNT_BASES, 1, 8, 4, 1.5),
                                         LITERAL_POINTS(QNT_BASES, 1, 2, 0),
                                         LITERAL_POINTS(QNT_BASES, 1, 3, 0),
                                         GAP,
                                         POINTS(QNT_MULTIPOINT, 2, 8, 1, 0),
                                         MORE_POINTS(2, 8, false),
                                         POINTS(QNT_MULTIPOINT, 3, 8, 1, 0),
                                         MORE_POINTS(3, 8, false),
                                         POINTS(QNT_MULTIPOINT, 4, 8, 1, 0),
                                         MORE_POINTS(4, 8, false),
                                         LITERAL_POINTS(QNT_MULTIPOINT, 2, 1, 0),
                                         MORE_POINTS(2, 0, true),
                                         LITERAL_POINTS(QNT_MULTIPOINT, 3, 1, 0),
                                         MORE_POINTS(3, 0, true),
                                         LITERAL_POINTS(QNT_MULTIPOINT, 4, 1, 0),
                                         MORE_POINTS(4, 0, true),
                                         GAP,
                                         PLACED_POINTS(2, PLACE_OUTPUTS, 0),
                                         PLACED_POINTS(2, PLACE_EVENLY, 0),
                                         PLACED_POINTS(2, PLACE_RANDOM, 0),
                                         PLACED_POINTS(3, PLACE_OUTPUTS, 0),
                                         PLACED_POINTS(3, PLACE_EVENLY, 0),
                                         PLACED_POINTS(3, PLACE_RANDOM, 0),
                                         PLACED_POINTS(3, PLACE_RANDOM, 1),
                                         PLACED_POINTS(3, PLACE_RANDOM, 2),
                                         PLACED_POINTS(4, PLACE_OUTPUTS, 0),
                                         PLACED_POINTS(4, PLACE_EVENLY, 0),
                                         PLACED_POINTS(4, PLACE_RANDOM, 0),
                                         GAP,
                                         TABLE(QNT_KMEANS, 2),
                                         TABLE(QNT_KMEANS, 3),
                                         TABLE(QNT_KMEANS, 4),
                                         TABLE(QNT_NF4, 4),
                                         TABLE(QNT_FP4, 4),
                                         TABLE(QNT_POT, 4),
                                         TABLE(QNT_APOT, 4),
                                         TABLE(QNT_BALANCED, 2),
                                         TABLE(QNT_BALANCED, 4),
                                         GAP,
                                         EXP(3),
                                         EXP(4),
                                         EXP(5),
                                         EXP(6),
                                         EXP(7),
                                         LITERAL_EXP(3),
                                         LITERAL_EXP(4),
                                         LITERAL_EXP(5),
                                         LITERAL_EXP(6),
                                         LITERAL_EXP(7),
                                         ADAPTIVE_EXP(8, false),
                                         ADAPTIVE_EXP(0, true),
                                         GAP,
                                         EXP_PAIRS(3, false),
                                         EXP_PAIRS(4, false),
                                         EXP_PAIRS(5, false),
                                         EXP_PAIRS(6, false),
                                         EXP_PAIRS(7, false),
                                         ADAPTIVE_PAIRS(false),
                                         EXP_PAIRS(3, true),
                                         EXP_PAIRS(4, true),
                                         EXP_PAIRS(5, true),
                                         EXP_PAIRS(6, true),
                                         EXP_PAIRS(7, true),
                                         ADAPTIVE_PAIRS(true)};
    _Static_assert(sizeof rows / sizeof *rows <= MOST_CODEBOOKS, "room for the rows");
    memcpy(out, rows, sizeof rows);
    return (int)(sizeof rows / sizeof *rows);
}
