/* The slot tables of every CPU level of this machine, for tests that compare them with portable C. */
#ifndef QNT__TEST_SIMD_LEVELS_H
#define QNT__TEST_SIMD_LEVELS_H

#include <stdbool.h>

#include "cpu_levels.h"
#include "simd/slots.h"

static struct qnt__simd tables[MAX_LEVELS];
static const char *names[MAX_LEVELS];
static int levels;

/* With portable C, which is then the first, or only what is faster. */
static void choose_levels(bool portable)
{
    uint64_t masks[MAX_LEVELS];
    int count = cpu_levels(masks);
    for (int i = portable ? 0 : 1; i < count; i++) {
        qnt__simd_choose(&tables[levels], masks[i]);
        names[levels++] = cpu_level_name(masks, i);
    }
}

#endif
