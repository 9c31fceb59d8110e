/* oneDNN as a peer: int8 products and convolutions with weights in whatever format it likes
 * best. */
#ifndef BENCH_ONEDNN_H
#define BENCH_ONEDNN_H

#include <stddef.h>

struct peer; /* one prepared primitive with its memory */

enum { PEER_S32, PEER_F32, PEER_U8 }; /* result: exact sums, or scaled per channel */

/* NULL if oneDNN is not there. */
const char *peer_version(void);

/* [m,k] unsigned (signed if is_signed) times [k,n] signed. NULL if it cannot. */
struct peer *peer_gemm(size_t m, size_t n, size_t k, int is_signed, int result);

/* NHWC, 1 x size x size x channels to the same, kernel x kernel in groups, padded to the same size. */
struct peer *peer_conv(size_t size, size_t channels, size_t groups, size_t kernel, int is_signed,
                       int result);

void peer_run(void *peer);
void peer_destroy(struct peer *peer);

#endif
