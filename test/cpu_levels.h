/* The CPU levels in ascending order, which is not that of their bits: what each one of this machine allows,
 * with all below it. */
#ifndef QNT__TEST_CPU_LEVELS_H
#define QNT__TEST_CPU_LEVELS_H

#include <stdio.h>
#include <stdlib.h>

#include "qnt/context.h"

enum { MAX_LEVELS = 8 };

/* Masks of portable C, then of each level of this machine; returns how many. */
static inline int cpu_levels(uint64_t masks[MAX_LEVELS])
{
    static const uint64_t ascending[] = {QNT_CPU_AVX2,       QNT_CPU_AVXVNNI, QNT_CPU_AVX512VNNI,
                                         QNT_CPU_AVX512VBMI, QNT_CPU_NEON,    QNT_CPU_NEONDOT};
    const uint64_t cpu = qnt_cpu_detect();
    int count = 1;
    masks[0] = 0;
    for (size_t i = 0; i < sizeof ascending / sizeof *ascending; i++) {
        if (!(cpu & ascending[i])) continue;
        masks[count] = masks[count - 1] | ascending[i];
        count++;
    }
    if (masks[count - 1] == cpu) return count;
    fprintf(stderr, "a CPU level is missing in cpu_levels.h\n");
    exit(1);
}

/* Of the best level of a mask of cpu_levels(). */
static inline const char *cpu_level_name(const uint64_t *masks, int i)
{
    return i ? qnt_cpu_name(masks[i] & ~masks[i - 1]) : "portable";
}

#endif
