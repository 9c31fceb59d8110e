/* Portable code writes through the caches: nothing is left to do. */
#include "../slots.h"

void qnt__stream_end_c(void)
{
}
