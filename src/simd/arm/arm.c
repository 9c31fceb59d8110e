/* What AArch64 adds to the slot table, level by level: the state of optimisation at a glance. */
#include "../slots.h"
#include "qnt/context.h"

void qnt__simd_overlay(struct qnt__simd *table, uint64_t cpu)
{
    if (cpu & QNT_CPU_NEON) {
    }
    if (cpu & QNT_CPU_NEONDOT) {
    }
    (void)table;
}
