/* The checksum of blobs. */
#ifndef QNT__IO_CHECKSUM_H
#define QNT__IO_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* XXH64 with seed 0 of `head`, 64 bytes, followed by n bytes at `rest`, a multiple of 64. */
uint64_t qnt__checksum(const uint8_t head[64], const uint8_t *rest, size_t n);

#endif
