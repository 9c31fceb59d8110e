/* Portable definition of preparing rows of activations and of multiplying them (slots_prepared.h). */
#include <string.h>

#include "../layout.h"
#include "../slots.h"

/* A pair of activations, of which the second one may become its negative; returns whether it does. */
static int oppose(int u0, int u1, int8_t x[2], int32_t *constant)
{
    const int x0 = 127 - u0, x1 = 127 - u1, negated = (x0 < 0) == (x1 < 0);
    x[0] = (int8_t)x0;
    x[1] = (int8_t)(negated ? -x1 : x1);
    *constant -= 127 * x[0] + (negated ? 128 : 127) * x[1];
    return negated;
}

void qnt__prepare_row_c(const uint8_t *row, size_t depth, uint8_t *prepared)
{
    int8_t *quad = (int8_t *)prepared + sizeof(struct qnt__prepared_row);
    uint8_t *form = (uint8_t *)quad + qnt__prepared_forms(depth);
    struct qnt__prepared_row head = {0};
    for (size_t q = 0; q < qnt__prepared_room(depth); q++, quad += 4) {
        uint8_t u[4] = {127, 127, 127, 127};
        if (4 * q < depth) memcpy(u, row + 4 * q, sizeof u);
        form[q] = 0;
        for (size_t k = 0; k < 4; k += 2) {
            if (4 * q < depth && qnt__stands_for_255(row, 4 * q + k + 1)) {
                u[k + 1] = 254;
                if (head.again < QNT__AGAIN) head.again_k[head.again] = (uint32_t)(4 * q + k + 1);
                head.again++;
            }
            form[q] |= (uint8_t)(oppose(u[k], u[k + 1], quad + k, &head.constant) << (6 + k / 2));
        }
    }
    memcpy(prepared, &head, sizeof head);
}

/* The product of four x and the form of a cell's column: 127 - w, or 255 less that. */
static int32_t multiply(const int8_t x[4], unsigned form, const int8_t w[4])
{
    int32_t sum = 0;
    for (size_t k = 0; k < 4; k++) {
        const int v = 127 - w[k], negated = k % 2 && form >> (6 + k / 2) & 1;
        sum += x[k] * (negated ? 255 - v : v) + 127 * w[k];
    }
    return sum;
}

/* One sum. */
static uint32_t sum_of(const uint8_t *prepared, const uint8_t *row, size_t depth, const uint8_t *column)
{
    const int8_t *quad = (const int8_t *)prepared + sizeof(struct qnt__prepared_row);
    const uint8_t *form = (const uint8_t *)quad + qnt__prepared_forms(depth);
    struct qnt__prepared_row head;
    memcpy(&head, prepared, sizeof head);
    uint32_t sum = (uint32_t)head.constant;
    for (size_t q = 0; q < depth / 4; q++) {
        int8_t w[4];
        memcpy(w, column + q * qnt__cell_bytes(8), sizeof w);
        sum += (uint32_t)multiply(quad + 4 * q, form[q], w);
        for (size_t k = 1; k < 4; k += 2) {
            const int32_t again = qnt__stands_for_255(row, 4 * q + k) ? w[k] : 0;
            sum += (uint32_t)again;
        }
    }
    return sum;
}

void qnt__gemm_prepared_c(const struct qnt__gemm_prepared *g)
{
    for (size_t i = 0; i < g->m; i++) {
        const uint8_t *prepared = g->prepared + i * qnt__prepared_bytes(g->depth),
                      *row = g->row + (ptrdiff_t)i * g->row_step;
        for (size_t n = 0; n < g->panels * QNT__PANEL; n++) {
            const uint8_t *column = g->weight + n / QNT__PANEL * g->panel_bytes + 4 * (n % QNT__PANEL);
            g->acc[i * g->ld + n] = (int32_t)sum_of(prepared, row, g->depth, column);
        }
    }
    g->done(g->of, 0, g->m);
}
