/* What a kernel-map layer holds. */
#ifndef QNT__CKN_CKN_H
#define QNT__CKN_CKN_H

#include <stdbool.h>

#include "context/context.h"
#include "qnt/ckn.h"
#include "tensor/view.h"

struct qnt_ckn {
    struct qnt__memory memory;
    qnt_ckn_spec spec; /* defaults filled in */
    float alpha;       /* 1 / sigma^2 */
    size_t depth;      /* elements of a patch */
    size_t panels;     /* of 16 anchors */
    int code_bits;     /* of the cells of code_panel */
    size_t code_depth; /* depth rounded up to whole cells */
    /* One block: */
    float *anchor;       /* [filters][depth], of norm 1; NULL: none yet */
    float *anchor_panel; /* [panels][depth][16], the same for float products */
    float *projection;   /* A: [panels][filters][16] */
    uint8_t *code_panel; /* anchors of at most 8 bits: panels, */
    int32_t *code_sum;   /* [16 panels] sums of their codes, */
    float *code_inverse; /* [16 panels] and 1 / norm of their codes */
    size_t bytes;        /* of the block */
};

/* anchors.c: from real anchors [filters][depth] to everything that a layer keeps of them, in a new
 * block of `next`, a copy of the handle. */
qnt_status qnt__ckn_take(const qnt_context *context, const double *anchor, qnt_ckn *next);

/* Puts the block of `next` in the place of the present one. */
void qnt__ckn_replace(qnt_ckn *ckn, const qnt_ckn *next);

/* eigen.c: the symmetric matrix k[n][n] becomes its inverse square root, 1 / (sqrt(e) +
 * regulariser) for each eigenvalue e, negative ones counting as 0; space: 2 n n doubles. */
void qnt__inverse_root(double *k, size_t n, double regulariser, double *space);

/* kmeans.c: `count` unit vectors among n, [n][depth], n >= count; writes [count][depth]. */
qnt_status qnt__spherical_kmeans(const qnt_context *context, const float *x, size_t n, size_t depth,
                                 size_t count, int32_t rounds, uint64_t seed, double *centre);

/* Rounds v[n] to codes of `bits` bits, symmetric around 0; 1 bit: signs, 0 counting as +1. The sum
 * of their squares. All operations are float32, so that a factor of a power of two changes nothing.
 */
int32_t qnt__ckn_round(const float *v, size_t n, int32_t bits, int8_t *code);

#endif
