/* What surrounds products of digits, 16 at a time. */
#include "../slots.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTOR = 64 };

#include "../lowbit_finish.h"

void qnt__finish_lowbit_avx512vnni(const struct qnt__lowbit_finish *f)
{
    finish_lowbit(f);
}

/* Short lines by half a vector. */
void qnt__box_lowbit_avx512vnni(const struct qnt__lowbit_box *b)
{
    if (b->m < LANES_32) qnt__box_lowbit_avx2(b);
    else box_lowbit(b);
}

void qnt__floats_lowbit_avx512vnni(const struct qnt__lowbit_floats *f)
{
    floats_lowbit(f);
}
