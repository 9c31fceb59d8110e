/* A host with memory for a number of allocations, which counts what is not given back. */
#ifndef SCARCE_H
#define SCARCE_H

#include "check.h"

typedef struct budget {
    int left, alive; /* allocations until they fail; blocks */
} budget;

static UNUSED void *scarce(void *user, size_t size, size_t align)
{
    budget *b = user;
    if (b->left-- <= 0) return NULL;
    b->alive++;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static UNUSED void give_back(void *user, void *block, size_t size)
{
    (void)size;
    ((budget *)user)->alive--;
    free(block);
}

#endif
