/* Portable definition of adding weighted sums. */
#include "../slots.h"

void qnt__add_s32_c(const int32_t *sum, const int32_t *part, size_t n, int shift, int32_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int32_t)((uint32_t)sum[i] + ((uint32_t)part[i] << shift));
}
