/*
 * Integer matrix products against oneDNN and against what the core can do.
 *
 * "slots" drives the kernels alone over whole matrices, which is what a layer can reach at best. Weights
 * are uniformly distributed over all codes unless they are called normal: AVX2 has a faster way for most
 * of those.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "kernel/panels.h"
#include "onednn.h"
#include "qnt.h"
#include "simd/slots.h"

struct product {
    size_t m, n, k;
    int bits;
    size_t copies, turn; /* of the weights, to leave the caches */
    struct qnt__simd simd;
    uint8_t *x, *w;
    int32_t *acc;
    size_t panel_bytes;
};

static struct product *product_create(size_t m, size_t n, size_t k, int bits, size_t copies)
{
    struct product *p = calloc(1, sizeof *p);
    *p = (struct product){.m = m, .n = n, .k = k, .bits = bits, .copies = copies};
    qnt__simd_choose(&p->simd, bench_cpu());
    p->panel_bytes = qnt__panel_bytes(1, k, bits);
    p->x = bench_memory(m * k);
    p->w = bench_memory(copies * n / QNT__PANEL * p->panel_bytes);
    p->acc = bench_memory(m * n * sizeof *p->acc);
    return p;
}

/* Draws as trained weights have them: a normal distribution, and for each column the largest is `top`. */
static void draw_column(uint8_t *cell, size_t k, float top, float *draw)
{
    float most = 0;
    for (size_t i = 0; i < k; i++) {
        draw[i] = -6;
        for (int n = 0; n < 12; n++) draw[i] += (float)(bench_random() >> 40) * 0x1p-24f;
        most = fmaxf(most, fabsf(draw[i]));
    }
    for (size_t i = 0; i < k; i++) cell[i / 4 * 64 + i % 4] = (uint8_t)lrintf(draw[i] * top / most);
}

static void product_draw(struct product *p, float top)
{
    float *draw = malloc(p->k * sizeof *draw);
    for (size_t j = 0; j < p->n; j++) {
        draw_column(p->w + j / QNT__PANEL * p->panel_bytes + 4 * (j % QNT__PANEL), p->k, top, draw);
    }
    free(draw);
}

static void product_destroy(struct product *p)
{
    free(p->x);
    free(p->w);
    free(p->acc);
    free(p);
}

/* Weights of four panels stay in the second-level cache while all rows pass. */
static void product_run(void *state)
{
    struct product *p = state;
    ptrdiff_t tap = 0;
    size_t panels = p->n / QNT__PANEL;
    const uint8_t *rows[QNT__GEMM_ROWS];
    const uint8_t *w = p->w + p->turn * panels * p->panel_bytes;
    p->turn = (p->turn + 1) % p->copies;
    for (size_t j = 0; j < panels; j += QNT__BLOCK_PANELS) {
        for (size_t i = 0, next; i < p->m; i = next) {
            size_t left = p->m - i, most = QNT__GEMM_ROWS;
            next = i + (left <= most ? left : left < 2 * most ? (left + 1) / 2 : most);
            struct qnt__gemm g = {.rows = rows, .taps = &tap, .tap_count = 1, .depth = p->k,
                                  .weight = w + j * p->panel_bytes, .panel_bytes = p->panel_bytes,
                                  .acc = p->acc + i * p->n + j * QNT__PANEL, .ld = p->n,
                                  .bits = p->bits};
            g.m = next - i;
            g.panels = panels - j < QNT__BLOCK_PANELS ? panels - j : QNT__BLOCK_PANELS;
            for (size_t r = 0; r < g.m; r++) rows[r] = p->x + (i + r) * p->k;
            p->simd.gemm_s8(&g);
        }
    }
}

static void large(double peak)
{
    static const size_t shapes[][3] = {
        {256, 4096, 4096}, {1024, 1024, 1024}, {3136, 64, 576}, {196, 256, 2304}};
    static const struct {
        const char *name;
        int bits;
        float top; /* of a normal distribution, or 0 */
    } weights[] = {{"w8", 8, 0}, {"w8 normal", 8, 127}, {"w7 normal", 8, 63},
                   {"w4", 4, 0}, {"w3", 3, 0},          {"w2", 2, 0}};
    printf("\n%-24s %8s %8s %6s %9s %7s\n", "int8 product", "ms", "peer ms", "ratio", "GMAC/s",
           "peak");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        for (size_t w = 0; w < sizeof weights / sizeof *weights; w++) {
            struct product *p = product_create(m, n, k, weights[w].bits, 1);
            if (weights[w].top > 0) product_draw(p, weights[w].top);
            struct peer *u8 = peer_gemm(m, n, k, 0, PEER_S32),
                        *s8 = peer_gemm(m, n, k, 1, PEER_S32);
            struct bench_candidate c[] = {{.name = "slots", .run = product_run, .state = p},
                                          {.name = "u8", .run = peer_run, .state = u8},
                                          {.name = "s8", .run = peer_run, .state = s8}};
            bench_compare(c, 3);
            double best = c[1].seconds < c[2].seconds ? c[1].seconds : c[2].seconds;
            double rate = (double)m * (double)n * (double)k / c[0].seconds;
            char name[64];
            snprintf(name, sizeof name, "%zux%zux%zu %s", m, n, k, weights[w].name);
            printf("%-24s %8.3f %8.3f %6.2f %9.1f %6.0f%%\n", name, 1e3 * c[0].seconds, 1e3 * best,
                   best / c[0].seconds, rate * 1e-9, 100 * rate / peak);
            product_destroy(p);
            peer_destroy(u8);
            peer_destroy(s8);
        }
    }
}

static void one_row(void)
{
    enum { N = 4096, K = 4096, COPIES = 24 };
    printf("\n%-18s %8s %8s %6s\n", "1x4096x4096", "us", "GB/s", "of all");
    for (int bits = 8; bits >= 2; bits = bits == 8 ? 4 : bits - 1) {
        for (int cold = 0; cold < 2; cold++) {
            struct product *p = product_create(1, N, K, bits, cold ? COPIES : 1);
            size_t bytes = N / QNT__PANEL * p->panel_bytes;
            struct bench_stream stream = bench_stream(bytes, p->copies);
            struct bench_candidate c[] = {
                {.name = "slots", .run = product_run, .state = p},
                {.name = "stream", .run = bench_stream_run, .state = &stream}};
            bench_compare(c, 2);
            printf("w%d %-15s %8.1f %8.1f %5.0f%%\n", bits, cold ? "memory" : "warm",
                   1e6 * c[0].seconds, 1e-9 * (double)bytes / c[0].seconds,
                   100 * c[1].seconds / c[0].seconds);
            bench_stream_free(&stream);
            product_destroy(p);
        }
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    double peak = bench_peak();
    printf("# peer: %s; peak of this core %.0f GMAC/s\n", peer_version() ? peer_version() : "none",
           peak * 1e-9);
    if (!bench_option("--rows")) large(peak);
    one_row();
    return 0;
}
