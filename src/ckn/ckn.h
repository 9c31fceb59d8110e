/* What a kernel-map layer holds. */
#ifndef QNT__CKN_CKN_H
#define QNT__CKN_CKN_H

#include <stdbool.h>

#include "context/context.h"
#include "qnt/ckn.h"
#include "tensor/view.h"

enum {
    QNT__CKN_FLOATS = 32, /* bits of what is not rounded */
    QNT__CKN_TAPS = 6 * 64 + 1
};

struct qnt_ckn {
    struct qnt__memory memory;
    qnt_ckn_spec spec; /* defaults filled in */
    float alpha;       /* 1 / sigma^2 */
    size_t depth;      /* elements of a patch */
    size_t panels;     /* of 16 anchors */
    int code_bits;     /* of the cells of code_panel */
    size_t code_depth; /* depth rounded up to whole cells */
    size_t words;      /* of the signs of a patch */
    void *block;       /* NULL: no anchors yet; else all of these, each NULL if it is not needed: */
    size_t bytes;
    float *anchor_panel; /* patches of 32 bits: anchors, [panels][depth][16] */
    float *projection;   /* A: [panels][filters][16] */
    float *eta;          /* without A (QNT_LITERAL): [16 panels] weights, */
    float *factor;       /* [16 panels] their roots, */
    float *shift;        /* [16 panels] and (1 + |w|^2) / 2 */
    uint8_t *code_panel; /* anchors of at most 8 bits: panels of codes, */
    int32_t *code_sum;   /* [16 panels] sums of codes, */
    float *code_inverse; /* [16 panels] and 1 / norm of codes; 0 in missing columns */
    uint64_t *bit_panel; /* patches of 1 bit too: what is negative, [panels][words][16] */
};

/* ---- ckn.c ---- */

/* Checks a spec, fills in its defaults and what follows from it; no anchors, no memory. */
qnt_status qnt__ckn_describe(const qnt_context *context, const qnt_ckn_spec *spec, qnt_ckn *out);

/* A handle like `draft`, whose block becomes its own. */
qnt_status qnt__ckn_handle(const qnt_context *context, const qnt_ckn *draft, qnt_ckn **out);

/* Sets sigma, and what follows from it. */
void qnt__ckn_set_sigma(qnt_ckn *ckn, float sigma);

/* Checks that a view is [filters][numbers]. */
qnt_status qnt__ckn_check_anchors(const qnt_context *context, const char *name, const qnt_ckn *ckn,
                                  const struct qnt__view *v);

/* ---- patch.c ---- */

/* Places of patches in an image, and what pooling leaves of them. */
struct qnt__ckn_shape {
    size_t height, width, out_height, out_width;
};

/* Checks images [B][H][W][channels], each of a patch at least. */
qnt_status qnt__ckn_shape(const qnt_context *context, const qnt_ckn *ckn, const struct qnt__view *x,
                          struct qnt__ckn_shape *shape);

/* Checks that a view has the shape of what qnt_ckn_run() makes of x. */
qnt_status qnt__ckn_check_result(const qnt_context *context, const char *name, const qnt_ckn *ckn,
                                 const struct qnt__view *x, const struct qnt__ckn_shape *shape,
                                 const struct qnt__view *y);

/* The patch of an image [height][width][channels] whose corner is at (top, left), zeros outside. */
void qnt__ckn_cut(const qnt_ckn_spec *spec, const float *image, int64_t height, int64_t width,
                  int64_t top, int64_t left, float *patch);

/* Centres m patches that follow each other, and their norms; sums in the order of the elements.
 * A patch without a finite norm becomes zeros. */
void qnt__ckn_measure(const struct qnt__simd *simd, const qnt_ckn *ckn, float *patch, size_t m,
                      float *norm);

/* How far the pooling filter reaches to each side: 0 if nothing is pooled. */
int64_t qnt__ckn_reach(const qnt_ckn *ckn);

/* The pooling filter in one direction: 2 reach + 1 taps. */
void qnt__ckn_taps(const qnt_ckn *ckn, float *tap);

/* ---- anchors.c ---- */

/* Numbers of an anchor that the host sees: its elements, and its weight with QNT_LITERAL. */
size_t qnt__ckn_numbers(const qnt_ckn *ckn);

/* From real anchors [filters][numbers] to everything that a layer keeps of them, in a new block of
 * `next`, a copy of the handle. */
qnt_status qnt__ckn_take(const qnt_context *context, const double *anchor, qnt_ckn *next);

/* The kernel of all pairs of kept anchors, unit[filters][depth], in double: k[filters][filters]. */
void qnt__ckn_gram(const qnt_ckn *ckn, const float *unit, double *k);

/* Puts the block of `next` in the place of the present one. */
void qnt__ckn_replace(qnt_ckn *ckn, const qnt_ckn *next);

/* A new block with room for everything, all 0. */
qnt_status qnt__ckn_open_block(const qnt_context *context, qnt_ckn *next);

/* Bytes of all panels of codes. */
size_t qnt__ckn_code_bytes(const qnt_ckn *ckn);

/* Code k of an anchor, and number k of what the layer keeps of it. */
int qnt__ckn_code(const qnt_ckn *ckn, size_t anchor, size_t k);
float qnt__ckn_anchor(const qnt_ckn *ckn, size_t anchor, size_t k);

/* What follows from codes, or from anchors and weights; false if an anchor has no code but 0. */
bool qnt__ckn_derive(qnt_ckn *ckn);

/* eigen.c: the symmetric matrix k[n][n] becomes its inverse square root, 1 / (sqrt(e) +
 * regulariser) for each eigenvalue e, negative ones counting as 0; space: 2 n n doubles. */
void qnt__inverse_root(double *k, size_t n, double regulariser, double *space);

/* With A that inverse root and a loss whose derivative by A is the symmetric b[n][n]: b becomes the
 * derivative by k. k is spoilt; space: 3 n n doubles. */
void qnt__inverse_root_gradient(double *k, size_t n, double regulariser, double *b, double *space);

/* kmeans.c: `count` unit vectors among n, [n][depth], n >= count; writes [count][depth]. */
qnt_status qnt__spherical_kmeans(const qnt_context *context, const float *x, size_t n, size_t depth,
                                 size_t count, int32_t rounds, uint64_t seed, double *centre);

/* ---- expansion.c: the map of 2014 ---- */

/* The published width: the 0.1 quantile of the distances of random pairs among x[n][depth]. */
qnt_status qnt__expansion_sigma(const qnt_context *context, const float *x, size_t n, size_t depth,
                                uint64_t seed, float *sigma);

/* The squared error of the expansion for one pair (x, y); to[filters][depth + 1] gets its
 * derivatives by w and eta added. phi: room for `filters` numbers. */
double qnt__expansion_gradient(const double *anchor, size_t filters, size_t depth, double alpha,
                               const float *x, const float *y, double *phi, double *to);

/* Anchors [filters][depth] become w and eta, [filters][depth + 1], by Adam on pairs among x. */
qnt_status qnt__expansion_learn(const qnt_context *context, const float *x, size_t n, size_t depth,
                                size_t filters, double alpha, uint64_t seed, double *anchor);

/* Rounds v[n] to codes of `bits` bits, symmetric around 0; 1 bit: signs, 0 counting as +1. The sum
 * of their squares. All operations are float32, so that a factor of a power of two changes nothing.
 */
int32_t qnt__ckn_round(const float *v, size_t n, int32_t bits, int8_t *code);

#endif
