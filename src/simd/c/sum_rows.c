/* Portable definition of row sums, needed for weights with a zero point. */
#include "../slots.h"

void qnt__sum_rows_c(const uint8_t *const *rows, size_t m, const ptrdiff_t *taps, size_t tap_count,
                     size_t depth, int32_t *sums)
{
    for (size_t i = 0; i < m; i++) {
        uint32_t sum = 0; /* wraps modulo 2^32 */
        for (size_t t = 0; t < tap_count; t++) {
            const uint8_t *a = rows[i] + taps[t];
            for (size_t k = 0; k < depth; k++) sum += a[k];
        }
        sums[i] = (int32_t)sum;
    }
}
