/* Results of products of digits, one after the other. */
#include <string.h>

#include "../slots.h"

void qnt__finish_lowbit_c(const struct qnt__lowbit_finish *f)
{
    for (size_t i = 0; i < f->m; i++) {
        for (size_t c = 0; c < QNT__LOWBIT_COLUMNS; c++) {
            int32_t *at = &f->acc[i * QNT__LOWBIT_COLUMNS + c];
            int32_t v = (int32_t)((uint32_t)*at * (uint32_t)f->step +
                                  (uint32_t)qnt__lowbit_box(&f->box, i, (int)c) * (uint32_t)f->zero);
            int32_t count = 0;
            for (size_t t = 0; f->thresholds && t < 3; t++)
                count += (v ^ f->flip[c]) >= f->thresholds[t * QNT__LOWBIT_COLUMNS + c];
            if (f->thresholds)
                f->codes[i * QNT__LOWBIT_COLUMNS + c] = (uint8_t)count;
            else
                *at = v;
        }
    }
}

void qnt__box_lowbit_c(const struct qnt__lowbit_box *b)
{
    for (size_t i = 0; i < b->m; i++) {
        uint32_t sum = 0;
        for (size_t r = 0; r < b->rows; r++) {
            for (size_t j = 0; j < b->columns; j++)
                sum += (uint32_t)b->digits[r * b->ld + j * b->dilation + i * b->step];
        }
        b->box[i] = (int32_t)sum;
    }
}

void qnt__floats_lowbit_c(const struct qnt__lowbit_floats *f)
{
    for (size_t o = 0; o < f->n; o++) {
        float y = (float)f->sum[o] * f->scale[o];
        y = y + f->shift[o];
        if (f->first && y < 0.0f) y = 0.0f;
        if (f->identity) {
            float x;
            memcpy(&x, (const uint8_t *)f->identity + 4 * o, sizeof x);
            y = y + x;
        }
        if (f->last && y < 0.0f) y = 0.0f;
        if (f->y) memcpy((uint8_t *)f->y + 4 * o, &y, sizeof y);
        if (!f->codes) continue;
        f->codes[o] = 0;
        for (int t = 0; t < 3; t++) f->codes[o] = (uint8_t)(f->codes[o] + (y >= f->limit[t]));
    }
}
