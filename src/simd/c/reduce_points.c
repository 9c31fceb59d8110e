/* Portable definition of adding up the points of outputs. */
#include "../slots.h"

void qnt__reduce_points_c(const struct qnt__reduce_points *r)
{
    for (size_t i = 0; i < r->m; i++) {
        int32_t *acc = r->acc + i * r->ld;
        for (size_t j = 0; j < r->n; j++) acc[j] = (int32_t)((uint32_t)r->coef[j] * (uint32_t)acc[j]);
        qnt__add_extra_points(r, acc);
    }
}
