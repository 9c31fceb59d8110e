/* Results of products of digits, one after the other. */
#include "../slots.h"

void qnt__finish_lowbit_c(const struct qnt__lowbit_finish *f)
{
    for (size_t i = 0; i < f->m; i++) {
        for (size_t c = 0; c < QNT__LOWBIT_COLUMNS; c++) {
            int32_t *at = &f->acc[i * QNT__LOWBIT_COLUMNS + c];
            int32_t v = (int32_t)((uint32_t)*at * (uint32_t)f->step +
                                  (uint32_t)f->box[i] * (uint32_t)f->zero);
            int32_t count = 0;
            for (size_t t = 0; f->thresholds && t < 3; t++)
                count += v >= f->thresholds[t * QNT__LOWBIT_COLUMNS + c];
            if (f->thresholds)
                f->codes[i * QNT__LOWBIT_COLUMNS + c] = (uint8_t)count;
            else
                *at = v;
        }
    }
}
