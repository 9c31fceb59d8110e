/* Stores past the caches are ordered with nothing but a fence. */
#include <immintrin.h>

#include "../slots.h"

void qnt__stream_end_avx2(void)
{
    _mm_sfence();
}
