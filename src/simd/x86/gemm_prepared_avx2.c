/*
 * Exact integer products of prepared rows (slots_prepared.h) and any 8-bit weights with VPMADDUBSW, three
 * instructions for 32 of them. A chunk of k at a time, the cells of a panel are written down in four forms,
 * and each quad of a row multiplies the form that it asks for: one more load, and no other instruction. The
 * forms are worth many rows; the cells of the next panel are fetched while they are multiplied. Rows are
 * done with the last panel, a few at a time, so that results are stored while others are multiplied.
 */
#include "../slots.h"
#include "wide_avx2.h"

/* sum0 += x * w[0..31], sum1 += x * w[32..63] for a broadcast quad x. */
#define MULTIPLY_FORM(sum0, sum1, quad, w, ones)                                                   \
    do {                                                                                           \
        __m256i x_, product_;                                                                      \
        __asm__("vpbroadcastd %4, %2\n\tvmovdqa %5, %3\n\tvpmaddubsw %2, %3, %3\n\t"               \
                "vpmaddwd %7, %3, %3\n\tvpaddd %3, %0, %0\n\tvmovdqa %6, %3\n\t"                   \
                "vpmaddubsw %2, %3, %3\n\tvpmaddwd %7, %3, %3\n\tvpaddd %3, %1, %1"                \
                : "+&x"(sum0), "+&x"(sum1), "=&x"(x_), "=&x"(product_)                             \
                : "m"(quad), "m"((w)[0]), "m"((w)[1]), "x"(ones));                                 \
    } while (0)

enum { CHUNK_QUADS = 144 /* at most: 36 KB of forms */, DONE_ROWS = 24 /* at a time */ };

/* The cells of one panel and chunk. */
struct forms {
    __m256i base[2]; /* 127 w: what all sums begin with */
    __m256i form[CHUNK_QUADS][QNT__FORMS][2];
};

/* 127 times the sum of a column's four weights. */
INLINE __m256i base_of(__m256i w)
{
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(127), w);
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static void write_forms(const uint8_t *cell, size_t cells, struct forms *f)
{
    const __m256i turn = _mm256_set1_epi8(127), first = _mm256_set1_epi32(0x0000ff00),
                  second = _mm256_set1_epi32((int)0xff000000u), both = _mm256_or_si256(first, second);
    f->base[0] = f->base[1] = _mm256_setzero_si256();
    for (size_t q = 0; q < cells; q++, cell += qnt__cell_bytes(8)) {
        __m256i(*to)[2] = f->form[q];
        UNROLL for (int h = 0; h < 2; h++) {
            __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)cell + h);
            f->base[h] = _mm256_add_epi32(f->base[h], base_of(w));
            w = _mm256_xor_si256(w, turn);
            to[0][h] = w;
            to[1][h] = _mm256_xor_si256(w, first);
            to[2][h] = _mm256_xor_si256(w, second);
            to[3][h] = _mm256_xor_si256(w, both);
        }
    }
}

/* The cells whose forms come next; some of them are fetched with each tile. */
struct ahead {
    const uint8_t *at;
    size_t lines, share;
};

INLINE void fetch_ahead(struct ahead *a)
{
    for (size_t n = 0; n < a->share && a->lines; n++, a->lines--, a->at += QNT__LINE)
        _mm_prefetch((const void *)a->at, _MM_HINT_T1);
}

/* A chunk of k. */
struct chunk {
    size_t first_quad, quads;
};

static const uint8_t *cells_of(const struct qnt__gemm_prepared *g, size_t panel, size_t first_quad)
{
    return g->weight + panel * g->panel_bytes + first_quad * qnt__cell_bytes(8);
}

static struct ahead next_cells(const struct qnt__gemm_prepared *g, const struct chunk *c, size_t panel)
{
    const size_t next = c->first_quad + c->quads;
    if (panel + 1 < g->panels) return (struct ahead){cells_of(g, panel + 1, c->first_quad), c->quads, 0};
    if (4 * next < g->depth) return (struct ahead){cells_of(g, 0, next), c->quads, 0};
    return (struct ahead){0};
}

