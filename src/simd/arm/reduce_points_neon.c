/* Adding up the points of outputs, four outputs at a time. */
#include <arm_neon.h>

#include "../slots.h"

void qnt__reduce_points_neon(const struct qnt__reduce_points *r)
{
    for (size_t i = 0; i < r->m; i++) {
        int32_t *acc = r->acc + i * r->ld;
        size_t j = 0;
        for (; j + 4 <= r->n; j += 4)
            vst1q_s32(acc + j, vmulq_s32(vld1q_s32(r->coef + j), vld1q_s32(acc + j)));
        for (; j < r->n; j++) acc[j] = (int32_t)((uint32_t)r->coef[j] * (uint32_t)acc[j]);
        qnt__add_extra_points(r, acc);
    }
}
