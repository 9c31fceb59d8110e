/* The slot tables of every CPU level of this machine, for tests that compare them with portable C. */
#ifndef QNT__TEST_SIMD_LEVELS_H
#define QNT__TEST_SIMD_LEVELS_H

#include <stdbool.h>

#include "check.h"
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

/* A hint may point anywhere: nothing is read or written there. */
static inline struct qnt__results random_results(void)
{
    if (random_in(0, 1)) return (struct qnt__results){0};
    return (struct qnt__results){.at = (const uint8_t *)(uintptr_t)random_in(1, INT32_MAX),
                                 .pitch = (size_t)random_in(0, 1 << 20),
                                 .bytes = (size_t)random_in(0, 600)};
}

#endif
