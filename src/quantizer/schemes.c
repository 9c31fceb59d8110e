/* The table of schemes. */
#include "schemes.h"

static const struct qnt__scheme *const schemes[] = {[QNT_AFFINE] = &qnt__affine_scheme,
                                                    [QNT_POINTS] = &qnt__points_scheme,
                                                    [QNT_EXP] = &qnt__exp_scheme,
                                                    [QNT_TABLE] = &qnt__table_scheme};

enum { SCHEMES = sizeof schemes / sizeof *schemes };

const struct qnt__scheme *qnt__scheme_of(int32_t scheme)
{
    return scheme >= 0 && scheme < SCHEMES ? schemes[scheme] : NULL;
}
