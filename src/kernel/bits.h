/* Packed bit planes: what qnt_pack_bits() writes and qnt_gemm_bits() reads; layout in doc/formats.md. */
#ifndef QNT__KERNEL_BITS_H
#define QNT__KERNEL_BITS_H

#include "context/context.h"
#include "tensor/view.h"

/* Words of one plane of k codes: pairs, at least one. */
size_t qnt__bits_words(size_t k);

/* Opens unsigned codes [rows][k]. */
qnt_status qnt__bits_open(const qnt_context *context, const char *name, const qnt_tensor *tensor,
                          struct qnt__view *view);

/* The planes of one row of codes; word w of plane p goes to to[(p plane + w) step], odd words as the parity
 * of all words up to them. If plane > words, the number of bits set follows the words. */
void qnt__bits_slice(const qnt_context *context, const struct qnt__view *codes, size_t row, size_t words,
                     size_t plane, size_t step, uint64_t *to);

#endif
