/* The slot tables of every CPU level of this machine, for tests that compare them with portable C. */
#ifndef QNT__TEST_SIMD_LEVELS_H
#define QNT__TEST_SIMD_LEVELS_H

#include <stdbool.h>

#include "qnt/context.h"
#include "simd/slots.h"

enum { MAX_LEVELS = 8 };

static struct qnt__simd tables[MAX_LEVELS];
static const char *names[MAX_LEVELS];
static int levels;

/* With portable C, which is then the first, or only what is faster. */
static void choose_levels(bool portable)
{
    uint64_t cpu = qnt_cpu_detect(), mask = 0;
    if (portable) {
        qnt__simd_choose(&tables[levels], 0);
        names[levels++] = "portable";
    }
    for (uint64_t bit = 1; bit; bit <<= 1) {
        if (!(cpu & bit)) continue;
        mask |= bit;
        qnt__simd_choose(&tables[levels], mask);
        names[levels++] = qnt_cpu_name(bit);
    }
}

#endif
