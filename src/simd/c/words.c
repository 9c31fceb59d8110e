/* Portable definition of what products of words need besides gemm_s16: weights in its order, and sums
 * of its parts. */
#include "../layout.h"
#include "../slots.h"

void qnt__expand_words_c(const struct qnt__expand_words *e)
{
    const uint8_t *cell = e->cell, *end = cell + e->cells * qnt__cell_bytes(e->bits);
    const int bias = e->bits == 8 ? 0 : 1 << (e->bits - 1);
    int16_t *out = e->out;
    for (; cell < end; cell += qnt__cell_bytes(e->bits)) {
        for (size_t k = 0; k < qnt__cell_depth(e->bits); k += 2, out += 2 * QNT__PANEL) {
            for (size_t i = 0; i < 2 * QNT__PANEL; i++)
                out[i] = e->words[(uint8_t)(qnt__cell_code(cell, e->bits, i / 2, k + i % 2) + bias)];
        }
    }
}

void qnt__split_words_c(int16_t *words, size_t n, int16_t *high)
{
    for (size_t i = 0; i < n; i++) {
        const int16_t rest = (int16_t)(((words[i] + 128) & 255) - 128);
        high[i] = (int16_t)((words[i] - rest) / 256);
        words[i] = rest;
    }
}

void qnt__bytes_of_words_c(const int16_t *words, size_t n, uint8_t *low, uint8_t *high)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned word = (uint16_t)words[i] ^ 0x8000u;
        low[i] = (uint8_t)word;
        high[i] = (uint8_t)(word >> 8);
    }
}

void qnt__add_parts_f64_c(double *sum, const int32_t *part, size_t n, double factor)
{
    for (size_t i = 0; i < n; i++) sum[i] += factor * (double)part[i];
}

void qnt__residues_255_c(const int16_t *words, size_t n, uint8_t *residues)
{
    for (size_t i = 0; i < n; i++) residues[i] = (uint8_t)((words[i] % 255 + 255) % 255);
}

/* 2^32 is 1 modulo 255, so that s = low + 2^32 q has the residue low + q. */
void qnt__add_residues_f64_c(double *sum, const int32_t *low, const int32_t *residue, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t q = ((int64_t)residue[i] - low[i]) % 255;
        if (q > 127) q -= 255;
        if (q < -127) q += 255;
        sum[i] += (double)(low[i] + q * 4294967296);
    }
}

void qnt__scale_sums_f64_c(double *sum, const float *scale, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float product = (float)sum[i] * scale[i];
        y[i] = y[i] + product;
        sum[i] = 0.0;
    }
}

void qnt__join_words_c(const struct qnt__join_words *j, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) {
        double sum = j->row - j->zero * j->column[i];
        for (size_t p = 0; p < j->parts; p++) sum += j->factor[p] * (double)j->acc[p][i];
        float product = (float)sum * j->scale[i];
        y[i] = 0.0f + product;
    }
}
