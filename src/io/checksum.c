/* XXH64 (Y. Collet, xxHash specification 0.1.1) for lengths that are multiples of 32, which have no
 * tail. */
#include "checksum.h"

#define PRIME_1 0x9e3779b185ebca87u
#define PRIME_2 0xc2b2ae3d27d4eb4fu
#define PRIME_3 0x165667b19e3779f9u
#define PRIME_4 0x85ebca77c2b2ae63u

enum { STRIPE = 32, LANES = 4 };

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* Compilers make one load of it where the CPU is little-endian. */
static uint64_t read_u64(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

static void take(uint64_t lane[LANES], const uint8_t *bytes, size_t n)
{
    uint64_t a = lane[0], b = lane[1], c = lane[2], d = lane[3];
    for (size_t i = 0; i < n; i += STRIPE) {
        a = mix(a, read_u64(bytes + i));
        b = mix(b, read_u64(bytes + i + 8));
        c = mix(c, read_u64(bytes + i + 16));
        d = mix(d, read_u64(bytes + i + 24));
    }
    lane[0] = a, lane[1] = b, lane[2] = c, lane[3] = d;
}

uint64_t qnt__checksum(const uint8_t head[64], const uint8_t *rest, size_t n)
{
    uint64_t lane[LANES] = {PRIME_1 + PRIME_2, PRIME_2, 0, 0u - PRIME_1};
    take(lane, head, 64);
    take(lane, rest, n);

    uint64_t h =
        rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
    for (int i = 0; i < LANES; i++) h = (h ^ mix(0, lane[i])) * PRIME_1 + PRIME_4;
    h += 64 + (uint64_t)n;
    h = (h ^ h >> 33) * PRIME_2;
    h = (h ^ h >> 29) * PRIME_3;
    return h ^ h >> 32;
}