/* acc = or += rows x 16 sums, of `rows` rows from row i on. */
INLINE void tile(const struct qnt__gemm_prepared *g, const struct chunk *c, const struct forms *f, size_t i,
                 int rows, int32_t *acc)
{
    const size_t row_bytes = qnt__prepared_bytes(g->depth);
    const __m256i ones = _mm256_set1_epi16(1);
    const uint8_t *x[MAX_ROWS], *cell = (const void *)f->form;
    __m256i sum[MAX_ROWS][2];
    acc += i * g->ld;
    UNROLL for (int r = 0; r < rows; r++) {
        const uint8_t *row = g->prepared + (i + (size_t)r) * row_bytes;
        const struct qnt__prepared_row *head = (const void *)row;
        const __m256i_u *from = (const void *)(acc + (size_t)r * g->ld);
        x[r] = row + sizeof *head;
        UNROLL for (int h = 0; h < 2; h++) {
            const __m256i start = c->first_quad ? from[h] : _mm256_set1_epi32(head->constant);
            sum[r][h] = _mm256_add_epi32(f->base[h], start);
        }
    }
    size_t form = qnt__prepared_forms(g->depth) + c->first_quad;
    const size_t first = 4 * c->first_quad, end = first + 4 * c->quads;
    for (size_t k = first; k < end; k += 4, form++, cell += sizeof *f->form) {
        UNROLL for (int r = 0; r < rows; r++) {
            const __m256i *w = (const void *)(cell + x[r][form]);
            MULTIPLY_FORM(sum[r][0], sum[r][1], *(const int32_t *)(const void *)(x[r] + k), w, ones);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        __m256i_u *to = (void *)(acc + (size_t)r * g->ld);
        UNROLL for (int h = 0; h < 2; h++) to[h] = sum[r][h];
    }
}

/* acc[16] += the weights of one k. */
INLINE void add_again(const uint8_t *panel, size_t k, int32_t *acc)
{
    const __m256i_u *cell = (const void *)(panel + k / 4 * qnt__cell_bytes(8));
    const __m128i up = _mm_cvtsi32_si128((int)(24 - k % 4 * 8));
    __m256i_u *to = (void *)acc;
    UNROLL for (int h = 0; h < 2; h++) {
        const __m256i w = _mm256_srai_epi32(_mm256_sll_epi32(cell[h], up), 24);
        to[h] = _mm256_add_epi32(to[h], w);
    }
}

/* Adds weights where 254 stood for 255. */
static void add_all_again(const struct qnt__gemm_prepared *g, size_t i, const uint8_t *panel, int32_t *acc)
{
    const uint8_t *row = g->row + (ptrdiff_t)i * g->row_step;
    const struct qnt__prepared_row *r = (const void *)(g->prepared + i * qnt__prepared_bytes(g->depth));
    if (r->again <= QNT__AGAIN) {
        for (size_t n = 0; n < r->again; n++) add_again(panel, r->again_k[n], acc);
        return;
    }
    for (size_t k = 1; k < g->depth; k += 2) {
        if (qnt__stands_for_255(row, k)) add_again(panel, k, acc);
    }
}

/* Rows whose products are all there. */
static void tell(const struct qnt__gemm_prepared *g, size_t row, size_t rows)
{
    for (size_t i = row; i < row + rows; i++) {
        for (size_t p = 0; p < g->panels; p++)
            add_all_again(g, i, cells_of(g, p, 0), g->acc + i * g->ld + p * QNT__PANEL);
    }
    g->done(g->of, row, rows);
}

/* All rows, in pieces as even as possible. Lines of results are asked for before rows are done. */
static void tiles(const struct qnt__gemm_prepared *g, const struct chunk *c, const struct forms *f,
                  size_t panel, struct ahead ahead)
{
    const bool last = panel + 1 == g->panels && 4 * (c->first_quad + c->quads) == g->depth;
    int32_t *acc = g->acc + panel * QNT__PANEL;
    size_t done = 0;
    ahead.share = ahead.lines * MAX_ROWS / g->m + 1;
    for (size_t i = 0; i < g->m;) {
        const size_t left = g->m - i,
                     rows = left <= MAX_ROWS ? left : left < 12 ? (left + 1) / 2 : MAX_ROWS;
        fetch_ahead(&ahead);
        if (last) qnt__ask_now(&g->results, i, rows, 0, 1);
        switch (rows) {
        case 1: tile(g, c, f, i, 1, acc); break;
        case 2: tile(g, c, f, i, 2, acc); break;
        case 3: tile(g, c, f, i, 3, acc); break;
        case 4: tile(g, c, f, i, 4, acc); break;
        case 5: tile(g, c, f, i, 5, acc); break;
        default: tile(g, c, f, i, 6, acc); break;
        }
        i += rows;
        if (!last || i < done + 2 * DONE_ROWS) continue;
        tell(g, done, DONE_ROWS);
        done += DONE_ROWS;
    }
    if (last) tell(g, done, g->m - done);
}

void qnt__gemm_prepared_avx2(const struct qnt__gemm_prepared *g)
{
    const size_t all = g->depth / 4, chunks = (all + CHUNK_QUADS - 1) / CHUNK_QUADS,
                 most = (all + chunks - 1) / chunks;
    _Alignas(QNT__LINE) struct forms forms;
    for (size_t q = 0; q < all; q += most) {
        const struct chunk chunk = {q, all - q < most ? all - q : most};
        for (size_t p = 0; p < g->panels; p++) {
            write_forms(cells_of(g, p, q), chunk.quads, &forms);
            tiles(g, &chunk, &forms, p, next_cells(g, &chunk, p));
        }
    }
}
