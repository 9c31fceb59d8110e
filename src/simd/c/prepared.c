/* Portable definition of preparing rows of activations and of multiplying them (slots_prepared.h). */
#include <string.h>

#include "../layout.h"
#include "../slots.h"

/* The place of quad q, whatever it holds. */
static size_t place_of(size_t q)
{
    static const uint8_t order[QNT__QUADS_TOGETHER] = {0, 1, 4, 5, 2, 3, 6, 7};
    return q / QNT__QUADS_TOGETHER * QNT__QUADS_TOGETHER + order[q % QNT__QUADS_TOGETHER];
}

/* A pair of activations, of which the second one may become its negative; returns whether it does. */
static int oppose(int u0, int u1, int8_t x[2], int32_t *constant)
{
    const int x0 = 127 - u0, x1 = 127 - u1, negated = (x0 < 0) == (x1 < 0);
    x[0] = (int8_t)x0;
    x[1] = (int8_t)(negated ? -x1 : x1);
    *constant -= 127 * x[0] + (negated ? 128 : 127) * x[1];
    return negated;
}

void qnt__prepare_row_c(const uint8_t *row, size_t depth, uint8_t *out)
{
    const size_t quads = qnt__prepared_quads(depth), chunk = qnt__chunk_quads(depth);
    struct qnt__prepared_row head = {0};
    for (size_t q = 0; q < quads; q++) {
        struct qnt__prepared_quad quad;
        uint8_t u[4];
        size_t form = 0;
        for (size_t k = 0; k < 4; k++) {
            const size_t at = 4 * q + k;
            u[k] = at < depth ? row[at] : 127;
            if (k % 2 == 0 || at >= depth || !qnt__stands_for_255(row, at)) continue;
            u[k] = 254;
            if (head.again < QNT__AGAIN) head.again_k[head.again] = (uint32_t)at;
            head.again++;
        }
        for (size_t pair = 0; pair < 2; pair++)
            form += (size_t)oppose(u[2 * pair], u[2 * pair + 1], quad.x + 2 * pair, &head.constant) << pair;
        quad.at = (uint32_t)(64 * (q % chunk * QNT__FORMS + form));
        memcpy(out + sizeof head + place_of(q) * sizeof quad, &quad, sizeof quad);
    }
    memcpy(out, &head, sizeof head);
}

/* The product of a quad and the form of a cell that it asks for: 127 - w, or 255 less that. */
static int32_t opposed(const struct qnt__prepared_quad *quad, const int8_t w[4])
{
    int32_t sum = 0;
    for (size_t k = 0; k < 4; k++) {
        const int v = 127 - w[k], negated = k % 2 && quad->at >> (6 + k / 2) & 1;
        sum += quad->x[k] * (negated ? 255 - v : v) + 127 * w[k];
    }
    return sum;
}

/* One sum. */
static uint32_t sum_of(const uint8_t *prepared, const uint8_t *row, size_t depth, const uint8_t *column)
{
    const struct qnt__prepared_quad *quads = qnt__prepared_at(prepared);
    struct qnt__prepared_row head;
    memcpy(&head, prepared, sizeof head);
    uint32_t sum = (uint32_t)head.constant;
    for (size_t q = 0; q < depth / 4; q++) {
        int8_t w[4];
        memcpy(w, column + q * qnt__cell_bytes(8), sizeof w);
        sum += (uint32_t)opposed(quads + place_of(q), w);
        for (size_t k = 4 * q + 1; k < 4 * q + 4; k += 2) {
            const int32_t again = qnt__stands_for_255(row, k) ? w[k % 4] : 0;
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
}
